//! Whatever is cut, altered or swapped is refused, and the last good version serves.

use std::fs;
use std::path::Path;

use candlecast_registry::{Activate, RegistryError, Status, Version, Why};
use serde_json::json;

use crate::model::{Tiny, at_horizon, day, lstm, new_model, now, registry, save, save_at, tiny};

const PAYLOAD: &str = "BTCUSDT_LSTM_1.0.1.json";
const META: &str = "BTCUSDT_LSTM_1.0.1.meta.json";
const POINTER: &str = "BTCUSDT_LSTM.active.json";

/// Versions 1.0.0 (seed 1) and 1.0.1 (seed 2), the latter active.
fn two_versions() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    save(dir.path(), 1);
    save(dir.path(), 2);
    dir
}

fn newest() -> Version {
    Version { patch: 1, ..Version::FIRST }
}

/// Writes each variant of `file` and hands it to `check` as it lies in the folder; then restores the file.
fn with_each(root: &Path, file: &str, variants: impl Fn(&[u8]) -> Vec<Vec<u8>>, check: impl Fn(usize)) {
    let path = root.join(file);
    let bytes = fs::read(&path).expect("the file is there");
    for (i, variant) in variants(&bytes).iter().enumerate() {
        fs::write(&path, variant).expect("writable");
        check(i);
    }
    fs::write(&path, &bytes).expect("writable");
}

fn one_byte_altered(bytes: &[u8]) -> Vec<Vec<u8>> {
    let altered = |at: usize, flip: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= flip;
        bytes
    };
    (0..bytes.len()).flat_map(|at| [altered(at, 1), altered(at, 0x20)]).collect()
}

fn cut(bytes: &[u8]) -> Vec<Vec<u8>> {
    (0..bytes.len() - 1).map(|len| bytes[..len].to_vec()).collect()
}

fn assert_falls_back(root: &Path, names: &str) {
    let loaded = registry(root).load::<Tiny>(&day()).expect("the version before is whole");
    assert_eq!((loaded.manifest.version, loaded.manifest.status), (Version::FIRST, Status::Archived));
    assert_eq!(loaded.payload, tiny(1));
    let reason = loaded.fell_back.expect("falling back is never silent");
    assert!(reason.contains(names), "{reason}");
}

#[test]
fn an_altered_or_cut_payload_is_refused() {
    let dir = two_versions();
    for variants in [one_byte_altered, cut] {
        with_each(dir.path(), PAYLOAD, variants, |i| {
            let refused = registry(dir.path()).load_version::<Tiny>(&lstm(), newest()).unwrap_err();
            assert!(matches!(refused, RegistryError::Corrupt { .. }), "{i}: {refused}");
            let text = refused.to_string();
            assert!(text.contains(PAYLOAD) && text.contains("train again"), "{text}");
            assert_falls_back(dir.path(), PAYLOAD);
        });
    }
    let grown = |bytes: &[u8]| vec![[bytes, &b" "[..]].concat()];
    with_each(dir.path(), PAYLOAD, grown, |_| assert_falls_back(dir.path(), PAYLOAD));
    assert_eq!(registry(dir.path()).load::<Tiny>(&day()).unwrap().payload, tiny(2));
}

#[test]
fn an_altered_meta_is_refused_or_reads_the_same() {
    let dir = two_versions();
    let whole = registry(dir.path()).load_version::<Tiny>(&lstm(), newest()).unwrap();
    with_each(dir.path(), META, one_byte_altered, |i| {
        if let Ok(loaded) = registry(dir.path()).load_version::<Tiny>(&lstm(), newest()) {
            assert_eq!(loaded, whole, "byte {}", i / 2);
        } else {
            assert_falls_back(dir.path(), META);
        }
    });
    with_each(dir.path(), META, cut, |i| {
        // Without the line break at its end the document is still complete.
        assert!(registry(dir.path()).load_version::<Tiny>(&lstm(), newest()).is_err(), "{i} bytes");
    });
}

#[test]
fn a_lost_or_damaged_pointer_is_recovered() {
    let dir = two_versions();
    with_each(dir.path(), POINTER, one_byte_altered, |_| {
        let loaded = registry(dir.path()).load::<Tiny>(&day()).unwrap();
        assert_eq!((loaded.manifest.version, loaded.payload), (newest(), tiny(2)));
        assert!(loaded.fell_back.is_none_or(|reason| reason.contains(POINTER)));
    });
    fs::write(dir.path().join(POINTER), b"").unwrap();
    assert_eq!(registry(dir.path()).active(&day()).unwrap(), Some(newest()));
    assert_eq!(registry(dir.path()).rollback(&day(), now()).unwrap().version, Version::FIRST);
    fs::remove_file(dir.path().join(POINTER)).unwrap();
    let loaded = registry(dir.path()).load::<Tiny>(&day()).unwrap();
    assert_eq!((loaded.manifest.version, loaded.fell_back), (Version::FIRST, None));
    assert_eq!(save(dir.path(), 3).version.to_string(), "1.0.2");
}

#[test]
fn lists_name_what_is_damaged_and_read_no_payload() {
    let dir = two_versions();
    let statuses =
        || -> Vec<Status> { registry(dir.path()).list().unwrap().iter().map(|listed| listed.status).collect() };
    assert_eq!(statuses(), [Status::Archived, Status::Active]);
    let same_size = |bytes: &[u8]| vec![vec![b'x'; bytes.len()]];
    with_each(dir.path(), PAYLOAD, same_size, |_| {
        assert_eq!(statuses(), [Status::Archived, Status::Active], "a list does not read payloads");
        assert!(registry(dir.path()).verify(&lstm(), newest()).is_err());
    });
    with_each(dir.path(), PAYLOAD, |_| vec![vec![]], |_| assert_eq!(statuses(), [Status::Archived, Status::Corrupt]));
    with_each(
        dir.path(),
        META,
        |_| vec![b"{}".to_vec()],
        |_| {
            let listed = registry(dir.path()).list().unwrap();
            assert_eq!((listed[1].status, &listed[1].manifest), (Status::Corrupt, &None));
            assert!(listed[1].reason.as_ref().unwrap().contains(META));
        },
    );
    fs::remove_file(dir.path().join(PAYLOAD)).unwrap();
    assert_eq!(statuses(), [Status::Archived, Status::Corrupt]);
}

#[test]
fn files_under_another_name_are_refused() {
    let dir = two_versions();
    for (from, to) in [("BTCUSDT_LSTM_1.0.0", "ETHUSDT_LSTM_1.0.0"), ("BTCUSDT_LSTM_1.0.0", "BTCUSDT_LSTM_1.0.2")] {
        for end in [".json", ".meta.json"] {
            fs::copy(dir.path().join(format!("{from}{end}")), dir.path().join(format!("{to}{end}"))).unwrap();
        }
        let name: candlecast_registry::ModelName = to.parse().unwrap();
        let text = registry(dir.path()).load_version::<Tiny>(&name.family, name.version).unwrap_err().to_string();
        assert!(text.contains("it belongs to BTCUSDT_LSTM_1.0.0"), "{text}");
    }
    // A swapped payload does not agree with the meta of its new name.
    fs::copy(dir.path().join("BTCUSDT_LSTM_1.0.0.json"), dir.path().join(PAYLOAD)).unwrap();
    assert_falls_back(dir.path(), PAYLOAD);
    // The number of a damaged version is not given again.
    assert_eq!(save(dir.path(), 3).version.to_string(), "1.0.3");
}

#[test]
fn a_payload_of_another_shape_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (payload, reason) in [
        (json!({"weights": [1.0, null], "bias": 0.0, "clip": null}), "null"),
        (json!({"weights": [1.0], "bias": 0.0, "clip": null, "extra": 1}), "unknown field `extra`"),
        (json!({"bias": 0.0, "clip": null}), "missing field `weights`"),
    ] {
        let saved = registry(dir.path()).save(&lstm(), new_model(1), &payload, Activate::Never, 9, now()).unwrap();
        let refused = registry(dir.path()).load_version::<Tiny>(&lstm(), saved.version).unwrap_err();
        assert!(matches!(refused, RegistryError::Unreadable { .. }));
        let text = refused.to_string();
        assert!(text.contains(reason) && text.contains("candlecast 0.1.0"), "{text}");
    }
}

#[test]
fn when_nothing_is_whole_the_error_is_that_of_the_active_version() {
    let dir = two_versions();
    for file in [PAYLOAD, "BTCUSDT_LSTM_1.0.0.json"] {
        fs::write(dir.path().join(file), b"{").unwrap();
    }
    let text = registry(dir.path()).load::<Tiny>(&day()).unwrap_err().to_string();
    assert!(text.contains(PAYLOAD), "{text}");
    let missing = registry(dir.path()).load_version::<Tiny>(&lstm(), Version { major: 9, ..newest() }).unwrap_err();
    assert!(missing.to_string().contains("`BTCUSDT_LSTM_9.0.1` is not stored"), "{missing}");
}

#[test]
fn each_slot_falls_back_by_itself() {
    let dir = two_versions();
    // 2.0.0 and 2.0.1 serve 12 steps, the latter is damaged.
    for seed in [3, 4] {
        save_at(dir.path(), seed, 12);
    }
    fs::write(dir.path().join("BTCUSDT_LSTM_2.0.1.json"), b"{}").unwrap();
    let loaded = registry(dir.path()).load::<Tiny>(&lstm().slot(12)).unwrap();
    assert_eq!((loaded.manifest.version.to_string().as_str(), loaded.payload), ("2.0.0", tiny(3)));
    assert!(loaded.fell_back.unwrap().contains("BTCUSDT_LSTM_2.0.1.json"));
    let loaded = registry(dir.path()).load::<Tiny>(&day()).unwrap();
    assert_eq!((loaded.manifest.version, loaded.fell_back), (newest(), None));
    // A version of another horizon does not take its place.
    fs::write(dir.path().join("BTCUSDT_LSTM_2.0.0.json"), b"{}").unwrap();
    let text = registry(dir.path()).load::<Tiny>(&lstm().slot(12)).unwrap_err().to_string();
    assert!(text.contains("BTCUSDT_LSTM_2.0.1.json"), "{text}");
}

#[test]
fn a_fall_back_and_its_end_are_recorded_once() {
    let dir = two_versions();
    let registry = registry(dir.path());
    let path = dir.path().join(PAYLOAD);
    let whole = fs::read(&path).unwrap();
    assert_eq!(registry.record_serving(&day(), now()).unwrap(), None);
    fs::write(&path, b"{}").unwrap();
    let change = registry.record_serving(&day(), now()).unwrap().unwrap();
    assert_eq!((change.from, change.to, change.why), (Some(newest()), Some(Version::FIRST), Why::FellBack));
    assert_eq!(registry.record_serving(&day(), now()).unwrap(), None);
    assert_eq!(registry.active(&day()).unwrap(), Some(newest()), "it is still the one that should serve");
    fs::write(&path, whole).unwrap();
    let change = registry.record_serving(&day(), now()).unwrap().unwrap();
    assert_eq!((change.from, change.to, change.why), (Some(Version::FIRST), Some(newest()), Why::Restored));
    assert_eq!(registry.history(&lstm()).unwrap().last(), Some(&change));
    assert_eq!(registry.record_serving(&lstm().slot(12), now()).unwrap(), None, "nothing serves there");
}

#[test]
fn files_of_another_horizon_under_the_name_of_the_active_version_do_not_serve() {
    let dir = two_versions();
    let other = tempfile::tempdir().unwrap();
    for seed in [7, 8] {
        registry(other.path()).save(&lstm(), at_horizon(seed, 12), &tiny(seed), Activate::Never, 9, now()).unwrap();
    }
    for file in [PAYLOAD, META] {
        fs::copy(other.path().join(file), dir.path().join(file)).unwrap();
    }
    assert_falls_back(dir.path(), META);
}
