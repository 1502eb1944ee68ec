//! Saving what a training brought: once for each series.

use candlecast_core::Problem;
use candlecast_host::{Host, PROGRAM};
use candlecast_jobs::Attempt;
use candlecast_monitor::load_version;
use candlecast_pipeline::doc::{baselines_value, scored_metrics_value};
use candlecast_pipeline::{Decision, Fitted, FittedMarket, instruction_set};
use candlecast_registry::{Activate, Change, FeatureVersion, ModelManifest, NewModel, Slot, Status, Tries};
use serde_json::Value;

use crate::models::configuration::{TEST_SHARE_ASKED, parts_of};
use crate::models::model_path;
use crate::train::{TrainJob, Trained, TrainedModel};

/// Why a model that won is a candidate all the same.
const OVERTAKEN: &str =
    "what serves has changed since this training began, so they were not compared: `candlecast models promote` decides";

/// What saving takes besides the model.
pub(super) struct Saving<'a> {
    pub(super) host: &'a Host,
    pub(super) request: &'a TrainJob,
    pub(super) attempt: &'a Attempt,
    /// By series.
    pub(super) slots: &'a [Slot],
    /// By series.
    pub(super) takes_over: &'a [Activate],
    /// How much has been scored on the test part, by series; `None` where that cannot be told.
    pub(super) tries: &'a [Option<Tries>],
}

/// Saves a fitted model for each of its series: it becomes active there unless there is a reason against it.
pub(super) fn save(saving: &Saving<'_>, fitted: Fitted) -> Result<Trained, Problem> {
    let Fitted { markets, fit, features, seconds } = fitted;
    let features: Vec<FeatureVersion> =
        features.into_iter().map(|(id, version)| FeatureVersion { id, version }).collect();
    let mut models = Vec::with_capacity(markets.len());
    for (k, market) in markets.into_iter().enumerate() {
        models.push(saving.market(k, market, &features, seconds)?);
    }
    Ok(Trained { models, fit, folder: None })
}

impl Saving<'_> {
    fn market(
        &self,
        k: usize,
        fitted: FittedMarket,
        features: &[FeatureVersion],
        seconds: f64,
    ) -> Result<TrainedModel, Problem> {
        let (host, slot) = (self.host, &self.slots[k]);
        let manifest = if let Some(manifest) = self.saved_before(slot, &fitted) {
            manifest
        } else {
            let new = self.new_model(k, &fitted, features, seconds)?;
            let activate = if fitted.decision.serves { self.takes_over[k] } else { Activate::Never };
            let change = Change { at: host.now(), by: &self.attempt.actor() };
            let keep = host.settings.keep_versions;
            host.registry.save(&slot.family, new, &fitted.saved, activate, keep, change)?
        };
        let path = model_path(host, &slot.family.at(manifest.version));
        let Decision { serves, why } = fitted.decision;
        let (active_because, candidate_because) = match (serves, manifest.status) {
            (false, _) => (None, Some(why)),
            // Trainings of one slot may run side by side, and people promote.
            (true, Status::Candidate) => (None, Some(OVERTAKEN.to_owned())),
            (true, _) => (Some(why), None),
        };
        Ok(TrainedModel { manifest, report: fitted.report, candidate_because, active_because, path })
    }

    /// The newest version of the slot, if this is a repeated attempt and the one before was stopped right after it had
    /// saved this very model.
    fn saved_before(&self, slot: &Slot, fitted: &FittedMarket) -> Option<ModelManifest> {
        if !self.attempt.is_repeated() {
            return None;
        }
        let registry = &self.host.registry;
        let newest = registry.list_slot(slot).ok()?.pop()?.name.version;
        let stored = load_version(registry, &slot.family, newest).ok()?;
        let same = serde_json::to_vec(&stored.payload).ok()? == serde_json::to_vec(&fitted.saved).ok()?;
        same.then_some(stored.manifest)
    }

    /// What goes with the model fitted for series `k`.
    fn new_model(
        &self,
        k: usize,
        fitted: &FittedMarket,
        features: &[FeatureVersion],
        seconds: f64,
    ) -> Result<NewModel, Problem> {
        let (host, slot) = (self.host, &self.slots[k]);
        let scores = &fitted.report.models[fitted.model];
        let parts = parts_of(&fitted.saved.forecaster.recipe(), &self.request.model.params);
        let (config, pipeline) = parts.map_err(|e| Problem::data("save-failed", e.to_string()))?;
        Ok(NewModel {
            name: Some(name(slot)),
            trained_at: host.now(),
            accuracy: scores.metrics.accuracy(),
            training_duration_ms: (seconds * 1000.0) as u64,
            data_points: fitted.n_candles as u64,
            config,
            pipeline,
            horizon_steps: slot.horizon,
            features: features.to_vec(),
            data_range: fitted.data_range.into(),
            data_fingerprint: fitted.data_fingerprint.clone(),
            trained_on: self.request.series.iter().map(ToString::to_string).collect(),
            pool: self.request.pool.iter().map(ToString::to_string).collect(),
            out_of_fold: fitted.saved.out_of_fold.is_some(),
            seed: self.request.seed.0,
            program_version: PROGRAM.into(),
            instruction_set: instruction_set().into(),
            metrics: self.metrics(fitted),
            baseline_metrics: baselines_value(&fitted.report),
            tries: self.tries[k],
            feature_histograms: Value::Null,
        })
    }

    /// The scores, with the shares of the split that they come of.
    fn metrics(&self, fitted: &FittedMarket) -> Value {
        let common = &self.request.common;
        let mut metrics = scored_metrics_value(&fitted.report.models[fitted.model], fitted.report.origins);
        if let Some(fields) = metrics.as_object_mut() {
            fields.insert("validShare".into(), common.valid_share.into());
            fields.insert("testShare".into(), fitted.test_share.into());
            fields.extend(common.test_share.map(|share| (TEST_SHARE_ASKED.to_owned(), share.into())));
        }
        metrics
    }
}

/// `lstm BTCUSDT 1h`, with the task where it is not the price.
fn name(slot: &Slot) -> String {
    let (model, key) = (slot.family.model(), slot.family.key().label());
    match slot.family.task() {
        "price" => format!("{model} {key}"),
        task => format!("{model} {key} {task}"),
    }
}
