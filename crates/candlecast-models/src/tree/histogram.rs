//! Histograms of gradients and Hessians over the bins of a block of features: the hot loop of boosting.

/// Features a block: one 8-byte load of codes a row, and a histogram that stays in the first-level cache.
pub(crate) const LANES: usize = 8;
/// Bins a feature at most: any `u8` is a bin, so no bound is checked in the loop.
pub(crate) const MAX_BINS: usize = 256;

/// Sums of `[gradient, Hessian]` for `[lane][bin]`, in double precision so that a sibling can be had by subtraction.
pub(crate) type Histogram = [[[f64; 2]; MAX_BINS]; LANES];

/// A histogram of nothing.
pub(crate) static EMPTY: Histogram = [[[0.0; 2]; MAX_BINS]; LANES];

/// Makes `histogram` that of `rows`, whose codes and gradients are `[row]`.
pub(crate) fn build(histogram: &mut Histogram, codes: &[[u8; LANES]], gradients: &[[f32; 2]], rows: &[u32]) {
    for lane in histogram.iter_mut() {
        lane.fill([0.0; 2]);
    }
    for &row in rows {
        let code = codes[row as usize];
        let [g, h] = gradients[row as usize];
        let (g, h) = (f64::from(g), f64::from(h));
        for (lane, &c) in histogram.iter_mut().zip(&code) {
            let bin = &mut lane[c as usize];
            bin[0] += g;
            bin[1] += h;
        }
    }
}

/// Turns the histogram of a parent into that of one child, given the other child's.
pub(crate) fn subtract(parent: &mut Histogram, child: &Histogram) {
    for (a, b) in parent.as_flattened_mut().as_flattened_mut().iter_mut().zip(child.as_flattened().as_flattened()) {
        *a -= b;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtraction_gives_the_sibling() {
        let codes: Vec<[u8; LANES]> =
            (0..100_u8).map(|i| std::array::from_fn(|k| i.wrapping_mul(k as u8 + 3))).collect();
        let gradients: Vec<[f32; 2]> = (0..100).map(|i| [i as f32 - 40.0, 1.0]).collect();
        let rows: Vec<u32> = (0..100).collect();
        let mut parts = vec![EMPTY; 3];
        let [all, left, right] = &mut parts[..] else { unreachable!("three were made") };
        build(all, &codes, &gradients, &rows);
        build(left, &codes, &gradients, &rows[..30]);
        build(right, &codes, &gradients, &rows[30..]);
        assert_eq!(all[0].iter().map(|b| b[1]).sum::<f64>(), 100.0);
        assert_eq!(all[5][56][0], -3.0);
        subtract(all, left);
        assert!(all == right);
    }
}
