//! Every kind of job, in order.

mod evaluate;
mod train;

use candlecast_meta::Job;

pub use self::evaluate::EvaluateJob;
pub use self::train::TrainJob;
use super::kind::{AnyJob, Kind};
use crate::contender::ModelRequest;
use crate::{AppError, catalog};

static KINDS: [Kind; 2] = [Kind::of::<TrainJob>(), Kind::of::<EvaluateJob>()];

/// Names of the kinds.
pub fn kind_ids() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.id)
}

/// The kind called `id`, or an error that names those there are.
pub(crate) fn find(id: &str) -> Result<&'static Kind, AppError> {
    KINDS.iter().find(|kind| kind.id == id).ok_or_else(|| {
        let known: Vec<&str> = kind_ids().collect();
        AppError::usage(
            "unknown-job-kind",
            "kind",
            format!("jobs of the kind `{id}` are not known: there are {}", known.join(", ")),
        )
    })
}

/// The kinds that a worker may take.
pub(crate) fn workable(training_enabled: bool) -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().filter(move |kind| training_enabled || !kind.trains)
}

/// The request of a stored job.
pub(crate) fn read(job: &Job) -> Result<Box<dyn AnyJob>, AppError> {
    (find(&job.kind)?.read)(&job.payload).map_err(|e| {
        AppError::data(
            "bad-job",
            format!("the request of job {} cannot be read ({e}): it is of another version; ask for it again", job.id),
        )
    })
}

/// Refuses a model that is not known, and parameters that it does not have.
fn check_model(request: &ModelRequest) -> Result<(), AppError> {
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
        assert_eq!(ids.len(), KINDS.len());
        let error = find("trian").err().unwrap();
        assert!(error.detail.contains("train, evaluate"), "{error}");
        let left: Vec<&str> = workable(false).map(|kind| kind.id).collect();
        assert_eq!(left, ["evaluate"]);
    }
}
