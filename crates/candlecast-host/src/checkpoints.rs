//! [`Checkpoints`]: what a long run has finished, on disk until the run ends, so that an interrupted one goes on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use candlecast_files::{NewFile, create_folder, sha256_hex};
use sha2::{Digest, Sha256};

/// Age after which what an interrupted run left is taken away.
const KEPT_FOR: Duration = Duration::from_secs(14 * 86_400);

/// A folder of one run, named by everything that determines the run's result.
#[derive(Debug, Clone)]
pub struct Checkpoints {
    folder: PathBuf,
}

impl Checkpoints {
    /// The folder of the run `fingerprint` below `root`; takes away what older runs left behind.
    pub fn open(root: &Path, fingerprint: &str) -> Self {
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            let age =
                entry.metadata().and_then(|m| m.modified()).ok().and_then(|m| SystemTime::now().duration_since(m).ok());
            if age.is_some_and(|age| age > KEPT_FOR) {
                let _ = fs::remove_dir_all(entry.path());
            }
        }
        Self { folder: root.join(fingerprint) }
    }

    /// The folder of what the attempts at a job have to agree on, whatever candles and models there are by then.
    pub fn of_job(root: &Path, job_id: &str) -> Self {
        Self::open(root, &format!("job-{}", sha256_hex(job_id.as_bytes())))
    }

    /// Finished pieces and checkpoints that an interrupted run left.
    #[allow(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        fs::read_dir(&self.folder).map_or(0, |entries| {
            entries.flatten().filter(|e| e.path().extension().is_some_and(|x| x == "piece" || x == "fit")).count()
        })
    }

    /// The content kept under `name`, if it is whole.
    pub fn recall(&self, name: &str) -> Option<Vec<u8>> {
        let bytes = fs::read(self.folder.join(name)).ok()?;
        let (seal, content) = bytes.split_at_checked(32)?;
        (Sha256::digest(content)[..] == *seal).then(|| content.to_vec())
    }

    /// Keeps `content`. A failure costs the resumption, not the run.
    pub fn keep(&self, name: &str, content: &[u8]) {
        if let Err(error) = self.write(name, content) {
            tracing::warn!(%error, folder = %self.folder.display(), "a checkpoint could not be written");
        }
    }

    /// The run is done.
    pub fn clear(&self) {
        let _ = fs::remove_dir_all(&self.folder);
    }

    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        create_folder(&self.folder)?;
        let target = self.folder.join(name);
        // The same run may be under way in another program, which then writes the same name.
        let new = NewFile::beside(&target)?;
        new.write_all(&Sha256::digest(content))?;
        new.write_all(content)?;
        Ok(new.persist(&target)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_comes_back_unless_it_was_altered() {
        let root = tempfile::tempdir().unwrap();
        let kept = Checkpoints::open(root.path(), "abc");
        assert_eq!((kept.len(), kept.recall("lstm-0.piece")), (0, None));
        kept.keep("lstm-0.piece", b"forecasts");
        kept.keep("lstm-1.fit", b"weights");
        assert_eq!(kept.recall("lstm-0.piece").as_deref(), Some(&b"forecasts"[..]));
        assert_eq!(Checkpoints::open(root.path(), "abc").len(), 2);
        assert_eq!(Checkpoints::open(root.path(), "abd").len(), 0);
        let path = root.path().join("abc/lstm-1.fit");
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(kept.recall("lstm-1.fit"), None);
        kept.clear();
        assert_eq!(kept.len(), 0);
    }
}
