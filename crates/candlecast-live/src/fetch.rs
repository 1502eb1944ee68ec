//! `fetch`: history from an exchange into the store, so that a fetch that was cut off goes on where it was.
//!
//! What lies behind the stored candles is fetched forwards, what lies before them in blocks from the newest back: at any
//! moment the stored candles have no hole that the exchange does not have, and where they begin and end says all there
//! is to know of the progress.

mod plan;
mod pull;

use candlecast_core::{Gaps, Problem, ProgressSink, SeriesKey, TimeRange, Timestamp};
use candlecast_exchange::{Exchange, missing_ranges};
use candlecast_host::{Host, compact_candles, stored_candles};
use candlecast_monitor::after_candles;
use candlecast_store::Coverage;
use futures::StreamExt;
use plan::Plan;
use pull::Pull;

use crate::cancel::until_cancelled;
use crate::connect::exchange_error;

/// What to fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchRequest {
    /// Series; its venue must be the exchange's.
    pub key: SeriesKey,
    /// First instant wanted; `None` goes on where the stored candles end. Behind that it has no effect: a hole is never
    /// left.
    pub since: Option<Timestamp>,
    /// First instant not wanted; `None` fetches up to the exchange's present.
    pub to: Option<Timestamp>,
    /// Ask again for what is missing between stored candles of the range.
    pub fill_gaps: bool,
}

/// What a fetch brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Series.
    pub key: SeriesKey,
    /// Candles that the exchange sent and that are stored.
    pub received: usize,
    /// Those of them that were not stored before.
    pub added: usize,
    /// Candles that the exchange sent but that are not valid, left out.
    pub rejected: usize,
    /// What was asked for but is older than what the exchange hands out.
    pub out_of_reach: Option<TimeRange>,
    /// Range of the stored candles that changed; `None` when nothing did.
    pub changed: Option<TimeRange>,
    /// What is stored now, from the first open to the last close; `None` when nothing is.
    pub stored: Option<TimeRange>,
    /// Candles stored now.
    pub rows: usize,
    /// What is missing between them.
    pub gaps: Gaps,
    /// Requests sent.
    pub requests: u64,
}

/// Fetches closed candles and stores them as they come. After an error or a cancellation what was stored stays, and
/// the same request goes on from there.
pub async fn fetch(
    host: &Host,
    exchange: &dyn Exchange,
    request: &FetchRequest,
    watch: &dyn ProgressSink,
) -> Result<Fetched, Problem> {
    let key = &request.key;
    let before = stored_candles(host, key).await?;
    let requests_before = exchange.requests();
    let now = until_cancelled(host, exchange.now()).await.ok_or_else(Problem::cancelled)?.map_err(exchange_error)?;
    let mut plan = Plan::new(request, before.as_ref().and_then(|c| c.range), now)?;
    if request.fill_gaps && before.is_some() {
        plan.gaps = gaps_within(host, key, plan.asked).await?;
    }
    let mut pull = Pull::new(host, exchange, key, watch, plan.slots(key.interval));
    let outcome = pull.all(&plan).await;
    let pulled = pull.finish();
    if let Err(error) = outcome {
        return Err(cut_off(error, key, pulled.received));
    }
    if pulled.changed.is_some() {
        compact_candles(host, key).await;
        after_candles(host, key).await;
    }
    let after = stored_candles(host, key).await?;
    Ok(Fetched {
        key: key.clone(),
        received: pulled.received,
        added: rows(after.as_ref()).saturating_sub(rows(before.as_ref())),
        rejected: pulled.rejected,
        out_of_reach: pulled.out_of_reach,
        changed: pulled.changed,
        stored: after.as_ref().and_then(|c| c.range),
        rows: rows(after.as_ref()),
        gaps: after.map(|c| c.gaps).unwrap_or_default(),
        requests: exchange.requests() - requests_before,
    })
}

/// Ranges without candles between stored candles that open within `range`.
async fn gaps_within(host: &Host, key: &SeriesKey, range: TimeRange) -> Result<Vec<TimeRange>, Problem> {
    let mut gaps = Vec::new();
    let mut end: Option<Timestamp> = None;
    let mut pieces = host.store.scan_pieces(key, range);
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        let Some(covered) = piece.range() else { continue };
        gaps.extend(end.filter(|&end| end < covered.from).map(|end| TimeRange { from: end, to: covered.from }));
        gaps.extend(missing_ranges(&piece));
        end = Some(covered.to);
    }
    Ok(gaps)
}

fn rows(coverage: Option<&Coverage>) -> usize {
    coverage.map_or(0, |c| c.rows)
}

/// The error of a fetch that ended early, with what is left of it.
fn cut_off(mut error: Problem, key: &SeriesKey, stored: usize) -> Problem {
    if stored > 0 {
        error.detail = format!(
            "{}; the {stored} candles of {key} fetched before are stored, and the same command goes on from there",
            error.detail
        );
    }
    error
}
