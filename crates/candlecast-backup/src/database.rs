//! The metadata database as members of an archive.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use candlecast_config::Settings;
use candlecast_core::{Problem, Timestamp};
use candlecast_meta::{DATABASE_FILE, Dump, DumpPiece, Loaded, SqlStore};
use tokio::runtime::Handle;

use crate::archive::ArchiveWriter;
use crate::member::DUMP;
use crate::problem;

/// Opens the database that the settings name; `None` where there is none yet. Its schema stays as it is: a backup by a
/// newer program, before an update, must not take the database away from the older programs that work on it.
async fn open(settings: &Settings) -> Result<Option<SqlStore>, Problem> {
    let file = settings.data_dir.join(DATABASE_FILE);
    Ok(match &settings.database_url {
        Some(url) => SqlStore::connect_as_it_is(url).await?,
        None if file.is_file() => SqlStore::open_file_as_it_is(&file).await?,
        None => None,
    })
}

/// Adds every record, as of one moment; returns how many. `each` hears of the table that is being read.
pub(super) fn add<W: Write>(
    archive: &mut ArchiveWriter<W>,
    settings: &Settings,
    runtime: &Handle,
    mut each: impl FnMut(&str) -> Result<(), Problem>,
    unwritable: impl Fn(&std::io::Error) -> Problem,
) -> Result<u64, Problem> {
    let Some(store) = runtime.block_on(open(settings))? else { return Ok(0) };
    let mut numbers: BTreeMap<String, u32> = BTreeMap::new();
    let dumped = runtime.block_on(store.dump(|piece: DumpPiece| {
        each(&piece.table)?;
        let number = numbers.entry(piece.table.clone()).or_default();
        let member = format!("database/{}.{number:04}.jsonl", piece.table);
        *number += 1;
        archive.add_bytes(&member, piece.lines.as_bytes()).map_err(|e| unwritable(&e))
    }));
    runtime.block_on(store.close());
    let dump = dumped?;
    archive.add_json(DUMP, &dump).map_err(|e| unwritable(&e))?;
    Ok(dump.rows())
}

/// The database's part of an archive, unpacked.
#[derive(Debug)]
pub(super) struct UnpackedDump {
    dump: Dump,
    pieces: Vec<(String, PathBuf)>,
}

impl UnpackedDump {
    /// Reads what lies in `folder`; `None` where the archive held no database. An error says what is wrong with it.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, String> {
        let document = folder.join("dump.json");
        if !document.is_file() {
            return Ok(None);
        }
        let text = fs::read(&document).map_err(|e| e.to_string())?;
        let dump: Dump = serde_json::from_slice(&text).map_err(|e| format!("{DUMP}: {e}"))?;
        let pieces = pieces(folder, &dump).map_err(|e| e.to_string())?;
        Ok(Some(Self { dump, pieces }))
    }

    /// Records in all.
    pub(super) fn rows(&self) -> u64 {
        self.dump.rows()
    }

    /// Reads everything into a new SQLite file.
    pub(super) async fn into_file(self, file: &Path, now: Timestamp) -> Result<(), Problem> {
        SqlStore::load_file(file, now, &self.dump, self.pieces.iter().map(read_piece)).await
    }

    /// Reads everything into the PostgreSQL database at `url`, which must hold no records; `before_commit` can still
    /// undo it. `restore_id` names this restore there.
    pub(super) async fn into_server(
        self,
        url: &str,
        now: Timestamp,
        restore_id: &str,
        before_commit: impl FnOnce() -> Result<(), Problem>,
    ) -> Result<Loaded, Problem> {
        let pieces = self.pieces.iter().map(read_piece);
        SqlStore::load_server(url, now, &self.dump, pieces, restore_id, before_commit).await
    }
}

/// The pieces of each table by number, the tables in the order of the dump. A file of no listed table stays out; what
/// is then missing shows in the number of records.
fn pieces(folder: &Path, dump: &Dump) -> std::io::Result<Vec<(String, PathBuf)>> {
    let mut numbered: BTreeMap<(usize, u32), PathBuf> = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".jsonl"));
        let Some((table, number)) = name.and_then(|name| name.rsplit_once('.')) else { continue };
        let position = dump.tables.iter().position(|listed| listed.name == table);
        if let (Some(position), Ok(number)) = (position, number.parse()) {
            numbered.insert((position, number), path);
        }
    }
    Ok(numbered.into_iter().map(|((position, _), path)| (dump.tables[position].name.clone(), path)).collect())
}

fn read_piece((table, path): &(String, PathBuf)) -> Result<DumpPiece, Problem> {
    let lines = fs::read_to_string(path).map_err(|e| problem::of_file(path, &e))?;
    Ok(DumpPiece { table: table.clone(), lines })
}
