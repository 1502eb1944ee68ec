//! What luck explains of a report: which models differ, and what choosing among all that was tried is worth.

use candlecast_learn::significance::VERDICT_LEVEL;
use candlecast_learn::{ConfidenceSet, Difference, Hindsight, Report};
use serde::Serialize;

/// The models that cannot be told to be worse than the best one.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfidenceSetDoc {
    /// Share of cases in which it holds the best model.
    pub level: f64,
    /// Names of the models in it, in the order of the report.
    pub models: Vec<String>,
    /// p-values of all models of the report, in its order: those with at least `1 - level` are in the set. Null for
    /// models that were mostly silent.
    pub p_values: Vec<Option<f64>>,
}

impl ConfidenceSetDoc {
    /// The document of `set`, of `report`.
    pub fn new(set: &ConfidenceSet, report: &Report) -> Self {
        let held = report.models.iter().enumerate().filter(|(i, _)| set.holds(*i));
        Self {
            level: set.level,
            models: held.map(|(_, model)| model.name.clone()).collect(),
            p_values: set.p_values.clone(),
        }
    }
}

/// Two models beside each other.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DifferenceDoc {
    /// The model with the lower mean loss.
    pub better: String,
    /// The other.
    pub worse: String,
    /// By how much it is lower, in the unit of verdicts.
    pub saved: f64,
    /// Diebold-Mariano, two-sided.
    pub p_value: f64,
    /// The same, Holm-corrected over all differences of the report.
    pub p_value_holm: f64,
    /// True where that is below 5 %.
    pub beyond_luck: bool,
}

impl DifferenceDoc {
    /// The document of a difference of `report`.
    pub fn new(difference: &Difference, report: &Report) -> Self {
        let name = |model: usize| report.models[model].name.clone();
        Self {
            better: name(difference.better),
            worse: name(difference.worse),
            saved: difference.saved,
            p_value: difference.p_value,
            p_value_holm: difference.corrected,
            beyond_luck: difference.corrected < VERDICT_LEVEL,
        }
    }
}

/// What choosing the best of all that was tried on a period by its loss is worth.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OverfittingDoc {
    /// Probability of backtest overfitting, by combinatorially symmetric cross-validation over daily losses.
    pub pbo: f64,
    /// Share of splits in which what was best on one half is worse than the reference on the other.
    pub probability_of_loss: f64,
    /// Median of the logits of its rank there; 0 is the middle.
    pub median_logit: f64,
    /// How what it saves on the other half goes with what it saves on the half that it was chosen on; null where all
    /// choices look the same.
    pub degradation: Option<DegradationDoc>,
    /// Configurations set side by side: those of the report and earlier ones.
    pub tries: usize,
    /// How many independent ones would differ as much.
    pub effective_tries: f64,
    /// Earlier configurations that were not scored on these days, or whose days are not on record.
    pub left_out: usize,
    /// Configurations that the period has been looked at with.
    pub looks: usize,
    /// Days that all were scored on.
    pub days: usize,
    /// Blocks that these were cut into.
    pub blocks: usize,
    /// Ways to take half of the blocks.
    pub splits: usize,
}

/// A line by least squares.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DegradationDoc {
    /// Below 0: what looks better in sample is worse out of sample.
    pub slope: f64,
    /// What is saved out of sample by what saves nothing in sample.
    pub intercept: f64,
}

impl OverfittingDoc {
    /// The document of `found`, on a period that was looked at with `looks` configurations.
    pub fn new(found: &Hindsight, looks: usize) -> Self {
        Self {
            pbo: found.probability,
            probability_of_loss: found.probability_of_loss,
            median_logit: found.median_logit,
            degradation: found.degradation.map(|line| DegradationDoc { slope: line.slope, intercept: line.intercept }),
            tries: found.tries,
            effective_tries: found.effective_tries,
            left_out: found.left_out,
            looks,
            days: found.days,
            blocks: found.blocks,
            splits: found.splits,
        }
    }
}
