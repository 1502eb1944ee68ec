//! Kills and failures in the middle of a save leave what was there, or the new model.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use candlecast_registry::{Activate, Status, Version};
use serde::{Deserialize, Serialize};

use crate::model::{Tiny, files, lstm, new_model, registry, save, tiny};

/// Names the folder in which the process that is to be killed saves models.
const VICTIM_FOLDER: &str = "CANDLECAST_TEST_VICTIM_FOLDER";
const ACKNOWLEDGED: &str = "acknowledged.txt";
const KILLS: u64 = 10;

/// Large enough that a kill also falls into its writing.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Large {
    weights: Vec<u64>,
}

fn large(seed: u64) -> Large {
    Large { weights: vec![seed; 100_000] }
}

struct Victim(Child);

impl Drop for Victim {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn save_until_killed(folder: &Path) {
    let mut acknowledged =
        fs::File::options().create(true).append(true).open(folder.join(ACKNOWLEDGED)).expect("the folder is writable");
    for seed in 1..2_000 {
        let meta = registry(&folder.join("models"))
            .save(&lstm(), new_model(seed), &large(seed), Activate::Always, 3)
            .expect("the folder is writable");
        acknowledged.write_all(format!("{}\n", meta.version).as_bytes()).expect("the file is writable");
    }
}

fn acknowledged(folder: &Path) -> Vec<Version> {
    let text = fs::read_to_string(folder.join(ACKNOWLEDGED)).unwrap_or_default();
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse().ok()).collect()
}

fn wait_for_a_save(folder: &Path) {
    let before = acknowledged(folder).len();
    for _ in 0..20_000 {
        if acknowledged(folder).len() > before {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("the other process saved nothing in 20 s");
}

#[test]
fn a_killed_save_leaves_the_old_or_the_new_model() {
    if let Some(folder) = std::env::var_os(VICTIM_FOLDER) {
        save_until_killed(Path::new(&folder));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let models = dir.path().join("models");
    for round in 0..KILLS {
        let victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::a_killed_save_leaves_the_old_or_the_new_model"])
            .env(VICTIM_FOLDER, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let victim = Victim(victim);
        wait_for_a_save(dir.path());
        std::thread::sleep(Duration::from_micros(1_700 * round));
        drop(victim);

        let loaded = registry(&models).load::<Large>(&lstm(), None).unwrap();
        assert_eq!((loaded.meta.status, loaded.fell_back), (Status::Active, None));
        assert_eq!(loaded.payload, large(loaded.meta.seed));
        assert!(Some(&loaded.meta.version) >= acknowledged(dir.path()).last(), "an acknowledged save is there");
        for listed in registry(&models).list().unwrap() {
            assert_eq!(listed.reason, None);
            registry(&models).verify(&lstm(), listed.name.version).unwrap();
        }
    }
    // The next save clears away what the kills left.
    registry(&models).save(&lstm(), new_model(1), &large(1), Activate::Always, 3).unwrap();
    let kept = registry(&models).names().unwrap().len();
    assert_eq!((kept, files(&models).len()), (3, 7), "{:?}", files(&models));
}

#[test]
fn every_state_that_a_kill_can_leave_is_read_as_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), 1);
    // What a second save writes, cut off after each of its steps.
    let other = tempfile::tempdir().unwrap();
    save(other.path(), 1);
    save(other.path(), 2);
    let (payload, meta) = ("BTCUSDT_LSTM_1.0.1.json", "BTCUSDT_LSTM_1.0.1.meta.json");
    let put = |from: &str, to: &str, share: usize| {
        let bytes = fs::read(other.path().join(from)).unwrap();
        fs::write(dir.path().join(to), &bytes[..bytes.len() * share / 2]).unwrap();
    };
    let is_old = || {
        let loaded = registry(dir.path()).load::<Tiny>(&lstm(), None).unwrap();
        assert_eq!((loaded.meta.version, loaded.payload, loaded.fell_back), (Version::FIRST, tiny(1), None));
    };
    put(payload, ".BTCUSDT_LSTM_1.0.1.json.tmp", 1);
    is_old();
    put(payload, payload, 2);
    is_old();
    assert_eq!(registry(dir.path()).list().unwrap().len(), 1, "a payload without meta is no model");
    put(meta, ".BTCUSDT_LSTM_1.0.1.meta.json.tmp", 1);
    is_old();
    put("BTCUSDT_LSTM.active.json", ".BTCUSDT_LSTM.active.json.tmp", 1);
    is_old();

    fs::write(dir.path().join("notes.json"), b"not ours").unwrap();
    assert_eq!(save(dir.path(), 3).version.to_string(), "1.0.1");
    assert_eq!(registry(dir.path()).load::<Tiny>(&lstm(), None).unwrap().payload, tiny(3));
    assert_eq!(files(dir.path()).len(), 6, "leftovers are gone, files of others stay: {:?}", files(dir.path()));
}

#[test]
fn a_write_that_fails_at_any_step_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), 1);
    for step in [
        ".BTCUSDT_LSTM_1.0.1.json.tmp",
        "BTCUSDT_LSTM_1.0.1.json",
        ".BTCUSDT_LSTM_1.0.1.meta.json.tmp",
        ".BTCUSDT_LSTM.active.json.tmp",
    ] {
        // A folder in its place makes the write of a file fail, for every user.
        fs::create_dir(dir.path().join(step)).unwrap();
        let before = files(dir.path());
        let failed = registry(dir.path()).save(&lstm(), new_model(2), &tiny(2), Activate::Always, 5).unwrap_err();
        assert!(failed.to_string().starts_with("cannot write `"), "{failed}");
        assert_eq!(files(dir.path()), before, "{step}");
        assert_eq!(registry(dir.path()).load::<Tiny>(&lstm(), None).unwrap().payload, tiny(1));
        fs::remove_dir(dir.path().join(step)).unwrap();
    }
    assert_eq!(save(dir.path(), 2).version.to_string(), "1.0.1");
}
