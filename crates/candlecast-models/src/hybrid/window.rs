//! The line through a window of log closes and the smoothed level of its residuals.

/// What the raw forecast is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Decomposed {
    /// Slope of the line, log return a step.
    slope: f64,
    /// Smoothed level of the residuals minus the last residual.
    pull: f64,
}

impl Decomposed {
    /// Raw log return over `step` steps from the last close.
    pub(super) fn forecast(self, step: usize) -> f64 {
        self.slope * step as f64 + self.pull
    }
}

/// Fits the least-squares line through `log_closes` (oldest first) and smooths its residuals with weight
/// `smoothing` on the newest, beginning with the first residual. Fewer than three closes have neither.
pub(super) fn decompose(log_closes: &[f64], smoothing: f64) -> Decomposed {
    let n = log_closes.len();
    if n < 3 {
        return Decomposed { slope: 0.0, pull: 0.0 };
    }
    // Sums are taken relative to the last close, so that nothing cancels.
    let last = log_closes[n - 1];
    let middle = (n - 1) as f64 / 2.0;
    let spread = (n * (n * n - 1)) as f64 / 12.0;
    let mean = log_closes.iter().map(|c| c - last).sum::<f64>() / n as f64;
    let slope = log_closes.iter().enumerate().map(|(t, c)| (t as f64 - middle) * (c - last)).sum::<f64>() / spread;
    let residual = |t: usize| (log_closes[t] - last) - mean - slope * (t as f64 - middle);
    let level = (1..n).fold(residual(0), |level, t| smoothing * residual(t) + (1.0 - smoothing) * level);
    Decomposed { slope, pull: level - residual(n - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_line_goes_on() {
        let closes: Vec<f64> = (0..30).map(|t| 5.0 + 0.01 * f64::from(t)).collect();
        let d = decompose(&closes, 0.2);
        assert!((d.forecast(1) - 0.01).abs() < 1e-12 && (d.forecast(24) - 0.24).abs() < 1e-12);
    }

    #[test]
    fn a_spike_is_pulled_back_by_the_share_that_smoothing_does_not_follow() {
        // Worked by hand: closes 0, 0, 3 have slope 1.5, mean 1, residuals 0.5, -1, 0.5; smoothed with 0.5:
        // 0.5, -0.25, 0.125; the pull is 0.125 - 0.5.
        let d = decompose(&[0.0, 0.0, 3.0], 0.5);
        assert!((d.slope - 1.5).abs() < 1e-12 && (d.pull + 0.375).abs() < 1e-12, "{d:?}");
        // With weight 1 the level is the last residual.
        assert!(decompose(&[0.0, 0.0, 3.0], 1.0).pull.abs() < 1e-12);
    }

    #[test]
    fn short_windows_forecast_nothing() {
        assert_eq!(decompose(&[1.0, 2.0], 0.2).forecast(3), 0.0);
    }
}
