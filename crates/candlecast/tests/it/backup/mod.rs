//! `backup` and `restore`.

mod archives;
mod damage;
#[cfg(unix)]
mod disaster;
mod round_trip;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;

use crate::program::{Program, SERIES, SHORT, line};

/// Taken for "now", so that ages agree.
const NOW: &str = "2024-03-24T10:30:00Z";

/// With candles, a model, a forecast of it, and the job that trained it.
fn lived_in() -> Program {
    let program = Program::with_candles();
    program.json(&line(&[&["--now", NOW, "train", "--model", "linear"], SERIES, SHORT]));
    program.json(&line(&[&["--now", NOW, "predict", "--model", "linear"], SERIES]));
    program
}

/// A backup of [`lived_in`], made once.
fn good_archive() -> &'static [u8] {
    static ARCHIVE: OnceLock<Vec<u8>> = OnceLock::new();
    ARCHIVE.get_or_init(|| {
        let program = lived_in();
        program.json(&["backup", "good.tar.zst"]);
        fs::read(program.folder().join("good.tar.zst")).unwrap()
    })
}

/// Everything that the data folder `dir` answers, but for what tells where it lies and how old it is.
fn answers(program: &Program, dir: &str) -> BTreeMap<&'static str, Value> {
    let ask = |args: &[&str]| comparable(program.json(&line(&[&["--data-dir", dir, "--now", NOW], args])));
    let mut answers = BTreeMap::new();
    for args in [["data", "list"], ["models", "list"], ["predictions", "list"], ["jobs", "list"]] {
        answers.insert(args[0], ask(&args));
    }
    answers.insert("predict", ask(&line(&[&["predict", "--model", "linear"], SERIES])));
    answers
}

fn comparable(mut document: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| !matches!(name.as_str(), "path" | "ageMs"));
                fields.values_mut().for_each(strip);
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut document);
    document
}

/// Names in a folder, hidden ones too, in order.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}
