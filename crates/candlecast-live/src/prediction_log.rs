//! [`PredictionLog`]: forecasts of a stream in the prediction log, and their outcomes as soon as they are known.
//!
//! Outcomes are taken from the candles at hand, without reading the store. What these do not decide, a target that is
//! missing or lies before the stream, or a volatility of which not every candle is at hand, is left to
//! [`after_candles`](candlecast_monitor::after_candles).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use candlecast_core::{Candle, SeriesKey, Timestamp};
use candlecast_meta::{
    Cursor, LoggedPrediction, MAX_PAGE, MetaError, NewPrediction, PRICE_TASK, PageRequest, PredictionStore,
    PredictionsOf, Retry, Settled,
};
use candlecast_monitor::{Outcome, outcome, rows_of};

use crate::event::{LiveForecast, StreamedCandle};
use crate::request::LogSteps;

/// What became of predictions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Outcomes {
    pub(super) validated: u64,
    pub(super) unscorable: u64,
}

/// Why the log did not do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LogError {
    /// The database is away, busy, full or broken: it may work later.
    Away(String),
    /// It will never take these records.
    Refused(String),
}

impl From<MetaError> for LogError {
    fn from(error: MetaError) -> Self {
        let reason = error.to_string();
        match error {
            MetaError::Refused { .. }
            | MetaError::Invalid { .. }
            | MetaError::Conflict { .. }
            | MetaError::NotFound { .. } => Self::Refused(reason),
            _ => Self::Away(reason),
        }
    }
}

/// The log of one series.
pub(super) struct PredictionLog {
    store: Arc<dyn PredictionStore>,
    /// For what passes at once, such as a moment's lock.
    retry: Retry,
    /// Longest that a call may take with its repetitions: a database that hangs does not hold up the candles.
    patience: Duration,
    steps: LogSteps,
    of: PredictionsOf,
    interval_ms: i64,
    /// Pending predictions up to here are left to others.
    left: Option<Cursor>,
}

impl PredictionLog {
    pub(super) fn new(
        store: Arc<dyn PredictionStore>,
        retry: Retry,
        patience: Duration,
        key: &SeriesKey,
        steps: LogSteps,
    ) -> Self {
        let (of, interval_ms) = (PredictionsOf::Series(key.clone()), key.interval.ms());
        Self { store, retry, patience, steps, of, interval_ms, left: None }
    }

    /// What is to be logged of a forecast: the steps wanted of a price, another task whole; nothing where it is not
    /// loggable.
    pub(super) fn rows(&self, live: &LiveForecast) -> Vec<NewPrediction> {
        if !live.is_loggable() {
            return Vec::new();
        }
        let mut rows = rows_of(&live.forecast, &live.model.id, live.model.trained_to, live.made_at);
        rows.retain(|row| is_wanted(row, &self.steps) && is_finite(row));
        rows
    }

    /// Logs rows, all or none; how many are new. What is logged already stays as it is.
    pub(super) async fn append(&self, rows: &[NewPrediction]) -> Result<u64, LogError> {
        self.within_patience(self.retry.run(|| self.store.append_predictions(rows))).await
    }

    /// Predictions wait again whose time is past: those that were left to others are looked at anew.
    pub(super) fn look_again(&mut self) {
        self.left = None;
    }

    /// True when predictions whose time is past are left to others.
    pub(super) fn leaves_some(&self) -> bool {
        self.left.is_some()
    }

    /// Settles the predictions that `candles`, which have closed in this order, decide; `now` is recorded. What comes of
    /// it is added to `outcomes`, also before an error.
    pub(super) async fn settle(
        &mut self,
        candles: &[&StreamedCandle],
        now: Timestamp,
        outcomes: &mut Outcomes,
    ) -> Result<(), LogError> {
        let targets: BTreeMap<i64, &Candle> =
            candles.iter().map(|c| (c.candle.open_time.ms() + self.interval_ms, &c.candle)).collect();
        let Some((&newest, _)) = targets.last_key_value() else { return Ok(()) };
        loop {
            let request = PageRequest { after: self.left, limit: MAX_PAGE };
            let due = self.retry.run(|| self.store.due_predictions(&self.of, Timestamp(newest), request));
            let page = self.within_patience(due).await?;
            let settled: Vec<Settled> = page.items.iter().filter_map(|logged| settled_by(logged, &targets)).collect();
            // The oldest targets come first, so what is left lies at the head of a page sooner or later.
            let head = page.items.iter().take_while(|logged| settled_by(logged, &targets).is_none());
            let left = head.last().map(LoggedPrediction::cursor).or(self.left);
            let (scored, unscorable): (Vec<_>, Vec<_>) = settled.into_iter().partition(|one| one.actual.is_some());
            outcomes.validated += self.write_outcomes(&scored, now).await?;
            outcomes.unscorable += self.write_outcomes(&unscorable, now).await?;
            self.left = left;
            if page.next.is_none() {
                return Ok(());
            }
        }
    }

    /// Returns how many were waiting; what another program settled first is not counted twice.
    async fn write_outcomes(&self, settled: &[Settled], now: Timestamp) -> Result<u64, LogError> {
        if settled.is_empty() {
            return Ok(0);
        }
        self.within_patience(self.retry.run(|| self.store.settle_predictions(settled, now))).await
    }

    async fn within_patience<T>(&self, call: impl Future<Output = Result<T, MetaError>>) -> Result<T, LogError> {
        match tokio::time::timeout(self.patience, call).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(LogError::Away(format!(
                "the metadata database did not answer within {} ms",
                self.patience.as_millis()
            ))),
        }
    }
}

/// What the candles at hand, by close time in ms, make of a prediction; `None` when one that it depends on is not among
/// them.
fn settled_by(logged: &LoggedPrediction, at_hand: &BTreeMap<i64, &Candle>) -> Option<Settled> {
    let actual = match outcome(&logged.made, |time| at_hand.get(&time.ms()).copied().copied()) {
        Outcome::Actual(actual) => Some(actual),
        Outcome::Halted => None,
        Outcome::Unknown => return None,
    };
    Some(Settled { id: logged.id, actual })
}

/// Steps are those of prices: a forecast of another task has one row, which is nothing to choose from.
fn is_wanted(row: &NewPrediction, steps: &LogSteps) -> bool {
    row.task != PRICE_TASK || steps.has(row.step as usize)
}

/// A forecast that left the range of numbers cannot be compared with anything.
fn is_finite(row: &NewPrediction) -> bool {
    row.prediction.is_finite()
        && row.interval.is_none_or(|i| i.lower.is_finite() && i.upper.is_finite())
        && row.borders.is_none_or(|b| b.sell_at.is_finite() && b.buy_at.is_finite())
}

#[cfg(test)]
mod tests {
    use candlecast_core::{Interval, Symbol, Venue};
    use candlecast_meta::{
        ClassBorders, DIRECTION_TASK, PredictionId, PredictionStatus, PriceInterval, VOLATILITY_TASK,
    };

    use super::*;

    fn hour(hour: i64) -> Timestamp {
        Timestamp::year_start(2024).plus_ms(hour * Interval::H1.ms())
    }

    fn row(task: &str, step: u32, prediction: f64) -> NewPrediction {
        NewPrediction {
            task: task.into(),
            model_id: "m".into(),
            series: SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1),
            origin: hour(0),
            step,
            target_time: hour(i64::from(step)),
            made_at: hour(0),
            base_price: 100.0,
            prediction,
            interval: None,
            borders: None,
            confidence: None,
            direction: None,
        }
    }

    fn candle(open_time: Timestamp, close: f64, volume: f64) -> Candle {
        Candle {
            open_time,
            open: close,
            high: close,
            low: close,
            close,
            volume,
            quote_volume: None,
            trades: None,
            taker_buy_base: None,
        }
    }

    /// What candles of the hours from the first on make of a prediction; at those without volume the exchange stood
    /// still.
    fn settle(made: NewPrediction, candles: &[Candle]) -> Option<Settled> {
        let logged = LoggedPrediction {
            id: PredictionId(7),
            made,
            status: PredictionStatus::Pending,
            actual: None,
            error: None,
            validated_at: None,
        };
        let at_hand: BTreeMap<i64, &Candle> =
            candles.iter().map(|c| (c.open_time.ms() + Interval::H1.ms(), c)).collect();
        settled_by(&logged, &at_hand)
    }

    #[test]
    fn streamed_candles_settle_what_they_decide_and_leave_the_rest() {
        let candles = [candle(hour(0), 101.0, 1.0), candle(hour(1), 100.0, 1.0), candle(hour(2), 100.0, 0.0)];
        let class = |step| NewPrediction {
            borders: Some(ClassBorders { sell_at: 99.0, buy_at: 101.0 }),
            ..row(DIRECTION_TASK, step, 1.0)
        };
        let found = |actual| Some(Settled { id: PredictionId(7), actual });
        // Prices and classes need their target only.
        assert_eq!(settle(row(PRICE_TASK, 2, 100.5), &candles[1..]), found(Some(100.0)));
        assert_eq!(settle(class(2), &candles[1..]), found(Some(100.0)));
        assert_eq!(settle(class(3), &candles), found(None));
        assert_eq!(settle(class(4), &candles), None);
        // A volatility needs every candle from its origin on.
        let volatility = settle(row(VOLATILITY_TASK, 2, 0.01), &candles).unwrap().actual.unwrap();
        let expected = (2.0 * 1.01_f64.ln().powi(2)).sqrt();
        assert!((volatility - expected).abs() < 1e-12, "{volatility} {expected}");
        assert_eq!(settle(row(VOLATILITY_TASK, 2, 0.01), &candles[1..]), None);
        assert_eq!(settle(row(VOLATILITY_TASK, 3, 0.01), &candles), found(None));
    }

    #[test]
    fn steps_to_log_choose_among_prices_only() {
        let steps = LogSteps::Only(vec![1]);
        assert!(is_wanted(&row(PRICE_TASK, 1, 100.0), &steps) && !is_wanted(&row(PRICE_TASK, 6, 100.0), &steps));
        assert!(is_wanted(&row(DIRECTION_TASK, 6, 1.0), &steps) && is_wanted(&row(VOLATILITY_TASK, 6, 0.1), &steps));
    }

    #[test]
    fn what_left_the_range_of_numbers_is_not_logged() {
        let price = row(PRICE_TASK, 1, 100.0);
        assert!(is_finite(&price) && !is_finite(&NewPrediction { prediction: f64::INFINITY, ..price.clone() }));
        let endless = Some(PriceInterval { lower: 1.0, upper: f64::INFINITY, level: 0.9 });
        assert!(!is_finite(&NewPrediction { interval: endless, ..price }));
        let borders = |sell_at: f64| Some(ClassBorders { sell_at, buy_at: 101.0 });
        let class = |sell_at| NewPrediction { borders: borders(sell_at), ..row(DIRECTION_TASK, 6, 1.0) };
        assert!(is_finite(&class(99.0)) && !is_finite(&class(f64::NEG_INFINITY)));
    }
}
