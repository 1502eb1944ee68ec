//! [`Ewma`] and [`SigmaState`]: the causal volatility that targets, factors and verdicts are measured in.

/// An exponentially weighted mean with bias correction: value `k` candles ago has the weight `2^(-k / half_life)`, and
/// the weights are divided by their sum, so that the first values count for no more than they are (pandas'
/// `ewm(halflife, adjust=True).mean()`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ewma {
    keep: f64,
    sum: f64,
    weight: f64,
    count: usize,
}

impl Ewma {
    /// Nothing taken yet; `half_life` in values, above 0.
    pub fn new(half_life: f64) -> Self {
        Self { keep: 0.5_f64.powf(1.0 / half_life), sum: 0.0, weight: 0.0, count: 0 }
    }

    /// Takes the next value.
    pub fn push(&mut self, value: f64) {
        self.sum = self.keep * self.sum + value;
        self.weight = self.keep * self.weight + 1.0;
        self.count += 1;
    }

    /// The mean; NaN before the first value.
    pub fn mean(&self) -> f64 {
        self.sum / self.weight
    }

    /// Values taken.
    pub fn count(&self) -> usize {
        self.count
    }
}

/// Half-life of the squared returns, in candles.
const HALF_LIFE: f64 = 72.0;
/// Returns before the first value.
const START: usize = 32;
/// Least volatility of one step: a market may stand still.
pub const SIGMA_FLOOR: f64 = 1e-4;

/// `sigma_t`: the square root of an exponentially weighted mean of squared one-step log returns (half-life 72 candles,
/// bias-corrected), at least [`SIGMA_FLOOR`]. Price learners learn returns in units of `sigma_t sqrt(h)`, and factors
/// and verdicts measure errors in them. One segment goes through one state, close by close.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SigmaState {
    mean_square: Ewma,
    last: f64,
}

impl Default for SigmaState {
    fn default() -> Self {
        Self { mean_square: Ewma::new(HALF_LIFE), last: f64::NAN }
    }
}

impl SigmaState {
    /// Takes the segment's next log close and gives the volatility there; NaN over the first 32 closes, which have
    /// fewer than 32 returns behind them.
    pub fn step(&mut self, log_close: f64) -> f64 {
        let change = log_close - self.last;
        self.last = log_close;
        if change.is_nan() {
            return f64::NAN;
        }
        self.mean_square.push(change * change);
        if self.mean_square.count() < START { f64::NAN } else { self.mean_square.mean().sqrt().max(SIGMA_FLOOR) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_halve_in_a_half_life_and_sum_to_one() {
        let mut mean = Ewma::new(2.0);
        assert!(mean.mean().is_nan());
        for value in [1.0, 0.0, 0.0] {
            mean.push(value);
        }
        let w = 0.5_f64.sqrt();
        assert!((mean.mean() - w * w / (1.0 + w + w * w)).abs() < 1e-15);
        assert_eq!(mean.count(), 3);
    }

    #[test]
    fn sigma_is_the_root_of_the_weighted_squares_behind_32_returns() {
        let mut state = SigmaState::default();
        let keep = 0.5_f64.powf(1.0 / 72.0);
        let (mut close, mut sum, mut weight) = (0.0_f64, 0.0, 0.0);
        for i in 0..400_u32 {
            if i > 0 {
                let change = 0.01 * f64::from(i % 7) - 0.02;
                close += change;
                sum = keep * sum + change * change;
                weight = keep * weight + 1.0;
            }
            let sigma = state.step(close);
            if i < 32 {
                assert!(sigma.is_nan(), "{i}");
            } else {
                assert!((sigma - (sum / weight).sqrt()).abs() < 1e-12, "{i}");
            }
        }
    }

    #[test]
    fn a_standstill_counts_as_a_ten_thousandth() {
        let mut state = SigmaState::default();
        let last = (0..300).map(|_| state.step(1.0)).last();
        assert_eq!(last, Some(SIGMA_FLOOR));
    }
}
