//! [`Objective`]: what is minimised, and [`Targets`]: what it is measured against.

use candlecast_learn::{CLASSES, FitError, PriceTarget, Samples, Task};

use crate::config::{ClassWeights, RecurrentConfig};
use crate::loss::Loss;
use crate::price_scale::PriceScale;
use crate::readout::Readout;

/// Targets of all samples of a part.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Targets {
    /// Values, `[sample, width]`.
    Values {
        /// Outputs a sample.
        width: usize,
        /// In scaled units.
        values: Vec<f32>,
    },
    /// A class a sample.
    Classes(Vec<u8>),
}

impl Targets {
    /// Targets of `samples` for a network with this readout.
    pub(crate) fn of(samples: &Samples<'_>, readout: Readout) -> Result<Self, FitError> {
        match readout {
            Readout::Moves(target) => moves(samples, target),
            Readout::Prices(scale) => raw_returns(samples, scale),
            Readout::Classes => Ok(Self::Classes((0..samples.len()).map(|i| samples.class(i) as u8).collect())),
            Readout::Variance(_) => {
                let values = (0..samples.len()).map(|i| finite(samples.relative_log_variance(i), i, 0));
                Ok(Self::Values { width: 1, values: values.collect::<Result<_, _>>()? })
            }
        }
    }

    /// True when every value is 0: nothing moved after any origin.
    pub(crate) fn all_zero(&self) -> bool {
        matches!(self, Self::Values { values, .. } if values.iter().all(|&v| v == 0.0))
    }

    /// Takes its mean over the samples from each output: what is left says when a move is more or less than usual, and
    /// nothing of what is usual.
    pub(crate) fn centre(&mut self) {
        let Self::Values { width, values } = self else { return };
        let (width, n) = (*width, values.len() as f64 / *width as f64);
        for output in 0..width {
            let column = values[output..].iter().step_by(width);
            let mean = (column.copied().map(f64::from).sum::<f64>() / n) as f32;
            values[output..].iter_mut().step_by(width).for_each(|y| *y -= mean);
        }
    }

    /// What a network says that has learnt nothing of its inputs, `[outputs]`: no move of a price, of classes the
    /// logarithms of their shares, of the volatility the mean. `None` for raw returns, whose fits know no such network.
    pub(crate) fn without_inputs(&self, readout: Readout) -> Option<Vec<f32>> {
        match (self, readout) {
            (_, Readout::Prices(_)) => None,
            (Self::Values { width, .. }, Readout::Moves(_)) => Some(vec![0.0; *width]),
            (Self::Values { values, .. }, _) => {
                let mean = values.iter().copied().map(f64::from).sum::<f64>() / values.len() as f64;
                Some(vec![mean as f32])
            }
            (Self::Classes(classes), _) => Some(log_shares(classes).to_vec()),
        }
    }
}

/// Logarithms of the shares of the classes, with one sample more of each, so that an absent class has one too.
fn log_shares(classes: &[u8]) -> [f32; CLASSES] {
    let n = (classes.len() + CLASSES) as f64;
    class_counts(classes).map(|count| ((count + 1) as f64 / n).ln() as f32)
}

fn class_counts(classes: &[u8]) -> [usize; CLASSES] {
    let mut counts = [0; CLASSES];
    classes.iter().for_each(|&class| counts[usize::from(class)] += 1);
    counts
}

fn moves(samples: &Samples<'_>, target: PriceTarget) -> Result<Targets, FitError> {
    let width = samples.task().width();
    let mut values = Vec::with_capacity(samples.len() * width);
    let mut row = vec![0.0; width];
    for i in 0..samples.len() {
        target.learn_into(samples, i, &mut row);
        for (h, &y) in row.iter().enumerate() {
            values.push(finite(y, i, h)?);
        }
    }
    Ok(Targets::Values { width, values })
}

fn raw_returns(samples: &Samples<'_>, scale: PriceScale) -> Result<Targets, FitError> {
    let width = samples.task().width();
    let mut values = Vec::with_capacity(samples.len() * width);
    let mut returns = vec![0.0; width];
    for i in 0..samples.len() {
        samples.returns_into(i, &mut returns);
        for (h, r) in returns.iter().enumerate() {
            values.push(finite(r / scale.unit(samples, i, h), i, h)?);
        }
    }
    Ok(Targets::Values { width, values })
}

/// The target of sample `i` at step `step` (0 is the first), in single precision.
fn finite(target: f64, i: usize, step: usize) -> Result<f32, FitError> {
    if target.is_finite() {
        return Ok(target as f32);
    }
    Err(FitError::NotFinite {
        what: format!("the target of training sample {i} at horizon step {}", step + 1),
        value: target,
        step: 0,
        remedy: "check the candles of this range with `candlecast data check`".into(),
    })
}

/// A loss and the weights of the classes in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Objective {
    /// The training loss.
    pub(crate) loss: Loss,
    /// Weight of each class; 1 for values.
    pub(crate) class_weights: [f64; CLASSES],
}

impl Objective {
    /// The objective of `config` for these training targets of `task`; refuses a part with one class only. Log
    /// variances are always learnt by squared error: the smearing factor asks for their mean.
    pub(crate) fn new(config: &RecurrentConfig, task: &Task, targets: &Targets) -> Result<Self, FitError> {
        let Targets::Classes(classes) = targets else {
            let loss = if matches!(task, Task::Volatility { .. }) { Loss::Mse } else { config.loss };
            return Ok(Self { loss, class_weights: [1.0; CLASSES] });
        };
        let counts = class_counts(classes);
        if let Some(class) = counts.iter().position(|&n| n == classes.len()) {
            return Err(FitError::OneClass { class, samples: classes.len() });
        }
        Ok(Self { loss: config.class_loss, class_weights: config.class_weights.weights(counts) })
    }

    /// Training loss of one row of a batch of `batch_rows`; `out` becomes the gradient of the batch's mean loss.
    pub(crate) fn train_row(&self, targets: &Targets, sample: usize, out: &mut [f32], batch_rows: usize) -> f64 {
        match targets {
            Targets::Values { width, values } => {
                self.loss.of_values(out, &values[sample * width..(sample + 1) * width], 1.0 / batch_rows as f32)
            }
            Targets::Classes(classes) => {
                let class = usize::from(classes[sample]);
                let weight = self.class_weights[class];
                weight * self.loss.of_classes(out, class, weight / batch_rows as f64)
            }
        }
    }

    /// Loss of one row for curves, early stopping and comparisons: the training loss of values, plain
    /// cross-entropy of classes. `out` is left as scratch.
    pub(crate) fn plain_row(&self, targets: &Targets, sample: usize, out: &mut [f32]) -> f64 {
        match targets {
            Targets::Values { width, values } => {
                self.loss.of_values(out, &values[sample * width..(sample + 1) * width], 1.0)
            }
            Targets::Classes(classes) => {
                Loss::CrossEntropy { smoothing: 0.0 }.of_classes(out, usize::from(classes[sample]), 1.0)
            }
        }
    }
}

impl ClassWeights {
    /// Weights of the classes of these counts, such that the mean over the samples is 1; 0 for an absent class.
    /// `balanced` is `n / (classes * count)`, `sqrt` its square root.
    fn weights(self, counts: [usize; CLASSES]) -> [f64; CLASSES] {
        let n: usize = counts.iter().sum();
        let share = |count: usize| match (self, count) {
            (_, 0) => 0.0,
            (Self::None, _) => 1.0,
            (Self::Balanced, _) => n as f64 / count as f64,
            (Self::Sqrt, _) => (n as f64 / count as f64).sqrt(),
        };
        let raw = counts.map(share);
        let mean = raw.iter().zip(counts).map(|(w, c)| w * c as f64).sum::<f64>() / n as f64;
        raw.map(|w| w / mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::{FeatureTable, Seed};
    use candlecast_learn::{Smearing, TargetKind};
    use candlecast_testkit::{World, reverting_returns};

    #[test]
    fn moves_are_clipped_and_raw_returns_are_not() {
        let returns = reverting_returns(200, 0.3, &mut Seed(4).stream());
        let features = FeatureTable { names: vec!["return".into()], columns: vec![returns.clone()] };
        let world = World::new(&returns, &features, 40, 4, Task::Price { horizon: 6 });
        let samples = world.train();
        let values_of = |readout| match Targets::of(&samples, readout) {
            Ok(Targets::Values { width: 6, values }) => values,
            other => panic!("prices are values, six a sample, not {other:?}"),
        };
        let target = PriceTarget::new(TargetKind::Clipped, Some(0.8));
        let moves = values_of(Readout::fit(&samples, target).unwrap());
        let mut row = [0.0; 6];
        for i in 0..samples.len() {
            target.learn_into(&samples, i, &mut row);
            assert!(row.iter().zip(&moves[6 * i..]).all(|(&y, &v)| y as f32 == v), "sample {i}");
        }
        assert!(moves.iter().all(|v| v.abs() <= 0.8) && moves.contains(&0.8));
        let raw = values_of(Readout::fit(&samples, PriceTarget::new(TargetKind::Raw, None)).unwrap());
        assert!(raw.iter().any(|v| v.abs() > 1.5));
    }

    #[test]
    fn centred_targets_have_no_mean_in_any_output() {
        let mut targets = Targets::Values { width: 2, values: vec![0.5, -1.0, 1.5, 3.0] };
        targets.centre();
        assert_eq!(targets, Targets::Values { width: 2, values: vec![-0.5, -2.0, 0.5, 2.0] });
    }

    #[test]
    fn a_network_without_inputs_says_what_is_known_of_the_targets() {
        let values = Targets::Values { width: 2, values: vec![0.5, -1.0, 2.0, 0.5] };
        let moves = Readout::Moves(PriceTarget::new(TargetKind::Clipped, None));
        assert_eq!(values.without_inputs(moves), Some(vec![0.0; 2]));
        assert_eq!(values.without_inputs(Readout::Prices(PriceScale { floor: 1e-4 })), None);
        let logs = Targets::Values { width: 1, values: vec![0.5, -1.0, 2.0, 0.5] };
        assert_eq!(logs.without_inputs(Readout::Variance(Smearing::NONE)), Some(vec![0.5]));
        let classes = Targets::Classes(vec![0, 2, 2, 0, 2]);
        let shares: Vec<f32> = classes.without_inputs(Readout::Classes).unwrap().iter().map(|s| s.exp()).collect();
        assert!(shares.iter().zip([3.0_f32, 1.0, 4.0]).all(|(share, n)| (share - n / 8.0).abs() < 1e-6), "{shares:?}");
    }

    #[test]
    fn class_weights_balance_and_keep_the_mean() {
        let counts = [100, 700, 200];
        let balanced = ClassWeights::Balanced.weights(counts);
        for (w, c) in balanced.iter().zip(counts) {
            assert!((w * c as f64 - 1000.0 / 3.0).abs() < 1e-9);
        }
        let sqrt = ClassWeights::Sqrt.weights(counts);
        assert!((sqrt[0] / sqrt[1] - 7.0_f64.sqrt()).abs() < 1e-12);
        for weights in [balanced, sqrt, ClassWeights::None.weights(counts)] {
            let mean = weights.iter().zip(counts).map(|(w, c)| w * c as f64).sum::<f64>() / 1000.0;
            assert!((mean - 1.0).abs() < 1e-12);
        }
        assert_eq!(ClassWeights::Balanced.weights([500, 0, 500]), [1.0, 0.0, 1.0]);
    }
}
