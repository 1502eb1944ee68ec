//! [`Tape`]: log returns and features for the laws of learners, to be spoilt row by row.

use candlecast_core::{FeatureTable, Seed};
use candlecast_learn::Task;

use crate::world::{World, lagged_percent, normals, reverting_returns};

/// Candles of a series.
pub(super) const N_CANDLES: usize = 900;
/// Rows that lie in the training, the validation and the test part of [`N_CANDLES`] candles.
pub(super) const ROW_OF_TRAIN: usize = 300;
pub(super) const ROW_OF_VALID: usize = 690;
pub(super) const ROW_OF_TEST: usize = 820;
/// The feature that says nothing, and that is spoilt where features are.
pub(super) const NOISE: &str = "noise";

/// First row whose volatility is known.
const FIRST_ROW: usize = 32;

/// Log returns and features before they become a market.
#[derive(Debug, Clone)]
pub(super) struct Tape {
    returns: Vec<f64>,
    noise: Vec<f64>,
}

impl Tape {
    /// Returns that contain `-reversion` times the last one, besides normal noise of 0.7 %.
    pub(super) fn reverting(n: usize, reversion: f64) -> Self {
        Self::of_returns(reverting_returns(n, reversion, &mut Seed(11).derive("learner-laws", 0).stream()))
    }

    /// These log returns.
    pub(super) fn of_returns(returns: Vec<f64>) -> Self {
        let noise = normals(returns.len(), &mut Seed(12).derive("learner-laws", 1).stream());
        Self { returns, noise }
    }

    /// Returns whose standard deviation is a wave of twelve rows, from about 0.3 to 1.5 %, and in place of [`NOISE`]
    /// where the wave stands in the row to come: what a volatility of the last days cannot know.
    pub(super) fn waving(n: usize) -> Self {
        let wave = |row: usize| 0.8 * (row as f64 * std::f64::consts::TAU / 12.0).sin();
        let shocks = normals(n, &mut Seed(13).derive("learner-laws", 2).stream());
        let returns = shocks.iter().enumerate().map(|(row, shock)| 0.007 * wave(row).exp() * shock).collect();
        // The middle of the three rows that the short horizon reaches.
        Self { returns, noise: (0..n).map(|row| wave(row + 2)).collect() }
    }

    /// The same up to `row`, and another market after it.
    pub(super) fn other_after(mut self, row: usize) -> Self {
        for value in self.returns[row + 1..].iter_mut().chain(&mut self.noise[row + 1..]) {
            *value = 0.002 - 2.0 * *value;
        }
        self
    }

    /// The same with another log return at `row`.
    pub(super) fn with_return(mut self, row: usize, log_return: f64) -> Self {
        self.returns[row] = log_return;
        self
    }

    /// The same with another value of [`NOISE`] at `row`.
    pub(super) fn with_noise(mut self, row: usize, value: f64) -> Self {
        self.noise[row] = value;
        self
    }

    /// The same, standing still before `row`.
    pub(super) fn still_before(mut self, row: usize) -> Self {
        self.returns[..row].fill(0.0);
        self
    }

    /// Its market as samples with windows of `lookback` rows. Rows with spoilt features are origins too: that is what
    /// some laws are about.
    pub(super) fn world(&self, lookback: usize, task: Task) -> World {
        // The last return and the one before it, and the noise.
        let features = FeatureTable {
            names: ["last_return", "return_before", NOISE].map(String::from).to_vec(),
            columns: vec![lagged_percent(&self.returns, 0), lagged_percent(&self.returns, 1), self.noise.clone()],
        };
        World::new(&self.returns, &features, FIRST_ROW.max(lookback), lookback, task)
    }
}

#[cfg(test)]
mod tests {
    use candlecast_learn::Samples;

    use super::*;

    #[test]
    fn the_named_rows_lie_in_their_parts() {
        for (lookback, horizon) in [(1, 1), (32, 24)] {
            let world = Tape::reverting(N_CANDLES, 0.4).world(lookback, Task::Price { horizon });
            let holds = |samples: Samples<'_>, row: usize| samples.ids().iter().any(|id| id.row as usize == row);
            assert!(holds(world.train(), ROW_OF_TRAIN), "{lookback} {horizon}");
            assert!(holds(world.valid(), ROW_OF_VALID), "{lookback} {horizon}");
            assert!(holds(world.test(), ROW_OF_TEST), "{lookback} {horizon}");
        }
    }
}
