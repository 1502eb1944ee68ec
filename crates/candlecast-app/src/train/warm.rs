//! Where a warm fit begins: with the version that serves.
//!
//! Every attempt at a job begins with the same version. An attempt that was stopped right after it had saved would else
//! be repeated from its own result, and the job would bring another model than an undisturbed one.

use candlecast_core::Problem;
use candlecast_host::Checkpoints;
use candlecast_jobs::steps;
use candlecast_learn::ForecasterState;
use candlecast_monitor::identity;
use candlecast_pipeline::{SavedModel, WarmStart};
use candlecast_registry::{Loaded, Slot};

/// Its name among the notes of a job. By the next attempt the version may be deleted, so its weights are noted too.
const NOTE: &str = "warm-start";

/// The start that the version which serves in `slot` gives. Whether a fit may begin with it is seen where its features
/// and its data are known.
fn start_of(serving: Option<&Loaded<SavedModel>>, slot: &Slot) -> Result<WarmStart, Problem> {
    let refused = |why: &str| WarmStart::refused(slot.family.model(), why);
    let Some(Loaded { manifest, payload: saved, .. }) = serving else {
        let horizon = steps(slot.horizon);
        return Err(refused(&format!("no version serves yet for {horizon}: train once without --warm-start")));
    };
    let ForecasterState::Pipeline(state) = &saved.forecaster else {
        return Err(refused("it is made of models, which are fitted afresh: leave out --warm-start"));
    };
    let identity = identity(manifest);
    Ok(WarmStart {
        id: identity.id,
        version: identity.version,
        features: identity.features,
        trained_to: saved.trained_to,
        state: state.as_ref().clone(),
    })
}

/// Where an attempt at a warm fit begins: where the attempt before it did, as the `notes` of the job say, else with the
/// version that serves in `slot`.
pub(super) fn warm_start(
    notes: Option<&Checkpoints>,
    serving: Option<&Loaded<SavedModel>>,
    slot: &Slot,
) -> Result<WarmStart, Problem> {
    let noted = notes.and_then(|notes| notes.recall(NOTE));
    if let Some(begun) = noted.and_then(|content| serde_json::from_slice(&content).ok()) {
        return Ok(begun);
    }
    let begun = start_of(serving, slot)?;
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
    use candlecast_core::{CandleSeries, FeatureSet, ModelRequest, Seed, TimeRange, Timestamp};
    use candlecast_learn::ScalerKind;
    use serde_json::{Value, json};
    use tempfile::TempDir;

    use super::*;
    use crate::data::store_series;
    use crate::train::{TrainJob, Trained, train_on_record};
    use candlecast_config::Flags;
    use candlecast_config::Settings;
    use candlecast_core::NoProgress;
    use candlecast_host::Clock;
    use candlecast_host::Host;
    use candlecast_host::HostOptions;
    use candlecast_jobs::Attempt;
    use candlecast_monitor::load_version;
    use candlecast_pipeline::PipelineOptions;

    fn weights(app: &Host, trained: &Trained) -> Value {
        let manifest = &trained.models[0].manifest;
        let loaded = load_version(&app.registry, &manifest.family().unwrap(), manifest.version).unwrap();
        serde_json::to_value(loaded.payload.forecaster).unwrap()
    }

    /// A host over a folder of its own, with the candles of `series`.
    async fn host_with(series: &CandleSeries) -> (Host, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let flags = Flags { data_dir: Some(folder.path().to_owned()), ..Flags::default() };
        let options = HostOptions {
            seed: Seed(42),
            threads: Some(2),
            clock: Clock::Fixed(Timestamp::year_start(2024)),
            cancel: Arc::new(AtomicBool::new(false)),
        };
        let app = Host::open(Settings::load(&flags, |_| None, &crate::MODEL_CATALOG).unwrap(), options).unwrap();
        store_series(&app, series).await.unwrap();
        (app, folder)
    }

    fn cold_job(series: &CandleSeries) -> TrainJob {
        TrainJob {
            series: vec![series.key().clone()],
            pool: vec![],
            model: ModelRequest { id: "gbdt".into(), params: json!({ "rounds": 10, "patience": 0, "maxDepth": 3 }) },
            common: PipelineOptions {
                features: Some(FeatureSet::of(&["log_return_1", "hour_sin"])),
                ..PipelineOptions::new(3)
            },
            range: TimeRange::ALL,
            warm_start: false,
            confidence_threshold: None,
            seed: Seed(42),
        }
    }

    async fn refused(app: &Host, job: &TrainJob) -> Problem {
        let attempt = Attempt::alone(app.now());
        train_on_record(app, job, Arc::new(NoProgress), attempt).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_repeated_attempt_begins_where_the_first_one_did() {
        let series = random_walk(2_500, Seed(4), 0.4);
        let (app, _folder) = host_with(&series).await;
        let cold = cold_job(&series);
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
        let refused = refused(&app, &elsewhere).await;
        assert!(refused.code == "bad-warm-start" && refused.detail.contains("for 2 steps"), "{refused}");
    }

    /// The fit that is saved would hold trees of candles on which the model is validated later as if it had not seen them.
    #[tokio::test]
    async fn a_version_that_has_seen_later_candles_is_nothing_to_begin_with() {
        let series = random_walk(2_500, Seed(4), 0.4);
        let (app, _folder) = host_with(&series).await;
        let cold = cold_job(&series);
        let attempt = || Attempt::alone(app.now());
        let served = train_on_record(&app, &cold, Arc::new(NoProgress), attempt()).await.unwrap();
        let manifest = &served.models[0].manifest;
        let end = Timestamp(series.open_time()[2_000]);
        let range = TimeRange { to: end, ..TimeRange::ALL };
        let earlier = TrainJob { range, warm_start: true, ..cold.clone() };
        let refused = refused(&app, &earlier).await;
        assert_eq!((refused.code, refused.exit_code()), ("bad-warm-start", 2));
        for part in [&manifest.id, &manifest.data_range.to.to_string(), &end.to_string()] {
            assert!(refused.detail.contains(part.as_str()), "{part}: {refused}");
        }
        assert_eq!(app.registry.names().unwrap().len(), 1, "nothing was saved");
        // Begun from nothing it may be trained, and a warm start on the same candles may, too.
        for job in [TrainJob { range, ..cold.clone() }, TrainJob { warm_start: true, ..cold }] {
            train_on_record(&app, &job, Arc::new(NoProgress), attempt()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn weights_of_other_features_or_scalers_are_refused() {
        let series = random_walk(2_500, Seed(4), 0.4);
        let (app, _folder) = host_with(&series).await;
        let cold = cold_job(&series);
        train_on_record(&app, &cold, Arc::new(NoProgress), Attempt::alone(app.now())).await.unwrap();
        let as_many = Some(FeatureSet::of(&["log_return_1", "hour_cos"]));
        let others = [
            (PipelineOptions { features: as_many, ..cold.common.clone() }, "hour_sin"),
            (PipelineOptions { scaler: Some(ScalerKind::Robust), ..cold.common.clone() }, "--scaler"),
        ];
        for (common, words) in others {
            let refused = refused(&app, &TrainJob { common, warm_start: true, ..cold.clone() }).await;
            assert!(refused.code == "bad-warm-start" && refused.detail.contains(words), "{words}: {refused}");
        }
    }
}
