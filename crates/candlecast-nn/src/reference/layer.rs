//! What the recurrent layers share: their weights, what they keep of a forward pass, what reaches them from above.

use crate::buffer::Buffer;
use crate::kernel::{Matrix, MatrixMut, multiply};
use crate::shape::{BIASES, Cell, LayerSpan};

/// Gate columns kept a unit: i, f, g, o of the LSTM; r, z, n and the hidden part of n of the GRU.
pub(super) const GATES: usize = BIASES;

/// Weights of one layer, as in [`crate::shape::Shape`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Layer<'a> {
    pub(super) inputs: usize,
    pub(super) hidden: usize,
    pub(super) weight_ih: &'a [f32],
    pub(super) weight_hh: &'a [f32],
    pub(super) bias: &'a [f32],
}

impl<'a> Layer<'a> {
    /// The layer at `span` of `params`.
    pub(super) fn of(params: &'a [f32], span: &LayerSpan) -> Self {
        Self {
            inputs: span.inputs,
            hidden: span.hidden,
            weight_ih: &params[span.weight_ih.clone()],
            weight_hh: &params[span.weight_hh.clone()],
            bias: &params[span.bias.clone()],
        }
    }
}

/// What a layer keeps of a forward pass over `rows` rows for its backward pass. Blocks of time follow each other:
/// where a pass has fewer rows than there is room for, only the front of each buffer is used.
#[derive(Debug)]
pub(super) struct LayerTape {
    /// Hidden states, `[steps + 1, rows, hidden]`; the first block is the starting state 0.
    pub(super) h: Buffer,
    /// Cell states of the LSTM, as `h`.
    pub(super) c: Buffer,
    /// Their hyperbolic tangents, `[steps, rows, hidden]`.
    pub(super) tanh_c: Buffer,
    /// Gates after activation, `[steps, rows, GATES * hidden]`; the backward pass turns them into the gradients
    /// of the sums before activation.
    pub(super) gates: Buffer,
    /// Gradient of the inputs, `[steps, rows, inputs]`; none below the first layer.
    pub(super) d_input: Buffer,
    /// Gradient of the hidden state, `[rows, hidden]`.
    pub(super) d_h: Buffer,
    /// Gradient of the cell state, `[rows, hidden]`.
    pub(super) d_c: Buffer,
}

impl LayerTape {
    /// Room for `rows` rows in layer number `index`.
    pub(super) fn new(cell: Cell, span: &LayerSpan, index: usize, steps: usize, rows: usize) -> Self {
        let block = rows * span.hidden;
        let cells = if cell == Cell::Lstm { block } else { 0 };
        let inputs = if index > 0 { steps * rows * span.inputs } else { 0 };
        let buffer = |len: usize, slot: usize| Buffer::zeroed(len, 8 * index + slot);
        Self {
            h: buffer((steps + 1) * block, 0),
            c: buffer((steps + 1) * cells, 1),
            tanh_c: buffer(steps * cells, 2),
            gates: buffer(steps * block * GATES, 3),
            d_input: buffer(inputs, 4),
            d_h: buffer(block, 5),
            d_c: buffer(cells, 6),
        }
    }
}

/// Extents of one pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pass {
    pub(super) steps: usize,
    pub(super) rows: usize,
}

/// Gradients of the hidden states that come from above.
#[derive(Debug, Clone, Copy)]
pub(super) enum Above<'a> {
    /// Of the last step only, `[rows, hidden]`: from the head.
    Last(&'a [f32]),
    /// Of every step, `[steps, rows, hidden]`: from the next layer.
    All(&'a [f32]),
}

impl<'a> Above<'a> {
    /// The gradient for `step`, if there is one.
    pub(super) fn at(self, step: usize, steps: usize, block: usize) -> Option<&'a [f32]> {
        match self {
            Self::Last(d) => (step + 1 == steps).then_some(&d[..block]),
            Self::All(d) => Some(&d[step * block..(step + 1) * block]),
        }
    }
}

/// `sums[c] +=` the sum of column `c` of `values`, `[rows, sums.len()]`.
pub(super) fn add_column_sums(values: &[f32], sums: &mut [f32]) {
    for row in values.chunks_exact(sums.len()) {
        for (sum, v) in sums.iter_mut().zip(row) {
            *sum += v;
        }
    }
}

/// `grad += gates^T inputs`, the gradient of a weight whose `rows` rows belong to `gates` columns from `column`.
/// `gates` has rows of `stride`, `inputs` rows of `width`, both `n` of them.
pub(super) fn add_weight_gradient(
    grad: &mut [f32],
    (gates, column, rows, stride): (&[f32], usize, usize, usize),
    (inputs, width): (&[f32], usize),
    n: usize,
) {
    let gates = Matrix::strided(&gates[column..], n, rows, stride).transposed();
    multiply(MatrixMut::new(grad, rows, width), true, gates, Matrix::new(inputs, n, width));
}

/// `a += b`.
pub(super) fn add(a: &mut [f32], b: &[f32]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a += b;
    }
}
