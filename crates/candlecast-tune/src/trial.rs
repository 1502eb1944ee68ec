//! [`Trial`]: one configuration under evaluation, and what came of it; [`TrialRecord`], the same for keeping.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::space::Point;

/// Which values of a metric are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Goal {
    /// Lower ones.
    Minimize,
    /// Higher ones.
    Maximize,
}

impl Goal {
    /// `value` as a loss, of which lower ones are better.
    pub fn loss(self, value: f64) -> f64 {
        match self {
            Self::Minimize => value,
            Self::Maximize => -value,
        }
    }
}

/// Where a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrialState {
    /// It is evaluated.
    Running,
    /// It has been evaluated.
    Complete,
    /// It was given up as unpromising.
    Pruned,
    /// It ended by an error, or with a value that is no finite number.
    Failed,
}

/// How a trial ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The value of each metric, in the order of the goals. With one that is not finite the trial counts as failed.
    Complete(Vec<f64>),
    /// Given up, as the pruner said.
    Pruned,
    /// By an error.
    Failed,
}

/// One configuration under evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Number within the study, from 0.
    pub number: u32,
    /// The configuration.
    pub point: Point,
    /// Where it stands.
    pub state: TrialState,
    /// The value of each metric of a complete trial.
    pub values: Vec<f64>,
    /// Values reported on the way, by step.
    pub curve: BTreeMap<u32, f64>,
    /// Values with which it came to each rung of successive halving.
    pub rungs: Vec<f64>,
}

impl Trial {
    /// A trial about to be evaluated.
    pub(crate) fn new(number: u32, point: Point) -> Self {
        Self { number, point, state: TrialState::Running, values: vec![], curve: BTreeMap::new(), rungs: vec![] }
    }

    /// The last step that was reported, and its value.
    pub fn last_step(&self) -> Option<(u32, f64)> {
        self.curve.last_key_value().map(|(step, value)| (*step, *value))
    }

    /// True for one whose result samplers learn from: complete, or given up on the way.
    pub fn is_told(&self) -> bool {
        matches!(self.state, TrialState::Complete | TrialState::Pruned)
    }

    /// Values as losses.
    pub(crate) fn losses(&self, goals: &[Goal]) -> Vec<f64> {
        self.values.iter().zip(goals).map(|(value, goal)| goal.loss(*value)).collect()
    }
}

/// A trial as it is kept, to go on with a study after an interruption. Steps and values that are no numbers are `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrialRecord {
    /// Number within the study, from 0.
    pub number: u32,
    /// The configuration.
    pub params: Map<String, Value>,
    /// Where it stands.
    pub state: TrialState,
    /// The value of each metric of a complete trial.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<f64>,
    /// Steps and what was reported there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curve: Vec<(u32, Option<f64>)>,
    /// Values with which it came to each rung of successive halving.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rungs: Vec<f64>,
}
