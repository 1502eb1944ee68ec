//! JSON arrays of arrays: Binance's REST klines (12 elements, prices as strings) and freqtrade's (6 numbers).
//!
//! Elements are cut at their closing bracket and parsed like a line of CSV, so that a file of any size is read
//! without ever being a document in memory. The brackets and commas between them are checked.

use super::PartReader;
use crate::cuts::Cuts;
use crate::layout::by_count;
use crate::row::{BATCH_ITEMS, Batch};
use crate::row_parser::{RowParser, fields};
use crate::{IngestError, VolumeUnit};

const WHAT: &str = "json";

/// An array, or an object, which is refused by name on opening.
pub(super) fn sniff(head: &[u8]) -> bool {
    matches!(head.trim_ascii_start().first(), Some(b'[' | b'{'))
}

/// Opens the array. The unit plays no part: the layouts are by position.
pub(super) fn open(cuts: &mut Cuts, _unit: VolumeUnit) -> Result<Box<dyn PartReader>, IngestError> {
    if cuts.head().trim_ascii_start().first() == Some(&b'{') {
        let what = "a json object: klines are an array of arrays, `[[open time, open, high, …], …]`".into();
        return Err(IngestError::Unsupported { what });
    }
    Ok(Box::new(JsonRows { parser: None, started: false }))
}

struct JsonRows {
    /// Made for the number of fields in the first element.
    parser: Option<RowParser>,
    started: bool,
}

impl PartReader for JsonRows {
    fn fill(&mut self, cuts: &mut Cuts, batch: &mut Batch) -> Result<bool, IngestError> {
        let full = batch.items.len() + BATCH_ITEMS;
        while batch.items.len() < full {
            let number = cuts.count() + 1;
            let Some(cut) = cuts.next(b']')?.filter(|cut| cut.delimited) else {
                return Err(IngestError::truncated(WHAT));
            };
            let Some(row) = element(cut.bytes, &mut self.started, number)? else {
                return check_tail(cuts).map(|()| false);
            };
            let parser = match &mut self.parser {
                Some(parser) => parser,
                None => self.parser.insert(parser_for(row)?),
            };
            batch.push(number, parser.parse(number, row));
        }
        Ok(true)
    }

    fn symbol(&self) -> Option<String> {
        None
    }
}

fn parser_for(row: &[u8]) -> Result<RowParser, IngestError> {
    let n = fields(row, b',').count();
    let layout = by_count(n).ok_or_else(|| IngestError::Unsupported {
        what: format!(
            "json rows of {n} elements: 12 (Binance klines) or 6 (time, open, high, low, close, volume) are read"
        ),
    })?;
    Ok(RowParser::new(layout, b','))
}

/// What stands inside the brackets of an element cut at its `]`; `None` for the `]` of the outer array.
fn element<'a>(cut: &'a [u8], started: &mut bool, number: u64) -> Result<Option<&'a [u8]>, IngestError> {
    let expected = if *started { b',' } else { b'[' };
    let text = cut.trim_ascii();
    if text.is_empty() && *started {
        return Ok(None);
    }
    let misplaced = || IngestError::damaged(WHAT, format!("element {number} is not where an array should begin"));
    let rest = text.strip_prefix(&[expected]).ok_or_else(misplaced)?.trim_ascii_start();
    if rest.is_empty() && !*started {
        return Ok(None);
    }
    *started = true;
    rest.strip_prefix(b"[").map(Some).ok_or_else(misplaced)
}

/// Only blanks may follow the array.
fn check_tail(cuts: &mut Cuts) -> Result<(), IngestError> {
    match cuts.next(b']')? {
        None => Ok(()),
        Some(cut) if !cut.delimited && cut.bytes.trim_ascii().is_empty() => Ok(()),
        Some(_) => Err(IngestError::damaged(WHAT, "more follows after the array")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_cut_and_brackets_checked() {
        let mut started = false;
        assert_eq!(element(b" [ [1,2", &mut started, 1).unwrap(), Some(&b"1,2"[..]));
        assert_eq!(element(b",\n [3,4", &mut started, 2).unwrap(), Some(&b"3,4"[..]));
        assert!(element(b"[5,6", &mut started, 3).is_err());
        assert!(element(b", 7", &mut started, 3).is_err());
        assert_eq!(element(b"\n", &mut started, 3).unwrap(), None);
        assert_eq!(element(b"[ ", &mut false, 1).unwrap(), None);
        assert!(element(b"", &mut false, 1).is_err());
    }
}
