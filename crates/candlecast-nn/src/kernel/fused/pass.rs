//! The passes of training through all layers and the head, compiled once for each instruction set.

use super::backward::{GateStep, INPUT_GATES, Product, derive_gates, hidden_gates, multiply};
use super::forward::{Step, run_step};
use super::head;
use super::packing::{PackedLayer, Packing};
use super::simd::Simd;
use super::tape::{FusedTape, LayerTape};
use super::weight_gradient::{OuterProducts, add_bias_gradient, add_outer_products};
use crate::dropout::{Dropout, Mask};
use crate::network::Weights;
use crate::shape::BIASES;

/// Forward pass of training.
///
/// # Safety
/// The processor must have the instruction set; `tape` and `w` must be of `net`, `rows` at most the tape's, and the
/// tape made for dropout if there is any.
#[inline(always)]
pub(super) unsafe fn forward<S: Simd>(
    net: &Packing,
    w: Weights<'_>,
    tape: &mut FusedTape,
    rows: usize,
    dropout: Option<Dropout>,
) {
    let params = w.params.as_ptr();
    for (k, layer) in net.layers.iter().enumerate() {
        let (lower, upper) = tape.layers.split_at_mut(k);
        let this = &mut upper[0];
        if let (Some(below), Some(dropout)) = (lower.last(), dropout) {
            let mask = dropout.mask(k, net.steps, layer.inputs);
            let h = &below.h[rows * layer.in_pad..];
            mask_inputs(mask, (net.steps, rows, layer.in_pad), h, &mut this.masked);
        }
        let input = match (lower.last(), dropout) {
            (None, _) => tape.input.as_ptr(),
            (Some(below), None) => below.h[rows * layer.in_pad..].as_ptr(),
            (Some(_), Some(_)) => this.masked.as_ptr(),
        };
        // SAFETY: `input` holds `[steps, rows, in_pad]` values, the rest is as the caller vouches.
        unsafe { forward_layer::<S>(net, layer, params, input, this, rows) };
    }
    if let Some(last) = tape.layers.last() {
        let h = last.h[net.steps * rows * net.last_pad..].as_ptr();
        // SAFETY: the last block of hidden states begins at `h`.
        unsafe { head::forward::<S>(net, params, h, tape.out.as_mut_ptr(), rows) };
    }
}

#[inline(always)]
unsafe fn forward_layer<S: Simd>(
    net: &Packing,
    layer: &PackedLayer,
    params: *const f32,
    input: *const f32,
    tape: &mut LayerTape,
    rows: usize,
) {
    let block = rows * layer.hid_pad;
    tape.h[..block].fill(0.0);
    tape.c[..block].fill(0.0);
    let (h, c, tanh_c, gates) =
        (tape.h.as_mut_ptr(), tape.c.as_mut_ptr(), tape.tanh_c.as_mut_ptr(), tape.gates.as_mut_ptr());
    for t in 0..net.steps {
        // SAFETY: the buffers were made for at least `rows` rows and all steps.
        unsafe {
            let step = Step {
                x: input.add(t * rows * layer.in_pad),
                h_before: h.add(t * block),
                c_before: c.add(t * block),
                h: h.add((t + 1) * block),
                c: c.add((t + 1) * block),
                tanh_c: tanh_c.add(t * block),
                gates: gates.add(t * rows * BIASES * S::LANES),
                gates_stride: net.steps * rows * BIASES * S::LANES,
                rows,
                first: t == 0,
            };
            run_step::<S>(net.cell, layer, params, step);
        }
    }
}

/// Writes the masked inputs, all `[steps, rows, width]`.
#[inline(always)]
fn mask_inputs(mask: Mask, (steps, rows, width): (usize, usize, usize), from: &[f32], to: &mut [f32]) {
    for step in 0..steps {
        for row in 0..rows {
            let at = (step * rows + row) * width;
            mask.apply(row, step, &from[at..at + width], &mut to[at..at + width]);
        }
    }
}

/// Adds the gradient of the parameters to `grad`; the tape's outputs must hold the gradient of the outputs.
///
/// # Safety
/// As [`forward`], which must have been called last on `tape`; `grad` must have the length of the parameters.
#[inline(always)]
pub(super) unsafe fn backward<S: Simd>(
    net: &Packing,
    w: Weights<'_>,
    tape: &mut FusedTape,
    rows: usize,
    dropout: Option<Dropout>,
    grad: &mut [f32],
) {
    let (derived, grad) = (w.derived.as_ptr(), grad.as_mut_ptr());
    if let Some(last) = tape.layers.last() {
        let h = last.h[net.steps * rows * net.last_pad..].as_ptr();
        let d_out = tape.out.as_ptr();
        // SAFETY: the last block of hidden states begins at `h`, the rest is as the caller vouches.
        unsafe {
            head::add_gradient::<S>(net, h, d_out, grad, rows);
            head::derive_hidden::<S>(net, derived, d_out, tape.d_last.as_mut_ptr(), rows);
        }
    }
    for (k, layer) in net.layers.iter().enumerate().rev() {
        let (lower, upper) = tape.layers.split_at_mut(k);
        let Some((this, higher)) = upper.split_first_mut() else { continue };
        let above = match higher.first() {
            Some(next) => Above { last: std::ptr::null(), all: next.d_input.as_ptr() },
            None => Above { last: tape.d_last.as_ptr(), all: std::ptr::null() },
        };
        let input = match (lower.last(), dropout) {
            (None, _) => tape.input.as_ptr(),
            (Some(below), None) => below.h[rows * layer.in_pad..].as_ptr(),
            (Some(_), Some(_)) => this.masked.as_ptr(),
        };
        // SAFETY: `input` and `above` hold blocks of this layer's extents, the rest is as the caller vouches.
        unsafe {
            derive_through_time::<S>(net, layer, derived, above, this, rows);
            add_layer_gradient::<S>(net, layer, input, this, rows, grad);
            if let Some(weight_t) = layer.weight_ih_t {
                derive_inputs::<S>(net, layer, derived.add(weight_t), this, rows);
            }
        }
        if let Some(dropout) = dropout.filter(|_| k > 0) {
            let mask = dropout.mask(k, net.steps, layer.inputs);
            mask_gradient(mask, (net.steps, rows, layer.in_pad), &mut this.d_input);
        }
    }
}

/// Gradients from above: of the last step, or of all; the other is null.
#[derive(Clone, Copy)]
struct Above {
    last: *const f32,
    all: *const f32,
}

/// Turns all gates into the gradients of their sums, from the last step to the first.
#[inline(always)]
unsafe fn derive_through_time<S: Simd>(
    net: &Packing,
    layer: &PackedLayer,
    derived: *const f32,
    above: Above,
    tape: &mut LayerTape,
    rows: usize,
) {
    let block = rows * layer.hid_pad;
    tape.d_h[..block].fill(0.0);
    tape.d_c[..block].fill(0.0);
    let (d_h, d_c, gates) = (tape.d_h.as_mut_ptr(), tape.d_c.as_mut_ptr(), tape.gates.as_mut_ptr());
    let (h, c, tanh_c) = (tape.h.as_ptr(), tape.c.as_ptr(), tape.tanh_c.as_ptr());
    let gates_stride = net.steps * rows * BIASES * S::LANES;
    for t in (0..net.steps).rev() {
        let is_last = t + 1 == net.steps;
        // SAFETY: the buffers were made for at least `rows` rows and all steps.
        unsafe {
            let gates = gates.add(t * rows * BIASES * S::LANES);
            let above = match (above.all.is_null(), is_last) {
                (false, _) => above.all.add(t * block),
                (true, true) => above.last,
                (true, false) => std::ptr::null(),
            };
            let step = GateStep {
                gates,
                gates_stride,
                h_before: h.add(t * block),
                c_before: c.add(t * block),
                tanh_c: tanh_c.add(t * block),
                above,
                d_h,
                d_c,
                rows,
                panels: layer.panels,
            };
            derive_gates::<S>(net.cell, step);
            if t > 0 {
                multiply::<S>(Product {
                    gates,
                    gates_stride,
                    panels: layer.panels,
                    rows,
                    n_gates: net.cell.gates(),
                    which: hidden_gates(net.cell),
                    weight_t: derived.add(layer.weight_hh_t),
                    to: d_h,
                    width: layer.hid_pad,
                    accumulate: net.cell == crate::shape::Cell::Gru,
                });
            }
        }
    }
}

#[inline(always)]
unsafe fn add_layer_gradient<S: Simd>(
    net: &Packing,
    layer: &PackedLayer,
    input: *const f32,
    tape: &LayerTape,
    rows: usize,
    grad: *mut f32,
) {
    let gates = tape.gates.as_ptr();
    let rows = net.steps * rows;
    // SAFETY: gates, inputs and states hold all steps; `grad` has the places of the layer's weights.
    unsafe {
        let products = OuterProducts {
            inputs: input,
            width: layer.in_pad,
            gates,
            panels: layer.panels,
            rows,
            n_gates: net.cell.gates(),
            which: INPUT_GATES,
            grad: grad.add(layer.weight_ih),
        };
        add_outer_products::<S>(products);
        add_outer_products::<S>(OuterProducts {
            inputs: tape.h.as_ptr(),
            width: layer.hid_pad,
            which: hidden_gates(net.cell),
            grad: grad.add(layer.weight_hh),
            ..products
        });
        add_bias_gradient::<S>(gates, layer.panels, rows, grad.add(layer.bias));
    }
}

/// Writes the gradient of all inputs.
#[inline(always)]
unsafe fn derive_inputs<S: Simd>(
    net: &Packing,
    layer: &PackedLayer,
    weight_t: *const f32,
    tape: &mut LayerTape,
    rows: usize,
) {
    let rows = net.steps * rows;
    // SAFETY: gates and inputs hold all steps.
    unsafe {
        multiply::<S>(Product {
            gates: tape.gates.as_ptr(),
            gates_stride: rows * BIASES * S::LANES,
            panels: layer.panels,
            rows,
            n_gates: net.cell.gates(),
            which: INPUT_GATES,
            weight_t,
            to: tape.d_input.as_mut_ptr(),
            width: layer.in_pad,
            accumulate: false,
        });
    }
}

/// Multiplies the gradient of masked inputs, `[steps, rows, width]`, by their mask.
#[inline(always)]
fn mask_gradient(mask: Mask, (steps, rows, width): (usize, usize, usize), d_input: &mut [f32]) {
    for step in 0..steps {
        for row in 0..rows {
            let at = (step * rows + row) * width;
            mask.apply_in_place(row, step, &mut d_input[at..at + width]);
        }
    }
}
