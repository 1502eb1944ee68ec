//! Sizes that an Arrow file declares, checked against the file and a limit before the decoder believes them.

use arrow::ipc::{RecordBatch, root_as_footer, root_as_message};

use super::arrow_ipc::WHAT;
use crate::IngestError;
use crate::input::Input;

/// The end of a file: footer length, then this.
const MAGIC: &[u8] = b"ARROW1";
const TRAILER_BYTES: u64 = 10;
const MAX_FOOTER_BYTES: u64 = 64 << 20;
/// Most bytes of one record batch, decompressed: what bounds the memory of an import.
const MAX_BATCH_BYTES: u64 = 512 << 20;

/// A stretch of the file.
#[derive(Debug, Clone, Copy)]
struct Block {
    offset: u64,
    metadata_len: u64,
    body_len: u64,
}

/// Where the record batches lie.
#[derive(Debug)]
pub(super) struct Blocks {
    batches: Vec<Block>,
}

impl Blocks {
    /// Reads the footer and checks that every block lies inside the file; dictionaries are checked in full.
    pub(super) fn read(input: &Input) -> Result<Self, IngestError> {
        let truncated = |_| IngestError::truncated(WHAT);
        let end = input.total().checked_sub(TRAILER_BYTES).ok_or(IngestError::truncated(WHAT))?;
        let trailer = input.exact(end, TRAILER_BYTES).map_err(truncated)?;
        let (length, magic) = trailer.split_at(4);
        if magic != MAGIC {
            return Err(IngestError::truncated(WHAT));
        }
        let length = length.iter().rev().fold(0_u64, |n, &b| n << 8 | u64::from(b));
        if length > MAX_FOOTER_BYTES || length > end {
            return Err(IngestError::damaged(WHAT, "its footer has an impossible length"));
        }
        let bytes = input.exact(end - length, length).map_err(truncated)?;
        let footer = root_as_footer(&bytes).map_err(|e| IngestError::damaged(WHAT, e))?;
        let place =
            |block: &arrow::ipc::Block| place(block.offset(), block.metaDataLength(), block.bodyLength(), input);
        for dictionary in footer.dictionaries().iter().flatten() {
            check(input, place(dictionary)?)?;
        }
        let batches = footer.recordBatches().iter().flatten().map(place).collect::<Result<_, _>>()?;
        Ok(Self { batches })
    }

    pub(super) fn len(&self) -> usize {
        self.batches.len()
    }

    /// Checks the declared sizes of batch `i`.
    pub(super) fn check(&self, input: &Input, i: usize) -> Result<(), IngestError> {
        check(input, self.batches[i])
    }
}

fn place(offset: i64, metadata_len: i32, body_len: i64, input: &Input) -> Result<Block, IngestError> {
    let outside = || IngestError::damaged(WHAT, "a record batch lies outside of the file");
    let [offset, metadata_len, body_len] =
        [offset, i64::from(metadata_len), body_len].map(|n| u64::try_from(n).map_err(|_| outside()));
    let block = Block { offset: offset?, metadata_len: metadata_len?, body_len: body_len? };
    let end = block.offset.checked_add(block.metadata_len).and_then(|n| n.checked_add(block.body_len));
    if end.is_none_or(|end| end > input.total()) {
        return Err(outside());
    }
    Ok(block)
}

fn check(input: &Input, block: Block) -> Result<(), IngestError> {
    let too_large = |bytes: u64| IngestError::Unsupported {
        what: format!("an arrow record batch of {bytes} bytes: write the file in batches of at most {MAX_BATCH_BYTES}"),
    };
    if block.metadata_len > MAX_FOOTER_BYTES || block.body_len > MAX_BATCH_BYTES {
        return Err(too_large(block.metadata_len.max(block.body_len)));
    }
    let bytes = input.exact(block.offset, block.metadata_len).map_err(|e| IngestError::damaged(WHAT, e))?;
    // The encapsulated message begins with a marker and its length, or in old files with the length alone.
    let skip = if bytes.starts_with(&[0xff; 4]) { 8 } else { 4 };
    let message = bytes.get(skip..).unwrap_or_default();
    let message = root_as_message(message).map_err(|e| IngestError::damaged(WHAT, e))?;
    let dictionary = message.header_as_dictionary_batch().and_then(|d| d.data());
    let Some(batch) = message.header_as_record_batch().or(dictionary) else { return Ok(()) };
    let expanded = expanded_bytes(input, block, &batch)?;
    if expanded > MAX_BATCH_BYTES || u64::try_from(batch.length()).is_err() {
        return Err(too_large(expanded));
    }
    Ok(())
}

/// Sum of the decompressed lengths that a batch declares; uncompressed buffers count as they lie.
fn expanded_bytes(input: &Input, block: Block, batch: &RecordBatch<'_>) -> Result<u64, IngestError> {
    let outside = || IngestError::damaged(WHAT, "a buffer lies outside of its record batch");
    let mut sum = 0_u64;
    for buffer in batch.buffers().iter().flatten() {
        let (Ok(at), Ok(len)) = (u64::try_from(buffer.offset()), u64::try_from(buffer.length())) else {
            return Err(outside());
        };
        if at.checked_add(len).is_none_or(|end| end > block.body_len) {
            return Err(outside());
        }
        let declared = if batch.compression().is_some() && len >= 8 {
            let prefix = input.exact(block.offset + block.metadata_len + at, 8).map_err(|_| outside())?;
            // -1 says that this buffer is not compressed; other negative lengths the decoder refuses.
            let n = prefix.iter().rev().fold(0_u64, |n, &b| n << 8 | u64::from(b)) as i64;
            u64::try_from(n).unwrap_or(len)
        } else {
            len
        };
        sum = sum.saturating_add(declared);
    }
    Ok(sum)
}
