//! [`Shares`]: how often a run's models may, or must, be called better than the naive forecast.

use anyhow::{Context, Result, bail};

/// A bound on the share of verdicts, in percent.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// What the table of the example `random_walks` must say for a run to pass.
#[derive(Debug)]
pub(super) struct Shares {
    /// The rows that count; the naive forecasts' own rows do not.
    pub(super) models: &'static [&'static str],
    pub(super) bound: Bound,
}

impl Shares {
    /// An error that names the models out of bounds, or a model without a row, and carries the whole output.
    pub(super) fn check(&self, output: &str) -> Result<()> {
        let mut wrong = Vec::new();
        for model in self.models {
            let share = share_of(output, model).with_context(|| format!("no share of {model} in:\n{output}"))?;
            match self.bound {
                Bound::AtLeast(least) if share < least => {
                    wrong.push(format!("{model} {share} %, at least {least} % wanted"));
                }
                Bound::AtMost(most) if share > most => {
                    wrong.push(format!("{model} {share} %, at most {most} % allowed"));
                }
                Bound::AtLeast(_) | Bound::AtMost(_) => {}
            }
        }
        if wrong.is_empty() {
            return Ok(());
        }
        bail!("called better than naive: {}\n\n{output}", wrong.join("; "))
    }
}

/// The percentage in the row `| model | 3 (60.0 %) | … |`.
fn share_of(output: &str, model: &str) -> Option<f64> {
    let row =
        output.lines().find(|line| line.strip_prefix("| ").is_some_and(|l| l.split(" |").next() == Some(model)))?;
    let (_, after) = row.split_once('(')?;
    after.split_once(" %)")?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "5 walks of 4800 candles\n\n| model | \"better than naive\" | mean skill |\n| --- | ---: | \
                          ---: |\n| hybrid | 5 (100.0 %) | +0.104 % |\n| lstm | 3 (60.0 %) | -0.7 % |\n| naive | 0 (0.0 \
                          %) | +0.000 % |\n";

    #[test]
    fn shares_are_read_from_the_named_rows() {
        assert_eq!(share_of(OUTPUT, "hybrid"), Some(100.0));
        assert_eq!(share_of(OUTPUT, "lstm"), Some(60.0));
        assert_eq!(share_of(OUTPUT, "ls"), None);
    }

    #[test]
    fn both_bounds_hold_and_what_breaks_them_is_named() {
        let check = |models, bound| Shares { models, bound }.check(OUTPUT);
        assert!(check(&["hybrid"], Bound::AtLeast(100.0)).is_ok());
        assert!(check(&["lstm", "naive"], Bound::AtMost(60.0)).is_ok());
        let missed = check(&["hybrid", "lstm"], Bound::AtLeast(100.0)).unwrap_err().to_string();
        assert!(missed.contains("lstm 60 %") && !missed.contains("hybrid 100 %,"), "{missed}");
        assert!(missed.contains("5 walks"), "{missed}");
        assert!(check(&["lstm"], Bound::AtMost(6.0)).is_err());
        assert!(check(&["svm"], Bound::AtMost(6.0)).unwrap_err().to_string().contains("svm"));
    }
}
