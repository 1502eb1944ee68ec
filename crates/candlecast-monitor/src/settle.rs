//! Setting logged predictions beside what came true.

use std::collections::BTreeSet;

use candlecast_core::{CandleSeries, Problem, SeriesKey, TimeRange, Timestamp};
use candlecast_host::{Host, may_have_predictions, replay_reopenings};
use candlecast_meta::{LoggedPrediction, MAX_PAGE, NewPrediction, PageRequest, PredictionsOf, Settled};

use crate::outcome::{Outcome, first_open, outcome};

/// Later candles that must be stored before a missing one is held to be missing: an exchange's answer may come late. One
/// that comes later still reopens what was given up.
pub const LATE_CANDLES: i64 = 24;
/// Distance of targets, in candles, beyond which the candles between them are not read.
const FAR_APART: i64 = 1_000;
/// Waiting predictions that are counted at most.
const MAX_COUNTED: u64 = 1_000_000;

/// What became of predictions whose outcome was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settlement {
    /// Compared with what came true.
    pub validated: u64,
    /// Without an outcome as things stand: the target candle, or of a volatility any candle up to it, is missing, while
    /// later ones are stored.
    pub missing: u64,
    /// Without an outcome: such a candle is flat and without volume, as when the exchange stood still.
    pub halted: u64,
    /// Series that could not be looked at, each with the reason.
    pub problems: Vec<String>,
}

impl Settlement {
    /// Predictions that are settled now.
    pub fn settled(&self) -> u64 {
        self.validated + self.missing + self.halted
    }

    fn add(&mut self, other: Self) {
        self.validated += other.validated;
        self.missing += other.missing;
        self.halted += other.halted;
        self.problems.extend(other.problems);
    }
}

/// What is known of what came true.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Target {
    Actual(f64),
    Halted,
    Missing,
    /// It may still come.
    Open,
}

/// Settles predictions whose target candle is stored and has closed, at most about `limit` of them: those of a series
/// from the oldest target on. A series that cannot be read is named and keeps no other from being looked at.
pub async fn validate_predictions(host: &Host, limit: u64) -> Result<Settlement, Problem> {
    replay_reopenings(host).await;
    let mut done = Settlement::default();
    for key in series_with_due_predictions(host).await? {
        let left = limit.saturating_sub(done.settled());
        if left == 0 {
            break;
        }
        host.check_cancelled()?;
        match settle_stored(host, &key, left).await {
            Ok(part) => done.add(part),
            // Its candles were deleted, and may come again.
            Err(e) if e.code == "unknown-series" => {}
            Err(e) => done.problems.push(format!("{key}: {}", e.detail)),
        }
    }
    Ok(done)
}

/// To be called when candles of `key` were stored: settles what they are the outcome of. Never fails; what could
/// not be settled now is settled the next time, and the reason is logged. Without a database nothing is logged, so
/// none is made.
pub async fn after_candles(host: &Host, key: &SeriesKey) -> Settlement {
    if !may_have_predictions(host) {
        return Settlement::default();
    }
    replay_reopenings(host).await;
    settle_or_warn(host, key).await
}

/// To be called when a program begins, and now and then while it goes on: sets predictions beside their outcome anew
/// whose candles changed when the log could not follow, as when a program was killed between storing candles and
/// reopening what had met them. Never fails, as [`after_candles`].
pub async fn settle_reopened(host: &Host) -> Settlement {
    let mut done = Settlement::default();
    for key in replay_reopenings(host).await {
        done.add(settle_or_warn(host, &key).await);
    }
    done
}

async fn settle_or_warn(host: &Host, key: &SeriesKey) -> Settlement {
    settle_stored(host, key, u64::MAX).await.unwrap_or_else(|error| {
        tracing::warn!(series = %key, %error, "predictions were not set beside the new candles; the next import or `candlecast predictions validate` does it");
        Settlement::default()
    })
}

/// How many predictions wait for their outcome; a million of them at most are counted.
pub async fn count_pending_predictions(host: &Host) -> Result<u64, Problem> {
    Ok(host.metadata().await?.count_pending(MAX_COUNTED).await?)
}

/// The series that predictions wait for whose time has come: as a rule few, so that not all that is stored has to
/// be looked through.
async fn series_with_due_predictions(host: &Host) -> Result<BTreeSet<SeriesKey>, Problem> {
    let store = host.metadata().await?;
    let due = store.due_predictions(&PredictionsOf::All, host.now(), PageRequest::first(MAX_PAGE)).await?;
    if due.next.is_none() {
        return Ok(due.items.into_iter().map(|p| p.made.series).collect());
    }
    Ok(host.store.list().await?.into_iter().map(|coverage| coverage.key).collect())
}

async fn settle_stored(host: &Host, key: &SeriesKey, limit: u64) -> Result<Settlement, Problem> {
    match host.store.coverage(key).await?.range {
        Some(range) => settle_series(host, key, range.to, limit).await,
        None => Ok(Settlement::default()),
    }
}

/// Settles what is due of `key`, whose stored candles reach to `stored_to`.
async fn settle_series(host: &Host, key: &SeriesKey, stored_to: Timestamp, limit: u64) -> Result<Settlement, Problem> {
    let store = host.metadata().await?;
    // A target beyond the stored candles is not due, whatever the clock says; one beyond the clock neither.
    let until = stored_to.min(host.now());
    let of = PredictionsOf::Series(key.clone());
    let mut page = PageRequest::first(MAX_PAGE);
    let mut done = Settlement::default();
    while done.settled() < limit {
        let due = store.due_predictions(&of, until, page).await?;
        let targets = targets(host, key, &due.items, until).await?;
        let of_kind = |wanted: fn(Target) -> bool| -> Vec<Settled> {
            let settled = due.items.iter().zip(&targets).filter(|&(_, &target)| wanted(target));
            settled.map(|(p, target)| Settled { id: p.id, actual: target.actual() }).collect()
        };
        done.validated += settle(host, of_kind(|target| target.actual().is_some())).await?;
        done.halted += settle(host, of_kind(|target| target == Target::Halted)).await?;
        done.missing += settle(host, of_kind(|target| target == Target::Missing)).await?;
        match due.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    Ok(done)
}

/// Returns how many were waiting; what another program settled first is not counted twice.
async fn settle(host: &Host, settled: Vec<Settled>) -> Result<u64, Problem> {
    if settled.is_empty() {
        return Ok(0);
    }
    Ok(host.metadata().await?.settle_predictions(&settled, host.now()).await?)
}

/// The targets of `due`, which is in the order of its target times. Candles are read in one go as far as targets
/// lie close together, from the first that any of them depends on.
async fn targets(
    host: &Host,
    key: &SeriesKey,
    due: &[LoggedPrediction],
    until: Timestamp,
) -> Result<Vec<Target>, Problem> {
    let step = key.interval.ms();
    let time = |p: &LoggedPrediction| p.made.target_time.ms();
    let mut targets = Vec::with_capacity(due.len());
    for near in due.chunk_by(|a, b| time(b) - time(a) <= FAR_APART * step) {
        let last = time(&near[near.len() - 1]) - step;
        let first = near.iter().map(|p| first_open(&p.made).ms()).fold(last, i64::min);
        let range = TimeRange { from: Timestamp(first), to: Timestamp(last + 1) };
        let candles = host.store.scan(key, range).await?;
        targets.extend(near.iter().map(|p| target(&candles, &p.made, until)));
    }
    Ok(targets)
}

impl Target {
    fn actual(self) -> Option<f64> {
        match self {
            Self::Actual(actual) => Some(actual),
            _ => None,
        }
    }
}

/// What `candles` say of `made`, with candles known up to `until`. A candle before the target that is missing is waited
/// for as long as the target would be.
fn target(candles: &CandleSeries, made: &NewPrediction, until: Timestamp) -> Target {
    let step = candles.key().interval.ms();
    let closing_at =
        |time: Timestamp| candles.open_time().binary_search(&(time.ms() - step)).ok().map(|row| candles.candle(row));
    match outcome(made, closing_at) {
        Outcome::Actual(actual) => Target::Actual(actual),
        Outcome::Halted => Target::Halted,
        Outcome::Unknown if until.ms() - made.target_time.ms() >= LATE_CANDLES * step => Target::Missing,
        Outcome::Unknown => Target::Open,
    }
}

/// Sets every prediction beside its outcome anew, also those that are settled: for the case that candles were
/// corrected and the log could not follow, as when the program was killed in between. Predictions beyond the stored
/// candles, and those on series that cannot be read, stay as they are; a volatility that reaches beyond them waits. Those
/// that were rolled up are not there any more, so their sums stay as they are, too.
pub async fn revalidate_predictions(host: &Host) -> Result<Settlement, Problem> {
    for stored in host.store.list().await? {
        host.check_cancelled()?;
        if let Some(range) = stored.range.filter(|_| stored.damaged.is_empty()) {
            host.metadata().await?.recheck_predictions(&stored.key, candlecast_host::target_times(range)).await?;
        }
    }
    validate_predictions(host, u64::MAX).await
}

#[cfg(test)]
mod tests {
    use candlecast_core::Columns;
    use candlecast_meta::{PRICE_TASK, VOLATILITY_TASK};

    use super::*;
    use crate::made::{candle, hour as at, key, made};

    /// Candles that open at these hours; those of the second list stand still.
    fn candles(moving: &[i64], still: &[i64]) -> CandleSeries {
        let mut hours: Vec<i64> = moving.iter().chain(still).copied().collect();
        hours.sort_unstable();
        let mut columns = Columns::default();
        for hour in hours {
            columns.push(&candle(at(hour), 100.0 + hour as f64, moving.contains(&hour)));
        }
        CandleSeries::new(key(), columns).unwrap()
    }

    /// What is known of the price `step` hours ahead.
    fn price(candles: &CandleSeries, step: u32, until: Timestamp) -> Target {
        target(candles, &made(PRICE_TASK, step, 100.0), until)
    }

    #[test]
    fn the_target_is_the_candle_that_closes_at_its_time() {
        let candles = candles(&[0, 1, 3], &[2]);
        let found = |hour| price(&candles, hour, at(4));
        assert_eq!([found(1), found(2), found(4)], [100.0, 101.0, 103.0].map(Target::Actual));
        assert_eq!(found(3), Target::Halted);
    }

    #[test]
    fn a_missing_candle_is_waited_for_and_then_given_up() {
        let candles = candles(&[0, 2], &[]);
        assert_eq!(price(&candles, 2, at(25)), Target::Open);
        assert_eq!(price(&candles, 2, at(26)), Target::Missing);
        assert_eq!(price(&candles, 5, at(5)), Target::Open);
    }

    #[test]
    fn a_volatility_waits_for_a_missing_candle_before_its_target_as_long_as_for_the_target() {
        let volatility = made(VOLATILITY_TASK, 3, 0.1);
        let whole = candles(&[0, 1, 2], &[]);
        let actual = (1.01_f64.ln().powi(2) + (102.0_f64 / 101.0).ln().powi(2)).sqrt();
        let Target::Actual(found) = target(&whole, &volatility, at(3)) else { panic!("every candle is there") };
        assert!((found - actual).abs() < 1e-12, "{found} {actual}");
        let gap = candles(&[0, 2], &[]);
        assert_eq!(target(&gap, &volatility, at(26)), Target::Open);
        assert_eq!(target(&gap, &volatility, at(27)), Target::Missing);
        assert_eq!(target(&candles(&[0, 2], &[1]), &volatility, at(3)), Target::Halted);
    }
}
