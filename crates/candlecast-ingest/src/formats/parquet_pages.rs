//! Sizes that the pages of a Parquet file declare, checked before the decoder reserves memory for them.
//!
//! The decoder believes `uncompressed_page_size` of each page header, up to 2 GiB, and holds one page and one dictionary
//! of every column at a time: some megabytes of compressed zeros would take tens of gigabytes. Sizes in the footer are
//! no help, since nothing compares them with those of the pages. So the headers are walked first. What lies between
//! them is read only where it is gzip: that decoder goes on to the end of what is compressed, whatever size is declared.
//!
//! Headers are Thrift structs in the compact protocol (`PageHeader` of the Parquet format: field 2 is the uncompressed,
//! field 3 the compressed size). Other fields are stepped over. The decoder goes by the numbers of fields alone, whatever
//! type they say they have, and of a field that comes twice takes the last. What it would read otherwise than the walk
//! does is refused: a size could hide in it.

use std::io::{self, BufRead, Read};

use flate2::bufread::MultiGzDecoder;
use parquet::basic::Compression;
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
    let rows = rows(file.file_metadata().num_rows(), file.row_groups().iter().map(RowGroupMetaData::num_rows))?;
    if rows > FREE_ROWS && rows / MAX_ROWS_PER_BYTE > input.total() {
        return Err(IngestError::Bomb { what: WHAT, expanded: rows.saturating_mul(8), compressed: input.total() });
    }
    // The walk is no progress of the import.
    let input = input.uncounted();
    file.row_groups().iter().try_for_each(|group| check_group(&input, group, used))
}

/// Rows that may come: the decoder goes by the row groups, whatever the file says of all of them.
fn rows(of_file: i64, of_groups: impl Iterator<Item = i64>) -> Result<u64, IngestError> {
    let mut sum = 0_u64;
    for n in of_groups {
        sum = sum.saturating_add(count(n)?);
    }
    Ok(sum.max(count(of_file)?))
}

fn check_group(input: &Input, group: &RowGroupMetaData, used: &[usize]) -> Result<(), IngestError> {
    let (mut expanded, mut compressed) = (0_u64, 0_u64);
    for column in used.iter().filter_map(|&i| group.columns().get(i)) {
        let (from, len) = place(column, input)?;
        expanded += check_chunk(input, from, len, column.compression())?;
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
fn check_chunk(input: &Input, from: u64, len: u64, compression: Compression) -> Result<u64, IngestError> {
    let damaged = |reason: String| IngestError::damaged(WHAT, reason);
    if compression == Compression::LZ4 {
        // Its decoder, too, heeds no size, and has three ways to understand what it is given.
        let what = "a parquet column in the deprecated LZ4 compression: write the file with LZ4_RAW or ZSTD".into();
        return Err(IngestError::Unsupported { what });
    }
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
        at = at.saturating_add(header.taken.max(1));
        if matches!(compression, Compression::GZIP(_)) && sizes.compressed <= end.saturating_sub(at) {
            check_gzip(input, at, sizes)?;
        }
        at = at.saturating_add(sizes.compressed);
        sum += sizes.uncompressed;
    }
    if at > end {
        return Err(damaged("a page reaches beyond its column".into()));
    }
    Ok(sum)
}

/// Unpacks the page that begins at `at`, to nowhere, as far as its size goes.
fn check_gzip(input: &Input, at: u64, sizes: PageSizes) -> Result<(), IngestError> {
    // What is not unpacked at all, or contradicts itself, is the decoder's to tell of.
    let Some(most @ 1..) = sizes.uncompressed.checked_sub(sizes.plain) else { return Ok(()) };
    let Some(compressed) = sizes.compressed.checked_sub(sizes.plain) else { return Ok(()) };
    let reader = input.get_read(at + sizes.plain).map_err(|e| IngestError::damaged(WHAT, e))?;
    let mut content = MultiGzDecoder::new(reader.take(compressed)).take(most + 1);
    match io::copy(&mut content, &mut io::sink()) {
        Ok(expanded) if expanded > most => Err(IngestError::Bomb { what: WHAT, expanded, compressed }),
        _ => Ok(()),
    }
}

/// Bytes of one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct PageSizes {
    uncompressed: u64,
    compressed: u64,
    /// Bytes at its beginning that are never compressed: levels, in pages of version 2.
    plain: u64,
}

/// A field of a struct as the decoder knows it.
struct Known {
    kind: u8,
    /// Fields of a struct, from number 1 on.
    fields: &'static [Known],
}

impl Known {
    const fn value(kind: u8) -> Self {
        Self { kind, fields: &[] }
    }

    fn field(&self, id: i64) -> Option<&Known> {
        self.fields.get(usize::try_from(id).ok()?.checked_sub(1)?)
    }
}

const BOOL: Known = Known::value(kind::TRUE);
const I32: Known = Known::value(kind::I32);
const I64: Known = Known::value(kind::I64);
const BINARY: Known = Known::value(kind::BINARY);
const STATISTICS: Known =
    Known { kind: kind::STRUCT, fields: &[BINARY, BINARY, I64, I64, BINARY, BINARY, BOOL, BOOL, I64] };
const DATA_PAGE: Known = Known { kind: kind::STRUCT, fields: &[I32, I32, I32, I32, STATISTICS] };
const INDEX_PAGE: Known = Known { kind: kind::STRUCT, fields: &[] };
const DICTIONARY_PAGE: Known = Known { kind: kind::STRUCT, fields: &[I32, I32, BOOL] };
const DATA_PAGE_V2: Known = Known { kind: kind::STRUCT, fields: &[I32, I32, I32, I32, I32, I32, BOOL, STATISTICS] };
const PAGE: Known =
    Known { kind: kind::STRUCT, fields: &[I32, I32, I32, I32, DATA_PAGE, INDEX_PAGE, DICTIONARY_PAGE, DATA_PAGE_V2] };

/// Reads Thrift's compact protocol and counts the bytes it took. `None` is anything that is not of it.
struct Compact<R> {
    from: R,
    taken: u64,
}

impl<R: BufRead> Compact<R> {
    /// Sizes of a page from its header, which is read to its end.
    fn page_sizes(&mut self) -> Option<PageSizes> {
        let (mut last, mut uncompressed, mut compressed, mut plain) = (0, None, None, 0);
        loop {
            let (kind, id) = self.field(last)?;
            last = id;
            match (id, kind) {
                (_, kind::STOP) => break,
                (2, kind::I32) => uncompressed = Some(self.size()?),
                (3, kind::I32) => compressed = Some(self.size()?),
                (8, kind::STRUCT) => plain = self.levels()?,
                _ => self.skip(kind, PAGE.field(id), MAX_DEPTH)?,
            }
        }
        Some(PageSizes { uncompressed: uncompressed?, compressed: compressed?, plain })
    }

    /// Bytes of both kinds of levels of a page of version 2, from its part of the header.
    fn levels(&mut self) -> Option<u64> {
        let (mut last, mut bytes) = (0, 0);
        loop {
            let (kind, id) = self.field(last)?;
            last = id;
            match (id, kind) {
                (_, kind::STOP) => return Some(bytes),
                (5 | 6, kind::I32) => bytes += self.size()?,
                _ => self.skip(kind, DATA_PAGE_V2.field(id), MAX_DEPTH)?,
            }
        }
    }

    /// Type and number of the next field of a struct, after that of number `last`; [`kind::STOP`] at its end. A boolean
    /// is [`kind::TRUE`], whichever it is.
    fn field(&mut self, last: i64) -> Option<(u8, i64)> {
        let byte = self.byte()?;
        let (delta, kind) = (byte >> 4, byte & 0x0f);
        let id = match (delta, kind) {
            (_, kind::STOP) => return Some((kind, last)),
            (0, _) => self.zigzag()?,
            (delta, _) => last.checked_add(i64::from(delta))?,
        };
        let kind = if kind == kind::FALSE { kind::TRUE } else { kind };
        // The decoder cuts greater numbers off.
        (id > last && id <= i64::from(i16::MAX)).then_some((kind, id))
    }

    /// Steps over the value of a field of type `kind`, which the decoder takes for `known`, if it knows it.
    fn skip(&mut self, kind: u8, known: Option<&Known>, depth: u32) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        if known.is_some_and(|known| known.kind != kind) {
            return None;
        }
        match kind {
            // In a struct the value of a boolean is in its type.
            kind::TRUE => Some(()),
            kind::I8 => self.byte().map(drop),
            kind::I16 | kind::I32 | kind::I64 => self.varint().map(drop),
            kind::DOUBLE => self.bytes(8),
            kind::BINARY => {
                let len = self.varint()?;
                self.bytes(len)
            }
            kind::STRUCT => {
                let mut last = 0;
                loop {
                    let (kind, id) = self.field(last)?;
                    if kind == kind::STOP {
                        return Some(());
                    }
                    last = id;
                    self.skip(kind, known.and_then(|known| known.field(id)), depth)?;
                }
            }
            // Page headers have no lists, sets and maps, and the decoder steps over those of booleans in its own way.
            _ => None,
        }
    }

    /// A size that is not negative.
    fn size(&mut self) -> Option<u64> {
        let size = i32::try_from(self.zigzag()?).ok()?;
        u64::try_from(size).ok()
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
    pub(super) const STRUCT: u8 = 12;
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn sizes(bytes: &[u8]) -> Option<(PageSizes, u64)> {
        let mut header = Compact { from: bytes, taken: 0 };
        let sizes = header.page_sizes()?;
        Some((sizes, header.taken))
    }

    /// Type 0; uncompressed 300 (zigzag 600); compressed 100 (200).
    const START: [u8; 8] = [0x15, 0, 0x15, 0xd8, 0x04, 0x15, 0xc8, 0x01];
    const SIZES: PageSizes = PageSizes { uncompressed: 300, compressed: 100, plain: 0 };

    /// The sizes from a header that goes on with `rest`.
    fn after_start(rest: &[u8]) -> Option<PageSizes> {
        sizes(&[START.as_slice(), rest].concat()).map(|(sizes, _)| sizes)
    }

    #[test]
    fn headers_are_read_to_their_end() {
        // A header of data: four numbers, then statistics of two texts, a number, a boolean of each value.
        let statistics = [0x1c, 0x18, 1, b'b', 0x18, 2, b'a', b'a', 0x16, 0, 0x41, 0x12, 0];
        let data = [&[0x2c, 0x15, 2, 0x15, 0, 0x15, 6, 0x15, 6][..], &statistics, &[0]].concat();
        // Of version 2: six numbers, of which the last two are levels of 5 and 7 bytes, and a boolean.
        let data_v2 = [0x5c, 0x15, 2, 0x15, 0, 0x15, 2, 0x15, 0, 0x15, 10, 0x15, 14, 0x12, 0];
        for (page, plain) in [(data.as_slice(), 0), (data_v2.as_slice(), 12)] {
            // A field that a later version of the format may add comes last.
            let header = [START.as_slice(), page, &[0x48, 1, b'x', 0]].concat();
            assert_eq!(sizes(&header), Some((PageSizes { plain, ..SIZES }, header.len() as u64)));
            for cut in 0..header.len() {
                assert_eq!(sizes(&header[..cut]), None, "cut at {cut}");
            }
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        // A negative size, a size missing, a length beyond the bytes, structs in structs without end, an endless number.
        assert_eq!(sizes(&[0x15, 0, 0x15, 0x01, 0x15, 0x02, 0]), None);
        assert_eq!(sizes(&[0x15, 0, 0x15, 0x02, 0]), None);
        assert_eq!(sizes(&[0x15, 0, 0x15, 2, 0x15, 2, 0x68, 0xff, 0xff, 0x03, 1]), None);
        assert_eq!(after_start(&[0x6c; 64]), None);
        assert_eq!(sizes(&[[0x15].as_slice(), &[0xff; 12]].concat()), None);
        // A size beyond what the decoder's number holds.
        assert_eq!(sizes(&[0x15, 0, 0x15, 0x80, 0x80, 0x80, 0x80, 0x20, 0x15, 2, 0]), None);
    }

    /// The decoder takes the last size that field 2 has, whatever its type: here nearly 2 GiB.
    #[test]
    fn a_size_that_only_the_decoder_would_see_is_refused() {
        assert_eq!(after_start(&[0]), Some(SIZES));
        let large = [0xfe, 0xff, 0xff, 0xff, 0x0f];
        let hidden = |field: &[u8]| after_start(&[field, &large, &[0]].concat());
        // Once more as field 2, as a number of 32 and of 64 bits.
        assert_eq!(hidden(&[0x05, 0x04]), None);
        assert_eq!(hidden(&[0x06, 0x04]), None);
        // As field 65,538, of whose number the decoder keeps 16 bits.
        assert_eq!(hidden(&[0x05, 0x84, 0x80, 0x08]), None);
        // In a text where the decoder knows a struct, and in a list of booleans, which it takes to have no bytes.
        assert_eq!(hidden(&[0x28, 8, 0, 0x05, 0x04]), None);
        assert_eq!(hidden(&[0x69, 0x71, 0x05, 0x04]), None);
        // A field of the header of data that has another type there.
        assert_eq!(after_start(&[0x2c, 0x18, 1, b'x', 0, 0]), None);
    }

    #[test]
    fn the_rows_are_those_of_the_file_or_of_its_groups_whichever_are_more() {
        assert_eq!(rows(7, [3, 4].into_iter()).unwrap(), 7);
        assert_eq!(rows(1, [1 << 40, 1 << 40].into_iter()).unwrap(), 1 << 41);
        assert_eq!(rows(9, [1].into_iter()).unwrap(), 9);
        assert!(rows(-1, [1].into_iter()).is_err());
        assert!(rows(1, [2, -1].into_iter()).is_err());
    }

    /// A chunk of one page: `content`, said to have `declared` bytes before it was compressed.
    fn chunk(content: &[u8], declared: i32) -> Input {
        let number = |mut n: u32| {
            let mut bytes = Vec::new();
            while n >= 0x80 {
                bytes.push((n & 0x7f) as u8 | 0x80);
                n >>= 7;
            }
            bytes.push(n as u8);
            bytes
        };
        let [declared, len] = [declared as u32, content.len() as u32].map(|n| number(n << 1));
        Input::memory([&[0x15, 0, 0x15][..], &declared, &[0x15], &len, &[0], content].concat())
    }

    #[test]
    fn a_page_of_gzip_that_holds_more_than_it_declares_is_a_bomb() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
        let content = encoder.finish().unwrap();
        let check = |declared: i32, compression| {
            let input = chunk(&content, declared);
            check_chunk(&input, 0, input.total(), compression)
        };
        let gzip = Compression::GZIP(parquet::basic::GzipLevel::default());
        assert_eq!(check(1 << 20, gzip).unwrap(), 1 << 20);
        assert!(matches!(check((1 << 20) - 1, gzip), Err(IngestError::Bomb { .. })));
        assert!(matches!(check(1, gzip), Err(IngestError::Bomb { .. })));
        // Other decoders stop at the size that is declared.
        assert_eq!(check(1, Compression::SNAPPY).unwrap(), 1);
        assert!(matches!(check(1, Compression::LZ4), Err(IngestError::Unsupported { .. })));
    }

    #[test]
    fn the_levels_of_a_page_are_not_taken_for_gzip() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&[0; 1_000]).unwrap();
        let content = [&[1, 2, 3][..], &encoder.finish().unwrap()].concat();
        let input = Input::memory(content.clone());
        let sizes = |uncompressed| PageSizes { uncompressed, compressed: content.len() as u64, plain: 3 };
        assert!(check_gzip(&input, 0, sizes(1_003)).is_ok());
        assert!(matches!(check_gzip(&input, 0, sizes(1_002)), Err(IngestError::Bomb { .. })));
        // All of it is levels, or more than there is: nothing is unpacked.
        assert!(check_gzip(&input, 0, sizes(3)).is_ok());
        assert!(check_gzip(&input, 0, PageSizes { plain: u64::MAX, ..sizes(1_003) }).is_ok());
    }
}
