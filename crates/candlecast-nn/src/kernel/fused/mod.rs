//! Fused kernels for recurrent networks on x86-64.
//!
//! What makes them fast: weights lie in panels of one vector of hidden units with all gates side by side, and stay
//! so (the optimiser works on them); a tile of rows times one panel keeps all gates in registers and applies the
//! activations before anything is stored; a thread works on at most 32 rows at once, so that a pass stays in its
//! cache; nothing is allocated in a step.
//!
//! Layouts, with `L` lanes a vector, `panel` = L units, paddings 0: parameters see [`packing`]; inputs
//! `[steps, rows, inputs]`; hidden and cell states `[steps + 1, rows, padded hidden]`; gates
//! `[panel, steps, rows, 4, L]`.

#![allow(clippy::inline_always, reason = "vector code must be inlined into the function that enables its instructions")]

/// Calls `tile::<..., ROWS>` for a number of rows from 1 to 6 known when the program runs.
macro_rules! by_rows {
    ($rows:expr, $tile:ident, <$($generic:tt),*>, $($arg:expr),*) => {
        match $rows {
            1 => $tile::<$($generic,)* 1>($($arg),*),
            2 => $tile::<$($generic,)* 2>($($arg),*),
            3 => $tile::<$($generic,)* 3>($($arg),*),
            4 => $tile::<$($generic,)* 4>($($arg),*),
            5 => $tile::<$($generic,)* 5>($($arg),*),
            _ => $tile::<$($generic,)* 6>($($arg),*),
        }
    };
}

mod avx2;
mod avx512;
mod backward;
mod forward;
mod head;
mod infer;
mod network;
mod packing;
mod pass;
mod simd;
mod tape;
mod weight_gradient;

pub(crate) use network::FusedNetwork;
