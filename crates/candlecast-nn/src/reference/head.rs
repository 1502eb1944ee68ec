//! The linear head on the last hidden state: `out = V h + b`.

use super::layer::add_column_sums;
use crate::kernel::{Matrix, MatrixMut, multiply};

/// Weights of the head.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'a> {
    /// `[outputs, hidden]`.
    pub(super) weight: &'a [f32],
    /// `[outputs]`.
    pub(super) bias: &'a [f32],
}

/// Writes the outputs, `[rows, outputs]`, of hidden states `h`, `[rows, hidden]`.
pub(super) fn forward(head: Head<'_>, h: &[f32], hidden: usize, rows: usize, out: &mut [f32]) {
    let outputs = head.bias.len();
    for row in out[..rows * outputs].chunks_exact_mut(outputs) {
        row.copy_from_slice(head.bias);
    }
    let weight = Matrix::new(head.weight, outputs, hidden).transposed();
    multiply(MatrixMut::new(out, rows, outputs), true, Matrix::new(h, rows, hidden), weight);
}

/// Adds the gradients of weight and bias, and writes that of the hidden states; `d_out` is `[rows, outputs]`.
pub(super) fn backward(
    head: Head<'_>,
    (h, hidden): (&[f32], usize),
    (d_out, rows): (&[f32], usize),
    (grad_weight, grad_bias): (&mut [f32], &mut [f32]),
    d_h: &mut [f32],
) {
    let outputs = head.bias.len();
    let d_out_matrix = Matrix::new(d_out, rows, outputs);
    let h = Matrix::new(h, rows, hidden);
    multiply(MatrixMut::new(grad_weight, outputs, hidden), true, d_out_matrix.transposed(), h);
    add_column_sums(&d_out[..rows * outputs], grad_bias);
    multiply(MatrixMut::new(d_h, rows, hidden), false, d_out_matrix, Matrix::new(head.weight, outputs, hidden));
}
