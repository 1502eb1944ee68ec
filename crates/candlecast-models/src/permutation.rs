//! Permutation importance: how much worse forecasts get when a feature is shuffled.

use std::cell::Cell;
use std::ops::Range;

use candlecast_core::Seed;
use candlecast_learn::{Dataset, Fitted, Panel, Prediction, SampleId, Samples, Task};

/// Importance of each feature, `[feature]`: the mean rise of the loss on `samples` over `repeats` shuffles of the
/// feature's values among the rows that the samples' windows span (Breiman 2001; Fisher et al. 2019).
///
/// The loss is, for prices, the squared error of log returns in units of `sigma_t sqrt(h)`, relative to the naive
/// forecast's, so that every hour counts about alike; for directions the log loss in nats; for the volatility the
/// squared error of log variances relative to that of the variance known at the origin. About 0, or below it by chance,
/// is a feature without use. Samples whose future is known are needed, for choice those that the model has not learnt
/// from. Values move within a panel only. Costs `repeats` predictions a feature.
pub fn permutation_importance(model: &dyn Fitted, samples: &Samples<'_>, seed: Seed, repeats: usize) -> Vec<f64> {
    let n_features = samples.width();
    let mut rises = vec![0.0; n_features];
    if samples.is_empty() || repeats == 0 {
        return rises;
    }
    let parts = panels(samples);
    let total_size: f64 = parts.iter().map(|part| part.size).sum();
    for (p, part) in parts.iter().enumerate() {
        let base = part.loss(model, None);
        for (j, rise) in rises.iter_mut().enumerate() {
            for repeat in 0..repeats {
                let number = (p * n_features + j) * repeats + repeat;
                let shuffled = part.shuffled(j, seed.derive("permutation", number as u64));
                *rise += (part.loss(model, Some(&shuffled)) - base) / (total_size * repeats as f64);
            }
        }
    }
    rises
}

/// The samples of one panel.
struct Part<'a> {
    samples: Samples<'a>,
    panel: &'a Panel,
    /// Rows that windows span.
    rows: Range<usize>,
    /// What the sum of losses is divided by.
    size: f64,
}

/// Runs of samples of the same panel.
fn panels<'a>(samples: &Samples<'a>) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let mut start = 0;
    for run in samples.ids().chunk_by(|a, b| a.panel == b.panel) {
        let part = samples.slice(start..start + run.len());
        start += run.len();
        let first = run.iter().map(|id| id.row as usize).min().unwrap_or(0);
        let last = run.iter().map(|id| id.row as usize).max().unwrap_or(0);
        let rows = first + 1 - part.lookback()..last + 1;
        let panel = &samples.data().panels()[run[0].panel as usize];
        parts.push(Part { samples: part, panel, rows, size: size(&part) });
    }
    parts
}

/// Squared error of the naive forecast for prices and volatilities, number of samples for directions.
fn size(samples: &Samples<'_>) -> f64 {
    match *samples.task() {
        Task::Price { horizon } => {
            let naive = vec![0.0; horizon];
            let sum: f64 = (0..samples.len()).map(|i| scaled_error(samples, i, &naive)).sum();
            sum.max(f64::MIN_POSITIVE)
        }
        Task::Direction { .. } => samples.len() as f64,
        Task::Volatility { .. } => {
            let sum: f64 = (0..samples.len()).map(|i| samples.relative_log_variance(i).powi(2)).sum();
            sum.max(f64::MIN_POSITIVE)
        }
    }
}

/// Squared error of the log returns `forecast` of sample `i`, `[step]`, in units of `sigma_t sqrt(h)`, summed over the
/// steps.
fn scaled_error(samples: &Samples<'_>, i: usize, forecast: &[f64]) -> f64 {
    let mut y = vec![0.0; forecast.len()];
    samples.returns_into(i, &mut y);
    let sum: f64 =
        y.iter().zip(forecast).enumerate().map(|(h, (y, forecast))| (y - forecast).powi(2) / (h + 1) as f64).sum();
    sum / samples.sigma(i).powi(2)
}

impl Part<'_> {
    /// The panel's rows with feature `j` shuffled among its finite values.
    fn shuffled(&self, j: usize, seed: Seed) -> Dataset {
        let mut values: Vec<f32> =
            self.rows.clone().map(|row| self.panel.row(row)[j]).filter(|v| v.is_finite()).collect();
        seed.stream().shuffle(&mut values);
        let keep: Vec<usize> = (0..self.panel.width()).collect();
        let next = Cell::new(0);
        Dataset::single(self.panel.mapped(self.rows.clone(), &keep, |k, value| {
            if k != j || !value.is_finite() {
                return value;
            }
            let at = next.get();
            next.set(at + 1);
            values[at]
        }))
    }

    /// Sum of losses with the inputs in `data`, or the samples' own.
    fn loss(&self, model: &dyn Fitted, data: Option<&Dataset>) -> f64 {
        let mut out = Prediction::default();
        match data {
            None => model.predict_into(&self.samples, &mut out),
            Some(data) => {
                let ids: Vec<SampleId> =
                    self.samples.ids().iter().map(|id| SampleId { panel: 0, row: id.row }).collect();
                let inputs = Samples::new(data, &ids, self.samples.lookback(), *self.samples.task(), None);
                model.predict_into(&inputs, &mut out);
            }
        }
        (0..self.samples.len()).map(|i| self.loss_of(i, out.row(i))).sum()
    }

    fn loss_of(&self, i: usize, forecast: &[f64]) -> f64 {
        match self.samples.task() {
            Task::Price { .. } => scaled_error(&self.samples, i, forecast),
            Task::Direction { .. } => -forecast[self.samples.class(i)].max(1e-15).ln(),
            Task::Volatility { .. } => (self.samples.log_variance(i) - forecast[0]).powi(2),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::FeatureTable;
    use candlecast_testkit::{World, normals};

    #[test]
    fn errors_of_prices_are_in_units_of_the_volatility_and_of_the_step() {
        let returns: Vec<f64> = normals(200, &mut Seed(1).stream()).iter().map(|v| 0.01 * v).collect();
        let world = World::new(&returns, &FeatureTable::default(), 32, 1, Task::Price { horizon: 3 });
        let samples = world.part(0.0, 1.0);
        let forecast = [0.01, -0.02, 0.03];
        let mut y = [0.0; 3];
        for i in 0..samples.len() {
            samples.returns_into(i, &mut y);
            let unit = |h: usize| samples.sigma(i) * ((h + 1) as f64).sqrt();
            let expected: f64 = (0..3).map(|h| ((y[h] - forecast[h]) / unit(h)).powi(2)).sum();
            assert!((scaled_error(&samples, i, &forecast) / expected - 1.0).abs() < 1e-12);
        }
        let naive: f64 = (0..samples.len()).map(|i| scaled_error(&samples, i, &[0.0; 3])).sum();
        assert_eq!(size(&samples), naive);
    }
}
