//! [`Volatility`]: the causal volatility of one-step log returns, close by close.

/// Half-life of the estimate, in candles.
const HALF_LIFE: f64 = 48.0;
/// Returns over which the starting value is formed.
const START: usize = 32;

/// Exponentially weighted variance of the log returns of one segment. A whole market and a live one go through this
/// same code, so their values have the same bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Volatility {
    keep: f64,
    /// Closes taken.
    closes: usize,
    last: f64,
    /// The sum of squared returns until there are [`START`] of them, their weighted mean from then on.
    variance: f64,
}

impl Volatility {
    /// Before the first close of a segment.
    pub(crate) fn new() -> Self {
        Self { keep: 0.5_f64.powf(1.0 / HALF_LIFE), closes: 0, last: f64::NAN, variance: 0.0 }
    }

    /// Takes the segment's next log close and gives the standard deviation there; NaN over the first 32 closes.
    pub(crate) fn step(&mut self, log_close: f64) -> f64 {
        let returns = self.closes;
        let square = (log_close - self.last).powi(2);
        self.closes += 1;
        self.last = log_close;
        match returns {
            0 => {}
            _ if returns <= START => self.variance += square,
            _ => self.variance = self.keep * self.variance + (1.0 - self.keep) * square,
        }
        if returns == START {
            self.variance /= START as f64;
        }
        if returns < START { f64::NAN } else { self.variance.sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::Seed;

    #[test]
    fn it_begins_with_the_mean_square_and_then_forgets_by_half_in_48_candles() {
        let mut rng = Seed(5).stream();
        let mut log_close = vec![0.0];
        for i in 0..200 {
            log_close.push(log_close[i] + 0.01 * rng.normal());
        }
        let mut volatility = Volatility::new();
        let values: Vec<f64> = log_close.iter().map(|&c| volatility.step(c)).collect();
        assert!(values[..START].iter().all(|v| v.is_nan()));
        let square = |i: usize| (log_close[i] - log_close[i - 1]).powi(2);
        let mut variance = (1..=START).map(square).sum::<f64>() / START as f64;
        assert_eq!(values[START].to_bits(), variance.sqrt().to_bits());
        let keep = 0.5_f64.powf(1.0 / 48.0);
        for i in START + 1..log_close.len() {
            variance = keep * variance + (1.0 - keep) * square(i);
            assert_eq!(values[i].to_bits(), variance.sqrt().to_bits(), "{i}");
        }
    }
}
