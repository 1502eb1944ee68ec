//! The loss of a part in evaluation mode, and predictions of many samples.

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
    /// Loss summed over each block of rows.
    sums: Vec<Mutex<f64>>,
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
            sums: (0..n.div_ceil(MICRO_BATCH)).map(|_| Mutex::new(0.0)).collect(),
            states: (0..threads).map(|_| Mutex::new(net.state(MICRO_BATCH))).collect(),
        }
    }

    /// Mean loss, see [`Objective::plain_row`]; NaN without samples.
    pub(crate) fn loss(&self, net: &N, weights: Weights<'_>, team: &mut Team) -> f64 {
        let threads = team.size();
        team.run(&|thread| {
            let mut state = lock(&self.states[thread]);
            for block in (thread..self.sums.len()).step_by(threads) {
                let end = self.order.len().min((block + 1) * MICRO_BATCH);
                let order = &self.order[block * MICRO_BATCH..end];
                put_samples(self.samples, order, net.state_input(&mut state));
                net.infer(weights, &mut state, order.len());
                let mut out = net.state_output(&mut state);
                let mut sum = 0.0;
                for (i, &sample) in order.iter().enumerate() {
                    sum += self.objective.plain_row(self.targets, sample as usize, out.row(i));
                }
                *lock(&self.sums[block]) = sum;
            }
        });
        self.sums.iter().map(|s| *lock(s)).sum::<f64>() / self.order.len() as f64
    }
}
