//! How much of a raw forecast, or of a mean, to believe.

/// `mean` with the standard error `error`, shrunk towards 0 by the positive-part James-Stein factor
/// `max(0, 1 - 1 / t^2)`: one that is no larger than its error vanishes.
pub(crate) fn shrunk(mean: f64, error: f64) -> f64 {
    // A mean of 0 makes this infinite or NaN: nothing to believe either way.
    let inverse_t_squared = (error / mean).powi(2);
    if inverse_t_squared < 1.0 { mean * (1.0 - inverse_t_squared) } else { 0.0 }
}

/// Factor on raw forecasts `r` that brings them nearest to what came true, `y`, within 0 and 1.
///
/// The least-squares factor is `f = sum(r y) / sum(r^2)`. Its variance, when the targets of `overlap` successive
/// pairs share their returns, is about `overlap sum((r (y - f r))^2) / sum(r^2)^2`. The factor is shrunk by the
/// positive-part James-Stein factor `max(0, 1 - 1 / t^2)`, so that forecasts without power mostly vanish.
pub(crate) fn factor<I: Iterator<Item = (f64, f64)>>(pairs: impl Fn() -> I, overlap: usize) -> f64 {
    let (product, square) = pairs().fold((0.0, 0.0), |(p, s), (r, y)| (p + r * y, s + r * r));
    if square <= 0.0 {
        return 0.0;
    }
    let least_squares = product / square;
    let noise: f64 = pairs().map(|(r, y)| (r * (y - least_squares * r)).powi(2)).sum();
    let inverse_t_squared = overlap as f64 * noise / product.powi(2);
    // No product at all makes this infinite or NaN: no power either way.
    let shrink = if inverse_t_squared < 1.0 { 1.0 - inverse_t_squared } else { 0.0 };
    (least_squares * shrink).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::Seed;

    #[test]
    fn the_factor_is_the_share_that_came_true() {
        let raw: Vec<f64> = (0..50).map(|i| f64::from(i % 7) - 3.0).collect();
        let at = |share: f64| factor(|| raw.iter().map(move |&r| (r, share * r)), 1);
        assert!((at(0.4) - 0.4).abs() < 1e-12);
        assert_eq!(at(2.0), 1.0);
        assert_eq!(at(-0.5), 0.0);
        assert_eq!(factor(|| std::iter::repeat_n((0.0, 1.0), 9), 1), 0.0);
    }

    #[test]
    fn means_within_their_error_vanish_and_clear_ones_stay() {
        assert_eq!(shrunk(2.0, 1.0), 1.5);
        assert_eq!(shrunk(-2.0, 1.0), -1.5);
        assert_eq!([shrunk(1.0, 1.0), shrunk(-0.5, 1.0), shrunk(0.0, 1.0), shrunk(0.0, 0.0)], [0.0; 4]);
        assert_eq!(shrunk(0.3, 0.0), 0.3);
    }

    #[test]
    fn noise_is_mostly_damped_to_nothing() {
        let mut zeros = 0;
        for seed in 0..400 {
            let mut rng = Seed(seed).stream();
            let noise: Vec<(f64, f64)> = (0..300).map(|_| (rng.normal(), rng.normal())).collect();
            zeros += usize::from(factor(|| noise.iter().copied(), 1) == 0.0);
        }
        // Without power, t is positive and beyond one in 16 % of cases.
        assert!((310..=360).contains(&zeros), "{zeros}");
    }
}
