//! Contenders and plans with the settings that all tests share.

use std::collections::BTreeMap;
use std::sync::Arc;

use candlecast_core::FeatureSet;
use candlecast_features::Engine;
use candlecast_learn::{
    Contender, Learner, Market, Panel, PipelineConfig, PlanConfig, ScalerKind, Task, TrainWindow, baselines,
};
use serde_json::{Value, json};

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

/// Fits of 120 days, every 15 days.
pub(crate) fn plan_config(horizon: usize) -> PlanConfig {
    PlanConfig { horizon, window: WINDOW, retrain_days: RETRAIN_DAYS, min_candles: MIN_CANDLES }
}

/// The learner `id` of any catalog.
pub(crate) fn learner(id: &str, params: &Value) -> Box<dyn Learner> {
    let entry = baselines::catalog()
        .iter()
        .chain(candlecast_models::catalog())
        .chain(candlecast_nn::catalog())
        .find(|entry| entry.id == id)
        .unwrap_or_else(|| panic!("no learner is called {id}"));
    entry.build(params).unwrap_or_else(|e| panic!("{e}"))
}

/// Parameters of a baseline for hourly candles.
fn baseline_params(id: &str) -> Value {
    if id == "seasonal-naive" { json!({ "seasonSteps": 24 }) } else { json!({}) }
}

/// `learner` over `panel`, scaled as the learner wants it.
pub(crate) fn contender(name: &str, learner: Box<dyn Learner>, panel: Panel, task: Task) -> Contender {
    let scaler = learner.inputs().scaler;
    let config = PipelineConfig {
        model: name.into(),
        params: json!({}),
        features: FeatureSet(panel.names().to_vec()),
        scaler,
        clip: (scaler != ScalerKind::None).then_some(CLIP),
        max_fill: MAX_FILL,
        task,
        level: LEVEL,
        window: WINDOW,
        retrain_days: RETRAIN_DAYS,
        valid_share: VALID_SHARE,
        min_candles: MIN_CANDLES,
    };
    Contender { name: name.into(), baseline: baselines::BASELINES.contains(&name), config, learner, panel }
}

/// The baseline `id`, which reads closes only.
pub(crate) fn baseline(id: &str, market: &Arc<Market>, task: Task) -> Contender {
    contender(id, learner(id, &baseline_params(id)), closes_only(market), task)
}

/// All baselines.
pub(crate) fn all_baselines(market: &Arc<Market>, task: Task) -> Vec<Contender> {
    baselines::BASELINES.iter().map(|id| baseline(id, market, task)).collect()
}

/// Makes contenders over one market as the application makes them: with the features that the models ask for, each set
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
    pub(crate) fn model(&mut self, id: &str, params: &Value) -> Contender {
        let learner = learner(id, params);
        let features = learner.inputs().features;
        let panel = if features.ids().is_empty() { closes_only(&self.market) } else { self.panel(&features) };
        let mut contender = contender(id, learner, panel, self.task);
        contender.config.params = params.clone();
        contender
    }

    /// The baselines and `models` behind them.
    pub(crate) fn with_baselines(&mut self, models: &[(&str, Value)]) -> Vec<Contender> {
        let mut contenders = all_baselines(&self.market, self.task);
        contenders.extend(models.iter().map(|(id, params)| self.model(id, params)));
        contenders
    }

    fn panel(&mut self, features: &FeatureSet) -> Panel {
        let engine = Engine::new(features).unwrap();
        let make = || Panel::new(Arc::clone(&self.market), &engine.compute(self.market.series()));
        self.panels.entry(engine.outputs().to_vec()).or_insert_with(make).clone()
    }
}
