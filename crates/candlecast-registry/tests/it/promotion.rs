//! Promote, roll back, delete.

use std::fs;
use std::path::Path;

use candlecast_registry::{Activate, RegistryError, Status, Version};

use crate::model::{Tiny, at_horizon, day, lstm, new_model, now, registry, save, save_at, tiny};

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
    let loaded = registry(root).load::<Tiny>(&day()).expect("something serves");
    assert_eq!((loaded.manifest.status, loaded.fell_back), (Status::Active, None));
    (loaded.manifest.version, loaded.payload)
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
    assert_eq!(registry.promote(&lstm(), v(1), now()).unwrap().status, Status::Active);
    assert_eq!(serving(dir.path()), (v(1), tiny(1)));
    assert_eq!(stored_statuses(dir.path()), ["archived", "active", "archived", "archived"]);
    for (version, seed) in [(v(3), 3), (v(2), 2), (v(0), 0)] {
        assert_eq!(registry.rollback(&day(), now()).unwrap().version, version);
        assert_eq!(serving(dir.path()), (version, tiny(seed)));
    }
    assert!(matches!(registry.rollback(&day(), now()), Err(RegistryError::NothingToRollBackTo { .. })));
    assert_eq!(serving(dir.path()), (v(0), tiny(0)));
    assert_eq!(stored_statuses(dir.path()), ["active", "archived", "archived", "archived"]);
}

#[test]
fn promoting_the_active_version_changes_nothing() {
    let dir = four_versions();
    registry(dir.path()).promote(&lstm(), v(3), now()).unwrap();
    assert_eq!(registry(dir.path()).rollback(&day(), now()).unwrap().version, v(2));
}

#[test]
fn damaged_versions_are_neither_promoted_nor_rolled_back_to() {
    let dir = four_versions();
    fs::write(dir.path().join("BTCUSDT_LSTM_1.0.2.json"), b"{}").unwrap();
    fs::write(dir.path().join("BTCUSDT_LSTM_1.0.1.meta.json"), b"{}").unwrap();
    for patch in [1, 2] {
        assert!(matches!(registry(dir.path()).promote(&lstm(), v(patch), now()), Err(RegistryError::Corrupt { .. })));
    }
    assert_eq!(serving(dir.path()), (v(3), tiny(3)));
    assert_eq!(registry(dir.path()).rollback(&day(), now()).unwrap().version, v(0));
}

#[test]
fn the_active_version_is_not_deleted_and_others_are() {
    let dir = four_versions();
    let registry = registry(dir.path());
    assert!(matches!(registry.delete(&lstm(), v(3)), Err(RegistryError::DeletesActive { .. })));
    assert!(matches!(registry.delete(&lstm(), v(9)), Err(RegistryError::NoVersion { .. })));
    assert!(matches!(registry.promote(&lstm(), v(9), now()), Err(RegistryError::NoVersion { .. })));
    fs::write(dir.path().join("BTCUSDT_LSTM_1.0.1.meta.json"), b"damaged").unwrap();
    registry.delete(&lstm(), v(1)).unwrap();
    registry.delete(&lstm(), v(2)).unwrap();
    let left: Vec<Version> = registry.names().unwrap().iter().map(|name| name.version).collect();
    assert_eq!(left, [v(0), v(3)]);
    assert!(!dir.path().join("BTCUSDT_LSTM_1.0.2.json").exists());
    assert_eq!(registry.rollback(&day(), now()).unwrap().version, v(0));
    assert_eq!(registry.delete_all(&lstm(), now()).unwrap(), 2);
    assert!(matches!(registry.load::<Tiny>(&day()), Err(RegistryError::NoneActive { .. })));
}

#[test]
fn nothing_to_switch_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    assert!(matches!(registry.rollback(&day(), now()), Err(RegistryError::NothingToRollBackTo { .. })));
    assert_eq!((registry.active(&day()).unwrap(), registry.delete_all(&lstm(), now()).unwrap()), (None, 0));
    let text = registry.load::<Tiny>(&day()).unwrap_err().to_string();
    assert!(text.contains("candlecast train --symbol BTCUSDT --interval 1h --model lstm"), "{text}");
}

#[test]
fn deleting_the_active_version_lets_the_one_before_it_serve() {
    let dir = four_versions();
    let registry = registry(dir.path());
    registry.promote(&lstm(), v(1), now()).unwrap();
    // Served in the order 0, 2, 3, 1. The one before is damaged and is passed over.
    fs::write(dir.path().join("BTCUSDT_LSTM_1.0.3.json"), b"{}").unwrap();
    assert_eq!(registry.delete_even_active(&lstm(), v(1), now()).unwrap(), Some(v(2)));
    assert_eq!(serving(dir.path()), (v(2), tiny(2)));
    assert!(!dir.path().join("BTCUSDT_LSTM_1.0.1.meta.json").exists());
    assert_eq!(registry.delete_even_active(&lstm(), v(0), now()).unwrap(), Some(v(2)), "another one changes nothing");
    assert_eq!(registry.delete_even_active(&lstm(), v(2), now()).unwrap(), None, "a damaged version does not come up");
    assert!(matches!(registry.delete_even_active(&lstm(), v(2), now()), Err(RegistryError::NoVersion { .. })));
    assert_eq!(save(dir.path(), 9).version, v(4), "numbers are not given again");
}

#[test]
fn a_candidate_does_not_come_up_for_a_deleted_active_version() {
    let dir = tempfile::tempdir().unwrap();
    save(dir.path(), 0);
    let candidate = registry(dir.path())
        .save(&lstm(), new_model(1), &tiny(1), Activate::Never, 100, now())
        .expect("a writable folder");
    assert_eq!(candidate.status, Status::Candidate);
    assert_eq!(registry(dir.path()).delete_even_active(&lstm(), v(0), now()).unwrap(), None);
    assert!(matches!(registry(dir.path()).load::<Tiny>(&day()), Err(RegistryError::NoneActive { .. })));
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

/// Versions 1.0.0 and 1.0.1 at 24 steps with seeds 0 and 1, 2.0.0 and 2.0.1 at 12 steps with seeds 2 and 3, each active
/// in its turn.
fn two_slots() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (seed, horizon) in [(0, 24), (1, 24), (2, 12), (3, 12)] {
        save_at(dir.path(), seed, horizon);
    }
    dir
}

fn second(patch: u32) -> Version {
    Version { major: 2, patch, ..Version::FIRST }
}

fn statuses(root: &Path) -> Vec<String> {
    let listed = registry(root).list_family(&lstm()).expect("a readable folder");
    listed.iter().map(|l| format!("{} {}", l.name.version, l.status)).collect()
}

#[test]
fn promotion_and_rollback_change_their_own_slot_only() {
    let dir = two_slots();
    let registry = registry(dir.path());
    assert_eq!(registry.promote(&lstm(), second(0), now()).unwrap().horizon_steps, 12);
    assert_eq!(statuses(dir.path()), ["1.0.0 archived", "1.0.1 active", "2.0.0 active", "2.0.1 archived"]);
    assert_eq!(serving(dir.path()), (v(1), tiny(1)));
    assert_eq!(registry.rollback(&day(), now()).unwrap().version, v(0));
    assert_eq!(statuses(dir.path()), ["1.0.0 active", "1.0.1 archived", "2.0.0 active", "2.0.1 archived"]);
    assert!(matches!(registry.rollback(&day(), now()), Err(RegistryError::NothingToRollBackTo { .. })));
    assert_eq!(registry.rollback(&lstm().slot(12), now()).unwrap().version, second(1));
    let text = registry.rollback(&lstm().slot(48), now()).unwrap_err().to_string();
    assert!(text.contains("`BTCUSDT_LSTM at 48 steps`"), "{text}");
}

#[test]
fn deleting_lets_the_version_serve_that_served_before_in_the_slot() {
    let dir = two_slots();
    let registry = registry(dir.path());
    for active in [v(1), second(1)] {
        assert!(matches!(registry.delete(&lstm(), active), Err(RegistryError::DeletesActive { .. })));
    }
    assert_eq!(registry.delete_even_active(&lstm(), second(1), now()).unwrap(), Some(second(0)));
    assert_eq!(registry.delete_even_active(&lstm(), second(0), now()).unwrap(), None);
    assert_eq!(registry.serving_slots().unwrap(), [day()], "a model of another horizon does not come up");
    assert_eq!(serving(dir.path()), (v(1), tiny(1)));
    assert_eq!(save_at(dir.path(), 9, 12).version.to_string(), "3.0.0");
    assert_eq!(registry.delete_all(&lstm(), now()).unwrap(), 3);
    assert!(registry.serving_slots().unwrap().is_empty());
}

#[test]
fn pruning_counts_each_slot_for_itself() {
    let dir = two_slots();
    let registry = registry(dir.path());
    for seed in [4, 5] {
        registry.save(&lstm(), at_horizon(seed, 12), &tiny(seed), Activate::Never, 100, now()).unwrap();
    }
    assert!(registry.surplus(&lstm(), 4).unwrap().is_empty());
    assert_eq!(registry.surplus(&lstm(), 2).unwrap(), [second(2), second(0)]);
    assert_eq!(registry.prune(&lstm(), 1).unwrap(), [second(2), second(0), v(0)]);
    assert_eq!(statuses(dir.path()), ["1.0.1 active", "2.0.1 active", "2.0.3 candidate"]);
    assert_eq!(save_at(dir.path(), 6, 12).version, second(4));
}
