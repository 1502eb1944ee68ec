//! [`open`] and [`Import`].

use std::fmt;
use std::path::Path;

use candlecast_core::{CandleSeries, Interval, SeriesKey, Symbol, Venue};

use crate::assemble::Assembler;
use crate::container::{self, Container};
use crate::formats::{self, FormatKind, Opened};
use crate::input::Input;
use crate::name::key_of;
use crate::row::{Batch, Item, RowReader};
use crate::spacing;
use crate::{ImportOptions, IngestError, QualityReport};

/// Rows that tell spacing and order, where the file has as many.
const PROBE_ROWS: usize = 1_000;
/// Items after which the probe gives up on a file of bad rows.
const PROBE_ITEMS: usize = 65_536;

/// Opens a file. The format is found by content, gzip and zip by magic bytes; the key comes from `options`, the
/// file name, the name of the zip member, a symbol column, and the spacing of the first rows.
///
/// Reads the first rows only.
pub fn open(path: &Path, options: &ImportOptions) -> Result<Import, IngestError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Import::start(&name, Input::file(path)?, options)
}

/// As [`open`], for content in memory under the file name `name`.
pub fn open_bytes(name: &str, bytes: Vec<u8>, options: &ImportOptions) -> Result<Import, IngestError> {
    Import::start(name, Input::memory(bytes), options)
}

/// A file being imported.
pub struct Import {
    format: FormatKind,
    input: Input,
    container: Container,
    /// True once the checksums of a compressed file are known to hold.
    verified: bool,
    reader: Box<dyn RowReader>,
    assembler: Assembler,
    chunk_rows: usize,
    batch: Batch,
    /// Items of `batch` already taken.
    taken: usize,
    /// How reading ended, once it has.
    end: Option<Result<(), IngestError>>,
    done: bool,
}

impl fmt::Debug for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Import").field("key", self.key()).field("format", &self.format).finish_non_exhaustive()
    }
}

impl Import {
    fn start(name: &str, input: Input, options: &ImportOptions) -> Result<Self, IngestError> {
        let head = input.first(4).map_err(|source| IngestError::Io { path: name.to_owned(), source })?;
        let container = Container::of(&head);
        let Opened { kind, mut reader, part } = formats::open(&input, options)?;
        let mut batch = Batch::default();
        let end = probe(reader.as_mut(), &mut batch);
        if batch.items.is_empty()
            && let Some(end) = end
        {
            return Err(end.err().unwrap_or(IngestError::NoRows));
        }
        let times: Vec<i64> = batch.rows().take(PROBE_ROWS).map(|row| row.time).collect();
        let unreadable = times.is_empty() && matches!(end, Some(Ok(())));
        let names = Names { file: name, part: &part, symbol: reader.symbol() };
        let key = match key(&names, &times, options) {
            // A file without a readable row is that before it is one without an interval.
            Err(_) if unreadable => return Err(no_readable_row(&batch, options)),
            other => other?,
        };
        let assembler = Assembler::new(key, options, spacing::newest_first(&times));
        let chunk_rows = options.chunk_rows.max(1);
        let (taken, done, verified) = (0, false, container == Container::Plain);
        Ok(Self { format: kind, input, container, verified, reader, assembler, chunk_rows, batch, taken, end, done })
    }

    /// Series that the candles belong to.
    pub fn key(&self) -> &SeriesKey {
        self.assembler.key()
    }

    /// What the file was recognised as.
    pub fn format(&self) -> FormatKind {
        self.format
    }

    /// Size of the file in bytes, compressed as it is.
    pub fn bytes_total(&self) -> u64 {
        self.input.total()
    }

    /// Bytes of it read so far; ahead of the candles handed out by a few buffers.
    pub fn bytes_read(&self) -> u64 {
        self.input.consumed()
    }

    /// The next chunk: sorted, unique, valid candles, at most [`ImportOptions::chunk_rows`]; `None` at the end.
    /// A later chunk may hold an open time again and then wins. Candles read before an error come first, then the
    /// error, then `None`; under `strict` the error comes at once. Of a compressed file whose content does not agree
    /// with its checksums no candle comes at all: any of them may be altered.
    pub fn next_chunk(&mut self) -> Result<Option<CandleSeries>, IngestError> {
        if self.done {
            return Ok(None);
        }
        let chunk = self.collect();
        self.done = !matches!(chunk, Ok(Some(_)));
        chunk
    }

    /// Quality of what was read so far; complete after the last chunk.
    pub fn report(&self) -> QualityReport {
        self.assembler.report()
    }

    fn collect(&mut self) -> Result<Option<CandleSeries>, IngestError> {
        loop {
            while let Some(item) = self.batch.items.get(self.taken) {
                if self.assembler.pending() >= self.chunk_rows {
                    self.verify()?;
                    return self.assembler.take_chunk();
                }
                self.assembler.absorb(item)?;
                self.taken += 1;
            }
            if self.end.is_some() {
                return self.finish();
            }
            self.batch.items.clear();
            self.taken = 0;
            self.end = fill(self.reader.as_mut(), &mut self.batch);
        }
    }

    /// Compares the checksums before the first candle leaves, where reading has not come to them yet.
    fn verify(&mut self) -> Result<(), IngestError> {
        if !self.verified {
            self.verified = true;
            if let Err(error @ IngestError::Damaged { .. }) = container::verify(&self.input, self.container) {
                return Err(error);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<Option<CandleSeries>, IngestError> {
        match self.end.take() {
            Some(Err(error @ IngestError::Damaged { .. })) if self.container != Container::Plain => return Err(error),
            // Damage may first show as a line that no candle file has; the checksum lies behind it.
            end @ Some(Err(_)) => {
                self.end = end;
                self.verify()?;
            }
            end => self.end = end,
        }
        if let Some(chunk) = self.assembler.take_chunk()? {
            return Ok(Some(chunk));
        }
        let kept = self.assembler.kept();
        match self.end.take() {
            Some(Err(error)) => Err(error.after(kept)),
            _ if kept == 0 => Err(rejected_all(&self.assembler)),
            _ => Ok(None),
        }
    }
}

/// Fills `batch` once; how reading ended, if it did.
fn fill(reader: &mut dyn RowReader, batch: &mut Batch) -> Option<Result<(), IngestError>> {
    match reader.fill(batch) {
        Ok(true) => None,
        Ok(false) => Some(Ok(())),
        Err(error) => Some(Err(error)),
    }
}

/// Reads rows until there are enough to judge the file by.
fn probe(reader: &mut dyn RowReader, batch: &mut Batch) -> Option<Result<(), IngestError>> {
    loop {
        let end = fill(reader, batch);
        let enough = batch.rows().take(PROBE_ROWS).count() == PROBE_ROWS || batch.items.len() >= PROBE_ITEMS;
        if end.is_some() || enough {
            return end;
        }
    }
}

/// Where a key can come from, beside the options.
struct Names<'a> {
    file: &'a str,
    part: &'a str,
    symbol: Option<String>,
}

fn key(names: &Names<'_>, times: &[i64], options: &ImportOptions) -> Result<SeriesKey, IngestError> {
    let (file, part) = (key_of(names.file), key_of(names.part));
    let in_column = || names.symbol.as_deref().and_then(|s| Symbol::new(s).ok());
    let symbol = options.symbol.clone().or(file.symbol).or(part.symbol).or_else(in_column);
    let symbol = symbol.ok_or_else(|| IngestError::NoSymbol { name: names.file.chars().take(80).collect() })?;
    let venue = options.venue.clone().or(file.venue).or(part.venue).unwrap_or_else(Venue::binance);
    let named = file.interval.or(part.interval);
    let declared = options.interval.map(|i| ("--interval", i)).or(named.map(|i| ("the file name", i)));
    Ok(SeriesKey::new(venue, symbol, interval(declared, times)?))
}

fn interval(declared: Option<(&'static str, Interval)>, times: &[i64]) -> Result<Interval, IngestError> {
    let Some((origin, declared)) = declared else {
        return spacing::infer(times).ok_or_else(|| IngestError::NoInterval {
            reason: format!("the first {} rows have no regular spacing and the file name names none", times.len()),
        });
    };
    match spacing::contradiction(times, declared) {
        Some(found) => Err(IngestError::IntervalMismatch { origin, declared, found }),
        None => Ok(declared),
    }
}

/// The error for a file of which no row could be read.
fn no_readable_row(batch: &Batch, options: &ImportOptions) -> IngestError {
    let bad =
        |item: &Item| if let Item::Bad { line, problem } = item { Some((*line, problem.to_string())) } else { None };
    let rejected = batch.items.iter().filter_map(bad).count() as u64;
    let mut first = batch.items.iter().filter_map(bad).take(3);
    match first.next() {
        None => IngestError::NoRows,
        Some((line, reason)) if options.strict => IngestError::BadRow { line, reason },
        Some(bad) => {
            let reasons: Vec<String> =
                std::iter::once(bad).chain(first).map(|(line, reason)| format!("line {line}: {reason}")).collect();
            IngestError::NoValidRow { rejected, reasons: reasons.join("; ") }
        }
    }
}

fn rejected_all(assembler: &Assembler) -> IngestError {
    let rows = assembler.report().first_rejected;
    let reasons: Vec<String> = rows.iter().take(3).map(|r| format!("line {}: {}", r.line, r.reason)).collect();
    IngestError::NoValidRow { rejected: assembler.rejected(), reasons: reasons.join("; ") }
}
