//! [`Buffer`]: numbers that start on a cache line, allocated once and reused in every step.

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line and of the widest vector.
const LINE_BYTES: usize = 64;
/// Floats of a cache line.
const LINE: usize = LINE_BYTES / size_of::<f32>();
/// Buffers start at one of this many places within a page, so that equal indices of two of them do not fall on
/// the same cache set (loads after stores to addresses that agree in their low 12 bits wait for each other).
const PLACES: usize = 13;
/// Distance of two places in floats.
const PLACE_STEP: usize = 5 * LINE;

/// A block of floats, zero at first, that starts on a cache line.
#[derive(Debug)]
pub(crate) struct Buffer {
    raw: Vec<f32>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// `len` zeros. Buffers that are used together should have different `slot`s.
    pub(crate) fn zeroed(len: usize, slot: usize) -> Self {
        let raw = vec![0.0_f32; len + LINE + (PLACES - 1) * PLACE_STEP];
        let start = aligned_start(&raw) + (slot % PLACES) * PLACE_STEP;
        Self { raw, start, len }
    }
}

/// Index of the first float on a cache line. `align_offset` may decline to answer; an unaligned start is only slower.
fn aligned_start(raw: &[f32]) -> usize {
    let offset = raw.as_ptr().align_offset(LINE_BYTES);
    if offset < LINE { offset } else { 0 }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.raw[self.start..self.start + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.raw[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_start_on_cache_lines_and_hold_what_they_say() {
        for (slot, len) in [(0, 0), (1, 1), (5, 1000), (12, 31), (13, 77)] {
            let mut b = Buffer::zeroed(len, slot);
            assert_eq!(b.len(), len);
            assert!(b.iter().all(|&x| x == 0.0));
            assert_eq!(b.as_ptr() as usize % LINE_BYTES, 0);
            b.fill(1.0);
            assert_eq!(b.iter().sum::<f32>(), len as f32);
        }
    }
}
