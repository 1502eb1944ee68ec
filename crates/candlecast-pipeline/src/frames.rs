//! [`FeatureFrames`]: from requests to forecasters: learners built from recipes, feature panels computed once and shared.

use std::collections::BTreeMap;
use std::sync::Arc;

use candlecast_core::catalog::Entry;
use candlecast_core::{FeatureSet, FeatureTable, Interval, ModelRequest, Problem};
use candlecast_features::Engine;
use candlecast_learn::{
    Asked, Dataset, Forecaster, Learner, Market, Panel, PipelineConfig, ScalerKind, Task, task_kinds,
};
use serde_json::{Map, Value};

use crate::catalog::{self, Part};
use crate::feature_audit::with_all;
use crate::options::{CLIP, PipelineOptions};

/// Makes forecasters over one or several markets; panels are computed once a feature set. A clone shares those that are
/// there.
#[derive(Debug, Clone)]
pub struct FeatureFrames {
    markets: Vec<Arc<Market>>,
    /// By feature set, one panel a market.
    panels: BTreeMap<Vec<String>, Vec<Panel>>,
}

impl FeatureFrames {
    /// Forecasters over `market`.
    pub fn new(market: Arc<Market>) -> Self {
        Self::over(vec![market])
    }

    /// Forecasters over several markets.
    pub fn over(markets: Vec<Arc<Market>>) -> Self {
        Self { markets, panels: BTreeMap::new() }
    }

    /// The first market.
    pub fn market(&self) -> &Arc<Market> {
        &self.markets[0]
    }

    /// The markets.
    pub fn markets(&self) -> &[Arc<Market>] {
        &self.markets
    }

    /// The panel of `features` over the first market.
    pub fn panel(&mut self, features: &FeatureSet) -> Result<Panel, Problem> {
        Ok(self.panels(features)?[0].clone())
    }

    /// The panels of `features`, one a market.
    pub fn panels(&mut self, features: &FeatureSet) -> Result<Vec<Panel>, Problem> {
        if let Some(panels) = self.panels.get(features.ids()) {
            return Ok(panels.clone());
        }
        let table = |market: &Arc<Market>| -> Result<Panel, Problem> {
            let table = if features.ids().is_empty() {
                FeatureTable::default()
            } else {
                Engine::new(features)?.compute(market.series())
            };
            Ok(Panel::new(Arc::clone(market), &table))
        };
        let panels = self.markets.iter().map(table).collect::<Result<Vec<_>, _>>()?;
        self.panels.insert(features.0.clone(), panels.clone());
        Ok(panels)
    }

    /// Computes the features of all `sets` in one pass over the candles, so that none is computed twice.
    pub fn prepare(&mut self, sets: &[&FeatureSet]) -> Result<(), Problem> {
        let mut all: Vec<String> = Vec::new();
        for id in sets.iter().flat_map(|set| set.ids()) {
            if !all.contains(id) {
                all.push(id.clone());
            }
        }
        if all.is_empty() {
            return Ok(());
        }
        let engine = Engine::new(&FeatureSet(all))?;
        let mut by_set: Vec<Vec<Panel>> = vec![Vec::new(); sets.len()];
        for market in &self.markets {
            let table = engine.compute(market.series());
            for (set, panels) in sets.iter().zip(&mut by_set) {
                panels.push(Panel::new(Arc::clone(market), &part_of(&table, set)));
            }
        }
        for (set, panels) in sets.iter().zip(by_set) {
            self.panels.insert(set.0.clone(), panels);
        }
        Ok(())
    }

    /// The forecaster that `request` names, over all markets.
    pub fn forecaster(&mut self, request: &ModelRequest, options: &PipelineOptions) -> Result<Forecaster, Problem> {
        self.build(request, options, None, None)
    }

    /// Over all markets, or over the one with the number `only`; where there is a `bag`, of learners that are fitted to the
    /// bootstrap draw with that number.
    fn build(
        &mut self,
        request: &ModelRequest,
        options: &PipelineOptions,
        only: Option<usize>,
        bag: Option<u32>,
    ) -> Result<Forecaster, Problem> {
        match catalog::part(&request.id)? {
            Part::Learner(entry) => {
                let task = options.task()?;
                let Configured { learner, config } = configured(entry, &request.params, options, &self.asked(task))?;
                let config = PipelineConfig { bag, ..config };
                let mut panels = self.panels(&config.features)?;
                if let Some(only) = only {
                    panels = vec![panels.swap_remove(only)];
                }
                let baseline = catalog::is_baseline_of(entry.id, &task);
                Ok(Forecaster::pipeline(entry.id, baseline, config, learner, Dataset::new(panels)))
            }
            Part::Composite(entry) => {
                let members = (entry.members)(&request.params)?;
                let mut built = Vec::with_capacity(members.len());
                for (number, member) in (1..).zip(&members) {
                    built.push(self.build(member, options, only, entry.is_bagged.then_some(number))?);
                }
                let combine = (entry.combine)(&request.params, &members)?;
                catalog::check_combine(entry, &combine, &options.task()?)?;
                Forecaster::ensemble(entry.id, combine, built)
                    .map_err(|e| Problem::usage("bad-parameter", "weights", format!("{}: {e}", entry.id)))
            }
        }
    }

    /// What default inputs depend on, of the first market.
    pub(crate) fn asked(&self, task: Task) -> Asked {
        let series = self.market().series();
        Asked { task, interval: series.key().interval, candles: series.len() }
    }

    /// `requests` and every baseline of the task that they do not name, the baselines first. Returns the index of the
    /// reference too.
    pub fn with_baselines(
        &mut self,
        requests: &[ModelRequest],
        options: &PipelineOptions,
    ) -> Result<(Vec<Forecaster>, usize), Problem> {
        self.with_baselines_of(0, requests, options)
    }

    /// As [`FeatureFrames::with_baselines`], the baselines over market `market` alone, the models over all markets.
    pub(crate) fn with_baselines_of(
        &mut self,
        market: usize,
        requests: &[ModelRequest],
        options: &PipelineOptions,
    ) -> Result<(Vec<Forecaster>, usize), Problem> {
        let (interval, task) = (self.market().series().key().interval, options.task()?);
        let mut all: Vec<ModelRequest> = catalog::baselines_for(&task, interval)
            .into_iter()
            .map(|(id, params)| ModelRequest { id: id.into(), params })
            .collect();
        let n_baselines = all.len();
        for request in requests {
            let id = catalog::canonical(&request.id)?;
            if let Some(same) = all.iter_mut().find(|r| r.id == id && catalog::is_baseline(id)) {
                let given = request.params.as_object().is_some_and(|params| !params.is_empty());
                if given && id == task.kind().reference() && request.params != same.params {
                    return Err(Problem::usage(
                        "bad-set",
                        "set",
                        format!("{id} is what every {} forecast is held against: its parameters are fixed", task.id()),
                    ));
                }
                if given {
                    same.params = request.params.clone();
                }
                continue;
            }
            let request = ModelRequest { id: id.into(), params: request.params.clone() };
            if all.contains(&request) {
                return Err(Problem::usage("model-twice", "models", format!("model `{id}` is named twice")));
            }
            all.push(request);
        }
        let mut forecasters = Vec::with_capacity(all.len());
        for (k, request) in all.iter().enumerate() {
            forecasters.push(self.build(request, options, (k < n_baselines).then_some(market), None)?);
        }
        distinct(&mut forecasters);
        let name = task.kind().reference();
        let reference = forecasters.iter().position(|f| f.name == name).ok_or_else(|| {
            Problem::data(
                "no-reference",
                format!("{name}, which every {} forecast is held against, is missing", task.id()),
            )
        })?;
        Ok((forecasters, reference))
    }
}

/// Two configurations of one model are told apart in tables by a number.
fn distinct(forecasters: &mut [Forecaster]) {
    for i in 0..forecasters.len() {
        let name = forecasters[i].name.clone();
        let same: Vec<usize> = (0..forecasters.len()).filter(|&k| forecasters[k].name == name).collect();
        if same.len() > 1 {
            for (n, k) in same.into_iter().enumerate() {
                forecasters[k].name = format!("{name}#{}", n + 1);
            }
        }
    }
}

/// The columns of `set` in a table that has them.
fn part_of(table: &FeatureTable, set: &FeatureSet) -> FeatureTable {
    let columns = set
        .ids()
        .iter()
        .filter_map(|id| table.names.iter().position(|name| name == id).map(|k| table.columns[k].clone()))
        .collect();
    FeatureTable { names: set.0.clone(), columns }
}

/// A learner with its configuration, as it is before there are any data.
pub(crate) struct Configured {
    pub(crate) learner: Box<dyn Learner>,
    pub(crate) config: PipelineConfig,
}

/// The learner of `entry` with the parameters `given`, configured by `options`. A problem where it cannot be fitted to
/// the task.
pub(crate) fn configured(
    entry: &Entry<dyn Learner>,
    given: &Value,
    options: &PipelineOptions,
    asked: &Asked,
) -> Result<Configured, Problem> {
    let params = params_of(entry.id, given, asked.interval)?;
    let learner = entry.build(&params)?;
    if !learner.supports(&asked.task) {
        return Err(catalog::unsupported(entry.id, &asked.task));
    }
    let config = config_of(entry.id, params, learner.as_ref(), options, asked)?;
    Ok(Configured { learner, config })
}

/// Parameters of a model, those of a baseline that leaves them open set for the interval.
fn params_of(id: &str, given: &Value, interval: Interval) -> Result<Value, Problem> {
    let is_open = given.is_null() || given.as_object().is_some_and(Map::is_empty);
    if catalog::is_baseline(id) && is_open {
        return catalog::baseline_params(id, interval).ok_or_else(|| {
            Problem::usage(
                "no-season",
                "models",
                format!(
                    "{id} needs a season of 24 hours, which is no whole number of {interval} candles: leave it out"
                ),
            )
        });
    }
    Ok(if given.is_null() { Value::Object(Map::new()) } else { given.clone() })
}

fn config_of(
    id: &str,
    params: Value,
    learner: &dyn Learner,
    options: &PipelineOptions,
    asked: &Asked,
) -> Result<PipelineConfig, Problem> {
    let inputs = learner.inputs(asked);
    let features = match &options.features {
        Some(chosen) if !inputs.features.ids().is_empty() => Engine::new(&with_all(chosen))?.expanded(),
        _ if inputs.features.ids().is_empty() => FeatureSet::default(),
        _ => Engine::new(&inputs.features)?.expanded(),
    };
    let scaler = options.scaler.filter(|_| !features.ids().is_empty()).unwrap_or(inputs.scaler);
    Ok(PipelineConfig {
        model: id.into(),
        params,
        features,
        scaler,
        clip: (scaler != ScalerKind::None).then_some(CLIP),
        max_fill: options.max_fill,
        task: asked.task,
        level: options.level,
        window: options.window,
        retrain_days: options.retrain_days,
        valid_share: options.valid_share,
        min_candles: options.min_candles,
        bag: None,
    })
}

/// Ids of all tasks, for help.
pub fn task_ids() -> Vec<&'static str> {
    task_kinds().iter().map(|kind| kind.id()).collect()
}
