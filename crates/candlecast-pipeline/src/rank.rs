//! `features rank`: what each feature tells about the return ahead, before the part that the next training is tested on.

mod feature;
mod importance;
mod statistics;

use std::sync::Arc;

use candlecast_core::{Blame, FeatureSet, Seed, SeriesKey, TimeRange, Timestamp};
use candlecast_features::{Engine, equal_count_bins};
use candlecast_learn::walk_forward::Hooks;
use candlecast_learn::{
    Asked, FitSummary, Fold, FoldRows, Forecaster, Inputs, Market, Panel, Parts, SampleId, ScalerKind, split,
};

pub use feature::RankedFeature;
pub use importance::Permutation;

use crate::catalog::{self, Part};
use crate::evaluation::plan_config;
use crate::feature_audit::with_all;
use crate::frames::FeatureFrames;
use crate::options::PipelineOptions;
use crate::rank::feature::join;
use candlecast_core::ModelRequest;
use candlecast_core::Problem;
use candlecast_core::ProgressSink;

/// How features are ranked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RankOptions {
    /// Of two features with a higher absolute rank correlation than this (0 to 1), one is redundant.
    pub max_correlation: f64,
    /// Circular shifts behind each chance level, at most 10,000.
    pub shifts: usize,
    /// Shuffles of each feature, from 1 to 1,000.
    pub repeats: usize,
}

impl Default for RankOptions {
    fn default() -> Self {
        Self { max_correlation: 0.95, shifts: 50, repeats: 5 }
    }
}

/// A part of the data that a ranking used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RankedPart {
    /// From the first origin's open to the last one's close.
    pub range: TimeRange,
    /// Origins in it.
    pub origins: usize,
    /// Origins that the figures were computed on: as many, or evenly spread ones of a long training part, the newest of
    /// a long validation part.
    pub used: usize,
}

/// Features in order of use.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// Series.
    pub key: SeriesKey,
    /// Id of the model whose importances these are.
    pub model: String,
    /// What the model was fitted to: permutation importance is the rise of this task's loss.
    pub task: &'static str,
    /// Steps ahead.
    pub horizon: usize,
    /// Close of the last candle that was looked at.
    pub ranked_to: Timestamp,
    /// Where the test part of the next training on the same range begins, which was not looked at; `None` where the
    /// end of the range was asked for.
    pub test_from: Option<Timestamp>,
    /// Part that the model was fitted and stopped on and that mutual information and correlations were computed on.
    pub train: RankedPart,
    /// Part that permutation importance was computed on; the fit has seen nothing of it.
    pub valid: RankedPart,
    /// How the fit went.
    pub fit: FitSummary,
    /// Equal-count bins a variable in the mutual information.
    pub bins: usize,
    /// As asked.
    pub options: RankOptions,
    /// Most important first: by permutation importance, then by mutual information with the return.
    pub features: Vec<RankedFeature>,
    /// Features left out before ranking, and the share of the window's candles on which each has a value.
    pub left_out: Vec<(String, f64)>,
}

impl Ranking {
    /// What is left, in order of rank, once constant and redundant features are dropped.
    pub fn kept(&self) -> impl Iterator<Item = &RankedFeature> {
        self.features.iter().filter(|f| f.permutation.is_some() && f.redundant_with.is_none())
    }
}

/// Origins behind mutual information and correlations, at most: beyond, precision gains nothing.
const MAX_ORIGINS: usize = 50_000;
/// Origins behind permutation importance, at most, as every shuffle of every feature is predicted.
const MAX_PERMUTED: usize = 5_000;
/// A feature with a value on a smaller share of the window's candles is left out: it would take origins from all.
const MIN_DEFINED: f64 = 0.75;

/// A ranking about to begin.
#[derive(Debug)]
pub struct PreparedRanking {
    /// What is fitted.
    pub forecaster: Forecaster,
    market: Arc<Market>,
    fold: Fold,
    test_from: Option<Timestamp>,
    left_out: Vec<(String, f64)>,
}

impl PreparedRanking {
    /// Ranks the features of `common` (the model's own where it names none) over the window that a training of
    /// `request` would use, split as it would be.
    ///
    /// A `range` without an end is that of the training to come: what its forward chain calibrates on and is scored on
    /// is not looked at, so that a choice of features leaves it untouched. Otherwise the range ends where it says, and
    /// what lies after it is not looked at.
    pub fn new(
        market: Arc<Market>,
        request: &ModelRequest,
        mut common: PipelineOptions,
        range: TimeRange,
    ) -> Result<Self, Problem> {
        common.check()?;
        let series = market.series();
        let asked =
            Asked { task: common.task()?, interval: series.key().interval, candles: series.first_row_from(range.to) };
        let (wanted, scaler) = inputs(request, &common, &asked)?;
        let config = plan_config(&common);
        // Refuses what a training on this range would refuse.
        let training = config.training_testing(&market, range, common.test_share)?;
        let test_from = (range.to == TimeRange::ALL.to).then_some(training.scored.from);
        let chain_from = training.folds.first().map_or(training.scored.from, |fold| fold.test.from);
        let ranked = if test_from.is_some() { TimeRange { to: chain_from, ..range } } else { range };
        let fold = config.final_fold(&market, ranked)?;
        let mut stable = FeatureFrames::new(Arc::clone(&market));
        let (kept, left_out) = defined(&stable.panel(&wanted)?, &fold.rows(&market))?;
        common.features = Some(kept);
        // As chosen on the range: how many candles come after it makes no difference.
        common.scaler = Some(common.scaler.unwrap_or(scaler));
        let forecaster = stable.forecaster(request, &common)?;
        Ok(Self { forecaster, market, fold, test_from, left_out })
    }

    /// Ranks.
    pub fn run(
        self,
        options: RankOptions,
        seed: Seed,
        threads: usize,
        hooks: &dyn Hooks,
        watch: &dyn ProgressSink,
    ) -> Result<Ranking, Problem> {
        Run { hooks, watch, seed, threads, options }.rank(self)
    }
}

/// The model that ranks unless another is named: `gbdt`, which sees relations of any form, or `linear` without it.
pub fn default_rank_model() -> &'static str {
    catalog::models().map(|e| e.id).find(|id| *id == "gbdt").unwrap_or("linear")
}

/// Refuses options out of bounds, each named.
pub fn check_rank_options(options: RankOptions) -> Result<(), Problem> {
    if !(options.max_correlation > 0.0 && options.max_correlation <= 1.0) {
        return Err(Problem::usage(
            "bad-max-correlation",
            "max-correlation",
            format!("max-correlation {} is not above 0 and at most 1", options.max_correlation),
        ));
    }
    if options.shifts > 10_000 {
        return Err(Problem::usage("bad-shifts", "shifts", format!("shifts {} is above 10000", options.shifts)));
    }
    if !(1..=1_000).contains(&options.repeats) {
        return Err(Problem::usage(
            "bad-repeats",
            "repeats",
            format!("repeats {} is not within 1 to 1000", options.repeats),
        ));
    }
    Ok(())
}

/// The features asked for, or the model's own, each output once, and the model's own scaler.
fn inputs(
    request: &ModelRequest,
    common: &PipelineOptions,
    asked: &Asked,
) -> Result<(FeatureSet, ScalerKind), Problem> {
    let entry = match catalog::part(&request.id)? {
        Part::Learner(entry) => entry,
        Part::Composite(composite) => {
            let why = format!("{} is made of models and has no features of its own: name one of them", composite.id);
            return Err(Problem::usage("closes-only", "model", why));
        }
    };
    let Inputs { features: own, scaler } = entry.build(&request.params)?.inputs(asked);
    if own.ids().is_empty() {
        return Err(Problem::usage(
            "closes-only",
            "model",
            format!("{} reads closing prices only and can rank no features: take {}", entry.id, default_rank_model()),
        ));
    }
    let wanted = with_all(common.features.as_ref().unwrap_or(&own));
    Ok((Engine::new(&wanted)?.expanded(), scaler))
}

/// Splits the features of `panel` into those with values on enough of the fold's candles and the others.
fn defined(panel: &Panel, fold: &FoldRows) -> Result<(FeatureSet, Vec<(String, f64)>), Problem> {
    let rows = fold.window_start..fold.fit_row;
    let n = rows.len().max(1) as f64;
    let mut counts = vec![0_usize; panel.width()];
    for row in rows {
        for (count, value) in counts.iter_mut().zip(panel.row(row)) {
            *count += usize::from(value.is_finite());
        }
    }
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for (name, count) in panel.names().iter().zip(counts) {
        let share = count as f64 / n;
        if share >= MIN_DEFINED { kept.push(name.clone()) } else { left_out.push((name.clone(), share)) }
    }
    if kept.is_empty() {
        return Err(Problem::data(
            "undefined-features",
            format!(
                "none of the {} features has a value on {:.0} % of the candles: choose others, or a longer range",
                left_out.len(),
                100.0 * MIN_DEFINED
            ),
        )
        .with_field("features"));
    }
    Ok((FeatureSet(kept), left_out))
}

/// What a ranking needs besides data.
struct Run<'a> {
    hooks: &'a dyn Hooks,
    watch: &'a dyn ProgressSink,
    seed: Seed,
    threads: usize,
    options: RankOptions,
}

impl Run<'_> {
    fn rank(&self, prepared: PreparedRanking) -> Result<Ranking, Problem> {
        let PreparedRanking { forecaster, market, fold, test_from, left_out } = prepared;
        let pipeline = forecaster.as_pipeline().ok_or_else(|| {
            let one = default_rank_model();
            Problem::usage(
                "closes-only",
                "model",
                format!("{} has no features of its own: take {one}", forecaster.name),
            )
        })?;
        let config = &pipeline.config;
        let horizon = config.task.horizon();
        let parts = split(&fold, &pipeline.data, pipeline.learner.lookback(), horizon, config.valid_share);
        let train_ids = spread(&parts.train, MAX_ORIGINS);
        let valid_ids = newest(&parts.valid, MAX_PERMUTED);
        let train = part(&market, &parts.train, train_ids.len()).ok_or_else(|| no_origins(&parts))?;
        let valid = part(&market, &parts.valid, valid_ids.len()).ok_or_else(|| no_origins(&parts))?;
        let stride = parts.train.len().div_ceil(train_ids.len());
        let columns = self.columns(pipeline, &train_ids, horizon.div_ceil(stride))?;
        // Learners learn from what stops them, too, so a part that they have seen would show as important what they
        // have only followed. The fit ends where the other part begins, less an embargo of one horizon.
        let fit_row = (parts.valid[0].row as usize).saturating_sub(horizon);
        let seen = Fold::of_rows(&market, &FoldRows { fit_row, ..fold.rows(&market) });
        let (importances, fit) = self.importances(&forecaster, &seen, valid_ids)?;
        Ok(Ranking {
            key: market.series().key().clone(),
            model: config.model.clone(),
            task: config.task.id(),
            horizon,
            ranked_to: fold.fit_at,
            test_from,
            train,
            valid,
            fit,
            bins: equal_count_bins(train_ids.len()),
            options: self.options,
            features: join(pipeline.data.panels()[0].names(), columns, importances, self.options.max_correlation),
            left_out,
        })
    }

    fn check_cancelled(&self) -> Result<(), Problem> {
        if self.hooks.cancelled() { Err(Problem::cancelled()) } else { Ok(()) }
    }
}

/// At most `most` of `ids`, evenly spread.
fn spread(ids: &[SampleId], most: usize) -> Vec<SampleId> {
    ids.iter().step_by(ids.len().div_ceil(most).max(1)).copied().collect()
}

fn newest(ids: &[SampleId], most: usize) -> &[SampleId] {
    &ids[ids.len().saturating_sub(most)..]
}

/// `None` without origins.
fn part(market: &Market, ids: &[SampleId], used: usize) -> Option<RankedPart> {
    let (first, last) = (ids.first()?.row as usize, ids.last()?.row as usize);
    let from = Timestamp(market.series().columns().open_time[first]);
    Some(RankedPart { range: TimeRange { from, to: market.series().close_time(last) }, origins: ids.len(), used })
}

fn no_origins(parts: &Parts) -> Problem {
    Problem::new(
        "too-few-candles",
        422,
        Blame::Data,
        format!(
            "{} origins to learn from and {} to validate on are left after warm-up and gaps: choose a longer range or fewer features",
            parts.train.len(),
            parts.valid.len()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(n: u32) -> Vec<SampleId> {
        (0..n).map(|row| SampleId { panel: 0, row }).collect()
    }

    #[test]
    fn long_parts_are_thinned_evenly_and_cut_to_the_newest() {
        let rows = |ids: &[SampleId]| ids.iter().map(|id| id.row).collect::<Vec<_>>();
        assert_eq!(rows(&spread(&ids(10), 4)), [0, 3, 6, 9]);
        assert_eq!(spread(&ids(10), 10).len(), 10);
        assert!(spread(&[], 4).is_empty());
        assert_eq!(rows(newest(&ids(10), 3)), [7, 8, 9]);
        assert_eq!(newest(&ids(2), 3).len(), 2);
    }

    #[test]
    fn options_out_of_bounds_are_named() {
        let field = |options| check_rank_options(options).unwrap_err().field.unwrap();
        for max_correlation in [0.0, 1.5, f64::NAN] {
            assert_eq!(field(RankOptions { max_correlation, ..RankOptions::default() }), "max-correlation");
        }
        assert_eq!(field(RankOptions { repeats: 0, ..RankOptions::default() }), "repeats");
        assert_eq!(field(RankOptions { shifts: 20_000, ..RankOptions::default() }), "shifts");
        assert_eq!(check_rank_options(RankOptions::default()), Ok(()));
    }
}
