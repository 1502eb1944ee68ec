//! What the program has told of is on the disk: the order of writes and syncs in `import`, `stream`, `train` and `data
//! export`, from its system calls.
//!
//! Standard output acknowledges. Whatever is there below the folders of candles and models, or in an exported file, must
//! be synced by then, with its name and the folders that were made for it; and a file must be synced before it is
//! renamed, a folder before another name in it changes. If a sync is taken out of `candlecast-files` (the file's, the
//! folder's, an appended file's or that of a folder's parent), or a caller writes around it, a path is left unsynced at
//! the next line of output, and the trace's violations name it. That the rules notice each one is shown at the end of
//! each test, on the program's own trace less the syncs of one path. The rules themselves are tested in
//! `candlecast-testkit`. Records are no part of this: SQLite syncs its own file.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::Command;

use candlecast_testkit::{SyncTrace, strace};

use crate::candle_files::{HOUR_MS, csv, rows};
use crate::program::{Program, SERIES, SHORT, line};

/// The system calls of a run that ends well; `None` without strace.
fn traced(program: &Program, args: &[&str]) -> Option<SyncTrace> {
    let log = program.folder().join("trace");
    let mut command: Command = strace(&log)?;
    command.arg(env!("CARGO_BIN_EXE_candlecast")).args(args);
    program.place(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    let trace = SyncTrace::read(&log);
    assert!(trace.n_acknowledged() > 0, "{args:?} told nothing");
    Some(trace)
}

/// No violation at or below `root`; every path of `expected` was synced, and nothing was synced in vain.
fn assert_in_order(trace: &SyncTrace, root: &Path, expected: &[PathBuf]) {
    let roots = [root];
    assert_eq!(trace.violations(&roots), Vec::<String>::new(), "{}", root.display());
    let synced = trace.synced(&roots);
    for path in expected {
        assert!(synced.contains(path), "{} was not synced: {synced:?}", path.display());
    }
    for path in &synced {
        let told = trace.without_syncs_of(path).violations(&roots);
        assert!(!told.is_empty(), "nobody would notice that {} was never synced", path.display());
    }
}

#[test]
fn imported_and_exported_candles_are_synced_before_they_are_told_of() {
    let program = Program::new();
    let (first, more) = (rows(600, HOUR_MS, 1), rows(603, HOUR_MS, 1));
    let whole = program.write("whole/BTCUSDT-1h.csv", csv(&first));
    let few = program.write("few/BTCUSDT-1h.csv", csv(&more[600..]));
    let candles = program.data_dir().join("candles");
    let series = candles.join("venue=binance/symbol=BTCUSDT/interval=1h");

    let Some(trace) = traced(&program, &["import", &whole]) else { return };
    // The data folder is new, so its own name is to be synced in the folder above.
    let made = [program.folder().to_owned(), program.data_dir(), candles.clone(), series.clone()];
    assert_in_order(&trace, &candles, &[made.as_slice(), &[series.join(".year=2024.parquet.tmp")]].concat());

    // A few candles go into a segment, which the end of the import compacts.
    let trace = traced(&program, &["import", &few]).unwrap();
    let files = ["._segment-2024.log.tmp", ".year=2024.parquet.tmp"].map(|name| series.join(name));
    assert_in_order(&trace, &candles, &[files.as_slice(), &[series]].concat());

    let export = line(&[&["data", "export", "--output", "out.csv"], SERIES]);
    let trace = traced(&program, &export).unwrap();
    let exported = program.folder().join("out.csv");
    assert_eq!(trace.violations(&[&exported]), Vec::<String>::new());
    assert_in_order(&trace, program.folder(), &[program.folder().to_owned()]);
    let is_hidden =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".out.csv."));
    assert!(trace.synced(&[program.folder()]).iter().any(is_hidden), "the content was not synced");
}

#[test]
fn streamed_candles_are_synced_before_they_are_told_of() {
    let program = Program::new();
    let file = program.write("BTCUSDT-1m.csv", csv(&rows(8, 60_000, 3)));
    let candles = program.data_dir().join("candles");
    let series = candles.join("venue=replay-binance/symbol=BTCUSDT/interval=1m");
    // Five candles a second, so that they come one by one.
    let stream = ["--json", "stream", "BTCUSDT", "1m", "--replay", &file, "--speed", "300"];
    let Some(trace) = traced(&program, &stream) else { return };
    assert!(trace.n_acknowledged() >= 10, "{} lines", trace.n_acknowledged());
    assert_in_order(&trace, &candles, &[series.join("_segment-2024.log"), series]);
}

#[test]
fn a_trained_model_is_synced_before_it_is_told_of() {
    let program = Program::with_candles();
    let models = program.data_dir().join("models");
    let train = line(&[&["train", "--model", "linear"], SERIES, SHORT]);
    // The first makes the folders, the second another version and another pointer.
    for _ in 0..2 {
        let Some(trace) = traced(&program, &train) else { return };
        assert_in_order(&trace, &models, &[]);
        let synced = trace.synced(&[&models]);
        let hidden = |path: &&PathBuf| path.to_string_lossy().ends_with(".json.tmp");
        let n_files = synced.iter().filter(hidden).count();
        assert!(n_files >= 3, "payload, meta and pointer were to be synced: {synced:?}");
    }
}
