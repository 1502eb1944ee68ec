//! [`WarmStart`]: the weights that a saved fit begins with.
//!
//! Every attempt at a job begins with those of the same version. An attempt that was stopped right after it had saved
//! would else be repeated from its own result, and the job would bring another model than an undisturbed one.

use candlecast_core::{ModelRequest, Problem};
use candlecast_host::{Checkpoints, Host};
use candlecast_jobs::{Attempt, steps};
use candlecast_learn::{ForecasterState, ModelState};
use candlecast_pipeline::SavedModel;
use candlecast_registry::{Loaded, Slot, Version};
use serde::{Deserialize, Serialize};

/// Its name among the notes of a job.
const NOTE: &str = "warm-start";

/// Where a warm fit begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WarmStart {
    /// The version that served when the job was first attempted.
    pub(super) version: Version,
    /// Its weights: by the next attempt the version may be deleted.
    pub(super) weights: ModelState,
}

impl WarmStart {
    /// From the version that serves in `slot`, if a fit of `request` can begin with its weights.
    fn of(serving: Option<&Loaded<SavedModel>>, request: &ModelRequest, slot: &Slot) -> Result<Self, Problem> {
        let refused = |why: String| {
            let detail = format!("warm start of {}: {why}", slot.family.model());
            Problem::usage("bad-warm-start", "warm-start", detail)
        };
        let Some(Loaded { manifest, payload: saved, .. }) = serving else {
            let horizon = steps(slot.horizon);
            return Err(refused(format!("no version serves yet for {horizon}: train once without --warm-start")));
        };
        let ForecasterState::Pipeline(state) = &saved.forecaster else {
            return Err(refused("it is made of models, which are fitted afresh: leave out --warm-start".into()));
        };
        if state.config.params != request.params {
            return Err(refused(format!(
                "version {} was trained with the parameters {}: give the same ones, or leave out --warm-start",
                manifest.version, state.config.params
            )));
        }
        Ok(Self { version: manifest.version, weights: state.model.clone() })
    }
}

/// Where `attempt` at a warm fit of `request` begins: where the attempt before it did, else with the version that
/// serves in `slot`.
pub(super) fn warm_start(
    host: &Host,
    attempt: &Attempt,
    serving: Option<&Loaded<SavedModel>>,
    request: &ModelRequest,
    slot: &Slot,
) -> Result<WarmStart, Problem> {
    let notes = attempt.job_id().map(|job_id| Checkpoints::of_job(&host.checkpoints_dir(), job_id));
    let noted = notes.as_ref().and_then(|notes| notes.recall(NOTE));
    if let Some(begun) = noted.and_then(|content| serde_json::from_slice(&content).ok()) {
        return Ok(begun);
    }
    let begun = WarmStart::of(serving, request, slot)?;
    if let (Some(notes), Ok(content)) = (notes, serde_json::to_vec(&begun)) {
        notes.keep(NOTE, &content);
    }
    Ok(begun)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use candlecast_core::market::random_walk;
    use candlecast_core::{FeatureSet, Seed, TimeRange, Timestamp};
    use serde_json::{Value, json};

    use super::*;
    use crate::data::store_series;
    use crate::train::{TrainJob, Trained, train_on_record};
    use candlecast_config::Flags;
    use candlecast_config::Settings;
    use candlecast_core::NoProgress;
    use candlecast_host::Clock;
    use candlecast_host::HostOptions;
    use candlecast_monitor::load_version;
    use candlecast_pipeline::PipelineOptions;

    fn weights(app: &Host, trained: &Trained) -> Value {
        let manifest = &trained.models[0].manifest;
        let loaded = load_version(&app.registry, &manifest.family().unwrap(), manifest.version).unwrap();
        serde_json::to_value(loaded.payload.forecaster).unwrap()
    }

    #[tokio::test]
    async fn a_repeated_attempt_begins_where_the_first_one_did() {
        let folder = tempfile::tempdir().unwrap();
        let flags = Flags { data_dir: Some(folder.path().to_owned()), ..Flags::default() };
        let options = HostOptions {
            seed: Seed(42),
            threads: Some(2),
            clock: Clock::Fixed(Timestamp::year_start(2024)),
            cancel: Arc::new(AtomicBool::new(false)),
        };
        let app = Host::open(Settings::load(&flags, |_| None, &crate::MODEL_CATALOG).unwrap(), options).unwrap();
        let series = random_walk(2_500, Seed(4), 0.4);
        store_series(&app, &series).await.unwrap();
        let cold = TrainJob {
            series: vec![series.key().clone()],
            model: ModelRequest { id: "gbdt".into(), params: json!({ "rounds": 10, "patience": 0, "maxDepth": 3 }) },
            common: PipelineOptions {
                features: Some(FeatureSet::of(&["log_return_1", "hour_sin"])),
                ..PipelineOptions::new(3)
            },
            range: TimeRange::ALL,
            warm_start: false,
            seed: app.seed,
        };
        let warm = TrainJob { warm_start: true, ..cold.clone() };
        let train = async |request: &TrainJob, attempt: Attempt| {
            train_on_record(&app, request, Arc::new(NoProgress), attempt).await.unwrap()
        };
        let first = train(&cold, Attempt::alone(app.now())).await;
        let saved = train(&warm, Attempt::of_job("stopped", 1)).await;
        assert_eq!(saved.models[0].candidate_because, None, "it serves, so that the next attempt finds it");
        assert_ne!(weights(&app, &saved), weights(&app, &first));
        // Stopped before the end of the job was on record, it is done again.
        let again = train(&warm, Attempt::of_job("stopped", 2)).await;
        assert_eq!((&again.models[0].manifest.id, again.fit), (&saved.models[0].manifest.id, saved.fit.clone()));
        assert_eq!(app.registry.names().unwrap().len(), 2);
        // Another job begins with what serves by now.
        let other = train(&warm, Attempt::of_job("other", 1)).await;
        assert_ne!(weights(&app, &other), weights(&app, &saved));
        // What serves at another horizon is none of its business.
        let common = PipelineOptions { horizon: 2, ..warm.common.clone() };
        let elsewhere = TrainJob { common, ..warm.clone() };
        let attempt = Attempt::alone(app.now());
        let refused = train_on_record(&app, &elsewhere, Arc::new(NoProgress), attempt).await.unwrap_err();
        assert!(refused.code == "bad-warm-start" && refused.detail.contains("for 2 steps"), "{refused}");
    }
}
