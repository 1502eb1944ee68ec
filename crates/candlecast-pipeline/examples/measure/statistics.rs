//! Means, their t-values, and the score of a normal distribution.

use std::f64::consts::{PI, SQRT_2};

use statrs::function::erf::erf;

/// The mean; `None` of nothing.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Standard deviation with `n - 1`; `None` of fewer than two.
pub(crate) fn deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values).filter(|_| values.len() > 1)?;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// t-value of the mean of `values`, which stand in time order, by the variance of Newey and West (1987): Bartlett's
/// weights over `lag` lags. `None` where there is no variance.
pub(crate) fn newey_west_t(values: &[f64], lag: usize) -> Option<f64> {
    let (n, mean) = (values.len() as f64, mean(values)?);
    let errors: Vec<f64> = values.iter().map(|v| v - mean).collect();
    let covariance = |k: usize| errors[k..].iter().zip(&errors).map(|(a, b)| a * b).sum::<f64>() / n;
    let weight = |k: usize| 1.0 - k as f64 / (lag + 1) as f64;
    let most = lag.min(values.len() - 1);
    let variance = covariance(0) + 2.0 * (1..=most).map(|k| weight(k) * covariance(k)).sum::<f64>();
    (variance > 1e-24).then(|| mean / (variance / n).sqrt())
}

/// Continuous ranked probability score of `actual` under a normal distribution around 0 with the standard deviation
/// `sd`, above 0 (Gneiting and Raftery 2007, equation 21), in the unit of both.
pub(crate) fn normal_crps(sd: f64, actual: f64) -> f64 {
    let z = actual / sd;
    let density = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
    // `2 Phi(z) - 1`.
    let between = erf(z / SQRT_2);
    sd * (z * between + 2.0 * density - 1.0 / PI.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t_values_are_those_of_the_sums_written_out_in_numpy() {
        let values: Vec<f64> = (0..50).map(|i| (0.7 * f64::from(i)).sin() + 0.2).collect();
        for (lag, t) in [(0, 2.589347020981907), (1, 1.9484780556203132), (5, 2.3429660303194613)] {
            let found = newey_west_t(&values, lag).unwrap();
            assert!((found - t).abs() < 1e-10, "{lag}: {found}");
        }
        assert_eq!((newey_west_t(&[], 3), newey_west_t(&[0.5; 9], 3)), (None, None));
        assert!(newey_west_t(&[1.0, 2.0], 9).is_some(), "more lags than values");
    }

    #[test]
    fn the_score_is_the_integral_of_its_definition() {
        // scipy.integrate.quad of (Phi(x / sd) - [x >= y])^2.
        for (sd, actual, score) in
            [(1.0, 0.0, 0.23369497725510904), (1.0, 1.3, 0.8268663406252716), (0.02, -0.05, 0.038796373816210004)]
        {
            assert!((normal_crps(sd, actual) - score).abs() < 1e-9, "{sd} {actual}");
        }
    }

    #[test]
    fn means_and_deviations_by_hand() {
        assert_eq!((mean(&[1.0, 2.0, 6.0]), mean(&[])), (Some(3.0), None));
        assert_eq!((deviation(&[1.0, 3.0]), deviation(&[1.0])), (Some(2.0_f64.sqrt()), None));
    }
}
