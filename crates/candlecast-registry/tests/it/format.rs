//! Model files of every released format open for ever.

use std::fs;
use std::path::{Path, PathBuf};

use candlecast_registry::{Activate, FORMAT, RegistryError, Status, Version, Why};
use serde_json::Value;

use crate::model::{Tiny, at_horizon, day, files, lstm, new_model, now, registry, save_at, tiny};

const POINTER: &str = "BTCUSDT_LSTM.active.json";
const META: &str = "BTCUSDT_LSTM_1.0.0.meta.json";

fn fixture(format: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/format-{format}"))
}

/// A copy of the fixture of format 1 to write to.
fn format_1() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for file in files(&fixture(1)) {
        fs::copy(fixture(1).join(&file), dir.path().join(&file)).expect("a writable folder");
    }
    dir
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("the file is there")).expect("the file is JSON")
}

/// Format and status of the meta of 1.0.0, format of the pointer.
fn on_disk(root: &Path) -> (u64, String, u64) {
    let (meta, pointer) = (read_json(&root.join(META)), read_json(&root.join(POINTER)));
    let format = |document: &Value| document["format"].as_u64().expect("a number");
    (format(&meta), meta["status"].as_str().expect("a text").to_owned(), format(&pointer))
}

/// What `make_format_1.py` and `make_format_2.py` wrote.
fn weights() -> Tiny {
    Tiny { weights: vec![0.5, -1.25, 0.1], bias: 0.25, clip: None }
}

#[test]
fn format_1_is_listed_and_serves_the_horizon_of_its_active_version() {
    let registry = registry(&fixture(1));
    let slot = registry.reaching(&lstm(), None).unwrap();
    assert_eq!((&slot, registry.serving_slots().unwrap()), (&day(), vec![day()]));
    let loaded = registry.load::<Tiny>(&slot).unwrap();
    assert_eq!((loaded.format(), loaded.payload, loaded.fell_back), (1, weights(), None));
    let manifest = loaded.manifest;
    let identity = (manifest.id.as_str(), manifest.version, manifest.status, manifest.format);
    assert_eq!(identity, ("BTCUSDT_LSTM_1.0.0", Version::FIRST, Status::Active, 1));
    assert_eq!(
        (manifest.trained_at.ms(), manifest.training_duration_ms, manifest.accuracy),
        (1_696_512_000_000, 45_000, Some(0.73))
    );
    assert_eq!((&manifest.config["learningRate"], manifest.horizon_steps), (&Value::from(0.001), 24));
    assert_eq!((&manifest.pipeline, manifest.trained_on.len(), manifest.out_of_fold), (&Value::Null, 0, false));
    assert_eq!(registry.verify(&lstm(), Version::FIRST).unwrap(), manifest);
    let listed = registry.list().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].format(), listed[0].slot(), &listed[0].reason), (Some(1), Some(day()), &None));
    assert_eq!(listed[0].manifest, Some(manifest));
    assert!(registry.history(&lstm()).unwrap().is_empty());
}

#[test]
fn a_payload_of_format_1_is_handed_over_with_its_number() {
    let migrate = |format: u32, fields: Value| -> Result<Tiny, String> {
        assert_eq!((format, &fields["bias"], fields.get("format")), (1, &Value::from(0.25), None));
        let mut tiny: Tiny = serde_json::from_value(fields).map_err(|e| e.to_string())?;
        tiny.clip = Some(4.0);
        Ok(tiny)
    };
    let registry = registry(&fixture(1));
    let migrated = Tiny { clip: Some(4.0), ..weights() };
    assert_eq!(registry.load_with(&lstm(), Version::FIRST, migrate).unwrap().payload, migrated);
    assert_eq!(registry.load_serving_with(&day(), migrate).unwrap().payload, migrated);
    let refused = registry.load_with::<Tiny>(&lstm(), Version::FIRST, |_, _| Err("too old".into())).unwrap_err();
    assert!(matches!(&refused, RegistryError::Unreadable { reason, .. } if reason == "too old"), "{refused}");
}

#[test]
fn a_payload_of_todays_format_needs_no_migration() {
    let dir = tempfile::tempdir().unwrap();
    save_at(dir.path(), 7, 24);
    let never = |_: u32, _: Value| Err("not asked for".to_owned());
    let loaded = registry(dir.path()).load_serving_with::<Tiny>(&day(), never).unwrap();
    assert_eq!((loaded.format(), loaded.payload), (FORMAT, tiny(7)));
}

#[test]
fn the_first_change_writes_the_pointer_in_todays_format_and_leaves_the_files_of_the_model_in_theirs() {
    let dir = format_1();
    let registry = registry(dir.path());
    let payload = fs::read(dir.path().join("BTCUSDT_LSTM_1.0.0.json")).unwrap();
    registry.load::<Tiny>(&day()).unwrap();
    assert_eq!(on_disk(dir.path()), (1, "active".to_owned(), 1), "reading changes nothing");
    let saved = registry.save(&lstm(), new_model(43), &tiny(43), Activate::Always, 5, now()).unwrap();
    assert_eq!(saved.version.to_string(), "2.0.0", "the format changed");
    assert_eq!(on_disk(dir.path()), (1, "archived".to_owned(), 2));
    assert_eq!(registry.load::<Tiny>(&day()).unwrap().payload, tiny(43));
    assert_eq!(registry.load_version::<Tiny>(&lstm(), Version::FIRST).unwrap().payload, weights());
    let history = registry.history(&lstm()).unwrap();
    assert_eq!(history.len(), 1);
    let (from, to) = (Some(Version::FIRST), Some(saved.version));
    assert_eq!((history[0].from, history[0].to, history[0].why), (from, to, Why::Saved));
    assert_eq!(registry.rollback(&day(), now()).unwrap().version, Version::FIRST);
    let loaded = registry.load::<Tiny>(&day()).unwrap();
    assert_eq!((loaded.payload, loaded.fell_back), (weights(), None));
    assert_eq!(on_disk(dir.path()), (1, "active".to_owned(), 2));
    for file in [META, "BTCUSDT_LSTM_1.0.0.json"] {
        assert_eq!(fs::read(dir.path().join(file)).unwrap(), fs::read(fixture(1).join(file)).unwrap(), "{file}");
    }
    assert_eq!(fs::read(dir.path().join("BTCUSDT_LSTM_1.0.0.json")).unwrap(), payload);
}

#[test]
fn another_version_is_promoted_over_one_of_format_1() {
    let dir = format_1();
    let registry = registry(dir.path());
    registry.promote(&lstm(), Version::FIRST, now()).unwrap();
    assert_eq!(on_disk(dir.path()), (1, "active".to_owned(), 2), "a promotion is a change too");
    assert!(registry.history(&lstm()).unwrap().is_empty(), "it served already");
    let saved = registry.save(&lstm(), new_model(43), &tiny(43), Activate::Never, 5, now()).unwrap();
    assert_eq!(registry.active(&day()).unwrap(), Some(Version::FIRST));
    registry.promote(&lstm(), saved.version, now()).unwrap();
    assert_eq!(registry.load::<Tiny>(&day()).unwrap().payload, tiny(43));
    assert_eq!(registry.delete_even_active(&lstm(), saved.version, now()).unwrap(), Some(Version::FIRST));
}

#[test]
fn a_model_of_another_horizon_leaves_that_of_format_1_serving() {
    let dir = format_1();
    let registry = registry(dir.path());
    let saved = registry.save(&lstm(), at_horizon(43, 12), &tiny(43), Activate::IfNothingServes, 5, now()).unwrap();
    assert_eq!((saved.version.to_string().as_str(), saved.status), ("2.0.0", Status::Active));
    assert_eq!(registry.serving_slots().unwrap(), [lstm().slot(12), day()]);
    assert_eq!(registry.load::<Tiny>(&day()).unwrap().payload, weights());
}

#[test]
fn a_kill_while_the_pointer_is_migrated_leaves_that_of_format_1() {
    let [changed, dir] = [Activate::Always, Activate::Never].map(|activate| {
        let dir = format_1();
        registry(dir.path()).save(&lstm(), new_model(43), &tiny(43), activate, 5, now()).unwrap();
        dir
    });
    let pointer = fs::read(changed.path().join(POINTER)).unwrap();
    // Payload and meta of the new version are there, as a candidate; the pointer is the next step.
    fs::copy(fixture(1).join(POINTER), dir.path().join(POINTER)).unwrap();
    for len in [0, pointer.len() / 2, pointer.len()] {
        fs::write(dir.path().join(format!(".{POINTER}.tmp")), &pointer[..len]).unwrap();
        let loaded = registry(dir.path()).load::<Tiny>(&day()).unwrap();
        assert_eq!((loaded.payload, loaded.fell_back), (weights(), None));
    }
    assert_eq!(save_at(dir.path(), 44, 24).version.to_string(), "2.0.1");
    assert_eq!(registry(dir.path()).load::<Tiny>(&day()).unwrap().payload, tiny(44));
}

#[test]
fn damage_in_files_of_format_1_is_found() {
    for file in [META, "BTCUSDT_LSTM_1.0.0.json"] {
        let dir = format_1();
        let mut bytes = fs::read(dir.path().join(file)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(dir.path().join(file), bytes).unwrap();
        let text = registry(dir.path()).load::<Tiny>(&day()).unwrap_err().to_string();
        assert!(text.contains(file), "{text}");
        assert_eq!(registry(dir.path()).serving_families().unwrap(), [lstm()], "{file}");
    }
    let dir = format_1();
    fs::write(dir.path().join(POINTER), b"{").unwrap();
    let loaded = registry(dir.path()).load::<Tiny>(&day()).unwrap();
    assert_eq!(loaded.payload, weights());
    assert!(loaded.fell_back.unwrap().contains(POINTER));
}

#[test]
fn format_1_is_exported_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    registry(&fixture(1)).export(&lstm(), Version::FIRST, dir.path()).unwrap();
    assert_eq!(files(dir.path()), ["BTCUSDT_LSTM_1.0.0.json", META]);
    for file in files(dir.path()) {
        assert_eq!(fs::read(dir.path().join(&file)).unwrap(), fs::read(fixture(1).join(&file)).unwrap(), "{file}");
    }
}

#[test]
fn a_later_format_is_refused_as_unknown() {
    for file in [META, POINTER] {
        let dir = format_1();
        let text = fs::read_to_string(dir.path().join(file)).unwrap();
        fs::write(dir.path().join(file), text.replace("\"format\": 1", "\"format\": 3")).unwrap();
        let registry = registry(dir.path());
        let refused = registry.promote(&lstm(), Version::FIRST, now()).unwrap_err();
        assert!(matches!(refused, RegistryError::UnknownFormat { format: 3, known: FORMAT, .. }), "{refused}");
    }
}

#[test]
fn format_2_opens() {
    let registry = registry(&fixture(2));
    for (horizon, version) in [(24, "1.0.0"), (12, "2.0.0")] {
        let loaded = registry.load::<Tiny>(&lstm().slot(horizon)).unwrap();
        assert_eq!((loaded.format(), loaded.payload, loaded.fell_back), (2, weights(), None));
        let manifest = loaded.manifest;
        assert_eq!((manifest.version.to_string().as_str(), manifest.horizon_steps), (version, horizon));
        assert_eq!((&manifest.pipeline["scaler"], manifest.out_of_fold), (&"robust".into(), true));
        assert_eq!(manifest.trained_on, ["binance:BTCUSDT:1h"]);
    }
    assert_eq!(registry.history(&lstm()).unwrap().len(), 2);
}

#[test]
fn format_2_is_written_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    for horizon in [24, 12] {
        registry(dir.path())
            .save(&lstm(), at_horizon(42, horizon), &weights(), Activate::IfNothingServes, 5, now())
            .unwrap();
    }
    assert_eq!(files(dir.path()), files(&fixture(2)));
    for file in files(&fixture(2)) {
        let (written, expected) =
            (fs::read(dir.path().join(&file)).unwrap(), fs::read(fixture(2).join(&file)).unwrap());
        assert_eq!(String::from_utf8(written).unwrap(), String::from_utf8(expected).unwrap(), "{file}");
    }
}
