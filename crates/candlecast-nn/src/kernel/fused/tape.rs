//! What the fused passes keep; layouts are in the module's head.

use std::sync::Arc;

use super::packing::Packing;
use crate::buffer::Buffer;
use crate::shape::BIASES;

/// What a training pass keeps.
#[derive(Debug)]
pub(super) struct LayerTape {
    /// `[steps + 1, rows, hid_pad]`, the first block 0.
    pub(super) h: Buffer,
    /// As `h`; untouched by the GRU.
    pub(super) c: Buffer,
    /// `[steps, rows, hid_pad]`; untouched by the GRU.
    pub(super) tanh_c: Buffer,
    /// `[panel, steps, rows, 4, lanes]`: gates, turned into the gradients of their sums on the way back.
    pub(super) gates: Buffer,
    /// Inputs after dropout, `[steps, rows, in_pad]`.
    pub(super) masked: Buffer,
    /// Gradient of the inputs, `[steps, rows, in_pad]`; none below the first layer.
    pub(super) d_input: Buffer,
    /// Gradients of the states, `[rows, hid_pad]`.
    pub(super) d_h: Buffer,
    pub(super) d_c: Buffer,
}

/// Room for a training pass over up to `rows` rows.
#[derive(Debug)]
pub(crate) struct FusedTape {
    pub(super) packing: Arc<Packing>,
    pub(super) rows: usize,
    /// True with room for masked inputs.
    pub(super) dropout: bool,
    /// `[steps, rows, inputs]`.
    pub(super) input: Buffer,
    pub(super) layers: Vec<LayerTape>,
    /// `[rows, out_pad]`.
    pub(super) out: Buffer,
    /// Gradient of the last hidden state, `[rows, last_pad]`.
    pub(super) d_last: Buffer,
}

impl FusedTape {
    pub(super) fn new(packing: &Arc<Packing>, rows: usize, dropout: bool) -> Self {
        let steps = packing.steps;
        let layer = |(k, layer): (usize, &super::packing::PackedLayer)| {
            let block = rows * layer.hid_pad;
            let inputs = if k > 0 { steps * rows * layer.in_pad } else { 0 };
            let buffer = |len: usize, slot: usize| Buffer::zeroed(len, 8 * k + slot);
            LayerTape {
                h: buffer((steps + 1) * block, 0),
                c: buffer((steps + 1) * block, 1),
                tanh_c: buffer(steps * block, 2),
                gates: buffer(steps * block * BIASES, 3),
                masked: buffer(if dropout { inputs } else { 0 }, 4),
                d_input: buffer(inputs, 5),
                d_h: buffer(block, 6),
                d_c: buffer(block, 7),
            }
        };
        Self {
            packing: Arc::clone(packing),
            rows,
            dropout,
            input: Buffer::zeroed(steps * rows * packing.inputs, 10),
            layers: packing.layers.iter().enumerate().map(layer).collect(),
            out: Buffer::zeroed(rows * packing.out_pad, 11),
            d_last: Buffer::zeroed(rows * packing.last_pad, 12),
        }
    }
}

/// What prediction keeps of a layer.
#[derive(Debug)]
pub(super) struct LayerState {
    /// States before and after a step, in turn: `[2, rows, hid_pad]`.
    pub(super) h: Buffer,
    /// `[rows, hid_pad]`, overwritten by each step.
    pub(super) c: Buffer,
    pub(super) tanh_c: Buffer,
}

/// Room for predicting up to `rows` rows.
#[derive(Debug)]
pub(crate) struct FusedState {
    pub(super) packing: Arc<Packing>,
    pub(super) rows: usize,
    /// `[steps, rows, inputs]`.
    pub(super) input: Buffer,
    pub(super) layers: Vec<LayerState>,
    /// Gates of one panel and step, `[rows, 4, lanes]`; written, never read.
    pub(super) gates: Buffer,
    /// `[rows, out_pad]`.
    pub(super) out: Buffer,
}

impl FusedState {
    pub(super) fn new(packing: &Arc<Packing>, rows: usize) -> Self {
        let layer = |(k, layer): (usize, &super::packing::PackedLayer)| {
            let block = rows * layer.hid_pad;
            LayerState {
                h: Buffer::zeroed(2 * block, 3 * k),
                c: Buffer::zeroed(block, 3 * k + 1),
                tanh_c: Buffer::zeroed(block, 3 * k + 2),
            }
        };
        Self {
            packing: Arc::clone(packing),
            rows,
            input: Buffer::zeroed(packing.steps * rows * packing.inputs, 10),
            layers: packing.layers.iter().enumerate().map(layer).collect(),
            gates: Buffer::zeroed(rows * BIASES * packing.lanes, 11),
            out: Buffer::zeroed(rows * packing.out_pad, 12),
        }
    }
}
