//! Laws of leases and turns: whose they are is the same to all that share a database, whatever their clocks say.

use std::time::Duration;

use candlecast_core::Timestamp;
use candlecast_meta::{JobState, NewJob, Outcome, QueueStore, Signal};
use serde_json::json;

const LEASE_MS: u64 = 30_000;
/// How far the clocks of two processes are apart, ms: twice a lease.
const APART_MS: i64 = 60_000;

/// The laws of two handles on one empty database, as two processes would open it: one whose clock says `now`, and one
/// whose clock is a minute ahead. Leaves jobs behind.
pub async fn assert_lease_laws(one: &dyn QueueStore, ahead: &dyn QueueStore, now: Timestamp) {
    let later = now.plus_ms(APART_MS);
    for (case, first, second, its_now, others_now) in
        [("behind", one, ahead, now, later), ("ahead", ahead, one, later, now)]
    {
        job_keeps_its_owner(case, first, second, its_now, others_now).await;
        turn_keeps_its_owner(case, first, second, its_now, others_now).await;
        queued_job_need_not_wait(case, first, second, its_now, others_now).await;
        delay_is_the_same_to_all(case, first, second, its_now, others_now).await;
    }
    silent_owners_lose_their_jobs(one, ahead, later).await;
}

/// A job whose worker, whose clock is `case` the other's, is heard of does not change hands.
async fn job_keeps_its_owner(
    case: &str,
    first: &dyn QueueStore,
    second: &dyn QueueStore,
    now: Timestamp,
    others_now: Timestamp,
) {
    let id = format!("kept-{case}");
    let begun = first.begin_job(&NewJob::new(&id, "law", json!({})), "one", LEASE_MS, now).await.expect("begin");
    let lease = begun.job.lease().expect("a job that is begun is leased");
    for beat in 0..3 {
        let ended = second.expire_leases(0, &[], others_now).await.expect("expire");
        assert!(ended.is_empty(), "{case}, beat {beat}: a job with fresh beats was ended: {ended:?}");
        assert_eq!(second.lease_job("other", &[], LEASE_MS, others_now).await, Ok(None), "{case}, beat {beat}");
        assert_eq!(first.heartbeat(&lease, LEASE_MS, now).await, Ok(Signal::Continue), "{case}, beat {beat}");
    }
    let job = second.job(&id).await.expect("job");
    assert_eq!((job.state, job.owner.as_deref(), job.attempt), (JobState::Running, Some("one"), 1), "{case}");
    first.finish_job(&lease, &Outcome::Succeeded(json!(1)), now).await.expect("finish");
}

/// A turn that was just taken is nobody else's.
async fn turn_keeps_its_owner(
    case: &str,
    first: &dyn QueueStore,
    second: &dyn QueueStore,
    now: Timestamp,
    others_now: Timestamp,
) {
    let name = format!("turn-{case}");
    assert_eq!(first.take_turn(&name, "one", LEASE_MS, now).await, Ok(true), "{case}");
    assert_eq!(second.take_turn(&name, "other", LEASE_MS, others_now).await, Ok(false), "{case}");
    first.end_turn(&name, "one").await.expect("end of a turn");
    assert_eq!(second.take_turn(&name, "other", LEASE_MS, others_now).await, Ok(true), "{case}");
}

/// What may be done at once is done at once, whosever clock it was queued by.
async fn queued_job_need_not_wait(
    case: &str,
    first: &dyn QueueStore,
    second: &dyn QueueStore,
    now: Timestamp,
    others_now: Timestamp,
) {
    let id = format!("at-once-{case}");
    first.enqueue(&NewJob::new(&id, "law", json!({})), now).await.expect("enqueue");
    let taken = second.lease_job("other", &[], LEASE_MS, others_now).await.expect("lease").expect("it waits");
    assert_eq!(taken.id, id, "{case}");
    second
        .finish_job(&taken.lease().expect("leased"), &Outcome::Succeeded(json!(1)), others_now)
        .await
        .expect("finish");
}

/// What was put off for half a minute waits for that long, whosever clock is a minute ahead.
async fn delay_is_the_same_to_all(
    case: &str,
    first: &dyn QueueStore,
    second: &dyn QueueStore,
    now: Timestamp,
    others_now: Timestamp,
) {
    let id = format!("put-off-{case}");
    let begun = first.begin_job(&NewJob::new(&id, "law", json!({})), "one", LEASE_MS, now).await.expect("begin");
    let put_off = Outcome::PutOff { error: "not now".into(), delay_ms: LEASE_MS };
    first.finish_job(&begun.job.lease().expect("leased"), &put_off, now).await.expect("put off");
    assert_eq!(second.lease_job("other", &[], LEASE_MS, others_now).await, Ok(None), "{case}: it waits");
    second.cancel_job(&id, others_now).await.expect("cancel");
}

/// What is not renewed runs out, and goes to another.
async fn silent_owners_lose_their_jobs(one: &dyn QueueStore, ahead: &dyn QueueStore, later: Timestamp) {
    one.begin_job(&NewJob::new("silent", "law", json!({})), "one", 1, later).await.expect("begin");
    // A thousand times a lease of a millisecond.
    for _ in 0..1_000 {
        let ended = ahead.expire_leases(0, &[], later).await.expect("expire");
        if let [job] = ended.as_slice() {
            assert_eq!((job.id.as_str(), job.state), ("silent", JobState::Queued));
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("a lease that ran out is not ended");
}
