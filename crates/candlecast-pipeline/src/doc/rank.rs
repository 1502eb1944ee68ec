//! The document of `features rank`.

use candlecast_core::{SeriesKey, Timestamp};
use candlecast_features::AgainstChance;
use serde::Serialize;

use crate::rank::{RankedFeature, RankedPart, Ranking};

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct AgainstChanceDoc {
    value: f64,
    chance: Option<f64>,
    p_value: Option<f64>,
}

impl From<AgainstChance> for AgainstChanceDoc {
    fn from(a: AgainstChance) -> Self {
        Self { value: a.value, chance: a.chance, p_value: a.p_value }
    }
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct PartDoc {
    from: Timestamp,
    to: Timestamp,
    origins: usize,
    used: usize,
}

impl From<RankedPart> for PartDoc {
    fn from(p: RankedPart) -> Self {
        Self { from: p.range.from, to: p.range.to, origins: p.origins, used: p.used }
    }
}

/// One feature of a ranking.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RankedFeatureDoc {
    rank: usize,
    feature: String,
    permutation_importance: Option<f64>,
    permutation_deviation: Option<f64>,
    own_importance: Option<f64>,
    mutual_information: AgainstChanceDoc,
    sign_information: AgainstChanceDoc,
    spearman: Option<f64>,
    abs_spearman: Option<AgainstChanceDoc>,
    redundant_with: Option<String>,
    redundant_correlation: Option<f64>,
}

impl RankedFeatureDoc {
    fn new(rank: usize, f: &RankedFeature) -> Self {
        Self {
            rank,
            feature: f.feature.clone(),
            permutation_importance: f.permutation.map(|p| p.mean),
            permutation_deviation: f.permutation.and_then(|p| p.deviation),
            own_importance: f.own,
            mutual_information: f.information.into(),
            sign_information: f.sign_information.into(),
            spearman: f.spearman,
            abs_spearman: f.abs_spearman.map(Into::into),
            redundant_with: f.redundant_with.as_ref().map(|r| r.0.clone()),
            redundant_correlation: f.redundant_with.as_ref().map(|r| r.1),
        }
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct LeftOutDoc {
    feature: String,
    defined_share: f64,
}

/// Features in order of use. Information in nats; permutation importance as the rise of the squared error relative to
/// the naive forecast's.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RankingDoc {
    series: SeriesKey,
    synthetic: bool,
    model: String,
    horizon_steps: usize,
    /// Close of the last candle that was looked at.
    ranked_to: Timestamp,
    /// Where the test part of the next training begins, which was not; null where the end of the range was asked for.
    test_from: Option<Timestamp>,
    train: PartDoc,
    valid: PartDoc,
    bins: usize,
    shifts: usize,
    repeats: usize,
    max_correlation: f64,
    stopped: candlecast_learn::Stop,
    steps: usize,
    features: Vec<RankedFeatureDoc>,
    /// What is left, in order of rank, once constant and redundant features are dropped.
    kept: Vec<String>,
    left_out: Vec<LeftOutDoc>,
    seed: u64,
}

impl RankingDoc {
    /// The document of `r`, run with `seed`.
    pub fn new(r: &Ranking, seed: u64) -> Self {
        let left_out =
            |(feature, share): &(String, f64)| LeftOutDoc { feature: feature.clone(), defined_share: *share };
        Self {
            series: r.key.clone(),
            synthetic: r.key.venue.is_synthetic(),
            model: r.model.clone(),
            horizon_steps: r.horizon,
            ranked_to: r.ranked_to,
            test_from: r.test_from,
            train: r.train.into(),
            valid: r.valid.into(),
            bins: r.bins,
            shifts: r.options.shifts,
            repeats: r.options.repeats,
            max_correlation: r.options.max_correlation,
            stopped: r.fit.stopped,
            steps: r.fit.steps,
            features: r.features.iter().enumerate().map(|(k, f)| RankedFeatureDoc::new(k + 1, f)).collect(),
            kept: r.kept().map(|f| f.feature.clone()).collect(),
            left_out: r.left_out.iter().map(left_out).collect(),
            seed,
        }
    }
}
