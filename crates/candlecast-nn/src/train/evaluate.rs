//! The loss of a part in evaluation mode, sample by sample.

use std::sync::Mutex;

use candlecast_learn::Samples;

use super::feed::put_samples;
use super::parts::lock;
use crate::kernel::Team;
use crate::network::{MICRO_BATCH, Network, Weights};
use crate::objective::{Objective, Targets};

/// Samples of a part that are evaluated, and room for it.
#[derive(Debug)]
pub(crate) struct Evaluation<'a, N: Network> {
    samples: &'a Samples<'a>,
    targets: &'a Targets,
    objective: &'a Objective,
    order: Vec<u32>,
    /// Losses of the rows of each block.
    losses: Vec<Mutex<[f64; MICRO_BATCH]>>,
    /// A state a thread.
    states: Vec<Mutex<N::State>>,
}

impl<'a, N: Network> Evaluation<'a, N> {
    /// An evaluation of at most `limit` of `samples`, evenly spread over them.
    pub(crate) fn new(
        net: &N,
        (samples, targets): (&'a Samples<'a>, &'a Targets),
        objective: &'a Objective,
        limit: usize,
        threads: usize,
    ) -> Self {
        let n = samples.len().min(limit);
        Self {
            samples,
            targets,
            objective,
            order: (0..n).map(|k| (k * samples.len() / n) as u32).collect(),
            losses: (0..n.div_ceil(MICRO_BATCH)).map(|_| Mutex::new([0.0; MICRO_BATCH])).collect(),
            states: (0..threads).map(|_| Mutex::new(net.state(MICRO_BATCH))).collect(),
        }
    }

    /// Loss of every sample of the evaluation, `[sample]`, see [`Objective::plain_row`].
    pub(crate) fn losses(&self, net: &N, weights: Weights<'_>, team: &mut Team) -> Vec<f64> {
        let threads = team.size();
        team.run(&|thread| {
            let mut state = lock(&self.states[thread]);
            for block in (thread..self.losses.len()).step_by(threads) {
                let end = self.order.len().min((block + 1) * MICRO_BATCH);
                let order = &self.order[block * MICRO_BATCH..end];
                put_samples(self.samples, order, net.state_input(&mut state));
                net.infer(weights, &mut state, order.len());
                let mut out = net.state_output(&mut state);
                let mut losses = lock(&self.losses[block]);
                for (i, (&sample, loss)) in order.iter().zip(losses.iter_mut()).enumerate() {
                    *loss = self.objective.plain_row(self.targets, sample as usize, out.row(i));
                }
            }
        });
        let mut all: Vec<f64> = self.losses.iter().flat_map(|block| *lock(block)).collect();
        all.truncate(self.order.len());
        all
    }

    /// The same of a network that says `outputs` of every sample.
    pub(crate) fn losses_of_constant(&self, outputs: &[f32]) -> Vec<f64> {
        let mut row = outputs.to_vec();
        let loss = |&sample: &u32| {
            row.copy_from_slice(outputs);
            self.objective.plain_row(self.targets, sample as usize, &mut row)
        };
        self.order.iter().map(loss).collect()
    }
}

/// Mean of losses, summed block by block; NaN without any.
pub(crate) fn mean_loss(losses: &[f64]) -> f64 {
    let blocks = losses.chunks(MICRO_BATCH).map(|block| block.iter().sum::<f64>());
    blocks.sum::<f64>() / losses.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_counts_every_loss_once() {
        let losses: Vec<f64> = (0..75).map(f64::from).collect();
        assert_eq!(mean_loss(&losses), 37.0);
        assert!(mean_loss(&[]).is_nan());
    }
}
