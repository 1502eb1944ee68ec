//! [`ReferenceNetwork`]: the layers one on another, dropout between them, the head on top.

use std::ops::Range;

use super::head::{self, Head};
use super::layer::{Above, Layer, LayerTape, Pass};
use super::lstm::LayerGrad;
use super::{gru, lstm};
use crate::buffer::Buffer;
use crate::dropout::{Dropout, Mask};
use crate::network::{Network, Outputs, PARTS, Weights};
use crate::shape::{Cell, LayerSpan, Shape};

/// The network in canonical order of parameters; nothing is derived from them.
#[derive(Debug)]
pub(crate) struct ReferenceNetwork {
    shape: Shape,
    layers: Vec<LayerSpan>,
    head_weight: Range<usize>,
    head_bias: Range<usize>,
}

/// What a pass keeps, all layers.
#[derive(Debug)]
pub(crate) struct ReferenceTape {
    input: Buffer,
    layers: Vec<LayerTape>,
    /// Inputs of each layer after dropout, `[steps, rows, inputs]`; empty without dropout and for the first layer.
    masked: Vec<Buffer>,
    out: Buffer,
    d_last: Buffer,
}

impl ReferenceNetwork {
    /// A network of `shape`.
    pub(crate) fn new(shape: Shape) -> Self {
        Self { layers: shape.layers(), head_weight: shape.head_weight(), head_bias: shape.head_bias(), shape }
    }

    fn run_layer(&self, k: usize, params: &[f32], input: &[f32], pass: Pass, tape: &mut LayerTape) {
        let layer = Layer::of(params, &self.layers[k]);
        match self.shape.cell {
            Cell::Lstm => lstm::forward(layer, input, pass, tape),
            Cell::Gru => gru::forward(layer, input, pass, tape),
        }
    }

    fn head<'a>(&self, params: &'a [f32]) -> Head<'a> {
        Head { weight: &params[self.head_weight.clone()], bias: &params[self.head_bias.clone()] }
    }
}

/// Writes the masked hidden states of the layer below, `h [steps, rows, width]`, to `masked`.
fn mask_inputs(mask: Mask, pass: Pass, width: usize, h: &[f32], masked: &mut [f32]) {
    for step in 0..pass.steps {
        for row in 0..pass.rows {
            let at = (step * pass.rows + row) * width;
            mask.apply(row, step, &h[at..at + width], &mut masked[at..at + width]);
        }
    }
}

/// Multiplies the gradient of the masked inputs by their mask.
fn mask_gradient(mask: Mask, pass: Pass, width: usize, d_input: &mut [f32]) {
    for step in 0..pass.steps {
        for row in 0..pass.rows {
            let at = (step * pass.rows + row) * width;
            mask.apply_in_place(row, step, &mut d_input[at..at + width]);
        }
    }
}

impl Network for ReferenceNetwork {
    type Tape = ReferenceTape;
    type State = ReferenceTape;

    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn n_params(&self) -> usize {
        self.head_bias.end
    }

    fn head_bias(&self) -> Range<usize> {
        self.head_bias.clone()
    }

    fn pack(&self, canonical: &[f32], params: &mut [f32]) {
        params.copy_from_slice(canonical);
    }

    fn unpack(&self, params: &[f32], canonical: &mut [f32]) {
        canonical.copy_from_slice(params);
    }

    fn derived_bounds(&self) -> [usize; PARTS + 1] {
        [0; PARTS + 1]
    }

    fn derive(&self, _: &[f32], _: usize, _: &mut [f32]) {}

    fn tape(&self, rows: usize, dropout: bool) -> ReferenceTape {
        let Shape { cell, inputs, steps, outputs, .. } = self.shape;
        let layer = |(k, span): (usize, &LayerSpan)| LayerTape::new(cell, span, k, steps, rows);
        let masked = |(k, span): (usize, &LayerSpan)| {
            Buffer::zeroed(if dropout && k > 0 { steps * rows * span.inputs } else { 0 }, 8 * k + 7)
        };
        ReferenceTape {
            input: Buffer::zeroed(steps * rows * inputs, 10),
            layers: self.layers.iter().enumerate().map(layer).collect(),
            masked: self.layers.iter().enumerate().map(masked).collect(),
            out: Buffer::zeroed(rows * outputs, 11),
            d_last: Buffer::zeroed(rows * self.shape.last_hidden(), 12),
        }
    }

    fn tape_input<'a>(&self, tape: &'a mut ReferenceTape) -> &'a mut [f32] {
        &mut tape.input
    }

    fn forward(&self, w: Weights<'_>, tape: &mut ReferenceTape, rows: usize, dropout: Option<Dropout>) {
        let pass = Pass { steps: self.shape.steps, rows };
        for k in 0..self.layers.len() {
            let (below, this) = tape.layers.split_at_mut(k);
            let this = &mut this[0];
            let Some(below) = below.last() else {
                self.run_layer(k, w.params, &tape.input, pass, this);
                continue;
            };
            let width = self.layers[k].inputs;
            let h = &below.h[rows * width..];
            match dropout {
                None => self.run_layer(k, w.params, h, pass, this),
                Some(dropout) => {
                    let masked = &mut tape.masked[k];
                    mask_inputs(dropout.mask(k, pass.steps, width), pass, width, h, masked);
                    self.run_layer(k, w.params, masked, pass, this);
                }
            }
        }
        let hidden = self.shape.last_hidden();
        if let Some(last) = tape.layers.last() {
            let h = &last.h[pass.steps * rows * hidden..];
            head::forward(self.head(w.params), h, hidden, rows, &mut tape.out);
        }
    }

    fn tape_output<'a>(&self, tape: &'a mut ReferenceTape) -> Outputs<'a> {
        Outputs::new(&mut tape.out, self.shape.outputs, self.shape.outputs)
    }

    fn backward(
        &self,
        w: Weights<'_>,
        tape: &mut ReferenceTape,
        rows: usize,
        dropout: Option<Dropout>,
        grad: &mut [f32],
    ) {
        let pass = Pass { steps: self.shape.steps, rows };
        let hidden = self.shape.last_hidden();
        let (grad_layers, grad_head) = grad.split_at_mut(self.head_weight.start);
        if let Some(last) = tape.layers.last() {
            let h = &last.h[pass.steps * rows * hidden..];
            let grads = grad_head.split_at_mut(self.head_weight.len());
            head::backward(self.head(w.params), (h, hidden), (&tape.out, rows), grads, &mut tape.d_last);
        }
        for k in (0..self.layers.len()).rev() {
            let (lower, upper) = tape.layers.split_at_mut(k);
            let Some((this, above)) = upper.split_first_mut() else { continue };
            let above = above.first().map_or(Above::Last(&tape.d_last), |next| Above::All(&next.d_input));
            let span = &self.layers[k];
            let input: &[f32] = match (lower.last(), dropout) {
                (None, _) => &tape.input,
                (Some(below), None) => &below.h[rows * span.inputs..],
                (Some(_), Some(_)) => &tape.masked[k],
            };
            let layer = Layer::of(w.params, span);
            let grad = layer_grad(&mut grad_layers[span.weight_ih.start..span.bias.end], span);
            match self.shape.cell {
                Cell::Lstm => lstm::backward(layer, input, pass, above, this, grad),
                Cell::Gru => gru::backward(layer, input, pass, above, this, grad),
            }
            if let Some(dropout) = dropout.filter(|_| k > 0) {
                mask_gradient(dropout.mask(k, pass.steps, span.inputs), pass, span.inputs, &mut this.d_input);
            }
        }
    }

    fn state(&self, rows: usize) -> ReferenceTape {
        self.tape(rows, false)
    }

    fn state_input<'a>(&self, state: &'a mut ReferenceTape) -> &'a mut [f32] {
        &mut state.input
    }

    fn infer(&self, w: Weights<'_>, state: &mut ReferenceTape, rows: usize) {
        self.forward(w, state, rows, None);
    }

    fn state_output<'a>(&self, state: &'a mut ReferenceTape) -> Outputs<'a> {
        self.tape_output(state)
    }
}

/// The parts of one layer's gradient, `[weight_ih, weight_hh, bias]` end to end.
fn layer_grad<'a>(grad: &'a mut [f32], span: &LayerSpan) -> LayerGrad<'a> {
    let (weight_ih, rest) = grad.split_at_mut(span.weight_ih.len());
    let (weight_hh, bias) = rest.split_at_mut(span.weight_hh.len());
    LayerGrad { weight_ih, weight_hh, bias }
}
