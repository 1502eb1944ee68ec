//! Kills and failures in the middle of a save leave what was there, or the new model.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use candlecast_registry::{Activate, Status, Version};
use serde::{Deserialize, Serialize};

use crate::model::{Tiny, at_horizon, day, files, lstm, now, registry, save, save_at, tiny};

/// Names the folder in which the process that is to be killed saves models.
const VICTIM_FOLDER: &str = "CANDLECAST_TEST_VICTIM_FOLDER";
const ACKNOWLEDGED: &str = "acknowledged.txt";
const KILLS: u64 = 10;
/// Saved in turn.
const HORIZONS: [usize; 2] = [24, 12];

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
        let new = at_horizon(seed, HORIZONS[seed as usize % 2]);
        let manifest = registry(&folder.join("models"))
            .save(&lstm(), new, &large(seed), Activate::Always, 3, now())
            .expect("the folder is writable");
        let line = format!("{} {}\n", manifest.horizon_steps, manifest.version);
        acknowledged.write_all(line.as_bytes()).expect("the file is writable");
    }
}

/// Horizons and versions of the saves that were acknowledged, oldest first.
fn acknowledged(folder: &Path) -> Vec<(usize, Version)> {
    let text = fs::read_to_string(folder.join(ACKNOWLEDGED)).unwrap_or_default();
    let line = |line: &str| -> Option<(usize, Version)> {
        let (horizon, version) = line.strip_suffix('\n')?.split_once(' ')?;
        Some((horizon.parse().ok()?, version.parse().ok()?))
    };
    text.split_inclusive('\n').filter_map(line).collect()
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

        for horizon in HORIZONS {
            let mut of_slot = acknowledged(dir.path());
            of_slot.retain(|(of, _)| *of == horizon);
            let Some((_, last)) = of_slot.pop() else { continue };
            let loaded = registry(&models).load::<Large>(&lstm().slot(horizon)).unwrap();
            assert_eq!((loaded.manifest.status, loaded.fell_back), (Status::Active, None));
            assert_eq!(loaded.payload, large(loaded.manifest.seed));
            assert!(loaded.manifest.version >= last, "an acknowledged save is there");
            let history = registry(&models).history(&lstm()).unwrap();
            let told = history.iter().rev().find(|change| change.horizon == horizon).unwrap();
            assert_eq!(told.to, Some(loaded.manifest.version), "what serves and its history change together");
        }
        for listed in registry(&models).list().unwrap() {
            assert_eq!(listed.reason, None);
            registry(&models).verify(&lstm(), listed.name.version).unwrap();
        }
    }
    let given: Vec<Version> = acknowledged(dir.path()).iter().map(|(_, version)| *version).collect();
    assert!(given.len() > 1, "{given:?}");
    assert_eq!(given.iter().collect::<BTreeSet<_>>().len(), given.len(), "no number is given twice: {given:?}");
    // The next saves clear away what the kills left.
    for horizon in HORIZONS {
        for seed in 0..3 {
            registry(&models)
                .save(&lstm(), at_horizon(seed, horizon), &large(seed), Activate::Always, 3, now())
                .unwrap();
        }
    }
    let kept = registry(&models).names().unwrap().len();
    assert_eq!((kept, files(&models).len()), (6, 13), "{:?}", files(&models));
}

/// Copies `share` halves of the file `from` to the file `to`.
fn put(from: &Path, to: &Path, share: usize) {
    let bytes = fs::read(from).unwrap();
    fs::write(to, &bytes[..bytes.len() * share / 2]).unwrap();
}

#[test]
fn every_state_that_a_kill_can_leave_is_read_as_the_old_one() {
    for (horizon, version) in [(24, "1.0.1"), (12, "2.0.0")] {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), 1);
        // What a second save writes, cut off after each of its steps.
        let other = tempfile::tempdir().unwrap();
        save(other.path(), 1);
        save_at(other.path(), 2, horizon);
        let (payload, meta) = (format!("BTCUSDT_LSTM_{version}.json"), format!("BTCUSDT_LSTM_{version}.meta.json"));
        let write = |from: &str, to: &str, share| put(&other.path().join(from), &dir.path().join(to), share);
        let is_old = || {
            let loaded = registry(dir.path()).load::<Tiny>(&day()).unwrap();
            assert_eq!((loaded.manifest.version, loaded.payload, loaded.fell_back), (Version::FIRST, tiny(1), None));
            assert_eq!(registry(dir.path()).serving_slots().unwrap(), [day()]);
            assert_eq!(registry(dir.path()).history(&lstm()).unwrap().len(), 1);
        };
        write(&payload, &format!(".{payload}.tmp"), 1);
        is_old();
        write(&payload, &payload, 2);
        is_old();
        assert_eq!(registry(dir.path()).list().unwrap().len(), 1, "a payload without meta is no model");
        write(&meta, &format!(".{meta}.tmp"), 1);
        is_old();
        write("BTCUSDT_LSTM.active.json", ".BTCUSDT_LSTM.active.json.tmp", 1);
        is_old();

        fs::write(dir.path().join("notes.json"), b"not ours").unwrap();
        assert_eq!(save_at(dir.path(), 3, horizon).version.to_string(), version);
        assert_eq!(registry(dir.path()).load::<Tiny>(&lstm().slot(horizon)).unwrap().payload, tiny(3));
        assert_eq!(files(dir.path()).len(), 6, "leftovers are gone, files of others stay: {:?}", files(dir.path()));
    }
}

#[test]
fn a_kill_before_the_pointer_is_replaced_leaves_a_candidate_and_the_slots_as_they_were() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), 1);
    let pointer = fs::read(dir.path().join("BTCUSDT_LSTM.active.json")).unwrap();
    registry(dir.path()).save(&lstm(), at_horizon(2, 12), &tiny(2), Activate::Never, 100, now()).unwrap();
    fs::write(dir.path().join("BTCUSDT_LSTM.active.json"), pointer).unwrap();
    let told: Vec<_> =
        registry(dir.path()).list().unwrap().iter().map(|l| format!("{} {}", l.name.version, l.status)).collect();
    assert_eq!(told, ["1.0.0 active", "2.0.0 candidate"]);
    assert_eq!(registry(dir.path()).serving_slots().unwrap(), [day()]);
    assert_eq!(save_at(dir.path(), 3, 12).version.to_string(), "2.0.1", "the number of the candidate is taken");
    assert_eq!(registry(dir.path()).load::<Tiny>(&day()).unwrap().payload, tiny(1));
}

#[test]
fn a_write_that_fails_at_any_step_changes_nothing() {
    for (horizon, version) in [(24, "1.0.1"), (12, "2.0.0")] {
        let dir = tempfile::tempdir().unwrap();
        save(dir.path(), 1);
        for step in [
            format!(".BTCUSDT_LSTM_{version}.json.tmp"),
            format!("BTCUSDT_LSTM_{version}.json"),
            format!(".BTCUSDT_LSTM_{version}.meta.json.tmp"),
            ".BTCUSDT_LSTM.active.json.tmp".to_owned(),
        ] {
            // A folder in its place makes the write of a file fail, for every user.
            fs::create_dir(dir.path().join(&step)).unwrap();
            let before = files(dir.path());
            let failed = registry(dir.path())
                .save(&lstm(), at_horizon(2, horizon), &tiny(2), Activate::Always, 5, now())
                .unwrap_err();
            assert!(failed.to_string().starts_with("cannot write `"), "{failed}");
            assert_eq!(files(dir.path()), before, "{step}");
            assert_eq!(registry(dir.path()).load::<Tiny>(&day()).unwrap().payload, tiny(1));
            assert_eq!(registry(dir.path()).history(&lstm()).unwrap().len(), 1);
            fs::remove_dir(dir.path().join(&step)).unwrap();
        }
        assert_eq!(save_at(dir.path(), 2, horizon).version.to_string(), version);
    }
}
