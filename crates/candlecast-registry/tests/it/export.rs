//! Copies of models outside the registry.

use std::fs;

use candlecast_registry::{Registry, RegistryError, Status};

use crate::model::{Tiny, day, family_of, files, lstm, registry, save, tiny};

#[test]
fn an_exported_model_serves_in_another_registry() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let saved = save(dir.path(), 7);
    let folder = other.path().join("copies").join("deep");
    let exported = registry(dir.path()).export(&lstm(), saved.version, &folder).unwrap();
    assert_eq!(exported.manifest, saved);
    assert_eq!(files(&folder), ["BTCUSDT_LSTM_1.0.0.json", "BTCUSDT_LSTM_1.0.0.meta.json"]);
    let original = fs::read(dir.path().join("BTCUSDT_LSTM_1.0.0.json")).unwrap();
    assert_eq!(fs::read(&exported.payload_path).unwrap(), original);
    let loaded = Registry::open(folder).unwrap().load::<Tiny>(&day()).unwrap();
    assert_eq!((loaded.payload, loaded.manifest.status), (tiny(7), Status::Active));
}

#[test]
fn a_damaged_model_is_not_exported_and_nothing_is_replaced() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (first, second) = (save(dir.path(), 1).version, save(dir.path(), 2).version);
    let payload = dir.path().join("BTCUSDT_LSTM_1.0.0.json");
    let mut bytes = fs::read(&payload).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&payload, bytes).unwrap();
    let export = |version| registry(dir.path()).export(&lstm(), version, other.path());
    assert!(matches!(export(first), Err(RegistryError::Corrupt { .. })));
    assert!(files(other.path()).is_empty());
    fs::write(other.path().join("BTCUSDT_LSTM_1.0.1.meta.json"), "mine").unwrap();
    assert!(matches!(export(second), Err(RegistryError::Taken { .. })));
    assert_eq!(files(other.path()), ["BTCUSDT_LSTM_1.0.1.meta.json"]);
    let elsewhere = family_of("binance", "4h", "lstm", "price");
    let missing = registry(dir.path()).export(&elsewhere, first, other.path());
    assert!(matches!(missing, Err(RegistryError::NoVersion { .. })));
}
