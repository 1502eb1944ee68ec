//! The crash harness against stand-ins for candlecast: one that saves properly passes, others are caught.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use xtask::kill::{Plan, run};

/// Acts on `--data-dir D (--quiet|--json) COMMAND …`; SAVE_ROWS and SAVE_MODEL are how it saves.
const STAND_IN: &str = r#"#!/bin/sh
dir=$2; shift 3; mkdir -p "$dir/models"
case "$1 $2" in
  "data list") echo "[{\"symbol\":\"BTCUSDT\",\"interval\":\"5m\",\"rows\":$(cat "$dir/rows")}]" ;;
  "data check") test -s "$dir/rows" ;;
  "models list")
    echo "[{\"status\":\"active\",\"path\":\"models/ETHUSDT_linear_1.0.0.json\"}]" ;;
  import*) n=$(($(wc -l < "$2") - 1)); SAVE_ROWS ;;
  train*) model=$dir/models/ETHUSDT_linear_1.0.0; SAVE_MODEL ;;
  predict*) echo "{\"price\":1}" ;;
  *) exit 2 ;;
esac
"#;

const ROWS_BY_RENAME: &str = r#"sleep 0.1; echo $n > "$dir/rows.tmp"; mv "$dir/rows.tmp" "$dir/rows""#;
const ROWS_IN_PLACE: &str = r#"echo 0 > "$dir/rows"; sleep 0.1; echo $n > "$dir/rows""#;
const MODEL_BY_RENAME: &str = r#"sleep 0.1; for f in "$model.json" "$model.meta.json"; do
  echo "{}" > "$f.tmp"; mv "$f.tmp" "$f"; done"#;
const MODEL_IN_PLACE: &str =
    r#"printf "{" > "$model.json"; echo "{}" > "$model.meta.json"; sleep 0.1; echo "{}" > "$model.json""#;

/// One test at a time: a script cannot be started while another thread's fork still holds it open for writing.
static TURN: Mutex<()> = Mutex::new(());

fn plan(name: &str, save_rows: &str, save_model: &str) -> Plan {
    let folder = std::env::temp_dir().join(format!("xtask-kill-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder can be made");
    let binary: PathBuf = folder.join("candlecast");
    fs::write(&binary, STAND_IN.replace("SAVE_ROWS", save_rows).replace("SAVE_MODEL", save_model))
        .expect("the stand-in can be written");
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).expect("the stand-in can be made executable");
    Plan { scratch: folder.join("scratch"), import_rows: 800, train_rows: 100, ..Plan::new(binary, 12, 5) }
}

fn clean(plan: &Plan) {
    fs::remove_dir_all(plan.scratch.parent().expect("it lies in the test's folder"))
        .expect("the folder can be removed");
}

#[test]
fn a_program_that_saves_by_rename_passes() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = plan("good", ROWS_BY_RENAME, MODEL_BY_RENAME);
    let report = run(&plan).unwrap();
    assert_eq!((report.imports.n_begun, report.trainings.n_begun, report.rows), (6, 6, (500, 800)));
    assert!(report.imports.n_killed > 0 && report.trainings.n_killed > 0, "{report}");
    assert!(!plan.scratch.exists());
    clean(&plan);
}

#[test]
fn a_store_that_loses_acknowledged_candles_is_caught() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = plan("rows", ROWS_IN_PLACE, MODEL_BY_RENAME);
    let error = format!("{:#}", run(&plan).unwrap_err());
    assert!(error.contains("0 candles in the store, acknowledged were 500"), "{error}");
    assert!(plan.scratch.exists());
    clean(&plan);
}

#[test]
fn a_model_file_that_is_half_written_is_caught() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = plan("model", ROWS_BY_RENAME, MODEL_IN_PLACE);
    let error = format!("{:#}", run(&plan).unwrap_err());
    assert!(error.contains("no whole document"), "{error}");
    clean(&plan);
}
