//! What the test part said of a saved model.

use candlecast_core::Timestamp;
use candlecast_learn::significance::VerdictCode;
use candlecast_learn::task_kind;
use candlecast_registry::ModelManifest;
use serde::Serialize;
use serde_json::Value;

/// The verdict on a saved model by its forward chain on the test part.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceDoc {
    /// In words.
    pub verdict: String,
    /// `better`, `none`, `worse` or `tooFew`.
    pub verdict_code: VerdictCode,
    /// The baseline that it was compared with.
    pub against: &'static str,
    /// 1 - loss / loss of that baseline.
    pub skill: Option<f64>,
    /// Origins scored.
    pub origins: Option<u64>,
    /// Open of the first scored origin's candle.
    pub from: Option<Timestamp>,
    /// Close of the last one's.
    pub to: Option<Timestamp>,
    /// Models that had been scored on candles of the test part when it was saved, itself included; null where unknown.
    pub looks: Option<u64>,
}

impl EvidenceDoc {
    /// What `manifest` knows of it; `None` where it has no verdict.
    pub fn of(manifest: &ModelManifest) -> Option<Self> {
        let metric = |name: &str| manifest.metrics.get(name);
        let time = |name: &str| metric(name).and_then(Value::as_i64).map(Timestamp);
        let verdict = metric("verdict")?.as_str()?.to_owned();
        Some(Self {
            verdict_code: VerdictCode::of_words(&verdict),
            verdict,
            against: task_kind(&manifest.task).ok()?.reference(),
            skill: metric("skill").and_then(Value::as_f64),
            origins: metric("origins").and_then(Value::as_u64),
            from: time("scoredFrom"),
            to: time("scoredTo"),
            looks: manifest.tries.map(|tries| tries.scorings),
        })
    }

    /// What to know before a forecast is used of a model that was worse than its baseline; `None` of any other.
    pub fn warning(&self) -> Option<String> {
        if self.verdict_code != VerdictCode::Worse {
            return None;
        }
        let (words, how_sure) = match self.verdict.split_once(" (") {
            Some((words, rest)) => (words, format!(" ({rest}")),
            None => (self.verdict.as_str(), String::new()),
        };
        let beyond = if self.against == "naive" { "the last price" } else { self.against };
        Some(format!(
            "this model was {words} on its test part{how_sure}: its forecasts are not to be trusted beyond {beyond}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(verdict: &str, against: &'static str) -> EvidenceDoc {
        EvidenceDoc {
            verdict: verdict.into(),
            verdict_code: VerdictCode::of_words(verdict),
            against,
            skill: None,
            origins: None,
            from: None,
            to: None,
            looks: None,
        }
    }

    #[test]
    fn a_model_that_was_worse_is_warned_of_and_no_other() {
        let warning = |verdict, against| evidence(verdict, against).warning();
        assert_eq!(
            warning("worse than naive (p < 0.001)", "naive").unwrap(),
            "this model was worse than naive on its test part (p < 0.001): its forecasts are not to be trusted beyond the last price"
        );
        assert_eq!(
            warning("worse than log-har (p = 0.02)", "log-har").unwrap(),
            "this model was worse than log-har on its test part (p = 0.02): its forecasts are not to be trusted beyond log-har"
        );
        for verdict in ["better than naive (p = 0.01)", "no evidence that it beats naive (p = 0.40)", "the reference"] {
            assert_eq!(warning(verdict, "naive"), None, "{verdict}");
        }
    }
}
