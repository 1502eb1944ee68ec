//! [`Args`]: names and `--flag value` pairs of a command.

use std::str::FromStr;

use anyhow::{Context, Result, bail};

/// What followed a command's name.
#[derive(Debug, Default)]
pub(crate) struct Args {
    /// Words that are not flags, in order.
    pub(crate) names: Vec<String>,
    flags: Vec<(String, String)>,
    switches: Vec<String>,
}

impl Args {
    /// Reads `args`; each flag must be one of `known` (without the dashes) and has a value.
    pub(crate) fn parse(args: &[String], known: &[&str]) -> Result<Self> {
        Self::with_switches(args, known, &[])
    }

    /// The same, with flags `switches` that have no value.
    pub(crate) fn with_switches(args: &[String], known: &[&str], switches: &[&str]) -> Result<Self> {
        let mut parsed = Self::default();
        let mut rest = args.iter();
        while let Some(word) = rest.next() {
            let Some(flag) = word.strip_prefix("--") else {
                parsed.names.push(word.clone());
                continue;
            };
            if switches.contains(&flag) {
                parsed.switches.push(flag.to_owned());
                continue;
            }
            if !known.contains(&flag) {
                bail!("unknown flag `--{flag}`; this command takes: {}", [known, switches].concat().join(", "));
            }
            let value = rest.next().with_context(|| format!("flag `--{flag}` needs a value after it"))?;
            parsed.flags.push((flag.to_owned(), value.clone()));
        }
        Ok(parsed)
    }

    /// Refuses words that are not flags.
    pub(crate) fn no_names(&self) -> Result<()> {
        match self.names.first() {
            Some(name) => bail!("unexpected argument `{name}`; this command takes flags only"),
            None => Ok(()),
        }
    }

    /// The last value of `flag`, if it was given.
    pub(crate) fn get(&self, flag: &str) -> Option<&str> {
        self.flags.iter().rev().find(|(name, _)| name == flag).map(|(_, value)| value.as_str())
    }

    /// Whether the switch was given.
    pub(crate) fn has(&self, switch: &str) -> bool {
        self.switches.iter().any(|given| given == switch)
    }

    /// The value of `flag` as a number, or `default`.
    pub(crate) fn number<T: FromStr>(&self, flag: &str, default: T) -> Result<T> {
        match self.get(flag) {
            None => Ok(default),
            Some(text) => {
                text.parse().ok().with_context(|| format!("flag `--{flag}` needs a whole number, not `{text}`"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn names_and_flags_are_told_apart() {
        let args = Args::parse(&words("kill --runs 6 dm-size --runs 7"), &["runs"]).unwrap();
        assert_eq!(args.names, ["kill", "dm-size"]);
        assert_eq!(args.number("runs", 1_usize).unwrap(), 7);
        assert_eq!(args.number("seed", 3_u64).unwrap(), 3);
        assert!(args.no_names().is_err());
    }

    #[test]
    fn switches_have_no_value() {
        let args = Args::with_switches(&words("--strict kill --runs 6"), &["runs"], &["strict", "other"]).unwrap();
        assert!(args.has("strict") && !args.has("other"));
        assert_eq!((args.names.as_slice(), args.get("runs")), (&["kill".to_owned()][..], Some("6")));
        assert!(Args::parse(&words("--strict"), &["runs"]).is_err());
    }

    #[test]
    fn unknown_flags_missing_values_and_text_for_numbers_are_refused() {
        assert!(Args::parse(&words("--run 6"), &["runs"]).unwrap_err().to_string().contains("--run"));
        assert!(Args::parse(&words("--runs"), &["runs"]).is_err());
        let args = Args::parse(&words("--runs six"), &["runs"]).unwrap();
        assert!(args.number("runs", 1_usize).unwrap_err().to_string().contains("six"));
    }
}
