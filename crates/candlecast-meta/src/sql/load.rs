//! Reading a dump into an empty database of either kind.

use std::collections::BTreeMap;
use std::path::Path;

use candlecast_core::Timestamp;
use serde_json::Value;

use super::dump::{TABLES, quoted};
use super::restores;
use crate::db::{Arg, Database, Statement, Transaction, migrate};
use crate::dump::{ColumnKind, Dump, DumpPiece, DumpTable};
use crate::{MetaError, Retry, SqlStore};

/// Values in one statement; SQLite takes at most 32,766, PostgreSQL 65,535.
const MAX_VALUES: usize = 30_000;
/// Records in one statement.
const MAX_ROWS: usize = 500;

impl SqlStore {
    /// Reads a dump into the SQLite file `file`, which is made where there is none and must hold no records. All of
    /// it is read or nothing. An older dump is brought up to this program's schema. `now` is recorded with the
    /// schema.
    pub async fn load_file<E: From<MetaError>>(
        file: &Path,
        now: Timestamp,
        dump: &Dump,
        pieces: impl IntoIterator<Item = Result<DumpPiece, E>>,
    ) -> Result<(), E> {
        let db = Database::unmigrated_sqlite(file).await?;
        let loaded = load(&db, now, dump, pieces, None, || Ok(())).await;
        db.close().await;
        // A file that does not say so is no good; another one is as easily made.
        loaded?.map_or(Ok(()), |unknown| Err(unknown.into()))
    }

    /// Reads a dump into the PostgreSQL database at `url`, which must hold no records of ours. All of it is read or
    /// nothing; `before_commit` runs when everything was read and can still undo it by an error, so that something
    /// else may be made to count at the same moment. An older dump is brought up to this program's schema.
    ///
    /// Where the connection is lost as the records are made to count, the server is asked, for up to two minutes,
    /// whether they do; `restore_id`, which must be new, is what it is asked by. An error means that nothing was read.
    pub async fn load_server<E: From<MetaError>>(
        url: &str,
        now: Timestamp,
        dump: &Dump,
        pieces: impl IntoIterator<Item = Result<DumpPiece, E>>,
        restore_id: &str,
        before_commit: impl FnOnce() -> Result<(), E>,
    ) -> Result<Loaded, E> {
        let db = Database::unmigrated_postgres(url).await?;
        let loaded = match load(&db, now, dump, pieces, Some(restore_id), before_commit).await {
            Ok(Some(unknown)) => find_out(&db, restore_id, unknown).await.map_err(E::from),
            answer => answer.map(|_| Loaded::Whole),
        };
        db.close().await;
        loaded
    }

    /// True if the records of the restore `restore_id` count in the PostgreSQL database at `url`, false if it was
    /// undone. Waits for a restore that is under way, and makes nothing.
    pub async fn is_restored(url: &str, restore_id: &str) -> Result<bool, MetaError> {
        let db = Database::unmigrated_postgres(url).await?;
        let answer = Retry::default().run(|| restores::is_on_record(&db, restore_id)).await;
        db.close().await;
        answer
    }
}

/// What became of the records of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "the records may count or not"]
pub enum Loaded {
    /// All of them count.
    Whole,
    /// All of them count, or none: the connection was lost at the last moment, and the server cannot be asked.
    /// [`SqlStore::is_restored`] tells once it answers.
    Unknown(MetaError),
}

/// Reads everything and makes it count; the error of a commit of which nobody knows what became of it.
async fn load<E: From<MetaError>>(
    db: &Database,
    now: Timestamp,
    dump: &Dump,
    pieces: impl IntoIterator<Item = Result<DumpPiece, E>>,
    restore_id: Option<&str>,
    before_commit: impl FnOnce() -> Result<(), E>,
) -> Result<Option<MetaError>, E> {
    check_names(dump)?;
    let steps = steps_up_to(db, dump.schema)?;
    let mut transaction = db.begin().await?;
    // The records fit the schema that they were dumped from; later steps then change them as they change any others.
    migrate::up(&mut transaction, steps, now).await.map_err(|error| opened_before(error, db))?;
    expect_empty(&mut transaction, dump).await?;
    let mut read: BTreeMap<&str, u64> = BTreeMap::new();
    for piece in pieces {
        let piece = piece?;
        let table = dump.table(&piece.table).ok_or_else(|| MetaError::bad_dump(&piece.table, "it is not listed"))?;
        let rows = read.entry(table.name.as_str()).or_default();
        *rows += insert(&mut transaction, table, &piece.lines, *rows).await?;
    }
    for table in &dump.tables {
        let found = read.get(table.name.as_str()).copied().unwrap_or_default();
        if found != table.rows {
            return Err(MetaError::bad_dump(&table.name, format!("{found} records of {}", table.rows)).into());
        }
        count_on(&mut transaction, table).await?;
    }
    migrate::up(&mut transaction, db.steps(), now).await?;
    if let Some(id) = restore_id {
        restores::record(&mut transaction, id, now).await?;
    }
    before_commit()?;
    match transaction.commit().await {
        Ok(()) => Ok(None),
        Err(unknown @ MetaError::CommitUnknown { .. }) => Ok(Some(unknown)),
        Err(error) => Err(error.into()),
    }
}

/// Asks whether the restore `id` counts, whose commit ended by `unknown`.
async fn find_out(db: &Database, id: &str, unknown: MetaError) -> Result<Loaded, MetaError> {
    match Retry::default().run(|| restores::is_on_record(db, id)).await {
        Ok(true) => Ok(Loaded::Whole),
        Ok(false) => Err(MetaError::Unreachable {
            place: db.place().to_owned(),
            detail: "the connection was lost before the records were made to count".into(),
        }),
        Err(error) => {
            tracing::warn!(%error, "whether the restored records count is not known");
            Ok(Loaded::Unknown(unknown))
        }
    }
}

/// Names become part of SQL, so only known tables and plain names pass.
fn check_names(dump: &Dump) -> Result<(), MetaError> {
    let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let plain = |name: &str| (1..=63).contains(&name.len()) && name.bytes().all(is_plain);
    for (position, table) in dump.tables.iter().enumerate() {
        let name = table.name.as_str();
        if TABLES.iter().all(|(known, _)| *known != name) {
            return Err(MetaError::bad_dump(name, "this program knows no such table"));
        }
        if dump.tables[..position].iter().any(|before| before.name == name) {
            return Err(MetaError::bad_dump(name, "it is listed twice"));
        }
        if table.columns.is_empty() {
            return Err(MetaError::bad_dump(name, "it has no columns"));
        }
        if let Some(odd) = table.columns.iter().find(|column| !plain(&column.name)) {
            return Err(MetaError::bad_dump(name, format!("`{}` is no name of a column", odd.name)));
        }
    }
    Ok(())
}

/// The steps that lead to the schema `version`.
fn steps_up_to(db: &Database, version: i64) -> Result<&'static [migrate::Migration], MetaError> {
    let known = db.steps();
    let newer = MetaError::Newer { found: version, known: known.len() as i64 };
    usize::try_from(version).ok().filter(|&n| n > 0).and_then(|n| known.get(..n)).ok_or(newer)
}

/// A database that this program opened has a newer schema than an older dump; its tables do not fit the records.
fn opened_before(error: MetaError, db: &Database) -> MetaError {
    match error {
        MetaError::Newer { found, known } if found <= db.steps().len() as i64 => MetaError::conflict(
            "metadata database",
            db.place(),
            format!("has schema {found} and the dump {known}: give a database that no program has opened yet"),
        ),
        other => other,
    }
}

async fn expect_empty(transaction: &mut Transaction, dump: &Dump) -> Result<(), MetaError> {
    for table in &dump.tables {
        let any = Statement::new(format!("SELECT 1 AS one FROM {} LIMIT 1", table.name));
        if !transaction.rows(any).await?.is_empty() {
            let problem = format!("holds records ({}): restore into an empty database", table.name);
            return Err(MetaError::conflict("metadata database", transaction.place(), problem));
        }
    }
    Ok(())
}

/// Writes the records of a piece that comes after `before` others; returns how many.
async fn insert(transaction: &mut Transaction, table: &DumpTable, lines: &str, before: u64) -> Result<u64, MetaError> {
    let batch = (MAX_VALUES / table.columns.len()).clamp(1, MAX_ROWS);
    let lines: Vec<&str> = lines.lines().collect();
    for (position, chunk) in lines.chunks(batch).enumerate() {
        let mut args = Vec::with_capacity(chunk.len() * table.columns.len());
        for (i, line) in chunk.iter().enumerate() {
            let number = before + (position * batch + i + 1) as u64;
            let bad = |detail: String| MetaError::bad_dump(&table.name, format!("record {number}: {detail}"));
            args.extend(values(line, table).map_err(bad)?);
        }
        let sql = insert_sql(transaction.is_postgres(), table, chunk.len());
        transaction.execute(Statement { sql: sql.into(), args }).await?;
    }
    Ok(lines.len() as u64)
}

fn insert_sql(is_postgres: bool, table: &DumpTable, n_rows: usize) -> String {
    let width = table.columns.len();
    let rows: Vec<String> = (0..n_rows)
        .map(|row| {
            let places: Vec<String> = (1..=width).map(|k| format!("${}", row * width + k)).collect();
            format!("({})", places.join(", "))
        })
        .collect();
    // PostgreSQL gives the numbers of `seq` itself unless told otherwise.
    let overriding = if is_postgres && counts_up(table) { " OVERRIDING SYSTEM VALUE" } else { "" };
    format!("INSERT INTO {} ({}){overriding} VALUES {}", table.name, quoted(&table.columns), rows.join(", "))
}

fn counts_up(table: &DumpTable) -> bool {
    table.columns.iter().any(|column| column.name == "seq")
}

/// The values of a line, typed; an error says what is wrong with it.
fn values(line: &str, table: &DumpTable) -> Result<Vec<Arg>, String> {
    let values: Vec<Value> = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let (found, wanted) = (values.len(), table.columns.len());
    if found != wanted {
        return Err(format!("{found} values for {wanted} columns"));
    }
    let typed = table.columns.iter().zip(values);
    typed.map(|(column, value)| arg(column.kind, value).ok_or_else(|| format!("a value of {}", column.name))).collect()
}

/// `None` when the value is not of the kind.
fn arg(kind: ColumnKind, value: Value) -> Option<Arg> {
    Some(match (kind, value) {
        (ColumnKind::Int, Value::Null) => Arg::Int(None),
        (ColumnKind::Int, Value::Number(number)) => Arg::Int(Some(number.as_i64()?)),
        (ColumnKind::Real, Value::Null) => Arg::Real(None),
        (ColumnKind::Real, Value::Number(number)) => Arg::Real(Some(number.as_f64()?)),
        (ColumnKind::Text, Value::Null) => Arg::Text(None),
        (ColumnKind::Text, Value::String(text)) => Arg::Text(Some(text)),
        (ColumnKind::Blob, Value::Null) => Arg::Blob(None),
        (ColumnKind::Blob, Value::String(text)) => Arg::Blob(Some(bytes(&text)?)),
        _ => return None,
    })
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = pair { Some((digit(*high)? << 4) | digit(*low)?) } else { None }).collect()
}

/// New records are counted on from the highest that was read. SQLite does so by itself.
async fn count_on(transaction: &mut Transaction, table: &DumpTable) -> Result<(), MetaError> {
    if transaction.is_postgres() && counts_up(table) {
        let name = &table.name;
        let sql = format!(
            "SELECT setval(pg_get_serial_sequence('{name}', 'seq'), (SELECT COALESCE(MAX(seq), 0) + 1 FROM {name}), \
             false)"
        );
        transaction.execute(Statement::new(sql)).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::DumpColumn;

    fn table(name: &str, columns: &[(&str, ColumnKind)]) -> DumpTable {
        let columns = columns.iter().map(|&(name, kind)| DumpColumn { name: name.into(), kind }).collect();
        DumpTable { name: name.into(), columns, rows: 0 }
    }

    #[test]
    fn values_are_held_to_their_columns() {
        let table = table("ml_folds", &[("fold", ColumnKind::Int), ("value", ColumnKind::Real)]);
        assert_eq!(values("[7,0.1]", &table), Ok(vec![Arg::Int(Some(7)), Arg::Real(Some(0.1))]));
        assert_eq!(values("[null,3]", &table), Ok(vec![Arg::Int(None), Arg::Real(Some(3.0))]));
        for bad in ["", "{}", "[7]", "[7,0.1,1]", "[7.5,0.1]", "[7,\"x\"]", "[9223372036854775808,0]"] {
            assert!(values(bad, &table).is_err(), "{bad}");
        }
    }

    #[test]
    fn bytes_survive_their_digits() {
        assert_eq!(bytes("000aff"), Some(vec![0, 10, 255]));
        assert_eq!(bytes(""), Some(vec![]));
        for bad in ["0", "0g", "+1", "ü"] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_known_tables_and_plain_columns_become_sql() {
        let dump = |tables: Vec<DumpTable>| Dump { schema: 1, tables };
        let good = table("ml_runs", &[("seq", ColumnKind::Int)]);
        assert_eq!(check_names(&dump(vec![good.clone()])), Ok(()));
        let foreign = table("pg_authid", &[("seq", ColumnKind::Int)]);
        let odd = table("ml_runs", &[("seq\") --", ColumnKind::Int)]);
        let bare = table("ml_runs", &[]);
        for bad in [vec![foreign], vec![odd], vec![bare], vec![good.clone(), good]] {
            assert!(matches!(check_names(&dump(bad)), Err(MetaError::BadDump { .. })));
        }
    }

    #[test]
    fn statements_number_their_values_row_by_row() {
        let table = table("ml_runs", &[("seq", ColumnKind::Int), ("interval", ColumnKind::Text)]);
        assert_eq!(
            insert_sql(true, &table, 2),
            "INSERT INTO ml_runs (\"seq\", \"interval\") OVERRIDING SYSTEM VALUE VALUES ($1, $2), ($3, $4)"
        );
        assert!(!insert_sql(false, &table, 1).contains("OVERRIDING"));
    }
}
