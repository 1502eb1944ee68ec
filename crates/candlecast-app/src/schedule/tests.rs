use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use candlecast_config::{Environment, Flags, Settings, When};
use candlecast_core::market::random_walk;
use candlecast_core::{Seed, Symbol};
use candlecast_host::{Clock, HostOptions};
use candlecast_meta::Outcome;
use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;

const HOUR_MS: i64 = 3_600_000;

fn training(when: When) -> ScheduledTraining {
    ScheduledTraining {
        model: "linear".into(),
        params: Map::new(),
        symbol: Symbol::new("BTCUSDT").unwrap(),
        venue: None,
        interval: None,
        horizon: "24h".into(),
        pool: false,
        priority: 0,
        when,
    }
}

proptest! {
    /// The program looks at random instants and is away in between; only the jobs outlive it. As many jobs are
    /// queued as there are periods in which it looked: none twice, and none forgotten.
    #[test]
    fn a_job_for_every_period_that_is_looked_at(
        start in 1_600_000_000_000_i64..1_700_000_000_000,
        steps in prop::collection::vec(1_i64..60 * HOUR_MS, 1..80),
        hours in 1_i64..200,
        at_hour in 0_i64..24,
    ) {
        let every = hours * HOUR_MS;
        // Whole weeks are counted from a Monday.
        let since = if hours % 168 == 0 { 4 * 24 * HOUR_MS } else { 0 };
        let daily = 24 * HOUR_MS;
        let of_period = |now: i64| (now - since).div_euclid(every);
        let of_day = |now: i64| (now - at_hour * HOUR_MS).div_euclid(daily);
        let mut schedule = vec![
            training(When::every(&format!("{hours}h")).unwrap()),
            training(When::cron(&format!("0 {at_hour} * * *")).unwrap()),
        ];
        schedule[1].model = "hybrid".into();
        let (mut jobs, mut queued) = (BTreeSet::new(), [0, 0]);
        let (mut periods, mut days) = (BTreeSet::new(), BTreeSet::new());
        let mut now = start;
        for step in steps {
            now += step;
            for due in due(&schedule, Timestamp(now)) {
                prop_assert!(due.slot.ms() <= now);
                let which = usize::from(due.training.model == "hybrid");
                queued[which] += usize::from(jobs.insert(due.job_id("")));
            }
            periods.insert(of_period(now));
            days.insert(of_day(now));
        }
        prop_assert_eq!(queued, [periods.len(), days.len()]);
    }
}

#[test]
fn keys_tell_what_is_trained_and_not_when() {
    let when = || When::every("1d").unwrap();
    let one = training(when());
    assert_eq!(one.key(), training(When::cron("0 3 * * 1").unwrap()).key());
    let other_horizon = ScheduledTraining { horizon: "12h".into(), ..training(when()) };
    let pooled = ScheduledTraining { pool: true, ..training(when()) };
    let mut other_params = training(when());
    other_params.params.insert("ridge".into(), json!(1));
    let keys: BTreeSet<String> = [&one, &other_horizon, &pooled, &other_params].iter().map(|t| t.key()).collect();
    assert_eq!(keys.len(), 4);
    assert!(keys.iter().all(|key| key.len() <= 80 && key.bytes().all(|b| b.is_ascii_graphic())), "{keys:?}");
}

/// A program that is started anew for every call.
fn app(folder: &Path, variables: &[(&str, &str)]) -> Host {
    let flags = Flags { data_dir: Some(folder.to_owned()), ..Flags::default() };
    let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
    let settings = Settings::read(&flags, &Environment::new(folder, variables), &crate::MODEL_CATALOG).unwrap();
    let options = HostOptions {
        seed: Seed(42),
        threads: Some(1),
        clock: Clock::Fixed(Timestamp::year_start(2024)),
        cancel: Arc::new(AtomicBool::new(false)),
    };
    Host::open(settings, options).unwrap()
}

fn job(training: &ScheduledTraining, series: &SeriesKey, pool: Vec<SeriesKey>) -> Result<NewJob, Problem> {
    let (model, horizon) = (training.request().id, options(training, series)?.horizon);
    let payload = json!({ "series": series, "pool": pool, "model": model, "horizon": horizon });
    Ok(NewJob::new("by-hand", "train", payload))
}

async fn queue(folder: &Path, now: &str) -> QueuedTrainings {
    queue_due(&app(folder, &[]), Timestamp::parse(now).unwrap(), job).await.unwrap()
}

/// Ends the job that waits, as a worker would.
async fn work(folder: &Path, now: &str) {
    let (app, now) = (app(folder, &[]), Timestamp::parse(now).unwrap());
    let store = app.metadata().await.unwrap();
    let lease = store.lease_job("worker", &[], 60_000, now).await.unwrap().unwrap().lease().unwrap();
    store.finish_job(&lease, &Outcome::Succeeded(json!({})), now).await.unwrap();
}

const DAILY: &str = "[[schedule]]\nmodels = ['linear']\nsymbol = 'WALKUSDT'\nvenue = 'synthetic'\nhorizon = '6h'\n\
                     every = '1d'\npriority = 3\n";

#[tokio::test]
async fn what_is_due_is_queued_once_over_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("candlecast.toml"), DAILY).unwrap();

    let without_candles = queue(folder, "2024-03-25T09:00:00Z").await;
    assert!(without_candles.jobs.is_empty());
    assert!(without_candles.problems[0].detail.starts_with("scheduled training of linear for WALKUSDT: "));

    crate::data::store_series(&app(folder, &[]), &random_walk(50, Seed(1), 0.0)).await.unwrap();
    let off = app(folder, &[("ML_TRAINING_ENABLED", "false")]);
    let nothing = queue_due(&off, Timestamp::parse("2024-03-25T09:30:00Z").unwrap(), job).await.unwrap();
    assert!(nothing.jobs.is_empty() && nothing.problems.is_empty());

    let first = queue(folder, "2024-03-25T10:00:00Z").await;
    assert_eq!((first.jobs.len(), first.problems.len()), (1, 0));
    let stored = app(folder, &[]).metadata().await.unwrap().job(&first.jobs[0]).await.unwrap();
    assert_eq!((stored.kind.as_str(), stored.priority), ("train", 3));
    let series = json!({ "venue": "synthetic", "symbol": "WALKUSDT", "interval": "1h" });
    assert_eq!(stored.payload, json!({ "series": series, "pool": [], "model": "linear", "horizon": 6 }));
    assert_eq!(stored.dedupe_key, Some(app(folder, &[]).settings.schedule[0].key()));

    assert!(queue(folder, "2024-03-25T23:59:59Z").await.jobs.is_empty(), "the same day");
    assert!(queue(folder, "2024-03-26T01:00:00Z").await.jobs.is_empty(), "yesterday's still waits");
    work(folder, "2024-03-26T02:00:00Z").await;
    assert_eq!(queue(folder, "2024-03-26T03:00:00Z").await.jobs.len(), 1, "held back, not forgotten");
    work(folder, "2024-03-26T04:00:00Z").await;
    assert!(queue(folder, "2024-03-26T05:00:00Z").await.jobs.is_empty());
    assert_eq!(queue(folder, "2024-03-31T00:00:00Z").await.jobs.len(), 1, "five days away are made up for once");
}

#[tokio::test]
async fn the_pool_of_a_scheduled_training_is_what_is_stored_when_it_is_due() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("candlecast.toml"), format!("{DAILY}pool = true\n")).unwrap();
    let walk = random_walk(50, Seed(1), 0.0);
    crate::data::store_series(&app(folder, &[]), &walk).await.unwrap();
    let mut others = Vec::new();
    for (day, symbol) in ["ETHUSDT", "BNBUSDT"].into_iter().enumerate() {
        let now = format!("2024-03-2{}T01:00:00Z", 5 + day);
        let queued = queue(folder, &now).await;
        assert_eq!((queued.jobs.len(), queued.problems.len()), (1, 0));
        let stored = app(folder, &[]).metadata().await.unwrap().job(&queued.jobs[0]).await.unwrap();
        assert_eq!(stored.payload["pool"], json!(others), "{symbol} is not stored yet");
        work(folder, &now).await;
        let key = SeriesKey { symbol: Symbol::new(symbol).unwrap(), ..walk.key().clone() };
        let other = candlecast_core::CandleSeries::new(key.clone(), walk.columns().clone()).unwrap();
        crate::data::store_series(&app(folder, &[]), &other).await.unwrap();
        others.push(key);
    }
    let last = queue(folder, "2024-03-27T01:00:00Z").await;
    let stored = app(folder, &[]).metadata().await.unwrap().job(&last.jobs[0]).await.unwrap();
    others.reverse();
    assert_eq!(stored.payload["pool"], json!(others), "in the order of their symbols");
}
