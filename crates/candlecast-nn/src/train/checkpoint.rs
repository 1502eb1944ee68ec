//! Checkpoints: everything a fit needs to go on bit for bit, as named tensors and facts.
//!
//! Tensors in canonical layout, so that a checkpoint does not depend on the instruction set: the weights (`now.`),
//! the best weights (`best.`), the optimiser's moments (`m.`, `v.`). The random streams need no memory: shuffles
//! and masks are functions of the seed and of the numbers of the epoch and the step.

use candlecast_learn::{Curve, ModelState, RestoreError, TrainState};
use serde::{Deserialize, Serialize};

use super::fit::Course;
use super::stepper::Stepper;
use crate::early_stop::EarlyStop;
use crate::network::Network;
use crate::schedule::{Plateau, Schedule};
use crate::weights::{read_tensors, write_tensors};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Facts {
    /// Steps of the optimiser.
    count: u64,
    early: EarlyStop,
    plateau: Plateau,
    curve: Curve,
    has_best: bool,
}

/// The checkpoint of a fit.
pub(super) fn write<N: Network>(
    course: &Course,
    model: &serde_json::Value,
    stepper: &Stepper<N>,
    schedule: &Schedule,
) -> ModelState {
    let shape = stepper.net().shape();
    let facts = Facts {
        count: stepper.count(),
        early: course.early,
        plateau: schedule.memory(),
        curve: course.curve.clone(),
        has_best: course.best.is_some(),
    };
    let mut state = ModelState { facts: serde_json::json!({ "model": model, "fit": facts }), ..ModelState::default() };
    let (m, v) = stepper.moments();
    write_tensors(shape, &stepper.params(), "now.", &mut state.tensors);
    write_tensors(shape, &m, "m.", &mut state.tensors);
    write_tensors(shape, &v, "v.", &mut state.tensors);
    if let Some(best) = &course.best {
        write_tensors(shape, best, "best.", &mut state.tensors);
    }
    state
}

/// Puts stepper and schedule where `checkpoint` left them.
pub(super) fn read<N: Network>(
    checkpoint: &TrainState,
    model: &serde_json::Value,
    stepper: &mut Stepper<N>,
    schedule: &mut Schedule,
) -> Result<Course, RestoreError> {
    let state = &checkpoint.state;
    let theirs: serde_json::Value = state.fact("model")?;
    if &theirs != model {
        return Err(RestoreError::Fact {
            name: "model".into(),
            reason: format!("the checkpoint is of {theirs}, this fit is of {model}"),
        });
    }
    let facts: Facts = state.fact("fit")?;
    let shape = stepper.net().shape().clone();
    stepper.set_params(&read_tensors(&shape, state, "now.")?);
    stepper.set_moments(&read_tensors(&shape, state, "m.")?, &read_tensors(&shape, state, "v.")?, facts.count);
    schedule.recall(facts.plateau);
    let best = if facts.has_best { Some(read_tensors(&shape, state, "best.")?) } else { None };
    Ok(Course { epoch: checkpoint.step, early: facts.early, curve: facts.curve, best })
}
