//! The GRU layer in PyTorch's form, `torch.nn.GRU`: `r, z = sigmoid(W x + U h + b)`,
//! `n = tanh(W x + b_x + r (U h + b_h))`, `h' = (1 - z) n + z h`. The reset gate acts after the product with U,
//! which is why n has two biases.

use super::activation::{sigmoid, tanh};
use super::layer::{Above, GATES, Layer, LayerTape, Pass, add, add_column_sums, add_weight_gradient};
use super::lstm::{LayerGrad, quarters, quarters_mut};
use crate::kernel::{Matrix, MatrixMut, multiply};

/// Runs the layer over `input`, `[steps, rows, inputs]`, from a state of 0.
pub(super) fn forward(layer: Layer<'_>, input: &[f32], pass: Pass, tape: &mut LayerTape) {
    let Pass { steps, rows } = pass;
    let unit = layer.hidden;
    let (width, block) = (GATES * unit, rows * unit);
    let weight_ih = Matrix::new(layer.weight_ih, 3 * unit, layer.inputs).transposed();
    let all = Matrix::new(input, steps * rows, layer.inputs);
    multiply(MatrixMut::strided(&mut tape.gates, steps * rows, 3 * unit, width), false, all, weight_ih);
    tape.h[..block].fill(0.0);
    for step in 0..steps {
        let (h_past, h) = tape.h.split_at_mut((step + 1) * block);
        let h_before = &h_past[step * block..];
        let gates = &mut tape.gates[step * rows * width..(step + 1) * rows * width];
        add_hidden_part(layer, h_before, rows, step == 0, gates);
        for row in 0..rows {
            let at = row * unit..(row + 1) * unit;
            let gates = &mut gates[row * width..(row + 1) * width];
            activate(gates, layer.bias, &h_before[at.clone()], &mut h[at]);
        }
    }
}

/// Adds `U h` to the sums of r and z, and writes that of n to the fourth block.
fn add_hidden_part(layer: Layer<'_>, h_before: &[f32], rows: usize, first: bool, gates: &mut [f32]) {
    let unit = layer.hidden;
    let width = GATES * unit;
    if first {
        for row in gates.chunks_exact_mut(width) {
            row[3 * unit..].fill(0.0);
        }
        return;
    }
    let h_before = Matrix::new(h_before, rows, unit);
    let (weight_rz, weight_n) = layer.weight_hh.split_at(2 * unit * unit);
    let weight_rz = Matrix::new(weight_rz, 2 * unit, unit).transposed();
    multiply(MatrixMut::strided(gates, rows, 2 * unit, width), true, h_before, weight_rz);
    let weight_n = Matrix::new(weight_n, unit, unit).transposed();
    multiply(MatrixMut::strided(&mut gates[3 * unit..], rows, unit, width), false, h_before, weight_n);
}

/// One row of one step: `gates` holds the sums without bias and becomes r, z, n and the hidden part of n.
fn activate(gates: &mut [f32], bias: &[f32], h_before: &[f32], h: &mut [f32]) {
    let unit = h.len();
    let [r, z, n, n_hidden] = quarters_mut(gates, unit);
    let [bias_r, bias_z, bias_n, bias_hidden] = quarters(bias, unit);
    let h_before = &h_before[..unit];
    for j in 0..unit {
        r[j] = sigmoid(r[j] + bias_r[j]);
        z[j] = sigmoid(z[j] + bias_z[j]);
        n_hidden[j] += bias_hidden[j];
        n[j] = tanh(n[j] + bias_n[j] + r[j] * n_hidden[j]);
        h[j] = n[j] + z[j] * (h_before[j] - n[j]);
    }
}

/// The way back: adds to `grad`, and writes `tape.d_input` if there is room for it.
pub(super) fn backward(
    layer: Layer<'_>,
    input: &[f32],
    pass: Pass,
    above: Above<'_>,
    tape: &mut LayerTape,
    grad: LayerGrad<'_>,
) {
    let Pass { steps, rows } = pass;
    let unit = layer.hidden;
    let (width, block, n) = (GATES * unit, rows * unit, steps * rows);
    tape.d_h[..block].fill(0.0);
    for step in (0..steps).rev() {
        let d_h = &mut tape.d_h[..block];
        if let Some(d) = above.at(step, steps, block) {
            add(d_h, d);
        }
        let gates = &mut tape.gates[step * rows * width..(step + 1) * rows * width];
        let h_before = &tape.h[step * block..(step + 1) * block];
        for row in 0..rows {
            let at = row * unit..(row + 1) * unit;
            derive_gates(&mut gates[row * width..(row + 1) * width], &h_before[at.clone()], &mut d_h[at]);
        }
        if step > 0 {
            add_hidden_gradient(layer, gates, rows, d_h);
        }
    }
    let (rz, hidden) = grad.weight_hh.split_at_mut(2 * unit * unit);
    add_weight_gradient(grad.weight_ih, (&tape.gates, 0, 3 * unit, width), (input, layer.inputs), n);
    add_weight_gradient(rz, (&tape.gates, 0, 2 * unit, width), (&tape.h, unit), n);
    add_weight_gradient(hidden, (&tape.gates, 3 * unit, unit, width), (&tape.h, unit), n);
    add_column_sums(&tape.gates[..n * width], grad.bias);
    if !tape.d_input.is_empty() {
        let weight_ih = Matrix::new(layer.weight_ih, 3 * unit, layer.inputs);
        let d_input = MatrixMut::new(&mut tape.d_input, n, layer.inputs);
        multiply(d_input, false, Matrix::strided(&tape.gates, n, 3 * unit, width), weight_ih);
    }
}

/// One row of one step: `gates` becomes the gradients of the sums of r, z, n and of the hidden part of n; `d_h`
/// keeps what reaches the hidden state before directly.
fn derive_gates(gates: &mut [f32], h_before: &[f32], d_h: &mut [f32]) {
    let unit = d_h.len();
    let [r, z, n, n_hidden] = quarters_mut(gates, unit);
    let h_before = &h_before[..unit];
    for j in 0..unit {
        let d_n = d_h[j] * (1.0 - z[j]) * (1.0 - n[j] * n[j]);
        let d_r = d_n * n_hidden[j] * r[j] * (1.0 - r[j]);
        let d_z = d_h[j] * (h_before[j] - n[j]) * z[j] * (1.0 - z[j]);
        d_h[j] *= z[j];
        n_hidden[j] = d_n * r[j];
        (r[j], z[j], n[j]) = (d_r, d_z, d_n);
    }
}

/// `d_h +=` what reaches the hidden state before through the gates.
fn add_hidden_gradient(layer: Layer<'_>, gates: &[f32], rows: usize, d_h: &mut [f32]) {
    let unit = layer.hidden;
    let width = GATES * unit;
    let (weight_rz, weight_n) = layer.weight_hh.split_at(2 * unit * unit);
    let rz = Matrix::strided(gates, rows, 2 * unit, width);
    multiply(MatrixMut::new(d_h, rows, unit), true, rz, Matrix::new(weight_rz, 2 * unit, unit));
    let hidden = Matrix::strided(&gates[3 * unit..], rows, unit, width);
    multiply(MatrixMut::new(d_h, rows, unit), true, hidden, Matrix::new(weight_n, unit, unit));
}
