//! Trainings at set times: `[[schedule]]` in the configuration, and the queueing of what has come due.
//!
//! A time is a slot, named by its instant, and a slot's job is named by the training and the slot. So whoever asks,
//! and however often, a slot is queued once; and a slot that came while no program ran is queued by the next one that
//! asks. Slots that passed unseen are made up for by one training, not one each.

use candlecast_config::ScheduledTraining;
use candlecast_core::{Problem, SeriesKey, Timestamp};
use candlecast_host::{Host, SeriesQuery, content_hash, models_folder, set_id};
use candlecast_jobs::QueuedTrainings;
use candlecast_meta::{JobStore, MetaError, NewJob};
use candlecast_pipeline::PipelineOptions;

use crate::pool::pool_of;

/// A training and the newest of its set times that has come.
struct Due<'a> {
    training: &'a ScheduledTraining,
    slot: Timestamp,
}

impl Due<'_> {
    /// Identity of its job, one for each slot and folder of models.
    fn job_id(&self, folder: &str) -> String {
        set_id(self.slot, self.training.hash() ^ hash_of(folder))
    }

    /// `job` under the names of this training and slot, to be done beside `folder`, whose schedule it is.
    fn named(&self, job: NewJob, folder: &str) -> NewJob {
        let training = self.training;
        let (key, folder_of_job) = if folder.is_empty() {
            (training.key(), None)
        } else {
            (format!("{}@{folder}", training.key()), Some(folder.to_owned()))
        };
        let (id, dedupe_key) = (self.job_id(folder), Some(key));
        NewJob { id, dedupe_key, priority: training.priority, folder: folder_of_job, ..job }
    }
}

/// Hash of the name of a folder; 0 where there is only one, which has none.
fn hash_of(folder: &str) -> u64 {
    if folder.is_empty() {
        return 0;
    }
    let digest = content_hash(&folder.into());
    u64::from_str_radix(&digest[..16], 16).expect("the digest is hexadecimal")
}

/// Every training of `schedule` with the newest of its set times that has come by `now`, in the order of the schedule.
/// Whether that one was queued already is for the jobs to say.
fn due(schedule: &[ScheduledTraining], now: Timestamp) -> impl Iterator<Item = Due<'_>> {
    schedule.iter().filter_map(move |training| Some(Due { training, slot: training.when.slot(now)? }))
}

/// Queues every scheduled training that has come due by `now`, each set time once, in whatever process and however
/// often this is called. `make` gives the job for a training of a stored series and the series of its pool, none where it
/// has none; its id, its dedupe key and its priority are set here. While a training's job of an earlier time is waiting or running, the next one is held
/// back. Nothing is queued where `training_enabled` is false. Where several folders of models share the queue, each has its
/// own schedule, and its workers do what is on it.
///
/// A set time counts as queued as long as its job is in the metadata database; the settings see to it that jobs are
/// kept for longer than a training waits for its next time.
pub(crate) async fn queue_due<F>(host: &Host, now: Timestamp, make: F) -> Result<QueuedTrainings, Problem>
where
    F: Fn(&ScheduledTraining, &SeriesKey, Vec<SeriesKey>) -> Result<NewJob, Problem> + Send,
{
    let mut outcome = QueuedTrainings::default();
    if !host.settings.training_enabled || host.settings.schedule.is_empty() {
        return Ok(outcome);
    }
    let (store, folder) = (host.metadata().await?, models_folder(host).await?);
    for due in due(&host.settings.schedule, now) {
        if is_known(store.as_ref(), &due.job_id(&folder)).await? {
            continue;
        }
        let found = series_and_pool(host, due.training).await;
        match found.and_then(|(series, pool)| make(due.training, &series, pool)) {
            Ok(job) => {
                let queued = store.enqueue(&due.named(job, &folder), now).await?;
                outcome.jobs.extend(queued.is_new.then_some(queued.job.id));
            }
            Err(e) => outcome.problems.push(e.context(due.training)),
        }
    }
    Ok(outcome)
}

/// The series that `training` names, and those that its model learns from beside it.
async fn series_and_pool(host: &Host, training: &ScheduledTraining) -> Result<(SeriesKey, Vec<SeriesKey>), Problem> {
    let series = host.find_series(&query(training)).await?;
    let pool = if training.pool { pool_of(host, std::slice::from_ref(&series)).await? } else { vec![] };
    Ok((series, pool))
}

/// The series that `training` names.
fn query(training: &ScheduledTraining) -> SeriesQuery {
    SeriesQuery { symbol: training.symbol.clone(), venue: training.venue.clone(), interval: training.interval }
}

/// What the pipeline is to be for `series`: the defaults at the horizon, which must fit its interval.
pub(crate) fn options(training: &ScheduledTraining, series: &SeriesKey) -> Result<PipelineOptions, Problem> {
    Ok(PipelineOptions::new(series.interval.horizon_steps(&training.horizon)?))
}

/// True where the job of this slot was queued before, whatever became of it.
async fn is_known<S: JobStore + ?Sized>(store: &S, id: &str) -> Result<bool, Problem> {
    match store.job(id).await {
        Ok(_) => Ok(true),
        Err(MetaError::NotFound { .. }) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests;
