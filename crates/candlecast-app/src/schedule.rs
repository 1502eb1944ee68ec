//! Trainings at set times: `[[schedule]]` in the configuration, and the queueing of what has come due.
//!
//! A time is a slot, named by its instant, and a slot's job is named by the training and the slot. So whoever asks,
//! and however often, a slot is queued once; and a slot that came while no program ran is queued by the next one that
//! asks. Slots that passed unseen are made up for by one training, not one each.

mod read;
mod when;

use std::collections::BTreeMap;
use std::fmt;

use candlecast_core::{Interval, SeriesKey, Symbol, Timestamp, Venue};
use candlecast_meta::{JobStore, MetaError, NewJob};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

pub(crate) use self::read::read_schedule;
pub use self::when::When;

use crate::jobs::set_id;
use crate::{App, AppError, Common, ModelRequest, Wanted};

/// A model that is trained again at set times.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduledTraining {
    /// Catalog id of the model.
    pub model: String,
    /// Parameters that differ from the defaults.
    pub params: Map<String, Value>,
    /// Symbol.
    pub symbol: Symbol,
    /// Venue, where given.
    pub venue: Option<Venue>,
    /// Interval, where given.
    pub interval: Option<Interval>,
    /// How far ahead, such as `24h`.
    pub horizon: String,
    /// Higher goes first in the queue.
    pub priority: i32,
    /// When.
    pub when: When,
}

/// A training and the newest of its set times that has come.
struct Due<'a> {
    training: &'a ScheduledTraining,
    slot: Timestamp,
}

/// What [`App::queue_due`] did.
#[derive(Debug, Default)]
pub struct QueuedTrainings {
    /// Jobs that were added.
    pub jobs: Vec<String>,
    /// Trainings that are due and cannot be queued, each with the reason; they are tried again at the next call.
    pub problems: Vec<AppError>,
}

impl ScheduledTraining {
    /// What tells it from the others: the same at every start, whenever it is due. At most 80 visible characters.
    pub fn key(&self) -> String {
        format!("schedule:{}:{}:{:016x}", self.symbol, self.model, self.hash())
    }

    /// Hash of everything but the times and the priority.
    fn hash(&self) -> u64 {
        // The order in which parameters are written says nothing.
        let params: BTreeMap<&String, &Value> = self.params.iter().collect();
        let what = json!([self.symbol, self.model, self.venue, self.interval, self.horizon, params]);
        let digest = Sha256::digest(what.to_string().as_bytes());
        digest.iter().take(8).fold(0, |n, &byte| (n << 8) | u64::from(byte))
    }

    fn wanted(&self) -> Wanted {
        Wanted { symbol: self.symbol.clone(), venue: self.venue.clone(), interval: self.interval }
    }

    /// The model as a request.
    pub fn request(&self) -> ModelRequest {
        ModelRequest { id: self.model.clone(), params: Value::Object(self.params.clone()) }
    }

    /// What the pipeline is to be for `series`: the defaults at the horizon, which must fit its interval.
    pub fn common(&self, series: &SeriesKey) -> Result<Common, AppError> {
        Ok(Common::new(series.interval.horizon_steps(&self.horizon)?))
    }
}

impl fmt::Display for ScheduledTraining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scheduled training of {} for {}", self.model, self.symbol)
    }
}

impl Due<'_> {
    /// Identity of its job, one for each slot.
    fn job_id(&self) -> String {
        set_id(self.slot, self.training.hash())
    }

    /// `job` under the names of this training and slot.
    fn named(&self, job: NewJob) -> NewJob {
        let training = self.training;
        NewJob { id: self.job_id(), dedupe_key: Some(training.key()), priority: training.priority, ..job }
    }
}

/// Every training of `schedule` with the newest of its set times that has come by `now`, in the order of the schedule.
/// Whether that one was queued already is for the jobs to say.
fn due(schedule: &[ScheduledTraining], now: Timestamp) -> impl Iterator<Item = Due<'_>> {
    schedule.iter().filter_map(move |training| Some(Due { training, slot: training.when.slot(now)? }))
}

impl App {
    /// Queues every scheduled training that has come due by `now`, each set time once, in whatever process and however
    /// often this is called. `make` gives the job for a training of a stored series; its id, its dedupe key and its
    /// priority are set here. While a training's job of an earlier time is waiting or running, the next one is held
    /// back. Nothing is queued where `training_enabled` is false.
    ///
    /// A set time counts as queued as long as its job is in the metadata database; the settings see to it that jobs are
    /// kept for longer than a training waits for its next time.
    pub async fn queue_due<F>(&self, now: Timestamp, make: F) -> Result<QueuedTrainings, AppError>
    where
        F: Fn(&ScheduledTraining, &SeriesKey) -> Result<NewJob, AppError> + Send,
    {
        let mut outcome = QueuedTrainings::default();
        if !self.settings.training_enabled || self.settings.schedule.is_empty() {
            return Ok(outcome);
        }
        let store = self.metadata().await?;
        for due in due(&self.settings.schedule, now) {
            if is_known(store.as_ref(), &due.job_id()).await? {
                continue;
            }
            let series = self.find_series(&due.training.wanted()).await;
            match series.and_then(|series| make(due.training, &series)) {
                Ok(job) => {
                    let queued = store.enqueue(&due.named(job), now).await?;
                    outcome.jobs.extend(queued.is_new.then_some(queued.job.id));
                }
                Err(e) => outcome.problems.push(e.context(due.training)),
            }
        }
        Ok(outcome)
    }
}

/// True where the job of this slot was queued before, whatever became of it.
async fn is_known<S: JobStore + ?Sized>(store: &S, id: &str) -> Result<bool, AppError> {
    match store.job(id).await {
        Ok(_) => Ok(true),
        Err(MetaError::NotFound { .. }) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests;
