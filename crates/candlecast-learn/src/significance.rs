//! Tests of "better than": Diebold-Mariano with Harvey's correction, Clark-West, direction, Holm.
//!
//! All work on series ordered by origin whose neighbours overlap by up to `horizon - 1` steps.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// A one-sided test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Test {
    /// The statistic; positive speaks for the alternative.
    pub statistic: f64,
    /// Probability of so large a statistic when the alternative is not true.
    pub p_value: f64,
}

/// Variance of the mean of `d`, with autocovariances up to `lag`.
///
/// The rectangular kernel of Diebold and Mariano (1995); where it is not positive, Bartlett's (Newey and West
/// 1987), which cannot be negative. `None` where `d` has no variance.
fn variance_of_mean(d: &[f64], lag: usize) -> Option<f64> {
    let n = d.len() as f64;
    let mean = d.iter().sum::<f64>() / n;
    let centred: Vec<f64> = d.iter().map(|x| x - mean).collect();
    let autocovariance = |k: usize| centred[k..].iter().zip(&centred).map(|(a, b)| a * b).sum::<f64>() / n;
    let gamma: Vec<f64> = (0..=lag.min(d.len() - 1)).map(autocovariance).collect();
    if gamma[0] <= mean * mean * 1e-24 || gamma[0] <= 0.0 {
        return None;
    }
    let sum =
        |weight: &dyn Fn(usize) -> f64| gamma[0] + 2.0 * (1..gamma.len()).map(|k| weight(k) * gamma[k]).sum::<f64>();
    let rectangular = sum(&|_| 1.0);
    let bartlett = sum(&|k| 1.0 - k as f64 / gamma.len() as f64);
    // A rectangular sum far below Bartlett's is an estimate about to turn negative, not evidence.
    let long_run = if rectangular > 0.1 * bartlett { rectangular } else { bartlett };
    (long_run > 0.0).then_some(long_run / n)
}

/// One-sided test that the mean of `d` is above 0, where `d` is serially dependent up to `horizon - 1`:
/// Diebold and Mariano (1995) with the small-sample factor and Student-t quantiles of Harvey, Leybourne and
/// Newbold (1997). For overlapping values the quantiles have `n / (2 horizon)` degrees of freedom instead of their
/// `n - 1`: the variance is estimated from about that many independent values, and with 48 to 240 of them at 24
/// steps their test rejects 8 to 15 % instead of 5 %. `None` with fewer than `max(2 horizon, 10)` values or without
/// variance.
pub fn mean_above_zero(d: &[f64], horizon: usize) -> Option<Test> {
    let (n, h) = (d.len() as f64, horizon as f64);
    if d.len() < (2 * horizon).max(10) || d.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let mean = d.iter().sum::<f64>() / n;
    let variance = variance_of_mean(d, horizon - 1)?;
    let factor = (n + 1.0 - 2.0 * h + h * (h - 1.0) / n) / n;
    if factor <= 0.0 {
        return None;
    }
    let statistic = mean / variance.sqrt() * factor.sqrt();
    let t = StudentsT::new(0.0, 1.0, degrees_of_freedom(n, horizon)).ok()?;
    Some(Test { statistic, p_value: t.sf(statistic) })
}

fn degrees_of_freedom(n: f64, horizon: usize) -> f64 {
    if horizon == 1 { n - 1.0 } else { (n / (2.0 * horizon as f64)).max(1.0) }
}

/// Diebold-Mariano: is the loss of the model lower than that of the reference? Losses are paired by origin.
pub fn diebold_mariano(model_loss: &[f64], reference_loss: &[f64], horizon: usize) -> Option<Test> {
    let d: Vec<f64> = reference_loss.iter().zip(model_loss).map(|(r, m)| r - m).collect();
    mean_above_zero(&d, horizon)
}

/// Clark and West (2007): squared loss of a model that nests the reference, whose forecast is 0. `adjusted`
/// holds `e0² - (e1² - f1²)` by origin. Student-t quantiles as in [`mean_above_zero`], where the paper takes the
/// normal ones.
pub fn clark_west(adjusted: &[f64], horizon: usize) -> Option<Test> {
    if adjusted.len() < (2 * horizon).max(10) || adjusted.iter().any(|x| !x.is_finite()) {
        return None;
    }
    let mean = adjusted.iter().sum::<f64>() / adjusted.len() as f64;
    let statistic = mean / variance_of_mean(adjusted, horizon - 1)?.sqrt();
    let t = StudentsT::new(0.0, 1.0, degrees_of_freedom(adjusted.len() as f64, horizon)).ok()?;
    Some(Test { statistic, p_value: t.sf(statistic) })
}

/// Holm's step-down correction: p-values valid for all tests at once, in the given order. `None` stays `None`
/// and does not count.
pub fn holm(p_values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> = p_values.iter().enumerate().filter_map(|(i, p)| p.map(|p| (i, p))).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let m = order.len();
    let mut corrected = vec![None; p_values.len()];
    let mut least: f64 = 0.0;
    for (rank, &(i, p)) in order.iter().enumerate() {
        least = least.max(((m - rank) as f64 * p).min(1.0));
        corrected[i] = Some(least);
    }
    corrected
}

/// Level of all verdicts.
pub const VERDICT_LEVEL: f64 = 0.05;

/// A p-value as text: `p = 0.03`, `p < 0.001`. Where it would read 0.05, with as many decimals more as show on which
/// side of [`VERDICT_LEVEL`] it lies.
pub fn p_text(p: f64) -> String {
    if p < 0.001 {
        return "p < 0.001".into();
    }
    if p < 0.01 {
        return format!("p = {p:.3}");
    }
    let rounded = |decimals: usize| format!("{p:.decimals$}");
    let level = format!("{VERDICT_LEVEL:.2}");
    let shown = match rounded(2) {
        text if text != level => text,
        _ => (3..=9).map(rounded).find(|t| t.trim_end_matches('0') != level).unwrap_or_else(|| rounded(3)),
    };
    format!("p = {shown}")
}

/// The verdict in words on a corrected p-value and, for the other side, the plain statistic's, against the forecast
/// called `reference`.
pub fn verdict(test: Option<Test>, corrected: Option<f64>, reference: &str) -> String {
    match (test, corrected) {
        (Some(_), Some(p)) if p < VERDICT_LEVEL => format!("better than {reference} ({})", p_text(p)),
        (Some(t), _) if 1.0 - t.p_value < VERDICT_LEVEL => {
            format!("worse than {reference} ({})", p_text(1.0 - t.p_value))
        }
        (Some(_), Some(p)) => format!("no evidence that it beats {reference} ({})", p_text(p)),
        _ => "cannot be told: too few origins, or the same forecasts".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::Seed;

    #[test]
    fn p_values_show_their_side_of_the_level() {
        for (p, text) in [
            (0.0004, "p < 0.001"),
            (0.004, "p = 0.004"),
            (0.03, "p = 0.03"),
            (0.0478, "p = 0.048"),
            (0.049_96, "p = 0.04996"),
            (0.05, "p = 0.050"),
            (0.0532, "p = 0.053"),
            (0.2, "p = 0.20"),
        ] {
            assert_eq!(p_text(p), text);
        }
    }

    #[test]
    fn one_step_diebold_mariano_is_a_t_test() {
        // scipy.stats.ttest_1samp([0.3, -0.1, 0.4, 0.2, -0.2, 0.5, 0.1, 0.3, -0.1, 0.2], 0, alternative="greater"):
        // statistic 2.1398021, pvalue 0.0305175; for h = 1 HLN divides by n - 1 as the t test does.
        let d = [0.3, -0.1, 0.4, 0.2, -0.2, 0.5, 0.1, 0.3, -0.1, 0.2];
        let mean = d.iter().sum::<f64>() / 10.0;
        let s = (d.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 9.0).sqrt();
        let test = mean_above_zero(&d, 1).unwrap();
        assert!((test.statistic - mean / (s / 10.0_f64.sqrt())).abs() < 1e-12);
        assert!(test.p_value > 0.02 && test.p_value < 0.05);
    }

    #[test]
    fn size_is_right_for_overlapping_losses_of_equal_expectation() {
        for (n, h) in [(1_500, 12), (96, 12)] {
            let runs = 600;
            let rejections = (0..runs)
                .filter(|&k| {
                    let mut rng = Seed(5).derive("dm", k).stream();
                    let shocks: Vec<f64> = (0..n + h).map(|_| rng.normal()).collect();
                    let d: Vec<f64> = (0..n).map(|i| shocks[i..i + h].iter().sum()).collect();
                    mean_above_zero(&d, h).is_some_and(|t| t.p_value < 0.05)
                })
                .count();
            let share = rejections as f64 / runs as f64;
            assert!((0.03..0.075).contains(&share), "{n} {h}: {share}");
        }
    }

    #[test]
    fn holm_by_hand() {
        let p = holm(&[Some(0.01), None, Some(0.04), Some(0.03)]);
        let close = |a: Option<f64>, b: f64| (a.unwrap() - b).abs() < 1e-12;
        assert!(close(p[0], 0.03) && p[1].is_none() && close(p[3], 0.06) && close(p[2], 0.06));
    }

    #[test]
    fn degenerate_series_have_no_test() {
        assert!(mean_above_zero(&[0.0; 100], 3).is_none());
        assert!(mean_above_zero(&[1.0, 2.0], 1).is_none());
        assert!(mean_above_zero(&[f64::NAN; 100], 1).is_none());
    }
}
