//! Laws of the roll-up: what is summed up, what is left, and that accuracy is what it was.

use candlecast_core::{Action, Move, Seed, TimeRange, Timestamp};
use candlecast_meta::{
    DIRECTION_TASK, LoggedPrediction, NewPrediction, PRICE_TASK, PageRequest, PredictionDay, PredictionFilter,
    PredictionStatus, PredictionStore, PredictionsOf, RollUpDue, RollUpStore, Settled, SqlStore, VOLATILITY_TASK,
};
use candlecast_monitor::doc::AccuracyDoc;
use candlecast_monitor::{gather, sum_up};
use candlecast_pipeline::{Accuracy, accuracy};
use serde_json::Value;

use crate::backends::backends;
use crate::fixtures::{T0, at, class_prediction, prediction, series, volatility_prediction};

const DAY_MS: i64 = 86_400_000;
/// Later than anything.
const END: Timestamp = Timestamp(i64::MAX - DAY_MS);

fn day(days: i64) -> Timestamp {
    T0.plus_ms(days * DAY_MS)
}

/// Settles what is due by `until`; `outcome` is `None` where there is none.
async fn settle(store: &SqlStore, until: Timestamp, mut outcome: impl FnMut(&LoggedPrediction) -> Option<f64>) {
    loop {
        let due = store.due_predictions(&PredictionsOf::All, until, PageRequest::first(1_000)).await.unwrap().items;
        if due.is_empty() {
            return;
        }
        let settled: Vec<_> = due.iter().map(|p| Settled { id: p.id, actual: outcome(p) }).collect();
        store.settle_predictions(&settled, until).await.unwrap();
    }
}

/// Rolls up what has its target before `before`, some at a time; how many in all.
async fn roll_up(store: &SqlStore, before: Timestamp, limit: u32) -> u64 {
    let due = RollUpDue { target_before: before, logged_by: END, limit };
    let mut n = 0;
    loop {
        let part = store.roll_up_predictions(&due, &sum_up, END).await.unwrap();
        assert!(part <= u64::from(limit));
        n += part;
        if part == 0 {
            return n;
        }
    }
}

async fn days(store: &SqlStore, of: PredictionsOf, task: Option<&str>, range: TimeRange) -> Vec<PredictionDay> {
    let mut page = PageRequest::first(3);
    let mut found = Vec::new();
    loop {
        let part = store.prediction_days(&of, task, range, page).await.unwrap();
        found.extend(part.items);
        page.after = part.next;
        if part.next.is_none() {
            return found;
        }
    }
}

async fn count(store: &SqlStore, status: PredictionStatus) -> usize {
    let filter = PredictionFilter { status: Some(status), ..PredictionFilter::default() };
    store.predictions(&filter, PageRequest::first(1_000)).await.unwrap().items.len()
}

#[tokio::test]
async fn old_predictions_are_summed_up_by_day_and_forgotten() {
    for store in &backends("roll_up_days").await.stores {
        // Two models over three days; the first hour of each day has no outcome, the last day is still open.
        let made: Vec<_> = (0..72).flat_map(|hour| ["a", "b"].map(|m| prediction(m, hour, 1, 101.0))).collect();
        store.append_predictions(&made).await.unwrap();
        let is_first = |p: &LoggedPrediction| p.made.origin.ms().rem_euclid(DAY_MS) == 0;
        settle(store, day(2), |p| (!is_first(p)).then_some(102.0)).await;
        assert_eq!(count(store, PredictionStatus::Validated).await, 2 * 46);
        store.mark_predictions(day(2), day(2)).await.unwrap();
        assert_eq!(store.roll_up_state().await, Ok(0));

        // Those of the second day's midnight are of the second day.
        assert_eq!(roll_up(store, day(1), 7).await, 2 * 23);
        let first = days(store, PredictionsOf::All, None, TimeRange::ALL).await;
        assert!(first.iter().all(|d| d.day == T0 && d.task == PRICE_TASK && d.series == series("BTCUSDT")));
        assert_eq!(
            first.iter().map(|d| (d.validated, d.unscorable)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
            (44, 2)
        );
        assert_eq!(first.iter().map(|d| d.first_origin).min(), Some(T0));
        assert_eq!(first.iter().map(|d| d.first_target).min(), Some(at(120)), "of those with an outcome");
        assert_eq!(first.iter().map(|d| d.last_target).max(), Some(at(23 * 60)));
        let state = store.roll_up_state().await.unwrap();
        assert_eq!(roll_up(store, day(1), 7).await, 0, "once more changes nothing");
        assert_eq!(store.roll_up_state().await, Ok(state));
        assert_eq!(days(store, PredictionsOf::All, None, TimeRange::ALL).await, first);

        assert_eq!(roll_up(store, END, 1_000).await, 2 * 25, "what is still open stays");
        assert!(store.roll_up_state().await.unwrap() > state);
        assert_eq!(count(store, PredictionStatus::Pending).await, 2 * 24);
        assert_eq!(count(store, PredictionStatus::Validated).await, 0);
        let of_a = days(store, PredictionsOf::Model("a".into()), Some(PRICE_TASK), TimeRange::ALL).await;
        assert!(of_a.is_sorted_by(|a, b| a.day >= b.day) && of_a.iter().all(|d| d.model_id == "a"));
        assert_eq!(of_a.iter().map(|d| d.validated).sum::<u64>(), 46);
        assert!(days(store, PredictionsOf::All, Some(DIRECTION_TASK), TimeRange::ALL).await.is_empty());
    }
}

#[tokio::test]
async fn days_count_where_they_lie_wholly_in_a_range() {
    for store in &backends("roll_up_ranges").await.stores {
        let made: Vec<_> = (0..4).map(|d| prediction("m", 24 * d, 6, 101.0)).collect();
        store.append_predictions(&made).await.unwrap();
        settle(store, day(9), |p| (p.made.origin != day(3)).then_some(102.0)).await;
        store.mark_predictions(day(9), day(9)).await.unwrap();
        assert_eq!(store.newest_rolled_up(&PredictionsOf::All, None).await, Ok(None));
        assert_eq!(roll_up(store, END, 100).await, 4);
        let of_range = async |from, to| -> Vec<i64> {
            let found = days(store, PredictionsOf::All, None, TimeRange { from, to }).await;
            found.iter().map(|d| (d.day.ms() - T0.ms()) / DAY_MS).collect()
        };
        // Of the last day nothing had an outcome.
        assert_eq!(of_range(T0, day(9)).await, [2, 1, 0]);
        assert_eq!(of_range(day(1), day(2)).await, [1]);
        assert_eq!(of_range(T0.plus_ms(1), day(3)).await, [2, 1], "the first day is cut");
        assert_eq!(of_range(T0, day(3).plus_ms(-1)).await, [1, 0], "the last day is cut");
        let newest =
            async |of: PredictionsOf, task: Option<&'static str>| store.newest_rolled_up(&of, task).await.unwrap();
        let six = Some(day(2).plus_ms(6 * 3_600_000));
        assert_eq!(newest(PredictionsOf::All, None).await, six);
        assert_eq!(newest(PredictionsOf::Series(series("BTCUSDT")), Some(PRICE_TASK)).await, six);
        assert_eq!(newest(PredictionsOf::Model("n".into()), None).await, None);
        assert_eq!(newest(PredictionsOf::All, Some(VOLATILITY_TASK)).await, None);
    }
}

#[tokio::test]
async fn nothing_is_logged_into_a_day_that_was_rolled_up() {
    for store in &backends("roll_up_closed").await.stores {
        let first = prediction("m", 0, 1, 101.0);
        store.append_predictions(&[first.clone(), prediction("m", 1, 1, 101.0)]).await.unwrap();
        settle(store, at(60), |_| Some(102.0)).await;
        store.mark_predictions(T0, T0).await.unwrap();
        assert_eq!(roll_up(store, END, 10).await, 1, "the other one waits for its outcome");
        let again = [
            first.clone(),
            prediction("m", 5, 1, 101.0),
            // Another model, another series, another day.
            prediction("n", 0, 1, 101.0),
            NewPrediction { series: series("ETHUSDT"), ..first.clone() },
            prediction("m", 24, 1, 101.0),
            prediction("m", 23, 1, 101.0),
        ];
        assert_eq!(store.append_predictions(&again).await, Ok(4));
        assert_eq!(store.append_predictions(&[]).await, Ok(0));
        // What waited is summed up once it has met its outcome.
        settle(store, at(120), |_| Some(102.0)).await;
        assert_eq!(roll_up(store, at(180), 10).await, 1);
        let of_m = days(store, PredictionsOf::Model("m".into()), None, TimeRange::ALL).await;
        assert_eq!(of_m.iter().map(|d| (d.day, d.validated)).collect::<Vec<_>>(), [(T0, 1), (T0, 1)]);
    }
}

#[tokio::test]
async fn predictions_age_by_when_they_were_logged_and_not_by_the_clock_they_were_made_by() {
    for store in &backends("roll_up_marks").await.stores {
        let roll_up = async |logged_by| {
            let due = RollUpDue { target_before: END, logged_by, limit: 100 };
            store.roll_up_predictions(&due, &sum_up, END).await.unwrap()
        };
        let log = async |model: &str| {
            store.append_predictions(&[prediction(model, 0, 1, 101.0)]).await.unwrap();
            settle(store, at(60), |_| Some(102.0)).await;
        };
        log("before-any-mark").await;
        assert_eq!(roll_up(END).await, 0, "nothing is known of it");
        store.mark_predictions(day(10), T0).await.unwrap();
        log("after-the-first").await;
        store.mark_predictions(day(20), T0).await.unwrap();
        log("replayed-lately").await;
        store.mark_predictions(day(30), T0).await.unwrap();

        assert_eq!(roll_up(T0).await, 1, "what was there before the first mark may be of any age");
        assert_eq!(roll_up(day(20).plus_ms(-1)).await, 0);
        assert_eq!(roll_up(day(20)).await, 1);
        // Marks that are not needed for what is asked are dropped; the answers stay.
        store.mark_predictions(day(40), day(25)).await.unwrap();
        assert_eq!(roll_up(day(29)).await, 0);
        assert_eq!(roll_up(day(30)).await, 1);
    }
}

#[tokio::test]
async fn days_of_which_candles_were_corrected_are_marked() {
    for store in &backends("roll_up_corrected").await.stores {
        let of_day = |d: i64| {
            let other = NewPrediction { series: series("ETHUSDT"), ..prediction("e", 24 * d, 1, 101.0) };
            [prediction("m", 24 * d, 1, 101.0), volatility_prediction("v", 24 * d + 20, 0.02), other]
        };
        let made: Vec<_> = (0..3).flat_map(of_day).collect();
        store.append_predictions(&made).await.unwrap();
        settle(store, day(9), |_| Some(1.5)).await;
        store.mark_predictions(T0, T0).await.unwrap();
        assert_eq!(roll_up(store, END, 100).await, 9);
        let corrected = async || {
            let mut found: Vec<(String, i64)> = days(store, PredictionsOf::All, None, TimeRange::ALL)
                .await
                .into_iter()
                .filter(|d| d.corrected)
                .map(|d| (d.model_id, (d.day.ms() - T0.ms()) / DAY_MS))
                .collect();
            found.sort();
            found
        };
        let bitcoin = series("BTCUSDT");
        assert_eq!(store.recheck_predictions(&bitcoin, TimeRange::ALL).await, Ok(0));
        assert!(corrected().await.is_empty(), "it is not known that any candle has changed");
        assert_eq!(store.reopen_predictions(&series("SOLUSDT"), TimeRange::ALL).await, Ok(0));
        assert!(corrected().await.is_empty(), "of another series");
        // The close of 22:00 on the first day: the volatility of 20:00 reaches over it, to the second day.
        let late = TimeRange { from: at(22 * 60), to: at(22 * 60 + 1) };
        assert_eq!(store.reopen_predictions(&bitcoin, late).await, Ok(0), "they are not there any more");
        assert_eq!(corrected().await, [("m".to_owned(), 0), ("v".to_owned(), 1)]);
        // The close of 19:00 on the third day is before the origin of the volatility that ends on the fourth.
        let third = TimeRange { from: day(2).plus_ms(19 * 3_600_000), to: day(2).plus_ms(19 * 3_600_000 + 1) };
        store.reopen_predictions(&bitcoin, third).await.unwrap();
        let expected = [("m", 0), ("m", 2), ("v", 1), ("v", 2)].map(|(model, d)| (model.to_owned(), d));
        assert_eq!(corrected().await, expected);
    }
}

#[tokio::test]
async fn a_roll_up_that_dies_half_way_changes_nothing() {
    for store in &backends("roll_up_killed").await.stores {
        let made: Vec<_> = (0..30).map(|hour| prediction("m", hour, 1, 101.0)).collect();
        store.append_predictions(&made).await.unwrap();
        settle(store, day(9), |_| Some(102.0)).await;
        store.mark_predictions(T0, T0).await.unwrap();
        let dying = store.clone();
        let died = tokio::spawn(async move {
            let due = RollUpDue { target_before: END, logged_by: END, limit: 20 };
            let die = |_: &[LoggedPrediction]| -> String { panic!("killed while it sums up, as it is to be") };
            dying.roll_up_predictions(&due, &die, END).await
        });
        assert!(died.await.is_err());
        assert_eq!(count(store, PredictionStatus::Validated).await, 30);
        assert!(days(store, PredictionsOf::All, None, TimeRange::ALL).await.is_empty());
        // Somebody else does it, even two at once.
        let both = tokio::join!(roll_up(store, END, 4), roll_up(store, END, 5));
        assert_eq!(both.0 + both.1, 30);
        let found = days(store, PredictionsOf::All, None, TimeRange::ALL).await;
        assert_eq!(found.iter().map(|d| d.validated).sum::<u64>(), 30);
    }
}

/// Forecasts of prices, classes and volatilities from each hour of `n_days` days.
fn made_log(seed: u64, n_days: i64) -> Vec<NewPrediction> {
    let mut rng = Seed(seed).derive("roll-up", 0).stream();
    let mut made = Vec::new();
    for hour in (0..24 * n_days).filter(|hour| hour % 7 != 3) {
        for step in [1, 2, 5, 7, 30] {
            let price = 100.0 * (0.004 * rng.normal()).exp();
            let direction = [None, Some(Move::Up), Some(Move::Down), Some(Move::None)][rng.below(4)];
            made.push(NewPrediction { direction, ..prediction("m", hour, step, price) });
        }
        made.push(class_prediction("c", hour, Action::ALL[rng.below(3)]));
        made.push(volatility_prediction("v", hour, 0.01 + 0.01 * rng.uniform()));
        if hour % 3 == 0 {
            made.push(NewPrediction { series: series("ETHUSDT"), ..prediction("e", hour, 4, 100.0 + rng.normal()) });
        }
    }
    made
}

/// What accuracy says of targets in `range`, but for what tells of the roll-up itself.
async fn judged(store: &SqlStore, target: TimeRange) -> Value {
    let wanted = PredictionFilter { target, ..PredictionFilter::default() };
    let found = gather(store, wanted, &|| Ok(())).await.unwrap();
    assert!(!found.cut && found.corrected == 0);
    let (range, cut) = (found.range, found.cut);
    let answer = Accuracy { range, cut, rolled_up: 0, corrected: 0, models: accuracy(found.by_model) };
    serde_json::to_value(AccuracyDoc::new(&answer, None)).unwrap()
}

/// Counts and words are equal, other numbers to 12 digits.
fn assert_alike(found: &Value, expected: &Value, place: &str) {
    match (found, expected) {
        (Value::Object(a), Value::Object(b)) => {
            assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>(), "{place}");
            a.iter().zip(b).for_each(|((key, a), (_, b))| assert_alike(a, b, &format!("{place}.{key}")));
        }
        (Value::Array(a), Value::Array(b)) => {
            assert_eq!(a.len(), b.len(), "{place}");
            a.iter().zip(b).enumerate().for_each(|(i, (a, b))| assert_alike(a, b, &format!("{place}[{i}]")));
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{place}: {a} instead of {b}");
        }
        _ => assert_eq!(found, expected, "{place}"),
    }
}

#[tokio::test]
async fn accuracy_is_what_it_was_on_every_range_between_midnights() {
    const DAYS: i64 = 8;
    for store in &backends("roll_up_accuracy").await.stores {
        for seed in 0..3 {
            let models = format!("-{seed}");
            let made: Vec<_> = made_log(seed, DAYS)
                .into_iter()
                .map(|made| NewPrediction { model_id: made.model_id.clone() + &models, ..made })
                .collect();
            store.append_predictions(&made).await.unwrap();
            let mut rng = Seed(seed).derive("outcomes", 0).stream();
            // What reaches beyond the last day waits; some never get an outcome.
            let outcome = |p: &LoggedPrediction| {
                let actual = match p.made.task.as_str() {
                    VOLATILITY_TASK => 0.01 + 0.02 * rng.uniform(),
                    _ => 100.0 * (0.01 * rng.normal()).exp(),
                };
                (rng.below(20) > 0).then_some(actual)
            };
            settle(store, day(DAYS), outcome).await;
        }
        let range = |from, to| TimeRange { from, to };
        let ranges = [
            TimeRange::ALL,
            range(T0, day(3)),
            range(day(1), day(5)),
            range(day(4), TimeRange::ALL.to),
            range(day(2), day(3)),
        ];
        let mut before = Vec::new();
        for range in ranges {
            before.push(judged(store, range).await);
        }
        let groups = before[0]["models"].as_array().unwrap().iter().flat_map(|m| m["groups"].as_array().unwrap());
        let tested: Vec<u64> =
            groups.filter(|g| g["pValue"].is_number()).filter_map(|g| g["lastStep"].as_u64()).collect();
        assert!(tested.contains(&1) && tested.contains(&5), "the log is long enough for verdicts: {tested:?}");
        store.mark_predictions(T0, T0).await.unwrap();
        for (border, limit) in [(day(3), 37), (day(3), 37), (day(4), 500), (END, 1_000)] {
            roll_up(store, border, limit).await;
            for (range, expected) in ranges.iter().zip(&before) {
                assert_alike(&judged(store, *range).await, expected, &format!("{range} after {border}"));
            }
        }
        assert_eq!(count(store, PredictionStatus::Validated).await, 0, "all of it is rolled up by now");
        // A day that a range cuts is left out.
        let noon = judged(store, range(day(2).plus_ms(DAY_MS / 2), day(5))).await;
        assert_eq!(noon, judged(store, range(day(3), day(5))).await);
    }
}
