//! Laws of the job queue.

use candlecast_meta::{
    Cancelled, JobFilter, JobLimits, JobState, JobStore, LogLevel, LogLine, MAX_WAIT_MS, MetaError, NewJob, Outcome,
    PageRequest, Progress, Signal, SqlStore, TurnStore, WantedKind,
};
use serde_json::json;

use crate::backends::backends;
use crate::fixtures::at;

const MINUTE_MS: u64 = 60_000;

async fn queue(store: &SqlStore, id: &str) {
    assert!(store.enqueue(&NewJob::new(id, "train", json!({"n": 1})), at(0)).await.unwrap().is_new);
}

async fn states(store: &SqlStore, ids: &[&str]) -> Vec<JobState> {
    let mut states = Vec::new();
    for id in ids {
        states.push(store.job(id).await.unwrap().state);
    }
    states
}

#[tokio::test]
async fn a_job_comes_back_as_it_was_queued() {
    for store in &backends("job_round_trip").await.stores {
        let new = NewJob {
            payload_version: 7,
            priority: -3,
            dedupe_key: Some("train:BTCUSDT".into()),
            resumable: false,
            limits: JobLimits { max_attempts: 5, max_run_ms: Some(9), threads: Some(2) },
            run_after: Some(at(7)),
            ..NewJob::new("a", "train", json!({"text": "ü\u{0}\"", "x": 0.1 + 0.2, "deep": [1, null, {}]}))
        };
        let job = store.enqueue(&new, at(1)).await.unwrap().job;
        assert_eq!(job, store.job("a").await.unwrap());
        assert_eq!(
            (job.payload, job.limits, job.dedupe_key),
            (new.payload.clone(), new.limits, new.dedupe_key.clone())
        );
        assert_eq!((job.priority, job.resumable, job.state), (-3, false, JobState::Queued));
        assert_eq!(job.payload_version, 7);
        assert_eq!((job.created_at, job.run_after, job.attempt, job.attempts_left), (at(1), at(7), 0, 5));

        let again = store.enqueue(&new, at(2)).await.unwrap();
        assert!(!again.is_new && again.job.created_at == at(1));
        let twin = store.enqueue(&NewJob { id: "b".into(), ..new.clone() }, at(2)).await.unwrap();
        assert!(!twin.is_new && twin.job.id == "a", "an equal job waits already");
        store.cancel_job("a", at(3)).await.unwrap();
        assert!(store.enqueue(&NewJob { id: "b".into(), ..new }, at(4)).await.unwrap().is_new);

        assert!(matches!(store.job("zzz").await, Err(MetaError::NotFound { .. })));
        let nameless = store.enqueue(&NewJob::new("", "train", json!({})), at(1)).await;
        assert!(matches!(nameless, Err(MetaError::Invalid { field: "id", .. })));
    }
}

#[tokio::test]
async fn the_queue_goes_by_priority_then_order_and_waits_for_its_time() {
    for store in &backends("job_order").await.stores {
        for (id, priority, kind, after) in
            [("low", 0, "train", 0), ("first", 5, "train", 0), ("second", 5, "check", 0), ("later", 9, "train", 60)]
        {
            let new = NewJob { priority, run_after: Some(at(after)), ..NewJob::new(id, kind, json!({})) };
            store.enqueue(&new, at(0)).await.unwrap();
        }
        let mut order = Vec::new();
        while let Some(job) = store.lease_job("w", &[], MINUTE_MS, at(1)).await.unwrap() {
            order.push(job.id);
        }
        assert_eq!(order, ["first", "second", "low"]);
        let check_only = ["check", "evaluate"].map(|kind| WantedKind::up_to(kind, 1));
        assert_eq!(store.lease_job("w", &check_only, MINUTE_MS, at(60)).await.unwrap(), None);
        assert_eq!(store.lease_job("w", &[], MINUTE_MS, at(60)).await.unwrap().unwrap().id, "later");
    }
}

#[tokio::test]
async fn a_worker_reports_and_finishes() {
    for store in &backends("job_life").await.stores {
        queue(store, "a").await;
        let lease = store.lease_job("w", &[], MINUTE_MS, at(1)).await.unwrap().unwrap().lease().unwrap();
        let progress = Progress {
            stage: "walk-forward".into(),
            stage_of: Some((2, 3)),
            fold_of: Some((7, 52)),
            done_share: 0.25,
            eta_ms: Some(90_000),
        };
        assert_eq!(store.report_progress(&lease, &progress, at(2)).await, Ok(Signal::Continue));
        assert_eq!(store.heartbeat(&lease, 5 * MINUTE_MS, at(2)).await, Ok(Signal::Continue));
        let running = store.job("a").await.unwrap();
        assert_eq!((running.progress, running.lease_until), (Some(progress), Some(at(7))));
        assert_eq!((running.state, running.started_at, running.attempt), (JobState::Running, Some(at(1)), 1));

        store.save_checkpoint(&lease, vec![0, 1, 255], at(3)).await.unwrap();
        store.save_checkpoint(&lease, vec![7], at(4)).await.unwrap();
        let checkpoint = store.checkpoint("a").await.unwrap().unwrap();
        assert_eq!((checkpoint.body, checkpoint.saved_at, checkpoint.attempt), (vec![7], at(4), 1));

        let outcome = Outcome::Succeeded(json!({"mae": 1.5}));
        store.finish_job(&lease, &outcome, at(5)).await.unwrap();
        store.finish_job(&lease, &outcome, at(6)).await.expect("the answer may have been lost");
        let done = store.job("a").await.unwrap();
        assert_eq!((done.state, done.finished_at, done.lease_until), (JobState::Succeeded, Some(at(5)), None));
        assert_eq!((done.result, done.error), (Some(json!({"mae": 1.5})), None));
        assert_eq!(store.checkpoint("a").await, Ok(None));

        let other_end = store.finish_job(&lease, &Outcome::Failed("x".into()), at(6)).await;
        assert!(matches!(other_end, Err(MetaError::LeaseLost { .. })));
        assert!(matches!(store.heartbeat(&lease, MINUTE_MS, at(6)).await, Err(MetaError::LeaseLost { .. })));
        assert!(matches!(store.retry_job("a", at(7)).await, Err(MetaError::Conflict { .. })));
        assert!(matches!(store.cancel_job("a", at(7)).await, Err(MetaError::Conflict { .. })));
    }
}

#[tokio::test]
async fn a_dead_workers_job_goes_to_another_and_the_dead_one_is_not_heard() {
    for store in &backends("job_expiry").await.stores {
        queue(store, "a").await;
        let dead = store.lease_job("dead", &[], MINUTE_MS, at(0)).await.unwrap().unwrap().lease().unwrap();
        store.save_checkpoint(&dead, b"fold 3".to_vec(), at(0)).await.unwrap();
        assert_eq!(store.expire_leases(0, &[], at(0)).await, Ok(vec![]));
        let expired = store.expire_leases(0, &[], at(1)).await.unwrap();
        assert_eq!(
            expired.iter().map(|job| (job.id.as_str(), job.state)).collect::<Vec<_>>(),
            [("a", JobState::Queued)]
        );

        let alive = store.lease_job("alive", &[], MINUTE_MS, at(2)).await.unwrap().unwrap();
        assert_eq!((alive.attempt, alive.attempts_left), (2, 1));
        assert_eq!(store.checkpoint("a").await.unwrap().unwrap().body, b"fold 3");
        let done = Outcome::Succeeded(json!(1));
        for refused in [
            store.finish_job(&dead, &done, at(2)).await.unwrap_err(),
            store.save_checkpoint(&dead, vec![], at(2)).await.unwrap_err(),
            store.heartbeat(&dead, MINUTE_MS, at(2)).await.unwrap_err(),
        ] {
            assert!(matches!(refused, MetaError::LeaseLost { attempt: 1, .. }), "{refused}");
        }
        store.finish_job(&alive.lease().unwrap(), &done, at(3)).await.unwrap();
    }
}

#[tokio::test]
async fn what_cannot_go_on_is_interrupted_and_never_silently_lost() {
    for store in &backends("job_interrupted").await.stores {
        let limits = JobLimits { max_attempts: 1, ..JobLimits::default() };
        let once = NewJob { limits, ..NewJob::new("once", "train", json!({})) };
        let fixed = NewJob { resumable: false, ..NewJob::new("fixed", "train", json!({})) };
        let unwanted = NewJob::new("unwanted", "train", json!({}));
        for new in [&once, &fixed, &unwanted] {
            store.enqueue(new, at(0)).await.unwrap();
            store.lease_job("w", &[], MINUTE_MS, at(0)).await.unwrap().unwrap();
        }
        assert_eq!(store.cancel_job("unwanted", at(0)).await, Ok(Cancelled::Asked));
        assert_eq!(store.expire_leases(0, &[], at(1)).await.unwrap().len(), 3);
        assert_eq!(
            states(store, &["once", "fixed", "unwanted"]).await,
            [JobState::Interrupted, JobState::Interrupted, JobState::Cancelled]
        );
        assert!(store.job("fixed").await.unwrap().error.is_some());
        assert_eq!(store.lease_job("w", &[], MINUTE_MS, at(2)).await.unwrap(), None);

        let again = store.retry_job("once", at(3)).await.unwrap();
        assert_eq!(
            (again.state, again.attempts_left, again.error, again.finished_at),
            (JobState::Queued, 1, None, None)
        );
        assert_eq!(store.retry_job("once", at(3)).await.unwrap().state, JobState::Queued);
        assert_eq!(store.lease_job("w", &[], MINUTE_MS, at(3)).await.unwrap().unwrap().attempt, 2);
    }
}

#[tokio::test]
async fn owners_that_are_spared_keep_what_ran_out_and_one_lease_can_be_ended_alone() {
    for store in &backends("job_spared").await.stores {
        for id in ["a", "b", "c"] {
            let new = NewJob::new(id, "train", json!({}));
            store.begin_job(&new, &format!("owner-{id}"), MINUTE_MS, at(0)).await.unwrap();
        }
        let spared = ["owner-a".to_owned(), "owner-c".to_owned()];
        let names = |jobs: Vec<candlecast_meta::Job>| jobs.into_iter().map(|job| job.id).collect::<Vec<_>>();
        assert!(names(store.expire_leases(2 * MINUTE_MS, &[], at(2)).await.unwrap()).is_empty(), "silent for a minute");
        assert_eq!(names(store.expire_leases(MINUTE_MS, &spared, at(2)).await.unwrap()), ["b"]);
        assert_eq!(names(store.expire_leases(0, &spared, at(999)).await.unwrap()), Vec::<String>::new());

        // It has not run out.
        let c = store.job("c").await.unwrap().lease().unwrap();
        store.heartbeat(&c, 9_999 * MINUTE_MS, at(2)).await.unwrap();
        assert_eq!(store.end_lease(&c, at(3)).await.unwrap().unwrap().state, JobState::Queued);
        assert_eq!(store.end_lease(&c, at(3)).await, Ok(None), "it is nobody's by now");
        assert_eq!(store.job("a").await.unwrap().state, JobState::Running);
    }
}

#[tokio::test]
async fn what_is_put_off_waits_says_why_and_fails_on_its_last_attempt() {
    for store in &backends("job_put_off").await.stores {
        let limits = JobLimits { max_attempts: 2, ..JobLimits::default() };
        store.enqueue(&NewJob { limits, ..NewJob::new("a", "train", json!({})) }, at(0)).await.unwrap();
        let busy = Outcome::PutOff { error: "the lake is locked".into(), delay_ms: 5 * MINUTE_MS };
        let lease = store.lease_job("w", &[], MINUTE_MS, at(1)).await.unwrap().unwrap().lease().unwrap();
        store.finish_job(&lease, &busy, at(2)).await.unwrap();
        store.finish_job(&lease, &busy, at(3)).await.expect("the answer may have been lost");
        let job = store.job("a").await.unwrap();
        assert_eq!((job.state, job.attempts_left, job.run_after), (JobState::Queued, 1, at(7)));
        assert_eq!((job.error.as_deref(), job.finished_at), (Some("the lake is locked"), None));
        assert_eq!(store.lease_job("w", &[], MINUTE_MS, at(6)).await, Ok(None));
        let again = store.lease_job("w", &[], MINUTE_MS, at(7)).await.unwrap().unwrap();
        assert_eq!((again.attempt, again.error.clone()), (2, None));
        store.finish_job(&again.lease().unwrap(), &busy, at(8)).await.unwrap();
        store.finish_job(&again.lease().unwrap(), &busy, at(8)).await.expect("the answer may have been lost");
        let job = store.job("a").await.unwrap();
        assert_eq!((job.state, job.finished_at), (JobState::Failed, Some(at(8))));
        assert_eq!(job.error.as_deref(), Some("the lake is locked"));

        queue(store, "unwanted").await;
        let lease = store.lease_job("w", &[], MINUTE_MS, at(8)).await.unwrap().unwrap().lease().unwrap();
        store.cancel_job("unwanted", at(8)).await.unwrap();
        store.finish_job(&lease, &busy, at(9)).await.unwrap();
        assert_eq!(store.job("unwanted").await.unwrap().state, JobState::Cancelled);
    }
}

#[tokio::test]
async fn no_clock_that_was_wrong_holds_a_job_back() {
    for store in &backends("job_wrong_clock").await.stores {
        // Ten years ahead, all of it.
        let ahead = at(10 * 366 * 1_440);
        store.enqueue(&NewJob::new("at-once", "train", json!({})), ahead).await.unwrap();
        let hour = NewJob { run_after: Some(ahead.plus_ms(3_600_000)), ..NewJob::new("hour", "train", json!({})) };
        store.enqueue(&hour, ahead).await.unwrap();
        // What is really to wait for years waits for the longest time.
        let far = NewJob { run_after: Some(ahead), ..NewJob::new("far", "train", json!({})) };
        assert_eq!(store.enqueue(&far, at(0)).await.unwrap().job.run_after, at(0).plus_ms(MAX_WAIT_MS));
        for id in ["at-once", "hour"] {
            assert_eq!(store.lease_job("w", &[], MINUTE_MS, at(1)).await.unwrap().unwrap().id, id);
        }
        assert_eq!(store.lease_job("w", &[], MINUTE_MS, at(1)).await, Ok(None));
    }
}

#[tokio::test]
async fn a_worker_is_given_what_it_can_read() {
    for store in &backends("job_versions").await.stores {
        for (id, kind, payload_version) in [("newer", "train", 2), ("odd", "train", 1), ("known", "check", 3)] {
            let new = NewJob { payload_version, ..NewJob::new(id, kind, json!({})) };
            store.enqueue(&new, at(0)).await.unwrap();
        }
        let mut wanted = [WantedKind::up_to("train", 1), WantedKind::up_to("check", 3)];
        let odd = store.lease_job("old", &wanted, MINUTE_MS, at(1)).await.unwrap().unwrap();
        assert_eq!((odd.id.as_str(), odd.attempts_left), ("odd", 2));
        let why = Outcome::LeftToOthers("another version wrote it".into());
        store.finish_job(&odd.lease().unwrap(), &why, at(1)).await.unwrap();
        let odd = store.job("odd").await.unwrap();
        assert_eq!((odd.state, odd.attempts_left), (JobState::Queued, 3));
        assert_eq!(odd.error.as_deref(), Some("another version wrote it"));

        wanted[0].except.push("odd".into());
        assert_eq!(store.lease_job("old", &wanted, MINUTE_MS, at(1)).await.unwrap().unwrap().id, "known");
        assert_eq!(store.lease_job("old", &wanted, MINUTE_MS, at(1)).await, Ok(None), "the newer one waits");
        let newest = [WantedKind::up_to("train", 2)];
        assert_eq!(store.lease_job("new", &newest, MINUTE_MS, at(1)).await.unwrap().unwrap().id, "newer");
        assert_eq!(store.lease_job("new", &newest, MINUTE_MS, at(1)).await.unwrap().unwrap().id, "odd");
    }
}

#[tokio::test]
async fn a_job_that_is_about_one_folder_is_given_to_workers_beside_it() {
    for store in &backends("job_folders").await.stores {
        let beside = NewJob { folder: Some("alpha".into()), ..NewJob::new("beside", "train", json!({})) };
        store.enqueue(&beside, at(0)).await.unwrap();
        queue(store, "anywhere").await;
        let of = |folder: &str| [WantedKind::up_to("train", 1).beside(folder)];
        assert_eq!(store.lease_job("b", &of("beta"), MINUTE_MS, at(1)).await.unwrap().unwrap().id, "anywhere");
        assert_eq!(store.lease_job("b", &of("beta"), MINUTE_MS, at(1)).await, Ok(None));
        assert_eq!(store.lease_job("c", &of(""), MINUTE_MS, at(1)).await, Ok(None), "it has no name for its folder");
        let taken = store.lease_job("a", &of("alpha"), MINUTE_MS, at(1)).await.unwrap().unwrap();
        assert_eq!((taken.id.as_str(), taken.folder.as_deref()), ("beside", Some("alpha")));
        // Who asks for this very job gets it.
        store.finish_job(&taken.lease().unwrap(), &Outcome::GivenBack, at(2)).await.unwrap();
        assert_eq!(store.lease_this("beside", "here", MINUTE_MS, at(3)).await.unwrap().attempt, 2);
        let odd = NewJob { folder: Some(String::new()), ..NewJob::new("odd", "train", json!({})) };
        assert!(matches!(store.enqueue(&odd, at(0)).await, Err(MetaError::Invalid { field: "folder", .. })));
    }
}

#[tokio::test]
async fn a_turn_is_one_owners_at_a_time() {
    for store in &backends("turns").await.stores {
        let take =
            async |owner: &str, minute: i64| store.take_turn("upkeep", owner, MINUTE_MS, at(minute)).await.unwrap();
        assert!(take("a", 0).await && !take("b", 0).await);
        assert!(store.take_turn("other", "b", MINUTE_MS, at(0)).await.unwrap(), "another name, another turn");
        assert!(take("a", 0).await, "whose turn it is keeps it");
        assert!(take("b", 1).await && !take("a", 1).await, "it ran out");
        store.end_turn("upkeep", "a").await.unwrap();
        assert!(!take("a", 1).await, "nobody ends the turn of another");
        store.end_turn("upkeep", "b").await.unwrap();
        assert!(take("a", 1).await);
        // Taken by a clock that was ten years ahead.
        assert!(take("b", 10 * 366 * 1_440).await && take("a", 2).await);
        assert!(store.take_turn("", "a", 1, at(0)).await.is_err());
    }
}

#[tokio::test]
async fn a_job_that_is_begun_never_waits() {
    for store in &backends("job_begin").await.stores {
        let limits = JobLimits { max_attempts: 1, ..JobLimits::default() };
        let new = NewJob { limits, dedupe_key: Some("k".into()), ..NewJob::new("a", "train", json!({"n": 1})) };
        let begun = store.begin_job(&new, "here", MINUTE_MS, at(0)).await.unwrap();
        assert!(begun.is_new);
        let job = store.job("a").await.unwrap();
        assert_eq!(job, begun.job);
        assert_eq!((job.state, job.attempt, job.attempts_left), (JobState::Running, 1, 0));
        assert_eq!((job.owner.as_deref(), job.lease_until, job.started_at), (Some("here"), Some(at(1)), Some(at(0))));
        assert_eq!(store.lease_job("w", &[], MINUTE_MS, at(0)).await, Ok(None), "no worker may come in between");

        let again = store.begin_job(&new, "here", MINUTE_MS, at(0)).await.unwrap();
        assert_eq!((again.is_new, &again.job), (false, &job), "the answer may have been lost");
        let twin = NewJob { id: "b".into(), ..new.clone() };
        let standing = store.begin_job(&twin, "there", MINUTE_MS, at(0)).await.unwrap();
        assert_eq!((standing.is_new, &standing.job), (false, &job), "an equal job is under way");
        assert_eq!(store.heartbeat(&job.lease().unwrap(), MINUTE_MS, at(0)).await, Ok(Signal::Continue));

        assert_eq!(store.expire_leases(0, &[], at(1)).await.unwrap()[0].state, JobState::Interrupted);
        assert!(store.begin_job(&twin, "there", MINUTE_MS, at(2)).await.unwrap().is_new);
        let nobody = store.begin_job(&NewJob::new("c", "train", json!({})), "", MINUTE_MS, at(2)).await;
        assert!(matches!(nobody, Err(MetaError::Invalid { field: "owner", .. })));
    }
}

#[tokio::test]
async fn a_chosen_job_is_taken_wherever_it_stands() {
    for store in &backends("job_chosen").await.stores {
        for (id, priority, after) in [("first", 9, 0), ("later", -9, 60)] {
            let new = NewJob { priority, run_after: Some(at(after)), ..NewJob::new(id, "train", json!({})) };
            store.enqueue(&new, at(0)).await.unwrap();
        }
        let taken = store.lease_this("later", "me", MINUTE_MS, at(1)).await.unwrap();
        assert_eq!((taken.state, taken.attempt, taken.attempts_left), (JobState::Running, 1, 2));
        assert_eq!((taken.lease_until, taken.started_at), (Some(at(2)), Some(at(1))));
        assert_eq!(store.lease_this("later", "me", MINUTE_MS, at(1)).await.unwrap(), taken, "an answer may be lost");
        let elsewhere = store.lease_this("later", "you", MINUTE_MS, at(1)).await;
        assert!(matches!(elsewhere, Err(MetaError::Conflict { .. })));
        assert_eq!(store.job("first").await.unwrap().state, JobState::Queued);

        let failed = Outcome::Failed("no".into());
        store.finish_job(&taken.lease().unwrap(), &failed, at(2)).await.unwrap();
        let again = store.lease_this("later", "you", MINUTE_MS, at(3)).await.unwrap();
        assert_eq!((again.attempt, again.attempts_left, again.error.clone()), (2, 2, None));
        assert_eq!((again.finished_at, again.owner.as_deref()), (None, Some("you")));
        let done = Outcome::Succeeded(json!(1));
        store.finish_job(&again.lease().unwrap(), &done, at(4)).await.unwrap();
        assert!(matches!(store.lease_this("later", "me", MINUTE_MS, at(5)).await, Err(MetaError::Conflict { .. })));
        assert!(matches!(store.lease_this("zzz", "me", MINUTE_MS, at(5)).await, Err(MetaError::NotFound { .. })));

        store.cancel_job("first", at(5)).await.unwrap();
        let back = store.lease_this("first", "me", MINUTE_MS, at(6)).await.unwrap();
        assert!(!back.cancel_asked, "a retried job is wanted again");
        assert_eq!(store.heartbeat(&back.lease().unwrap(), MINUTE_MS, at(6)).await, Ok(Signal::Continue));
    }
}

#[tokio::test]
async fn a_chosen_job_gives_way_to_an_equal_one() {
    for store in &backends("job_chosen_key").await.stores {
        let keyed = |id: &str| NewJob { dedupe_key: Some("k".into()), ..NewJob::new(id, "train", json!({})) };
        store.enqueue(&keyed("a"), at(0)).await.unwrap();
        store.cancel_job("a", at(1)).await.unwrap();
        store.enqueue(&keyed("b"), at(2)).await.unwrap();
        assert!(matches!(store.lease_this("a", "w", MINUTE_MS, at(3)).await, Err(MetaError::Conflict { .. })));
        store.cancel_job("b", at(4)).await.unwrap();
        assert_eq!(store.lease_this("a", "w", MINUTE_MS, at(5)).await.unwrap().state, JobState::Running);
    }
}

#[tokio::test]
async fn jobs_are_found_by_how_their_names_begin() {
    for store in &backends("job_names").await.stores {
        for id in ["ab_2", "ab_1", "abx3", "AB_4", "b%5"] {
            queue(store, id).await;
        }
        let found = async |prefix: &str| -> Vec<String> {
            store.jobs_named(prefix, 10).await.unwrap().into_iter().map(|job| job.id).collect()
        };
        assert_eq!(found("ab_").await, ["ab_1", "ab_2"], "neither a pattern nor blind to case");
        assert_eq!(found("b%").await, ["b%5"]);
        assert_eq!(found("ab").await.len(), 3);
        assert!(found("c").await.is_empty());
        assert_eq!(store.jobs_named("ab", 1).await.unwrap().len(), 1);
        assert!(store.jobs_named("ab", 0).await.is_err());
    }
}

#[tokio::test]
async fn cancelling_reaches_the_worker() {
    for store in &backends("job_cancel").await.stores {
        queue(store, "waiting").await;
        assert_eq!(store.cancel_job("waiting", at(1)).await, Ok(Cancelled::AtOnce));
        assert_eq!(store.cancel_job("waiting", at(2)).await, Ok(Cancelled::AtOnce));
        assert_eq!(store.job("waiting").await.unwrap().finished_at, Some(at(1)));

        queue(store, "running").await;
        let lease = store.lease_job("w", &[], MINUTE_MS, at(1)).await.unwrap().unwrap().lease().unwrap();
        assert_eq!(store.cancel_job("running", at(2)).await, Ok(Cancelled::Asked));
        assert_eq!(store.heartbeat(&lease, MINUTE_MS, at(2)).await, Ok(Signal::Cancel));
        store.finish_job(&lease, &Outcome::Cancelled, at(3)).await.unwrap();

        queue(store, "given").await;
        let lease = store.lease_job("w", &[], MINUTE_MS, at(3)).await.unwrap().unwrap().lease().unwrap();
        store.finish_job(&lease, &Outcome::GivenBack, at(4)).await.unwrap();
        let given = store.job("given").await.unwrap();
        assert_eq!((given.state, given.attempts_left, given.finished_at), (JobState::Queued, 3, None));
        let lease = store.lease_job("w", &[], MINUTE_MS, at(5)).await.unwrap().unwrap().lease().unwrap();
        store.cancel_job("given", at(5)).await.unwrap();
        store.finish_job(&lease, &Outcome::GivenBack, at(6)).await.unwrap();
        store.finish_job(&lease, &Outcome::GivenBack, at(6)).await.unwrap();
        assert_eq!(states(store, &["waiting", "running", "given"]).await, [JobState::Cancelled; 3]);
        assert!(matches!(store.cancel_job("zzz", at(7)).await, Err(MetaError::NotFound { .. })));
    }
}

#[tokio::test]
async fn a_retry_gives_way_to_an_equal_job() {
    for store in &backends("job_retry_key").await.stores {
        let keyed = |id: &str| NewJob { dedupe_key: Some("k".into()), ..NewJob::new(id, "train", json!({})) };
        store.enqueue(&keyed("a"), at(0)).await.unwrap();
        store.cancel_job("a", at(1)).await.unwrap();
        assert!(store.enqueue(&keyed("b"), at(2)).await.unwrap().is_new);
        assert!(matches!(store.retry_job("a", at(3)).await, Err(MetaError::Conflict { .. })));
        store.cancel_job("b", at(4)).await.unwrap();
        assert_eq!(store.retry_job("a", at(5)).await.unwrap().state, JobState::Queued);
    }
}

#[tokio::test]
async fn logs_keep_their_order_and_repeated_lines_are_one() {
    for store in &backends("job_logs").await.stores {
        queue(store, "a").await;
        let line = |attempt, line, message: &str| LogLine {
            attempt,
            line,
            at: at(1),
            level: LogLevel::Warn,
            message: message.into(),
        };
        let many: Vec<LogLine> = (0..1_200).map(|i| line(1, i, &format!("epoch {i}"))).collect();
        store.append_log("a", &many).await.unwrap();
        store.append_log("a", &many[1_100..]).await.unwrap();
        store.append_log("a", &[line(2, 0, "again\0")]).await.unwrap();
        store.append_log("a", &[]).await.unwrap();
        let mut read = store.job_log("a", None, 1_000).await.unwrap();
        let last = read.last().map(|l| (l.attempt, l.line));
        read.extend(store.job_log("a", last, 1_000).await.unwrap());
        assert_eq!(read[..1_200], many[..]);
        assert_eq!(read[1_200..], [line(2, 0, "again\u{fffd}")]);
        assert!(matches!(store.append_log("zzz", &many[..1]).await, Err(MetaError::NotFound { .. })));
    }
}

#[tokio::test]
async fn lists_are_filtered_paged_and_forgotten() {
    for store in &backends("job_lists").await.stores {
        for i in 0..25 {
            let kind = if i % 2 == 0 { "train" } else { "check" };
            // Some share their time: the order must hold all the same.
            store.enqueue(&NewJob::new(format!("j{i:02}"), kind, json!({})), at(i / 3)).await.unwrap();
        }
        let mut ids = Vec::new();
        let mut page = PageRequest::first(4);
        loop {
            let part = store.jobs(&JobFilter::default(), page).await.unwrap();
            assert!(part.items.len() <= 4);
            ids.extend(part.items.into_iter().map(|job| job.id));
            match part.next {
                Some(next) => page.after = Some(next.to_string().parse().unwrap()),
                None => break,
            }
        }
        let expected: Vec<String> = (0..25).rev().map(|i| format!("j{i:02}")).collect();
        assert_eq!(ids, expected);

        store.cancel_job("j04", at(60)).await.unwrap();
        let filter = JobFilter { states: vec![JobState::Queued, JobState::Running], kinds: vec!["train".into()] };
        assert_eq!(store.jobs(&filter, PageRequest::default()).await.unwrap().items.len(), 12);
        assert_eq!(store.forget_jobs(at(60)).await, Ok(0));
        assert_eq!(store.forget_jobs(at(61)).await, Ok(1));
        assert!(store.jobs(&filter, PageRequest::first(0)).await.is_err());
    }
}
