//! The folders that a host works on: marked as in use while it lives, and whole even if a restore was killed.

use std::path::{Path, PathBuf};

use candlecast_core::Problem;
use candlecast_files::{
    FolderSwap, IN_USE_FILE, InUse, Recovered, SwapError, create_folder, holders, resolved, who_holds,
};

/// Times that opening begins anew because a restore was under way in between.
const MAX_TRIES: usize = 10;

/// Marks on the folders of a host.
#[derive(Debug)]
pub(crate) struct FoldersInUse {
    _marks: Vec<InUse>,
}

impl FoldersInUse {
    /// Brings a restore that was cut off to its end, or takes it back, and marks the data folder, and the model folder
    /// where it lies apart. An error where a backup is being restored there.
    pub(crate) fn mark(data_dir: &Path, models_dir: &Path) -> Result<Self, Problem> {
        // Of a folder that cannot be made or found the store tells better.
        let Ok(journal) = restore_journal(data_dir) else { return Ok(Self { _marks: Vec::new() }) };
        for _ in 0..MAX_TRIES {
            recover_restore(&journal)?;
            drop(create_folder(data_dir));
            let mut marks = vec![mark(data_dir)?];
            if !models_dir.starts_with(data_dir) {
                marks.push(mark(models_dir)?);
            }
            // What a restore began since belongs to folders that are not those marked.
            if !journal.exists() {
                return Ok(Self { _marks: marks });
            }
        }
        Err(in_use(data_dir, "backups are restored there one after another"))
    }
}

fn mark(folder: &Path) -> Result<InUse, Problem> {
    InUse::shared(folder).ok_or_else(|| {
        let who = who_holds(&holders(&folder.join(IN_USE_FILE)));
        in_use(folder, &format!("{who} is putting a backup in its place"))
    })
}

fn in_use(folder: &Path, why: &str) -> Problem {
    let detail = format!("{} is in use: {why}: wait until that has ended, and try again", folder.display());
    Problem::data("folder-in-use", detail).with_field("data-dir")
}

/// Where a restore into `data_dir` writes down what it is about to do: beside the folder, since the folder itself is
/// replaced. An error where the folder cannot be found, or has no parent.
pub fn restore_journal(data_dir: &Path) -> Result<PathBuf, Problem> {
    let folder = resolved(data_dir)?;
    match folder.file_name() {
        Some(name) => Ok(folder.with_file_name(format!(".{}.restore.json", name.to_string_lossy()))),
        None => Err(Problem::data("file-failed", format!("{} cannot be replaced", folder.display()))),
    }
}

/// Sees to it that a restore that was killed has replaced all folders or none.
pub fn recover_restore(journal: &Path) -> Result<Recovered, Problem> {
    let recovered = FolderSwap::recover(journal).map_err(|e| match e {
        SwapError::UnderWay { .. } | SwapError::InUse { .. } => {
            let detail = format!("a backup is being restored ({e}): wait until that has ended, and try again");
            Problem::data("folder-in-use", detail).with_field("data-dir")
        }
        SwapError::Damaged { .. } | SwapError::File(_) => {
            let detail = format!(
                "a restore was cut off and cannot be brought to its end ({e}): {} names the folders (`target` is the place, \
                 `new` what belongs there, `aside` where the old one goes); correct what is wrong, or move them by hand \
                 and delete that file",
                journal.display()
            );
            Problem::data("restore-unfinished", detail).with_field("data-dir")
        }
    })?;
    if recovered != Recovered::Nothing {
        tracing::info!(?recovered, "a restore had been cut off");
    }
    Ok(recovered)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use candlecast_files::SwapStep;

    use super::*;

    #[test]
    fn a_folder_is_in_use_while_its_host_lives() {
        let dir = tempfile::tempdir().unwrap();
        let (data, models) = (dir.path().join("data"), dir.path().join("models"));
        fs::create_dir(&models).unwrap();
        let one = FoldersInUse::mark(&data, &models).unwrap();
        let other = FoldersInUse::mark(&data, &models).unwrap();
        drop(one);
        for folder in [&data, &models] {
            assert!(InUse::alone(folder).unwrap().is_none(), "{}", folder.display());
        }
        drop(other);
        let _alone = [&data, &models].map(|folder| InUse::alone(folder).unwrap().expect("nobody works there"));
        let refused = FoldersInUse::mark(&data, &models).unwrap_err();
        assert_eq!((refused.code, refused.field.as_deref()), ("folder-in-use", Some("data-dir")));
    }

    #[test]
    fn a_restore_under_way_keeps_others_out_and_one_that_was_killed_is_brought_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let (data, models) = (dir.path().join("data"), dir.path().join("models"));
        let make = |name: &str, content: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("a"), content).unwrap();
            path
        };
        let steps = ["data", "models"].map(|name| SwapStep {
            target: make(name, "old"),
            new: make(&format!("new-{name}"), "new"),
            aside: dir.path().join(format!("{name}.before")),
        });
        let journal = restore_journal(&data).unwrap();
        let mut swap = FolderSwap::begin(&journal, "a1", steps.to_vec()).unwrap();
        swap.place_next().unwrap();
        assert_eq!(FoldersInUse::mark(&data, &models).unwrap_err().code, "folder-in-use");
        drop(swap);
        let _marks = FoldersInUse::mark(&data, &models).unwrap();
        for folder in [&data, &models] {
            assert_eq!(fs::read_to_string(folder.join("a")).unwrap(), "new");
        }
        assert!(!journal.exists());
    }

    #[test]
    fn a_restore_that_cannot_be_brought_to_its_end_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let journal = restore_journal(&data).unwrap();
        fs::write(&journal, "{").unwrap();
        let refused = FoldersInUse::mark(&data, &data.join("models")).unwrap_err();
        assert_eq!(refused.code, "restore-unfinished");
        assert!(refused.detail.contains(".data.restore.json") && refused.detail.contains("by hand"), "{refused}");
        assert!(!data.exists(), "nothing is made where something may be missing");
    }
}
