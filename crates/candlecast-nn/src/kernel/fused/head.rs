//! The linear head: `out [rows, out_pad] = h W + b`, and its way back. A small part of the work.

use super::packing::Packing;
use super::simd::Simd;

/// Writes the outputs of the last hidden states.
///
/// # Safety
/// `params` must be the network's, `h` good for `[rows, last_pad]`, `out` for `[rows, out_pad]`, and the processor
/// must have the instruction set.
#[inline(always)]
pub(super) unsafe fn forward<S: Simd>(net: &Packing, params: *const f32, h: *const f32, out: *mut f32, rows: usize) {
    for row in 0..rows {
        for first in (0..net.out_pad).step_by(S::LANES) {
            // SAFETY: row, output and unit are within the extents.
            unsafe {
                let mut sum = S::load(params.add(net.head_bias + first));
                for unit in 0..net.last_hidden {
                    let weight = S::load(params.add(net.head_weight + unit * net.out_pad + first));
                    sum = S::fma(S::splat(*h.add(row * net.last_pad + unit)), weight, sum);
                }
                S::store(out.add(row * net.out_pad + first), sum);
            }
        }
    }
}

/// Adds the gradients of weight and bias to `grad`.
///
/// # Safety
/// As [`forward`], with the gradient of the outputs in `d_out` and `grad` good for all parameters.
#[inline(always)]
pub(super) unsafe fn add_gradient<S: Simd>(
    net: &Packing,
    h: *const f32,
    d_out: *const f32,
    grad: *mut f32,
    rows: usize,
) {
    for first in (0..net.out_pad).step_by(S::LANES) {
        // SAFETY: row, output and unit are within the extents.
        unsafe {
            let bias = grad.add(net.head_bias + first);
            let mut sum = S::load(bias);
            for row in 0..rows {
                sum = S::add(sum, S::load(d_out.add(row * net.out_pad + first)));
            }
            S::store(bias, sum);
            for unit in 0..net.last_hidden {
                let weight = grad.add(net.head_weight + unit * net.out_pad + first);
                let mut sum = S::load(weight);
                for row in 0..rows {
                    let d = S::load(d_out.add(row * net.out_pad + first));
                    sum = S::fma(S::splat(*h.add(row * net.last_pad + unit)), d, sum);
                }
                S::store(weight, sum);
            }
        }
    }
}

/// Writes the gradient of the last hidden states, `[rows, last_pad]`, to `d_h`.
///
/// # Safety
/// As [`add_gradient`]; `derived` must be the network's.
#[inline(always)]
pub(super) unsafe fn derive_hidden<S: Simd>(
    net: &Packing,
    derived: *const f32,
    d_out: *const f32,
    d_h: *mut f32,
    rows: usize,
) {
    for row in 0..rows {
        for first in (0..net.last_pad).step_by(S::LANES) {
            // SAFETY: row, output and unit are within the extents.
            unsafe {
                let mut sum = S::zero();
                for out in 0..net.outputs {
                    let weight = S::load(derived.add(net.head_t + out * net.last_pad + first));
                    sum = S::fma(S::splat(*d_out.add(row * net.out_pad + out)), weight, sum);
                }
                S::store(d_h.add(row * net.last_pad + first), sum);
            }
        }
    }
}
