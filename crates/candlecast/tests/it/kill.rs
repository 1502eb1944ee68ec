//! SIGKILL at spread moments of `import` and `train`: what was acknowledged is there, what was not is done by doing it
//! again. The large run, at random moments, is `cargo xtask kill-harness`.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::candle_files::{HOUR_MS, csv, rows};
use crate::program::{Program, line};

/// Shares of an undisturbed run's time.
const MOMENTS: [f64; 4] = [0.2, 0.45, 0.7, 0.95];
/// Two years and a half of five-minute candles: four partitions.
const IMPORT_ROWS: usize = 260_000;
const ACKNOWLEDGED_ROWS: usize = 160_000;
const TRAIN_ROWS: usize = 4_000;

/// Runs `args` to the end and returns how long it took.
fn time(program: &Program, args: &[&str]) -> Duration {
    let start = Instant::now();
    program.json(args);
    start.elapsed()
}

/// Kills a run after a share of `typical`; one that ended before must have ended well. Whether the kill came first.
fn kill_at(mut child: Child, typical: Duration, share: f64) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    std::thread::sleep(typical.mul_f64(share));
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(status.success() || status.signal() == Some(9), "{status}");
    !status.success()
}

fn stored_rows(program: &Program) -> usize {
    let listed = program.json(&["data", "list"]);
    let entry = listed.as_array().unwrap().iter().find(|entry| entry["symbol"] == "BTCUSDT");
    let rows = entry.unwrap_or_else(|| panic!("the acknowledged series is gone: {listed}"))["rows"].as_u64();
    usize::try_from(rows.unwrap()).unwrap()
}

#[test]
fn an_import_that_is_killed_loses_nothing_and_is_completed_by_another() {
    let all = rows(IMPORT_ROWS, 300_000, 1);
    let (head, all) = (csv(&all[..ACKNOWLEDGED_ROWS]), csv(&all));
    let (mut typical, mut n_landed) = (None, 0);
    for share in MOMENTS {
        let program = Program::new();
        let part = program.write("head/BTCUSDT-5m.csv", &head);
        let whole = program.write("whole/BTCUSDT-5m.csv", &all);
        program.json(&["import", &part]);
        let typical = *typical.get_or_insert_with(|| {
            let undisturbed = Program::new();
            let whole = undisturbed.write("BTCUSDT-5m.csv", &all);
            time(&undisturbed, &["import", &whole])
        });
        n_landed += usize::from(kill_at(program.spawn(&["import", &whole]), typical, share));
        let rows = stored_rows(&program);
        assert!((ACKNOWLEDGED_ROWS..=IMPORT_ROWS).contains(&rows), "{rows} candles after a kill at {share}");
        program.json(&["data", "check"]);
        program.json(&["import", &whole]);
        assert_eq!(stored_rows(&program), IMPORT_ROWS);
        program.json(&["data", "check"]);
        assert_eq!(program.json(&["import", &whole])[0]["changed"], false);
    }
    assert!(n_landed > 0, "every import was done before it was killed");
}

#[test]
fn a_training_that_is_killed_leaves_only_complete_models() {
    let program = Program::new();
    let file = program.write("ETHUSDT-1h.csv", csv(&rows(TRAIN_ROWS, HOUR_MS, 2)));
    program.json(&["import", &file]);
    let series: &[&str] = &["--symbol", "ETHUSDT", "--model", "linear"];
    let train = line(&[&["train", "--horizon", "12h", "--retrain-days", "30"], series]);
    let predict = line(&[&["predict"], series]);
    let typical = time(&program, &train);
    let mut n_landed = 0;
    for share in MOMENTS {
        n_landed += usize::from(kill_at(program.spawn(&train), typical, share));
        let models = program.json(&["models", "list"]);
        assert!(!models.as_array().unwrap().is_empty(), "the acknowledged model is gone");
        models.as_array().unwrap().iter().for_each(assert_complete);
        assert_eq!(program.json(&predict)["horizonSteps"], 12);
        assert!(program.json(&predict).get("fellBack").is_none(), "the active model is damaged");
    }
    assert!(n_landed > 0, "every training was done before it was killed");
    program.json(&train);
    program.json(&["data", "check"]);
}

#[test]
fn candles_of_a_killed_stream_are_read_backed_up_and_compacted() {
    let program = Program::new();
    let file = program.write("BTCUSDT-1m.csv", csv(&rows(600, 60_000, 3)));
    // Ten candles a second, the first of which begins the file of the year.
    let mut child = program.spawn(&["stream", "BTCUSDT", "1m", "--replay", &file, "--speed", "600"]);
    let folder = program.data_dir().join("candles/venue=replay-binance/symbol=BTCUSDT/interval=1m");
    let segment = folder.join("_segment-2024.log");
    while fs::metadata(&segment).map_or(0, |found| found.len()) < 500 {
        assert!(child.try_wait().unwrap().is_none(), "the stream ended by itself");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(segment.is_file() && folder.join("year=2024.parquet").is_file());

    let answers = |dir: &str| {
        let ask = |args: &[&str]| program.json(&line(&[&["--data-dir", dir], args]));
        let series = ["--symbol", "BTCUSDT", "--interval", "1m", "--venue", "replay-binance"];
        let (list, check) = (ask(&["data", "list"]), ask(&["data", "check"]));
        ask(&line(&[&["data", "export", "--output", "stored.csv"], &series]));
        let rows = list[0]["rows"].as_u64().unwrap();
        assert_eq!((check[0]["rows"].as_u64(), check[0]["gaps"]["count"].as_u64()), (Some(rows), Some(0)));
        (rows, fs::read_to_string(program.folder().join("stored.csv")).unwrap())
    };
    let before = answers("data");
    assert!(before.0 >= 5 && before.1.lines().count() as u64 == before.0 + 1, "{before:?}");
    assert_eq!(program.json(&["backup", "all.tar.zst"])["candleFiles"], 2);
    program.json(&["--data-dir", "new", "restore", "all.tar.zst"]);
    assert_eq!(answers("new"), before);

    let compacted = program.json(&["data", "compact"]);
    assert!(compacted[0]["candles"].as_u64().unwrap() >= 4, "{compacted}");
    assert!(!segment.exists());
    assert_eq!(answers("data"), before);
    assert_eq!(program.json(&["data", "compact"])[0]["candles"], 0);
}

/// The model is listed as whole, and both of its files are documents.
fn assert_complete(model: &Value) {
    assert_ne!(model["status"], "corrupt", "{model}");
    let path = Path::new(model["path"].as_str().unwrap());
    for file in [path.to_owned(), path.with_extension("meta.json")] {
        let text = fs::read_to_string(&file).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        assert!(document.is_object(), "{}", file.display());
    }
}
