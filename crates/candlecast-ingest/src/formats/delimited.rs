//! What all CSV formats share: skipping to the rows, the separator, the layout.

use super::PartReader;
use crate::cuts::Cuts;
use crate::layout::{Layout, by_count, by_names};
use crate::row::{BATCH_ITEMS, Batch};
use crate::row_parser::{RowParser, fields};
use crate::{IngestError, VolumeUnit, instant};

/// Lines before the header that are looked at.
const MAX_PREAMBLE: usize = 16;

/// The top of a file: lines before the header, then the header or first row.
#[derive(Debug)]
pub(super) struct Top {
    /// Lines before, blank, `#` comments or a URL.
    pub(super) preamble: usize,
    /// Fields of the first line that is none of these.
    pub(super) first: Vec<String>,
    pub(super) separator: u8,
    /// True when `first` are names.
    pub(super) named: bool,
}

impl Top {
    /// `None` when `head` ends before a header.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        let mut preamble = 0;
        for line in head.split(|&b| b == b'\n').take(MAX_PREAMBLE) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !is_preamble(line) {
                return Some(Self::at(preamble, line));
            }
            preamble += 1;
        }
        None
    }

    fn at(preamble: usize, line: &[u8]) -> Self {
        let separator = separator_of(line);
        let first: Vec<String> = fields(line, separator).map(|f| String::from_utf8_lossy(f).into_owned()).collect();
        let is_number = |text: &String| fast_float2::parse::<f64, _>(text).is_ok();
        let values = first.len() >= 6 && first[1..6].iter().any(is_number);
        let named = !(values || first.first().is_some_and(|f| instant::parse(f.as_bytes()).is_ok()));
        Self { preamble, first, separator, named }
    }

    fn layout(&self, unit: VolumeUnit) -> Result<Layout, IngestError> {
        if self.named {
            return by_names(&self.first, unit);
        }
        by_count(self.first.len()).ok_or_else(|| IngestError::Unsupported {
            what: format!(
                "csv of {} columns without a header (6 or 12 are known): put a header line above",
                self.first.len()
            ),
        })
    }
}

fn is_preamble(line: &[u8]) -> bool {
    line.trim_ascii().is_empty()
        || line.starts_with(b"#")
        || line.starts_with(b"http://")
        || line.starts_with(b"https://")
}

/// The separator that a header uses most; comma where it has none.
fn separator_of(line: &[u8]) -> u8 {
    let mut best = (0, b',');
    for separator in [b',', b';', b'\t'] {
        let n = memchr::memchr_iter(separator, line).count();
        if n > best.0 {
            best = (n, separator);
        }
    }
    best.1
}

/// Opens a CSV part at its first row.
pub(super) fn open(cuts: &mut Cuts, unit: VolumeUnit) -> Result<Box<dyn PartReader>, IngestError> {
    let top = Top::of(&cuts.head()).ok_or(IngestError::NoRows)?;
    let layout = top.layout(unit)?;
    for _ in 0..top.preamble + usize::from(top.named) {
        cuts.next(b'\n')?;
    }
    Ok(Box::new(DelimitedRows { parser: RowParser::new(layout, top.separator) }))
}

struct DelimitedRows {
    parser: RowParser,
}

impl PartReader for DelimitedRows {
    fn fill(&mut self, cuts: &mut Cuts, batch: &mut Batch) -> Result<bool, IngestError> {
        let full = batch.items.len() + BATCH_ITEMS;
        while batch.items.len() < full {
            let line = cuts.count() + 1;
            let Some(cut) = cuts.next(b'\n')? else { return Ok(false) };
            // Not trimmed: in a tab-separated line trailing blanks are empty fields.
            let bytes = cut.bytes.strip_suffix(b"\r").unwrap_or(cut.bytes);
            if !bytes.trim_ascii().is_empty() {
                batch.push(line, self.parser.parse(line, bytes));
            }
        }
        Ok(true)
    }

    fn symbol(&self) -> Option<String> {
        self.parser.symbol()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_rows_are_told_apart() {
        let named = |text: &str| Top::of(text.as_bytes()).map(|t| (t.preamble, t.named, t.first.len(), t.separator));
        assert_eq!(named("time;open;high\n1;2;3"), Some((0, true, 3, b';')));
        assert_eq!(named("1704067200000,1,2,1,1,5\n"), Some((0, false, 6, b',')));
        assert_eq!(named("2024-01-01,1,2,1,1,5"), Some((0, false, 6, b',')));
        assert_eq!(named("https://www.CryptoDataDownload.com\r\n\n\"unix\"\t\"open\""), Some((2, true, 2, b'\t')));
        assert_eq!(named("bad,1,2,1,1,5\n"), Some((0, false, 6, b',')));
        assert_eq!(named("\n\n"), None);
        assert_eq!(named(""), None);
    }
}
