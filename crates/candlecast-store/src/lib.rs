//! Where candles are kept.
//!
//! [`CandleStore`] is the contract: upsert, scan, list, delete. [`ParquetLake`] keeps candles in Parquet files
//! that other programs read in place, [`MemoryStore`] keeps them in memory. Both pass one law suite
//! (`candlecast-testkit`), and so must every other store.
//!
//! [`StoreError`] is the one error type of this crate.

mod candle_store;
mod crop;
mod error;
mod lake;
mod memory;
mod nearest;
mod overlay;
mod years;

pub use candle_store::{CandlePieces, CandleStore, Coverage};
pub use error::StoreError;
pub use lake::{LakeConfig, ParquetLake};
pub use memory::MemoryStore;
pub use years::{FIRST_YEAR, LAST_YEAR};
