//! Model files of every released format open for ever.

use std::fs;
use std::path::{Path, PathBuf};

use candlecast_registry::{Activate, Status, Version};

use crate::model::{Tiny, files, lstm, new_model, registry};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1")
}

/// What `make_format_1.py` wrote.
fn weights() -> Tiny {
    Tiny { weights: vec![0.5, -1.25, 0.1], bias: 0.25, clip: None }
}

#[test]
fn format_1_opens() {
    let loaded = registry(&fixture()).load::<Tiny>(&lstm(), None).unwrap();
    assert_eq!((loaded.payload, loaded.fell_back), (weights(), None));
    let meta = loaded.meta;
    assert_eq!((meta.id.as_str(), meta.version, meta.status), ("BTCUSDT_LSTM_1.0.0", Version::FIRST, Status::Active));
    assert_eq!(
        (meta.trained_at.ms(), meta.training_duration_ms, meta.accuracy),
        (1_696_512_000_000, 45_000, Some(0.73))
    );
    assert_eq!(meta.config["learningRate"], 0.001);
    assert_eq!(registry(&fixture()).verify(&lstm(), Version::FIRST).unwrap(), meta);
}

#[test]
fn format_1_is_written_byte_for_byte() {
    let dir = tempfile::tempdir().unwrap();
    registry(dir.path()).save(&lstm(), new_model(42), &weights(), Activate::Always, 5).unwrap();
    assert_eq!(files(dir.path()), files(&fixture()));
    for file in files(&fixture()) {
        let (written, expected) = (fs::read(dir.path().join(&file)).unwrap(), fs::read(fixture().join(&file)).unwrap());
        assert_eq!(String::from_utf8(written).unwrap(), String::from_utf8(expected).unwrap(), "{file}");
    }
}

#[test]
fn format_1_is_built_upon() {
    let dir = tempfile::tempdir().unwrap();
    for file in files(&fixture()) {
        fs::copy(fixture().join(&file), dir.path().join(&file)).unwrap();
    }
    let meta = registry(dir.path()).save(&lstm(), new_model(43), &weights(), Activate::Always, 5).unwrap();
    assert_eq!(meta.version.to_string(), "1.0.1");
    assert_eq!(registry(dir.path()).rollback(&lstm()).unwrap().version, Version::FIRST);
}
