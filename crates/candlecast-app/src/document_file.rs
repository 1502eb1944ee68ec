//! A result as a JSON file of the user's.

use std::path::Path;

use candlecast_core::{Problem, file_problem};
use candlecast_files::NewFile;
use serde::Serialize;

/// Refuses an output file that would be refused after the work.
pub fn check_document_path(path: &Path) -> Result<(), Problem> {
    if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) {
        return Ok(());
    }
    Err(Problem::usage("bad-output", "output", format!("{}: end the file name in .json", path.display())))
}

/// Writes `doc` as JSON to `path`, whole or not at all. Blocks on the disk.
pub fn write_document<T: Serialize>(doc: &T, path: &Path) -> Result<(), Problem> {
    check_document_path(path)?;
    let mut text = serde_json::to_vec_pretty(doc).map_err(|e| Problem::data("output-failed", e.to_string()))?;
    text.push(b'\n');
    let written = NewFile::for_user(path).and_then(|new| {
        new.write_all(&text)?;
        new.persist(path)
    });
    written.map_err(|e| file_problem(path, &e.source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_appears_whole_and_only_as_json() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ranks.json");
        write_document(&[1, 2], &path).unwrap();
        write_document(&serde_json::json!({ "a": 1.5 }), &path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\n  \"a\": 1.5\n}\n");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        let refused = write_document(&1, &dir.path().join("ranks.csv")).unwrap_err();
        assert_eq!((refused.code, refused.exit_code()), ("bad-output", 2));
        assert_eq!(write_document(&1, &dir.path().join("none/ranks.json")).unwrap_err().code, "file-failed");
    }
}
