//! [`Batch`]: where a training step gets its inputs and its loss from.

use std::ops::Range;

use candlecast_learn::Samples;

use crate::network::{Outputs, put_window};
use crate::objective::{Objective, Targets};

/// Rows to train on in one step.
pub(crate) trait Batch: Sync {
    /// How many.
    fn rows(&self) -> usize;
    /// Writes the inputs of `rows` to `input`, `[steps, rows, inputs]`.
    fn put_inputs(&self, rows: Range<usize>, input: &mut [f32]);
    /// Loss summed over `rows`; their outputs become the gradient of the mean loss of the whole batch.
    fn loss(&self, rows: Range<usize>, out: Outputs<'_>) -> f64;
}

/// A batch of samples, in shuffled order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SampleBatch<'a> {
    pub(crate) samples: &'a Samples<'a>,
    pub(crate) targets: &'a Targets,
    pub(crate) objective: &'a Objective,
    /// Indices of the samples.
    pub(crate) order: &'a [u32],
}

impl Batch for SampleBatch<'_> {
    fn rows(&self) -> usize {
        self.order.len()
    }

    fn put_inputs(&self, rows: Range<usize>, input: &mut [f32]) {
        put_samples(self.samples, &self.order[rows], input);
    }

    fn loss(&self, rows: Range<usize>, mut out: Outputs<'_>) -> f64 {
        let mut sum = 0.0;
        for (i, &sample) in self.order[rows].iter().enumerate() {
            sum += self.objective.train_row(self.targets, sample as usize, out.row(i), self.order.len());
        }
        sum
    }
}

/// Writes the windows of the samples `order` to `input`, `[steps, order.len(), inputs]`.
pub(crate) fn put_samples(samples: &Samples<'_>, order: &[u32], input: &mut [f32]) {
    let inputs = samples.width();
    for (row, &sample) in order.iter().enumerate() {
        put_window(samples.window(sample as usize), inputs, row, order.len(), input);
    }
}
