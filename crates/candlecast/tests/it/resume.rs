//! Long runs that are interrupted: the same command goes on, and its result is that of an undisturbed run.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Program, SERIES, line};

/// Seconds until the first fit must have ended.
const PATIENCE: Duration = Duration::from_secs(240);
/// Fits of a second or more, so that finished ones are worth keeping.
const SLOW: &[&str] = &["--set", "epochs=40", "--set", "patience=10000", "--set", "hiddenSize=64"];
const COMMON: &[&str] = &["--horizon", "6h", "--train-days", "60", "--now", "2024-03-24T10:30:00Z"];
const TRAIN: &[&str] = &["train", "--model", "lstm", "--retrain-days", "30"];
const COMPARE: &[&str] =
    &["compare", "--models", "lstm", "--retrain-days", "10", "--from", "2024-02-20", "--to", "2024-03-20"];
/// Its fits learn from all around what they forecast, whatever number of days.
const CROSS: &[&str] = &[
    "backtest",
    "--model",
    "lstm",
    "--method",
    "purged-k-fold",
    "--folds",
    "3",
    "--min-candles",
    "300",
    "--horizon",
    "6h",
    "--now",
    "2024-03-24T10:30:00Z",
];

/// Files that runs have left to go on from.
fn kept(program: &Program) -> Vec<String> {
    let runs = fs::read_dir(program.data_dir().join("checkpoints")).into_iter().flatten().flatten();
    let files = runs.flat_map(|run| fs::read_dir(run.path()).into_iter().flatten().flatten());
    files.map(|file| file.file_name().to_string_lossy().into_owned()).collect()
}

/// Copies what runs have left from one folder of runs to another.
fn copy_runs(from: &Path, to: &Path) {
    for run in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let folder = to.join(run.file_name());
        fs::create_dir_all(&folder).unwrap();
        for file in fs::read_dir(run.path()).unwrap().map(Result::unwrap) {
            fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
    }
}

/// Waits until the first finished fit was kept.
fn wait_for_a_piece(program: &Program, child: &mut Child) {
    let begun = Instant::now();
    while !kept(program).iter().any(|name| name.ends_with(".piece")) {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before a fit was kept: make SLOW slower");
        assert!(begun.elapsed() < PATIENCE, "no fit was kept within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A document without what may differ: times it took, and where the data folder lies.
pub(crate) fn comparable(mut document: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| !matches!(name.as_str(), "fitSeconds" | "path"));
                fields.values_mut().for_each(strip);
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut document);
    document
}

#[test]
fn interrupted_runs_go_on_to_the_result_of_an_undisturbed_one() {
    for command in [line(&[TRAIN, COMMON]), line(&[COMPARE, COMMON]), CROSS.to_vec()] {
        let command = line(&[&command, SERIES, SLOW]);
        let undisturbed = comparable(Program::with_candles().json(&command));

        let program = Program::with_candles();
        let mut killed = program.spawn(&command);
        wait_for_a_piece(&program, &mut killed);
        killed.kill().unwrap();
        killed.wait().unwrap();
        let pieces = kept(&program).iter().filter(|name| name.ends_with(".piece") || name.ends_with(".fit")).count();
        assert!(pieces > 0);
        let (runs, aside) = (program.data_dir().join("checkpoints"), program.folder().join("aside"));
        copy_runs(&runs, &aside);
        assert_eq!(comparable(program.json(&command)), undisturbed, "after SIGKILL: {command:?}");
        assert_eq!(kept(&program), Vec::<String>::new());

        // Once more for people, who are told that the run begins with what is there.
        copy_runs(&aside, &runs);
        let told = program.run(&command);
        assert_eq!(told.code, Some(0), "{told:?}");
        assert!(told.stderr.contains(&format!("going on from {pieces} pieces")), "{told:?}");
        assert_eq!(kept(&program), Vec::<String>::new());
    }
}

#[test]
fn ctrl_c_keeps_what_was_finished_and_what_was_going_on() {
    let command = line(&[TRAIN, SERIES, COMMON, SLOW]);
    let another = line(&[&["train", "--model", "linear", "--retrain-days", "30"], SERIES, COMMON]);
    // What was tried before counts in both.
    let calm = Program::with_candles();
    calm.json(&another);
    let undisturbed = comparable(calm.json(&command));
    let program = Program::with_candles();
    let mut child = program.spawn(&command);
    wait_for_a_piece(&program, &mut child);
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let left = kept(&program);
    assert!(left.iter().any(|name| name.ends_with(".fit")), "the fit that was going on: {left:?}");
    assert_eq!(program.json(&["models", "list"]), serde_json::json!([]));

    // A run of something else neither uses nor takes away what this one left.
    program.json(&another);
    assert_eq!(kept(&program).len(), left.len());

    assert_eq!(comparable(program.json(&command)), undisturbed);
    assert_eq!(kept(&program), Vec::<String>::new());
}
