//! [`memory_need`]: how much memory a run takes at most, told before it reads a candle.
//!
//! Counted are the candles with what every forecaster needs of them, the features of all models, and the greatest fits
//! that may be under way at once. Forecasts and reports, which are small beside them, are not.

use std::collections::BTreeMap;

use candlecast_core::{Blame, Interval, ModelRequest, Problem};
use candlecast_learn::{Asked, MARKET_BYTES_PER_CANDLE, TrainWindow};

use crate::catalog::{self, Part};
use crate::frames::{Configured, configured};
use crate::options::PipelineOptions;

/// How large a series is, as far as that is known before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesSize {
    /// Length of a candle.
    pub interval: Interval,
    /// Candles from its first to its last, gaps included.
    pub candles: usize,
}

/// What a run needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryNeed {
    /// All in all.
    pub bytes: u64,
    /// The model whose fits need most.
    pub model: String,
}

impl MemoryNeed {
    /// Says that it is more than `allowed` bytes, and what makes it less.
    pub fn refused(&self, allowed: u64) -> Problem {
        let (name, need_mb, allowed_mb) = (&self.model, self.bytes.div_ceil(1 << 20), allowed >> 20);
        let detail = format!(
            "{name} would need about {need_mb} MB, more than the {allowed_mb} MB allowed: take a shorter --train-days, fewer features, --threads 1, a smaller model, or raise ML_MAX_MEMORY_USAGE"
        );
        Problem::new("memory-limit", 507, Blame::Data, detail)
    }
}

/// What fits of `models`, and of the baselines beside them, need that learn from the series `own` and those of a `pool`,
/// `fits_at_once` of them side by side. The first of `own` decides what a model's own inputs are.
pub fn memory_need(
    own: &[SeriesSize],
    pool: &[SeriesSize],
    models: &[ModelRequest],
    options: &PipelineOptions,
    fits_at_once: usize,
) -> Result<MemoryNeed, Problem> {
    let all: Vec<SeriesSize> = own.iter().chain(pool).copied().collect();
    let Some(first) = all.first() else { return Ok(MemoryNeed { bytes: 0, model: String::new() }) };
    let asked = Asked { task: options.task()?, interval: first.interval, candles: first.candles };
    // A baseline is of one series.
    let largest = own.iter().max_by_key(|size| size.candles).copied().unwrap_or(*first);
    let mut leaves = Vec::new();
    for (id, params) in catalog::baselines_for(&asked.task, asked.interval) {
        add_leaves(&ModelRequest { id: id.into(), params }, options, &asked, &mut leaves)?;
    }
    let mut greatest = leaves.iter().map(|(name, leaf)| (fit_bytes(leaf, &[largest]), name.clone())).max();
    leaves.clear();
    for model in models {
        add_leaves(model, options, &asked, &mut leaves)?;
    }
    // Of equal ones the last is to blame, which is no baseline.
    for (name, leaf) in &leaves {
        let bytes = fit_bytes(leaf, &all);
        if greatest.as_ref().is_none_or(|(most, _)| bytes >= *most) {
            greatest = Some((bytes, name.clone()));
        }
    }
    let (fit, model) = greatest.unwrap_or_default();
    let markets: u64 = all.iter().map(|size| (size.candles * MARKET_BYTES_PER_CANDLE) as u64).sum();
    let (panels, table) = feature_bytes(&leaves, &all);
    // A table in double precision is gone before the first fit.
    Ok(MemoryNeed { bytes: markets + panels + table.max(fit * fits_at_once as u64), model })
}

/// Adds the learners that `request` names, those of its members where it is made of models.
fn add_leaves(
    request: &ModelRequest,
    options: &PipelineOptions,
    asked: &Asked,
    leaves: &mut Vec<(String, Configured)>,
) -> Result<(), Problem> {
    match catalog::part(&request.id)? {
        Part::Learner(entry) => {
            leaves.push((entry.id.to_owned(), configured(entry, &request.params, options, asked)?));
            Ok(())
        }
        Part::Composite(entry) => {
            (entry.members)(&request.params)?.iter().try_for_each(|member| add_leaves(member, options, asked, leaves))
        }
    }
}

/// Bytes of the panels of all feature sets, and of the largest table that one is made from.
fn feature_bytes(leaves: &[(String, Configured)], all: &[SeriesSize]) -> (u64, u64) {
    let widths: BTreeMap<&[String], u64> = leaves
        .iter()
        .map(|(_, leaf)| leaf.config.features.ids())
        .map(|features| (features, features.len() as u64))
        .collect();
    let candles: u64 = all.iter().map(|size| size.candles as u64).sum();
    let longest = all.iter().map(|size| size.candles as u64).max().unwrap_or(0);
    // A row has its values in single precision, and how far back the rows are ready.
    let panels = widths.values().map(|width| candles * 4 * (width + 1)).sum();
    let table = widths.values().map(|width| longest * 8 * width).max().unwrap_or(0);
    (panels, table)
}

/// Bytes that one fit needs at most.
fn fit_bytes(leaf: &Configured, all: &[SeriesSize]) -> u64 {
    let Configured { learner, config } = leaf;
    let days = match config.window {
        TrainWindow::Own => learner.windows(&config.task).last().copied(),
        window => window.days(),
    };
    let rows_of = |size: &SeriesSize| {
        let within = days.map(|days| (f64::from(days) * size.interval.per_day()).ceil() as usize);
        size.candles.min(within.unwrap_or(usize::MAX))
    };
    let in_window: usize = all.iter().map(rows_of).sum();
    let width = config.features.ids().len();
    learner.memory_bytes(in_window, width, &config.task) as u64 + (in_window * width * 4) as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candlecast_core::market::random_walk;
    use candlecast_core::{FeatureSet, FilledSeries, Seed, TimeRange};
    use candlecast_learn::Market;
    use serde_json::json;

    use super::*;
    use crate::{MAX_FILL, Training, TrainingRequest};

    fn hours(candles: usize) -> SeriesSize {
        SeriesSize { interval: Interval::H1, candles }
    }

    fn model(id: &str) -> ModelRequest {
        ModelRequest { id: id.into(), params: json!({}) }
    }

    fn common(features: &[&str]) -> PipelineOptions {
        PipelineOptions { features: Some(FeatureSet::of(features)), ..PipelineOptions::new(3) }
    }

    fn need(own: &[SeriesSize], pool: &[SeriesSize], id: &str, options: &PipelineOptions) -> MemoryNeed {
        memory_need(own, pool, &[model(id)], options, 2).unwrap()
    }

    #[test]
    fn the_markets_of_a_pool_count_as_much_as_those_that_are_saved_for() {
        let (common, size) = (common(&["log_return_1", "hour_sin"]), hours(3_000));
        let alone = need(&[size], &[], "linear", &common);
        let with_pool = need(&[size], &[size, size], "linear", &common);
        assert!(with_pool.bytes > 2 * alone.bytes, "{with_pool:?} {alone:?}");
        assert_eq!(need(&[size, size, size], &[], "linear", &common), with_pool);
        assert_eq!(with_pool.model, "linear");
    }

    #[test]
    fn more_of_anything_needs_more() {
        let few = common(&["log_return_1"]);
        let base = need(&[hours(20_000)], &[], "linear", &few).bytes;
        assert!(need(&[hours(40_000)], &[], "linear", &few).bytes > base);
        assert!(need(&[hours(20_000)], &[], "linear", &common(&["log_return_1", "hour_sin"])).bytes > base);
        let with_window =
            |window| need(&[hours(20_000)], &[], "gbdt", &PipelineOptions { window, ..few.clone() }).bytes;
        assert!(with_window(TrainWindow::Expanding) > with_window(TrainWindow::Rolling { days: 30 }));
        let at_once = |n| memory_need(&[hours(20_000)], &[], &[model("linear")], &few, n).unwrap().bytes;
        assert!(at_once(8) > at_once(1));
        let both = memory_need(&[hours(20_000)], &[], &[model("linear"), model("gbdt")], &few, 2).unwrap();
        assert!(both.bytes >= need(&[hours(20_000)], &[], "gbdt", &few).bytes);
        assert_eq!(memory_need(&[], &[], &[model("linear")], &few, 2).unwrap().bytes, 0);
    }

    #[test]
    fn members_of_an_ensemble_count_and_the_greatest_is_named() {
        let ensemble = ModelRequest { id: "ensemble".into(), params: json!({ "members": ["linear", "lstm"] }) };
        let few = common(&["log_return_1"]);
        let size = hours(20_000);
        let together = memory_need(&[size], &[], &[ensemble], &few, 2).unwrap();
        assert_eq!(together, memory_need(&[size], &[], &[model("linear"), model("lstm")], &few, 2).unwrap());
        assert_eq!(together.model, "lstm");
        assert!(together.refused(5 << 20).detail.starts_with("lstm would need about "));
    }

    /// The estimate is made before anything is read, and holds what is then laid out.
    #[test]
    fn what_a_training_holds_is_within_the_estimate() {
        let (candles, n_pool) = (3_000, 2);
        let market = |seed| {
            let series = random_walk(candles, Seed(seed), 0.4);
            Arc::new(Market::new(FilledSeries::new(&series, MAX_FILL)))
        };
        let common = common(&["default"]);
        let request = TrainingRequest { model: model("linear"), common, range: TimeRange::ALL, seed: Seed(1) };
        let pool = (0..n_pool).map(|k| market(2 + k)).collect();
        let training = Training::pooled(vec![market(1)], pool, &request, vec![None], None, 2).unwrap();
        let model = training.forecasters.last().unwrap().as_pipeline().unwrap();
        let panels: usize = model.data.panels().iter().map(|panel| panel.rows().len() * panel.width() * 4).sum();
        assert!(panels > 0 && model.data.panels().len() == 3);
        let size = SeriesSize { interval: training.markets()[0].series().key().interval, candles };
        let estimate = need(&[size], &[size, size], "linear", &request.common);
        let markets = 3 * candles * MARKET_BYTES_PER_CANDLE;
        let fits = 2 * fit_bytes(&leaf_of(&request), &[size; 3]);
        assert!(estimate.bytes >= (panels + markets) as u64 + fits, "{estimate:?} {panels} {markets} {fits}");
        assert!(estimate.bytes < 2 * ((panels + markets) as u64 + fits), "{estimate:?} {panels} {markets} {fits}");
    }

    fn leaf_of(request: &TrainingRequest) -> Configured {
        let task = request.common.task().unwrap();
        let mut leaves = Vec::new();
        add_leaves(&request.model, &request.common, &Asked::hourly(task), &mut leaves).unwrap();
        leaves.pop().unwrap().1
    }
}
