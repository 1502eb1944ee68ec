//! [`Dump`]: all records as text that either database reads back, for backups and for moving from one to the other.
//!
//! A record is a line: a JSON array with a value for each column, in the order of [`DumpTable::columns`]. Whole
//! numbers and real ones are JSON numbers, which read back to the same bits; texts are strings; bytes are hexadecimal
//! strings; NULL is null. Columns that count up keep their values, so that lists and pages stay as they were.

use serde::{Deserialize, Serialize};

/// What a dump holds, beside the records themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dump {
    /// Version of the schema that the records have.
    pub schema: i64,
    /// The tables, those that are referred to before those that refer to them.
    pub tables: Vec<DumpTable>,
}

/// One table of a dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DumpTable {
    /// Its name.
    pub name: String,
    /// Its columns, in the order of a line's values.
    pub columns: Vec<DumpColumn>,
    /// Records.
    pub rows: u64,
}

/// One column of a dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DumpColumn {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: ColumnKind,
}

/// The types that both databases share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ColumnKind {
    /// Whole number of 64 bits.
    Int,
    /// Finite number of double precision.
    Real,
    /// Text.
    Text,
    /// Bytes.
    Blob,
}

/// Some records of one table, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpPiece {
    /// The table.
    pub table: String,
    /// The records, each a line.
    pub lines: String,
}

impl Dump {
    /// Records in all.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// The table called `name`.
    pub fn table(&self, name: &str) -> Option<&DumpTable> {
        self.tables.iter().find(|table| table.name == name)
    }
}
