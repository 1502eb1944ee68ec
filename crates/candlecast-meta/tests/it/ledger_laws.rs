//! Laws of the ledger.

use candlecast_core::{TimeRange, Timestamp};
use candlecast_meta::{
    JobStore, Ledger, LedgerEntry, MetaError, ModelStore, NewJob, PageRequest, PredictionStore, RollUpDue, RollUpStore,
    RunState, RunStore, StudyStore,
};
use serde_json::json;

use crate::backends::backends;
use crate::fixtures::{at, found, lstm_in, model, prediction, run, series, study, tried};

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
