//! Which slot serves a request.

use std::fs;

use candlecast_registry::{Activate, RegistryError, Slot};

use crate::model::{at_horizon, day, family_of, lstm, now, registry, save_at, tiny};

/// Slots of 24, 12 and 48 steps that serve, and one of 96 steps with a candidate.
fn three_slots() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (seed, horizon) in [(1, 24), (2, 12), (3, 48)] {
        save_at(dir.path(), seed, horizon);
    }
    registry(dir.path())
        .save(&lstm(), at_horizon(4, 96), &tiny(4), Activate::Never, 5, now())
        .expect("a writable folder takes a model");
    dir
}

#[test]
fn the_shortest_horizon_that_reaches_serves() {
    let dir = three_slots();
    let reaching = |horizon| registry(dir.path()).reaching(&lstm(), horizon).unwrap().horizon;
    for (asked, serves) in [(1, 12), (12, 12), (13, 24), (24, 24), (25, 48), (48, 48)] {
        assert_eq!(reaching(Some(asked)), serves, "{asked}");
    }
    assert_eq!(reaching(None), 48, "the one that reaches farthest");
}

#[test]
fn too_long_is_told_from_nothing_trained() {
    let dir = three_slots();
    let registry = registry(dir.path());
    let refused = registry.reaching(&lstm(), Some(49)).unwrap_err();
    let told = matches!(refused, RegistryError::HorizonTooLong { asked: 49, farthest: 48, .. });
    assert!(told, "a candidate does not count: {refused}");
    assert!(refused.to_string().contains("ask for at most 48"), "{refused}");
    for family in [family_of("binance", "4h", "lstm", "price"), family_of("binance", "1h", "gru", "price")] {
        for horizon in [None, Some(1)] {
            assert!(matches!(registry.reaching(&family, horizon), Err(RegistryError::NoneActive { .. })));
        }
    }
    registry.delete_all(&lstm(), now()).unwrap();
    assert!(matches!(registry.reaching(&lstm(), Some(49)), Err(RegistryError::NoneActive { .. })));
}

#[test]
fn slots_are_listed_by_what_is_stored_and_by_what_serves() {
    let dir = three_slots();
    let registry = registry(dir.path());
    let horizons = |slots: Vec<Slot>| slots.iter().map(|slot| slot.horizon).collect::<Vec<_>>();
    assert_eq!(horizons(registry.slots(&lstm()).unwrap()), [12, 24, 48, 96]);
    assert_eq!(horizons(registry.serving_slots().unwrap()), [12, 24, 48]);
    assert_eq!(registry.families().unwrap(), [lstm()]);
    let of_day = registry.list_slot(&day()).unwrap();
    assert_eq!(of_day.len(), 1);
    assert_eq!((of_day[0].name.to_string().as_str(), of_day[0].slot()), ("BTCUSDT_LSTM_1.0.0", Some(day())));
}

#[test]
fn a_request_is_served_by_the_same_slot_without_the_pointer() {
    let dir = three_slots();
    fs::remove_file(dir.path().join("BTCUSDT_LSTM.active.json")).unwrap();
    let registry = registry(dir.path());
    assert_eq!(registry.reaching(&lstm(), Some(13)).unwrap(), day());
    assert_eq!(registry.reaching(&lstm(), None).unwrap().horizon, 48);
}
