//! From a request to contenders: learners built from recipes, feature panels computed once and shared.

use std::collections::BTreeMap;
use std::sync::Arc;

use candlecast_core::{Blame, FeatureSet, ModelRequest, Problem};
use candlecast_features::Engine;
use candlecast_learn::{Contender, Market, Panel, PipelineConfig, ScalerKind, Task, TrainWindow};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::catalog;
use crate::feature_audit::with_all;

/// What all contenders of a run share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PipelineOptions {
    /// Steps ahead.
    pub horizon: usize,
    /// Share of outcomes that intervals cover.
    pub level: f64,
    /// How far back training reaches.
    pub window: TrainWindow,
    /// Days between refits.
    pub retrain_days: u32,
    /// Fewest candles a fit may have.
    pub min_candles: usize,
    /// Longest gap that is filled, in candles.
    pub max_fill: usize,
    /// Features instead of the models' own.
    pub features: Option<FeatureSet>,
    /// Scaler instead of the models' own.
    pub scaler: Option<ScalerKind>,
}

/// Longest gap that is filled by default, in candles.
pub const MAX_FILL: usize = 3;
/// Candles a training needs by default, and at the least.
pub const MIN_CANDLES: (usize, usize) = (1_000, 200);
/// Bound on scaled features, in scaled units: tames outliers without touching ordinary values.
const CLIP: f64 = 10.0;

impl PipelineOptions {
    /// The defaults for `horizon`: 90 % intervals, rolling 365 days, refit every 7 days.
    pub fn new(horizon: usize) -> Self {
        Self {
            horizon,
            level: 0.9,
            window: TrainWindow::Rolling { days: 365 },
            retrain_days: 7,
            min_candles: MIN_CANDLES.0,
            max_fill: MAX_FILL,
            features: None,
            scaler: None,
        }
    }

    /// Refuses values out of range, each named.
    pub fn check(&self) -> Result<(), Problem> {
        if !(0.5..=0.99).contains(&self.level) {
            return Err(Problem::usage(
                "bad-level",
                "level",
                format!("level {} is not within 0.5 to 0.99", self.level),
            ));
        }
        if self.min_candles < MIN_CANDLES.1 {
            return Err(Problem::usage(
                "bad-min-candles",
                "min-candles",
                format!(
                    "min-candles {} is below {}, the least a fit can be trusted with at all",
                    self.min_candles, MIN_CANDLES.1
                ),
            ));
        }
        if !(1..=3_650).contains(&self.retrain_days) {
            return Err(Problem::usage(
                "bad-retrain-days",
                "retrain-days",
                format!("retrain-days {} is not within 1 to 3650", self.retrain_days),
            ));
        }
        if let TrainWindow::Rolling { days } = self.window
            && !(1..=36_500).contains(&days)
        {
            return Err(Problem::usage(
                "bad-train-days",
                "train-days",
                format!("train-days {days} is not within 1 to 36500"),
            ));
        }
        Ok(())
    }
}

/// What requests for the pipeline of `config` share: a training with it has the same configuration again.
pub fn common_of(config: &PipelineConfig) -> PipelineOptions {
    PipelineOptions {
        horizon: config.task.horizon(),
        level: config.level,
        window: config.window,
        retrain_days: config.retrain_days,
        min_candles: config.min_candles,
        max_fill: config.max_fill,
        // Models that read closes only ignore both.
        features: (!config.features.ids().is_empty()).then(|| config.features.clone()),
        scaler: Some(config.scaler),
    }
}

/// Makes contenders over one market; panels are computed once a feature set.
#[derive(Debug)]
pub struct FeatureFrames {
    market: Arc<Market>,
    panels: BTreeMap<Vec<String>, Panel>,
}

impl FeatureFrames {
    /// Contenders over `market`.
    pub fn new(market: Arc<Market>) -> Self {
        Self { market, panels: BTreeMap::new() }
    }

    /// The market.
    pub fn market(&self) -> &Arc<Market> {
        &self.market
    }

    /// The panel of `features`.
    pub fn panel(&mut self, features: &FeatureSet) -> Result<Panel, Problem> {
        if let Some(panel) = self.panels.get(features.ids()) {
            return Ok(panel.clone());
        }
        let table = if features.ids().is_empty() {
            candlecast_core::FeatureTable::default()
        } else {
            Engine::new(features)?.compute(self.market.series())
        };
        let panel = Panel::new(Arc::clone(&self.market), &table);
        self.panels.insert(features.0.clone(), panel.clone());
        Ok(panel)
    }

    /// The contender that `request` names.
    pub fn contender(&mut self, request: &ModelRequest, common: &PipelineOptions) -> Result<Contender, Problem> {
        let entry = catalog::find(&request.id)?;
        let baseline = catalog::is_baseline(entry.id);
        let interval = self.market.series().key().interval;
        let mut params = request.params.clone();
        if baseline && (params.is_null() || params.as_object().is_some_and(serde_json::Map::is_empty)) {
            params = catalog::baseline_params(entry.id, interval).ok_or_else(|| {
                Problem::usage(
                    "no-season",
                    "models",
                    format!(
                        "{} needs a season of 24 hours, which is no whole number of {interval} candles: leave it out",
                        entry.id
                    ),
                )
            })?;
        }
        if params.is_null() {
            params = Value::Object(serde_json::Map::new());
        }
        let learner = entry.build(&params)?;
        let task = Task::Price { horizon: common.horizon };
        if !learner.supports(&task) {
            return Err(Problem::usage("unsupported-task", "model", format!("{} cannot forecast prices", entry.id)));
        }
        let inputs = learner.inputs();
        let features = match &common.features {
            Some(chosen) if !inputs.features.ids().is_empty() => Engine::new(&with_all(chosen))?.expanded(),
            _ if inputs.features.ids().is_empty() => FeatureSet::default(),
            _ => Engine::new(&inputs.features)?.expanded(),
        };
        let scaler = common.scaler.filter(|_| !features.ids().is_empty()).unwrap_or(inputs.scaler);
        let config = PipelineConfig {
            model: entry.id.into(),
            params,
            features: features.clone(),
            scaler,
            clip: (scaler != ScalerKind::None).then_some(CLIP),
            max_fill: common.max_fill,
            task,
            level: common.level,
            window: common.window,
            retrain_days: common.retrain_days,
            valid_share: 0.15,
            min_candles: common.min_candles,
        };
        let panel = self.panel(&features)?;
        Ok(Contender { name: entry.id.into(), baseline, config, learner, panel })
    }

    /// `requests` and every baseline they do not name, the baselines first. Returns the index of `naive` too.
    pub fn with_baselines(
        &mut self,
        requests: &[ModelRequest],
        common: &PipelineOptions,
    ) -> Result<(Vec<Contender>, usize), Problem> {
        let interval = self.market.series().key().interval;
        let mut all: Vec<ModelRequest> = catalog::baselines_for(interval)
            .into_iter()
            .map(|(id, params)| ModelRequest { id: id.into(), params })
            .collect();
        for request in requests {
            let id = catalog::find(&request.id)?.id;
            if let Some(same) = all.iter_mut().find(|r| r.id == id) {
                if !catalog::is_baseline(id) {
                    return Err(Problem::usage("model-twice", "models", format!("model `{id}` is named twice")));
                }
                same.params = request.params.clone();
            } else {
                all.push(ModelRequest { id: id.into(), params: request.params.clone() });
            }
        }
        let contenders = all.iter().map(|r| self.contender(r, common)).collect::<Result<Vec<_>, _>>()?;
        let naive = contenders.iter().position(|c| c.name == "naive").unwrap_or(0);
        Ok((contenders, naive))
    }
}

/// Refuses a run whose largest fits would need more memory than allowed.
pub fn check_memory(contenders: &[Contender], fits_at_once: usize, max_memory: u64) -> Result<(), Problem> {
    let panels: u64 = {
        let mut sizes = BTreeMap::new();
        for c in contenders {
            sizes.insert(c.panel.names().to_vec(), (c.panel.rows().len() * c.panel.width() * 4) as u64);
        }
        sizes.values().sum()
    };
    let need_of = |c: &Contender| {
        let rows = c.panel.rows().len();
        let in_window = match c.config.window {
            TrainWindow::Rolling { days } => {
                rows.min((f64::from(days) * c.panel.market().series().key().interval.per_day()).ceil() as usize)
            }
            TrainWindow::Expanding => rows,
        };
        let one = c.learner.memory_bytes(in_window, c.panel.width(), &c.config.task) as u64
            + (in_window * c.panel.width() * 4) as u64;
        panels + one * fits_at_once as u64
    };
    // The greatest is the one to blame; of equal ones the last, since the baselines come first.
    match contenders.iter().map(|c| (need_of(c), c)).max_by_key(|&(need, _)| need) {
        Some((need, c)) if need > max_memory => Err(Problem::new(
            "memory-limit",
            507,
            Blame::Data,
            format!(
                "{} would need about {} MB, more than the {} MB allowed: take a shorter --train-days, fewer features, --threads 1, a smaller model, or raise ML_MAX_MEMORY_USAGE",
                c.name,
                need >> 20,
                max_memory >> 20
            ),
        )),
        _ => Ok(()),
    }
}
