//! [`Residuals`]: how far a fitted model of the volatility is off on the window that its fit has learnt from.

use serde::{Deserialize, Serialize};

use crate::dataset::{Panel, RELATIVE_BOUND, floored_log_variance};
use crate::forecaster::FittedForecaster;
use crate::learner::FitError;
use crate::smearing::Smearing;
use crate::split::{Fold, is_within};

/// Origins of a market that they are taken from, at most.
const MOST_ROWS: usize = 4_096;

/// Log variances that came true less those that a model forecasts, of one market.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Residuals {
    /// Origins, ascending.
    rows: Vec<usize>,
    /// Within -8 and 8, `[origin]`.
    values: Vec<f64>,
}

impl Residuals {
    /// Of `model` at the origins of `panel` in the window of `fold` whose outcomes are complete before the fit; of many
    /// those of every so many-th row. The window is that of the fold and not of the model, so that all members of an
    /// ensemble have the same rows, as far as they can forecast from them.
    pub(crate) fn of(model: &FittedForecaster, panel: &Panel, fold: &Fold) -> Self {
        let (market, horizon) = (panel.market(), model.task().horizon());
        let (window, apart) = (fold.rows(market), fold.apart_in(market));
        let known = window.window_start..window.fit_row.saturating_sub(horizon);
        let every = stride(known.len());
        let rows: Vec<usize> = known
            .step_by(every)
            .filter(|&row| !is_within(&apart, row))
            .filter(|&row| model.is_origin(panel, row) && market.has_targets(row, horizon))
            .collect();
        let forecasts = model.predict(panel, &rows);
        let residual = |(&row, forecast): (&usize, &f64)| {
            let came_true = floored_log_variance(market.realised_variance(row, horizon), horizon);
            (came_true - forecast).clamp(-RELATIVE_BOUND, RELATIVE_BOUND)
        };
        let values = rows.iter().zip(&forecasts.means).map(residual).collect();
        Self { rows, values }
    }

    /// True for a residual an origin.
    pub(crate) fn is_whole(&self) -> bool {
        self.rows.len() == self.values.len()
    }

    fn at(&self, row: usize) -> Option<f64> {
        self.values.get(self.rows.binary_search(&row).ok()?).copied()
    }
}

/// Rows from one origin to the next where at most [`MOST_ROWS`] of `n` are taken: no multiple of 2 or 3, so that every
/// hour of the day has its turn.
fn stride(n: usize) -> usize {
    let least = n.div_ceil(MOST_ROWS).max(1);
    (least..).find(|every| every % 2 != 0 && every % 3 != 0).unwrap_or(least)
}

/// The factor of the mean of logarithms with `weights` of members whose residuals are `members`, `[member][market]`: by
/// the origins from which all of them can forecast. Without any it is 1.
pub(crate) fn smearing_of_mean(weights: &[f64], members: &[&[Residuals]]) -> Result<Smearing, FitError> {
    let common = common(members);
    if common.iter().all(Vec::is_empty) {
        return Ok(Smearing::NONE);
    }
    Smearing::of_mean(weights, &common)
}

/// Residuals at the origins that all members have, `[member][origin]`.
fn common(members: &[&[Residuals]]) -> Vec<Vec<f64>> {
    let mut out = vec![Vec::new(); members.len()];
    for (market, first) in members.first().copied().unwrap_or(&[]).iter().enumerate() {
        for &row in &first.rows {
            let at_row = |member: &&[Residuals]| member.get(market).and_then(|own| own.at(row));
            if let Some(values) = members.iter().map(at_row).collect::<Option<Vec<f64>>>() {
                out.iter_mut().zip(values).for_each(|(all, value)| all.push(value));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn residuals(rows: &[usize], values: &[f64]) -> Residuals {
        Residuals { rows: rows.to_vec(), values: values.to_vec() }
    }

    #[test]
    fn origins_of_long_windows_are_few_and_of_all_hours() {
        assert_eq!([0, 1, 4_096, 4_097, 8_736, 43_800, 2_000_000].map(stride), [1, 1, 1, 5, 5, 11, 491]);
        for n in [8_736, 43_800, 700_000] {
            let hours: std::collections::BTreeSet<usize> = (0..n).step_by(stride(n)).map(|row| row % 24).collect();
            assert!((0..n).step_by(stride(n)).len() <= MOST_ROWS && hours.len() == 24, "{n}");
        }
    }

    #[test]
    fn origins_that_one_member_has_not_are_left_out() {
        let one = [residuals(&[3, 4, 7], &[0.1, 0.2, 0.3]), residuals(&[1, 2], &[1.0, 2.0])];
        let other = [residuals(&[4, 5, 7, 9], &[-0.2, 9.0, -0.3, 9.0]), residuals(&[2], &[-2.0])];
        let common = common(&[&one, &other]);
        assert_eq!(common, [vec![0.2, 0.3, 2.0], vec![-0.2, -0.3, -2.0]]);
        let factor = smearing_of_mean(&[0.5, 0.5], &[&one, &other]).unwrap();
        assert_eq!(factor, Smearing::of_mean(&[0.5, 0.5], &common).unwrap());
        assert!(factor.factor() < 1.0);
    }

    #[test]
    fn without_a_common_origin_the_factor_is_one() {
        let (one, other) = ([residuals(&[3], &[0.1])], [residuals(&[4], &[0.1])]);
        assert_eq!(smearing_of_mean(&[0.5, 0.5], &[&one, &other]), Ok(Smearing::NONE));
    }
}
