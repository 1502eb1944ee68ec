//! Laws of studies, trials and folds.

use candlecast_meta::{Fold, MetaError, NewStudy, PageRequest, RunState, StudyStore, TrialEnd, TrialState};
use serde_json::json;

use crate::backends::backends;
use crate::fixtures::{at, study};

#[tokio::test]
async fn a_study_comes_back_as_it_was_recorded() {
    for store in &backends("study_round_trip").await.stores {
        let bare = NewStudy { pruner: None, run_id: Some("run".into()), created_at: at(1), ..study("bare") };
        for asked in [study("full"), bare] {
            assert!(store.start_study(&asked).await.unwrap());
            assert!(!store.start_study(&asked).await.unwrap());
            assert_eq!(store.study(&asked.id).await.unwrap().asked, asked);
        }
        let listed = store.studies(PageRequest::default()).await.unwrap().items;
        assert_eq!(listed.iter().map(|s| s.asked.id.as_str()).collect::<Vec<_>>(), ["bare", "full"]);
        store.finish_study("full", RunState::Succeeded, at(2)).await.unwrap();
        store.finish_study("full", RunState::Succeeded, at(3)).await.unwrap();
        assert_eq!(store.study("full").await.unwrap().finished_at, Some(at(2)));
        assert!(matches!(store.finish_study("full", RunState::Failed, at(3)).await, Err(MetaError::Conflict { .. })));
        assert!(store.start_study(&NewStudy { max_trials: 0, ..study("none") }).await.is_err());
    }
}

#[tokio::test]
async fn a_trial_is_evaluated_by_one_worker() {
    for store in &backends("trials").await.stores {
        store.start_study(&study("s")).await.unwrap();
        let params = json!({"learner.hiddenSize": 32});
        assert_eq!(store.begin_trial("s", 0, "a", &params, at(1)).await, Ok(true));
        assert_eq!(store.begin_trial("s", 0, "a", &params, at(1)).await, Ok(true), "the answer may have been lost");
        assert_eq!(store.begin_trial("s", 0, "b", &params, at(1)).await, Ok(false));
        assert_eq!(store.begin_trial("s", 1, "b", &params, at(1)).await, Ok(true));
        assert!(matches!(store.begin_trial("zzz", 0, "a", &params, at(1)).await, Err(MetaError::NotFound { .. })));

        let end = TrialEnd::Complete { value: 0.1 + 0.2, metrics: json!({"folds": 4}) };
        assert!(matches!(store.finish_trial("s", 0, "b", &end, at(2)).await, Err(MetaError::Conflict { .. })));
        store.finish_trial("s", 0, "a", &end, at(2)).await.unwrap();
        store.finish_trial("s", 0, "a", &end, at(3)).await.unwrap();
        assert_eq!(
            store.begin_trial("s", 0, "a", &params, at(4)).await,
            Ok(false),
            "a finished trial is not begun again"
        );
        let nan = TrialEnd::Complete { value: f64::NAN, metrics: json!({}) };
        assert!(matches!(store.finish_trial("s", 1, "b", &nan, at(4)).await, Err(MetaError::Invalid { .. })));

        assert_eq!(store.take_over_trials("s", "b", "c").await, Ok(vec![1]));
        assert_eq!(store.take_over_trials("s", "a", "c").await, Ok(vec![]), "finished trials stay whose they are");
        let pruned = TrialEnd::Pruned { value: Some(9.0), metrics: json!({"curve": [[1, 9.0]]}) };
        store.finish_trial("s", 1, "c", &pruned, at(5)).await.unwrap();
        let trials = store.trials("s").await.unwrap();
        assert_eq!(
            trials.iter().map(|t| (t.number, t.state, t.value, t.finished_at)).collect::<Vec<_>>(),
            [(0, TrialState::Complete, Some(0.1 + 0.2), Some(at(2))), (1, TrialState::Pruned, Some(9.0), Some(at(5)))]
        );
        assert_eq!(trials[0].params, params);
        assert_eq!(trials[1].metrics, Some(json!({"curve": [[1, 9.0]]})));
    }
}

#[tokio::test]
async fn finished_folds_tell_where_to_go_on() {
    for store in &backends("folds").await.stores {
        store.start_study(&study("s")).await.unwrap();
        let fold = |fold, value| Fold {
            scope: "s".into(),
            trial: 3,
            fold,
            value: Some(value),
            metrics: json!({"mae": value}),
            duration_ms: 1_500,
            finished_at: at(1),
        };
        for (number, value) in [(1, 2.0), (0, 1.0)] {
            assert_eq!(store.put_fold(&fold(number, value)).await, Ok(true));
        }
        assert_eq!(store.put_fold(&fold(0, 9.0)).await, Ok(false));
        assert_eq!(store.folds("s", 3).await, Ok(vec![fold(0, 1.0), fold(1, 2.0)]));
        assert_eq!(store.folds("s", 4).await, Ok(vec![]));

        store.begin_trial("s", 3, "w", &json!({}), at(1)).await.unwrap();
        assert_eq!(store.delete_study("s").await, Ok(true));
        assert_eq!(store.delete_study("s").await, Ok(false));
        assert_eq!((store.folds("s", 3).await, store.trials("s").await), (Ok(vec![]), Ok(vec![])));
    }
}
