//! [`Content`]: files as they were when they were opened, whatever is written into their folder since.

use std::fs::{self, File};
use std::io::{self, Cursor, ErrorKind, Read};
use std::path::Path;

use candlecast_core::Problem;

use crate::contents::Source;
use crate::problem;

/// What files of the lake are named that writers append to. All others are replaced whole, so an open one stays as it
/// is.
const GROWING: &str = "_segment-";

/// The content of a file.
#[derive(Debug)]
pub(super) enum Content {
    /// Still to be read.
    Open { file: File, bytes: u64 },
    /// In memory.
    InMemory(Cursor<Vec<u8>>),
}

impl Content {
    fn of(path: &Path) -> io::Result<Self> {
        let grows = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(GROWING));
        if grows {
            return Ok(Self::InMemory(Cursor::new(fs::read(path)?)));
        }
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self::Open { file, bytes })
    }

    /// Its size.
    pub(super) fn n_bytes(&self) -> u64 {
        match self {
            Self::Open { bytes, .. } => *bytes,
            Self::InMemory(content) => content.get_ref().len() as u64,
        }
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Open { file, .. } => file.read(buffer),
            Self::InMemory(content) => content.read(buffer),
        }
    }
}

/// Opens `sources`; those that were deleted since they were listed are left out.
pub(super) fn open(sources: &[Source]) -> Result<Vec<(&Source, Content)>, Problem> {
    let mut opened = Vec::with_capacity(sources.len());
    for source in sources {
        match Content::of(&source.path) {
            Ok(content) => opened.push((source, content)),
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(problem::of_file(&source.path, &e)),
        }
    }
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn what_is_written_after_the_opening_is_not_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let source = |name: &str| {
            let path = dir.path().join(name);
            Source { member: name.to_owned(), path, bytes: 0 }
        };
        let sources = ["_segment-2023.log", "gone.parquet", "year=2023.parquet"].map(source);
        for kept in [&sources[0], &sources[2]] {
            fs::write(&kept.path, "old").unwrap();
        }
        let opened = open(&sources).unwrap();
        // A segment grows in place, a year is replaced.
        File::options().append(true).open(&sources[0].path).unwrap().write_all(b" and new").unwrap();
        fs::remove_file(&sources[2].path).unwrap();
        fs::write(&sources[2].path, "new").unwrap();
        let read: Vec<(&str, u64, String)> = opened
            .into_iter()
            .map(|(source, mut content)| {
                let mut text = String::new();
                content.read_to_string(&mut text).unwrap();
                (source.member.as_str(), content.n_bytes(), text)
            })
            .collect();
        assert_eq!(read, [("_segment-2023.log", 3, "old".to_owned()), ("year=2023.parquet", 3, "old".to_owned())]);
    }
}
