//! Settled predictions whose candles have changed wait for their outcome again, whatever happens to the program between
//! storing the candles and saying so: a note in the data folder says it first.

use std::path::PathBuf;

use candlecast_core::{Problem, SeriesKey, TimeRange, Timestamp};
use candlecast_files::{FileError, Note, create_folder};
use candlecast_meta::DATABASE_FILE;
use candlecast_store::StoreError;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::blocking::blocking;
use crate::deadline::briefly;
use crate::host::{Host, system_time};
use crate::id::tag;

/// Where notes lie below the data folder.
const NOTES: &str = "reopenings";
/// Least length of what a note says that is done at once, ms.
const PIECE_MS: i64 = 86_400_000;
/// Pieces of the longest range, about.
const PIECES: i64 = 1_000;

/// Candles of a series that are about to change, or have changed: from an open to a close.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reopening {
    key: SeriesKey,
    range: TimeRange,
}

/// False where there is no database yet: then nothing was logged, and none has to be made.
pub fn may_have_predictions(host: &Host) -> bool {
    host.settings.database_url.is_some() || host.settings.data_dir.join(DATABASE_FILE).exists()
}

/// Target times of the candles of a range that begins with an open and ends with a close: a target is a close.
pub fn target_times(range: TimeRange) -> TimeRange {
    TimeRange { from: range.from.plus_ms(1), to: range.to.plus_ms(1) }
}

/// Writes down that candles of `range` are about to change, where predictions may have met those that are stored. None
/// are settled behind the last stored candle, so candles that come after it, as those of a stream do, need no note.
pub(crate) async fn noted(host: &Host, key: &SeriesKey, range: TimeRange) -> Result<Option<Note>, StoreError> {
    if !may_have_predictions(host) || !reaches_to(host, key, range.from).await {
        return Ok(None);
    }
    write(host, Reopening { key: key.clone(), range }).await.map(Some)
}

/// Reopens what changed candles of `range` are the outcome of; returns how many predictions wait again. Never fails:
/// the candles are stored. What could not be done now is done by [`replay_reopenings`], the reason is logged.
pub(crate) async fn reopen_after_change(host: &Host, key: &SeriesKey, range: TimeRange, note: Option<Note>) -> u64 {
    if !may_have_predictions(host) {
        return 0;
    }
    match briefly(reopen(host, key, range)).await {
        Ok(reopened) => {
            done(host, note).await;
            reopened
        }
        Err(error) => {
            tracing::warn!(series = %key, %error, "candles changed {range}, predictions keep the outcomes they had until the next command that reaches their database");
            if note.is_none()
                && let Err(error) = write(host, Reopening { key: key.clone(), range }).await
            {
                tracing::warn!(series = %key, %error, "nor could that be written down: `candlecast predictions validate --again` sets them right");
            }
            0
        }
    }
}

/// Does what notes say whose writers are gone, or could not reach the database: returns the series of which predictions
/// wait again. Never fails; what could not be done stays noted, and the reason is logged.
pub async fn replay_reopenings(host: &Host) -> Vec<SeriesKey> {
    let mut reopened = Vec::new();
    if !may_have_predictions(host) {
        return reopened;
    }
    let left = blocking(host, |host| Ok(Note::left_in(&folder(host))?)).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "whether predictions have to be looked at again is not known");
        Vec::new()
    });
    for (note, text) in left {
        let Some(Reopening { key, range }) = Reopening::read(&text) else {
            let note = note.path().display();
            tracing::warn!(%note, "this note cannot be read: run `candlecast predictions validate --again` and delete it");
            continue;
        };
        let (n, left) = reopen_in_pieces(host, &key, range).await;
        if n > 0 && !reopened.contains(&key) {
            reopened.push(key.clone());
        }
        let Some((rest, error)) = left else {
            done(host, Some(note)).await;
            continue;
        };
        tracing::warn!(series = %key, %error, "candles had changed {rest}, predictions still keep the outcomes they had");
        // What was done of a long range is not done once more: else it might never come to its end.
        if rest != range && write(host, Reopening { key, range: rest }).await.is_ok() {
            done(host, Some(note)).await;
        }
        // The database is away: the others would fail, too.
        break;
    }
    reopened
}

/// Reopens what changed candles of `range` are the outcome of, in pieces, none of which takes long, however many
/// predictions there are. Returns how many wait again; and what is left of the range, with the reason, after an error.
async fn reopen_in_pieces(host: &Host, key: &SeriesKey, range: TimeRange) -> (u64, Option<(TimeRange, Problem)>) {
    let mut reopened = 0;
    for piece in pieces(range) {
        match briefly(reopen(host, key, piece)).await {
            Ok(n) => reopened += n,
            Err(error) => return (reopened, Some((TimeRange { from: piece.from, ..range }, error))),
        }
    }
    (reopened, None)
}

/// `range` in pieces of a day, or of more where there were too many of them.
fn pieces(range: TimeRange) -> impl Iterator<Item = TimeRange> {
    let ms = range.to.ms().saturating_sub(range.from.ms());
    let step_ms = PIECE_MS.max(ms / PIECES + 1);
    let mut from = range.from;
    std::iter::from_fn(move || {
        let piece = TimeRange { from, to: range.to.min(from.plus_ms(step_ms)) };
        from = piece.to;
        (!piece.is_empty()).then_some(piece)
    })
}

async fn reopen(host: &Host, key: &SeriesKey, range: TimeRange) -> Result<u64, Problem> {
    Ok(host.metadata().await?.reopen_predictions(key, target_times(range)).await?)
}

/// True when a candle of `key` is stored, or may be, that opens at `from` or later. Reads no more than a year.
async fn reaches_to(host: &Host, key: &SeriesKey, from: Timestamp) -> bool {
    let later = host.store.scan_pieces(key, TimeRange { from, ..TimeRange::ALL }).next().await;
    !matches!(later, None | Some(Err(StoreError::UnknownSeries { .. })))
}

async fn write(host: &Host, reopening: Reopening) -> Result<Note, StoreError> {
    let written = blocking(host, move |host| {
        let folder = folder(host);
        let name = format!("{}-{}.json", system_time().ms(), tag());
        Ok(create_folder(&folder).and_then(|()| Note::write(&folder, &name, reopening.text().as_bytes())))
    });
    let written = written.await.map_err(|e| StoreError::Interrupted { reason: e.detail })?;
    written.map_err(unwritten)
}

/// What a note says is done. One that cannot be removed is done again, which changes nothing.
pub(crate) async fn done(host: &Host, note: Option<Note>) {
    let Some(note) = note else { return };
    if let Err(error) = blocking(host, move |_| Ok(note.remove()?)).await {
        tracing::warn!(%error, "a note that was seen to stays");
    }
}

fn folder(host: &Host) -> PathBuf {
    host.settings.data_dir.join(NOTES)
}

/// The failure of a note in the words of the store, whose candles are left as they are by it.
fn unwritten(e: FileError) -> StoreError {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    let denied = e.is_denied();
    let FileError { path, source, .. } = e;
    match source.kind() {
        StorageFull | QuotaExceeded => StoreError::DiskFull { path, stored: None, source },
        _ if denied => StoreError::NotAllowed { path, source },
        _ => StoreError::Io { path, source },
    }
}

impl Reopening {
    fn text(&self) -> String {
        json!({ "series": self.key.to_string(), "fromMs": self.range.from.ms(), "toMs": self.range.to.ms() })
            .to_string()
    }

    fn read(text: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(text).ok()?;
        let key = value["series"].as_str()?.parse().ok()?;
        let [from, to] = ["fromMs", "toMs"].map(|name| value[name].as_i64().map(Timestamp));
        Some(Self { key, range: TimeRange { from: from?, to: to? } })
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::{Interval, Symbol, Venue};

    use super::*;

    #[test]
    fn the_pieces_of_a_range_are_all_of_it_and_not_too_many() {
        let range = |from: i64, to: i64| TimeRange { from: Timestamp(from), to: Timestamp(to) };
        let candles = range(1_704_067_200_000, 1_704_067_200_000 + 3 * PIECE_MS + 1);
        assert_eq!(pieces(candles).count(), 4);
        for range in [range(-5, 7), candles, range(0, 5_000 * PIECE_MS), TimeRange::ALL] {
            let pieces: Vec<TimeRange> = pieces(range).collect();
            assert!(pieces.len() <= 2_001, "{range}: {} pieces", pieces.len());
            assert_eq!((pieces[0].from, pieces[pieces.len() - 1].to), (range.from, range.to));
            assert!(pieces.windows(2).all(|pair| pair[0].to == pair[1].from && !pair[1].is_empty()), "{range}");
        }
        assert_eq!(pieces(range(3, 3)).count() + pieces(range(4, 3)).count(), 0);
    }

    #[test]
    fn a_note_comes_back_from_its_text() {
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        let range = TimeRange { from: Timestamp(-5), to: Timestamp(1_704_067_200_000) };
        let reopening = Reopening { key, range };
        assert_eq!(Reopening::read(reopening.text().as_bytes()), Some(reopening.clone()));
        for bad in ["", "{}", "null", r#"{"series":"BTCUSDT"}"#, r#"{"series":"binance:BTCUSDT:1h","fromMs":1}"#] {
            assert_eq!(Reopening::read(bad.as_bytes()), None, "{bad}");
        }
    }
}
