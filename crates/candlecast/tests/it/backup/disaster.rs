//! Kills, full disks and folders in use.

use std::fs::{self, File};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{NOW, answers, good_archive, lived_in, names};
use crate::candle_files::{HOUR_MS, csv, rows};
use crate::program::{Program, SERIES, line};

/// Shares of an undisturbed run's time.
const MOMENTS: [f64; 8] = [0.1, 0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.95];
/// Until a job must be on record.
const PATIENCE: Duration = Duration::from_secs(120);

/// Whether the kill came before the end.
fn kill_at(mut child: Child, typical: Duration, share: f64) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    sleep(typical.mul_f64(share));
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(status.success() || status.signal() == Some(9), "{status}");
    !status.success()
}

/// A folder with other candles than the backup, and the backup beside it.
fn occupied() -> Program {
    let program = Program::new();
    program.write("good.tar.zst", good_archive());
    let other = program.write("ETHUSDT-1h.csv", csv(&rows(48, HOUR_MS, 2)));
    program.json(&["import", &other]);
    program
}

fn symbols(program: &Program) -> Vec<String> {
    let listed = program.json(&["data", "list"]);
    listed.as_array().unwrap().iter().map(|entry| entry["symbol"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_restore_that_is_killed_leaves_the_old_folder_or_the_new_one() {
    let restore = ["restore", "good.tar.zst", "--force"];
    let undisturbed = occupied();
    let begun = Instant::now();
    undisturbed.json(&restore);
    let typical = begun.elapsed();
    let mut n_landed = 0;
    for share in MOMENTS {
        let program = occupied();
        n_landed += usize::from(kill_at(program.spawn(&restore), typical, share));
        let left = symbols(&program);
        assert!(left == ["ETHUSDT"] || left == ["BTCUSDT"], "{left:?} after a kill at {share}");
        program.json(&["data", "check"]);
        if left == ["BTCUSDT"] {
            program.json(&line(&[&["--now", NOW, "predict", "--model", "linear"], SERIES]));
        }
        // What the killed one left behind is in nobody's way, and removed.
        program.json(&restore);
        assert_eq!(symbols(&program), ["BTCUSDT"]);
        let left = names(program.folder());
        assert!(left.iter().all(|name| !name.starts_with('.')), "{left:?}");
    }
    assert!(n_landed > 0, "every restore was done before it was killed");
}

#[test]
fn a_backup_that_is_killed_is_not_there_under_its_name() {
    let program = lived_in();
    let begun = Instant::now();
    program.json(&["backup", "whole.tar.zst"]);
    let typical = begun.elapsed();
    let mut n_landed = 0;
    for (round, share) in MOMENTS.into_iter().enumerate() {
        let name = format!("{round}.tar.zst");
        n_landed += usize::from(kill_at(program.spawn(&["backup", &name]), typical, share));
        if program.folder().join(&name).exists() {
            let target = format!("restored-{round}");
            program.json(&["--data-dir", &target, "restore", &name]);
        } else {
            program.json(&["backup", &name]);
        }
    }
    assert!(n_landed > 0, "every backup was done before it was killed");
    assert_eq!(program.json(&["--now", NOW, "doctor"])["healthy"], true);
    // What the killed ones left is removed by the next one.
    program.json(&["backup", "last.tar.zst"]);
    let models = program.data_dir().join("models");
    for folder in [program.folder(), models.as_path()] {
        let left = names(folder);
        assert!(left.iter().all(|name| !name.starts_with(".candlecast-backup")), "{left:?}");
    }
}

#[test]
fn a_folder_that_a_program_has_open_is_not_replaced_although_it_writes_nothing() {
    let program = occupied();
    let mut worker = program.spawn(&["worker"]);
    // It makes the database once it has the folder open.
    let database = program.data_dir().join("candlecast.db");
    let begun = Instant::now();
    while !database.exists() {
        assert!(worker.try_wait().unwrap().is_none() && begun.elapsed() < PATIENCE, "the worker does not run");
        sleep(Duration::from_millis(50));
    }
    let restore = ["restore", "good.tar.zst", "--force"];
    program.refuse(&restore, 1, "folder-in-use", &["works there", "stop it first"]);
    assert_eq!(names(program.folder()), ["ETHUSDT-1h.csv", "data", "good.tar.zst"]);
    worker.kill().unwrap();
    worker.wait().unwrap();
    program.json(&restore);
    assert_eq!(symbols(&program), ["BTCUSDT"]);
}

#[test]
fn a_folder_that_a_program_writes_to_is_not_replaced() {
    let program = occupied();
    let lock = File::options().write(true).open(program.data_dir().join("candles/.lock")).unwrap();
    lock.lock().unwrap();
    let restore = ["restore", "good.tar.zst", "--force"];
    program.refuse(&restore, 1, "folder-in-use", &["candles", "another program"]);
    assert_eq!(names(program.folder()), ["ETHUSDT-1h.csv", "data", "good.tar.zst"]);
    drop(lock);
    assert_eq!(symbols(&program), ["ETHUSDT"]);
    program.json(&restore);
    assert_eq!(symbols(&program), ["BTCUSDT"]);
}

fn running(program: &Program) -> Option<Value> {
    let listed = program.json(&["jobs", "list", "--state", "running"]);
    listed["jobs"].as_array().unwrap().first().cloned()
}

#[test]
fn a_folder_on_which_a_job_runs_is_not_replaced() {
    let program = Program::with_candles();
    program.write("good.tar.zst", good_archive());
    let slow = ["--set", "epochs=10000", "--set", "patience=10000", "--set", "hiddenSize=64"];
    let train = line(&[&["train", "--model", "lstm", "--horizon", "6h", "--train-days", "60"], SERIES, &slow]);
    let mut child = program.spawn(&train);
    let begun = Instant::now();
    let job = loop {
        if let Some(job) = running(&program) {
            break job;
        }
        assert!(child.try_wait().unwrap().is_none() && begun.elapsed() < PATIENCE, "no job came on record");
        sleep(Duration::from_millis(50));
    };
    let id = job["id"].as_str().unwrap();
    let restore = ["restore", "good.tar.zst", "--force"];
    program.refuse(&restore, 1, "folder-in-use", &[id, "stop it first"]);
    child.kill().unwrap();
    child.wait().unwrap();
    // A process of this machine that is gone is known to be gone.
    if cfg!(target_os = "linux") {
        program.json(&restore);
    }
}

/// Runs `candlecast --json ARGS` where `full` is a disk of 8 kB; its exit code, standard error, and what was left on
/// the disk. `None`, said aloud, where no disk can be mounted.
fn on_a_small_disk(program: &Program, args: &[&str]) -> Option<(Option<i32>, String, Vec<String>)> {
    let words = candlecast_testenv::mount_words()?;
    let mount = "mkdir -p full && mount -t tmpfs -o size=8k tmpfs full";
    let script = format!("{mount} || exit 99; \"$@\"; code=$?; ls -A full; exit $code");
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command.args(["sh", "-c", &script, "sh", env!("CARGO_BIN_EXE_candlecast"), "--json"]).args(args);
    program.place(&mut command);
    let run = command.output().unwrap();
    let left = String::from_utf8(run.stdout).unwrap().lines().map(str::to_owned).collect();
    Some((run.status.code(), String::from_utf8(run.stderr).unwrap(), left))
}

#[test]
fn a_full_disk_is_named_and_nothing_is_left_on_it() {
    let program = lived_in();
    program.write("good.tar.zst", good_archive());
    let before = answers(&program, "data");
    for args in [&["backup", "full/b.tar.zst"][..], &["--data-dir", "full/data", "restore", "good.tar.zst"]] {
        let Some((code, stderr, left)) = on_a_small_disk(&program, args) else { return };
        assert_eq!(code, Some(1), "{stderr}");
        let problem: Value = serde_json::from_str(&stderr).unwrap();
        assert_eq!(problem["code"], "disk-full", "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains("no space is left"), "{problem}");
        assert!(left.is_empty(), "{left:?}");
    }
    assert_eq!(answers(&program, "data"), before);
}

#[test]
fn backups_made_while_a_model_is_trained_again_and_again_are_whole() {
    let program = lived_in();
    let train = line(&[&["train", "--model", "linear"], SERIES, crate::program::SHORT]);
    for round in 0..6 {
        let mut training = program.spawn(&train);
        // Later and later within the training, so that some fall into the saving.
        sleep(Duration::from_millis(150 * round));
        let name = format!("{round}.tar.zst");
        program.json(&["backup", &name]);
        let ended = training.wait().unwrap();
        assert!(ended.success(), "a backup must not disturb a training: {ended}");
        let target = format!("restored-{round}");
        program.json(&["--data-dir", &target, "restore", &name]);
        let models = program.json(&["--data-dir", &target, "models", "list"]);
        let models = models.as_array().unwrap();
        assert!(models.iter().all(|model| model["status"] != "corrupt"), "{models:?}");
        assert_eq!(models.iter().filter(|model| model["status"] == "active").count(), 1, "{models:?}");
        let predict = line(&[&["--data-dir", &target, "--now", NOW, "predict", "--model", "linear"], SERIES]);
        assert!(program.json(&predict).get("fellBack").is_none());
        fs::remove_dir_all(program.folder().join(&target)).unwrap();
    }
}
