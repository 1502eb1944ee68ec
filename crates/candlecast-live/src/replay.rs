//! Replays: files played as if they were live, stored apart from the real series.
//!
//! A replayed candle never touches the series it was taken from: it is stored under a venue of its own,
//! `replay-binance` for files of `binance`. What an earlier replay left there may be played again; a replay of other
//! candles over it is refused, since logged predictions of the two could not be told apart. History before the first
//! played candle is that of the real series, so that forecasts are those that a stream would have made at the time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candlecast_core::{Candle, CandleSeries, Interval, Problem, SeriesKey, Symbol, TimeRange, Timestamp, Venue};
use candlecast_exchange::{Exchange, Replay, ReplayControl, SystemClock};
use candlecast_host::{Host, stored_candles};
use candlecast_ingest::{Import, ImportOptions, IngestError};

use crate::connect::exchange_error;

/// What the venues of replayed series begin with.
pub const REPLAY_PREFIX: &str = "replay";
/// Longest name of a venue.
const MAX_VENUE: usize = 24;

/// What to play.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplayRequest {
    /// Files of one series, of any format that can be imported.
    pub files: Vec<PathBuf>,
    /// Venue of the files, over the one of their names; `binance` where nothing names one.
    pub venue: Option<Venue>,
    /// Market seconds a second; 0 is as fast as possible.
    pub speed: f64,
    /// Playing begins here; candles of the files before it are history.
    pub since: Option<Timestamp>,
    /// Venue to store under, which begins with [`REPLAY_PREFIX`]; `replay-` and the files' venue if `None`.
    pub store_as: Option<Venue>,
}

/// A replay that can begin.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) exchange: Arc<dyn Exchange>,
    /// Series under which the candles are stored.
    pub(super) key: SeriesKey,
    /// Series of the files.
    pub(super) source: SeriesKey,
    /// Candles before the first played one, under `key`.
    pub(super) history: CandleSeries,
}

/// Reads the files and makes sure that playing them does no harm.
pub(super) async fn prepare_replay(
    host: &Host,
    symbol: &Symbol,
    interval: Interval,
    request: &ReplayRequest,
) -> Result<Prepared, Problem> {
    let whole = {
        let (request, symbol) = (request.clone(), symbol.clone());
        host.compute(move || read(&request, &symbol, interval)).await?
    };
    let source = whole.key().clone();
    let since = request.since.unwrap_or(TimeRange::ALL.from);
    let played = whole.between(TimeRange { from: since, ..TimeRange::ALL });
    let Some(range) = played.range() else {
        return Err(
            Problem::data("outside-data", format!("the files have no candles from {since} on")).with_field("since")
        );
    };
    let key = SeriesKey { venue: store_venue(request, &source.venue)?, ..source.clone() };
    let played = under(&key, played)?;
    check_room(host, &played, range).await?;
    let earlier = whole.between(TimeRange { to: range.from, ..TimeRange::ALL });
    let history = history_before(host, &source, range.from).await?.merged(&earlier).map_err(bad_series)?;
    let control = ReplayControl::new(request.speed);
    let replay = Replay::new(vec![played], 0, control, Arc::new(SystemClock::new())).map_err(exchange_error)?;
    Ok(Prepared { exchange: Arc::new(replay), history: under(&key, history)?, key, source })
}

/// Refuses a replay over stored candles that differ from those to be played.
async fn check_room(host: &Host, played: &CandleSeries, range: TimeRange) -> Result<(), Problem> {
    let key = played.key();
    if stored_candles(host, key).await?.is_none() {
        return Ok(());
    }
    let stored = host.store.scan(key, range).await?;
    let Some(time) = first_difference(&stored, played) else { return Ok(()) };
    let detail = format!(
        "{key} holds another replay, whose candle of {time} differs from the files': keep both with --store-as {REPLAY_PREFIX}-NAME"
    );
    Err(Problem::data("replay-differs", detail).with_field("store-as"))
}

/// Stored candles of `key` that open before `end`.
async fn history_before(host: &Host, key: &SeriesKey, end: Timestamp) -> Result<CandleSeries, Problem> {
    if stored_candles(host, key).await?.is_none() {
        return Ok(CandleSeries::empty(key.clone()));
    }
    Ok(host.store.scan(key, TimeRange { to: end, ..TimeRange::ALL }).await?)
}

/// All candles of the files, which must be of the series asked for.
fn read(request: &ReplayRequest, symbol: &Symbol, interval: Interval) -> Result<CandleSeries, Problem> {
    let mut whole: Option<CandleSeries> = None;
    for path in &request.files {
        let name = path.display();
        let failed = |e: IngestError| Problem::from(e).context(&name);
        let mut import = open(path, request.venue.as_ref(), symbol, interval).map_err(failed)?;
        let found = import.key().clone();
        let venue = whole.as_ref().map_or(&found.venue, |series| &series.key().venue);
        if (&found.venue, &found.symbol, found.interval) != (venue, symbol, interval) {
            let asked = SeriesKey::new(venue.clone(), symbol.clone(), interval);
            let detail = format!(
                "{name} holds {found}, not {asked}: name the symbol and interval of the files, and files of one series only"
            );
            return Err(Problem::usage("replay-series", "replay", detail));
        }
        while let Some(chunk) = import.next_chunk().map_err(failed)? {
            whole = Some(match whole {
                Some(before) => before.merged(&chunk).map_err(bad_series)?,
                None => chunk,
            });
        }
    }
    whole.ok_or_else(|| Problem::usage("no-files", "replay", "a replay needs at least one file of candles"))
}

/// Opens a file; symbol and interval of the request stand in only for what the file does not tell.
fn open(path: &Path, venue: Option<&Venue>, symbol: &Symbol, interval: Interval) -> Result<Import, IngestError> {
    let mut options = ImportOptions { venue: venue.cloned(), ..ImportOptions::default() };
    loop {
        match candlecast_ingest::open(path, &options) {
            Err(IngestError::NoSymbol { .. }) if options.symbol.is_none() => options.symbol = Some(symbol.clone()),
            Err(IngestError::NoInterval { .. }) if options.interval.is_none() => options.interval = Some(interval),
            opened => return opened,
        }
    }
}

/// The venue under which candles of `source` are stored.
fn store_venue(request: &ReplayRequest, source: &Venue) -> Result<Venue, Problem> {
    let Some(venue) = &request.store_as else {
        let name: String = format!("{REPLAY_PREFIX}-{source}").chars().take(MAX_VENUE).collect();
        return Ok(Venue::new(&name)?);
    };
    if venue.as_str() == REPLAY_PREFIX || venue.as_str().starts_with(&format!("{REPLAY_PREFIX}-")) {
        return Ok(venue.clone());
    }
    let detail = format!(
        "a replay is not stored as {venue}, where real candles may lie: take a name such as {REPLAY_PREFIX}-{venue}"
    );
    Err(Problem::usage("bad-store-as", "store-as", detail))
}

/// Open time of the first candle that is in one of the series and not the same in the other.
fn first_difference(stored: &CandleSeries, played: &CandleSeries) -> Option<Timestamp> {
    // The store keeps whole trade counts.
    let as_stored = |candle: Candle| Candle { trades: candle.trades.map(f64::round), ..candle };
    (0..stored.len()).map(|i| stored.candle(i)).find_map(|candle| {
        let row = played.open_time().binary_search(&candle.open_time.ms());
        let same = row.is_ok_and(|row| as_stored(played.candle(row)) == candle);
        (!same).then_some(candle.open_time)
    })
}

/// The candles of `series` under another name.
fn under(key: &SeriesKey, series: CandleSeries) -> Result<CandleSeries, Problem> {
    CandleSeries::new(key.clone(), series.into_columns()).map_err(bad_series)
}

fn bad_series(e: candlecast_core::SeriesError) -> Problem {
    Problem::data("bad-file", e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::Seed;
    use candlecast_core::market::random_walk;

    fn request(store_as: Option<&str>) -> ReplayRequest {
        ReplayRequest {
            files: vec![],
            venue: None,
            speed: 0.0,
            since: None,
            store_as: store_as.map(|v| Venue::new(v).unwrap()),
        }
    }

    #[test]
    fn a_replay_is_stored_apart() {
        let named = |store_as, source: &str| store_venue(&request(store_as), &Venue::new(source).unwrap());
        assert_eq!(named(None, "binance").unwrap().as_str(), "replay-binance");
        assert_eq!(named(None, "a-venue-of-twenty-four-c").unwrap().as_str(), "replay-a-venue-of-twenty");
        assert_eq!(named(Some("replay-2"), "binance").unwrap().as_str(), "replay-2");
        for real in ["binance", "replays", "kraken"] {
            assert_eq!(named(Some(real), "binance").unwrap_err().code, "bad-store-as", "{real}");
        }
    }

    #[test]
    fn another_replay_is_told_by_its_first_differing_candle() {
        let walk = random_walk(30, Seed(1), 0.0);
        assert_eq!(first_difference(&walk, &walk), None);
        let part = walk.between(TimeRange { from: walk.candle(10).open_time, ..TimeRange::ALL });
        assert_eq!(first_difference(&part, &walk), None, "an earlier replay may have been shorter");
        assert_eq!(first_difference(&walk, &part), Some(walk.candle(0).open_time));
        let other = random_walk(30, Seed(2), 0.0);
        assert_eq!(first_difference(&other, &walk), Some(walk.candle(0).open_time));
    }
}
