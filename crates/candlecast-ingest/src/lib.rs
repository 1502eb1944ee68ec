//! Candle files to chunks of valid candles and a quality report. Stores nothing.
//!
//! [`open`] finds the format by content, the container (gzip, zip) by its magic bytes and the series by
//! options, file name, symbol column and spacing, in this order. [`Import::next_chunk`] then hands out sorted
//! chunks of unique, valid candles until the file ends, and [`Import::report`] says what the file was like.
//!
//! Memory is bounded whatever the file's size: text is decompressed by a second thread through a bounded
//! channel, lines are at most [`MAX_LINE_BYTES`] long, columnar files are read by record batches, duplicates
//! and gaps are counted in a bitmap of one bit a candle. A file out of order is sorted chunk by chunk, so the
//! union of the chunks, later ones laid over earlier ones, is the sorted file in which the last row of an open
//! time wins.
//!
//! Which type goes where: [`IngestError`] ends an import; a bad row ends it only with
//! [`ImportOptions::strict`] and otherwise is counted in [`QualityReport`] with its line and reason.

mod assemble;
mod container;
mod cuts;
mod error;
mod formats;
mod import;
mod input;
mod instant;
mod jumps;
mod layout;
mod name;
mod options;
mod quality;
mod row;
mod row_parser;
mod slots;
mod spacing;

pub use cuts::MAX_LINE_BYTES;
pub use error::IngestError;
pub use formats::FormatKind;
pub use import::{Import, open, open_bytes};
pub use jumps::{Jump, Jumps, MAX_LISTED_JUMPS};
pub use options::{ImportOptions, VolumeUnit};
pub use quality::{Halts, MAX_LISTED_REJECTS, QualityReport, RejectedRow};
