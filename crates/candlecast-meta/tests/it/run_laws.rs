//! Laws of runs.

use candlecast_meta::{Fold, MetaError, NewRun, PageRequest, RunFilter, RunState, RunStore, StudyStore};
use serde_json::json;

use crate::backends::backends;
use crate::fixtures::{at, run, series};

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
async fn runs_are_found_and_forgotten_with_their_folds() {
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

        let fold = Fold {
            scope: "r2".into(),
            trial: 0,
            fold: 0,
            value: None,
            metrics: json!({}),
            duration_ms: 1,
            finished_at: at(1),
        };
        assert!(store.put_fold(&fold).await.unwrap());
        assert_eq!(store.delete_run("r2").await, Ok(true));
        assert_eq!(store.delete_run("r2").await, Ok(false));
        assert_eq!(store.folds("r2", 0).await, Ok(vec![]));
        assert_eq!(store.runs(&RunFilter::default(), PageRequest::default()).await.unwrap().items.len(), 5);
    }
}
