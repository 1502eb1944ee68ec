//! Vectors cut into [`PARTS`] parts, so that threads can write to them side by side.
//!
//! The cuts depend on the length only, and so does every sum over parts: not on the number of threads.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::network::PARTS;

/// Borders of the parts of a vector of `len` numbers, on whole cache lines.
pub(crate) fn even_bounds(len: usize) -> [usize; PARTS + 1] {
    std::array::from_fn(|part| if part == PARTS { len } else { (len * part / PARTS) & !15 })
}

/// `values` cut at `bounds`, each part to be taken by the thread that works on it.
pub(crate) fn cut<'a>(values: &'a mut [f32], bounds: &[usize; PARTS + 1]) -> [Mutex<&'a mut [f32]>; PARTS] {
    let mut rest = values;
    std::array::from_fn(|part| {
        let (this, tail) = std::mem::take(&mut rest).split_at_mut(bounds[part + 1] - bounds[part]);
        rest = tail;
        Mutex::new(this)
    })
}

/// Locks what only one thread wants at a time.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic of another thread ends the whole fit anyway.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_whole() {
        for len in [0, 1, 15, 16, 129, 5000] {
            let bounds = even_bounds(len);
            assert!(bounds[0] == 0 && bounds[PARTS] == len && bounds.is_sorted());
            let mut values: Vec<f32> = (0..len).map(|i| i as f32).collect();
            for part in cut(&mut values, &bounds) {
                for v in lock(&part).iter_mut() {
                    *v += 1.0;
                }
            }
            assert!(values.iter().enumerate().all(|(i, &v)| v == i as f32 + 1.0));
        }
    }
}
