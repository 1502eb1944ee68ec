//! How long records are kept: what is old is forgotten once a day, by whoever comes by.

use std::convert::Infallible;
use std::pin::pin;
use std::time::{Duration, Instant};

use candlecast_core::{Problem, Timestamp};
use candlecast_host::{Host, briefly, may_have_predictions, system_time, tag};
use candlecast_meta::MetadataStore;
use candlecast_monitor::{OldPredictions, RolledUp, roll_up_predictions};
use futures::future::{Either, select};

const DAY_MS: i64 = 86_400_000;
/// Name of the turn at the upkeep of records.
const RECORDS: &str = "records";
/// After so long, ms, who has that turn and did not end it is gone.
const TURN_MS: u64 = 600_000;
/// Time after which the upkeep of records leaves the rest for the next turn. The batch under way is finished first.
const AT_MOST: Duration = Duration::from_secs(3);
/// Time between two looks at whether it is to be done, of a command that does not end.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// Runs that are forgotten at once.
const RUNS_AT_ONCE: u32 = 5_000;

/// What the upkeep of records forgot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// Ended jobs.
    pub jobs: u64,
    /// Predictions, whose sums stay.
    pub predictions: u64,
    /// Runs that nothing refers to.
    pub runs: u64,
    /// False where something is left for the next turn.
    pub is_done: bool,
}

/// To be called when a command has added to the records: forgets what is not to be kept any longer, for a few seconds at
/// most, once a day, whichever command comes by. Never fails: the reason is logged.
pub async fn forget_old_records(host: &Host) -> Forgotten {
    forget_or_warn(host, Jobs::Forgotten).await
}

/// [`forget_old_records`] but for jobs, for a worker, which forgets those apart from that.
pub(crate) async fn forget_all_but_jobs(host: &Host) -> Forgotten {
    forget_or_warn(host, Jobs::Kept).await
}

async fn forget_or_warn(host: &Host, jobs: Jobs) -> Forgotten {
    forget_records(host, jobs).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "old records are kept until later");
        Forgotten::default()
    })
}

/// [`forget_old_records`] from time to time while `work` is under way, for what may never end.
pub async fn with_upkeep<T>(host: &Host, work: impl Future<Output = T>) -> T {
    match select(pin!(work), pin!(keep_up(host))).await {
        Either::Left((done, _)) => done,
        Either::Right((never, _)) => match never {},
    }
}

async fn keep_up(host: &Host) -> Infallible {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        forget_old_records(host).await;
    }
}

/// Whether jobs are forgotten with other records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Jobs {
    Forgotten,
    Kept,
}

/// Without a database there is nothing to forget, so none is made. After an error the turn is over only when it runs
/// out, so that not every command meets it again.
async fn forget_records(host: &Host, jobs: Jobs) -> Result<Forgotten, Problem> {
    if !may_have_predictions(host) {
        return Ok(Forgotten::default());
    }
    let owner = format!("upkeep-{}", tag());
    // Ages go by the system's clock, whatever time is said to be now.
    let begun = system_time();
    if !briefly(is_our_turn(host, &owner, begun)).await? {
        return Ok(Forgotten::default());
    }
    let store = host.metadata().await?.as_ref();
    let forgotten = Turn { host, store, begun, since: Instant::now() }.forget(jobs).await?;
    if forgotten.is_done {
        store.finish_daily_turn(RECORDS, &owner, system_time()).await?;
    } else {
        store.end_turn(RECORDS, &owner).await?;
    }
    Ok(forgotten)
}

async fn is_our_turn(host: &Host, owner: &str, now: Timestamp) -> Result<bool, Problem> {
    Ok(host.metadata().await?.take_daily_turn(RECORDS, owner, TURN_MS, now).await?)
}

/// A turn at the upkeep of records.
struct Turn<'a> {
    host: &'a Host,
    store: &'a dyn MetadataStore,
    /// By the system's clock.
    begun: Timestamp,
    since: Instant,
}

impl Turn<'_> {
    async fn forget(&self, jobs: Jobs) -> Result<Forgotten, Problem> {
        let mut forgotten = Forgotten::default();
        if jobs == Jobs::Forgotten {
            let days = self.host.settings.keep_jobs_days;
            forgotten.jobs = self.store.forget_jobs(days_before(self.begun, days)).await?;
        }
        let rolled_up = self.roll_up().await?;
        let (runs, are_runs_done) = self.forget_runs().await?;
        forgotten.predictions = rolled_up.predictions;
        forgotten.runs = runs;
        forgotten.is_done = rolled_up.is_done && are_runs_done && self.give_back_space().await?;
        Ok(forgotten)
    }

    /// True while there is time, and nobody wants the program to end.
    fn goes_on(&self) -> bool {
        self.since.elapsed() < AT_MOST && self.host.check_cancelled().is_ok()
    }

    /// "Now", where ages are judged. A time that is said to be now may lie ahead, and nothing is to be forgotten for that.
    fn now(&self) -> Timestamp {
        self.host.now().min(self.begun)
    }

    async fn roll_up(&self) -> Result<RolledUp, Problem> {
        let Some(days) = self.host.settings.keep_predictions_days else {
            return Ok(RolledUp { predictions: 0, is_done: true });
        };
        let logged_by = days_before(self.begun, days);
        self.store.mark_predictions(self.begun, logged_by).await?;
        let old = OldPredictions { target_before: days_before(self.now(), days), logged_by };
        roll_up_predictions(self.store, old, self.begun, &|| self.goes_on()).await
    }

    /// How many are forgotten, and whether all are that are to be.
    async fn forget_runs(&self) -> Result<(u64, bool), Problem> {
        let Some(days) = self.host.settings.keep_runs_days else { return Ok((0, true)) };
        let before = days_before(self.now(), days);
        let mut forgotten = 0;
        while self.goes_on() {
            let n = self.store.forget_runs(before, RUNS_AT_ONCE).await?;
            forgotten += n;
            if n < u64::from(RUNS_AT_ONCE) {
                return Ok((forgotten, true));
            }
        }
        Ok((forgotten, false))
    }

    /// True when there is no more to give back.
    async fn give_back_space(&self) -> Result<bool, Problem> {
        while self.goes_on() {
            if !self.store.give_back_space().await? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn days_before(time: Timestamp, days: u32) -> Timestamp {
    time.plus_ms(-i64::from(days) * DAY_MS)
}
