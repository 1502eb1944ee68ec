//! Gradients of a layer's weights: sums over time and rows of outer products.

use super::simd::Simd;
use crate::shape::BIASES;

/// Rows taken at once: one panel's gate gradients of so many rows, with their inputs, stay in the fastest cache.
const ROWS_AT_ONCE: usize = 64;

/// A sum of outer products: `grad [panel, inputs, gate, lane] += inputs^T gates`.
#[derive(Clone, Copy)]
pub(super) struct OuterProducts {
    /// `[rows, width]`.
    pub(super) inputs: *const f32,
    pub(super) width: usize,
    /// `[panel, rows, 4, lanes]`.
    pub(super) gates: *const f32,
    pub(super) panels: usize,
    pub(super) rows: usize,
    /// Gates of the weight, 3 or 4, and which of the four gate vectors they are.
    pub(super) n_gates: usize,
    pub(super) which: [usize; 4],
    pub(super) grad: *mut f32,
}

/// Adds the outer products.
///
/// # Safety
/// The pointers must be good for the extents named in [`OuterProducts`], and the processor must have the
/// instruction set.
#[inline(always)]
pub(super) unsafe fn add_outer_products<S: Simd>(p: OuterProducts) {
    let tiles = p.width.div_ceil(S::ROWS);
    for panel in 0..p.panels {
        let mut row = 0;
        while row < p.rows {
            let n = (p.rows - row).min(ROWS_AT_ONCE);
            for q in 0..tiles {
                let col = q * p.width / tiles;
                let n_cols = (q + 1) * p.width / tiles - col;
                // SAFETY: panel, rows and columns are within the extents.
                unsafe {
                    let tile = Tile {
                        inputs: p.inputs.add(row * p.width + col),
                        width: p.width,
                        gates: p.gates.add((panel * p.rows + row) * BIASES * S::LANES),
                        which: p.which,
                        rows: n,
                        grad: p.grad.add((panel * p.width + col) * p.n_gates * S::LANES),
                    };
                    if p.n_gates == 4 {
                        by_rows!(n_cols, outer_tile, <S, 4>, tile);
                    } else {
                        by_rows!(n_cols, outer_tile, <S, 3>, tile);
                    }
                }
            }
            row += n;
        }
    }
}

#[derive(Clone, Copy)]
struct Tile {
    inputs: *const f32,
    width: usize,
    gates: *const f32,
    which: [usize; 4],
    rows: usize,
    grad: *mut f32,
}

/// `COLS` inputs times one panel.
#[inline(always)]
unsafe fn outer_tile<S: Simd, const GATES: usize, const COLS: usize>(t: Tile) {
    // SAFETY: the tile lies within its sum of outer products.
    unsafe {
        let mut sums = [[S::zero(); GATES]; COLS];
        for i in 0..COLS {
            for g in 0..GATES {
                sums[i][g] = S::load(t.grad.add((i * GATES + g) * S::LANES));
            }
        }
        let (mut inputs, mut gates) = (t.inputs, t.gates);
        for _ in 0..t.rows {
            let mut splats = [S::zero(); COLS];
            for i in 0..COLS {
                splats[i] = S::splat(*inputs.add(i));
            }
            for g in 0..GATES {
                let gate = S::load(gates.add(t.which[g] * S::LANES));
                for i in 0..COLS {
                    sums[i][g] = S::fma(splats[i], gate, sums[i][g]);
                }
            }
            inputs = inputs.wrapping_add(t.width);
            gates = gates.wrapping_add(BIASES * S::LANES);
        }
        for i in 0..COLS {
            for g in 0..GATES {
                S::store(t.grad.add((i * GATES + g) * S::LANES), sums[i][g]);
            }
        }
    }
}

/// Adds the sums over all `rows` rows of `gates`, `[panel, rows, 4, lanes]`, to `grad`, `[panel, 4, lanes]`.
///
/// # Safety
/// The pointers must be good for these extents, and the processor must have the instruction set.
#[inline(always)]
pub(super) unsafe fn add_bias_gradient<S: Simd>(gates: *const f32, panels: usize, rows: usize, grad: *mut f32) {
    for panel in 0..panels {
        // SAFETY: the panel is within the extents.
        unsafe {
            let mut sums = [S::zero(); 4];
            let mut row = gates.add(panel * rows * BIASES * S::LANES);
            for _ in 0..rows {
                for g in 0..4 {
                    sums[g] = S::add(sums[g], S::load(row.add(g * S::LANES)));
                }
                row = row.wrapping_add(BIASES * S::LANES);
            }
            for g in 0..4 {
                let to = grad.add((panel * BIASES + g) * S::LANES);
                S::store(to, S::add(S::load(to), sums[g]));
            }
        }
    }
}
