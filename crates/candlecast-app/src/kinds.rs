//! Every kind of job, in order: a kind is one file and one line.

use candlecast_jobs::{JobCatalog, Kind};

use crate::evaluate::EvaluateJob;
use crate::search::SearchJob;
use crate::train::TrainJob;

/// Every kind of job, and what a worker queues by itself.
pub static JOBS: JobCatalog = JobCatalog {
    kinds: &[Kind::of::<TrainJob>(), Kind::of::<EvaluateJob>(), Kind::of::<SearchJob>()],
    upkeep: |host| Box::pin(crate::upkeep::queue_upkeep(host)),
};

/// Names of the kinds.
pub fn kind_ids() -> impl Iterator<Item = &'static str> {
    JOBS.ids()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn kinds_have_names_of_their_own_and_unknown_ones_are_told() {
        let ids: BTreeSet<&str> = kind_ids().collect();
        assert_eq!(ids.len(), JOBS.kinds.len());
        let error = JOBS.find("trian").err().unwrap();
        assert!(error.detail.contains("train, evaluate, hpo"), "{error}");
        let left: Vec<&str> = JOBS.kinds.iter().filter(|kind| !kind.trains).map(|kind| kind.id).collect();
        assert_eq!(left, ["evaluate"]);
    }
}
