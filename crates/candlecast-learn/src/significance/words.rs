//! Verdicts as codes and in words.

use serde::{Deserialize, Serialize};

/// Independent outcomes below which no model is called better or worse than another.
pub const MIN_INDEPENDENT: usize = 30;

/// Level of all verdicts.
pub const VERDICT_LEVEL: f64 = 0.05;

/// A verdict, for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VerdictCode {
    /// Better than the reference.
    Better,
    /// No evidence for either side.
    None,
    /// Worse than the reference.
    Worse,
    /// Fewer than [`MIN_INDEPENDENT`] independent outcomes.
    TooFew,
    /// The reference itself.
    Reference,
}

impl VerdictCode {
    /// The code of a verdict in words, as models are saved with.
    pub fn of_words(verdict: &str) -> Self {
        let codes = [
            ("better than ", Self::Better),
            ("worse than ", Self::Worse),
            ("no evidence", Self::None),
            // One of the two could mostly not forecast.
            ("cannot be told", Self::None),
            ("the reference", Self::Reference),
        ];
        codes.iter().find(|(words, _)| verdict.starts_with(words)).map_or(Self::TooFew, |&(_, code)| code)
    }

    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::None => "none",
            Self::Worse => "worse",
            Self::TooFew => "tooFew",
            Self::Reference => "reference",
        }
    }
}

/// What a verdict on a model rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// p-value that it is better, corrected for all that was tried; `None` where nothing could be tested.
    pub better: Option<f64>,
    /// p-value that it is worse, not corrected: `worse` is a warning.
    pub worse: Option<f64>,
    /// Outcomes that do not overlap.
    pub independent: usize,
}

impl Evidence {
    /// The verdict.
    pub fn code(&self) -> VerdictCode {
        let below = |p: Option<f64>| p.is_some_and(|p| p < VERDICT_LEVEL);
        if self.independent < MIN_INDEPENDENT {
            VerdictCode::TooFew
        } else if below(self.better) {
            VerdictCode::Better
        } else if below(self.worse) {
            VerdictCode::Worse
        } else {
            VerdictCode::None
        }
    }

    /// The verdict in words, against the forecast called `reference`.
    pub fn words(&self, reference: &str) -> String {
        let p = |p: Option<f64>| p.map_or_else(|| "nothing to test".into(), p_text);
        match self.code() {
            VerdictCode::Better => format!("better than {reference} ({})", p(self.better)),
            VerdictCode::None => format!("no evidence that it beats {reference} ({})", p(self.better)),
            VerdictCode::Worse => format!("worse than {reference} ({})", p(self.worse)),
            VerdictCode::TooFew => format!("too few to tell ({} independent)", self.independent),
            VerdictCode::Reference => "the reference".into(),
        }
    }
}

/// A p-value as text: `p = 0.03`, `p < 0.001`. Where it would read 0.05, with as many decimals more as show on which
/// side of [`VERDICT_LEVEL`] it lies.
pub fn p_text(p: f64) -> String {
    if p < 0.001 {
        return "p < 0.001".into();
    }
    if p < 0.01 {
        return format!("p = {p:.3}");
    }
    let rounded = |decimals: usize| format!("{p:.decimals$}");
    let level = format!("{VERDICT_LEVEL:.2}");
    let shown = match rounded(2) {
        text if text != level => text,
        _ => (3..=9).map(rounded).find(|t| t.trim_end_matches('0') != level).unwrap_or_else(|| rounded(3)),
    };
    format!("p = {shown}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_show_their_side_of_the_level() {
        for (p, text) in [
            (0.0004, "p < 0.001"),
            (0.004, "p = 0.004"),
            (0.03, "p = 0.03"),
            (0.0478, "p = 0.048"),
            (0.049_96, "p = 0.04996"),
            (0.05, "p = 0.050"),
            (0.0532, "p = 0.053"),
            (0.2, "p = 0.20"),
        ] {
            assert_eq!(p_text(p), text);
        }
    }

    #[test]
    fn every_verdict_has_its_code_and_words() {
        let told = |better: Option<f64>, worse: Option<f64>, independent: usize| {
            let evidence = Evidence { better, worse, independent };
            (evidence.code().as_str(), evidence.words("naive"))
        };
        let expected = |code: &'static str, words: &str| (code, words.to_owned());
        assert_eq!(told(Some(0.03), Some(0.97), 30), expected("better", "better than naive (p = 0.03)"));
        assert_eq!(told(Some(0.4), Some(0.6), 99), expected("none", "no evidence that it beats naive (p = 0.40)"));
        assert_eq!(told(Some(1.0), Some(0.01), 30), expected("worse", "worse than naive (p = 0.01)"));
        assert_eq!(told(Some(0.0), Some(1.0), 12), expected("tooFew", "too few to tell (12 independent)"));
        assert_eq!(told(None, None, 30), expected("none", "no evidence that it beats naive (nothing to test)"));
    }

    #[test]
    fn codes_are_read_from_the_words_that_models_are_saved_with() {
        for (better, worse, independent) in [(0.03, 0.97, 30), (0.4, 0.6, 99), (1.0, 0.01, 30), (0.01, 0.9, 29)] {
            let evidence = Evidence { better: Some(better), worse: Some(worse), independent };
            assert_eq!(VerdictCode::of_words(&evidence.words("log-har")), evidence.code());
        }
        assert_eq!(VerdictCode::of_words("the reference"), VerdictCode::Reference);
        let silent = "cannot be told: from 9 of 100 origins one of the two could not forecast";
        assert_eq!(VerdictCode::of_words(silent), VerdictCode::None);
    }

    #[test]
    fn codes_are_written_as_they_are_called() {
        use VerdictCode::{Better, Reference, TooFew, Worse};
        for code in [Better, VerdictCode::None, Worse, TooFew, Reference] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
