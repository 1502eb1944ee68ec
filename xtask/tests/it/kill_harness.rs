//! The crash harness against stand-ins for candlecast: one that keeps what it acknowledges passes, others are caught.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use xtask::kill::{Plan, run};

const STAND_IN: &str = include_str!("stand_in.sh");

/// How a stand-in does what matters, word by word.
const RIGHT: [(&str, &str); 8] = [
    ("SAVE_ROWS", r#"sleep 0.1; put "$dir/rows" "$n""#),
    ("WORK", r#"sleep 0.1; digest=$(echo "$work" | cksum | tr -d ' ')"#),
    ("SAVE_MODEL", r#"put "$dir/models/M$1.json" "\"$digest\"""#),
    ("LEDGER", r#"if ! grep -q "$digest" "$dir/ledger"; then echo "[0,\"$digest\"]" >> "$dir/ledger"; fi"#),
    ("DEAD", "interrupted"),
    ("TELL_CANDLE", r#"if test $i -gt $stored; then echo "$line" >> "$dir/play.csv"; fi; echo '{"event":"candle"}'"#),
    ("LOG_FORECAST", r#"printf %s "$rows" >> "$dir/log""#),
    ("PUT_ARCHIVE", r#"sleep 0.1; tar -cf "$2.new" -C "$pack" .; mv "$2.new" "$2""#),
];

/// One test at a time: a script cannot be started while another thread's fork still holds it open for writing.
static TURN: Mutex<()> = Mutex::new(());

/// A stand-in that does `word` as `done` says and all else right.
fn plan(name: &str, kinds: &[&str], wrong: Option<(&str, &str)>) -> Plan {
    let folder = std::env::temp_dir().join(format!("xtask-kill-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder can be made");
    let mut script = STAND_IN.to_owned();
    for (word, right) in RIGHT {
        let done = wrong.filter(|(wrong, _)| *wrong == word).map_or(right, |(_, done)| done);
        assert!(script.contains(word), "the stand-in has no {word}");
        script = script.replace(word, done);
    }
    let binary: PathBuf = folder.join("candlecast");
    fs::write(&binary, script).expect("the stand-in can be written");
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).expect("the stand-in can be made executable");
    let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
    Plan { scratch: folder.join("scratch"), kinds, import_rows: 800, train_rows: 100, ..Plan::new(binary, 14, 5) }
}

fn clean(plan: &Plan) {
    fs::remove_dir_all(plan.scratch.parent().expect("it lies in the test's folder"))
        .expect("the folder can be removed");
}

/// What the harness says of a stand-in that does `word` as `done` says.
fn failure(name: &str, kind: &str, word: &str, done: &str) -> String {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = Plan { n_kills: 40, ..plan(name, &[kind], Some((word, done))) };
    let error = format!("{:#}", run(&plan).unwrap_err());
    assert!(plan.scratch.exists(), "what was lost is kept to be looked at");
    clean(&plan);
    error
}

#[test]
fn a_program_that_keeps_what_it_acknowledges_passes_in_every_kind_of_work() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let plan = plan("right", &[], None);
    let report = run(&plan).unwrap();
    assert!(report.n_landed() >= 14 && report.rows.len() == 7, "{report}");
    // A round has two runs at most, so every kind has had its turn.
    assert!(report.rows.iter().all(|row| row.runs >= row.landed.max(1) && row.lost == 0), "{report}");
    assert!(!plan.scratch.exists());
    clean(&plan);
}

#[test]
fn a_store_that_loses_acknowledged_candles_is_caught() {
    let in_place = r#"echo 0 > "$dir/rows"; sleep 0.1; echo $n > "$dir/rows""#;
    let error = failure("rows", "import", "SAVE_ROWS", in_place);
    assert!(error.contains("0 candles of binance BTCUSDT 5m, acknowledged were 500"), "{error}");
}

#[test]
fn a_model_file_that_is_half_written_is_caught() {
    let in_place = r#"printf '"' > "$dir/models/M$1.json"; sleep 0.1; echo "\"$digest\"" > "$dir/models/M$1.json""#;
    let error = failure("model", "training", "SAVE_MODEL", in_place);
    assert!(error.contains("no whole document"), "{error}");
}

#[test]
fn a_job_that_is_said_to_run_although_its_process_died_is_caught() {
    let error = failure("running", "training", "DEAD", "running");
    assert!(error.contains("of a killed process is running"), "{error}");
}

#[test]
fn a_result_that_differs_after_going_on_is_caught() {
    let error =
        failure("differs", "walk-forward", "WORK", r#"sleep 0.1; digest=$(echo "$work" | cksum | tr -d ' ')$again"#);
    assert!(error.contains("differs from an undisturbed run's"), "{error}");
}

#[test]
fn lines_of_the_ledger_that_are_lost_are_caught() {
    let error = failure("ledger", "saving", "LEDGER", r#"put "$dir/ledger" "[0,\"$digest\"]""#);
    assert!(error.contains("of ml_ledger is gone"), "{error}");
}

#[test]
fn a_stream_that_tells_before_it_stores_is_caught() {
    let late = r#"echo '{"event":"candle"}'; if test $i -gt $stored && test $((i % 240)) = 0; then
      head -n $i "$dir/source.csv" | tail -n +$((stored + 1)) >> "$dir/play.csv"; stored=$i; fi"#;
    let error = failure("tells", "stream", "TELL_CANDLE", late);
    assert!(error.contains("were told of") || error.contains("acknowledged were"), "{error}");
}

#[test]
fn a_forecast_that_is_told_of_and_not_logged_is_caught() {
    let error = failure(
        "log",
        "stream",
        "LOG_FORECAST",
        r#"waiting="$waiting$rows"; if test $i = 1440; then printf %s "$waiting" >> "$dir/log"; fi"#,
    );
    assert!(error.contains("was told of and is not in the log"), "{error}");
}

#[test]
fn a_backup_that_is_written_in_place_is_caught() {
    let in_place = r#": > "$2"; sleep 0.1; tar -cf "$2" -C "$pack" ."#;
    let error = failure("archive", "backup", "PUT_ARCHIVE", in_place);
    assert!(error.contains("the archive under its final name"), "{error}");
}
