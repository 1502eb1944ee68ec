//! `backup`: making an archive.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use candlecast_config::Settings;
use candlecast_core::{Problem, ProgressSink, Timestamp};
use candlecast_files::{folder_of, hold_temporary, remove_leftovers, sync_folder};
use candlecast_host::Host;
use tempfile::NamedTempFile;
use tokio::runtime::Handle;

use crate::archive::{AddError, ArchiveWriter};
use crate::contents::{Contents, Source};
use crate::manifest::{FORMAT, Header, count};
use crate::member::Part;
use crate::pinned::Pinned;
use crate::snapshot::Content;
use crate::{database, folder_lock, problem, snapshot};

/// Beginning and end of the hidden name of an archive while it is written; a killed backup leaves one.
const TEMPORARY: [&str; 2] = [".candlecast-backup-", ".tmp"];
/// Times that a temporary file is made anew because it was taken for a leftover.
const MAX_TRIES: usize = 100;

/// What goes into a backup, and where it may be put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupOptions {
    /// False to leave candles out: they can be imported or fetched again.
    pub candles: bool,
    /// True to replace a file of the same name.
    pub replace: bool,
}

/// A finished backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// The archive.
    pub file: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was begun.
    pub created_at: Timestamp,
    /// False where candles were left out.
    pub candles: bool,
    /// Size in bytes of what is in it, unpacked.
    pub content_bytes: u64,
    /// Files of the lake.
    pub candle_files: usize,
    /// Files of the model folder.
    pub model_files: usize,
    /// Records of the metadata database.
    pub records: u64,
}

/// Writes everything that is stored into the archive `file`, while other programs go on working. It appears under
/// its name when it is whole and durable; until then, and after an error, there is nothing.
pub async fn back_up(
    host: &Host,
    file: &Path,
    options: BackupOptions,
    watch: Arc<dyn ProgressSink>,
) -> Result<BackedUp, Problem> {
    let making = Making {
        settings: host.settings.clone(),
        file: file.to_owned(),
        options,
        now: host.now(),
        cancel: Arc::clone(host.cancel()),
        watch,
    };
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || making.run(&runtime))
        .await
        .map_err(|e| Problem::data("backup-failed", format!("the backup ended abnormally: {e}")))?
}

/// One backup under way.
struct Making {
    settings: Settings,
    file: PathBuf,
    options: BackupOptions,
    now: Timestamp,
    cancel: Arc<AtomicBool>,
    watch: Arc<dyn ProgressSink>,
}

impl Making {
    fn run(&self, runtime: &Handle) -> Result<BackedUp, Problem> {
        self.check_target()?;
        let header = Header {
            format: FORMAT,
            program: concat!("candlecast ", env!("CARGO_PKG_VERSION")).to_owned(),
            created_at: self.now,
            candles: self.options.candles,
        };
        let mut archive = ArchiveWriter::new(self.beside()?, &header).map_err(|e| self.unwritable(&e))?;

        let models = Pinned::take(&self.settings.models_dir, &self.cancel)?;
        let each = |table: &str| self.read_table(table);
        let unwritable = |e: &std::io::Error| self.unwritable(e);
        let records = database::add(&mut archive, &self.settings, runtime, each, unwritable)?;
        self.add_files(&mut archive, Part::Models, &self.settings.models_dir, &models.contents)?;
        drop(models);
        if self.options.candles {
            let folder = self.settings.data_dir.join("candles");
            let candles = Contents::of(Part::Candles, &folder)?;
            self.add_files(&mut archive, Part::Candles, &folder, &candles)?;
        }

        let (temporary, members) = archive.finish().map_err(|e| self.unwritable(&e))?;
        let bytes = self.publish(temporary)?;
        Ok(BackedUp {
            file: self.file.clone(),
            bytes,
            created_at: self.now,
            candles: self.options.candles,
            content_bytes: members.iter().map(|m| m.bytes).sum(),
            candle_files: count(&members, Part::Candles),
            model_files: count(&members, Part::Models),
            records,
        })
    }

    /// Before hours of work rather than after.
    fn check_target(&self) -> Result<(), Problem> {
        if self.file.is_dir() {
            let detail = format!("{} is a folder: name a file, such as backup.tar.zst", self.file.display());
            return Err(Problem::usage("bad-path", "file", detail));
        }
        if self.file.exists() && !self.options.replace {
            return Err(self.exists());
        }
        Ok(())
    }

    fn exists(&self) -> Problem {
        let detail = format!("{} exists: choose another name, or pass --force to replace it", self.file.display());
        Problem::data("file-exists", detail).with_field("file")
    }

    /// A hidden file in the folder of the target, after those were removed that killed backups left there.
    fn beside(&self) -> Result<NamedTempFile, Problem> {
        let [beginning, end] = TEMPORARY;
        let folder = folder_of(&self.file);
        remove_leftovers(folder, |name| name.starts_with(beginning) && name.ends_with(end));
        for _ in 0..MAX_TRIES {
            let made = tempfile::Builder::new().prefix(beginning).suffix(end).tempfile_in(folder);
            let file = made.map_err(|e| problem::of_file(folder, &e))?;
            if hold_temporary(file.as_file(), file.path()) {
                return Ok(file);
            }
        }
        Err(problem::of_file(
            folder,
            &io::Error::new(ErrorKind::NotFound, "another program removes what is made there"),
        ))
    }

    fn add_files(
        &self,
        archive: &mut ArchiveWriter<NamedTempFile>,
        part: Part,
        folder: &Path,
        contents: &Contents,
    ) -> Result<(), Problem> {
        for path in &contents.left_out {
            self.watch.note(&format!("left out, as its name cannot be one of candlecast's files: {}", path.display()));
        }
        let (mut done, of) = (0, contents.bytes());
        for sources in together(part, &contents.files) {
            for (source, content) in self.opened(part, folder, sources)? {
                self.check_cancelled()?;
                self.watch.progress(part.name(), done, of);
                archive.add(&source.member, content.n_bytes(), content).map_err(|e| match e {
                    AddError::Read(e) => problem::of_file(&source.path, &e),
                    AddError::Write(e) => self.unwritable(&e),
                })?;
                done += source.bytes;
            }
        }
        self.watch.progress(part.name(), of, of);
        Ok(())
    }

    /// Opens files of `folder`. Those of a series belong together, a segment to the file of its year: no writer may
    /// come between, which takes a moment for each series.
    fn opened<'a>(
        &self,
        part: Part,
        folder: &Path,
        sources: &'a [Source],
    ) -> Result<Vec<(&'a Source, Content)>, Problem> {
        let _writers_wait = match part {
            Part::Candles => folder_lock::hold(folder, &self.cancel)?,
            Part::Models | Part::Database => None,
        };
        snapshot::open(sources)
    }

    /// Makes the archive durable and gives it its name; returns its size.
    fn publish(&self, temporary: NamedTempFile) -> Result<u64, Problem> {
        let unwritable = |e: std::io::Error| self.unwritable(&e);
        temporary.as_file().sync_all().map_err(unwritable)?;
        let bytes = temporary.as_file().metadata().map_err(unwritable)?.len();
        let published =
            if self.options.replace { temporary.persist(&self.file) } else { temporary.persist_noclobber(&self.file) };
        published.map_err(|e| match e.error.kind() {
            ErrorKind::AlreadyExists => self.exists(),
            _ => self.unwritable(&e.error),
        })?;
        sync_folder(folder_of(&self.file)).map_err(|e| self.unwritable(&e.source))?;
        Ok(bytes)
    }

    fn read_table(&self, table: &str) -> Result<(), Problem> {
        self.check_cancelled()?;
        self.watch.progress(&format!("database, {table}"), 0, 0);
        Ok(())
    }

    fn check_cancelled(&self) -> Result<(), Problem> {
        super::restore::check_cancelled(&self.cancel, "no backup was made")
    }

    fn unwritable(&self, e: &std::io::Error) -> Problem {
        problem::of_file(&self.file, e)
    }
}

/// The files in groups that are opened together: of the lake those of one folder; else each by itself, as there may be
/// more than a program may have open.
fn together(part: Part, files: &[Source]) -> impl Iterator<Item = &[Source]> {
    files.chunk_by(move |a, b| part == Part::Candles && a.path.parent() == b.path.parent())
}
