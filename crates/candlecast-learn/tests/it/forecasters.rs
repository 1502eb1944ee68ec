//! Forecasters, plans and reports with the settings that all tests share.

use std::collections::BTreeMap;
use std::sync::Arc;

use candlecast_core::{FeatureSet, Seed};
use candlecast_features::Engine;
use candlecast_learn::walk_forward::ForecastTable;
use candlecast_learn::{
    Builder, Dataset, FittedForecaster, Forecaster, ForecasterState, Learner, Market, ModelForecasts, ModelReport,
    Panel, PipelineConfig, PipelineState, Plan, PlanConfig, Question, Report, ScalerKind, Task, TrainWindow, baselines,
    evaluate, har_x, walk_forward,
};
use serde_json::{Value, json};

use crate::hooks::TestHooks;
use crate::markets::{MAX_FILL, closes_only};

/// Share of outcomes that intervals cover.
pub(crate) const LEVEL: f64 = 0.9;
/// Bound on scaled features.
const CLIP: f64 = 10.0;
/// Share of a training window that validates.
pub(crate) const VALID_SHARE: f64 = 0.15;
/// Fewest candles a fit may have.
const MIN_CANDLES: usize = 1_000;
const WINDOW: TrainWindow = TrainWindow::Rolling { days: 120 };
const RETRAIN_DAYS: u32 = 15;

/// Fits of 120 days, every 15 days. Origins begin where models on the default features can forecast.
pub(crate) fn plan_config(horizon: usize) -> PlanConfig {
    let warm_up = Engine::new(&FeatureSet::of(&["default"])).unwrap().warmup();
    PlanConfig { horizon, window: WINDOW, retrain_days: RETRAIN_DAYS, min_candles: MIN_CANDLES, warm_up }
}

/// Builds the learners of all catalogs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Catalogs;

impl Builder for Catalogs {
    fn learner(&self, model: &str, params: &Value) -> Result<Box<dyn Learner>, String> {
        let entry = baselines::catalog()
            .iter()
            .chain(har_x::catalog())
            .chain(candlecast_models::catalog())
            .chain(candlecast_nn::catalog())
            .find(|entry| entry.id == model)
            .ok_or_else(|| format!("no learner is called {model}"))?;
        entry.build(params).map_err(|e| e.to_string())
    }
}

/// The learner `id` of any catalog.
pub(crate) fn learner(id: &str, params: &Value) -> Box<dyn Learner> {
    Catalogs.learner(id, params).unwrap_or_else(|e| panic!("{e}"))
}

/// Parameters of a baseline for hourly candles.
fn baseline_params(id: &str) -> Value {
    if id == "seasonal-naive" { json!({ "seasonSteps": 24 }) } else { json!({}) }
}

/// The configuration of `learner`, called `model`, over `data`, scaled as the learner wants it.
pub(crate) fn config(model: &str, params: &Value, learner: &dyn Learner, data: &Dataset, task: Task) -> PipelineConfig {
    let scaler = learner.inputs(&candlecast_learn::Asked::hourly(Task::Price { horizon: 1 })).scaler;
    PipelineConfig {
        model: model.into(),
        params: params.clone(),
        features: FeatureSet(data.panels()[0].names().to_vec()),
        scaler,
        clip: (scaler != ScalerKind::None).then_some(CLIP),
        max_fill: MAX_FILL,
        task,
        level: LEVEL,
        window: WINDOW,
        retrain_days: RETRAIN_DAYS,
        valid_share: VALID_SHARE,
        min_candles: MIN_CANDLES,
        bag: None,
    }
}

/// `learner` with `params`, called `name`, over the markets of `data`.
pub(crate) fn forecaster_over(
    name: &str,
    params: &Value,
    learner: Box<dyn Learner>,
    data: Dataset,
    task: Task,
) -> Forecaster {
    let config = config(name, params, &*learner, &data, task);
    Forecaster::pipeline(name, task.kind().baselines().contains(&name), config, learner, data)
}

/// `learner`, called `name`, over `panel`.
pub(crate) fn forecaster(name: &str, learner: Box<dyn Learner>, panel: Panel, task: Task) -> Forecaster {
    forecaster_over(name, &json!({}), learner, Dataset::single(panel), task)
}

/// The model `id` of the catalogs over `panel`.
pub(crate) fn model(id: &str, params: &Value, panel: Panel, task: Task) -> Forecaster {
    forecaster_over(id, params, learner(id, params), Dataset::single(panel), task)
}

/// The baseline `id`, which reads closes only.
pub(crate) fn baseline(id: &str, market: &Arc<Market>, task: Task) -> Forecaster {
    model(id, &baseline_params(id), closes_only(market), task)
}

/// All baselines of `task`.
pub(crate) fn all_baselines(market: &Arc<Market>, task: Task) -> Vec<Forecaster> {
    task.kind().baselines().iter().map(|id| baseline(id, market, task)).collect()
}

/// The panel of a pipeline over one market.
pub(crate) fn panel_of(forecaster: &Forecaster) -> &Panel {
    &forecaster.as_pipeline().unwrap().data.panels()[0]
}

/// A fitted pipeline as data.
pub(crate) fn state_of(fitted: &FittedForecaster) -> PipelineState {
    fitted.as_pipeline().unwrap().state()
}

/// `fitted` as it would be saved, and read again.
pub(crate) fn restored(fitted: &FittedForecaster) -> FittedForecaster {
    let text = serde_json::to_string(&fitted.state()).unwrap();
    let state: ForecasterState = serde_json::from_str(&text).unwrap();
    assert_eq!(state, fitted.state());
    FittedForecaster::restore(state, &Catalogs).unwrap()
}

/// Forecasts of every one of `forecasters`.
pub(crate) fn tables(forecasters: &[Forecaster], plan: &Plan) -> Vec<ForecastTable> {
    let models = walk_forward::run(forecasters, plan, Seed(1), &TestHooks::default()).unwrap();
    models.into_iter().map(|model| model.table).collect()
}

/// Walks forward over `plan` and scores `forecasters`, one of which is the reference of their task.
pub(crate) fn report(forecasters: &[Forecaster], plan: &Plan) -> Report {
    let models = walk_forward::run(forecasters, plan, Seed(1), &TestHooks::default()).unwrap();
    report_of(forecasters, models, plan)
}

/// Scores the forecasts of `forecasters`, one of which is the reference of their task.
pub(crate) fn report_of(forecasters: &[Forecaster], models: Vec<ModelForecasts>, plan: &Plan) -> Report {
    let first = &forecasters[0];
    let (task, level) = (first.task(), first.level());
    let reference = models.iter().position(|model| model.name == task.kind().reference()).unwrap();
    let left_out = models[reference].table.left_out;
    let question = Question {
        market: first.market(0),
        task,
        level,
        plan,
        reference,
        left_out,
        refit: 0,
        tries: 0,
        confidence_threshold: None,
    };
    evaluate(&question, models)
}

/// The report on `name`.
pub(crate) fn report_on<'a>(report: &'a Report, name: &str) -> &'a ModelReport {
    report.models.iter().find(|model| model.name == name).unwrap()
}

/// Makes forecasters over one market as the application makes them: with the features that the models ask for, each set
/// computed once.
pub(crate) struct Field {
    market: Arc<Market>,
    task: Task,
    panels: BTreeMap<Vec<String>, Panel>,
}

impl Field {
    pub(crate) fn new(market: &Arc<Market>, task: Task) -> Self {
        Self { market: Arc::clone(market), task, panels: BTreeMap::new() }
    }

    /// The model `id`.
    pub(crate) fn model(&mut self, id: &str, params: &Value) -> Forecaster {
        let features =
            learner(id, params).inputs(&candlecast_learn::Asked::hourly(Task::Price { horizon: 1 })).features;
        let panel = if features.ids().is_empty() { closes_only(&self.market) } else { self.panel(&features) };
        model(id, params, panel, self.task)
    }

    /// The baselines and `models` behind them.
    pub(crate) fn with_baselines(&mut self, models: &[(&str, Value)]) -> Vec<Forecaster> {
        let mut forecasters = all_baselines(&self.market, self.task);
        forecasters.extend(models.iter().map(|(id, params)| self.model(id, params)));
        forecasters
    }

    fn panel(&mut self, features: &FeatureSet) -> Panel {
        let engine = Engine::new(features).unwrap();
        let make = || Panel::new(Arc::clone(&self.market), &engine.compute(self.market.series()));
        self.panels.entry(engine.outputs().to_vec()).or_insert_with(make).clone()
    }
}
