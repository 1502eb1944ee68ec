//! The formats, each a file of its own and a line in one of two lists.

mod arrow_blocks;
mod arrow_ipc;
mod binance_archive;
mod columnar;
mod cryptodatadownload;
mod csv;
mod delimited;
mod kline_json;
mod parquet;
mod parquet_pages;

use std::fmt;

use crate::container::{Container, pump};
use crate::cuts::Cuts;
use crate::input::Input;
use crate::name::{NamedKey, key_of};
use crate::row::{Batch, Item, RowReader};
use crate::{ImportOptions, IngestError, VolumeUnit};

/// What a file was recognised as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatKind {
    /// CSV with a header, or 6 columns without (time, open, high, low, close, volume).
    Csv,
    /// Binance's archive: 12 columns, with or without header.
    BinanceArchive,
    /// CSV of CryptoDataDownload, newest row first.
    CryptoDataDownload,
    /// JSON array of arrays: Binance REST klines (12 elements) or freqtrade (6).
    KlineJson,
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC file (Feather v2).
    ArrowIpc,
}

impl FormatKind {
    /// Its identifier, as printed.
    pub fn id(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::BinanceArchive => "binance-archive",
            Self::CryptoDataDownload => "cryptodatadownload",
            Self::KlineJson => "kline-json",
            Self::Parquet => "parquet",
            Self::ArrowIpc => "arrow-ipc",
        }
    }
}

impl fmt::Display for FormatKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

/// A format told by its first bytes and read at any position.
struct FileFormat {
    kind: FormatKind,
    magic: &'static [u8],
    open: fn(Input, VolumeUnit) -> Result<Box<dyn RowReader>, IngestError>,
}

/// A text format, read in one go. `sniff` sees the first 64 KiB.
struct TextFormat {
    kind: FormatKind,
    sniff: fn(&[u8]) -> bool,
    open: fn(&mut Cuts, VolumeUnit) -> Result<Box<dyn PartReader>, IngestError>,
}

const FILE_FORMATS: &[FileFormat] = &[
    FileFormat { kind: FormatKind::Parquet, magic: b"PAR1", open: parquet::open },
    FileFormat { kind: FormatKind::ArrowIpc, magic: b"ARROW1", open: arrow_ipc::open },
];

/// In order: the first that recognises a file reads it.
const TEXT_FORMATS: &[TextFormat] = &[
    TextFormat { kind: FormatKind::KlineJson, sniff: kline_json::sniff, open: kline_json::open },
    TextFormat { kind: FormatKind::CryptoDataDownload, sniff: cryptodatadownload::sniff, open: delimited::open },
    TextFormat { kind: FormatKind::BinanceArchive, sniff: binance_archive::sniff, open: delimited::open },
    TextFormat { kind: FormatKind::Csv, sniff: csv::sniff, open: delimited::open },
];

/// Reader of one part (file or zip member) of text.
trait PartReader: Send {
    /// Adds at most [`crate::row::BATCH_ITEMS`] items; false at the end of the part.
    fn fill(&mut self, cuts: &mut Cuts, batch: &mut Batch) -> Result<bool, IngestError>;

    fn symbol(&self) -> Option<String>;
}

/// An opened file.
pub(crate) struct Opened {
    pub(crate) kind: FormatKind,
    pub(crate) reader: Box<dyn RowReader>,
    /// Name of the first zip member, else empty.
    pub(crate) part: String,
}

/// Finds the format of `input` and opens it.
pub(crate) fn open(input: &Input, options: &ImportOptions) -> Result<Opened, IngestError> {
    let head = input.first(8).map_err(|source| IngestError::Io { path: "the file".into(), source })?;
    if head.is_empty() {
        return Err(IngestError::Empty);
    }
    if let Some(format) = FILE_FORMATS.iter().find(|f| head.starts_with(f.magic)) {
        let reader = (format.open)(input.clone(), options.volume_unit)?;
        return Ok(Opened { kind: format.kind, reader, part: String::new() });
    }
    let mut cuts = Cuts::new(pump(input, Container::of(&head))?);
    let mut part = cuts.next_part()?.ok_or(IngestError::Empty)?;
    while cuts.head().is_empty() {
        part = cuts.next_part()?.ok_or(IngestError::Empty)?;
    }
    let (kind, current) = open_part(&mut cuts, options.volume_unit)?;
    let reader = TextReader { cuts, current, unit: options.volume_unit, first_part: part.clone() };
    Ok(Opened { kind, reader: Box::new(reader), part })
}

fn open_part(cuts: &mut Cuts, unit: VolumeUnit) -> Result<(FormatKind, Box<dyn PartReader>), IngestError> {
    let head = cuts.head();
    if let Some(format) = FILE_FORMATS.iter().find(|f| head.starts_with(f.magic)) {
        let what = format!("{} inside gzip or zip: decompress it first", format.kind);
        return Err(IngestError::Unsupported { what });
    }
    if head.starts_with(b"FEA1") {
        let what = "feather v1: write it again as feather v2 (pandas to_feather does)".into();
        return Err(IngestError::Unsupported { what });
    }
    let format = TEXT_FORMATS.iter().find(|f| !is_binary(&head) && (f.sniff)(&head)).ok_or_else(|| {
        let first_bytes: Vec<String> = head.iter().take(8).map(|b| format!("{b:02x}")).collect();
        IngestError::Binary { first_bytes: first_bytes.join(" ") }
    })?;
    Ok((format.kind, (format.open)(cuts, unit)?))
}

/// A NUL byte, or a first line that is no text.
fn is_binary(head: &[u8]) -> bool {
    let first = head.split(|&b| b == b'\n').next().unwrap_or_default();
    let broken = match std::str::from_utf8(first) {
        Ok(text) => text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\r')),
        // A head that ends within a character has an error without a length.
        Err(error) => error.error_len().is_some(),
    };
    broken || head.contains(&0)
}

/// Text of one or several parts.
struct TextReader {
    cuts: Cuts,
    current: Box<dyn PartReader>,
    unit: VolumeUnit,
    first_part: String,
}

impl TextReader {
    /// Goes on to the next part that is not empty; false when there is none.
    fn advance(&mut self, batch: &mut Batch) -> Result<bool, IngestError> {
        while let Some(name) = self.cuts.next_part()? {
            if self.cuts.head().is_empty() {
                continue;
            }
            check_same_series(&self.first_part, &name)?;
            self.current = open_part(&mut self.cuts, self.unit)?.1;
            batch.items.push(Item::Part(name));
            return Ok(true);
        }
        Ok(false)
    }
}

impl RowReader for TextReader {
    fn fill(&mut self, batch: &mut Batch) -> Result<bool, IngestError> {
        if self.current.fill(&mut self.cuts, batch)? {
            return Ok(true);
        }
        self.advance(batch)
    }

    fn symbol(&self) -> Option<String> {
        self.current.symbol()
    }
}

fn check_same_series(first: &str, other: &str) -> Result<(), IngestError> {
    let (a, b): (NamedKey, NamedKey) = (key_of(first), key_of(other));
    if a == b {
        return Ok(());
    }
    Err(IngestError::MixedMembers { first: first.into(), other: other.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_binary_are_told_apart() {
        for text in ["open_time,open\n1,2", "größe;x\n", "a\tb\r\nc", "[[1,2]]", ""] {
            assert!(!is_binary(text.as_bytes()), "{text}");
        }
        for bytes in [&b"\x7fELF\x02"[..], b"a,b\n\0\0", b"\xff\xfea\0b\0", b"caf\xe9,x\n", b"\x01\x02"] {
            assert!(is_binary(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn members_must_be_of_one_series() {
        assert!(check_same_series("BTCUSDT-1h-2024-12.csv", "BTCUSDT-1h-2025-01.csv").is_ok());
        assert!(check_same_series("BTCUSDT-1h-2024-12.csv", "ETHUSDT-1h-2024-12.csv").is_err());
        assert!(check_same_series("BTCUSDT-1h.csv", "BTCUSDT-1m.csv").is_err());
    }
}
