//! `restore`: the folder that an archive holds, in the place of the data folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use candlecast_config::Settings;
use candlecast_core::{Blame, Problem, ProgressSink, Timestamp};
use candlecast_files::FolderSwap;
use candlecast_host::job_id;
use candlecast_meta::Loaded;
use tokio::runtime::Handle;

use crate::database::UnpackedDump;
use crate::manifest::count;
use crate::member::Part;
use crate::staging::{Staging, kept, undone};
use crate::unpack::{Unpacked, unpack};
use crate::{folder_lock, problem};

/// Where the server cannot be asked any more whether the records count.
const UNKNOWN: &str = "the folders are in their places, and the records are in the database or not: when it answers, \
                       restore once more with --force; that is refused where they are there, and nothing is left to do";

/// What a restore may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoreOptions {
    /// True to replace a data folder that holds something; it is set aside, not deleted.
    pub replace: bool,
}

/// A finished restore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// The data folder.
    pub data_dir: PathBuf,
    /// The program that made the backup.
    pub program: String,
    /// When it was begun.
    pub created_at: Timestamp,
    /// False where candles were left out of it.
    pub candles: bool,
    /// Size in bytes of what was unpacked.
    pub content_bytes: u64,
    /// Files of the lake.
    pub candle_files: usize,
    /// Files of the model folder.
    pub model_files: usize,
    /// Records of the metadata database.
    pub records: u64,
    /// Where folders are now that were replaced.
    pub set_aside: Vec<PathBuf>,
}

/// Puts what `archive` holds in the place of the data folder of `settings`, and reads its records into the metadata
/// database, which must hold none: the SQLite file of the restored folder, or `DATABASE_URL`. Everything is unpacked
/// beside and compared with its digests first; until all is there and durable, nothing is changed. A data folder that
/// holds something is refused, or set aside under a name with the time `now`. No program may be using it, and none can
/// while it is replaced. A restore that was killed while it replaced folders is brought to its end first, as by whoever
/// opens the data folder. `cancel` is set to ask the work to stop.
pub async fn restore(
    settings: &Settings,
    archive: &Path,
    options: RestoreOptions,
    now: Timestamp,
    cancel: Arc<AtomicBool>,
    watch: Arc<dyn ProgressSink>,
) -> Result<Restored, Problem> {
    let restoring = Restoring { settings: settings.clone(), archive: archive.to_owned(), options, now, cancel, watch };
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || restoring.run(&runtime))
        .await
        .map_err(|e| Problem::data("restore-failed", format!("the restore ended abnormally: {e}")))?
}

/// One restore under way.
struct Restoring {
    settings: Settings,
    archive: PathBuf,
    options: RestoreOptions,
    now: Timestamp,
    cancel: Arc<AtomicBool>,
    watch: Arc<dyn ProgressSink>,
}

impl Restoring {
    fn run(&self, runtime: &Handle) -> Result<Restored, Problem> {
        let staging = Staging::new(&self.settings)?;
        self.expect_free(&staging)?;
        // Before hours of work rather than after.
        drop(folder_lock::expect_unused(&self.settings, runtime)?);
        let unpacked = unpack(&self.archive, &staging, |done, of| {
            self.check_cancelled()?;
            self.watch.progress("unpacking and comparing digests", done, of);
            Ok(())
        })?;
        let dump = UnpackedDump::read(&staging.database()).map_err(|why| problem::bad_archive(&self.archive, why))?;
        let records = dump.as_ref().map_or(0, UnpackedDump::rows);
        // Held until all is in place.
        let _unused = folder_lock::expect_unused(&self.settings, runtime)?;
        // What was free may have been filled while it was unpacked.
        self.expect_free(&staging)?;
        let swap = self.put(runtime, &staging, dump)?;
        let set_aside = swap.finish().map_err(|e| problem::of_file(&e.path, &e.source))?;
        Ok(self.restored(&unpacked, records, set_aside))
    }

    fn expect_free(&self, staging: &Staging) -> Result<(), Problem> {
        match staging.occupied()? {
            Some(folder) if !self.options.replace => {
                let detail = format!(
                    "{} is not empty: pass --force to set it aside and restore in its place, or --data-dir for another \
                     folder; nothing was changed",
                    folder.display()
                );
                Err(Problem::data("folder-not-empty", detail).with_field("data-dir"))
            }
            _ => Ok(()),
        }
    }

    /// Reads the database in and puts the folders in their places. On a server both count at the same moment; a file
    /// lies in the folder.
    fn put(&self, runtime: &Handle, staging: &Staging, dump: Option<UnpackedDump>) -> Result<FolderSwap, Problem> {
        self.watch.progress("database", 0, 0);
        let put = || -> Result<FolderSwap, Problem> {
            self.check_cancelled()?;
            staging.put(self.now)
        };
        match (dump, &self.settings.database_url) {
            (None, _) => put(),
            (Some(dump), None) => {
                runtime.block_on(dump.into_file(&staging.database_file(), self.now))?;
                put()
            }
            (Some(dump), Some(url)) => {
                let mut swap = None;
                let before_commit = || -> Result<(), Problem> {
                    swap = Some(put()?);
                    Ok(())
                };
                let id = job_id(self.now);
                let loaded = runtime.block_on(dump.into_server(url, self.now, &id, before_commit));
                match (loaded, swap) {
                    (Ok(Loaded::Whole), Some(swap)) => Ok(swap),
                    (Ok(Loaded::Whole), None) => put(),
                    // The folders stay: put back, they would be without the records if those count.
                    (Ok(Loaded::Unknown(why)), swap) => {
                        let problem = Problem::from(why).context(UNKNOWN);
                        Err(swap.map_or(problem.clone(), |swap| kept(swap, problem)))
                    }
                    (Err(e), Some(swap)) => Err(undone(swap, e)),
                    (Err(e), None) => Err(e),
                }
            }
        }
    }

    fn restored(&self, unpacked: &Unpacked, records: u64, set_aside: Vec<PathBuf>) -> Restored {
        Restored {
            data_dir: self.settings.data_dir.clone(),
            program: unpacked.header.program.clone(),
            created_at: unpacked.header.created_at,
            candles: unpacked.header.candles,
            content_bytes: unpacked.members.iter().map(|m| m.bytes).sum(),
            candle_files: count(&unpacked.members, Part::Candles),
            model_files: count(&unpacked.members, Part::Models),
            records,
            set_aside,
        }
    }

    fn check_cancelled(&self) -> Result<(), Problem> {
        check_cancelled(&self.cancel, "nothing was changed")
    }
}

/// An error once the work was asked to stop; `left` says what became of it.
pub(super) fn check_cancelled(cancel: &AtomicBool, left: &str) -> Result<(), Problem> {
    if cancel.load(Ordering::Relaxed) {
        return Err(Problem::new("cancelled", 499, Blame::Cancelled, format!("cancelled; {left}")));
    }
    Ok(())
}
