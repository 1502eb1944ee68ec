//! What a worker does by itself: trainings of the schedule, and of models that have outlived their time; and the end of
//! old records.

use candlecast_config::ScheduledTraining;
use candlecast_core::{Problem, SeriesKey};
use candlecast_host::{Host, system_time};
use candlecast_jobs::{JobKind, JobOptions, QueuedTrainings, new_job};
use candlecast_meta::NewJob;

use crate::catch_up::catch_up;
use crate::models::{StaleModel, queue_retraining};
use crate::retention::forget_all_but_jobs;
use crate::schedule::queue_due;
use crate::train::TrainJob;

/// Brings to its end what programs that are gone could not, forgets old records (old jobs a worker forgets apart from
/// that), and queues every training that has come due, each once, whoever else asks. Nothing is queued where training is
/// switched off.
pub async fn queue_upkeep(host: &Host) -> Result<QueuedTrainings, Problem> {
    catch_up(host).await;
    forget_all_but_jobs(host).await;
    let mut queued =
        queue_due(host, system_time(), |training, key, pool| scheduled_job(host, training, key, pool)).await?;
    if host.settings.training_enabled {
        let auto_retrain = host.settings.auto_retrain;
        match queue_retraining(host, auto_retrain, |stale| retraining_job(host, stale)).await {
            Ok(again) => {
                queued.jobs.extend(again.jobs);
                queued.problems.extend(again.problems);
            }
            // What the schedule queued is told all the same.
            Err(e) => queued.problems.push(e),
        }
    }
    Ok(queued)
}

fn scheduled_job(
    host: &Host,
    training: &ScheduledTraining,
    key: &SeriesKey,
    pool: Vec<SeriesKey>,
) -> Result<NewJob, Problem> {
    let common = crate::schedule::options(training, key)?;
    let request = TrainJob::new(vec![key.clone()], training.request(), common, host.seed);
    upkeep_job(&TrainJob { pool, ..request }.with_defaults(&host.settings))
}

/// The configuration is the saved one: a default that was set since then would make another model of it.
fn retraining_job(host: &Host, stale: &StaleModel) -> Result<NewJob, Problem> {
    let request = TrainJob::new(stale.series.clone(), stale.request.clone(), stale.common.clone(), host.seed);
    upkeep_job(&TrainJob { pool: stale.pool.clone(), range: stale.range, ..request })
}

fn upkeep_job(request: &TrainJob) -> Result<NewJob, Problem> {
    request.check()?;
    new_job(request, &JobOptions::default())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use candlecast_core::{Interval, Seed, Symbol, TimeRange, Timestamp, Venue};
    use serde_json::{Value, json};

    use super::*;
    use candlecast_config::Environment;
    use candlecast_config::Flags;
    use candlecast_config::Settings;
    use candlecast_core::ModelRequest;
    use candlecast_host::Clock;
    use candlecast_host::HostOptions;
    use candlecast_pipeline::PipelineOptions;

    const SCHEDULE: &str = "[[schedule]]\nmodels = ['lstm']\nsymbol = 'BTCUSDT'\nevery = '1d'\nset = { epochs = 3 }\n";

    /// With defaults for the networks that were set after the models were trained.
    fn app(folder: &Path) -> Host {
        std::fs::write(folder.join("candlecast.toml"), SCHEDULE).unwrap();
        let flags = Flags { data_dir: Some(folder.to_owned()), ..Flags::default() };
        let variables = [("ML_LSTM_EPOCHS", "7"), ("ML_BATCH_SIZE", "64")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Settings::read(&flags, &Environment::new(folder, variables), &crate::MODEL_CATALOG).unwrap();
        let options = HostOptions {
            seed: Seed(42),
            threads: Some(1),
            clock: Clock::Fixed(Timestamp::year_start(2024)),
            cancel: Arc::new(AtomicBool::new(false)),
        };
        Host::open(settings, options).unwrap()
    }

    fn params(job: Result<NewJob, Problem>) -> Value {
        job.unwrap().payload["model"]["params"].clone()
    }

    #[test]
    fn a_model_is_trained_again_as_it_was_whatever_the_defaults_are_by_now() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(folder.path());
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        let mut stale = StaleModel {
            model_id: "BTCUSDT_LSTM_1.0.0".into(),
            trained_at: Timestamp::year_start(2023),
            series: vec![key.clone()],
            pool: vec![],
            request: ModelRequest { id: "lstm".into(), params: json!({ "hiddenSize": 4 }) },
            common: PipelineOptions::new(24),
            range: TimeRange::ALL,
        };
        assert_eq!(params(retraining_job(&app, &stale)), json!({ "hiddenSize": 4 }));
        stale.request.params = json!({});
        assert_eq!(params(retraining_job(&app, &stale)), json!({}));
        // With a pool, if it had one.
        assert_eq!(retraining_job(&app, &stale).unwrap().payload.get("pool"), None);
        let other = SeriesKey { symbol: Symbol::new("ETHUSDT").unwrap(), ..key.clone() };
        stale.pool = vec![other.clone()];
        assert_eq!(retraining_job(&app, &stale).unwrap().payload["pool"], json!([other]));

        // What the configuration asks for follows its defaults.
        let scheduled = |pool| scheduled_job(&app, &app.settings.schedule[0], &key, pool);
        assert_eq!(params(scheduled(vec![])), json!({ "epochs": 3, "batchSize": 64 }));
        assert_eq!(scheduled(vec![other.clone()]).unwrap().payload["pool"], json!([other]));
        assert_eq!(scheduled(vec![key.clone()]).err().unwrap().code, "bad-series", "a series is no pool of itself");
    }
}
