//! Fingerprints: SHA-256 over what determines a result.

use std::sync::Arc;

use candlecast_core::{Problem, Seed, hex};
use candlecast_learn::{Forecaster, Market, Recipe, Report, ScoredForecasts};
use sha2::{Digest, Sha256};

use crate::program::program_identity;

/// What a result is the result of, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprints {
    /// Hash of the candles, one a market.
    pub data: Vec<String>,
    /// Hash of the candles, every forecaster's recipe, how the data are split, and the seed.
    pub run: String,
}

impl Fingerprints {
    /// Those of a run of `forecasters` over `markets`; `how` says how the data are split.
    pub fn of(markets: &[Arc<Market>], forecasters: &[Forecaster], how: &str, seed: Seed) -> Self {
        let mut hash = Sha256::new();
        let data: Vec<String> = markets.iter().map(|market| data_fingerprint(market)).collect();
        data.iter().for_each(|data| hash.update(data));
        for forecaster in forecasters {
            hash.update(forecaster.name.as_bytes());
            let recipe = forecaster.recipe();
            let text = match &recipe {
                Recipe::Pipeline(config) => serde_json::to_vec(config),
                Recipe::Ensemble(config) => serde_json::to_vec(config),
            };
            hash.update(text.unwrap_or_default());
            for (id, version) in feature_versions(&recipe).unwrap_or_default() {
                hash.update(id.as_bytes());
                hash.update(version.to_le_bytes());
            }
        }
        hash.update(how.as_bytes());
        hash.update(seed.0.to_le_bytes());
        Self { data, run: hex(&hash.finalize()) }
    }
}

/// The features that a recipe reads, each with the version of its definition.
pub fn feature_versions(recipe: &Recipe) -> Result<Vec<(String, u32)>, Problem> {
    let features = recipe.features();
    if features.ids().is_empty() {
        return Ok(vec![]);
    }
    Ok(candlecast_features::Engine::new(&features)?.versions())
}

/// Hash of what determines the bits of a run: [`Fingerprints::run`], what is done with it, and [`program_identity`].
/// Forecasts kept by another program must not be taken for those of this one.
pub fn run_fingerprint(fingerprint: &str, what: &str) -> String {
    let mut hash = Sha256::new();
    for part in [fingerprint, what, program_identity()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex(&hash.finalize())
}

/// Hash of the candles, in hexadecimal: that of [`Fingerprints::data`].
pub fn data_fingerprint(market: &Market) -> String {
    let columns = market.series().columns();
    let mut hash = Sha256::new();
    hash.update(market.series().key().to_string().as_bytes());
    for time in &columns.open_time {
        hash.update(time.to_le_bytes());
    }
    let optional = [&columns.quote_volume, &columns.trades, &columns.taker_buy_base];
    let all = [&columns.open, &columns.high, &columns.low, &columns.close, &columns.volume];
    for column in all.into_iter().chain(optional.into_iter().flatten()) {
        for value in column {
            hash.update(value.to_le_bytes());
        }
    }
    for &filled in market.series().filled() {
        hash.update([u8::from(filled)]);
    }
    hex(&hash.finalize())
}

/// SHA-256 of the forecasts of each model of one or more reports on the same models.
#[derive(Default)]
pub(crate) struct ForecastDigest {
    models: Vec<(String, Sha256)>,
}

impl ForecastDigest {
    /// Of one report.
    pub(crate) fn of(report: &Report) -> Self {
        let mut digest = Self::default();
        digest.add(report);
        digest
    }

    /// Adds the forecasts of another report.
    pub(crate) fn add(&mut self, report: &Report) {
        for (k, model) in report.models.iter().enumerate() {
            if k == self.models.len() {
                self.models.push((model.name.clone(), Sha256::new()));
            }
            add_forecasts(&mut self.models[k].1, &model.forecasts);
        }
    }

    /// By model, in hexadecimal.
    pub(crate) fn finish(self) -> Vec<(String, String)> {
        self.models.into_iter().map(|(name, hash)| (name, hex(&hash.finalize()))).collect()
    }
}

/// Adds origins, means, borders of classes, intervals and confidences, bit for bit.
fn add_forecasts(hash: &mut Sha256, forecasts: &ScoredForecasts) {
    for &row in &forecasts.rows {
        hash.update((row as u64).to_le_bytes());
    }
    let borders = forecasts.borders.iter().flat_map(|borders| [borders.sell, borders.buy]);
    for value in forecasts.means.iter().copied().chain(borders) {
        hash.update(value.to_le_bytes());
    }
    for told in &forecasts.calibrated {
        for value in [told.mean, told.factor, told.lower, told.upper, told.confidence] {
            hash.update(value.to_le_bytes());
        }
        hash.update([u8::from(told.calibrated)]);
    }
}

/// The vector instruction set in use; results are bit-exact on the same one.
pub fn instruction_set() -> &'static str {
    candlecast_nn::instruction_set()
}
