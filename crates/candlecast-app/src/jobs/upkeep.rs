//! What nobody asks for by hand: trainings of the schedule, and of models that have outlived their time; and the end of
//! the record of jobs that ended long ago.

use candlecast_core::{SeriesKey, TimeRange};
use candlecast_meta::NewJob;

use super::foreground::{JobOptions, new_job};
use super::kind::JobKind;
use super::kinds::TrainJob;
use crate::app::system_time;
use crate::models::StaleModel;
use crate::{App, AppError, QueuedTrainings, ScheduledTraining};

const DAY_MS: i64 = 86_400_000;

impl App {
    /// Queues every training that has come due, each once, whoever else asks. Nothing where training is switched off.
    pub async fn queue_upkeep(&self) -> Result<QueuedTrainings, AppError> {
        let mut queued = self.queue_due(system_time(), |training, key| self.scheduled_job(training, key)).await?;
        if self.settings.training_enabled {
            let auto_retrain = self.settings.auto_retrain;
            match self.queue_retraining(auto_retrain, |stale| self.retraining_job(stale)).await {
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

    /// Forgets jobs that ended longer ago than they are kept, with their logs; returns how many. The runs, the ledger and
    /// the models that came of them stay.
    pub async fn forget_old_jobs(&self) -> Result<u64, AppError> {
        let kept_ms = i64::from(self.settings.keep_jobs_days) * DAY_MS;
        Ok(self.metadata().await?.forget_jobs(system_time().plus_ms(-kept_ms)).await?)
    }

    fn scheduled_job(&self, training: &ScheduledTraining, key: &SeriesKey) -> Result<NewJob, AppError> {
        let request = TrainJob {
            series: key.clone(),
            model: training.request(),
            common: training.common(key)?,
            range: TimeRange::ALL,
            warm_start: false,
            seed: self.seed,
        };
        upkeep_job(&request.with_defaults(&self.settings))
    }

    /// The configuration is the saved one: a default that was set since then would make another model of it.
    fn retraining_job(&self, stale: &StaleModel) -> Result<NewJob, AppError> {
        upkeep_job(&TrainJob {
            series: stale.key.clone(),
            model: stale.request.clone(),
            common: stale.common.clone(),
            range: stale.range,
            warm_start: false,
            seed: self.seed,
        })
    }
}

fn upkeep_job(request: &TrainJob) -> Result<NewJob, AppError> {
    request.check()?;
    new_job(request, &JobOptions::default())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use candlecast_core::{Interval, Seed, Symbol, Timestamp, Venue};
    use serde_json::{Value, json};

    use super::*;
    use crate::{AppClock, AppOptions, Common, Environment, Flags, ModelRequest, Settings};

    const SCHEDULE: &str = "[[schedule]]\nmodels = ['lstm']\nsymbol = 'BTCUSDT'\nevery = '1d'\nset = { epochs = 3 }\n";

    /// With defaults for the networks that were set after the models were trained.
    fn app(folder: &Path) -> App {
        std::fs::write(folder.join("candlecast.toml"), SCHEDULE).unwrap();
        let flags = Flags { data_dir: Some(folder.to_owned()), ..Flags::default() };
        let variables = [("ML_LSTM_EPOCHS", "7"), ("ML_BATCH_SIZE", "64")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let settings = Settings::read(&flags, &Environment::new(folder, variables)).unwrap();
        let options = AppOptions {
            seed: Seed(42),
            threads: Some(1),
            clock: AppClock::Fixed(Timestamp::year_start(2024)),
            cancel: Arc::new(AtomicBool::new(false)),
        };
        App::open(settings, options).unwrap()
    }

    fn params(job: Result<NewJob, AppError>) -> Value {
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
            key: key.clone(),
            request: ModelRequest { id: "lstm".into(), params: json!({ "hiddenSize": 4 }) },
            common: Common::new(24),
            range: TimeRange::ALL,
        };
        assert_eq!(params(app.retraining_job(&stale)), json!({ "hiddenSize": 4 }));
        stale.request.params = json!({});
        assert_eq!(params(app.retraining_job(&stale)), json!({}));

        // What the configuration asks for follows its defaults.
        let scheduled = app.scheduled_job(&app.settings.schedule[0], &key);
        assert_eq!(params(scheduled), json!({ "epochs": 3, "batchSize": 64 }));
    }
}
