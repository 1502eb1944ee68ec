//! The LSTM layer, PyTorch's `torch.nn.LSTM`:
//! `i, f, o = sigmoid(W x + U h + b)`, `g = tanh(W x + U h + b)`, `c' = f c + i g`, `h' = o tanh(c')`.

use super::activation::{sigmoid, tanh};
use super::layer::{Above, GATES, Layer, LayerTape, Pass, add, add_column_sums, add_weight_gradient};
use crate::kernel::{Matrix, MatrixMut, multiply};

/// Runs the layer over `input`, `[steps, rows, inputs]`, from a state of 0.
pub(super) fn forward(layer: Layer<'_>, input: &[f32], pass: Pass, tape: &mut LayerTape) {
    let Pass { steps, rows } = pass;
    let (width, block) = (GATES * layer.hidden, rows * layer.hidden);
    let weight_ih = Matrix::new(layer.weight_ih, width, layer.inputs).transposed();
    let weight_hh = Matrix::new(layer.weight_hh, width, layer.hidden).transposed();
    let all = Matrix::new(input, steps * rows, layer.inputs);
    multiply(MatrixMut::new(&mut tape.gates, steps * rows, width), false, all, weight_ih);
    tape.h[..block].fill(0.0);
    tape.c[..block].fill(0.0);
    for step in 0..steps {
        let (h_past, h) = tape.h.split_at_mut((step + 1) * block);
        let (c_past, c) = tape.c.split_at_mut((step + 1) * block);
        let gates = &mut tape.gates[step * rows * width..(step + 1) * rows * width];
        let tanh_c = &mut tape.tanh_c[step * block..(step + 1) * block];
        let c_before = &c_past[step * block..];
        if step > 0 {
            let h_before = Matrix::new(&h_past[step * block..], rows, layer.hidden);
            multiply(MatrixMut::new(gates, rows, width), true, h_before, weight_hh);
        }
        let unit = layer.hidden;
        for row in 0..rows {
            let at = row * unit..(row + 1) * unit;
            activate(
                &mut gates[row * width..(row + 1) * width],
                layer.bias,
                &c_before[at.clone()],
                &mut c[at.clone()],
                &mut tanh_c[at.clone()],
                &mut h[at],
            );
        }
    }
}

/// One row of one step: `gates` holds the sums without bias and becomes the gates.
fn activate(gates: &mut [f32], bias: &[f32], c_before: &[f32], c: &mut [f32], tanh_c: &mut [f32], h: &mut [f32]) {
    let n = h.len();
    let [i, f, g, o] = quarters_mut(gates, n);
    let [bias_i, bias_f, bias_g, bias_o] = quarters(bias, n);
    let (c_before, c, tanh_c) = (&c_before[..n], &mut c[..n], &mut tanh_c[..n]);
    for j in 0..n {
        i[j] = sigmoid(i[j] + bias_i[j]);
        f[j] = sigmoid(f[j] + bias_f[j]);
        g[j] = tanh(g[j] + bias_g[j]);
        o[j] = sigmoid(o[j] + bias_o[j]);
        c[j] = f[j] * c_before[j] + i[j] * g[j];
        tanh_c[j] = tanh(c[j]);
        h[j] = o[j] * tanh_c[j];
    }
}

/// Gradients of a layer's weights, to be added to, in canonical order.
#[derive(Debug)]
pub(super) struct LayerGrad<'a> {
    pub(super) weight_ih: &'a mut [f32],
    pub(super) weight_hh: &'a mut [f32],
    pub(super) bias: &'a mut [f32],
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
    let (width, block, n) = (GATES * layer.hidden, rows * layer.hidden, steps * rows);
    tape.d_h[..block].fill(0.0);
    tape.d_c[..block].fill(0.0);
    let weight_hh = Matrix::new(layer.weight_hh, width, layer.hidden);
    for step in (0..steps).rev() {
        let d_h = &mut tape.d_h[..block];
        if let Some(d) = above.at(step, steps, block) {
            add(d_h, d);
        }
        let gates = &mut tape.gates[step * rows * width..(step + 1) * rows * width];
        let unit = layer.hidden;
        for row in 0..rows {
            let at = row * unit..(row + 1) * unit;
            let time = step * block + at.start..step * block + at.end;
            derive_gates(
                &mut gates[row * width..(row + 1) * width],
                &tape.c[time.clone()],
                &tape.tanh_c[time],
                &d_h[at.clone()],
                &mut tape.d_c[at],
            );
        }
        if step > 0 {
            multiply(MatrixMut::new(d_h, rows, unit), false, Matrix::new(gates, rows, width), weight_hh);
        }
    }
    add_weight_gradient(grad.weight_ih, (&tape.gates, 0, width, width), (input, layer.inputs), n);
    add_weight_gradient(grad.weight_hh, (&tape.gates, 0, width, width), (&tape.h, layer.hidden), n);
    add_column_sums(&tape.gates[..n * width], grad.bias);
    if !tape.d_input.is_empty() {
        let weight_ih = Matrix::new(layer.weight_ih, width, layer.inputs);
        let d_input = MatrixMut::new(&mut tape.d_input, n, layer.inputs);
        multiply(d_input, false, Matrix::new(&tape.gates, n, width), weight_ih);
    }
}

/// One row of one step: `gates` becomes the gradient of the sums, `d_c` that of the cell state before.
fn derive_gates(gates: &mut [f32], c_before: &[f32], tanh_c: &[f32], d_h: &[f32], d_c: &mut [f32]) {
    let n = d_h.len();
    let [i, f, g, o] = quarters_mut(gates, n);
    let (c_before, tanh_c, d_c) = (&c_before[..n], &tanh_c[..n], &mut d_c[..n]);
    for j in 0..n {
        let d_cell = d_c[j] + d_h[j] * o[j] * (1.0 - tanh_c[j] * tanh_c[j]);
        d_c[j] = d_cell * f[j];
        o[j] = d_h[j] * tanh_c[j] * o[j] * (1.0 - o[j]);
        f[j] = d_cell * c_before[j] * f[j] * (1.0 - f[j]);
        let d_i = d_cell * g[j] * i[j] * (1.0 - i[j]);
        g[j] = d_cell * i[j] * (1.0 - g[j] * g[j]);
        i[j] = d_i;
    }
}

/// The four blocks of `n` gates of one row.
pub(super) fn quarters_mut(gates: &mut [f32], n: usize) -> [&mut [f32]; GATES] {
    let (a, rest) = gates.split_at_mut(n);
    let (b, rest) = rest.split_at_mut(n);
    let (c, d) = rest.split_at_mut(n);
    [a, b, c, &mut d[..n]]
}

/// The four blocks of `n` biases.
pub(super) fn quarters(bias: &[f32], n: usize) -> [&[f32]; GATES] {
    [&bias[..n], &bias[n..2 * n], &bias[2 * n..3 * n], &bias[3 * n..4 * n]]
}
