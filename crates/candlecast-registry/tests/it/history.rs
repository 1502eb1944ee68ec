//! What served when, and why.

use std::fs;
use std::path::Path;

use candlecast_core::Timestamp;
use candlecast_registry::{Activate, Change, Why};

use crate::model::{at_horizon, day, lstm, new_model, registry, save, save_at, tiny};

fn by(who: &str, ms: i64) -> Change<'_> {
    Change { at: Timestamp(ms), by: who }
}

/// The changes as `24: 1.0.0 to 1.0.1, saved by local at 5`, `-` for nothing.
fn told(root: &Path) -> Vec<String> {
    let history = registry(root).history(&lstm()).expect("a readable folder");
    let version = |v: Option<candlecast_registry::Version>| v.map_or("-".to_owned(), |v| v.to_string());
    let line = |c: &candlecast_registry::ServingChange| {
        format!("{}: {} to {}, {} by {} at {}", c.horizon, version(c.from), version(c.to), c.why, c.by, c.at.ms())
    };
    history.iter().map(line).collect()
}

#[test]
fn every_change_of_what_serves_is_kept_with_time_reason_and_who_made_it() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    assert!(told(dir.path()).is_empty());
    let save = |horizon, activate, change| {
        registry.save(&lstm(), at_horizon(1, horizon), &tiny(1), activate, 9, change).unwrap().version
    };
    let first = save(24, Activate::Always, by("local", 1));
    save(24, Activate::Never, by("local", 2));
    let short = save(12, Activate::IfNothingServes, by("search", 3));
    let third = save(24, Activate::InPlaceOf(first), by("schedule", 4));
    registry.promote(&lstm(), first, by("ann", 5)).unwrap();
    registry.promote(&lstm(), first, by("ann", 6)).unwrap();
    registry.rollback(&day(), by("ann", 7)).unwrap();
    registry.delete_even_active(&lstm(), third, by("bob", 8)).unwrap();
    registry.delete_even_active(&lstm(), short, by("bob", 9)).unwrap();
    registry.delete_all(&lstm(), by("bob", 10)).unwrap();
    assert_eq!(
        told(dir.path()),
        [
            "24: - to 1.0.0, saved by local at 1",
            "12: - to 2.0.0, saved by search at 3",
            "24: 1.0.0 to 1.0.2, saved by schedule at 4",
            "24: 1.0.2 to 1.0.0, promoted by ann at 5",
            "24: 1.0.0 to 1.0.2, rolled-back by ann at 7",
            "24: 1.0.2 to 1.0.1, deleted by bob at 8",
            "12: 2.0.0 to -, deleted by bob at 9",
            "24: 1.0.1 to -, deleted by bob at 10",
        ]
    );
}

#[test]
fn the_newest_hundred_changes_of_a_family_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let versions = [save(dir.path(), 1).version, save(dir.path(), 2).version];
    save_at(dir.path(), 3, 12);
    for ms in 0..110 {
        registry(dir.path()).promote(&lstm(), versions[ms as usize % 2], by("local", ms)).unwrap();
    }
    let history = registry(dir.path()).history(&lstm()).unwrap();
    assert_eq!((history.len(), history[0].at.ms(), history[99].at.ms()), (100, 10, 109));
    assert!(history.iter().all(|change| change.why == Why::Promoted && change.horizon == 24));
}

#[test]
fn the_history_is_sealed_with_the_pointer() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    registry.save(&lstm(), new_model(1), &tiny(1), Activate::Always, 9, by("ann", 1)).unwrap();
    let pointer = dir.path().join("BTCUSDT_LSTM.active.json");
    let text = fs::read_to_string(&pointer).unwrap();
    fs::write(&pointer, text.replace("\"ann\"", "\"bob\"")).unwrap();
    let refused = registry.history(&lstm()).unwrap_err().to_string();
    assert!(refused.contains("does not agree with its seal"), "{refused}");
}
