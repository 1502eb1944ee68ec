//! What was backed up is what is restored.

use std::fs;

use super::{NOW, answers, archives, good_archive, lived_in, names};
use crate::candle_files::{HOUR_MS, csv, rows};
use crate::program::{Program, SERIES, SHORT, line, postgres_url};
use crate::shape::{assert_fields, count, flag, instant, list, text};

#[test]
fn a_restored_folder_answers_as_the_old_one_did() {
    let program = lived_in();
    let made = program.json(&["--now", NOW, "backup", "all.tar.zst"]);
    let fields: &[(&str, crate::shape::Is)] = &[
        ("file", text),
        ("bytes", count),
        ("createdAt", instant),
        ("candles", flag),
        ("contentBytes", count),
        ("candleFiles", count),
        ("modelFiles", count),
        ("records", count),
    ];
    assert_fields("backup", &made, fields);
    assert_eq!(made["createdAt"], NOW);
    assert_eq!(made["candleFiles"], 1);
    assert_eq!(made["bytes"].as_u64(), Some(fs::metadata(program.folder().join("all.tar.zst")).unwrap().len()));
    assert!(!names(program.folder()).iter().any(|name| name.ends_with(".tmp")));

    let restored = program.json(&["--data-dir", "new", "restore", "all.tar.zst"]);
    assert_fields("restore", &restored, &[("dataDir", text), ("program", text), ("setAside", list)]);
    for same in ["candleFiles", "modelFiles", "records", "contentBytes", "createdAt"] {
        assert_eq!(restored[same], made[same], "{same}");
    }
    let old = answers(&program, "data");
    assert!(!old["jobs"]["jobs"].as_array().unwrap().is_empty(), "a training leaves a job: {old:?}");
    assert!(!old["predictions"]["predictions"].as_array().unwrap().is_empty(), "a forecast is logged: {old:?}");
    assert_eq!(answers(&program, "new"), old);
    program.json(&["--data-dir", "new", "data", "check"]);
    assert_eq!(program.json(&["--data-dir", "new", "doctor"])["healthy"], true);
    // Work goes on there: another version takes its number, nothing is in the way.
    let again = line(&[&["--data-dir", "new", "--now", NOW, "train", "--model", "linear"], SERIES, SHORT]);
    assert_eq!(program.json(&again)["model"]["version"], "1.0.1");
}

#[test]
fn candles_are_left_out_on_request() {
    let program = lived_in();
    let made = program.json(&["backup", "small.tar.zst", "--without-candles"]);
    assert_eq!(made["candles"], false);
    assert_eq!(made["candleFiles"], 0);
    let inside = archives::entries(&fs::read(program.folder().join("small.tar.zst")).unwrap());
    assert!(inside.iter().all(|entry| !entry.name.starts_with("candles/")));
    program.json(&["--data-dir", "new", "restore", "small.tar.zst"]);
    assert_eq!(program.json(&["--data-dir", "new", "data", "list"]), serde_json::json!([]));
    program.json(&["--data-dir", "new", "import", "good/BTCUSDT-1h.csv"]);
    assert_eq!(answers(&program, "new"), answers(&program, "data"));
}

#[test]
fn nothing_is_overwritten_unasked() {
    let program = lived_in();
    program.write("b.tar.zst", "precious");
    program.refuse(&["backup", "b.tar.zst"], 1, "file-exists", &["b.tar.zst", "--force"]);
    assert_eq!(fs::read_to_string(program.folder().join("b.tar.zst")).unwrap(), "precious");
    program.json(&["backup", "b.tar.zst", "--force"]);
    program.refuse(&["backup", "good"], 2, "bad-path", &["good", "is a folder"]);
    program.refuse(&["backup", "no/where.tar.zst"], 1, "file-failed", &["no"]);

    let before = answers(&program, "data");
    program.refuse(&["restore", "b.tar.zst"], 1, "folder-not-empty", &["data", "--force", "--data-dir"]);
    assert_eq!(answers(&program, "data"), before);
}

#[test]
fn what_is_replaced_is_set_aside_and_named() {
    let program = Program::new();
    program.write("good.tar.zst", good_archive());
    let other = program.write("ETHUSDT-1h.csv", csv(&rows(48, HOUR_MS, 2)));
    program.json(&["import", &other]);
    let old = program.json(&["data", "list"]);
    let restored = program.json(&["--now", NOW, "restore", "good.tar.zst", "--force"]);
    let aside = restored["setAside"][0].as_str().unwrap();
    assert!(aside.ends_with("data.before-restore-20240324T103000Z"), "{aside}");
    assert_eq!(program.json(&["--data-dir", aside, "data", "list"]), old);
    assert_eq!(program.json(&["data", "list"])[0]["symbol"], "BTCUSDT");
    let plain = program.run(&["--now", NOW, "restore", "good.tar.zst", "--force"]);
    assert!(plain.code == Some(0) && plain.stdout.contains("data.before-restore-20240324T103000Z-2"), "{plain:?}");
}

#[test]
fn a_folder_that_was_only_looked_at_counts_as_empty() {
    let program = Program::new();
    program.write("good.tar.zst", good_archive());
    assert_eq!(program.json(&["data", "list"]), serde_json::json!([]));
    assert!(program.data_dir().join("candles").is_dir());
    let restored = program.json(&["restore", "good.tar.zst"]);
    assert_eq!(restored["setAside"], serde_json::json!([]));
    program.json(&line(&[&["--now", NOW, "predict", "--model", "linear"], SERIES]));
}

#[test]
fn records_move_from_sqlite_to_postgresql_and_back() {
    let Some(url) = postgres_url("backup") else { return };
    let first = lived_in();
    first.json(&["backup", "sqlite.tar.zst"]);
    let expected = answers(&first, "data");

    let server = Program::new();
    server.write(".env", format!("DATABASE_URL=\"{url}\"\n"));
    server.write("sqlite.tar.zst", fs::read(first.folder().join("sqlite.tar.zst")).unwrap());
    server.json(&["restore", "sqlite.tar.zst"]);
    assert!(!server.data_dir().join("candlecast.db").exists());
    assert_eq!(answers(&server, "data"), expected);
    // The server holds records now: nothing is mixed, and no folder is made.
    server.refuse(&["--data-dir", "other", "restore", "sqlite.tar.zst"], 1, "conflict", &["holds records"]);
    assert!(!server.folder().join("other").exists());

    server.json(&["backup", "postgres.tar.zst"]);
    let last = Program::new();
    last.write("postgres.tar.zst", fs::read(server.folder().join("postgres.tar.zst")).unwrap());
    last.json(&["restore", "postgres.tar.zst"]);
    assert!(last.data_dir().join("candlecast.db").exists());
    assert_eq!(answers(&last, "data"), expected);
}
