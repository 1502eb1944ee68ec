//! [`Segment`]: candles of one year that were stored a few at a time and wait to be compacted into the year's file.
//!
//! A segment is a header and frames behind it, little-endian:
//!
//! | part | bytes |
//! | --- | --- |
//! | header | magic (8), format (4), year (4), id (8), the series' key padded with zeros (64), checksum of these (8) |
//! | frame | candles (4), zero (4), checksum of these (8), candles of 72 bytes, checksum of all before it (8) |
//!
//! A candle is its open time (i64) and eight f64 in the order of the columns, NaN for what is missing. Checksums are
//! XXH3; those of a frame are seeded with the segment's id and the frame's position, so that bytes of another segment
//! or place are never taken for a frame. An upsert adds one frame, so readers see all of its candles or none. Every
//! part is a multiple of eight bytes, so no sector of a disk ends within a checksum.
//!
//! A segment is made whole, by a renaming. A frame is written in place, so a kill can leave its first part; a power
//! cut, its first part and zeros. Such an end was never acknowledged and counts as not there. Every other frame that
//! does not agree with its checksums is damage.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use candlecast_core::{Candle, CandleSeries, Columns, SeriesKey, TimeRange, Timestamp};
use candlecast_files::{ReadError, read_bounded};

use super::damage::Damage;
use super::format::{checksum, seeded_checksum};
use super::layout::segment_path;
use crate::{StoreError, years};

const MAGIC: &[u8; 8] = b"ccandles";
/// Version of the form. The header's length, magic, version and checksum stay where they are in all versions.
const FORMAT: u32 = 1;
const KEY_BYTES: usize = 64;
const HEADER_BYTES: usize = 24 + KEY_BYTES + SUM_BYTES;
const SUM_BYTES: usize = 8;
/// Count, zero and their checksum.
const HEAD_BYTES: usize = 8 + SUM_BYTES;
/// One candle.
const ROW_BYTES: usize = 72;
/// Largest segment: of many more candles than a year has, where far fewer are compacted.
const MAX_BYTES: u64 = 64 << 20;
/// Between two looks at a segment that another program changes at this very moment.
const SETTLES_WITHIN: Duration = Duration::from_millis(5);

/// What a segment holds.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// Number that no other segment of the partition has had.
    pub(super) id: u64,
    /// The candles in time order, of each the newest.
    pub(super) columns: Columns,
    /// Candles in all frames, those that were replaced later included.
    pub(super) written: usize,
    /// Where the next frame belongs; what lies beyond was never acknowledged.
    pub(super) end: u64,
}

impl Segment {
    /// Reads the segment of `year`; `None` when there is none. A writer may be at work.
    pub(super) fn read(root: &Path, key: &SeriesKey, year: i32) -> Result<Option<Self>, StoreError> {
        let path = segment_path(root, key, year);
        match Self::read_once(&path, key, year) {
            // While a writer cuts off what a killed one left, a reader may see bytes of both.
            Err(StoreError::Corrupt { .. }) => {
                std::thread::sleep(SETTLES_WITHIN);
                Self::read_once(&path, key, year)
            }
            read => read,
        }
    }

    fn read_once(path: &Path, key: &SeriesKey, year: i32) -> Result<Option<Self>, StoreError> {
        let bytes = match read_bounded(path, MAX_BYTES) {
            Ok(bytes) => bytes,
            Err(ReadError::Missing) => return Ok(None),
            Err(ReadError::TooLarge) => return Err(StoreError::corrupt(path, "it is far too large")),
            Err(ReadError::Io(e)) => return Err(StoreError::io(path, e)),
        };
        let corrupt = |Damage(reason)| StoreError::corrupt(path, reason);
        let header = Header::read(&bytes).map_err(corrupt)?;
        if header.format > FORMAT {
            let (found, known) = (header.format, FORMAT);
            return Err(StoreError::NewerFormat { path: path.to_owned(), found, known });
        }
        header.check(key, year).map_err(corrupt)?;
        let (rows, end) = read_frames(&bytes, header.id).map_err(corrupt)?;
        let columns = in_order(key, year, &rows).map_err(corrupt)?;
        Ok(Some(Self { path: path.to_owned(), id: header.id, columns, written: rows.len(), end: end as u64 }))
    }

    /// The id of the segment that lies at `path` now, if one does.
    pub(super) fn id_at(path: &Path) -> Result<Option<u64>, StoreError> {
        let mut header = [0; HEADER_BYTES];
        match File::open(path).and_then(|mut file| file.read_exact(&mut header)) {
            Ok(()) => Ok(Header::read(&header).ok().map(|header| header.id)),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => Ok(None),
            Err(e) => Err(StoreError::io(path, e)),
        }
    }

    /// The candles that open within `range`.
    pub(super) fn between(&self, range: TimeRange) -> Columns {
        let times = &self.columns.open_time;
        let start = times.partition_point(|&t| t < range.from.0);
        let end = times.partition_point(|&t| t < range.to.0).max(start);
        self.columns.slice(start..end)
    }

    /// The bytes that add `rows`, not empty and in time order, at [`end`](Self::end).
    pub(super) fn frame(&self, rows: &Columns) -> Vec<u8> {
        frame(self.id, self.end, rows)
    }
}

/// The bytes of a new segment with the candles `rows`, not empty, in time order and all of `year`.
pub(super) fn new_segment(key: &SeriesKey, year: i32, rows: &Columns) -> Vec<u8> {
    segment_of(new_id(), key, year, rows)
}

fn segment_of(id: u64, key: &SeriesKey, year: i32, rows: &Columns) -> Vec<u8> {
    let mut bytes = Header { format: FORMAT, year, id, key: key.to_string() }.bytes();
    let first = frame(id, bytes.len() as u64, rows);
    bytes.extend(first);
    bytes
}

/// Nanoseconds since 1970. Segments of a partition are made one after the other, under the lake's lock.
fn new_id() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// What stands before the first frame.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    format: u32,
    year: i32,
    id: u64,
    key: String,
}

impl Header {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(self.format.to_le_bytes());
        bytes.extend(self.year.to_le_bytes());
        bytes.extend(self.id.to_le_bytes());
        // Venue, symbol and interval take at most 49 bytes.
        bytes.extend(self.key.bytes().take(KEY_BYTES));
        bytes.resize(HEADER_BYTES - SUM_BYTES, 0);
        bytes.extend(checksum(&bytes).to_le_bytes());
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Self, Damage> {
        let header = bytes.get(..HEADER_BYTES).ok_or_else(|| Damage::new("it is no whole segment"))?;
        let (content, sum) = header.split_at(HEADER_BYTES - SUM_BYTES);
        if !content.starts_with(MAGIC) || u64_at(sum, 0) != checksum(content) {
            return Err(Damage::new("its header is damaged, or it was not written by candlecast"));
        }
        let (fixed, key) = content.split_at(24);
        let length = key.iter().position(|&b| b == 0).unwrap_or(KEY_BYTES);
        let key = String::from_utf8_lossy(&key[..length]).into_owned();
        Ok(Self { format: u32_at(fixed, 8), year: u32_at(fixed, 12) as i32, id: u64_at(fixed, 16), key })
    }

    fn check(&self, key: &SeriesKey, year: i32) -> Result<(), Damage> {
        if self.format != FORMAT {
            return Err(Damage::new(format!("it has format {}", self.format)));
        }
        if self.key != key.to_string() {
            return Err(Damage::new(format!("it holds series {}, its folder says {key}", self.key)));
        }
        if self.year != year {
            return Err(Damage::new(format!("it holds candles of {}, its name says {year}", self.year)));
        }
        Ok(())
    }
}

fn seed(id: u64, at: u64) -> u64 {
    id.wrapping_add(at)
}

/// A frame of segment `id` that begins at position `at`.
fn frame(id: u64, at: u64, rows: &Columns) -> Vec<u8> {
    let seed = seed(id, at);
    let mut bytes = Vec::with_capacity(HEAD_BYTES + rows.len() * ROW_BYTES + SUM_BYTES);
    bytes.extend((rows.len() as u32).to_le_bytes());
    bytes.extend([0_u8; 4]);
    bytes.extend(seeded_checksum(seed, &bytes).to_le_bytes());
    for i in 0..rows.len() {
        let c = rows.candle(i);
        bytes.extend(c.open_time.0.to_le_bytes());
        let optional = [c.quote_volume, c.trades, c.taker_buy_base].map(|value| value.unwrap_or(f64::NAN));
        for value in [c.open, c.high, c.low, c.close, c.volume].into_iter().chain(optional) {
            bytes.extend(value.to_le_bytes());
        }
    }
    bytes.extend(seeded_checksum(seed, &bytes).to_le_bytes());
    bytes
}

/// The candles of all whole frames as they were written, and where the next frame belongs.
fn read_frames(bytes: &[u8], id: u64) -> Result<(Columns, usize), Damage> {
    let mut rows = Columns::default();
    let mut at = HEADER_BYTES;
    while let Some(length) = read_frame(&bytes[at..], seed(id, at as u64), &mut rows)? {
        at += length;
    }
    Ok((rows, at))
}

/// Adds the candles of the frame at the beginning of `rest` to `rows` and returns its length; `None` where nothing
/// follows, or a frame that was never completed.
fn read_frame(rest: &[u8], seed: u64, rows: &mut Columns) -> Result<Option<usize>, Damage> {
    if rest.len() < HEAD_BYTES {
        return Ok(None);
    }
    // The last eight bytes of a whole frame are a checksum. Zeros there are space that was never written.
    let bad = |what: &str| {
        let never_written = rest.ends_with(&[0_u8; SUM_BYTES]);
        if never_written { Ok(None) } else { Err(Damage::new(format!("the checksum of {what} is wrong"))) }
    };
    let n = u32_at(rest, 0) as usize;
    if n == 0 || u64_at(rest, 8) != seeded_checksum(seed, &rest[..8]) {
        return bad("a group of candles");
    }
    let length = HEAD_BYTES + n * ROW_BYTES + SUM_BYTES;
    let Some(frame) = rest.get(..length) else { return Ok(None) };
    let (content, sum) = frame.split_at(length - SUM_BYTES);
    if u64_at(sum, 0) != seeded_checksum(seed, content) {
        return bad("candles");
    }
    for row in content[HEAD_BYTES..].chunks_exact(ROW_BYTES) {
        rows.push(&candle(row));
    }
    Ok(Some(length))
}

fn candle(row: &[u8]) -> Candle {
    let value = |column: usize| f64::from_bits(u64_at(row, 8 * column));
    let optional = |column| Some(value(column)).filter(|v| !v.is_nan());
    Candle {
        open_time: Timestamp(u64_at(row, 0) as i64),
        open: value(1),
        high: value(2),
        low: value(3),
        close: value(4),
        volume: value(5),
        quote_volume: optional(6),
        trades: optional(7),
        taker_buy_base: optional(8),
    }
}

/// The candles in time order, of each the one that was written last.
fn in_order(key: &SeriesKey, year: i32, rows: &Columns) -> Result<Columns, Damage> {
    let series = CandleSeries::from_unsorted(key.clone(), rows).map_err(|e| Damage::new(e.to_string()))?;
    let (times, span) = (series.open_time(), years::span(year));
    let (Some(&first), Some(&last)) = (times.first(), times.last()) else {
        return Err(Damage::new("it holds no candles"));
    };
    if first < span.from.0 || last >= span.to.0 {
        return Err(Damage::new(format!("it holds candles of other years than {year}")));
    }
    Ok(series.into_columns())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | (u64::from(u32_at(bytes, at + 4)) << 32)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use candlecast_core::{Interval, Symbol, Venue};

    const YEAR: i32 = 2023;
    const MINUTE_MS: i64 = 60_000;

    fn key() -> SeriesKey {
        SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::M1)
    }

    /// Candles of the minutes `from..to` of the year; only some have their optional values.
    fn minutes(from: i64, to: i64, price: f64) -> Columns {
        let mut columns = Columns::default();
        for minute in from..to {
            columns.push(&Candle {
                open_time: Timestamp(Timestamp::year_start(YEAR).0 + minute * MINUTE_MS),
                open: price,
                high: price + 1.0,
                low: price - 0.5,
                close: price + 0.25,
                volume: 3.0,
                quote_volume: (minute % 2 == 0).then_some(7.5),
                trades: (minute % 3 == 0).then_some(12.0),
                taker_buy_base: None,
            });
        }
        columns
    }

    fn parsed(bytes: &[u8]) -> Result<Segment, StoreError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segment");
        fs::write(&path, bytes).unwrap();
        Segment::read_once(&path, &key(), YEAR).map(Option::unwrap)
    }

    /// A segment of three frames, and where each ends.
    fn three() -> (Vec<u8>, Vec<usize>) {
        let mut bytes = segment_of(1_700_000_000_123_456_789, &key(), YEAR, &minutes(0, 3, 100.0));
        let mut ends = vec![bytes.len()];
        for rows in [minutes(3, 4, 101.0), minutes(2, 5, 102.0)] {
            let segment = parsed(&bytes).unwrap();
            assert_eq!(segment.end, bytes.len() as u64);
            bytes.extend(segment.frame(&rows));
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    #[test]
    fn the_newest_of_each_candle_is_read() {
        let (bytes, _) = three();
        let segment = parsed(&bytes).unwrap();
        assert_eq!(segment.written, 3 + 1 + 3);
        assert_eq!(segment.columns.open, [100.0, 100.0, 102.0, 102.0, 102.0]);
        assert_eq!(segment.columns.candle(3), minutes(3, 4, 102.0).candle(0));
        let middle =
            TimeRange { from: Timestamp(segment.columns.open_time[1]), to: Timestamp(segment.columns.open_time[3]) };
        assert_eq!(segment.between(middle).open, [100.0, 102.0]);
        assert!(segment.between(TimeRange { from: middle.to, to: middle.from }).is_empty());
    }

    #[test]
    fn a_frame_that_was_cut_off_counts_as_not_there() {
        let (bytes, ends) = three();
        for length in ends[0]..bytes.len() {
            let whole = ends.iter().rfind(|&&end| end <= length).unwrap();
            for zeros in [0, 8, 100, 5_000] {
                let mut cut = bytes[..length].to_vec();
                cut.resize(length + zeros, 0);
                let segment = parsed(&cut).unwrap_or_else(|e| panic!("{length} bytes and {zeros} zeros: {e}"));
                // Of the last byte of a checksum a zero may be the right one.
                if zeros == 0 || segment.end != (length + 1) as u64 {
                    assert_eq!(segment.end, *whole as u64, "{length} bytes and {zeros} zeros");
                }
            }
        }
    }

    #[test]
    fn every_other_damage_is_found() {
        let (bytes, _) = three();
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xFF] {
                let mut bad = bytes.clone();
                bad[at] ^= flip;
                assert!(matches!(parsed(&bad), Err(StoreError::Corrupt { .. })), "byte {at} with {flip:#x}");
            }
        }
        for length in 0..HEADER_BYTES {
            assert!(matches!(parsed(&bytes[..length]), Err(StoreError::Corrupt { .. })), "{length} bytes");
        }
    }

    #[test]
    fn frames_of_other_segments_and_places_are_refused() {
        let (bytes, ends) = three();
        let moved = [&bytes[..ends[0]], &bytes[ends[1]..]].concat();
        assert!(matches!(parsed(&moved), Err(StoreError::Corrupt { .. })));
        let twice = [&bytes[..], &bytes[ends[1]..]].concat();
        assert!(matches!(parsed(&twice), Err(StoreError::Corrupt { .. })));
        let other = new_segment(&key(), YEAR, &minutes(0, 3, 100.0));
        assert_ne!(other[..HEADER_BYTES], bytes[..HEADER_BYTES], "ids differ");
        let mixed = [&other[..ends[0]], &bytes[ends[0]..]].concat();
        assert!(matches!(parsed(&mixed), Err(StoreError::Corrupt { .. })));
    }

    #[test]
    fn a_segment_names_its_series_and_year() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segment");
        fs::write(&path, new_segment(&key(), YEAR, &minutes(0, 3, 100.0))).unwrap();
        let other = SeriesKey { interval: Interval::H1, ..key() };
        let error = Segment::read_once(&path, &other, YEAR).unwrap_err().to_string();
        assert!(error.contains("binance:BTCUSDT:1m") && error.contains("binance:BTCUSDT:1h"), "{error}");
        assert!(Segment::read_once(&path, &key(), 2022).unwrap_err().to_string().contains("2022"));
        assert_eq!(Segment::id_at(&path).unwrap(), Some(Segment::read_once(&path, &key(), YEAR).unwrap().unwrap().id));
        assert_eq!(Segment::id_at(&folder.path().join("nowhere")).unwrap(), None);
        assert!(Segment::read_once(&folder.path().join("nowhere"), &key(), YEAR).unwrap().is_none());
    }

    #[test]
    fn what_no_segment_is_as_large_as_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("segment");
        File::create(&path).unwrap().set_len(1 << 36).unwrap();
        let error = Segment::read_once(&path, &key(), YEAR).unwrap_err().to_string();
        assert!(error.contains("far too large"), "{error}");
    }

    #[test]
    fn a_newer_form_is_told() {
        let id = 5;
        let mut bytes = Header { format: FORMAT + 1, year: YEAR, id, key: key().to_string() }.bytes();
        bytes.extend(b"frames of tomorrow");
        assert!(matches!(parsed(&bytes), Err(StoreError::NewerFormat { found: 2, known: 1, .. })));
    }
}
