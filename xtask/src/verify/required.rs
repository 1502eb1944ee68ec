//! What a run says itself to be required of it.

use anyhow::{Result, bail};

/// How a line begins that says what is required; it ends with how that went.
const REQUIRED: &str = "required: ";
const HELD: &str = ": held";

/// An error with the requirements in `output` that were missed, and with all of it.
pub(super) fn check(output: &str) -> Result<()> {
    let missed: Vec<&str> =
        output.lines().filter_map(|line| line.strip_prefix(REQUIRED)).filter(|line| !line.ends_with(HELD)).collect();
    if missed.is_empty() {
        return Ok(());
    }
    bail!("{}\n\n{output}", missed.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_must_be_held() {
        let output = "a table\nrequired: skill at least -0.05 %: +0.010 %: held\n";
        assert!(check(output).is_ok() && check("no requirement\n").is_ok());
        let missed = format!("{output}required: 95 % kept: 90.0 %: missed\n");
        let error = check(&missed).unwrap_err().to_string();
        assert!(error.starts_with("95 % kept: 90.0 %: missed\n") && error.contains("a table"), "{error}");
        assert!(check("required: cut off").is_err());
    }
}
