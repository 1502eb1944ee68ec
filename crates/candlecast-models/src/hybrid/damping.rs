//! The damping factors: how much of the raw forecast of each step has come true.

use candlecast_learn::{FitError, Samples};

use super::window::{Decomposed, decompose};
use crate::{checks, shrinkage};

/// Damping factor of each step, `[step]`, from the training part: [`shrinkage::factor`] of realised on raw returns.
pub(super) fn fit(train: &Samples<'_>, lookback_window: usize, smoothing: f64) -> Result<Vec<f64>, FitError> {
    let horizon = train.task().horizon();
    let raw: Vec<Decomposed> =
        (0..train.len()).map(|i| decompose(train.log_closes(i, lookback_window), smoothing)).collect();
    let mut realised = vec![0.0; train.len() * horizon];
    for (i, row) in realised.chunks_exact_mut(horizon).enumerate() {
        train.returns_into(i, row);
    }
    checks::finite_targets(&realised)?;
    checks::root_mean_square(&realised)?;
    Ok((1..=horizon)
        .map(|step| {
            let pairs =
                || raw.iter().zip(realised.chunks_exact(horizon)).map(move |(r, y)| (r.forecast(step), y[step - 1]));
            shrinkage::factor(pairs, step)
        })
        .collect())
}
