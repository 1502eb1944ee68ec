//! Memory for TA-Lib's raw values, kept from one function to the next: fresh memory costs more than most functions.

use std::cell::RefCell;

/// Values a kept buffer has at most; longer ones go back to the system.
const MAX_KEPT: usize = 1 << 21;
/// Buffers a thread keeps at most.
const MAX_BUFFERS: usize = 4;

thread_local! {
    static KEPT: RefCell<Vec<Vec<f64>>> = const { RefCell::new(Vec::new()) };
}

/// `N` buffers of `n` values, whatever these are.
pub(super) fn take<const N: usize>(n: usize) -> [Vec<f64>; N] {
    KEPT.with_borrow_mut(|kept| {
        std::array::from_fn(|_| {
            let mut buffer = kept.pop().unwrap_or_default();
            buffer.resize(n, 0.0);
            buffer
        })
    })
}

/// Keeps buffers for the next function on this thread.
pub(super) fn give_back<const N: usize>(buffers: [Vec<f64>; N]) {
    KEPT.with_borrow_mut(|kept| {
        kept.extend(buffers.into_iter().filter(|b| b.capacity() <= MAX_KEPT));
        kept.truncate(MAX_BUFFERS);
    });
}
