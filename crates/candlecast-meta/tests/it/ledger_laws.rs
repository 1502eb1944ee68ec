//! Laws of the ledger.

use candlecast_core::{TimeRange, Timestamp};
use candlecast_meta::{
    DailyValues, JobStore, Ledger, LedgerEntry, MetaError, ModelStore, NewJob, PageRequest, PredictionStore, RollUpDue,
    RollUpStore, RunState, RunStore, StudyStore, TriedDays,
};
use serde_json::json;

use crate::backends::backends;
use crate::fixtures::{at, days_of, found, lstm_in, model, prediction, run, series, study, tried};

const DAY: i64 = 1_440;

#[tokio::test]
async fn what_was_tried_on_a_period_is_counted() {
    for store in &backends("ledger").await.stores {
        let entries = [
            tried("a", "x", Some(1.0), (0, 10)),
            tried("b", "x", Some(3.0), (5, 15)),
            tried("c", "y", Some(4.0), (9, 12)),
            tried("d", "z", None, (9, 12)),
            tried("e", "w", Some(100.0), (12, 20)),
        ];
        assert_eq!(store.record_tries(&entries).await, Ok(5));
        assert_eq!(store.record_tries(&entries[..2]).await, Ok(0));
        let listed = store.ledger(Some(&series("BTCUSDT")), PageRequest::default()).await.unwrap();
        assert_eq!(listed.items.iter().rev().cloned().collect::<Vec<_>>(), entries);
        assert!(store.ledger(Some(&series("ETHUSDT")), PageRequest::default()).await.unwrap().items.is_empty());

        let period = TimeRange { from: at(0), to: at(12 * DAY) };
        let seen = store.tried(&series("BTCUSDT"), period, None).await.unwrap();
        assert_eq!((seen.n_entries, seen.n_configurations, seen.n_sharpes), (4, 3, 2));
        // Means 2 (of 1 and 3) and 4: variance 2.
        assert_eq!(seen.sharpe_variance, Some(2.0));
        let other = store.tried(&series("BTCUSDT"), period, Some("direction")).await.unwrap();
        assert_eq!((other.n_entries, other.sharpe_variance), (0, None));

        // Periods that meet do not overlap; a configuration that was tried twice is one.
        let btc = series("BTCUSDT");
        assert_eq!(store.tried_configurations(&btc, period, "price").await.unwrap(), ["x", "y", "z"]);
        let last = TimeRange { from: at(15 * DAY), to: at(20 * DAY) };
        assert_eq!(store.tried_configurations(&btc, last, "price").await.unwrap(), ["w"]);
        assert!(store.tried_configurations(&btc, period, "direction").await.unwrap().is_empty());
        assert!(store.tried_configurations(&series("ETHUSDT"), period, "price").await.unwrap().is_empty());

        let empty = LedgerEntry { period: TimeRange { from: at(5), to: at(5) }, ..tried("f", "x", None, (0, 1)) };
        assert!(matches!(store.record_tries(&[empty]).await, Err(MetaError::Invalid { field: "period", .. })));
    }
}

#[tokio::test]
async fn days_of_tries_come_back_to_the_bit_the_newest_try_first() {
    for store in &backends("ledger_days").await.stores {
        let later = |id: &str, config_hash: &str, minute: i64| LedgerEntry {
            tried_at: at(minute),
            ..tried(id, config_hash, None, (0, 10))
        };
        let entries = [later("a", "x", 1), later("b", "y", 3), later("c", "x", 2), later("d", "z", 4)];
        let odd = [Some(0.1), None, Some(-0.0), Some(f32::MIN_POSITIVE), Some(f32::MAX), None];
        let days = [days_of("a", -3, &odd), days_of("b", 20_000, &[Some(1.5)])];
        assert_eq!(store.record_tries_with_days(&entries[..2], &days).await, Ok(2));
        // Of a try that is on record days may be told later; those that are there stay.
        assert_eq!(store.record_tries_with_days(&entries, &[days_of("c", 7, &[None, Some(2.0)])]).await, Ok(2));
        assert_eq!(store.record_tries_with_days(&[], &[days_of("a", 0, &[Some(9.0)])]).await, Ok(0));

        let (btc, period) = (series("BTCUSDT"), TimeRange { from: at(0), to: at(DAY) });
        let read = async |period, task: &str, measure: &str, limit| {
            store.tried_days(&btc, period, task, measure, limit).await.unwrap()
        };
        let of = |config_hash: &str, first_day: i64, values: &[Option<f32>]| TriedDays {
            config_hash: config_hash.into(),
            days: DailyValues { first_day, values: values.to_vec() },
        };
        let all = [of("y", 20_000, &[Some(1.5)]), of("x", 7, &[None, Some(2.0)]), of("x", -3, &odd)];
        let found = read(period, "price", "price-24", 10).await;
        assert_eq!(found, all, "that of `d` has no days");
        let bits = |of: &TriedDays| of.days.values.iter().map(|v| v.map(f32::to_bits)).collect::<Vec<_>>();
        assert_eq!(bits(&found[2]), bits(&all[2]));
        assert_eq!(read(period, "price", "price-24", 2).await, all[..2]);
        assert!(read(period, "price", "price-1", 10).await.is_empty());
        assert!(read(period, "direction", "price-24", 10).await.is_empty());
        assert!(read(TimeRange { from: at(10 * DAY), to: at(20 * DAY) }, "price", "price-24", 10).await.is_empty());
        let other = store.tried_days(&series("ETHUSDT"), period, "price", "price-24", 10).await.unwrap();
        assert!(other.is_empty());
    }
}

#[tokio::test]
async fn days_without_a_try_or_without_values_are_refused_and_nothing_is_recorded() {
    for store in &backends("ledger_no_days").await.stores {
        let entry = [tried("a", "x", None, (0, 10))];
        let too_many = vec![Some(1.0); DailyValues::MAX_DAYS + 1];
        for bad in [&[][..], &[Some(f32::NAN)], &[None, Some(f32::INFINITY)], &too_many[..]] {
            let error = store.record_tries_with_days(&entry, &[days_of("a", 0, bad)]).await.unwrap_err();
            assert!(matches!(error, MetaError::Invalid { field: "days", .. }), "{error}");
        }
        assert!(store.record_tries_with_days(&entry, &[days_of("nobody", 0, &[Some(1.0)])]).await.is_err());
        assert!(store.ledger(None, PageRequest::default()).await.unwrap().items.is_empty(), "all or none");
        let most = days_of("a", 0, &too_many[1..]);
        assert_eq!(store.record_tries_with_days(&entry, &[most]).await, Ok(1));
    }
}

#[tokio::test]
async fn no_way_of_deleting_reaches_the_ledger() {
    for store in &backends("ledger_stays").await.stores {
        store.start_run(&run("r", 0)).await.unwrap();
        store.start_study(&study("s")).await.unwrap();
        store.sync_models(&lstm_in(""), &found(&[model("1.0.0", 0)]), at(0)).await.unwrap();
        store.append_predictions(&[prediction("m", 0, 1, 1.0)]).await.unwrap();
        store.enqueue(&NewJob::new("j", "train", json!({})), at(0)).await.unwrap();
        store.cancel_job("j", at(1)).await.unwrap();
        let entry = LedgerEntry { run_id: Some("r".into()), ..tried("a", "x", Some(1.0), (0, 10)) };
        store.record_tries(std::slice::from_ref(&entry)).await.unwrap();

        store.finish_run("r", RunState::Failed, None, None, at(1)).await.unwrap();
        assert_eq!(store.forget_runs(Timestamp(i64::MAX), 10).await, Ok(0));
        assert_eq!(store.delete_study("s").await, Ok(true));
        assert_eq!(store.sync_models(&lstm_in(""), &[], at(1)).await.unwrap().removed, 1);
        assert_eq!(store.forget_jobs(Timestamp(i64::MAX)).await, Ok(1));
        let everything = RollUpDue { target_before: Timestamp(i64::MAX), logged_by: Timestamp(i64::MAX), limit: 10 };
        store.roll_up_predictions(&everything, &|_| String::new(), at(2)).await.unwrap();
        assert_eq!(store.ledger(None, PageRequest::default()).await.unwrap().items, [entry]);
    }
}
