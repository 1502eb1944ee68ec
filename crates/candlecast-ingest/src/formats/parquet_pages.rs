//! Sizes that the pages of a Parquet file declare, checked before the decoder reserves memory for them.
//!
//! The decoder believes `uncompressed_page_size` of each page header, up to 2 GiB, and holds one page and one dictionary
//! of every column at a time: some megabytes of compressed zeros would take tens of gigabytes. Sizes in the footer are
//! no help, since nothing compares them with those of the pages. So the headers are walked first; what lies between
//! them is not read.
//!
//! Headers are Thrift structs in the compact protocol (`PageHeader` of the Parquet format: field 2 is the uncompressed,
//! field 3 the compressed size). Other fields are stepped over.

use std::io::{BufRead, Read};

use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;

use super::parquet::WHAT;
use crate::IngestError;
use crate::input::Input;

/// Most bytes of one page, decompressed. Writers aim at 1 MiB.
const MAX_PAGE_BYTES: u64 = 64 << 20;
/// Most bytes of the pages of one row group, decompressed.
const MAX_GROUP_BYTES: u64 = 4 << 30;
/// Most bytes of a header: it may hold the smallest and largest value of its page.
const MAX_HEADER_BYTES: u64 = 1 << 20;
/// Rows for which no size is suspicious.
const FREE_ROWS: u64 = 16 << 20;
/// Most rows to a byte of file beyond [`FREE_ROWS`]: prices that never change, run-length encoded, are no market.
const MAX_ROWS_PER_BYTE: u64 = 16;
/// Deepest nesting of a header's structs. Parquet's own have two levels.
const MAX_DEPTH: u32 = 8;

/// Walks all pages of the columns `used` (indices of leaves).
///
/// # Errors
/// [`IngestError::Bomb`] or [`IngestError::Unsupported`] for sizes beyond the limits, [`IngestError::Damaged`] for
/// headers that contradict the footer.
pub(super) fn check(input: &Input, file: &ParquetMetaData, used: &[usize]) -> Result<(), IngestError> {
    let rows = count(file.file_metadata().num_rows())?;
    if rows > FREE_ROWS && rows / MAX_ROWS_PER_BYTE > input.total() {
        return Err(IngestError::Bomb { what: WHAT, expanded: rows.saturating_mul(8), compressed: input.total() });
    }
    // The walk is no progress of the import.
    let input = input.uncounted();
    file.row_groups().iter().try_for_each(|group| check_group(&input, group, used))
}

fn check_group(input: &Input, group: &RowGroupMetaData, used: &[usize]) -> Result<(), IngestError> {
    let (mut expanded, mut compressed) = (0_u64, 0_u64);
    for column in used.iter().filter_map(|&i| group.columns().get(i)) {
        let (from, len) = place(column, input)?;
        expanded += check_chunk(input, from, len)?;
        compressed += len;
        if expanded > MAX_GROUP_BYTES {
            return Err(IngestError::Bomb { what: WHAT, expanded, compressed });
        }
    }
    Ok(())
}

/// Where a chunk lies: inside the file, or it is damaged. The decoder takes the range as it is and panics at a
/// negative one.
fn place(column: &ColumnChunkMetaData, input: &Input) -> Result<(u64, u64), IngestError> {
    let from = count(column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset()))?;
    let len = count(column.compressed_size())?;
    if from.checked_add(len).is_none_or(|end| end > input.total()) {
        return Err(IngestError::damaged(WHAT, "a column lies outside of the file"));
    }
    Ok((from, len))
}

fn count(n: i64) -> Result<u64, IngestError> {
    u64::try_from(n).map_err(|_| IngestError::damaged(WHAT, "its footer has a negative size"))
}

/// Decompressed bytes of all pages between `from` and `from + len`.
fn check_chunk(input: &Input, from: u64, len: u64) -> Result<u64, IngestError> {
    let damaged = |reason: String| IngestError::damaged(WHAT, reason);
    let (mut at, end, mut sum) = (from, from + len, 0_u64);
    while at < end {
        let reader = input.get_read(at).map_err(|e| damaged(e.to_string()))?;
        let mut header = Compact { from: reader.take(MAX_HEADER_BYTES.min(end - at)), taken: 0 };
        let sizes = header.page_sizes().ok_or_else(|| damaged("a page header cannot be read".into()))?;
        if sizes.uncompressed > MAX_PAGE_BYTES {
            let what = format!(
                "a parquet page of {} bytes: write the file with pages of at most {MAX_PAGE_BYTES}",
                sizes.uncompressed
            );
            return Err(IngestError::Unsupported { what });
        }
        // At least one byte of header: the walk always comes to an end.
        at = at.saturating_add(header.taken.max(1)).saturating_add(sizes.compressed);
        sum += sizes.uncompressed;
    }
    if at > end {
        return Err(damaged("a page reaches beyond its column".into()));
    }
    Ok(sum)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PageSizes {
    uncompressed: u64,
    compressed: u64,
}

/// Reads Thrift's compact protocol and counts the bytes it took. `None` is anything that is not of it.
struct Compact<R> {
    from: R,
    taken: u64,
}

impl<R: BufRead> Compact<R> {
    /// Sizes of a page from its header, which is read to its end.
    fn page_sizes(&mut self) -> Option<PageSizes> {
        let (mut id, mut uncompressed, mut compressed) = (0_i64, None, None);
        loop {
            let (kind, next) = self.field(id)?;
            id = next;
            match (id, kind) {
                (_, kind::STOP) => break,
                (2, kind::I32) => uncompressed = u64::try_from(self.zigzag()?).ok(),
                (3, kind::I32) => compressed = u64::try_from(self.zigzag()?).ok(),
                _ => self.skip(kind, MAX_DEPTH)?,
            }
        }
        Some(PageSizes { uncompressed: uncompressed?, compressed: compressed? })
    }

    /// Type and number of the next field of a struct; [`kind::STOP`] at its end.
    fn field(&mut self, last: i64) -> Option<(u8, i64)> {
        let byte = self.byte()?;
        let (delta, kind) = (byte >> 4, byte & 0x0f);
        let id = match (delta, kind) {
            (_, kind::STOP) => last,
            (0, _) => self.zigzag()?,
            (delta, _) => last.checked_add(i64::from(delta))?,
        };
        Some((kind, id))
    }

    fn skip(&mut self, kind: u8, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            // In a struct the value of a boolean is in its type.
            kind::TRUE | kind::FALSE => Some(()),
            kind::I8 => self.byte().map(drop),
            kind::I16 | kind::I32 | kind::I64 => self.varint().map(drop),
            kind::DOUBLE => self.bytes(8),
            kind::BINARY => {
                let len = self.varint()?;
                self.bytes(len)
            }
            kind::LIST | kind::SET => self.skip_list(depth),
            kind::STRUCT => {
                let mut id = 0;
                loop {
                    let (kind, next) = self.field(id)?;
                    if kind == kind::STOP {
                        return Some(());
                    }
                    id = next;
                    self.skip(kind, depth)?;
                }
            }
            // Page headers have no maps.
            _ => None,
        }
    }

    fn skip_list(&mut self, depth: u32) -> Option<()> {
        let byte = self.byte()?;
        let len = if byte >> 4 == 15 { self.varint()? } else { u64::from(byte >> 4) };
        for _ in 0..len {
            match byte & 0x0f {
                // In a list a boolean is a byte.
                kind::TRUE | kind::FALSE => self.byte().map(drop)?,
                kind => self.skip(kind, depth)?,
            }
        }
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        self.from.read_exact(&mut byte).ok()?;
        self.taken += 1;
        Some(byte[0])
    }

    fn bytes(&mut self, mut len: u64) -> Option<()> {
        while len > 0 {
            let there = self.from.fill_buf().ok()?.len() as u64;
            if there == 0 {
                return None;
            }
            let step = there.min(len);
            self.from.consume(usize::try_from(step).ok()?);
            self.taken += step;
            len -= step;
        }
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let n = self.varint()?;
        Some((n >> 1) as i64 ^ -((n & 1) as i64))
    }
}

/// Types of the compact protocol.
mod kind {
    /// The end of a struct.
    pub(super) const STOP: u8 = 0;
    pub(super) const TRUE: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const I8: u8 = 3;
    pub(super) const I16: u8 = 4;
    pub(super) const I32: u8 = 5;
    pub(super) const I64: u8 = 6;
    pub(super) const DOUBLE: u8 = 7;
    pub(super) const BINARY: u8 = 8;
    pub(super) const LIST: u8 = 9;
    pub(super) const SET: u8 = 10;
    pub(super) const STRUCT: u8 = 12;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(bytes: &[u8]) -> Option<(PageSizes, u64)> {
        let mut header = Compact { from: bytes, taken: 0 };
        let sizes = header.page_sizes()?;
        Some((sizes, header.taken))
    }

    #[test]
    fn headers_are_read_to_their_end() {
        // type 0; uncompressed 300 (zigzag 600); compressed 100 (200); a struct with a boolean, a list and a text.
        let header =
            [0x15, 0, 0x15, 0xd8, 0x04, 0x15, 0xc8, 0x01, 0x2c, 0x11, 0x19, 0x25, 2, 4, 0x18, 2, b'a', b'b', 0, 0];
        let wanted = PageSizes { uncompressed: 300, compressed: 100 };
        assert_eq!(sizes(&header), Some((wanted, header.len() as u64)));
        for cut in 0..header.len() {
            assert_eq!(sizes(&header[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        // A negative size, a size missing, a length beyond the bytes, structs in structs without end, an endless number.
        assert_eq!(sizes(&[0x15, 0, 0x15, 0x01, 0x15, 0x02, 0]), None);
        assert_eq!(sizes(&[0x15, 0, 0x15, 0x02, 0]), None);
        assert_eq!(sizes(&[0x15, 0, 0x15, 2, 0x15, 2, 0x18, 0xff, 0xff, 0x03, 1]), None);
        assert_eq!(sizes(&[0x1c; 64]), None);
        assert_eq!(sizes(&[[0x15].as_slice(), &[0xff; 12]].concat()), None);
    }
}
