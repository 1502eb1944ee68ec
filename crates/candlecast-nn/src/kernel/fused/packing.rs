//! [`Packing`]: the order of parameters that the kernels work on.
//!
//! With `L` lanes, `u = panel * L + lane` a unit, `gates` 4 or 3, and hidden and output widths padded to multiples
//! of `L`:
//! - a layer's input weight: `[panel, input, gate, lane]`, input rows padded like the hidden state they are;
//! - its hidden weight: `[panel, hidden, gate, lane]`;
//! - its bias: `[panel, 4, lane]`;
//! - the head's weight: `[hidden, output]`, its bias: `[output]`.
//!
//! Derived from them once a step are the transposes for the way back: of the hidden weights, and of the input
//! weights above the first layer, in blocks of up to four vectors of columns, `[panel, gate, lane, column]` each;
//! and of the head, `[output, hidden]`.

use std::ops::Range;

use crate::network::PARTS;
use crate::shape::{BIASES, Cell, Shape};

/// Vectors of columns in a block of a transpose.
pub(super) const BLOCK_VECTORS: usize = 4;

/// Extents and places of one layer.
#[derive(Debug, Clone)]
pub(super) struct PackedLayer {
    /// Inputs of the layer.
    pub(super) inputs: usize,
    /// Its units.
    pub(super) hidden: usize,
    /// Inputs as they lie in memory: the padded units of the layer below, unpadded in the first layer.
    pub(super) in_pad: usize,
    /// Units padded to whole vectors.
    pub(super) hid_pad: usize,
    /// Vectors of units.
    pub(super) panels: usize,
    /// Places in the parameters.
    pub(super) weight_ih: usize,
    pub(super) weight_hh: usize,
    pub(super) bias: usize,
    /// Places in the derived vector; the first only above the first layer.
    pub(super) weight_ih_t: Option<usize>,
    pub(super) weight_hh_t: usize,
}

/// What a block of the derived vector is made from.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// Columns of a weight `[panel, cols, gates * lanes]` that begins at `weight`.
    Weight { weight: usize, cols: usize, panels: usize, first: usize, width: usize },
    /// The head.
    Head,
}

#[derive(Debug, Clone, Copy)]
struct Block {
    source: Source,
    at: usize,
    len: usize,
}

/// Extents and places of a network's numbers.
#[derive(Debug, Clone)]
pub(super) struct Packing {
    pub(super) cell: Cell,
    pub(super) steps: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) lanes: usize,
    pub(super) layers: Vec<PackedLayer>,
    /// Outputs padded to whole vectors.
    pub(super) out_pad: usize,
    /// Units of the last layer, and padded.
    pub(super) last_hidden: usize,
    pub(super) last_pad: usize,
    pub(super) head_weight: usize,
    pub(super) head_bias: usize,
    /// Place of the head's transpose in the derived vector.
    pub(super) head_t: usize,
    pub(super) n_params: usize,
    pub(super) n_derived: usize,
    blocks: Vec<Block>,
}

/// Hands out places one after another, each on a cache line.
#[derive(Debug, Default)]
struct Places(usize);

impl Places {
    fn take(&mut self, len: usize) -> usize {
        let at = self.0;
        self.0 = (at + len).next_multiple_of(16);
        at
    }
}

impl Packing {
    /// The packing of `shape` for vectors of `lanes` floats.
    pub(super) fn new(shape: &Shape, lanes: usize) -> Self {
        let gates = shape.cell.gates();
        let (mut params, mut derived) = (Places::default(), Places::default());
        let mut layers: Vec<PackedLayer> = Vec::with_capacity(shape.hidden.len());
        let mut blocks = Vec::new();
        let (mut inputs, mut in_pad) = (shape.inputs, shape.inputs);
        for (k, &hidden) in shape.hidden.iter().enumerate() {
            let hid_pad = hidden.next_multiple_of(lanes);
            let panels = hid_pad / lanes;
            let weight_ih = params.take(panels * in_pad * gates * lanes);
            let weight_hh = params.take(panels * hid_pad * gates * lanes);
            let bias = params.take(panels * BIASES * lanes);
            let mut transpose =
                |weight, cols| transposed_blocks(&mut blocks, &mut derived, (weight, cols, panels), (gates, lanes));
            let weight_hh_t = transpose(weight_hh, hid_pad);
            let weight_ih_t = (k > 0).then(|| transpose(weight_ih, in_pad));
            layers.push(PackedLayer {
                inputs,
                hidden,
                in_pad,
                hid_pad,
                panels,
                weight_ih,
                weight_hh,
                bias,
                weight_ih_t,
                weight_hh_t,
            });
            (inputs, in_pad) = (hidden, hid_pad);
        }
        let out_pad = shape.outputs.next_multiple_of(lanes);
        let head_weight = params.take(in_pad * out_pad);
        let head_bias = params.take(out_pad);
        let head_len = shape.outputs * in_pad;
        let head_t = derived.take(head_len);
        blocks.push(Block { source: Source::Head, at: head_t, len: head_len });
        Self {
            cell: shape.cell,
            steps: shape.steps,
            inputs: shape.inputs,
            outputs: shape.outputs,
            lanes,
            layers,
            out_pad,
            last_hidden: inputs,
            last_pad: in_pad,
            head_weight,
            head_bias,
            head_t,
            n_params: params.0,
            n_derived: derived.0,
            blocks,
        }
    }

    /// Calls `visit(packed, canonical)` for every weight that is not padding.
    fn visit_weights(&self, shape: &Shape, mut visit: impl FnMut(usize, usize)) {
        let (gates, lanes) = (self.cell.gates(), self.lanes);
        for (layer, span) in self.layers.iter().zip(shape.layers()) {
            for unit in 0..layer.hidden {
                let (panel, lane) = (unit / lanes, unit % lanes);
                for gate in 0..gates {
                    let row = gate * layer.hidden + unit;
                    let packed = |weight: usize, cols: usize, col: usize| {
                        weight + ((panel * cols + col) * gates + gate) * lanes + lane
                    };
                    for col in 0..layer.inputs {
                        visit(
                            packed(layer.weight_ih, layer.in_pad, col),
                            span.weight_ih.start + row * layer.inputs + col,
                        );
                    }
                    for col in 0..layer.hidden {
                        visit(
                            packed(layer.weight_hh, layer.hid_pad, col),
                            span.weight_hh.start + row * layer.hidden + col,
                        );
                    }
                }
                for block in 0..BIASES {
                    visit(
                        layer.bias + (panel * BIASES + block) * lanes + lane,
                        span.bias.start + block * layer.hidden + unit,
                    );
                }
            }
        }
        let (head_weight, head_bias) = (shape.head_weight(), shape.head_bias());
        for out in 0..self.outputs {
            for unit in 0..self.last_hidden {
                visit(self.head_weight + unit * self.out_pad + out, head_weight.start + out * self.last_hidden + unit);
            }
            visit(self.head_bias + out, head_bias.start + out);
        }
    }

    /// Writes `canonical` in packed order; paddings become 0.
    pub(super) fn pack(&self, shape: &Shape, canonical: &[f32], params: &mut [f32]) {
        params.fill(0.0);
        self.visit_weights(shape, |packed, plain| params[packed] = canonical[plain]);
    }

    /// Writes `params` in canonical order.
    pub(super) fn unpack(&self, shape: &Shape, params: &[f32], canonical: &mut [f32]) {
        self.visit_weights(shape, |packed, plain| canonical[plain] = params[packed]);
    }

    fn part_of(&self, block: &Block) -> usize {
        block.at * PARTS / self.n_derived
    }

    /// Borders of the parts of the derived vector; blocks are not cut.
    pub(super) fn derived_bounds(&self) -> [usize; PARTS + 1] {
        let mut bounds = [self.n_derived; PARTS + 1];
        for block in self.blocks.iter().rev() {
            bounds[..=self.part_of(block)].fill(block.at);
        }
        bounds
    }

    /// Computes part `part` of the derived vector, which begins at `bounds[part]`.
    pub(super) fn derive(&self, params: &[f32], part: usize, out: &mut [f32]) {
        let mut of_part = self.blocks.iter().filter(|b| self.part_of(b) == part).peekable();
        let Some(start) = of_part.peek().map(|b| b.at) else { return };
        for block in of_part {
            let out = &mut out[block.at - start..block.at - start + block.len];
            match block.source {
                Source::Head => self.transpose_head(params, out),
                Source::Weight { weight, cols, panels, first, width } => {
                    let depth = self.cell.gates() * self.lanes;
                    transpose(&params[weight..], (panels, cols, depth), first..first + width, out);
                }
            }
        }
    }

    fn transpose_head(&self, params: &[f32], out: &mut [f32]) {
        let weight = &params[self.head_weight..];
        for (o, row) in out.chunks_exact_mut(self.last_pad).enumerate() {
            for (unit, to) in row.iter_mut().enumerate() {
                *to = weight[unit * self.out_pad + o];
            }
        }
    }
}

/// Adds the blocks of the transpose of a weight `[panels, cols, gates * lanes]`, and says where they begin.
fn transposed_blocks(
    blocks: &mut Vec<Block>,
    derived: &mut Places,
    (weight, cols, panels): (usize, usize, usize),
    (gates, lanes): (usize, usize),
) -> usize {
    let start = derived.0;
    for first in (0..cols).step_by(BLOCK_VECTORS * lanes) {
        let width = (cols - first).min(BLOCK_VECTORS * lanes);
        let len = panels * gates * lanes * width;
        let source = Source::Weight { weight, cols, panels, first, width };
        blocks.push(Block { source, at: derived.take(len), len });
    }
    start
}

/// Writes columns `columns` of `weight`, `[panels, cols, depth]`, to `out`, `[panels, depth, columns]`.
fn transpose(weight: &[f32], (panels, cols, depth): (usize, usize, usize), columns: Range<usize>, out: &mut [f32]) {
    let width = columns.len();
    for (panel, out) in out.chunks_exact_mut(depth * width).enumerate().take(panels) {
        for (q, col) in columns.clone().enumerate() {
            let from = &weight[(panel * cols + col) * depth..][..depth];
            for (to, &v) in out[q..].iter_mut().step_by(width).zip(from) {
                *to = v;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(cell: Cell) -> Shape {
        Shape { cell, inputs: 5, hidden: vec![37, 90, 8], outputs: 19, steps: 3 }
    }

    #[test]
    fn packing_and_unpacking_lose_nothing() {
        for cell in [Cell::Lstm, Cell::Gru] {
            for lanes in [8, 16] {
                let shape = shape(cell);
                let packing = Packing::new(&shape, lanes);
                let canonical: Vec<f32> = (0..shape.n_params()).map(|i| 1.0 + i as f32).collect();
                let (mut params, mut back) = (vec![9.0; packing.n_params], vec![0.0; canonical.len()]);
                packing.pack(&shape, &canonical, &mut params);
                packing.unpack(&shape, &params, &mut back);
                assert_eq!(back, canonical);
                assert_eq!(params.iter().filter(|&&p| p != 0.0).count(), canonical.len());
            }
        }
    }

    #[test]
    fn the_parts_of_the_derived_vector_hold_every_weight_of_the_way_back() {
        for lanes in [8, 16] {
            let shape = shape(Cell::Gru);
            let packing = Packing::new(&shape, lanes);
            let canonical: Vec<f32> = (0..shape.n_params()).map(|i| 1.0 + i as f32).collect();
            let (mut params, mut derived) = (vec![0.0; packing.n_params], vec![0.0; packing.n_derived]);
            packing.pack(&shape, &canonical, &mut params);
            let bounds = packing.derived_bounds();
            assert!(bounds[0] == 0 && bounds[PARTS] == packing.n_derived && bounds.is_sorted());
            for part in 0..PARTS {
                packing.derive(&params, part, &mut derived[bounds[part]..bounds[part + 1]]);
            }
            let mut found: Vec<f32> = derived.iter().copied().filter(|&v| v != 0.0).collect();
            let spans = shape.layers();
            let ranges =
                spans.iter().map(|s| s.weight_hh.clone()).chain(spans[1..].iter().map(|s| s.weight_ih.clone()));
            let mut expected: Vec<f32> =
                ranges.chain([shape.head_weight()]).flat_map(|r| canonical[r].to_vec()).collect();
            found.sort_by(f32::total_cmp);
            expected.sort_by(f32::total_cmp);
            assert_eq!(found, expected);
        }
    }
}
