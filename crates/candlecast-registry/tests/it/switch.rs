//! Promote, roll back, delete.

use std::fs;
use std::path::Path;

use candlecast_registry::{Activate, RegistryError, Status, Version};

use crate::model::{Tiny, lstm, new_model, registry, save, tiny};

fn v(patch: u32) -> Version {
    Version { patch, ..Version::FIRST }
}

/// Versions 1.0.0 to 1.0.3 with seeds 0 to 3, each active in its turn.
fn four_versions() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for seed in 0..4 {
        save(dir.path(), seed);
    }
    dir
}

fn serving(root: &Path) -> (Version, Tiny) {
    let loaded = registry(root).load::<Tiny>(&lstm(), None).expect("something serves");
    assert_eq!((loaded.meta.status, loaded.fell_back), (Status::Active, None));
    (loaded.meta.version, loaded.payload)
}

fn stored_statuses(root: &Path) -> Vec<String> {
    let status = |patch: u32| {
        let text = fs::read(root.join(format!("BTCUSDT_LSTM_1.0.{patch}.meta.json"))).expect("the meta is there");
        let meta: serde_json::Value = serde_json::from_slice(&text).expect("the meta is JSON");
        meta["status"].as_str().expect("the status is text").to_owned()
    };
    (0..4).map(status).collect()
}

#[test]
fn promotion_switches_and_rollback_goes_back() {
    let dir = four_versions();
    let registry = registry(dir.path());
    assert_eq!(registry.promote(&lstm(), v(1)).unwrap().status, Status::Active);
    assert_eq!(serving(dir.path()), (v(1), tiny(1)));
    assert_eq!(stored_statuses(dir.path()), ["archived", "active", "archived", "archived"]);
    for (version, seed) in [(v(3), 3), (v(2), 2), (v(0), 0)] {
        assert_eq!(registry.rollback(&lstm()).unwrap().version, version);
        assert_eq!(serving(dir.path()), (version, tiny(seed)));
    }
    assert!(matches!(registry.rollback(&lstm()), Err(RegistryError::NothingToRollBackTo { .. })));
    assert_eq!(serving(dir.path()), (v(0), tiny(0)));
    assert_eq!(stored_statuses(dir.path()), ["active", "archived", "archived", "archived"]);
}

#[test]
fn promoting_the_active_version_changes_nothing() {
    let dir = four_versions();
    registry(dir.path()).promote(&lstm(), v(3)).unwrap();
    assert_eq!(registry(dir.path()).rollback(&lstm()).unwrap().version, v(2));
}

#[test]
fn damaged_versions_are_neither_promoted_nor_rolled_back_to() {
    let dir = four_versions();
    fs::write(dir.path().join("BTCUSDT_LSTM_1.0.2.json"), b"{}").unwrap();
    fs::write(dir.path().join("BTCUSDT_LSTM_1.0.1.meta.json"), b"{}").unwrap();
    for patch in [1, 2] {
        assert!(matches!(registry(dir.path()).promote(&lstm(), v(patch)), Err(RegistryError::Corrupt { .. })));
    }
    assert_eq!(serving(dir.path()), (v(3), tiny(3)));
    assert_eq!(registry(dir.path()).rollback(&lstm()).unwrap().version, v(0));
}

#[test]
fn the_active_version_is_not_deleted_and_others_are() {
    let dir = four_versions();
    let registry = registry(dir.path());
    assert!(matches!(registry.delete(&lstm(), v(3)), Err(RegistryError::DeletesActive { .. })));
    assert!(matches!(registry.delete(&lstm(), v(9)), Err(RegistryError::NoVersion { .. })));
    assert!(matches!(registry.promote(&lstm(), v(9)), Err(RegistryError::NoVersion { .. })));
    fs::write(dir.path().join("BTCUSDT_LSTM_1.0.1.meta.json"), b"damaged").unwrap();
    registry.delete(&lstm(), v(1)).unwrap();
    registry.delete(&lstm(), v(2)).unwrap();
    let left: Vec<Version> = registry.names().unwrap().iter().map(|name| name.version).collect();
    assert_eq!(left, [v(0), v(3)]);
    assert!(!dir.path().join("BTCUSDT_LSTM_1.0.2.json").exists());
    assert_eq!(registry.rollback(&lstm()).unwrap().version, v(0));
    assert_eq!(registry.delete_all(&lstm()).unwrap(), 2);
    assert!(matches!(registry.load::<Tiny>(&lstm(), None), Err(RegistryError::NoneActive { .. })));
}

#[test]
fn nothing_to_switch_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    assert!(matches!(registry.rollback(&lstm()), Err(RegistryError::NothingToRollBackTo { .. })));
    assert_eq!((registry.active(&lstm()).unwrap(), registry.delete_all(&lstm()).unwrap()), (None, 0));
    let text = registry.load::<Tiny>(&lstm(), None).unwrap_err().to_string();
    assert!(text.contains("candlecast train --symbol BTCUSDT --interval 1h --model lstm"), "{text}");
}

#[test]
fn deleting_the_active_version_lets_the_one_before_it_serve() {
    let dir = four_versions();
    let registry = registry(dir.path());
    registry.promote(&lstm(), v(1)).unwrap();
    // Served in the order 0, 2, 3, 1. The one before is damaged and is passed over.
    fs::write(dir.path().join("BTCUSDT_LSTM_1.0.3.json"), b"{}").unwrap();
    assert_eq!(registry.delete_even_active(&lstm(), v(1)).unwrap(), Some(v(2)));
    assert_eq!(serving(dir.path()), (v(2), tiny(2)));
    assert!(!dir.path().join("BTCUSDT_LSTM_1.0.1.meta.json").exists());
    assert_eq!(registry.delete_even_active(&lstm(), v(0)).unwrap(), Some(v(2)), "another one changes nothing");
    assert_eq!(registry.delete_even_active(&lstm(), v(2)).unwrap(), None, "a damaged version does not come up");
    assert!(matches!(registry.delete_even_active(&lstm(), v(2)), Err(RegistryError::NoVersion { .. })));
    assert_eq!(save(dir.path(), 9).version, v(4), "numbers are not given again");
}

#[test]
fn a_candidate_does_not_come_up_for_a_deleted_active_version() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), 0);
    let candidate =
        registry(dir.path()).save(&lstm(), new_model(1), &tiny(1), Activate::Never, 100).expect("a writable folder");
    assert_eq!(candidate.status, Status::Candidate);
    assert_eq!(registry(dir.path()).delete_even_active(&lstm(), v(0)).unwrap(), None);
    assert!(matches!(registry(dir.path()).load::<Tiny>(&lstm(), None), Err(RegistryError::NoneActive { .. })));
}

#[test]
fn pruning_deletes_what_saving_would() {
    let dir = four_versions();
    let registry = registry(dir.path());
    assert!(registry.surplus(&lstm(), 4).unwrap().is_empty());
    assert_eq!(registry.surplus(&lstm(), 2).unwrap(), [v(0), v(1)]);
    assert_eq!(registry.prune(&lstm(), 2).unwrap(), [v(0), v(1)]);
    let left: Vec<Version> = registry.names().unwrap().iter().map(|name| name.version).collect();
    assert_eq!(left, [v(2), v(3)]);
    assert_eq!(registry.prune(&lstm(), 0).unwrap(), [v(2)], "the active and the newest stay");
    assert_eq!(serving(dir.path()), (v(3), tiny(3)));
}
