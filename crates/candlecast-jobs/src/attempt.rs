//! [`Attempt`]: one attempt at a run.

use candlecast_core::{Problem, Timestamp};
use candlecast_host::{LOCAL, job_id};

use crate::fence::Fence;

/// Longest name of who changed something, in characters.
const MAX_ACTOR_CHARS: usize = 100;

/// One attempt at a run, under which it is on record.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Identity of the attempt, under which the run is on record.
    pub id: String,
    job_id: Option<String>,
    /// Number of the attempt, from 1.
    pub number: u32,
    fence: Option<Fence>,
}

impl Attempt {
    /// Attempt `number`, from 1, of a job.
    pub fn of_job(job_id: &str, number: u32) -> Self {
        Self { id: format!("{job_id}-{number}"), job_id: Some(job_id.to_owned()), number, fence: None }
    }

    /// The same under a lease that may be lost.
    pub(crate) fn fenced(self, fence: Fence) -> Self {
        Self { fence: Some(fence), ..self }
    }

    /// A run outside of any job.
    pub fn alone(now: Timestamp) -> Self {
        Self { id: job_id(now), job_id: None, number: 1, fence: None }
    }

    /// An error where the job is another's by now; to be asked right before anything of it is saved. A process that
    /// stood still, or lost the database for long, would else save what another attempt saves, too. Nothing outside of
    /// a job.
    pub async fn check_held(&self) -> Result<(), Problem> {
        match &self.fence {
            Some(fence) => fence.pass().await,
            None => Ok(()),
        }
    }

    /// The job, if it is one.
    pub fn job_id(&self) -> Option<&str> {
        self.job_id.as_deref()
    }

    /// Who saves its model, in the record of what served: `job <id>`, or `local` outside of any job.
    pub fn actor(&self) -> String {
        match &self.job_id {
            Some(id) => format!("job {id}").chars().take(MAX_ACTOR_CHARS).collect(),
            None => LOCAL.to_owned(),
        }
    }

    /// True when an earlier attempt may have got as far as saving its model.
    pub fn is_repeated(&self) -> bool {
        self.number > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attempt_of_a_job_has_a_record_of_its_own() {
        let (first, second) = (Attempt::of_job("abc", 1), Attempt::of_job("abc", 2));
        assert_ne!(first.id, second.id);
        assert_eq!((first.is_repeated(), second.is_repeated()), (false, true));
        assert!(!Attempt::alone(Timestamp(0)).is_repeated());
    }

    #[test]
    fn who_saves_a_model_is_the_job_or_whoever_called() {
        assert_eq!(Attempt::of_job("abc", 2).actor(), "job abc");
        assert_eq!(Attempt::of_job(&"x".repeat(200), 1).actor().chars().count(), MAX_ACTOR_CHARS);
        assert_eq!(Attempt::alone(Timestamp(0)).actor(), "local");
    }
}
