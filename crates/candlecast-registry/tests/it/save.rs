//! Saving, versions, what is kept.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use candlecast_registry::{
    Activate, Change, ModelName, NameClaims, NewModel, Registry, RegistryError, Status, Version,
};
use serde_json::json;

use crate::model::{Tiny, at_horizon, day, family_of, files, lstm, new_model, now, registry, save, save_at, tiny};

const WRITERS: u64 = 4;
const SAVES: u64 = 6;

fn version(text: &str) -> Version {
    text.parse().expect("tests name valid versions")
}

fn save_as(root: &Path, new: NewModel, activate: Activate, keep: usize) -> String {
    let saved =
        registry(root).save(&lstm(), new, &tiny(1), activate, keep, now()).expect("a writable folder takes a model");
    format!("{} {}", saved.version, saved.status)
}

fn stored(root: &Path) -> Vec<String> {
    let listed = registry(root).list_family(&lstm()).expect("a readable folder");
    listed.iter().map(|l| format!("{} {}", l.name.version, l.status)).collect()
}

#[test]
fn another_instance_reads_the_same_model() {
    let dir = tempfile::tempdir().unwrap();
    let saved = save(dir.path(), 7);
    assert_eq!((saved.id.as_str(), saved.status), ("BTCUSDT_LSTM_1.0.0", Status::Active));
    let loaded = registry(dir.path()).load::<Tiny>(&day()).unwrap();
    assert_eq!((loaded.manifest, loaded.payload, loaded.fell_back), (saved.clone(), tiny(7), None));
    assert_eq!(registry(dir.path()).verify(&lstm(), saved.version).unwrap(), saved);
    assert_eq!(
        files(dir.path()),
        ["BTCUSDT_LSTM.active.json", "BTCUSDT_LSTM_1.0.0.json", "BTCUSDT_LSTM_1.0.0.meta.json"]
    );
}

/// Names that another folder has given, and those that were claimed here.
#[derive(Debug)]
struct Elsewhere {
    given: Vec<&'static str>,
    claimed: Mutex<Vec<String>>,
}

impl NameClaims for Elsewhere {
    fn claim(&self, name: &ModelName) -> bool {
        self.claimed.lock().expect("no test panics while it claims").push(name.to_string());
        !self.given.contains(&name.to_string().as_str())
    }
}

#[test]
fn no_version_is_given_that_another_folder_has_given() {
    let dir = tempfile::tempdir().unwrap();
    let given = vec!["BTCUSDT_LSTM_1.0.0", "BTCUSDT_LSTM_2.0.1", "BTCUSDT_LSTM_2.0.2", "BTCUSDT_LSTM_2.1.0"];
    let claims = Arc::new(Elsewhere { given, claimed: Mutex::new(vec![]) });
    let registry = registry(dir.path()).claiming(Arc::clone(&claims) as Arc<dyn NameClaims>);
    let add = |new: NewModel| {
        let saved = registry.save(&lstm(), new, &tiny(1), Activate::Never, 100, now());
        saved.expect("a writable folder takes a model").version.to_string()
    };
    assert_eq!(add(new_model(1)), "2.0.0");
    assert_eq!(*claims.claimed.lock().unwrap(), ["BTCUSDT_LSTM_1.0.0", "BTCUSDT_LSTM_2.0.0"]);
    let mut later = NewModel { data_fingerprint: "other".into(), ..new_model(2) };
    assert_eq!(add(later.clone()), "2.0.3");
    later.config["epochs"] = json!(50);
    assert_eq!(add(later), "2.2.0");
}

#[test]
fn what_changed_decides_the_version() {
    let dir = tempfile::tempdir().unwrap();
    let add = |new: NewModel| save_as(dir.path(), new, Activate::Never, 100);
    assert_eq!(add(new_model(1)), "1.0.0 candidate");
    let mut later = NewModel { data_fingerprint: "other".into(), data_points: 2000, ..new_model(2) };
    assert_eq!(add(later.clone()), "1.0.1 candidate");
    later.config["epochs"] = json!(50);
    assert_eq!(add(later.clone()), "1.1.0 candidate");
    assert_eq!(add(later.clone()), "1.1.1 candidate");
    later.features[1].version = 3;
    assert_eq!(add(later.clone()), "2.0.0 candidate");
    later.features.swap(0, 1);
    assert_eq!(add(later.clone()), "3.0.0 candidate");
    later.config = json!({"epochs": 50, "learningRate": 0.001, "sequenceLength": 20, "hiddenSize": 32});
    assert_eq!(add(later.clone()), "3.0.1 candidate", "the order of fields is no change");
    later.pipeline["window"] = json!(120);
    assert_eq!(add(later.clone()), "3.1.0 candidate", "the pipeline is a part of the configuration");
    later.pool = vec!["binance:ETHUSDT:1h".into()];
    assert_eq!(add(later.clone()), "3.2.0 candidate", "so is whether there is a pool");
    later.pool.push("binance:SOLUSDT:1h".into());
    assert_eq!(add(later), "3.2.1 candidate", "which series are in it is not");
}

#[test]
fn versions_count_through_all_horizons_and_no_number_is_given_twice() {
    let dir = tempfile::tempdir().unwrap();
    let add = |seed, horizon| save_at(dir.path(), seed, horizon).version.to_string();
    assert_eq!([add(0, 24), add(1, 24)], ["1.0.0", "1.0.1"]);
    assert_eq!(add(2, 12), "2.0.0", "a horizon of its own takes the next major");
    assert_eq!([add(3, 24), add(4, 12)], ["1.0.2", "2.0.1"], "others are compared with the newest of their horizon");
    registry(dir.path()).promote(&lstm(), version("1.0.1"), now()).unwrap();
    registry(dir.path()).delete(&lstm(), version("1.0.2")).unwrap();
    assert_eq!(add(5, 24), "1.0.3", "the number of a deleted version stays taken, whatever came after it");
    let mut other = at_horizon(6, 24);
    other.features.pop();
    assert_eq!(save_as(dir.path(), other.clone(), Activate::Always, 9), "3.0.0 active", "the next major of the family");
    assert_eq!(add(7, 12), "2.0.2");
    other.config["epochs"] = json!(50);
    assert_eq!(save_as(dir.path(), other, Activate::Always, 9), "3.1.0 active");
    assert_eq!(add(8, 48), "4.0.0");
    for patch in 0..3 {
        registry(dir.path()).delete_even_active(&lstm(), Version { major: 2, minor: 0, patch }, now()).unwrap();
    }
    assert_eq!(add(9, 12), "5.0.0", "without a version to compare with it is as at first");
}

#[test]
fn activation_is_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let add = |activate| save_as(dir.path(), new_model(1), activate, 100);
    assert_eq!(add(Activate::Never), "1.0.0 candidate");
    assert!(matches!(registry(dir.path()).load::<Tiny>(&day()), Err(RegistryError::NoneActive { .. })));
    assert_eq!(add(Activate::IfNothingServes), "1.0.1 active");
    assert_eq!(add(Activate::IfNothingServes), "1.0.2 candidate");
    assert_eq!(add(Activate::Always), "1.0.3 active");
    assert_eq!(stored(dir.path()), ["1.0.0 archived", "1.0.1 archived", "1.0.2 archived", "1.0.3 active"]);
    assert_eq!(registry(dir.path()).active(&day()).unwrap(), Some(version("1.0.3")));
    assert_eq!(add(Activate::InPlaceOf(version("1.0.1"))), "1.0.4 candidate", "another one serves by now");
    assert_eq!(add(Activate::InPlaceOf(version("1.0.3"))), "1.0.5 active");
}

#[test]
fn activation_looks_at_the_slot_of_the_model() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), 0);
    let add = |activate| save_as(dir.path(), at_horizon(1, 12), activate, 100);
    assert_eq!(add(Activate::InPlaceOf(Version::FIRST)), "2.0.0 candidate", "that one serves another horizon");
    assert_eq!(add(Activate::IfNothingServes), "2.0.1 active");
    assert_eq!(add(Activate::InPlaceOf(version("2.0.1"))), "2.0.2 active");
    assert_eq!(registry(dir.path()).active(&day()).unwrap(), Some(Version::FIRST));
    assert_eq!(stored(dir.path()), ["1.0.0 active", "2.0.0 archived", "2.0.1 archived", "2.0.2 active"]);
}

#[test]
fn saving_deletes_no_version_of_another_slot() {
    let dir = tempfile::tempdir().unwrap();
    for seed in 0..3 {
        save(dir.path(), seed);
    }
    for _ in 0..3 {
        save_as(dir.path(), at_horizon(1, 12), Activate::Always, 2);
    }
    let left = ["1.0.0 archived", "1.0.1 archived", "1.0.2 active", "2.0.1 archived", "2.0.2 active"];
    assert_eq!(stored(dir.path()), left);
}

#[test]
fn the_oldest_archived_versions_go_and_the_active_one_stays() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..4 {
        save_as(dir.path(), new_model(1), Activate::Always, 3);
    }
    assert_eq!(stored(dir.path()), ["1.0.1 archived", "1.0.2 archived", "1.0.3 active"]);
    for _ in 0..4 {
        save_as(dir.path(), new_model(1), Activate::Never, 3);
    }
    assert_eq!(stored(dir.path()), ["1.0.2 archived", "1.0.3 active", "1.0.7 candidate"]);
    save_as(dir.path(), new_model(1), Activate::Never, 0);
    assert_eq!(stored(dir.path()), ["1.0.3 active", "1.0.8 candidate"]);
    assert_eq!(files(dir.path()).len(), 5, "payloads go with their metas");
}

#[test]
fn no_version_is_given_twice() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), 1);
    assert_eq!(save_as(dir.path(), new_model(1), Activate::Never, 9), "1.0.1 candidate");
    registry(dir.path()).delete(&lstm(), version("1.0.1")).unwrap();
    assert_eq!(save_as(dir.path(), new_model(1), Activate::Never, 9), "1.0.2 candidate");
    assert_eq!(registry(dir.path()).delete_all(&lstm(), now()).unwrap(), 2);
    assert_eq!(files(dir.path()), ["BTCUSDT_LSTM.active.json"]);
    assert_eq!(save_as(dir.path(), new_model(1), Activate::Never, 9), "2.0.0 candidate");
}

#[test]
fn families_lie_apart() {
    let dir = tempfile::tempdir().unwrap();
    let families = [
        lstm(),
        family_of("binance", "1h", "lstm", "direction"),
        family_of("binance", "4h", "lstm", "price"),
        family_of("binanceus", "1h", "lstm", "price"),
        family_of("binance", "1h", "random-forest", "price"),
    ];
    for (seed, family) in (0..).zip(&families) {
        let saved = registry(dir.path())
            .save(family, new_model(seed), &tiny(seed), Activate::IfNothingServes, 5, now())
            .unwrap();
        assert_eq!((saved.version, saved.status), (Version::FIRST, Status::Active));
        assert_eq!((saved.family().unwrap(), saved.slot().unwrap()), (family.clone(), family.slot(24)));
        assert_eq!(saved.id.parse::<ModelName>().unwrap(), family.at(Version::FIRST));
    }
    for (seed, family) in (0..).zip(&families) {
        assert_eq!(registry(dir.path()).load::<Tiny>(&family.slot(24)).unwrap().payload, tiny(seed));
    }
    assert!(dir.path().join("binance/4h/BTCUSDT_LSTM_4h_price_1.0.0.meta.json").is_file());
    assert!(dir.path().join("binanceus/1h/BTCUSDT_LSTM_1.0.0.json").is_file());
    let mut expected: Vec<ModelName> = families.iter().map(|f| f.at(Version::FIRST)).collect();
    expected.sort();
    assert_eq!(registry(dir.path()).names().unwrap(), expected);
    let listed = registry(dir.path()).list().unwrap();
    assert_eq!(listed.iter().map(|l| l.name.clone()).collect::<Vec<_>>(), expected);
    assert!(listed.iter().all(|l| l.status == Status::Active && l.reason.is_none() && l.manifest.is_some()));
}

#[test]
fn what_cannot_be_stored_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("models");
    let registry = registry(&root);
    let try_save =
        |new: NewModel, payload: &Tiny| registry.save(&lstm(), new, payload, Activate::Always, 5, now()).unwrap_err();
    let nan = Tiny { weights: vec![1.0, f64::NAN], ..tiny(1) };
    assert!(matches!(try_save(new_model(1), &nan), RegistryError::NotFinite { field, .. } if field == "weights.1"));
    let new = NewModel { accuracy: Some(f64::INFINITY), ..new_model(1) };
    assert!(matches!(try_save(new, &tiny(1)), RegistryError::NotFinite { field, .. } if field == "accuracy"));
    for name in ["", "a\nb", "x".repeat(101).as_str()] {
        let new = NewModel { name: Some(name.into()), ..new_model(1) };
        assert!(matches!(try_save(new, &tiny(1)), RegistryError::Name { field: "name", .. }));
    }
    let list = registry.save(&lstm(), new_model(1), &[1.0, 2.0], Activate::Always, 5, now()).unwrap_err();
    assert!(matches!(list, RegistryError::NotJson { .. }));
    let nobody = Change { by: "", ..now() };
    let unnamed = registry.save(&lstm(), new_model(1), &tiny(1), Activate::Always, 5, nobody).unwrap_err();
    assert!(matches!(unnamed, RegistryError::Name { field: "by", .. }));
    assert!(!root.exists());
    assert!(registry.list().unwrap().is_empty() && registry.names().unwrap().is_empty());
}

#[test]
fn threads_never_take_the_same_version_and_readers_never_see_half_a_model() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), 0);
    let root = dir.path();
    std::thread::scope(|scope| {
        let writing: Vec<_> = (0..WRITERS)
            .map(|writer| {
                scope.spawn(move || {
                    let one = |i| {
                        let seed = 1 + writer * SAVES + i;
                        // One version is kept, so readers are overtaken by deletions all the time.
                        registry(root)
                            .save(&lstm(), new_model(seed), &tiny(seed), Activate::Always, 1, now())
                            .map(|m| m.version)
                    };
                    (0..SAVES).map(one).collect::<Result<Vec<_>, _>>()
                })
            })
            .collect();
        while !writing.iter().all(std::thread::ScopedJoinHandle::is_finished) {
            let loaded = registry(dir.path()).load::<Tiny>(&day()).unwrap();
            assert_eq!((loaded.payload, loaded.fell_back), (tiny(loaded.manifest.seed), None));
        }
        let mut given: Vec<Version> = writing.into_iter().flat_map(|w| w.join().unwrap().unwrap()).collect();
        given.sort();
        let expected: Vec<Version> =
            (1..=(WRITERS * SAVES) as u32).map(|patch| Version { patch, ..Version::FIRST }).collect();
        assert_eq!(given, expected);
    });
    assert_eq!(stored(dir.path()), ["1.0.24 active"]);
}

#[test]
fn a_writer_waits_for_others_for_a_time_or_until_it_is_stopped() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), 1);
    let lock = std::fs::File::options().write(true).open(dir.path().join(".lock")).unwrap();
    lock.lock().unwrap();
    let impatient = registry(dir.path()).waiting(Duration::from_millis(20));
    let change = |registry: &Registry| registry.promote(&lstm(), Version::FIRST, now()).unwrap_err();
    let text = change(&impatient).to_string();
    assert!(text.contains(".lock") && text.contains("end it"), "{text}");

    let stop = Arc::new(AtomicBool::new(false));
    let waiting = {
        let registry = registry(dir.path()).stopped_by(Arc::clone(&stop));
        std::thread::spawn(move || registry.promote(&lstm(), Version::FIRST, now()).map(drop))
    };
    stop.store(true, Ordering::Relaxed);
    assert!(matches!(waiting.join().unwrap(), Err(RegistryError::Stopped { .. })));
    // Who reads waits for nobody.
    assert_eq!(impatient.load::<Tiny>(&day()).unwrap().payload, tiny(1));
    drop(lock);
    // What can be done at once is done, also once it was asked to stop.
    assert!(registry(dir.path()).stopped_by(stop).promote(&lstm(), Version::FIRST, now()).is_ok());
}

#[test]
fn a_folder_that_is_a_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("models");
    std::fs::write(&path, b"").unwrap();
    let text = Registry::open(path).unwrap_err().to_string();
    assert!(text.contains("MODEL_SAVE_PATH"), "{text}");
}
