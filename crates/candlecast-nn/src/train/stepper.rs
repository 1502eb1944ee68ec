//! [`Stepper`]: a network in training, and one step of it over a team of threads.
//!
//! A batch is cut into micro-batches of at most 32 rows, two for each 64 rows of the batch, and these are dealt to
//! lanes in order: a lane adds up the gradients of its micro-batches, and the lanes are added in order. The cut
//! depends on the batch only, so the result does not depend on the number of threads that share the lanes.

use std::ops::Range;
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use super::feed::Batch;
use super::parts::{cut, even_bounds, lock};
use crate::buffer::Buffer;
use crate::dropout::Dropout;
use crate::kernel::Team;
use crate::network::{MICRO_BATCH, Network, PARTS, Weights, derive_all};
use crate::optimizer::{AdamConfig, sum_of_squares};

/// How the rows of a batch are dealt out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Deal {
    rows: usize,
    micro_batches: usize,
    lanes: usize,
}

impl Deal {
    fn of(rows: usize) -> Self {
        let micro_batches = 2 * rows.div_ceil(2 * MICRO_BATCH);
        Self { rows, micro_batches, lanes: micro_batches.min(PARTS) }
    }

    /// Micro-batches of `lane`.
    fn of_lane(self, lane: usize) -> Range<usize> {
        lane * self.micro_batches / self.lanes..(lane + 1) * self.micro_batches / self.lanes
    }

    /// Rows of micro-batch `k`.
    fn rows_of(self, k: usize) -> Range<usize> {
        k * self.rows / self.micro_batches..(k + 1) * self.rows / self.micro_batches
    }
}

/// What a lane has added up in a step.
#[derive(Debug)]
struct Lane {
    grad: Buffer,
    loss: f64,
}

/// What came out of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StepReport {
    /// Mean loss of the batch before the step.
    pub(crate) loss: f64,
    /// Norm of the gradient before clipping.
    pub(crate) grad_norm: f64,
}

impl StepReport {
    /// True when neither is NaN or infinite.
    pub(crate) fn is_finite(&self) -> bool {
        self.loss.is_finite() && self.grad_norm.is_finite()
    }
}

/// A network, its parameters, the optimiser's moments and the threads.
#[derive(Debug)]
pub(crate) struct Stepper<N: Network> {
    net: N,
    params: Buffer,
    derived: Buffer,
    m: Buffer,
    v: Buffer,
    grad: Buffer,
    /// Parameters that no step moves.
    fixed: Range<usize>,
    /// Steps done.
    count: u64,
    lanes: Vec<RwLock<Lane>>,
    tapes: Vec<Mutex<N::Tape>>,
    team: Team,
}

impl<N: Network> Stepper<N> {
    /// A stepper for batches of up to `batch_size` rows, from canonical parameters, on up to `threads` threads.
    pub(crate) fn new(net: N, canonical: &[f32], batch_size: usize, threads: usize, dropout: bool) -> Self {
        let (n, deal) = (net.n_params(), Deal::of(batch_size));
        let n_derived = net.derived_bounds()[PARTS];
        let team = Team::new(threads.clamp(1, deal.lanes));
        // Smaller batches may have larger micro-batches than the full one, but none is larger than this.
        let rows = MICRO_BATCH.min(batch_size.div_ceil(2));
        let lane = |k: usize| RwLock::new(Lane { grad: Buffer::zeroed(n, k), loss: 0.0 });
        let mut stepper = Self {
            params: Buffer::zeroed(n, 0),
            derived: Buffer::zeroed(n_derived, 1),
            m: Buffer::zeroed(n, 2),
            v: Buffer::zeroed(n, 3),
            grad: Buffer::zeroed(n, 4),
            fixed: 0..0,
            count: 0,
            lanes: (0..deal.lanes).map(lane).collect(),
            tapes: (0..team.size()).map(|_| Mutex::new(net.tape(rows, dropout))).collect(),
            team,
            net,
        };
        stepper.set_params(canonical);
        stepper
    }

    /// The network.
    pub(crate) fn net(&self) -> &N {
        &self.net
    }

    /// Steps done.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Leaves the head's bias as it is in all steps to come.
    pub(crate) fn fix_head_bias(&mut self) {
        self.fixed = self.net.head_bias();
    }

    /// The threads, for other work on the same network.
    pub(crate) fn split(&mut self) -> (&N, Weights<'_>, &mut Team) {
        (&self.net, Weights { params: &self.params, derived: &self.derived }, &mut self.team)
    }

    /// Replaces the parameters; the moments stay.
    pub(crate) fn set_params(&mut self, canonical: &[f32]) {
        self.net.pack(canonical, &mut self.params);
        derive_all(&self.net, &self.params, &mut self.derived);
    }

    /// Replaces the moments, given in canonical order, and the number of steps behind them.
    pub(crate) fn set_moments(&mut self, m: &[f32], v: &[f32], count: u64) {
        self.net.pack(m, &mut self.m);
        self.net.pack(v, &mut self.v);
        self.count = count;
    }

    fn canonical(&self, packed: &[f32]) -> Vec<f32> {
        let mut canonical = vec![0.0; self.net.shape().n_params()];
        self.net.unpack(packed, &mut canonical);
        canonical
    }

    /// The parameters in canonical order.
    pub(crate) fn params(&self) -> Vec<f32> {
        self.canonical(&self.params)
    }

    /// The moments in canonical order.
    pub(crate) fn moments(&self) -> (Vec<f32>, Vec<f32>) {
        (self.canonical(&self.m), self.canonical(&self.v))
    }

    /// The gradient of the last step in canonical order, before clipping.
    pub(crate) fn grad(&self) -> Vec<f32> {
        self.canonical(&self.grad)
    }

    /// Computes the gradient of the mean loss of `batch`.
    pub(crate) fn compute_gradient(&mut self, batch: &dyn Batch, dropout: Option<Dropout>) -> StepReport {
        let deal = Deal::of(batch.rows());
        self.run_lanes(batch, dropout, deal);
        let mut loss = 0.0;
        for lane in &self.lanes[..deal.lanes] {
            loss += read(lane).loss;
        }
        StepReport { loss: loss / deal.rows.max(1) as f64, grad_norm: self.add_lanes(deal).sqrt() }
    }

    /// One training step at `factor` times the learning rate. Nothing moves if loss or gradient are not finite.
    pub(crate) fn step(
        &mut self,
        batch: &dyn Batch,
        dropout: Option<Dropout>,
        adam: &AdamConfig,
        factor: f64,
    ) -> StepReport {
        let report = self.compute_gradient(batch, dropout);
        if report.is_finite() {
            self.count += 1;
            self.update(adam, factor, report.grad_norm);
            self.derive();
        }
        report
    }

    /// Runs the passes of all lanes.
    fn run_lanes(&mut self, batch: &dyn Batch, dropout: Option<Dropout>, deal: Deal) {
        let Self { net, params, derived, lanes, tapes, team, .. } = self;
        let weights = Weights { params, derived };
        let threads = team.size();
        let net: &N = net;
        let lanes: &[RwLock<Lane>] = lanes;
        let tapes: &[Mutex<N::Tape>] = tapes;
        team.run(&|thread| {
            let mut tape = lock(&tapes[thread]);
            for k in (thread..deal.lanes).step_by(threads) {
                let mut lane = lanes[k].write().unwrap_or_else(PoisonError::into_inner);
                run_lane(net, weights, (batch, dropout), (deal, k), &mut *tape, &mut lane);
            }
        });
    }

    /// Adds the lanes' gradients up, in order, and returns the square of the sum's norm. Of what is fixed it is 0.
    fn add_lanes(&mut self, deal: Deal) -> f64 {
        let Self { lanes, grad, fixed, team, .. } = self;
        let fixed: &Range<usize> = fixed;
        let bounds = even_bounds(grad.len());
        let parts = cut(grad, &bounds);
        let squares: [Mutex<f64>; PARTS] = std::array::from_fn(|_| Mutex::new(0.0));
        let threads = team.size();
        let lanes = &lanes[..deal.lanes];
        team.run(&|thread| {
            for part in (thread..PARTS).step_by(threads) {
                let mut sum = lock(&parts[part]);
                let range = bounds[part]..bounds[part + 1];
                for (k, lane) in lanes.iter().enumerate() {
                    let lane = read(lane);
                    let from = &lane.grad[range.clone()];
                    if k == 0 {
                        sum.copy_from_slice(from);
                    } else {
                        add(&mut sum, from);
                    }
                }
                // Where `fixed` and the part meet; nowhere, mostly.
                let (first, end) = (fixed.start.max(range.start), fixed.end.min(range.end));
                if first < end {
                    sum[first - range.start..end - range.start].fill(0.0);
                }
                *lock(&squares[part]) = sum_of_squares(&sum);
            }
        });
        squares.iter().map(|s| *lock(s)).sum()
    }

    /// Moves the parameters.
    fn update(&mut self, adam: &AdamConfig, factor: f64, norm: f64) {
        let update = adam.update(self.count, factor, norm);
        let Self { params, m, v, grad, team, .. } = self;
        let bounds = even_bounds(grad.len());
        let (params, m, v) = (cut(params, &bounds), cut(m, &bounds), cut(v, &bounds));
        let threads = team.size();
        let grad: &[f32] = grad;
        team.run(&|thread| {
            for part in (thread..PARTS).step_by(threads) {
                let grad = &grad[bounds[part]..bounds[part + 1]];
                update.apply(&mut lock(&params[part]), &mut lock(&m[part]), &mut lock(&v[part]), grad);
            }
        });
    }

    /// Makes the derived numbers anew.
    fn derive(&mut self) {
        let Self { net, params, derived, team, .. } = self;
        let bounds = net.derived_bounds();
        let parts = cut(derived, &bounds);
        let threads = team.size();
        let net: &N = net;
        let params: &[f32] = params;
        team.run(&|thread| {
            for part in (thread..PARTS).step_by(threads) {
                net.derive(params, part, &mut lock(&parts[part]));
            }
        });
    }
}

fn read(lane: &RwLock<Lane>) -> RwLockReadGuard<'_, Lane> {
    lane.read().unwrap_or_else(PoisonError::into_inner)
}

fn add(to: &mut [f32], from: &[f32]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}

/// The passes of lane `k`.
fn run_lane<N: Network>(
    net: &N,
    weights: Weights<'_>,
    (batch, dropout): (&dyn Batch, Option<Dropout>),
    (deal, k): (Deal, usize),
    tape: &mut N::Tape,
    lane: &mut Lane,
) {
    lane.grad.fill(0.0);
    lane.loss = 0.0;
    for micro_batch in deal.of_lane(k) {
        let rows = deal.rows_of(micro_batch);
        let n = rows.len();
        if n == 0 {
            continue;
        }
        let dropout = dropout.map(|d| d.from_row(rows.start));
        batch.put_inputs(rows.clone(), net.tape_input(tape));
        net.forward(weights, tape, n, dropout);
        lane.loss += batch.loss(rows, net.tape_output(tape));
        net.backward(weights, tape, n, dropout, &mut lane.grad);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_dealt_once_and_no_micro_batch_is_too_large() {
        for rows in 1..400 {
            let deal = Deal::of(rows);
            let mut next = 0;
            for lane in 0..deal.lanes {
                for k in deal.of_lane(lane) {
                    let range = deal.rows_of(k);
                    assert!(range.start == next && range.len() <= MICRO_BATCH);
                    next = range.end;
                }
            }
            assert_eq!(next, rows);
        }
        assert_eq!((Deal::of(32).lanes, Deal::of(64).lanes, Deal::of(256).lanes), (2, 2, 8));
    }
}
