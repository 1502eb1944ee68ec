//! [`Training`]: everything of a training that is computed.

use std::sync::Arc;

use candlecast_core::{ModelRequest, Problem, ProgressSink, Seed, SeriesKey, Stage, TimeRange, Timestamp};
use candlecast_learn::walk_forward::{ForecastTable, Hooks, Outcome, WalkForwardError, run_each};
use candlecast_learn::{
    Checkpointed, DailyLosses, FitObserver, FitSummary, FittedForecaster, Fold, Forecaster, ForecasterState, Market,
    ModelForecasts, Plan, Progress, Question, Report, Start, Stop, TrainState, evaluate, recall_fit,
};

use crate::catalog;
use crate::evaluation::{n_folds, plan_config, refit};
use crate::fingerprint::{Fingerprints, feature_versions};
use crate::frames::FeatureFrames;
use crate::options::PipelineOptions;
use crate::promotion_gate::{Decision, Serving};
use crate::saved_model::{OutOfFold, SavedModel};
use crate::warm_start::WarmStart;

/// What the checkpoint of the fit that is saved is called.
const FINAL_FIT: &str = "final";

/// What a training is asked for.
#[derive(Debug, Clone)]
pub struct TrainingRequest {
    /// Model and parameters.
    pub model: ModelRequest,
    /// Horizon, window and the like.
    pub common: PipelineOptions,
    /// Candles that may be learnt from.
    pub range: TimeRange,
    /// Root of all randomness.
    pub seed: Seed,
}

/// A training about to begin: a forward chain that says how far the model can be trusted, then the fit that is saved.
/// Over several markets one model learns from all of them, and is scored and calibrated in each. From the markets of a
/// pool it learns only.
#[derive(Debug)]
pub struct Training {
    id: &'static str,
    frames: FeatureFrames,
    /// Markets that are scored and saved for, the first of those of the frames; the others are the pool.
    n_own: usize,
    /// What is compared: the baselines of each market, then the model.
    pub forecasters: Vec<Forecaster>,
    /// Baselines of each market among them.
    baselines: Vec<std::ops::Range<usize>>,
    /// Number of the reference among the baselines of a market.
    reference: usize,
    plan: Plan,
    fold: Fold,
    /// Candles that may be learnt from.
    range: TimeRange,
    /// Candles between refits.
    refit: usize,
    /// Other configurations that were tried on the test part before, by market.
    tries: Vec<usize>,
    /// Days of these, by market.
    earlier: Vec<Vec<DailyLosses>>,
    /// Confidence that forecasts are selected by in the reports.
    confidence_threshold: Option<f64>,
    /// What serves, by market.
    serving: Vec<Option<Serving>>,
    warm: Option<WarmStart>,
    /// What determines the result.
    pub fingerprints: Fingerprints,
    seed: Seed,
    threads: usize,
}

/// What a training brought.
#[derive(Debug)]
pub struct Fitted {
    /// By market, in the order of the request.
    pub markets: Vec<FittedMarket>,
    /// How the saved fit went.
    pub fit: FitSummary,
    /// Features with the versions of their definitions.
    pub features: Vec<(String, u32)>,
    /// Time it took.
    pub seconds: f64,
}

/// What a training brought for one market.
#[derive(Debug)]
pub struct FittedMarket {
    /// The series.
    pub key: SeriesKey,
    /// The model with what calibration learnt in this market.
    pub saved: SavedModel,
    /// The forward chain's scores.
    pub report: Report,
    /// Index of the model in the report.
    pub model: usize,
    /// Candles that it learnt from here.
    pub data_range: TimeRange,
    /// Hash of the candles.
    pub data_fingerprint: String,
    /// Candles that it learnt from here.
    pub n_candles: usize,
    /// Share of the candles of the range that the scores are of.
    pub test_share: f64,
    /// Whether it is to serve, and why.
    pub decision: Decision,
}

impl Training {
    /// Prepares the training that `request` asks for, over `markets`, in each of which `serving` serves. `warm` is what
    /// the saved fit begins with. The first market decides the plan.
    pub fn new(
        markets: Vec<Arc<Market>>,
        request: &TrainingRequest,
        serving: Vec<Option<Serving>>,
        warm: Option<WarmStart>,
        threads: usize,
    ) -> Result<Self, Problem> {
        Self::pooled(markets, vec![], request, serving, warm, threads)
    }

    /// As [`Training::new`], where the model, but not the baselines, learns from the markets of `pool` too: in every fit
    /// from their candles up to the instant to which it learns from `markets`.
    pub fn pooled(
        markets: Vec<Arc<Market>>,
        pool: Vec<Arc<Market>>,
        request: &TrainingRequest,
        serving: Vec<Option<Serving>>,
        warm: Option<WarmStart>,
        threads: usize,
    ) -> Result<Self, Problem> {
        let id = catalog::canonical(&request.model.id)?;
        let config = plan_config(&request.common);
        let plan = config.training_testing(&markets[0], request.range, request.common.test_share)?;
        let fold = config.final_fold(&markets[0], request.range)?;
        let n_own = markets.len();
        let mut frames = FeatureFrames::over(markets.into_iter().chain(pool).collect());
        let (mut forecasters, mut baselines, mut reference) = (Vec::new(), Vec::new(), 0);
        for market in 0..n_own {
            let (of_market, its_reference) = frames.with_baselines_of(market, &[], &request.common)?;
            baselines.push(forecasters.len()..forecasters.len() + of_market.len());
            forecasters.extend(of_market);
            reference = its_reference;
        }
        forecasters.push(frames.forecaster(&request.model, &request.common)?.forecasting_first(n_own));
        if let Some(warm) = &warm {
            let recipe = forecasters[forecasters.len() - 1].recipe();
            warm.check(&recipe, learnt_to(&fold, frames.markets()).unwrap_or(request.range.to))?;
        }
        let mut how = format!("{:?} {:?}", request.range, warm.as_ref().map(|warm| &warm.version));
        if frames.markets().len() > n_own {
            how.push_str(&format!(" forecasting the first {n_own}"));
        }
        if let Some(share) = request.common.test_share {
            how.push_str(&format!(" testing {share}"));
        }
        let rows = plan.rows(&frames.markets()[0]);
        let folds = rows.folds.iter().map(|fold| fold.test.len());
        Ok(Self {
            id,
            // The chain has few fits, each of which forecasts for longer than they will serve.
            refit: folds.max().unwrap_or(0).max(refit(&frames.markets()[0], &request.common)),
            tries: vec![0; n_own],
            earlier: vec![vec![]; n_own],
            confidence_threshold: None,
            fingerprints: Fingerprints::of(frames.markets(), &forecasters, &how, request.seed),
            frames,
            n_own,
            forecasters,
            baselines,
            reference,
            plan,
            fold,
            range: request.range,
            serving,
            warm,
            seed: request.seed,
            threads,
        })
    }

    /// The same on a test part on which so many other configurations were tried before, by market. They change p-values
    /// and verdicts, which the fingerprint does not tell.
    #[must_use]
    pub fn after_tries(mut self, tries: &[usize]) -> Self {
        for (known, &tries) in self.tries.iter_mut().zip(tries) {
            *known = tries;
        }
        self
    }

    /// The same, where the reports say what choosing among the model and `earlier` ones is worth
    /// ([`Report::look_back`]): by market the days of those of the other configurations that have any on record, one each.
    #[must_use]
    pub fn beside_earlier(mut self, earlier: Vec<Vec<DailyLosses>>) -> Self {
        self.earlier.iter_mut().zip(earlier).for_each(|(known, earlier)| *known = earlier);
        self
    }

    /// The same, where the reports tell how often forecasts of at least `confidence_threshold` are right; `None` for the
    /// surest tenth. Nothing else depends on it, so the fingerprint does not tell it.
    #[must_use]
    pub fn with_confidence_threshold(self, confidence_threshold: Option<f64>) -> Self {
        Self { confidence_threshold, ..self }
    }

    /// From the first to behind the last origin that is scored.
    pub fn scored(&self) -> TimeRange {
        self.plan.scored
    }

    /// The model.
    fn model(&self) -> &Forecaster {
        &self.forecasters[self.forecasters.len() - 1]
    }

    /// Candles of market `market` that the saved fit learns from: the first one's open to the last one's close.
    pub fn data_range(&self, market: usize) -> TimeRange {
        learnt_range(&self.model().reaching(&self.fold), &self.frames.markets()[market])
    }

    /// Close of the last candle that the saved fit, or what it begins with, learns from. What is learnt in one market is
    /// known in all.
    fn trained_to(&self) -> Timestamp {
        let begun = self.warm.as_ref().map(|warm| warm.trained_to);
        learnt_to(&self.fold, self.frames.markets()).max(begun).unwrap_or(self.fold.fit_at)
    }

    /// The markets that the model is scored in and saved for.
    pub fn markets(&self) -> &[Arc<Market>] {
        &self.frames.markets()[..self.n_own]
    }

    /// The markets that it only learns from.
    pub fn pool(&self) -> &[Arc<Market>] {
        &self.frames.markets()[self.n_own..]
    }

    /// Walks forward, then fits what is saved.
    pub fn run(mut self, hooks: &dyn Hooks, watch: &dyn ProgressSink) -> Result<Fitted, Problem> {
        let started = hooks.seconds();
        let [chain, last] = self.stages();
        watch.stage(&chain);
        let mut results = run_each(&self.forecasters, &self.plan, self.seed, hooks);
        first_failure(&results)?;
        let model_tables = results.pop().and_then(Result::ok).unwrap_or_default();
        watch.stage(&last);
        let (fitted, fit) = self.final_fit(hooks, watch)?;
        let state = fitted.state();
        let mut markets = Vec::with_capacity(model_tables.len());
        for (k, table) in model_tables.into_iter().enumerate() {
            let tables = &mut results[self.baselines[k].clone()];
            markets.push(self.of_market(k, table, tables, state.clone()));
        }
        let features = feature_versions(&self.model().recipe())?;
        Ok(Fitted { markets, fit, features, seconds: hooks.seconds() - started })
    }

    fn of_market(
        &mut self,
        k: usize,
        table: ForecastTable,
        baselines: &mut [Outcome],
        state: ForecasterState,
    ) -> FittedMarket {
        let market = Arc::clone(&self.frames.markets()[k]);
        let out_of_fold = OutOfFold::of(&table, &market);
        // What an ensemble has learnt of its members it has learnt in this market.
        let state = state.with_learnt(table.ensemble.as_ref().map(|ensemble| ensemble.learnt.clone()));
        let mut models = Vec::with_capacity(baselines.len() + 1);
        for (baseline, outcome) in self.forecasters[self.baselines[k].clone()].iter().zip(baselines) {
            let tables = std::mem::replace(outcome, Ok(vec![]));
            let table = tables.ok().and_then(|mut tables| tables.pop()).unwrap_or_default();
            models.push(ModelForecasts { name: baseline.name.clone(), baseline: true, table, issued: None });
        }
        let (left_out, model) = (table.left_out, models.len());
        models.push(ModelForecasts { name: self.model().name.clone(), baseline: false, table, issued: None });
        let (task, level) = (self.model().task(), self.model().level());
        let question = Question {
            market: &market,
            task,
            level,
            plan: &self.plan,
            reference: self.reference,
            left_out,
            refit: self.refit,
            tries: self.tries[k],
            confidence_threshold: self.confidence_threshold,
        };
        let mut report = evaluate(&question, models);
        report.look_back(&self.earlier[k], market.series().key().interval.per_day());
        let rows = self.model().reaching(&self.fold).rows(&market);
        let data_range = self.data_range(k);
        let saved = SavedModel {
            forecaster: state,
            calibration: report.models[model].calibration.clone(),
            trained_to: self.trained_to(),
            out_of_fold: Some(out_of_fold),
        };
        let decision = match self.serving[k].take() {
            Some(serving) => {
                let mut frames = FeatureFrames::new(Arc::clone(&market));
                serving.decide(&mut frames, &report.models[model], &saved, !self.pool().is_empty())
            }
            None => Decision::unopposed(),
        };
        FittedMarket {
            key: market.series().key().clone(),
            saved,
            model,
            report,
            data_range,
            data_fingerprint: self.fingerprints.data[k].clone(),
            n_candles: rows.fit_row - rows.window_start,
            test_share: self.test_share(&market),
            decision,
        }
    }

    /// Share of the candles of `market` within the range that are scored.
    fn test_share(&self, market: &Market) -> f64 {
        let rows = |range: TimeRange| {
            let row = |time| market.series().first_row_from(time);
            row(range.to).saturating_sub(row(range.from)) as f64
        };
        rows(self.plan.scored) / rows(self.range).max(1.0)
    }

    /// The stages, weighed by their fits of the model: one a fold, then the one that is saved.
    fn stages(&self) -> [Stage; 2] {
        let folds = n_folds(&self.plan);
        let border = f64::from(folds) / f64::from(folds.saturating_add(1));
        [
            Stage { name: "forward chain", no: (1, 2), shares: (0.0, border), folds: Some(folds) },
            Stage { name: "final fit", no: (2, 2), shares: (border, 1.0), folds: None },
        ]
    }

    fn final_fit(
        &self,
        hooks: &dyn Hooks,
        watch: &dyn ProgressSink,
    ) -> Result<(FittedForecaster, FitSummary), Problem> {
        let resume = recall_fit(hooks, FINAL_FIT).filter(|_| self.model().members().is_empty());
        let start = Start { warm: self.warm.as_ref().map(|warm| &warm.state), resume: resume.as_ref() };
        let mut observer = Checkpointed::new(hooks, FINAL_FIT, Epochs { watch, name: self.id });
        let seed = self.seed.derive(self.id, u64::MAX);
        let (fitted, fit) = self.model().fit(&self.fold, seed, self.threads, start, &mut observer)?;
        if fit.stopped == Stop::Cancelled {
            return Err(WalkForwardError::Cancelled.into());
        }
        Ok((fitted, fit))
    }
}

/// Candles of `market` that a fit of `fold` learns from: the first one's open to the last one's close.
fn learnt_range(fold: &Fold, market: &Market) -> TimeRange {
    let (series, rows) = (market.series(), fold.rows(market));
    let from = Timestamp(series.columns().open_time[rows.window_start.min(series.len() - 1)]);
    TimeRange { from, to: series.close_time(rows.fit_row.max(1) - 1) }
}

/// Close of the last candle of any of `markets` that a fit of `fold` learns from. A market whose candles all come later
/// has none of them.
fn learnt_to(fold: &Fold, markets: &[Arc<Market>]) -> Option<Timestamp> {
    let begun = markets.iter().filter(|market| fold.rows(market).fit_row > 0);
    begun.map(|market| learnt_range(fold, market).to).max()
}

/// The failure whose fit comes first.
fn first_failure(results: &[Outcome]) -> Result<(), Problem> {
    let failures = results.iter().filter_map(|result| result.as_ref().err());
    match failures.min_by_key(|(order, _)| *order) {
        Some((_, error)) => Err(error.clone().into()),
        None => Ok(()),
    }
}

/// Reports the epochs of the saved fit.
struct Epochs<'a> {
    watch: &'a dyn ProgressSink,
    name: &'static str,
}

impl FitObserver for Epochs<'_> {
    fn on_step(&mut self, p: &Progress, _: &dyn Fn() -> TrainState) -> std::ops::ControlFlow<Stop> {
        let loss = p.valid_loss.or(p.train_loss).map_or_else(String::new, |l| format!(", loss {l:.5}"));
        self.watch.progress(&format!("{} final fit{loss}", self.name), p.step as u64, p.of as u64);
        std::ops::ControlFlow::Continue(())
    }
}
