//! [`Dropout`]: inverted dropout between layers with counter-based masks.
//!
//! Whether a unit is dropped depends only on the key of the training step, the layer, the row of the batch, the
//! time step and the unit: not on threads, micro-batches or the instruction set. The hash is the 32-bit finaliser
//! "lowbias32" (Wellons 2018) with the key added before and xored between its rounds; it has no floats, so all
//! instruction sets draw the same masks.

use candlecast_core::Seed;

/// Dropout of one training step: each unit is 0 with probability `rate`, else scaled by `1 / (1 - rate)`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropout {
    threshold: u32,
    scale: f32,
    seed: Seed,
    first_row: usize,
}

impl Dropout {
    /// Masks of training step `step` (counted over the whole fit), `None` for a rate of 0.
    pub(crate) fn new(rate: f64, seed: Seed, step: u64) -> Option<Self> {
        (rate > 0.0).then(|| Self {
            threshold: (rate * 4_294_967_296.0) as u32,
            scale: (1.0 / (1.0 - rate)) as f32,
            seed: seed.derive("nn-dropout", step),
            first_row: 0,
        })
    }

    /// The same masks for a micro-batch whose first row is row `first_row` of the batch.
    pub(crate) fn from_row(self, first_row: usize) -> Self {
        Self { first_row, ..self }
    }

    /// The masks on the inputs of layer `layer`, which has `steps` time steps of `width` inputs.
    pub(crate) fn mask(self, layer: usize, steps: usize, width: usize) -> Mask {
        let key = self.seed.derive("layer", layer as u64).0;
        Mask {
            threshold: self.threshold,
            scale: self.scale,
            key: [key as u32, (key >> 32) as u32],
            first_row: self.first_row,
            steps,
            width,
        }
    }
}

/// The masks on the inputs of one layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mask {
    threshold: u32,
    scale: f32,
    key: [u32; 2],
    first_row: usize,
    steps: usize,
    width: usize,
}

impl Mask {
    /// Writes `from` times the mask of (`row`, `step`) to `to`; both begin with unit 0 and may be padded.
    #[allow(clippy::inline_always, reason = "takes the vector width of the kernel it is inlined into")]
    #[inline(always)]
    pub(crate) fn apply(self, row: usize, step: usize, from: &[f32], to: &mut [f32]) {
        let base = self.base(row, step);
        for (j, (to, &from)) in to.iter_mut().zip(from).enumerate() {
            *to = from * self.factor(base.wrapping_add(j as u32));
        }
    }

    /// Multiplies `values` by the mask of (`row`, `step`).
    #[allow(clippy::inline_always, reason = "takes the vector width of the kernel it is inlined into")]
    #[inline(always)]
    pub(crate) fn apply_in_place(self, row: usize, step: usize, values: &mut [f32]) {
        let base = self.base(row, step);
        for (j, v) in values.iter_mut().enumerate() {
            *v *= self.factor(base.wrapping_add(j as u32));
        }
    }

    #[allow(clippy::inline_always, reason = "takes the vector width of the kernel it is inlined into")]
    #[inline(always)]
    fn base(self, row: usize, step: usize) -> u32 {
        (((self.first_row + row) * self.steps + step) * self.width) as u32
    }

    #[allow(clippy::inline_always, reason = "takes the vector width of the kernel it is inlined into")]
    #[inline(always)]
    fn factor(self, counter: u32) -> f32 {
        let mut x = counter.wrapping_add(self.key[0]);
        x ^= x >> 16;
        x = x.wrapping_mul(0x7feb_352d);
        x ^= self.key[1];
        x ^= x >> 15;
        x = x.wrapping_mul(0x846c_a68b);
        x ^= x >> 16;
        if x >= self.threshold { self.scale } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(dropout: Dropout, rows: usize) -> Vec<f32> {
        let mask = dropout.mask(1, 20, 32);
        let mut all = Vec::new();
        for row in 0..rows {
            for step in 0..20 {
                let mut out = [0.0; 32];
                mask.apply(row, step, &[1.0; 32], &mut out);
                all.extend(out);
            }
        }
        all
    }

    #[test]
    fn the_share_dropped_is_the_rate_and_the_mean_is_kept() {
        assert!(Dropout::new(0.0, Seed(1), 0).is_none());
        for rate in [0.1, 0.2, 0.5] {
            let values = draw(Dropout::new(rate, Seed(1), 7).unwrap(), 400);
            let n = values.len() as f64;
            let dropped = values.iter().filter(|&&v| v == 0.0).count() as f64 / n;
            // Four standard errors of a share of 256,000 independent draws.
            assert!((dropped - rate).abs() < 4.0 * (rate * (1.0 - rate) / n).sqrt(), "{rate}: {dropped}");
            let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
            assert!((mean - 1.0).abs() < 0.01, "{mean}");
        }
    }

    #[test]
    fn neighbouring_draws_are_uncorrelated() {
        let values = draw(Dropout::new(0.5, Seed(3), 1).unwrap(), 400);
        for lag in [1, 2, 16, 32, 640] {
            let c: f64 = values.windows(lag + 1).map(|w| f64::from((w[0] - 1.0) * (w[lag] - 1.0))).sum::<f64>()
                / (values.len() - lag) as f64;
            assert!(c.abs() < 0.01, "lag {lag}: {c}");
        }
    }

    #[test]
    fn masks_do_not_depend_on_the_micro_batch() {
        let d = Dropout::new(0.3, Seed(5), 2).unwrap();
        let whole = draw(d, 8);
        let tail = draw(d.from_row(5), 3);
        assert_eq!(whole[5 * 20 * 32..], tail);
        assert_ne!(whole, draw(Dropout::new(0.3, Seed(5), 3).unwrap(), 8));
    }
}
