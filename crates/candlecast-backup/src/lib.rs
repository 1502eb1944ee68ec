//! Backup and restore: candles, models and the metadata database in one compressed archive.
//!
//! An archive is a tar file compressed by Zstandard, with these members in this order:
//! ```text
//! candlecast-backup.json          format, program, time
//! database/ml_runs.0000.jsonl …   the records of the metadata database, see candlecast_meta::Dump
//! database/dump.json              its tables and columns
//! models/…                        the model folder
//! candles/venue=…/…               the lake
//! manifest.json                   size and SHA-256 of every member before it
//! ```
//!
//! Other programs go on working while a backup is made. First the model files are pinned, by links to them: for that
//! moment nothing is saved, so every model is there whole and with the pointer that names it. The database is read
//! after that, in one transaction: so what was tried for each of these models is on record there, or noted beside it.
//! Candles come last, so none is older than the records that speak of it. The files of a series are opened while nobody
//! writes, which takes a moment, and are taken as they are then: a year's file is replaced by renaming, and the segment
//! over it is read at once.
//!
//! A restore unpacks beside the data folder, compares every digest, and only then puts the new folder in the place of
//! the old one by one renaming. Where models lie apart there are two: a journal beside the data folder says which, and
//! whoever opens the folder next brings to its end what a kill has cut off. Nobody else may work on the folders, which
//! every program marks as in use while it lives.

mod archive;
mod contents;
mod database;
mod digest;
pub mod doc;
mod folder_lock;
mod make;
mod manifest;
mod member;
mod pinned;
mod problem;
mod restore;
mod snapshot;
mod staging;
mod temporary;
mod unpack;

pub use make::{BackedUp, BackupOptions, back_up};
pub use restore::{RestoreOptions, Restored, restore};
