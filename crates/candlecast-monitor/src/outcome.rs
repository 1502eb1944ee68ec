//! [`outcome`]: what candles make of a prediction. One rule, for stored candles and for streamed ones.

use candlecast_core::{Candle, Timestamp};
use candlecast_meta::{NewPrediction, VOLATILITY_TASK};

/// What candles say of the outcome of a prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    /// What came true: the close of the target candle, also where a class was predicted, or the realised volatility.
    Actual(f64),
    /// There is none: the exchange stood still.
    Halted,
    /// A candle that it depends on is not among them.
    Unknown,
}

/// What the candles that `closing_at` finds by their close make of `made`.
///
/// A price and a class depend on the target candle. A volatility depends on every candle after its origin up to the
/// target: it is the root of their summed squared log returns, the first of them from the price that it was made at.
/// The first of these candles that is not there, or at which the exchange stood still, decides.
pub fn outcome(made: &NewPrediction, closing_at: impl Fn(Timestamp) -> Option<Candle>) -> Outcome {
    let mut last_log = made.base_price.ln();
    let mut variance = 0.0;
    let mut last_close = None;
    for time in times(made) {
        let Some(candle) = closing_at(time) else { return Outcome::Unknown };
        let Some(close) = traded_close(&candle) else { return Outcome::Halted };
        let log = close.ln();
        variance += (log - last_log).powi(2);
        last_log = log;
        last_close = Some(close);
    }
    if is_volatility(made) {
        return Outcome::Actual(variance.sqrt());
    }
    last_close.map_or(Outcome::Unknown, Outcome::Actual)
}

/// Closes of the candles that the outcome of `made` depends on, in order.
fn times(made: &NewPrediction) -> impl Iterator<Item = Timestamp> {
    let step_ms = made.series.interval.ms();
    let target = made.target_time;
    let candles = if is_volatility(made) { i64::from(made.step) } else { 1 };
    (0..candles).rev().map(move |back| target.plus_ms(-back * step_ms))
}

/// Open of the first candle that the outcome of `made` depends on.
pub(crate) fn first_open(made: &NewPrediction) -> Timestamp {
    let step_ms = made.series.interval.ms();
    times(made).next().unwrap_or(made.target_time).plus_ms(-step_ms)
}

fn is_volatility(made: &NewPrediction) -> bool {
    made.task == VOLATILITY_TASK
}

/// The close of `candle`; `None` where the exchange stood still, so that there was none.
fn traded_close(candle: &Candle) -> Option<f64> {
    let halted = candle.volume == 0.0 && candle.high == candle.low;
    (!halted).then_some(candle.close)
}

#[cfg(test)]
mod tests {
    use candlecast_meta::{ClassBorders, DIRECTION_TASK, PRICE_TASK};

    use super::*;
    use crate::made::{candle, hour, made};

    /// The outcome by candles that close at `hour(1)` and on; one without a close is missing, one that does not move
    /// stands still.
    fn by(made: &NewPrediction, closes: &[Option<f64>], still: Option<i64>) -> Outcome {
        outcome(made, |time| {
            let at = (1..=closes.len() as i64).find(|&k| hour(k) == time)?;
            closes[at as usize - 1].map(|close| candle(hour(at - 1), close, still != Some(at)))
        })
    }

    #[test]
    fn a_price_and_a_class_meet_the_close_of_the_target_and_need_no_other_candle() {
        let class = NewPrediction {
            borders: Some(ClassBorders { sell_at: 99.0, buy_at: 101.0 }),
            ..made(DIRECTION_TASK, 3, 1.0)
        };
        for made in [made(PRICE_TASK, 3, 101.0), class] {
            assert_eq!(by(&made, &[None, None, Some(103.0)], None), Outcome::Actual(103.0));
            assert_eq!(by(&made, &[Some(1.0), Some(2.0), Some(103.0)], Some(2)), Outcome::Actual(103.0));
            assert_eq!(by(&made, &[Some(1.0), Some(2.0), Some(103.0)], Some(3)), Outcome::Halted);
            assert_eq!(by(&made, &[Some(1.0), Some(2.0), None], None), Outcome::Unknown);
            assert_eq!(first_open(&made), hour(2));
        }
    }

    #[test]
    fn a_volatility_is_the_root_of_the_summed_squared_returns_from_the_price_it_was_made_at() {
        let made = made(VOLATILITY_TASK, 3, 0.02);
        let expected = [(101.0, 100.0), (99.0, 101.0), (99.0, 99.0)]
            .iter()
            .map(|(close, before): &(f64, f64)| (close / before).ln().powi(2))
            .sum::<f64>()
            .sqrt();
        let Outcome::Actual(found) = by(&made, &[Some(101.0), Some(99.0), Some(99.0), Some(500.0)], None) else {
            panic!("every candle is there")
        };
        assert!((found - expected).abs() < 1e-15 && expected > 0.02, "{found} {expected}");
        assert_eq!(first_open(&made), hour(0));
    }

    #[test]
    fn a_volatility_needs_every_candle_after_its_origin() {
        let made = made(VOLATILITY_TASK, 3, 0.02);
        let whole = [Some(101.0), Some(99.0), Some(100.0)];
        for k in 0..3 {
            let mut closes = whole;
            closes[k] = None;
            assert_eq!(by(&made, &closes, None), Outcome::Unknown);
            assert_eq!(by(&made, &whole, Some(k as i64 + 1)), Outcome::Halted);
        }
        // What comes first decides, so that it is the same whenever it is looked at.
        assert_eq!(by(&made, &[Some(101.0), None, Some(100.0)], Some(3)), Outcome::Unknown);
        assert_eq!(by(&made, &[Some(101.0), Some(101.0), None], Some(2)), Outcome::Halted);
    }

    #[test]
    fn a_price_that_never_moves_has_no_volatility() {
        assert_eq!(by(&made(VOLATILITY_TASK, 2, 0.02), &[Some(100.0), Some(100.0)], None), Outcome::Actual(0.0));
    }
}
