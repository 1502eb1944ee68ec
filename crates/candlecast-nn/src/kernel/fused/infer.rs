//! The pass of prediction.

use super::forward::{Step, run_step};
use super::head;
use super::packing::Packing;
use super::simd::Simd;
use super::tape::FusedState;
use crate::network::Weights;

/// Forward pass of prediction, all layers step by step, so that the states stay in the fastest cache.
///
/// # Safety
/// As [`super::pass::forward`], with a state for a tape.
#[inline(always)]
pub(super) unsafe fn infer<S: Simd>(net: &Packing, w: Weights<'_>, state: &mut FusedState, rows: usize) {
    let params = w.params.as_ptr();
    for (layer, state) in net.layers.iter().zip(&mut state.layers) {
        state.h[..rows * layer.hid_pad].fill(0.0);
        state.c[..rows * layer.hid_pad].fill(0.0);
    }
    let gates = state.gates.as_mut_ptr();
    for t in 0..net.steps {
        // SAFETY: step `t` is one of the state's.
        let mut x = unsafe { state.input.as_ptr().add(t * rows * net.inputs) };
        for (layer, state) in net.layers.iter().zip(&mut state.layers) {
            let block = rows * layer.hid_pad;
            let (h, c) = (state.h.as_mut_ptr(), state.c.as_mut_ptr());
            // SAFETY: the buffers were made for at least `rows` rows; `h` has two blocks, of which one is read and
            // the other written; each element of `c` is read before it is written.
            unsafe {
                let step = Step {
                    x,
                    h_before: h.add(t % 2 * block),
                    c_before: c,
                    h: h.add((t + 1) % 2 * block),
                    c,
                    tanh_c: state.tanh_c.as_mut_ptr(),
                    gates,
                    gates_stride: 0,
                    rows,
                    first: t == 0,
                };
                run_step::<S>(net.cell, layer, params, step);
                x = h.add((t + 1) % 2 * block);
            }
        }
    }
    if let Some(last) = state.layers.last() {
        let h = last.h[net.steps % 2 * rows * net.last_pad..].as_ptr();
        // SAFETY: the last hidden states begin at `h`.
        unsafe { head::forward::<S>(net, params, h, state.out.as_mut_ptr(), rows) };
    }
}
