//! Laws of runs.

use candlecast_meta::{
    Fold, Ledger, LedgerEntry, MetaError, Model, ModelStore, NewRun, NewStudy, PageRequest, RunFilter, RunState,
    RunStore, StudyStore,
};
use serde_json::json;

use crate::backends::backends;
use crate::fixtures::{at, found, lstm_in, model, run, series, study, tried};

#[tokio::test]
async fn a_run_comes_back_as_it_was_recorded() {
    for store in &backends("run_round_trip").await.stores {
        let bare = NewRun {
            experiment: None,
            series: None,
            model_type: None,
            task: None,
            horizon_steps: None,
            data_range: None,
            data_fingerprint: None,
            job_id: Some("job".into()),
            ..run("bare", 2)
        };
        for asked in [run("full", 1), bare] {
            assert!(store.start_run(&asked).await.unwrap());
            assert!(!store.start_run(&asked).await.unwrap());
            let stored = store.run(&asked.id).await.unwrap();
            assert_eq!((stored.asked, stored.state, stored.finished_at), (asked, RunState::Running, None));
        }
        let result = json!({"mae": 0.1 + 0.2, "folds": [1, 2, 3]});
        store.finish_run("full", RunState::Succeeded, Some(&result), None, at(9)).await.unwrap();
        store.finish_run("full", RunState::Succeeded, Some(&result), None, at(10)).await.unwrap();
        let done = store.run("full").await.unwrap();
        assert_eq!((done.result, done.finished_at, done.error), (Some(result), Some(at(9)), None));
        let other = store.finish_run("full", RunState::Failed, None, Some("no"), at(10)).await;
        assert!(matches!(other, Err(MetaError::Conflict { .. })));
        assert!(matches!(store.run("zzz").await, Err(MetaError::NotFound { .. })));
        assert!(store.finish_run("bare", RunState::Running, None, None, at(10)).await.is_err());
    }
}

#[tokio::test]
async fn runs_are_found_by_what_they_are() {
    for store in &backends("run_lists").await.stores {
        for i in 0..6 {
            let kind = if i < 4 { "evaluate" } else { "train" };
            let key = series(if i % 2 == 0 { "BTCUSDT" } else { "ETHUSDT" });
            let asked = NewRun { kind: kind.into(), series: Some(key), ..run(&format!("r{i}"), i) };
            store.start_run(&asked).await.unwrap();
        }
        let filter =
            RunFilter { kind: Some("evaluate".into()), series: Some(series("BTCUSDT")), ..RunFilter::default() };
        let found = store.runs(&filter, PageRequest::first(1)).await.unwrap();
        assert_eq!(found.items[0].asked.id, "r2");
        let rest = store.runs(&filter, PageRequest { after: found.next, limit: 10 }).await.unwrap();
        assert_eq!(rest.items.iter().map(|r| r.asked.id.as_str()).collect::<Vec<_>>(), ["r0"]);
        assert_eq!(rest.next, None);
    }
}

#[tokio::test]
async fn runs_are_found_by_the_beginning_of_their_identity() {
    for store in &backends("run_names").await.stores {
        for (id, kind) in [
            ("abcd-2", "evaluate"),
            ("abcd-1", "evaluate"),
            ("abce-1", "evaluate"),
            ("abcd-3", "train"),
            ("ab%d-1", "evaluate"),
        ] {
            store.start_run(&NewRun { kind: kind.into(), ..run(id, 1) }).await.unwrap();
        }
        let named = async |prefix: &str, limit: u32| -> Vec<String> {
            let found = store.runs_named("evaluate", prefix, limit).await.unwrap();
            found.into_iter().map(|run| run.asked.id).collect()
        };
        assert_eq!(named("abcd", 10).await, ["abcd-1", "abcd-2"]);
        assert_eq!(named("abcd", 1).await, ["abcd-1"]);
        assert_eq!(named("ab%", 10).await, ["ab%d-1"], "it is no pattern");
        assert_eq!(named("abcd-2", 10).await, ["abcd-2"]);
        assert!(named("b", 10).await.is_empty());
        assert!(store.runs_named("evaluate", "abcd", 0).await.is_err());
    }
}

fn fold(scope: &str) -> Fold {
    Fold { scope: scope.into(), trial: 0, fold: 0, value: None, metrics: json!({}), duration_ms: 1, finished_at: at(1) }
}

#[tokio::test]
async fn runs_that_ended_long_ago_are_forgotten_with_their_folds_unless_something_refers_to_them() {
    for store in &backends("run_forget").await.stores {
        for id in ["old", "failed", "of-model", "tried", "of-study", "runs", "new"] {
            store.start_run(&run(id, 0)).await.unwrap();
            store.put_fold(&fold(id)).await.unwrap();
        }
        store.put_fold(&fold("a-study")).await.unwrap();
        for id in ["old", "of-model", "tried", "of-study"] {
            store.finish_run(id, RunState::Succeeded, None, None, at(10)).await.unwrap();
        }
        store.finish_run("failed", RunState::Failed, None, Some("no"), at(11)).await.unwrap();
        store.finish_run("new", RunState::Succeeded, None, None, at(20)).await.unwrap();
        let of_run = Some("of-model".to_owned());
        let of_run = Model { run_id: of_run, ..model("1.0.0", 0) };
        store.sync_models(&lstm_in(""), &found(&[of_run]), at(0)).await.unwrap();
        store.start_study(&NewStudy { run_id: Some("of-study".into()), ..study("s") }).await.unwrap();
        let entry = LedgerEntry { run_id: Some("tried".into()), ..tried("a", "x", None, (0, 10)) };
        store.record_tries(std::slice::from_ref(&entry)).await.unwrap();

        assert_eq!(store.forget_runs(at(10), 10).await, Ok(0), "it ended at that instant, not before");
        assert_eq!(store.forget_runs(at(20), 1).await, Ok(1));
        assert!(store.run("old").await.is_err() && store.run("failed").await.is_ok(), "the oldest first");
        assert_eq!(store.forget_runs(at(20), 10).await, Ok(1));
        assert_eq!(store.forget_runs(at(20), 10).await, Ok(0));
        let left = store.runs(&RunFilter::default(), PageRequest::default()).await.unwrap().items;
        let mut left: Vec<&str> = left.iter().map(|run| run.asked.id.as_str()).collect();
        left.sort_unstable();
        assert_eq!(left, ["new", "of-model", "of-study", "runs", "tried"]);
        for (id, folds) in [("old", 0), ("failed", 0), ("of-model", 1), ("runs", 1), ("a-study", 1)] {
            assert_eq!(store.folds(id, 0).await.unwrap().len(), folds, "{id}");
        }
        assert_eq!(store.ledger(None, PageRequest::default()).await.unwrap().items, [entry]);
        // What refers to no run any more keeps none.
        store.sync_models(&lstm_in(""), &[], at(1)).await.unwrap();
        store.delete_study("s").await.unwrap();
        assert_eq!(store.forget_runs(at(20), 10).await, Ok(2));
    }
}
