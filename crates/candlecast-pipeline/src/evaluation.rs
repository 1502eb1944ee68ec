//! [`PreparedEvaluation`]: models and baselines on the same origins, as `compare` and `backtest` ask for it.

use std::sync::{Arc, OnceLock};

use candlecast_core::{
    CandleSeries, FeatureSet, FilledSeries, ModelRequest, Problem, Seed, SeriesKey, Stage, TimeRange, Timestamp,
};
use candlecast_features::Engine;
use candlecast_learn::walk_forward::{Hooks, NoHooks};
use candlecast_learn::{DailyLosses, Forecaster, Market, Plan, PlanConfig, Question, Report, evaluate, walk_forward};
use serde::{Deserialize, Serialize};

use crate::fingerprint::Fingerprints;
use crate::frames::FeatureFrames;
use crate::options::PipelineOptions;

/// How the data are split in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Method {
    /// Refits every `retrain_days` over the origins in the range.
    WalkForward {
        /// Origins.
        #[serde(with = "candlecast_core::open_range")]
        range: TimeRange,
    },
    /// One fit at the end of `train`, origins in `test`.
    Simple {
        /// Training part.
        #[serde(with = "candlecast_core::open_range")]
        train: TimeRange,
        /// Test part.
        #[serde(with = "candlecast_core::open_range")]
        test: TimeRange,
    },
}

/// A finished evaluation.
#[derive(Debug)]
pub struct Evaluation {
    /// What was evaluated.
    pub key: SeriesKey,
    /// How.
    pub method: Method,
    /// Scores.
    pub report: Report,
    /// The market, for plots.
    pub market: Arc<Market>,
    /// What was compared, for saving.
    pub forecasters: Vec<Forecaster>,
    /// Hash of data, configuration and seed: equal fingerprints give equal results on one instruction set.
    pub fingerprint: String,
    /// From the first to the last scored origin.
    pub scored: Option<TimeRange>,
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
    plan: Plan,
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
        let plan = plan(&market, common, method)?;
        let mut frames = FeatureFrames::over(std::iter::once(Arc::clone(&market)).chain(pool).collect());
        let (forecasters, reference) = frames.with_baselines(models, common)?;
        let forecasters: Vec<Forecaster> = forecasters.into_iter().map(|f| f.forecasting_first(1)).collect();
        let fingerprints = Fingerprints::of(frames.markets(), &forecasters, &format!("{method:?}"), seed);
        let refit = refit(&market, common);
        Ok(Self {
            forecasters,
            fingerprints,
            market,
            method,
            reference,
            plan,
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
        self.plan.scored
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
        };
        Stage { name, no: (1, 1), shares: (0.0, 1.0), folds: Some(n_folds(&self.plan)) }
    }

    /// Fits, forecasts and scores.
    pub fn run(self, hooks: &dyn Hooks) -> Result<Evaluation, Problem> {
        let models = walk_forward::run(&self.forecasters, &self.plan, self.seed, hooks)?;
        let left_out = models[self.reference].table.left_out;
        let question = Question {
            market: &self.market,
            task: self.forecasters[self.reference].task(),
            level: self.forecasters[self.reference].level(),
            plan: &self.plan,
            reference: self.reference,
            left_out,
            refit: self.refit,
            tries: self.tries,
            confidence_threshold: self.confidence_threshold,
        };
        let mut report = evaluate(&question, models);
        report.look_back(&self.earlier, self.market.series().key().interval.per_day());
        Ok(Evaluation {
            key: self.market.series().key().clone(),
            method: self.method,
            scored: scored_range(&report),
            report,
            market: self.market,
            forecasters: self.forecasters,
            fingerprint: self.fingerprints.run,
        })
    }
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
    let method = Method::WalkForward { range };
    Ok(PreparedEvaluation::new(market, models, common, method, seed)?.run(&NoHooks)?.report)
}

fn plan(market: &Market, common: &PipelineOptions, method: Method) -> Result<Plan, Problem> {
    let config = plan_config(common);
    Ok(match method {
        Method::WalkForward { range } => config.walk_forward(market, range)?,
        Method::Simple { train, test } => config.simple(market, train, test)?,
    })
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
