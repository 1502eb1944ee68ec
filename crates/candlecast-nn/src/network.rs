//! [`Network`]: what the training loop asks of a network, whoever computes it.
//!
//! A network owns no numbers. Parameters lie in one flat vector in the network's own order (`pack` and `unpack`
//! translate from and to the canonical order of [`Shape`]); `derived` holds copies made from them once a step
//! (transposes). A [`Network::Tape`] holds what a forward pass keeps for its backward pass, over at most
//! [`MICRO_BATCH`] rows; a [`Network::State`] what prediction needs.

use std::ops::Range;

use crate::dropout::Dropout;
use crate::shape::Shape;

/// Most rows of a micro-batch: what a thread works on at once. More would not fit its cache.
pub(crate) const MICRO_BATCH: usize = 32;
/// Parts into which vectors of parameters are cut, whatever the number of threads; also the most threads a fit uses.
pub(crate) const PARTS: usize = 8;

/// Parameters in a network's own order, and what [`Network::derive`] made of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weights<'a> {
    /// `[n_params]`.
    pub(crate) params: &'a [f32],
    /// `[n_derived]`.
    pub(crate) derived: &'a [f32],
}

/// Rows of outputs, `[row, stride]`, of which the first `width` columns count.
#[derive(Debug)]
pub(crate) struct Outputs<'a> {
    values: &'a mut [f32],
    stride: usize,
    width: usize,
}

impl<'a> Outputs<'a> {
    /// Rows of `width` values, `stride` apart.
    pub(crate) fn new(values: &'a mut [f32], stride: usize, width: usize) -> Self {
        Self { values, stride, width }
    }

    /// Row `i`, `[width]`.
    pub(crate) fn row(&mut self, i: usize) -> &mut [f32] {
        &mut self.values[i * self.stride..i * self.stride + self.width]
    }
}

/// A network of one [`Shape`].
pub(crate) trait Network: Send + Sync + std::fmt::Debug + 'static {
    /// What a forward pass keeps for the backward pass.
    type Tape: Send + std::fmt::Debug;
    /// What prediction needs.
    type State: Send + std::fmt::Debug;

    /// Its extents.
    fn shape(&self) -> &Shape;
    /// Length of the parameter vector in this network's order; paddings, if any, are 0 and stay 0.
    fn n_params(&self) -> usize;
    /// Place of the head's bias in the parameter vector, with its padding.
    fn head_bias(&self) -> Range<usize>;
    /// Writes `canonical` in this network's order.
    fn pack(&self, canonical: &[f32], params: &mut [f32]);
    /// Writes `params` in canonical order.
    fn unpack(&self, params: &[f32], canonical: &mut [f32]);
    /// Borders of the parts of the derived vector, from 0 to its length.
    fn derived_bounds(&self) -> [usize; PARTS + 1];
    /// Computes part `part` of the derived vector.
    fn derive(&self, params: &[f32], part: usize, out: &mut [f32]);

    /// Room for training on `rows` rows, with masked inputs if there will be dropout.
    fn tape(&self, rows: usize, dropout: bool) -> Self::Tape;
    /// Inputs of a tape, `[steps, rows, inputs]`.
    fn tape_input<'a>(&self, tape: &'a mut Self::Tape) -> &'a mut [f32];
    /// Forward pass over `rows` rows.
    fn forward(&self, w: Weights<'_>, tape: &mut Self::Tape, rows: usize, dropout: Option<Dropout>);
    /// Outputs of the forward pass; the caller replaces them by the loss's gradient before `backward`.
    fn tape_output<'a>(&self, tape: &'a mut Self::Tape) -> Outputs<'a>;
    /// Adds the gradient of the parameters to `grad`, `[n_params]`.
    fn backward(&self, w: Weights<'_>, tape: &mut Self::Tape, rows: usize, dropout: Option<Dropout>, grad: &mut [f32]);

    /// Room for predicting `rows` rows.
    fn state(&self, rows: usize) -> Self::State;
    /// Inputs of a state, `[steps, rows, inputs]`.
    fn state_input<'a>(&self, state: &'a mut Self::State) -> &'a mut [f32];
    /// Evaluates `rows` rows, without dropout.
    fn infer(&self, w: Weights<'_>, state: &mut Self::State, rows: usize);
    /// Outputs of `infer`.
    fn state_output<'a>(&self, state: &'a mut Self::State) -> Outputs<'a>;
}

/// Copies one window, `[steps, inputs]`, to row `row` of `input`, `[steps, rows, inputs]`.
pub(crate) fn put_window(window: &[f32], inputs: usize, row: usize, rows: usize, input: &mut [f32]) {
    for (step, values) in window.chunks_exact(inputs).enumerate() {
        let at = (step * rows + row) * inputs;
        input[at..at + inputs].copy_from_slice(values);
    }
}

/// All of the derived vector, computed by one thread.
pub(crate) fn derive_all<N: Network>(net: &N, params: &[f32], derived: &mut [f32]) {
    let bounds = net.derived_bounds();
    for part in 0..PARTS {
        net.derive(params, part, &mut derived[bounds[part]..bounds[part + 1]]);
    }
}

/// Bytes that a tape over `rows` rows takes at most, and gradients and moments besides: for estimates.
pub(crate) fn training_bytes(shape: &Shape, threads: usize) -> usize {
    let row_floats: usize = shape.hidden.iter().map(|&h| h.next_multiple_of(16) * 9).sum::<usize>() + 2 * shape.inputs;
    let tape = MICRO_BATCH * (shape.steps + 1) * row_floats;
    let vectors = shape.n_params() * (PARTS + 8) * 2;
    4 * (tape * threads + vectors)
}
