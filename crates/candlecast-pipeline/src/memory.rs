//! Refusing what would not fit into memory, before it is begun.

use std::collections::BTreeMap;

use candlecast_core::{Blame, Problem};
use candlecast_learn::{Forecaster, Pipeline, TrainWindow};

/// Refuses a run whose largest fits would need more memory than allowed.
pub fn check_memory(forecasters: &[Forecaster], fits_at_once: usize, max_memory: u64) -> Result<(), Problem> {
    let leaves: Vec<(&str, &Pipeline)> = forecasters
        .iter()
        .flat_map(Forecaster::leaves)
        .filter_map(|leaf| Some((leaf.name.as_str(), leaf.as_pipeline()?)))
        .collect();
    let panels: u64 = {
        let mut sizes = BTreeMap::new();
        for (_, pipeline) in &leaves {
            for (k, panel) in pipeline.data.panels().iter().enumerate() {
                sizes.insert((k, panel.names().to_vec()), (panel.rows().len() * panel.width() * 4) as u64);
            }
        }
        sizes.values().sum()
    };
    let need_of = |pipeline: &Pipeline| panels + fit_bytes(pipeline) * fits_at_once as u64;
    // The greatest is the one to blame; of equal ones the last, since the baselines come first.
    match leaves.iter().map(|&(name, pipeline)| (need_of(pipeline), name)).max_by_key(|&(need, _)| need) {
        Some((need, name)) if need > max_memory => Err(Problem::new(
            "memory-limit",
            507,
            Blame::Data,
            format!(
                "{name} would need about {} MB, more than the {} MB allowed: take a shorter --train-days, fewer features, --threads 1, a smaller model, or raise ML_MAX_MEMORY_USAGE",
                need >> 20,
                max_memory >> 20
            ),
        )),
        _ => Ok(()),
    }
}

/// Bytes that one fit of `pipeline` needs at most.
fn fit_bytes(pipeline: &Pipeline) -> u64 {
    let rows_of = |panel: &candlecast_learn::Panel| {
        let rows = panel.rows().len();
        let days = match pipeline.config.window {
            TrainWindow::Own => pipeline.learner.windows(&pipeline.config.task).last().copied(),
            window => window.days(),
        };
        days.map_or(rows, |days| {
            rows.min((f64::from(days) * panel.market().series().key().interval.per_day()).ceil() as usize)
        })
    };
    let in_window: usize = pipeline.data.panels().iter().map(rows_of).sum();
    let width = pipeline.data.width();
    pipeline.learner.memory_bytes(in_window, width, &pipeline.config.task) as u64 + (in_window * width * 4) as u64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candlecast_core::market::random_walk;
    use candlecast_core::{FeatureSet, FilledSeries, ModelRequest, Seed, TimeRange};
    use candlecast_learn::Market;
    use serde_json::json;

    use super::*;
    use crate::{MAX_FILL, PipelineOptions, Training, TrainingRequest};

    /// The least limit that `training` is allowed with.
    fn need(training: &Training) -> u64 {
        let (mut refused, mut allowed) = (0, 1 << 40);
        while refused + 1 < allowed {
            let limit = u64::midpoint(refused, allowed);
            match check_memory(&training.forecasters, 2, limit) {
                Ok(()) => allowed = limit,
                Err(problem) => {
                    assert_eq!(problem.code, "memory-limit");
                    refused = limit;
                }
            }
        }
        allowed
    }

    #[test]
    fn the_markets_of_a_pool_count_as_much_as_those_that_are_saved_for() {
        let market = |seed| Arc::new(Market::new(FilledSeries::new(&random_walk(3_000, Seed(seed), 0.4), MAX_FILL)));
        let common = PipelineOptions {
            features: Some(FeatureSet::of(&["log_return_1", "hour_sin"])),
            ..PipelineOptions::new(3)
        };
        let model = ModelRequest { id: "linear".into(), params: json!({}) };
        let request = TrainingRequest { model, common, range: TimeRange::ALL, seed: Seed(1) };
        let with_pool = |n: u64| {
            let pool = (0..n).map(|k| market(2 + k)).collect();
            need(&Training::pooled(vec![market(1)], pool, &request, vec![None], None, 2).unwrap())
        };
        let alone = with_pool(0);
        let three = with_pool(2);
        assert!(three > 2 * alone, "{three} {alone}");
        let series = (1..4).map(market).collect();
        let saved_for_all = Training::new(series, &request, vec![None, None, None], None, 2).unwrap();
        assert_eq!(need(&saved_for_all), three);
    }
}
