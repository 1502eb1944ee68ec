//! [`Record`]: a row of either database, read by column name with errors that name the column.

use std::str::FromStr;

use candlecast_core::{Interval, SeriesKey, Symbol, Timestamp, Venue};
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use crate::MetaError;

/// A row that was read.
pub(crate) enum Record {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

impl Record {
    pub(crate) fn int_if_any(&self, column: &str) -> Result<Option<i64>, MetaError> {
        match self {
            Self::Sqlite(row) => row.try_get::<Option<i64>, _>(column),
            Self::Postgres(row) => row.try_get::<Option<i64>, _>(column),
        }
        .map_err(|error| damaged(column, &error))
    }

    pub(crate) fn real_if_any(&self, column: &str) -> Result<Option<f64>, MetaError> {
        match self {
            Self::Sqlite(row) => row.try_get::<Option<f64>, _>(column),
            Self::Postgres(row) => row.try_get::<Option<f64>, _>(column),
        }
        .map_err(|error| damaged(column, &error))
    }

    pub(crate) fn text_if_any(&self, column: &str) -> Result<Option<String>, MetaError> {
        match self {
            Self::Sqlite(row) => row.try_get::<Option<String>, _>(column),
            Self::Postgres(row) => row.try_get::<Option<String>, _>(column),
        }
        .map_err(|error| damaged(column, &error))
    }

    pub(crate) fn blob_if_any(&self, column: &str) -> Result<Option<Vec<u8>>, MetaError> {
        match self {
            Self::Sqlite(row) => row.try_get::<Option<Vec<u8>>, _>(column),
            Self::Postgres(row) => row.try_get::<Option<Vec<u8>>, _>(column),
        }
        .map_err(|error| damaged(column, &error))
    }

    pub(crate) fn blob(&self, column: &str) -> Result<Vec<u8>, MetaError> {
        self.blob_if_any(column)?.ok_or_else(|| damaged(column, &"nothing"))
    }

    pub(crate) fn int(&self, column: &str) -> Result<i64, MetaError> {
        self.int_if_any(column)?.ok_or_else(|| damaged(column, &"nothing"))
    }

    pub(crate) fn real(&self, column: &str) -> Result<f64, MetaError> {
        self.real_if_any(column)?.ok_or_else(|| damaged(column, &"nothing"))
    }

    pub(crate) fn text(&self, column: &str) -> Result<String, MetaError> {
        self.text_if_any(column)?.ok_or_else(|| damaged(column, &"nothing"))
    }

    pub(crate) fn flag(&self, column: &str) -> Result<bool, MetaError> {
        Ok(self.int(column)? != 0)
    }

    pub(crate) fn time(&self, column: &str) -> Result<Timestamp, MetaError> {
        self.int(column).map(Timestamp)
    }

    pub(crate) fn time_if_any(&self, column: &str) -> Result<Option<Timestamp>, MetaError> {
        Ok(self.int_if_any(column)?.map(Timestamp))
    }

    /// A whole number of a narrower type than the column's.
    pub(crate) fn narrow<T: TryFrom<i64>>(&self, column: &str) -> Result<T, MetaError> {
        let value = self.int(column)?;
        T::try_from(value).map_err(|_| damaged(column, &value))
    }

    /// A whole number of a narrower type, if any.
    pub(crate) fn narrow_if_any<T: TryFrom<i64>>(&self, column: &str) -> Result<Option<T>, MetaError> {
        self.int_if_any(column)?.map(|value| T::try_from(value).map_err(|_| damaged(column, &value))).transpose()
    }

    /// A text that names one of a set.
    pub(crate) fn parsed<T: FromStr>(&self, column: &str) -> Result<T, MetaError> {
        let text = self.text(column)?;
        text.parse().map_err(|_| damaged(column, &text))
    }

    pub(crate) fn json(&self, column: &str) -> Result<Value, MetaError> {
        serde_json::from_str(&self.text(column)?).map_err(|error| damaged(column, &error))
    }

    pub(crate) fn json_if_any(&self, column: &str) -> Result<Option<Value>, MetaError> {
        self.text_if_any(column)?
            .map(|text| serde_json::from_str(&text).map_err(|error| damaged(column, &error)))
            .transpose()
    }

    /// The columns `venue`, `symbol` and `interval`.
    pub(crate) fn series(&self) -> Result<SeriesKey, MetaError> {
        Ok(SeriesKey::new(
            self.parsed::<Venue>("venue")?,
            self.parsed::<Symbol>("symbol")?,
            self.parsed::<Interval>("interval")?,
        ))
    }

    /// The same, where a record may belong to no series.
    pub(crate) fn series_if_any(&self) -> Result<Option<SeriesKey>, MetaError> {
        if self.text_if_any("venue")?.is_none() { Ok(None) } else { self.series().map(Some) }
    }
}

fn damaged(column: &str, detail: &impl std::fmt::Display) -> MetaError {
    MetaError::Damaged { field: column.to_owned(), detail: detail.to_string().chars().take(200).collect() }
}
