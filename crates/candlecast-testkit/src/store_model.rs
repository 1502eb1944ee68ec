//! Random histories of a store against a model: an ordered map of candles.

use std::collections::BTreeMap;

use candlecast_core::{Candle, CandleSeries, Gaps, Interval, SeriesKey, TimeRange, Timestamp};
use candlecast_store::{CandleStore, StoreError};
use proptest::prelude::{Just, Strategy};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use proptest::{collection, prop_assert, prop_assert_eq, prop_oneof};
use tokio::runtime::Runtime;

use crate::store_fixtures::{HOUR_MS, border, key, range, series_of};

const HISTORIES: u32 = 48;
/// Hours around new year that histories touch.
const HOURS: i64 = 96;

#[derive(Debug, Clone)]
enum Step {
    /// Candles as (hour, price).
    Upsert(Vec<(i64, u32)>),
    /// Hours `from..to`; `from` may lie after `to`.
    Delete(i64, i64),
    DeleteAll,
}

/// Asserts that after every step of a random history a store holds what the model holds, and reports the same
/// changes.
pub(crate) fn random_histories_equal_the_model<G>(runtime: &Runtime, make: &impl Fn() -> (Box<dyn CandleStore>, G)) {
    let config = Config { cases: HISTORIES, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&collection::vec(step(), 1..8), |steps| {
        let (store, _guard) = make();
        runtime.block_on(follow(&*store, &steps))
    });
    if let Err(failure) = outcome {
        panic!("a store must hold what a map of candles holds: {failure}");
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => collection::vec((0..HOURS, 1..4u32), 1..40).prop_map(Step::Upsert),
        2 => (0..HOURS, 0..HOURS).prop_map(|(from, to)| Step::Delete(from, to)),
        1 => Just(Step::DeleteAll),
    ]
}

async fn follow(store: &dyn CandleStore, steps: &[Step]) -> Result<(), TestCaseError> {
    let key = key("BTCUSDT", "1h");
    let mut model = BTreeMap::new();
    for step in steps {
        match step {
            Step::Upsert(candles) => {
                let newer = series_of(&key, candles.iter().map(|&(hour, price)| (time(hour), f64::from(price))));
                let expected = lay_over(&mut model, &newer);
                let changed = store.upsert(&newer).await.map_err(fail)?;
                prop_assert_eq!(changed, expected, "the changed range");
            }
            Step::Delete(from, to) => delete(store, &key, &mut model, range(time(*from), time(*to))).await?,
            Step::DeleteAll => delete(store, &key, &mut model, TimeRange::ALL).await?,
        }
        same(store, &key, &model).await?;
    }
    Ok(())
}

fn time(hour: i64) -> i64 {
    border() + (hour - HOURS / 2) * HOUR_MS
}

fn fail(error: StoreError) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

fn lay_over(model: &mut BTreeMap<i64, Candle>, newer: &CandleSeries) -> Option<TimeRange> {
    let mut changed: Option<TimeRange> = None;
    for i in 0..newer.len() {
        let candle = newer.candle(i);
        let time = candle.open_time;
        if model.insert(time.ms(), candle) != Some(candle) {
            let from = changed.map_or(time, |c| c.from);
            changed = Some(TimeRange { from, to: time.plus_ms(Interval::H1.ms()) });
        }
    }
    changed
}

async fn delete(
    store: &dyn CandleStore,
    key: &SeriesKey,
    model: &mut BTreeMap<i64, Candle>,
    range: TimeRange,
) -> Result<(), TestCaseError> {
    let before = model.len();
    model.retain(|&t, _| !range.contains(Timestamp(t)));
    match store.delete(key, range).await {
        Ok(n) => prop_assert_eq!(n, before - model.len(), "the number of deleted candles"),
        Err(StoreError::UnknownSeries { .. }) => prop_assert_eq!(before, 0, "a stored series is known"),
        Err(error) => return Err(fail(error)),
    }
    Ok(())
}

async fn same(store: &dyn CandleStore, key: &SeriesKey, model: &BTreeMap<i64, Candle>) -> Result<(), TestCaseError> {
    if model.is_empty() {
        let unknown = matches!(store.scan(key, TimeRange::ALL).await, Err(StoreError::UnknownSeries { .. }));
        prop_assert!(unknown);
        return Ok(());
    }
    let found = store.scan(key, TimeRange::ALL).await.map_err(fail)?;
    let candles: Vec<Candle> = (0..found.len()).map(|i| found.candle(i)).collect();
    let expected: Vec<Candle> = model.values().copied().collect();
    prop_assert_eq!(candles, expected);
    let coverage = store.coverage(key).await.map_err(fail)?;
    prop_assert_eq!(coverage.rows, model.len());
    prop_assert_eq!(coverage.range, found.range());
    prop_assert_eq!(coverage.gaps, Gaps::of(found.open_time(), key.interval));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candle_at;

    #[test]
    fn the_model_reports_changes_exactly() {
        let key = key("BTCUSDT", "1h");
        let mut model = BTreeMap::new();
        let series = series_of(&key, [(time(1), 1.0), (time(3), 3.0)]);
        assert_eq!(lay_over(&mut model, &series), Some(range(time(1), time(4))));
        assert_eq!(lay_over(&mut model, &series), None);
        model.insert(time(3), candle_at(time(3), 9.0));
        assert_eq!(lay_over(&mut model, &series), Some(range(time(3), time(4))));
    }
}
