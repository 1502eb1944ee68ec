//! All models by name: baselines, models, networks and `har-x`, chained, and those that are made of models.

use candlecast_core::catalog::{Entry, Param, nearest};
use candlecast_core::{Interval, Problem};
use candlecast_learn::{Builder, Combine, Learner, Task, baselines, har_x, task_kinds};
use serde_json::{Value, json};

pub use crate::composites::{Composite, ENSEMBLE, USUAL_MEMBERS, composites, weighed_types};

/// Every learner, baselines first.
pub fn learners() -> impl Iterator<Item = &'static Entry<dyn Learner>> {
    baselines::catalog().iter().chain(models())
}

/// Every learner that is no baseline.
pub fn models() -> impl Iterator<Item = &'static Entry<dyn Learner>> {
    candlecast_models::catalog().iter().chain(candlecast_nn::catalog()).chain(har_x::catalog())
}

/// The learner called `name`, or an error with the nearest names.
pub fn find(name: &str) -> Result<&'static Entry<dyn Learner>, Problem> {
    learners().find(|e| e.answers_to(name)).ok_or_else(|| {
        let ids: Vec<&str> = learners().map(|e| e.id).chain(composites().iter().map(|c| c.id)).collect();
        let hint = nearest(name, &ids).map_or_else(String::new, |n| format!(" did you mean `{n}`?"));
        Problem::usage(
            "unknown-model",
            "model",
            format!("model `{name}` is not known:{hint} there are {}", ids.join(", ")),
        )
    })
}

/// A part that a model can be: a learner, or made of models.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// Fitted to samples.
    Learner(&'static Entry<dyn Learner>),
    /// Made of models.
    Composite(&'static Composite),
}

/// The model called `name`, or a problem with the nearest names.
pub fn part(name: &str) -> Result<Part, Problem> {
    match composites().iter().find(|c| c.answers_to(name)) {
        Some(composite) => Ok(Part::Composite(composite)),
        None => find(name).map(Part::Learner),
    }
}

/// Catalog id of the model called `name`.
pub fn canonical(name: &str) -> Result<&'static str, Problem> {
    Ok(match part(name)? {
        Part::Learner(entry) => entry.id,
        Part::Composite(composite) => composite.id,
    })
}

/// Refuses parameters that the model called `name` does not have, those of its members included.
pub fn check(name: &str, params: &Value) -> Result<(), Problem> {
    match part(name)? {
        // The naive forecasts take their parameters from the interval where none are given.
        Part::Learner(entry) if is_baseline(entry.id) && is_empty(params) => Ok(()),
        Part::Learner(entry) => Ok(entry.build(params).map(drop)?),
        Part::Composite(composite) => {
            let members = (composite.members)(params)?;
            let weights = (composite.combine)(params, &members)?.weights(members.len());
            weights.map_err(|e| Problem::usage("bad-parameter", "weights", format!("{}: {e}", composite.id)))?;
            members.iter().try_for_each(|member| check(&member.id, &member.params))
        }
    }
}

fn is_empty(params: &Value) -> bool {
    params.as_object().is_none_or(serde_json::Map::is_empty)
}

/// True for the baselines of any task.
pub fn is_baseline(id: &str) -> bool {
    task_kinds().iter().any(|kind| kind.baselines().contains(&id))
}

/// True for the baselines of `task`.
pub fn is_baseline_of(id: &str, task: &Task) -> bool {
    task.kind().baselines().contains(&id)
}

/// Ids of the models that can be fitted to `task`, baselines left out.
pub fn supporting(task: &Task) -> Vec<&'static str> {
    let able = |entry: &&Entry<dyn Learner>| entry.build(&Value::Null).is_ok_and(|learner| learner.supports(task));
    models().filter(able).map(|entry| entry.id).collect()
}

/// The parameters of the learner `entry` that is given `given`, defaults included, in the order of its list. Those that
/// the learner chooses by itself are left out.
pub fn with_defaults(entry: &Entry<dyn Learner>, given: &Value) -> Value {
    let value = |param: &Param| {
        let own = given.get(param.name).cloned();
        own.or_else(|| serde_json::from_str(param.default).ok()).filter(|value| !value.is_null())
    };
    let named = entry.params.iter().filter_map(|param| Some((param.name.to_owned(), value(param)?)));
    Value::Object(named.collect())
}

/// The models of a comparison for which `model` alone is named, or none: `lstm` stands beside `hybrid`, `hybrid` beside
/// `lstm`, any other beside both; without one it is of these two. What would stand beside it and cannot be fitted to
/// `task` is left out.
pub fn compared(model: Option<&str>, task: &Task) -> Result<Vec<&'static str>, Problem> {
    let (asked, able) = (model.map(canonical).transpose()?, supporting(task));
    let beside = ["lstm", "hybrid"].into_iter().filter(|id| Some(*id) != asked && able.contains(id));
    let all: Vec<&'static str> = asked.into_iter().chain(beside).collect();
    if all.is_empty() {
        return Err(Problem::usage("no-model", "models", format!("name models: {} can be", able.join(", "))));
    }
    Ok(all)
}

/// Refuses a task that the model called `name` with `params` does not support, one of its members included.
pub fn check_task(name: &str, params: &Value, task: &Task) -> Result<(), Problem> {
    match part(name)? {
        // Of another task's baselines some need parameters to be built, and none is ever asked for.
        Part::Learner(entry) if is_baseline(entry.id) => {
            if is_baseline_of(entry.id, task) {
                Ok(())
            } else {
                Err(unsupported(entry.id, task))
            }
        }
        Part::Learner(entry) => {
            if entry.build(params)?.supports(task) {
                Ok(())
            } else {
                Err(unsupported(entry.id, task))
            }
        }
        Part::Composite(composite) => {
            let members = (composite.members)(params)?;
            members.iter().try_for_each(|member| check_task(&member.id, &member.params, task))?;
            check_combine(composite, &(composite.combine)(params, &members)?, task)
        }
    }
}

/// Refuses a way to combine forecasts that those of `task` have no meaning for.
pub(crate) fn check_combine(composite: &Composite, combine: &Combine, task: &Task) -> Result<(), Problem> {
    if combine.suits(task) {
        return Ok(());
    }
    let (field, why) = match combine.votes() {
        Some(_) => ("strategy", "votes are for directions and classes"),
        None => ("mean", "logarithms are taken of variances"),
    };
    let told = format!("{}: {field}: {why}, and the {} task has none: leave it out", composite.id, task.id());
    Err(Problem::usage("bad-parameter", field, told))
}

pub(crate) fn unsupported(id: &str, task: &Task) -> Problem {
    let able = supporting(task);
    let why = if able.contains(&id) {
        format!("{id} with these parameters cannot be fitted to the {} task: leave them at their defaults", task.id())
    } else {
        format!("{id} cannot be fitted to the {} task: {} can", task.id(), able.join(", "))
    };
    Problem::usage("unsupported-task", "model", why)
}

/// The baselines of `task` that make sense for `interval`, with their parameters set for it. A season of 24 hours that
/// is no whole number of candles leaves `seasonal-naive` out.
pub fn baselines_for(task: &Task, interval: Interval) -> Vec<(&'static str, Value)> {
    let ids = task.kind().baselines();
    ids.iter().filter_map(|&id| baseline_params(id, interval).map(|params| (id, params))).collect()
}

/// Parameters of a baseline for `interval`; `None` where it is not defined.
pub fn baseline_params(id: &str, interval: Interval) -> Option<Value> {
    match id {
        "seasonal-naive" => interval.day_steps().map(|steps| json!({ "seasonSteps": steps })),
        "log-har" => Some(json!({ "hourSteps": interval.per_day() / 24.0 })),
        _ => Some(json!({})),
    }
}

/// Builds the learners that saved recipes name.
#[derive(Debug, Clone, Copy, Default)]
pub struct CatalogBuilder;

impl Builder for CatalogBuilder {
    fn learner(&self, model: &str, params: &Value) -> Result<Box<dyn Learner>, String> {
        let entry = find(model).map_err(|e| e.detail)?;
        entry.build(params).map_err(|e| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use candlecast_learn::Labels;

    use super::*;

    #[test]
    fn one_model_is_compared_with_its_counterparts_that_can_do_the_task() {
        let price = Task::Price { horizon: 3 };
        let of = |model| compared(model, &price).unwrap();
        assert_eq!(of(None), ["lstm", "hybrid"]);
        assert_eq!((of(Some("lstm")), of(Some("hybrid"))), (vec!["lstm", "hybrid"], vec!["hybrid", "lstm"]));
        assert_eq!(of(Some("GBDT")), ["gbdt", "lstm", "hybrid"]);
        assert_eq!(of(Some("ensemble")), ["ensemble", "lstm", "hybrid"]);
        let direction = Task::Direction { horizon: 3, labels: Labels::Fixed { threshold: 0.01 } };
        assert!(!supporting(&direction).contains(&"hybrid"));
        assert_eq!(compared(Some("linear"), &direction).unwrap(), ["linear", "lstm"]);
        assert_eq!(compared(Some("hybrit"), &price).unwrap_err().code, "unknown-model");
    }
}
