//! Every kind of job, in order: a kind is one file and one line.

use candlecast_core::{ModelRequest, Problem};
use candlecast_jobs::{JobCatalog, Kind};
use candlecast_pipeline::catalog;

use crate::evaluate::EvaluateJob;
use crate::train::TrainJob;

/// Every kind of job, and what a worker queues by itself.
pub static JOBS: JobCatalog = JobCatalog {
    kinds: &[Kind::of::<TrainJob>(), Kind::of::<EvaluateJob>()],
    upkeep: |host| Box::pin(crate::upkeep::queue_upkeep(host)),
};

/// Names of the kinds.
pub fn kind_ids() -> impl Iterator<Item = &'static str> {
    JOBS.ids()
}

/// Refuses a model that is not known, and parameters that it does not have.
pub(crate) fn check_model(request: &ModelRequest) -> Result<(), Problem> {
    let entry = catalog::find(&request.id)?;
    // The naive forecasts take their parameters from the interval where none are given.
    let is_left_open = request.params.as_object().is_none_or(serde_json::Map::is_empty);
    if !(catalog::is_baseline(entry.id) && is_left_open) {
        entry.build(&request.params)?;
    }
    Ok(())
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
        assert!(error.detail.contains("train, evaluate"), "{error}");
        let left: Vec<&str> = JOBS.kinds.iter().filter(|kind| !kind.trains).map(|kind| kind.id).collect();
        assert_eq!(left, ["evaluate"]);
    }
}
