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
