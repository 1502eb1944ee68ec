//! Writing a dump.

use candlecast_core::hex;
use futures::TryStreamExt as _;
use serde_json::{Number, Value};

use crate::db::{Record, Statement, Transaction};
use crate::dump::{ColumnKind, Dump, DumpColumn, DumpPiece, DumpTable};
use crate::{MetaError, SqlStore};

/// Every table and the columns of its key, those that are referred to before those that refer to them. A table that
/// a migration takes away stays in this list: older dumps hold it.
pub(super) const TABLES: [(&str, &str); 14] = [
    ("ml_runs", "seq"),
    ("ml_models", "seq"),
    ("ml_model_claims", "model_id"),
    ("ml_training_jobs", "seq"),
    ("ml_job_logs", "job_id, attempt, line"),
    ("ml_job_checkpoints", "job_id"),
    ("ml_predictions", "seq"),
    ("ml_prediction_days", "seq"),
    ("ml_prediction_marks", "marked_at"),
    ("hpo_studies", "seq"),
    ("hpo_trials", "study_id, number"),
    ("ml_folds", "scope, trial, fold"),
    ("ml_ledger", "seq"),
    ("ml_ledger_days", "try_id"),
];

/// A piece is handed out once it is this long; a record is never split.
const PIECE_BYTES: usize = 4 << 20;

impl SqlStore {
    /// Hands every record to `take`, in pieces of about 4 MB, all as they are at one moment, whatever others write
    /// meanwhile. The first error of `take` ends it.
    pub async fn dump<E: From<MetaError>>(&self, mut take: impl FnMut(DumpPiece) -> Result<(), E>) -> Result<Dump, E> {
        let mut transaction = self.db.begin_reading().await?;
        let schema = schema_version(&mut transaction).await?;
        let mut tables = Vec::with_capacity(TABLES.len());
        for (name, key) in TABLES {
            let columns = columns(&mut transaction, name).await?;
            if !columns.is_empty() {
                tables.push(dump_table(&mut transaction, name, key, columns, &mut take).await?);
            }
        }
        transaction.commit().await?;
        Ok(Dump { schema, tables })
    }
}

async fn schema_version(transaction: &mut Transaction) -> Result<i64, MetaError> {
    let statement = Statement::new("SELECT MAX(version) AS version FROM candlecast_schema");
    let rows = transaction.rows(statement).await?;
    rows.first().map_or(Ok(0), |row| row.int("version"))
}

/// The columns of a table as the database knows them; none when there is no such table.
async fn columns(transaction: &mut Transaction, table: &str) -> Result<Vec<DumpColumn>, MetaError> {
    let statement = if transaction.is_postgres() {
        "SELECT CAST(column_name AS TEXT) AS name, CAST(data_type AS TEXT) AS kind FROM information_schema.columns \
         WHERE table_schema = current_schema() AND table_name = $1 ORDER BY ordinal_position"
    } else {
        "SELECT name, type AS kind FROM pragma_table_info($1) ORDER BY cid"
    };
    let rows = transaction.rows(Statement::new(statement).bind(table)).await?;
    rows.iter().map(column).collect()
}

fn column(row: &Record) -> Result<DumpColumn, MetaError> {
    let (name, kind) = (row.text("name")?, row.text("kind")?.to_ascii_lowercase());
    let kind = match kind.as_str() {
        "integer" | "bigint" => ColumnKind::Int,
        "double precision" => ColumnKind::Real,
        "text" => ColumnKind::Text,
        "blob" | "bytea" => ColumnKind::Blob,
        _ => return Err(MetaError::Damaged { field: name, detail: format!("values of the unknown type {kind}") }),
    };
    Ok(DumpColumn { name, kind })
}

/// Column names for SQL; `interval` is a word of the language.
pub(super) fn quoted(columns: &[DumpColumn]) -> String {
    columns.iter().map(|column| format!("\"{}\"", column.name)).collect::<Vec<_>>().join(", ")
}

async fn dump_table<E: From<MetaError>>(
    transaction: &mut Transaction,
    name: &str,
    key: &str,
    columns: Vec<DumpColumn>,
    take: &mut impl FnMut(DumpPiece) -> Result<(), E>,
) -> Result<DumpTable, E> {
    let sql = format!("SELECT {} FROM {name} ORDER BY {key}", quoted(&columns));
    let mut records = transaction.stream(Statement::new(sql));
    let mut piece = DumpPiece { table: name.to_owned(), lines: String::new() };
    let mut rows = 0;
    while let Some(record) = records.try_next().await? {
        piece.lines.push_str(&line(&record, &columns)?);
        piece.lines.push('\n');
        rows += 1;
        if piece.lines.len() >= PIECE_BYTES {
            take(DumpPiece { table: name.to_owned(), lines: std::mem::take(&mut piece.lines) })?;
        }
    }
    if !piece.lines.is_empty() {
        take(piece)?;
    }
    Ok(DumpTable { name: name.to_owned(), columns, rows })
}

fn line(record: &Record, columns: &[DumpColumn]) -> Result<String, MetaError> {
    let values = columns.iter().map(|column| value(record, column)).collect::<Result<Vec<_>, MetaError>>()?;
    Ok(Value::Array(values).to_string())
}

fn value(record: &Record, column: &DumpColumn) -> Result<Value, MetaError> {
    let name = column.name.as_str();
    Ok(match column.kind {
        ColumnKind::Int => record.int_if_any(name)?.map_or(Value::Null, Value::from),
        ColumnKind::Real => record.real_if_any(name)?.map_or(Ok(Value::Null), |number| real(number, name))?,
        ColumnKind::Text => record.text_if_any(name)?.map_or(Value::Null, Value::String),
        ColumnKind::Blob => record.blob_if_any(name)?.map_or(Value::Null, |bytes| Value::String(hex(&bytes))),
    })
}

/// JSON has no NaN and no infinity; nothing of the kind is ever stored.
fn real(number: f64, column: &str) -> Result<Value, MetaError> {
    let damaged = || MetaError::Damaged { field: column.to_owned(), detail: format!("the number {number}") };
    Number::from_f64(number).map(Value::Number).ok_or_else(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_without_a_json_form_are_refused_by_name() {
        assert_eq!(real(-0.5, "value"), Ok(Value::from(-0.5)));
        for bad in [f64::NAN, f64::INFINITY] {
            let error = real(bad, "sharpe").unwrap_err();
            assert!(matches!(&error, MetaError::Damaged { field, .. } if field == "sharpe"), "{error}");
        }
    }
}
