//! [`Dump`]: all records of a metadata database, of whichever kind, as a backup holds them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

use crate::program::{Program, remove_folder};
use crate::sh;

/// A record: its columns by name.
pub(crate) type Row = Map<String, Value>;

/// A table whose records are compared.
#[derive(Debug)]
struct Table {
    name: &'static str,
    /// The columns that name a record.
    identity: &'static [&'static str],
    /// Columns that may change without loss.
    varying: &'static [&'static str],
}

/// The tables that hold what was acknowledged; `seq` may change in each. A model's row follows what serves, the files
/// are the truth; of a prediction, validation says when it was looked at.
static TABLES: [Table; 6] = [
    Table { name: "ml_runs", identity: &["id"], varying: &[] },
    Table { name: "ml_ledger", identity: &["id"], varying: &[] },
    Table { name: "ml_training_jobs", identity: &["id"], varying: &[] },
    Table { name: "ml_job_logs", identity: &["job_id", "attempt", "line"], varying: &[] },
    Table { name: "ml_models", identity: &["id"], varying: &["status", "meta", "activated_at", "updated_at"] },
    Table {
        name: "ml_predictions",
        identity: &["task", "model_id", "venue", "symbol", "interval", "origin", "step"],
        varying: &["validated_at"],
    },
];

/// What a prediction gains when its outcome is known.
const OUTCOME: [&str; 3] = ["status", "actual", "error"];

/// The records, by table and identity.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Dump {
    tables: BTreeMap<&'static str, BTreeMap<String, Row>>,
}

impl Dump {
    /// Reads the records of `program` from a backup that it makes beside its data folder.
    pub(crate) fn of(program: &Program) -> Result<Self> {
        let (archive, folder) =
            (program.data_dir.with_extension("dump.tar.zst"), program.data_dir.with_extension("dump"));
        let file = archive.display().to_string();
        program.complete(&["backup", &file, "--without-candles", "--force"])?;
        unpack(&archive, &folder)?;
        Self::read(&folder.join("database")).with_context(|| format!("reading {file}"))
    }

    /// Reads an unpacked `database` folder; one that is not there holds nothing.
    fn read(folder: &Path) -> Result<Self> {
        let index = folder.join("dump.json");
        if !index.exists() {
            return Ok(Self::default());
        }
        let mut tables = BTreeMap::new();
        let index: Value = serde_json::from_str(&fs::read_to_string(&index)?).context("dump.json is no document")?;
        for listed in index["tables"].as_array().context("dump.json lists no tables")? {
            let Some(table) = TABLES.iter().find(|table| listed["name"] == table.name) else { continue };
            let rows = rows_of(folder, listed, table)?;
            let n_listed = listed["rows"].as_u64().context("a table without a count")?;
            ensure!(rows.len() as u64 == n_listed, "{} has {} records of {n_listed}", table.name, rows.len());
            tables.insert(table.name, rows);
        }
        Ok(Self { tables })
    }

    /// The records of a table.
    pub(crate) fn rows(&self, table: &str) -> impl Iterator<Item = &Row> {
        self.tables.get(table).into_iter().flat_map(BTreeMap::values)
    }

    /// True where a table has the record with this identity: its columns of identity, by blanks.
    pub(crate) fn has(&self, table: &str, identity: &str) -> bool {
        self.tables.get(table).is_some_and(|rows| rows.contains_key(identity))
    }

    /// The records of a table that are not in `before`, by identity.
    pub(crate) fn gained(&self, table: &str, before: &Self) -> BTreeMap<String, Row> {
        let ids = self.added(table, before);
        let row = |id: String| Some((id.clone(), self.tables.get(table)?.get(&id)?.clone()));
        ids.into_iter().filter_map(row).collect()
    }

    /// The identities of a table's records that are not in `before`.
    pub(crate) fn added(&self, table: &str, before: &Self) -> Vec<String> {
        let is_new = |id: &&String| !before.tables.get(table).is_some_and(|known| known.contains_key(*id));
        self.tables.get(table).into_iter().flat_map(BTreeMap::keys).filter(is_new).cloned().collect()
    }

    /// An error that names the first record of `before` that is gone or has changed.
    pub(crate) fn holds(&self, before: &Self) -> Result<()> {
        for (table, known) in &before.tables {
            let found = self.tables.get(table);
            for (id, row) in known {
                let now = found.and_then(|rows| rows.get(id));
                let Some(now) = now else { bail!("the acknowledged record {id} of {table} is gone") };
                ensure!(stands(now, row), "the acknowledged record {id} of {table} changed: {now:?}, before {row:?}");
            }
        }
        Ok(())
    }
}

/// True where a record is as it was, or is a prediction that waited for its outcome then.
fn stands(now: &Row, before: &Row) -> bool {
    let is_pending = before.get("target_time").is_some() && before.get("status").is_some_and(|s| s == "pending");
    let without_outcome = |row: &Row| {
        let mut row = row.clone();
        row.retain(|column, _| !OUTCOME.contains(&column.as_str()));
        row
    };
    now == before || (is_pending && without_outcome(now) == without_outcome(before))
}

/// Unpacks a tar file, compressed or not, into an empty folder.
fn unpack(archive: &Path, folder: &Path) -> Result<()> {
    remove_folder(folder)?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut tar = Command::new("tar");
    tar.arg("-xf").arg(archive).arg("-C").arg(folder);
    sh::capture(&mut tar).map(drop).context("cannot unpack a backup (apt-get install tar zstd)")
}

fn rows_of(folder: &Path, listed: &Value, table: &Table) -> Result<BTreeMap<String, Row>> {
    let name = |column: &Value| column["name"].as_str().map(str::to_owned);
    let columns = listed["columns"].as_array().into_iter().flatten().map(name).collect::<Option<Vec<String>>>();
    let columns = columns.context("a column without a name")?;
    let mut rows = BTreeMap::new();
    for piece in 0.. {
        let file = folder.join(format!("{}.{piece:04}.jsonl", table.name));
        if !file.exists() {
            break;
        }
        for line in fs::read_to_string(&file)?.lines() {
            let values: Vec<Value> = serde_json::from_str(line).context("a line is no list")?;
            ensure!(values.len() == columns.len(), "a record of {} has {} values", table.name, values.len());
            let mut row: Row = columns.iter().cloned().zip(values).collect();
            let identity = identity(&row, table);
            row.retain(|column, _| column != "seq" && !table.varying.contains(&column.as_str()));
            ensure!(rows.insert(identity.clone(), row).is_none(), "{} has {identity} twice", table.name);
        }
    }
    Ok(rows)
}

fn identity(row: &Row, table: &Table) -> String {
    let word = |column: &&str| match row.get(*column) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    };
    table.identity.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `database` folder with a table of runs, in two pieces, and one that is not compared.
    fn folder(name: &str, runs: [&str; 2], n_runs: usize) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("xtask-dump-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let index = format!(
            r#"{{"tables":[{{"name":"ml_runs","columns":[{{"name":"seq"}},{{"name":"id"}},{{"name":"state"}}],"rows":{n_runs}}},
               {{"name":"ml_upkeep","columns":[{{"name":"name"}}],"rows":1}}]}}"#
        );
        fs::write(folder.join("dump.json"), index).unwrap();
        for (piece, lines) in runs.iter().enumerate() {
            fs::write(folder.join(format!("ml_runs.{piece:04}.jsonl")), lines).unwrap();
        }
        folder
    }

    fn read(name: &str, runs: [&str; 2], n_runs: usize) -> Result<Dump> {
        let folder = folder(name, runs, n_runs);
        let dump = Dump::read(&folder);
        fs::remove_dir_all(folder).unwrap();
        dump
    }

    #[test]
    fn pieces_are_read_and_compared_by_identity() {
        let before = read("before", ["[1,\"a\",\"succeeded\"]\n", ""], 1).unwrap();
        let after = read("after", ["[7,\"b\",\"failed\"]\n", "[9,\"a\",\"succeeded\"]\n"], 2).unwrap();
        assert!(after.holds(&before).is_ok(), "numbers of rows may change");
        assert_eq!(after.added("ml_runs", &before), ["b"]);
        assert_eq!(after.rows("ml_runs").count(), 2);
        assert!(after.has("ml_runs", "b") && !before.has("ml_runs", "b") && !after.has("ml_ledger", "b"));
        assert_eq!(after.gained("ml_runs", &before)["b"]["state"], "failed");
        assert!(before.holds(&after).unwrap_err().to_string().contains("record b of ml_runs is gone"));
        let changed = read("changed", ["[1,\"a\",\"failed\"]\n", ""], 1).unwrap();
        assert!(changed.holds(&before).unwrap_err().to_string().contains("changed"));
    }

    #[test]
    fn predictions_may_meet_their_outcomes_and_nothing_else_of_them_may_change() {
        let row = |text: &str| serde_json::from_str::<Row>(text).unwrap();
        let pending = row(r#"{"target_time":5,"prediction":2.5,"status":"pending","actual":null}"#);
        let settled = row(r#"{"target_time":5,"prediction":2.5,"status":"validated","actual":3.0}"#);
        let changed = row(r#"{"target_time":5,"prediction":2.6,"status":"validated","actual":3.0}"#);
        assert!(stands(&settled, &pending) && stands(&settled, &settled));
        assert!(!stands(&pending, &settled) && !stands(&changed, &pending));
    }

    #[test]
    fn records_that_are_missing_or_there_twice_are_found() {
        let counted = read("counted", ["[1,\"a\",\"x\"]\n", ""], 2).unwrap_err().to_string();
        assert!(counted.contains("1 records of 2"), "{counted}");
        let twice = read("twice", ["[1,\"a\",\"x\"]\n", "[2,\"a\",\"x\"]\n"], 2).unwrap_err().to_string();
        assert!(twice.contains("a twice"), "{twice}");
        assert!(read("short", ["[1,\"a\"]\n", ""], 1).is_err());
    }

    #[test]
    fn no_database_holds_nothing() {
        let none = Dump::read(Path::new("no/such/folder")).unwrap();
        assert!(none.rows("ml_runs").next().is_none() && none.holds(&none).is_ok());
    }

    #[test]
    fn archives_are_unpacked_compressed_or_not() {
        let folder = std::env::temp_dir().join(format!("xtask-unpack-{}", std::process::id()));
        fs::create_dir_all(folder.join("a/database")).unwrap();
        fs::write(folder.join("a/database/x"), "1").unwrap();
        let archive = folder.join("a.tar");
        sh::capture(Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(folder.join("a")).arg("database"))
            .unwrap();
        unpack(&archive, &folder.join("out")).unwrap();
        assert_eq!(fs::read_to_string(folder.join("out/database/x")).unwrap(), "1");
        fs::write(&archive, "no archive").unwrap();
        assert!(unpack(&archive, &folder.join("out")).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
