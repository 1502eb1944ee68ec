//! One time step of a layer: products, gates and states in one go, tile by tile.

use super::packing::PackedLayer;
use super::simd::{Simd, sigmoid, tanh};
use crate::shape::{BIASES, Cell};

/// Where one time step reads and writes; each pointer is at the first row.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// `[rows, in_pad]`.
    pub(super) x: *const f32,
    /// `[rows, hid_pad]`, as the four below.
    pub(super) h_before: *const f32,
    pub(super) c_before: *const f32,
    pub(super) h: *mut f32,
    pub(super) c: *mut f32,
    pub(super) tanh_c: *mut f32,
    /// Gates of the first panel, `[rows, 4, lanes]`.
    pub(super) gates: *mut f32,
    /// Distance of two panels' gates.
    pub(super) gates_stride: usize,
    pub(super) rows: usize,
    /// True when the state before is 0.
    pub(super) first: bool,
}

/// Pointers of one tile: some rows times one panel.
#[derive(Clone, Copy)]
struct Tile {
    weight_ih: *const f32,
    weight_hh: *const f32,
    bias: *const f32,
    in_pad: usize,
    hid_pad: usize,
    first: bool,
    /// Whole rows.
    x: *const f32,
    h_before: *const f32,
    /// At the panel's units of the first row.
    h_own: *const f32,
    c_before: *const f32,
    h: *mut f32,
    c: *mut f32,
    tanh_c: *mut f32,
    gates: *mut f32,
}

/// Runs one time step of `layer`.
///
/// # Safety
/// `params` must be the network's parameters, the pointers of `step` good for the extents named there, and the
/// processor must have the instruction set.
#[inline(always)]
pub(super) unsafe fn run_step<S: Simd>(cell: Cell, layer: &PackedLayer, params: *const f32, step: Step) {
    let PackedLayer { in_pad, hid_pad, .. } = *layer;
    let (gates, tiles) = (cell.gates(), step.rows.div_ceil(S::ROWS));
    for panel in 0..layer.panels {
        for q in 0..tiles {
            let row = q * step.rows / tiles;
            let n = (q + 1) * step.rows / tiles - row;
            // SAFETY: panels and rows are within the extents that the caller vouches for.
            unsafe {
                let own = row * hid_pad + panel * S::LANES;
                let tile = Tile {
                    weight_ih: params.add(layer.weight_ih + panel * in_pad * gates * S::LANES),
                    weight_hh: params.add(layer.weight_hh + panel * hid_pad * gates * S::LANES),
                    bias: params.add(layer.bias + panel * BIASES * S::LANES),
                    in_pad,
                    hid_pad,
                    first: step.first,
                    x: step.x.add(row * in_pad),
                    h_before: step.h_before.add(row * hid_pad),
                    h_own: step.h_before.add(own),
                    c_before: step.c_before.add(own),
                    h: step.h.add(own),
                    c: step.c.add(own),
                    tanh_c: step.tanh_c.add(own),
                    gates: step.gates.add(panel * step.gates_stride + row * BIASES * S::LANES),
                };
                match cell {
                    Cell::Lstm => by_rows!(n, lstm_tile, <S>, tile),
                    Cell::Gru => by_rows!(n, gru_tile, <S>, tile),
                }
            }
        }
    }
}

/// The four biases of a panel, for each of `ROWS` rows.
#[inline(always)]
unsafe fn biases<S: Simd, const ROWS: usize>(bias: *const f32) -> [[S::V; 4]; ROWS] {
    // SAFETY: a panel has four vectors of biases.
    unsafe {
        [[S::load(bias), S::load(bias.add(S::LANES)), S::load(bias.add(2 * S::LANES)), S::load(bias.add(3 * S::LANES))];
            ROWS]
    }
}

/// `sums[row][gate] += a[row][k] w[k][gate]` over `n` values of k, for `GATES` gates.
#[inline(always)]
unsafe fn accumulate<S: Simd, const GATES: usize, const ROWS: usize>(
    sums: &mut [[S::V; 4]; ROWS],
    a: *const f32,
    stride: usize,
    mut w: *const f32,
    n: usize,
) {
    // SAFETY: `a` has `ROWS` rows of `n` values, `w` `n` rows of `GATES` vectors.
    unsafe {
        for k in 0..n {
            let mut splats = [S::zero(); ROWS];
            for m in 0..ROWS {
                splats[m] = S::splat(*a.add(m * stride + k));
            }
            for g in 0..GATES {
                let weight = S::load(w.add(g * S::LANES));
                for m in 0..ROWS {
                    sums[m][g] = S::fma(splats[m], weight, sums[m][g]);
                }
            }
            w = w.add(GATES * S::LANES);
        }
    }
}

/// As [`accumulate`] for one row and four gates, in two chains: one row alone is bound by the latency of a chain.
#[inline(always)]
unsafe fn accumulate_one_row<S: Simd>(sums: &mut [S::V; 4], a: *const f32, w: *const f32, n: usize) {
    // SAFETY: `a` has `n` values, `w` `n` rows of four vectors.
    unsafe {
        let mut odd = [S::zero(); 4];
        let mut k = 0;
        while k + 1 < n {
            let (u, v) = (S::splat(*a.add(k)), S::splat(*a.add(k + 1)));
            let row = w.add(k * 4 * S::LANES);
            for g in 0..4 {
                sums[g] = S::fma(u, S::load(row.add(g * S::LANES)), sums[g]);
                odd[g] = S::fma(v, S::load(row.add((4 + g) * S::LANES)), odd[g]);
            }
            k += 2;
        }
        if k < n {
            let u = S::splat(*a.add(k));
            let row = w.add(k * 4 * S::LANES);
            for g in 0..4 {
                sums[g] = S::fma(u, S::load(row.add(g * S::LANES)), sums[g]);
            }
        }
        for g in 0..4 {
            sums[g] = S::add(sums[g], odd[g]);
        }
    }
}

#[inline(always)]
unsafe fn lstm_tile<S: Simd, const ROWS: usize>(t: Tile) {
    // SAFETY: the tile's pointers are good for `ROWS` rows of the extents in `Step`.
    unsafe {
        let mut sums = biases::<S, ROWS>(t.bias);
        let hidden = if t.first { 0 } else { t.hid_pad };
        if ROWS == 1 {
            accumulate_one_row::<S>(&mut sums[0], t.x, t.weight_ih, t.in_pad);
            accumulate_one_row::<S>(&mut sums[0], t.h_before, t.weight_hh, hidden);
        } else {
            accumulate::<S, 4, ROWS>(&mut sums, t.x, t.in_pad, t.weight_ih, t.in_pad);
            accumulate::<S, 4, ROWS>(&mut sums, t.h_before, t.hid_pad, t.weight_hh, hidden);
        }
        for m in 0..ROWS {
            let at = m * t.hid_pad;
            let i = sigmoid::<S>(sums[m][0]);
            let f = sigmoid::<S>(sums[m][1]);
            let g = tanh::<S>(sums[m][2]);
            let o = sigmoid::<S>(sums[m][3]);
            let c = S::fma(f, S::load(t.c_before.add(at)), S::mul(i, g));
            let tanh_c = tanh::<S>(c);
            S::store(t.c.add(at), c);
            S::store(t.tanh_c.add(at), tanh_c);
            S::store(t.h.add(at), S::mul(o, tanh_c));
            store_gates::<S>(t.gates.add(m * BIASES * S::LANES), [i, f, g, o]);
        }
    }
}

#[inline(always)]
unsafe fn gru_tile<S: Simd, const ROWS: usize>(t: Tile) {
    // SAFETY: the tile's pointers are good for `ROWS` rows of the extents in `Step`.
    unsafe {
        let mut sums = biases::<S, ROWS>(t.bias);
        accumulate::<S, 3, ROWS>(&mut sums, t.x, t.in_pad, t.weight_ih, t.in_pad);
        if !t.first {
            accumulate_gru_hidden::<S, ROWS>(&mut sums, t.h_before, t.weight_hh, t.hid_pad);
        }
        for m in 0..ROWS {
            let at = m * t.hid_pad;
            let r = sigmoid::<S>(sums[m][0]);
            let z = sigmoid::<S>(sums[m][1]);
            let n = tanh::<S>(S::fma(r, sums[m][3], sums[m][2]));
            let h_before = S::load(t.h_own.add(at));
            S::store(t.h.add(at), S::fma(z, S::sub(h_before, n), n));
            store_gates::<S>(t.gates.add(m * BIASES * S::LANES), [r, z, n, sums[m][3]]);
        }
    }
}

/// The hidden part of the GRU's sums: that of n is kept apart, as the fourth sum.
#[inline(always)]
unsafe fn accumulate_gru_hidden<S: Simd, const ROWS: usize>(
    sums: &mut [[S::V; 4]; ROWS],
    h: *const f32,
    mut w: *const f32,
    n: usize,
) {
    // SAFETY: `h` has `ROWS` rows of `n` values, `w` `n` rows of three vectors.
    unsafe {
        for k in 0..n {
            let mut splats = [S::zero(); ROWS];
            for m in 0..ROWS {
                splats[m] = S::splat(*h.add(m * n + k));
            }
            let (w_r, w_z, w_n) = (S::load(w), S::load(w.add(S::LANES)), S::load(w.add(2 * S::LANES)));
            for m in 0..ROWS {
                sums[m][0] = S::fma(splats[m], w_r, sums[m][0]);
                sums[m][1] = S::fma(splats[m], w_z, sums[m][1]);
                sums[m][3] = S::fma(splats[m], w_n, sums[m][3]);
            }
            w = w.add(3 * S::LANES);
        }
    }
}

#[inline(always)]
unsafe fn store_gates<S: Simd>(to: *mut f32, gates: [S::V; 4]) {
    // SAFETY: a row of a panel has four vectors of gates.
    unsafe {
        for g in 0..4 {
            S::store(to.add(g * S::LANES), gates[g]);
        }
    }
}
