//! [`Attempt`]: one attempt at a run.

use candlecast_core::Timestamp;
use candlecast_host::job_id;

/// One attempt at a run, under which it is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Identity of the attempt, under which the run is on record.
    pub id: String,
    job_id: Option<String>,
    /// Number of the attempt, from 1.
    pub number: u32,
}

impl Attempt {
    /// Attempt `number`, from 1, of a job.
    pub fn of_job(job_id: &str, number: u32) -> Self {
        Self { id: format!("{job_id}-{number}"), job_id: Some(job_id.to_owned()), number }
    }

    /// A run outside of any job.
    pub fn alone(now: Timestamp) -> Self {
        Self { id: job_id(now), job_id: None, number: 1 }
    }

    /// The job, if it is one.
    pub fn job_id(&self) -> Option<&str> {
        self.job_id.as_deref()
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
}
