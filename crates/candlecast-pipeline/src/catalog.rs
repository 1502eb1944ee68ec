//! All learners by name: baselines, models and networks, chained.

use candlecast_core::catalog::{Entry, nearest};
use candlecast_core::{Interval, Problem};
use candlecast_learn::{Learner, baselines};
use serde_json::{Value, json};

/// Every learner, baselines first.
pub fn learners() -> impl Iterator<Item = &'static Entry<dyn Learner>> {
    baselines::catalog().iter().chain(candlecast_models::catalog()).chain(candlecast_nn::catalog())
}

/// Every learner that is no baseline.
pub fn models() -> impl Iterator<Item = &'static Entry<dyn Learner>> {
    candlecast_models::catalog().iter().chain(candlecast_nn::catalog())
}

/// The learner called `name`, or an error with the nearest names.
pub fn find(name: &str) -> Result<&'static Entry<dyn Learner>, Problem> {
    learners().find(|e| e.answers_to(name)).ok_or_else(|| {
        let ids: Vec<&str> = learners().map(|e| e.id).collect();
        let hint = nearest(name, &ids).map_or_else(String::new, |n| format!(" did you mean `{n}`?"));
        Problem::usage(
            "unknown-model",
            "model",
            format!("model `{name}` is not known:{hint} there are {}", ids.join(", ")),
        )
    })
}

/// True for the naive forecasts.
pub fn is_baseline(id: &str) -> bool {
    baselines::BASELINES.contains(&id)
}

/// The baselines that make sense for `interval`, with their parameters set for it. A season of 24 hours that is
/// no whole number of candles leaves `seasonal-naive` out.
pub fn baselines_for(interval: Interval) -> Vec<(&'static str, Value)> {
    baselines::BASELINES.iter().filter_map(|&id| baseline_params(id, interval).map(|params| (id, params))).collect()
}

/// Parameters of a baseline for `interval`; `None` where it is not defined.
pub fn baseline_params(id: &str, interval: Interval) -> Option<Value> {
    if id == "seasonal-naive" {
        interval.day_steps().map(|steps| json!({ "seasonSteps": steps }))
    } else {
        Some(json!({}))
    }
}
