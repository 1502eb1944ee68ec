//! [`PreparedEvaluation`]: models and baselines on the same origins, as `compare` and `backtest` ask for it.

use std::sync::{Arc, OnceLock};

use candlecast_core::{
    CandleSeries, FeatureSet, FilledSeries, ModelRequest, Problem, Seed, SeriesKey, Stage, TimeRange, Timestamp,
};
use candlecast_features::Engine;
use candlecast_learn::walk_forward::{Hooks, NoHooks, WalkForwardError};
use candlecast_learn::{
    CrossConfig, CrossValidation, DailyLosses, Forecaster, Market, ModelReport, Plan, PlanConfig, Question, Report,
    evaluate, walk_forward,
};

use crate::fingerprint::{Fingerprints, ForecastDigest};
use crate::frames::FeatureFrames;
use crate::method::Method;
use crate::options::PipelineOptions;

/// A finished evaluation.
#[derive(Debug)]
pub struct Evaluation {
    /// What was evaluated.
    pub key: SeriesKey,
    /// How.
    pub method: Method,
    /// Scores; of a cross-validation those of its first path.
    pub report: Report,
    /// What the other paths of a cross-validation say.
    pub cross: Option<CrossScores>,
    /// Hash of all forecasts that were scored, with their intervals and confidences, by model in the order of the report:
    /// equal hashes are equal bits.
    pub digests: Vec<(String, String)>,
    /// The market, for plots.
    pub market: Arc<Market>,
    /// What was compared, for saving.
    pub forecasters: Vec<Forecaster>,
    /// Hash of data, configuration and seed: equal fingerprints give equal results on one instruction set.
    pub fingerprint: String,
    /// From the first to the last scored origin.
    pub scored: Option<TimeRange>,
}

/// Scores of a cross-validation, path by path.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossScores {
    /// Groups of the period in time order.
    pub groups: Vec<TimeRange>,
    /// Groups that each split tests.
    pub test_groups: usize,
    /// Splits.
    pub splits: usize,
    /// Fits of each model, those that only calibrate among them.
    pub fits: usize,
    /// Candles on both sides of a test group that are not learnt from: the horizon.
    pub purge: usize,
    /// Candles behind that which are not learnt from either.
    pub embargo: usize,
    /// `[path][model]`, the models in the order of the report.
    pub paths: Vec<Vec<PathScores>>,
}

/// Scores of one model on one path, over all origins and steps.
#[derive(Debug, Clone, PartialEq)]
pub struct PathScores {
    /// Name in tables.
    pub model: String,
    /// True for the baselines.
    pub baseline: bool,
    /// The figure that models are ranked by: MAE of prices, log loss, QLIKE.
    pub loss: Option<f64>,
    /// 1 - loss / loss of the reference.
    pub skill: Option<f64>,
    /// Share of right directions or classes.
    pub accuracy: Option<f64>,
    /// Share of outcomes inside the intervals.
    pub coverage: Option<f64>,
}

impl From<&ModelReport> for PathScores {
    fn from(m: &ModelReport) -> Self {
        Self {
            model: m.name.clone(),
            baseline: m.baseline,
            loss: m.metrics.loss(),
            skill: m.skill,
            accuracy: m.metrics.accuracy(),
            coverage: m.metrics.coverage(),
        }
    }
}

/// What is said of a cross-validation first.
const RESEARCH_ONLY: &str = "for research only: the fits have also learnt from candles after those that they forecast, as nobody could have at the time, so there is no verdict; judge a model by a walk-forward";

/// What is fitted and forecast.
#[derive(Debug)]
enum Split {
    /// Each fit before what it forecasts.
    Forward(Plan),
    /// Each fit beside it.
    Cross(CrossValidation),
}

/// An evaluation about to begin.
#[derive(Debug)]
pub struct PreparedEvaluation {
    /// What is compared, the baselines first.
    pub forecasters: Vec<Forecaster>,
    /// What determines the result.
    pub fingerprints: Fingerprints,
    market: Arc<Market>,
    method: Method,
    reference: usize,
    split: Split,
    refit: usize,
    tries: usize,
    /// Days of other configurations that were tried before.
    earlier: Vec<DailyLosses>,
    confidence_threshold: Option<f64>,
    seed: Seed,
}

impl PreparedEvaluation {
    /// Builds `models` and every baseline over `market`, and splits it by `method`.
    pub fn new(
        market: Arc<Market>,
        models: &[ModelRequest],
        common: &PipelineOptions,
        method: Method,
        seed: Seed,
    ) -> Result<Self, Problem> {
        Self::pooled(market, vec![], models, common, method, seed)
    }

    /// As [`PreparedEvaluation::new`], where the models, but not the baselines, learn from the markets of `pool` too.
    pub fn pooled(
        market: Arc<Market>,
        pool: Vec<Arc<Market>>,
        models: &[ModelRequest],
        common: &PipelineOptions,
        method: Method,
        seed: Seed,
    ) -> Result<Self, Problem> {
        common.check()?;
        method.check(common)?;
        method.check_models(models)?;
        let common = &method.over(common);
        let split = split(&market, common, method)?;
        let mut frames = FeatureFrames::over(std::iter::once(Arc::clone(&market)).chain(pool).collect());
        let (forecasters, reference) = frames.with_baselines(models, common)?;
        let forecasters: Vec<Forecaster> = forecasters.into_iter().map(|f| f.forecasting_first(1)).collect();
        let fingerprints = Fingerprints::of(frames.markets(), &forecasters, &method.how(), seed);
        let refit = match &split {
            Split::Forward(_) => refit(&market, common),
            Split::Cross(cross) => cross.group_rows(),
        };
        Ok(Self {
            forecasters,
            fingerprints,
            market,
            method,
            reference,
            split,
            refit,
            tries: 0,
            earlier: vec![],
            confidence_threshold: None,
            seed,
        })
    }

    /// The same on a period on which `tries` other configurations were tried before. They change p-values and verdicts,
    /// which the fingerprint does not tell.
    #[must_use]
    pub fn after_tries(self, tries: usize) -> Self {
        Self { tries, ..self }
    }

    /// The same, where the report says what choosing among its models and `earlier` ones is worth
    /// ([`Report::look_back`]): the days of those of the other configurations that have any on record, one each.
    #[must_use]
    pub fn beside_earlier(self, earlier: Vec<DailyLosses>) -> Self {
        Self { earlier, ..self }
    }

    /// The same, where the report tells how often forecasts of at least `confidence_threshold` are right; `None` for the
    /// surest tenth of each model. No forecast and no other score depends on it, so the fingerprint does not tell it.
    #[must_use]
    pub fn with_confidence_threshold(self, confidence_threshold: Option<f64>) -> Self {
        Self { confidence_threshold, ..self }
    }

    /// From the first to behind the last origin that is scored.
    pub fn scored(&self) -> TimeRange {
        match &self.split {
            Split::Forward(plan) => plan.scored,
            Split::Cross(cross) => cross.scored(),
        }
    }

    /// The market it is about.
    pub fn market(&self) -> &Arc<Market> {
        &self.market
    }

    /// The one stage it has.
    pub fn stage(&self) -> Stage {
        let name = match self.method {
            Method::WalkForward { .. } => "walk-forward",
            Method::Simple { .. } => "train and test",
            Method::PurgedKFold { .. } => "purged k-fold",
            Method::Cpcv { .. } => "combinatorial cross-validation",
        };
        let folds = match &self.split {
            Split::Forward(plan) => n_folds(plan),
            Split::Cross(cross) => u32::try_from(cross.n_fits()).unwrap_or(u32::MAX),
        };
        Stage { name, no: (1, 1), shares: (0.0, 1.0), folds: Some(folds) }
    }

    /// Fits, forecasts and scores.
    pub fn run(self, hooks: &dyn Hooks) -> Result<Evaluation, Problem> {
        let (report, cross, digests) = match &self.split {
            Split::Forward(plan) => {
                let models = walk_forward::run(&self.forecasters, plan, self.seed, hooks)?;
                let left_out = models[self.reference].table.left_out;
                let mut report = evaluate(&self.question(plan, left_out), models);
                report.look_back(&self.earlier, self.market.series().key().interval.per_day());
                let digests = ForecastDigest::of(&report).finish();
                (report, None, digests)
            }
            Split::Cross(cross) => {
                let (report, scores, digests) = self.run_cross(cross, hooks)?;
                (report, Some(scores), digests)
            }
        };
        Ok(Evaluation {
            key: self.market.series().key().clone(),
            method: self.method,
            scored: scored_range(&report),
            report,
            cross,
            digests,
            market: self.market,
            forecasters: self.forecasters,
            fingerprint: self.fingerprints.run,
        })
    }

    fn question<'a>(&'a self, plan: &'a Plan, left_out: usize) -> Question<'a> {
        Question {
            market: &self.market,
            task: self.forecasters[self.reference].task(),
            level: self.forecasters[self.reference].level(),
            plan,
            reference: self.reference,
            left_out,
            refit: self.refit,
            tries: self.tries,
            confidence_threshold: self.confidence_threshold,
        }
    }

    /// The report of the first path, the scores of all, and the hashes of the forecasts of all.
    fn run_cross(
        &self,
        cross: &CrossValidation,
        hooks: &dyn Hooks,
    ) -> Result<(Report, CrossScores, Vec<(String, String)>), Problem> {
        let forecasts = cross.run(&self.forecasters, self.seed, hooks)?;
        let (mut first, mut digest) = (None, ForecastDigest::default());
        let mut paths = Vec::with_capacity(cross.n_paths());
        // One path after the other: the first alone is kept with its forecasts.
        for path in 0..cross.n_paths() {
            if hooks.cancelled() {
                return Err(WalkForwardError::Cancelled.into());
            }
            let (plan, of_path) = forecasts.path(path);
            let question = self.question(&plan, of_path.left_out);
            let report = of_path.report(&question);
            digest.add(&report);
            paths.push(report.models.iter().map(PathScores::from).collect());
            if first.is_none() {
                first = Some(report_for_research(report));
            }
        }
        let Some(report) = first else {
            return Err(Problem::data("no-paths", "the period has no path: report this with the request"));
        };
        let scores = CrossScores {
            groups: cross.groups().to_vec(),
            test_groups: cross.splits().first().map_or(0, Vec::len),
            splits: cross.splits().len(),
            fits: cross.n_fits(),
            purge: report.horizon,
            embargo: cross.embargo(),
            paths,
        };
        Ok((report, scores, digest.finish()))
    }
}

/// `report` with what has to be known of it first.
fn report_for_research(mut report: Report) -> Report {
    report.notes.insert(0, RESEARCH_ONLY.into());
    report
}

/// A walk-forward over a series in memory: what `compare` does to a stored one, on the calling thread's pool,
/// and without a record.
pub fn evaluate_series(
    series: &CandleSeries,
    models: &[ModelRequest],
    common: &PipelineOptions,
    range: TimeRange,
    seed: Seed,
) -> Result<Report, Problem> {
    let market = Arc::new(Market::new(FilledSeries::new(series, common.max_fill)));
    let method = Method::walk_forward(range);
    Ok(PreparedEvaluation::new(market, models, common, method, seed)?.run(&NoHooks)?.report)
}

fn split(market: &Market, common: &PipelineOptions, method: Method) -> Result<Split, Problem> {
    let config = plan_config(common);
    let cross = |range: TimeRange, cut: CrossConfig| -> Result<Split, Problem> {
        Ok(Split::Cross(config.cross_validation(market, range, &cut)?))
    };
    match method {
        Method::WalkForward { range, train } => Ok(Split::Forward(config.walk_forward_within(market, range, train)?)),
        Method::Simple { train, test } => Ok(Split::Forward(config.simple(market, train, test)?)),
        Method::PurgedKFold { range, folds, embargo } => {
            cross(range, CrossConfig { groups: folds, test_groups: 1, embargo })
        }
        Method::Cpcv { range, groups, test_groups, embargo } => {
            cross(range, CrossConfig { groups, test_groups, embargo })
        }
    }
}

/// How `common` splits time.
pub fn plan_config(common: &PipelineOptions) -> PlanConfig {
    PlanConfig {
        horizon: common.horizon,
        window: common.window,
        retrain_days: common.retrain_days,
        min_candles: common.min_candles,
        warm_up: warm_up(),
    }
}

/// Candles of `market` between refits.
pub(crate) fn refit(market: &Market, common: &PipelineOptions) -> usize {
    (f64::from(common.retrain_days) * market.series().key().interval.per_day()) as usize
}

/// Candles of a segment before its first origin: what the default features need. Whoever needs more says until then
/// what is known without any model.
pub fn warm_up() -> usize {
    static CANDLES: OnceLock<usize> = OnceLock::new();
    *CANDLES.get_or_init(|| Engine::new(&FeatureSet::of(&["default"])).map_or(0, |engine| engine.warmup()))
}

/// Folds of a plan.
pub(crate) fn n_folds(plan: &Plan) -> u32 {
    u32::try_from(plan.folds.len()).unwrap_or(u32::MAX)
}

/// From the first scored origin's open to the last one's close.
pub fn scored_range(report: &Report) -> Option<TimeRange> {
    let forecasts = &report.models.first()?.forecasts;
    Some(TimeRange { from: forecasts.from?, to: forecasts.to? })
}

/// From the first candle's open to the last one's close.
pub fn whole_range(market: &Market) -> Option<TimeRange> {
    let series = market.series();
    let from = Timestamp(*series.columns().open_time.first()?);
    Some(TimeRange { from, to: series.close_time(series.len() - 1) })
}
