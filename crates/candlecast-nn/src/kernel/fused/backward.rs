//! The way back through one layer: gradients of the gates, and products with transposed weights.

use super::simd::Simd;
use crate::shape::{BIASES, Cell};

/// Which of a row's four gate vectors multiply the input weight's gates.
pub(super) const INPUT_GATES: [usize; 4] = [0, 1, 2, 3];

/// Which of a row's four gate vectors multiply the hidden weight's gates: the GRU's n has its own.
pub(super) fn hidden_gates(cell: Cell) -> [usize; 4] {
    match cell {
        Cell::Lstm => INPUT_GATES,
        Cell::Gru => [0, 1, 3, 3],
    }
}

/// Where the gates of one time step become gradients; each pointer is at the first row.
#[derive(Clone, Copy)]
pub(super) struct GateStep {
    /// Gates of the first panel, `[rows, 4, lanes]`, and the distance of two panels' gates.
    pub(super) gates: *mut f32,
    pub(super) gates_stride: usize,
    /// `[rows, hid_pad]`, as all below.
    pub(super) h_before: *const f32,
    pub(super) c_before: *const f32,
    pub(super) tanh_c: *const f32,
    /// Gradient from above; null where there is none.
    pub(super) above: *const f32,
    /// Gradient of the hidden state, in; of the GRU's state before without the part through the gates, out.
    pub(super) d_h: *mut f32,
    /// Gradient of the cell state from later, in; of the cell state before, out.
    pub(super) d_c: *mut f32,
    pub(super) rows: usize,
    pub(super) panels: usize,
}

/// Turns the gates of one step into the gradients of their sums.
///
/// # Safety
/// The pointers must be good for the extents named in [`GateStep`], and the processor must have the instruction set.
#[inline(always)]
pub(super) unsafe fn derive_gates<S: Simd>(cell: Cell, step: GateStep) {
    let hid_pad = step.panels * S::LANES;
    for panel in 0..step.panels {
        for row in 0..step.rows {
            let at = row * hid_pad + panel * S::LANES;
            // SAFETY: panel and row are within the extents.
            unsafe {
                let gates = step.gates.add(panel * step.gates_stride + row * BIASES * S::LANES);
                let mut d_h = S::load(step.d_h.add(at));
                if !step.above.is_null() {
                    d_h = S::add(d_h, S::load(step.above.add(at)));
                }
                match cell {
                    Cell::Lstm => {
                        let (c_before, tanh_c) = (S::load(step.c_before.add(at)), S::load(step.tanh_c.add(at)));
                        derive_lstm::<S>(gates, d_h, c_before, tanh_c, step.d_c.add(at));
                    }
                    Cell::Gru => derive_gru::<S>(gates, d_h, S::load(step.h_before.add(at)), step.d_h.add(at)),
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn derive_lstm<S: Simd>(gates: *mut f32, d_h: S::V, c_before: S::V, tanh_c: S::V, d_c: *mut f32) {
    // SAFETY: `gates` is good for four vectors, `d_c` for one.
    unsafe {
        let one = S::splat(1.0);
        let [p_i, p_f, p_g, p_o] = gate_pointers::<S>(gates);
        let (i, f, g, o) = (S::load(p_i), S::load(p_f), S::load(p_g), S::load(p_o));
        let through_output = S::mul(S::mul(d_h, o), S::sub(one, S::mul(tanh_c, tanh_c)));
        let d_cell = S::add(through_output, S::load(d_c));
        S::store(d_c, S::mul(d_cell, f));
        S::store(p_i, S::mul(S::mul(d_cell, g), S::mul(i, S::sub(one, i))));
        S::store(p_f, S::mul(S::mul(d_cell, c_before), S::mul(f, S::sub(one, f))));
        S::store(p_g, S::mul(S::mul(d_cell, i), S::sub(one, S::mul(g, g))));
        S::store(p_o, S::mul(S::mul(d_h, tanh_c), S::mul(o, S::sub(one, o))));
    }
}

#[inline(always)]
unsafe fn derive_gru<S: Simd>(gates: *mut f32, d_h: S::V, h_before: S::V, d_h_out: *mut f32) {
    // SAFETY: `gates` is good for four vectors, `d_h_out` for one.
    unsafe {
        let one = S::splat(1.0);
        let [p_r, p_z, p_n, p_hidden] = gate_pointers::<S>(gates);
        let (r, z, n, hidden) = (S::load(p_r), S::load(p_z), S::load(p_n), S::load(p_hidden));
        let d_z = S::mul(S::mul(d_h, S::sub(h_before, n)), S::mul(z, S::sub(one, z)));
        let d_n = S::mul(S::mul(d_h, S::sub(one, z)), S::sub(one, S::mul(n, n)));
        let d_r = S::mul(S::mul(d_n, hidden), S::mul(r, S::sub(one, r)));
        S::store(d_h_out, S::mul(d_h, z));
        S::store(p_r, d_r);
        S::store(p_z, d_z);
        S::store(p_n, d_n);
        S::store(p_hidden, S::mul(d_n, r));
    }
}

#[inline(always)]
unsafe fn gate_pointers<S: Simd>(gates: *mut f32) -> [*mut f32; 4] {
    // SAFETY: a row of a panel has four vectors of gates.
    unsafe { [gates, gates.add(S::LANES), gates.add(2 * S::LANES), gates.add(3 * S::LANES)] }
}

/// A product of gate gradients and a transposed weight: `to [rows, width] = gates weight_t`.
#[derive(Clone, Copy)]
pub(super) struct Product {
    /// Gates of the first panel, `[rows, 4, lanes]`, and the distance of two panels' gates.
    pub(super) gates: *const f32,
    pub(super) gates_stride: usize,
    pub(super) panels: usize,
    pub(super) rows: usize,
    /// Gates of the weight, and which of the four gate vectors they go with.
    pub(super) n_gates: usize,
    pub(super) which: [usize; 4],
    /// Transposed weight in blocks, see `packing`.
    pub(super) weight_t: *const f32,
    pub(super) to: *mut f32,
    /// Padded width of `to`, whole vectors.
    pub(super) width: usize,
    /// Adds to what is in `to`.
    pub(super) accumulate: bool,
}

/// Computes a product. Panel by panel, so that one panel's part of a block stays in the fastest cache for all rows.
///
/// # Safety
/// The pointers must be good for the extents named in [`Product`], and the processor must have the instruction set.
#[inline(always)]
pub(super) unsafe fn multiply<S: Simd>(p: Product) {
    let depth = p.panels * p.n_gates * S::LANES;
    let (vectors, tiles) = (p.width / S::LANES, p.rows.div_ceil(S::ROWS));
    let mut first = 0;
    while first < vectors {
        let n_vectors = (vectors - first).min(super::packing::BLOCK_VECTORS);
        for panel in 0..p.panels {
            for q in 0..tiles {
                let row = q * p.rows / tiles;
                let n_rows = (q + 1) * p.rows / tiles - row;
                // SAFETY: block, panel and rows are within the extents.
                unsafe {
                    let block = p.weight_t.add(depth * first * S::LANES);
                    let tile = ProductTile {
                        gates: p.gates.add(panel * p.gates_stride + row * BIASES * S::LANES),
                        weight: block.add(panel * p.n_gates * S::LANES * n_vectors * S::LANES),
                        to: p.to.add(row * p.width + first * S::LANES),
                        width: p.width,
                        n_gates: p.n_gates,
                        which: p.which,
                        accumulate: p.accumulate || panel > 0,
                    };
                    match n_vectors {
                        4 => by_rows!(n_rows, product_tile, <S, 4>, tile),
                        3 => by_rows!(n_rows, product_tile, <S, 3>, tile),
                        2 => by_rows!(n_rows, product_tile, <S, 2>, tile),
                        _ => by_rows!(n_rows, product_tile, <S, 1>, tile),
                    }
                }
            }
        }
        first += n_vectors;
    }
}

#[derive(Clone, Copy)]
struct ProductTile {
    gates: *const f32,
    weight: *const f32,
    to: *mut f32,
    width: usize,
    n_gates: usize,
    which: [usize; 4],
    accumulate: bool,
}

#[inline(always)]
unsafe fn product_tile<S: Simd, const VECTORS: usize, const ROWS: usize>(t: ProductTile) {
    // SAFETY: the tile lies within its product.
    unsafe {
        let mut sums = [[S::zero(); VECTORS]; ROWS];
        if t.accumulate {
            for m in 0..ROWS {
                for j in 0..VECTORS {
                    sums[m][j] = S::load(t.to.add(m * t.width + j * S::LANES));
                }
            }
        }
        let mut w = t.weight;
        for g in 0..t.n_gates {
            let gates = t.gates.add(t.which[g] * S::LANES);
            for k in 0..S::LANES {
                let mut splats = [S::zero(); ROWS];
                for m in 0..ROWS {
                    splats[m] = S::splat(*gates.add(m * BIASES * S::LANES + k));
                }
                for j in 0..VECTORS {
                    let weight = S::load(w.add(j * S::LANES));
                    for m in 0..ROWS {
                        sums[m][j] = S::fma(splats[m], weight, sums[m][j]);
                    }
                }
                w = w.add(VECTORS * S::LANES);
            }
        }
        for m in 0..ROWS {
            for j in 0..VECTORS {
                S::store(t.to.add(m * t.width + j * S::LANES), sums[m][j]);
            }
        }
    }
}
