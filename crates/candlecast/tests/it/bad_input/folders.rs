//! Data folders that cannot be used, and configuration files that say something else than they should.

use std::fs;

use crate::candle_files::{HOUR_MS, csv, rows};
use crate::program::{Program, SERIES, SHORT, line};

#[test]
fn a_file_in_the_place_of_the_data_folder_is_named() {
    let program = Program::new();
    let file = program.write("BTCUSDT-1h.csv", csv(&rows(48, HOUR_MS, 1)));
    program.write("occupied", "a file");
    for command in [&["import", file.as_str()][..], &["data", "list"], &["predict", "--all"]] {
        let elsewhere = line(&[&["--data-dir", "occupied"], command]);
        program.refuse(&elsewhere, 1, "store-failed", &["occupied"]);
    }
    assert_eq!(fs::read_to_string(program.folder().join("occupied")).unwrap(), "a file");
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_keeps_what_it_has() {
    let name = "bad_input::folders::a_folder_that_cannot_be_written_keeps_what_it_has";
    if !candlecast_testenv::obeys_rights(name) {
        return;
    }
    let program = Program::with_candles();
    let before = program.json(&["data", "list"]);
    let locked = ReadOnly::new(&program.data_dir());
    // Quiet, as the store warns on standard error that it opens for reading only.
    let other = program.write("ETHUSDT-1h.csv", csv(&rows(48, HOUR_MS, 2)));
    program.refuse(&["--quiet", "import", &other], 1, "not-allowed", &["no permission", "data folder"]);
    let train = line(&[&["--quiet", "train", "--model", "linear"], SERIES, SHORT]);
    program.refuse(&train, 1, "metadata-failed", &["candlecast.db", "cannot be opened"]);
    assert_eq!(program.json(&["--quiet", "data", "list"]), before);
    drop(locked);
    program.json(&["import", &other]);
}

/// Takes the right to write from every folder of a tree and gives it back when dropped, so that the temporary
/// folder can be removed.
#[cfg(unix)]
struct ReadOnly(Vec<std::path::PathBuf>);

#[cfg(unix)]
impl ReadOnly {
    fn new(root: &std::path::Path) -> Self {
        let mut folders = vec![root.to_owned()];
        let mut next = 0;
        while let Some(folder) = folders.get(next).cloned() {
            let below = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            folders.extend(below.filter(|path| path.is_dir()));
            next += 1;
        }
        let locked = Self(folders);
        locked.set_mode(0o555);
        locked
    }

    fn set_mode(&self, mode: u32) {
        use std::os::unix::fs::PermissionsExt as _;
        for folder in &self.0 {
            fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
        }
    }
}

#[cfg(unix)]
impl Drop for ReadOnly {
    fn drop(&mut self) {
        self.set_mode(0o755);
    }
}

#[test]
fn configuration_files_are_held_to_their_keys() {
    let program = Program::new();
    let with = |text: &str| program.write("c.toml", text);
    let misspelt = with("data_dri = '/x'\n");
    program.refuse(&["--config", &misspelt, "data", "list"], 2, "bad-config", &["data_dri", "did you mean `data_dir`"]);
    let broken = with("data_dir = \n");
    program.refuse(&["--config", &broken, "data", "list"], 2, "bad-config", &["c.toml"]);
    let size = with("max_memory = 'five apples'\n");
    program.refuse(&["--config", &size, "data", "list"], 2, "bad-config", &["max_memory", "five apples", "512MB"]);
    program.refuse(&["--config", "none.toml", "data", "list"], 1, "file-failed", &["none.toml"]);
}
