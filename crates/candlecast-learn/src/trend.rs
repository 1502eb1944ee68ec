//! [`Trend`]: whether the returns of the last days add up to more than chance would let them.

/// Half-life of the weights of past returns, in candles; that of the volatility that they are held against.
const HALF_LIFE: f64 = 48.0;
/// Standard deviations that their sum must exceed: of independent returns it does about one time in three.
const BOUND: f64 = 1.0;

/// Exponentially weighted sum of the log returns of one segment, held against its standard deviation if returns were
/// independent: `|sum k^i r_(t-i)| > vol_t sqrt(sum k^(2i))`. A whole market and a live one go through this same code, so
/// their values have the same bits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trend {
    keep: f64,
    last: f64,
    /// Weighted sum of returns.
    sum: f64,
    /// Sum of the squared weights.
    squares: f64,
}

impl Trend {
    /// Before the first close of a segment.
    pub(crate) fn new() -> Self {
        Self { keep: 0.5_f64.powf(1.0 / HALF_LIFE), last: f64::NAN, sum: 0.0, squares: 0.0 }
    }

    /// Takes the segment's next log close, where the volatility of one step is `volatility`. True where the price trends;
    /// false while the volatility is NaN.
    pub(crate) fn step(&mut self, log_close: f64, volatility: f64) -> bool {
        let log_return = log_close - self.last;
        self.last = log_close;
        if log_return.is_nan() {
            return false;
        }
        self.sum = self.keep * self.sum + log_return;
        self.squares = self.keep * self.keep * self.squares + 1.0;
        self.sum.abs() > BOUND * volatility * self.squares.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volatility::Volatility;
    use candlecast_core::Seed;

    /// Where the closes of these returns trend.
    fn trending(returns: impl Iterator<Item = f64>) -> Vec<bool> {
        let (mut trend, mut volatility, mut close) = (Trend::new(), Volatility::new(), 0.0);
        let mut step = |log_return: f64| {
            close += log_return;
            let volatility = volatility.step(close);
            trend.step(close, volatility)
        };
        std::iter::once(0.0).chain(returns).map(&mut step).collect()
    }

    fn share(places: &[bool]) -> f64 {
        places.iter().filter(|&&trending| trending).count() as f64 / places.len() as f64
    }

    #[test]
    fn independent_returns_trend_one_time_in_three() {
        let mut rng = Seed(9).stream();
        let places = trending((0..60_000).map(|_| 0.01 * rng.normal()));
        assert!(places[..32].iter().all(|&trending| !trending), "the volatility is not known yet");
        // 31.7 % of a normal distribution lie beyond one standard deviation.
        assert!((share(&places) - 0.317).abs() < 0.04, "{}", share(&places));
    }

    #[test]
    fn a_price_that_goes_one_way_trends_and_one_that_goes_back_does_not() {
        let mut rng = Seed(3).stream();
        let up = trending((0..2_000).map(|_| 0.004 + 0.01 * rng.normal()));
        assert!(share(&up[500..]) > 0.99);
        let back_and_forth = trending((0..2_000).map(|i| if i % 2 == 0 { 0.01 } else { -0.01 }));
        assert!(share(&back_and_forth[100..]) == 0.0);
        assert!(trending((0..100).map(|_| 0.0)).iter().all(|&trending| !trending), "a standstill is no trend");
    }
}
