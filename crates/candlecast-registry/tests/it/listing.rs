//! Pages of long lists, and what should serve.

use std::fs;

use candlecast_registry::{Activate, ModelName, Status};

use crate::model::{at_horizon, day, family_of, lstm, new_model, now, registry, save, tiny};

const MANY: u32 = 10_000;

#[test]
fn pages_of_ten_thousand_models_are_cut_from_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let whole = save(dir.path(), 1);
    let meta = fs::read(dir.path().join("BTCUSDT_LSTM_1.0.0.meta.json")).unwrap();
    // Only names count here, so all others hold what one save wrote: the registry says that it is not theirs.
    for patch in 1..MANY {
        fs::write(dir.path().join(format!("BTCUSDT_LSTM_1.0.{patch}.meta.json")), &meta).unwrap();
    }
    let registry = registry(dir.path());
    let names = registry.names().unwrap();
    assert_eq!(names.len(), MANY as usize);
    assert!(names.is_sorted(), "1.0.10 comes after 1.0.9");
    let mut walked: Vec<ModelName> = Vec::new();
    for page in names.chunks(100) {
        let listed = registry.listed(page).unwrap();
        walked.extend(listed.iter().map(|entry| entry.name.clone()));
    }
    assert_eq!(walked, names);
    let first = registry.listed(&names[..2]).unwrap();
    assert_eq!((first[0].status, first[0].manifest.as_ref()), (Status::Active, Some(&whole)));
    assert!(first[1].reason.as_deref().unwrap().contains("it belongs to BTCUSDT_LSTM_1.0.0"), "{first:?}");
}

#[test]
fn a_part_of_a_list_is_as_in_the_whole_also_without_a_pointer() {
    let dir = tempfile::tempdir().unwrap();
    for seed in 0..4 {
        save(dir.path(), seed);
    }
    registry(dir.path()).save(&lstm(), at_horizon(4, 12), &tiny(4), Activate::Always, 100, now()).unwrap();
    let other = family_of("binanceus", "4h", "gru", "price");
    registry(dir.path()).save(&other, new_model(5), &tiny(5), Activate::Never, 100, now()).unwrap();
    let registry = registry(dir.path());
    for lost in [false, true] {
        if lost {
            fs::remove_file(dir.path().join("BTCUSDT_LSTM.active.json")).unwrap();
        }
        let whole = registry.list().unwrap();
        assert_eq!(whole.len(), 6);
        assert_eq!(whole.iter().filter(|entry| entry.status == Status::Active).count(), 2);
        let names: Vec<ModelName> = whole.iter().map(|entry| entry.name.clone()).collect();
        for from in 0..names.len() {
            for to in from..=names.len() {
                assert_eq!(registry.listed(&names[from..to]).unwrap(), whole[from..to], "{from}..{to}");
            }
        }
    }
}

#[test]
fn slots_that_should_serve_are_named_whatever_was_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let registry = registry(dir.path());
    assert!(registry.serving_slots().unwrap().is_empty());
    save(dir.path(), 1);
    let candidate = family_of("binance", "4h", "lstm", "price");
    registry.save(&candidate, new_model(1), &tiny(1), Activate::Never, 100, now()).unwrap();
    registry.save(&lstm(), at_horizon(2, 12), &tiny(2), Activate::Never, 100, now()).unwrap();
    let both = || (registry.serving_slots().unwrap(), registry.serving_families().unwrap());
    assert_eq!(both(), (vec![day()], vec![lstm()]), "candidates do not serve");
    let pointer = dir.path().join("BTCUSDT_LSTM.active.json");
    let whole = fs::read(&pointer).unwrap();
    fs::write(&pointer, "{}").unwrap();
    assert_eq!(both(), (vec![day()], vec![lstm()]), "the manifest has a copy of its status");
    fs::write(&pointer, whole).unwrap();
    for file in ["BTCUSDT_LSTM_1.0.0.json", "BTCUSDT_LSTM_1.0.0.meta.json"] {
        fs::write(dir.path().join(file), "{}").unwrap();
        assert_eq!(both(), (vec![day()], vec![lstm()]), "{file}");
    }
    fs::write(&pointer, "{}").unwrap();
    assert_eq!(both(), (vec![], vec![lstm()]), "which slot it was is lost with both files");
    fs::remove_file(dir.path().join("BTCUSDT_LSTM_1.0.0.meta.json")).unwrap();
    assert_eq!(both(), (vec![], vec![lstm()]), "the meta is gone, the damaged pointer is there");
    let reason = registry.reaching(&lstm(), None).unwrap_err().to_string();
    assert!(reason.contains("BTCUSDT_LSTM.active.json"), "{reason}");
}

#[test]
fn statuses_are_read_from_their_words() {
    for status in [Status::Candidate, Status::Active, Status::Archived, Status::Corrupt] {
        assert_eq!(status.to_string().to_ascii_uppercase().parse::<Status>().unwrap(), status);
    }
    let text = "serving".parse::<Status>().unwrap_err().to_string();
    assert!(text.contains("candidate, active, archived or corrupt"), "{text}");
}
