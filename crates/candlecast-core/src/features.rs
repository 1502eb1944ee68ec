//! [`FeatureSet`] and [`FeatureTable`]: the names of features and their values.

use serde::{Deserialize, Serialize};

/// An ordered list of feature ids (`rsi_14`), saved with every model trained on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FeatureSet(pub Vec<String>);

impl FeatureSet {
    /// A set of these ids.
    pub fn of(ids: &[&str]) -> Self {
        Self(ids.iter().map(|&id| id.to_owned()).collect())
    }

    /// The ids in order.
    pub fn ids(&self) -> &[String] {
        &self.0
    }
}

/// Feature values, one column a feature, `[feature][row]`, rows as in the `FilledSeries` they were computed
/// over. NaN is warm-up or undefined.
#[derive(Debug, Clone, Default)]
pub struct FeatureTable {
    /// Ids of the columns.
    pub names: Vec<String>,
    /// Values.
    pub columns: Vec<Vec<f64>>,
}

impl FeatureTable {
    /// Number of features.
    pub fn width(&self) -> usize {
        self.columns.len()
    }
}
