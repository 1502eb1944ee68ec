//! Documents of `import`, `data` and `doctor`.

use serde_json::json;

use crate::candle_files::{HOUR_MS, START_MS, csv, instant, rows};
use crate::program::{N_CANDLES, Program, SERIES, line};
use crate::shape::instant as is_instant;
use crate::shape::{Is, assert_fields, count, elements, flag, list, object, share, text};

const SERIES_FIELDS: &[(&str, Is)] = &[
    ("venue", text),
    ("symbol", text),
    ("interval", text),
    ("from", is_instant),
    ("to", is_instant),
    ("gaps", object),
];

#[test]
fn an_import_reports_the_quality_of_the_file() {
    let program = Program::new();
    let mut lines = rows(300, HOUR_MS, 1);
    let duplicate = lines[50].clone();
    lines.drain(100..103);
    lines.push(duplicate);
    lines.push(format!("{START_MS},1,2,3,4"));
    let file = program.write("BTCUSDT-1h.csv", csv(&lines));
    let documents = program.json(&["import", &file]);

    let imported = &elements("import", &documents)[0];
    assert_fields("import", imported, SERIES_FIELDS);
    assert_fields(
        "import",
        imported,
        &[("file", text), ("format", text), ("rejectedRows", list), ("zeroVolumeShare", share), ("changed", flag)],
    );
    assert_fields("import", imported, &[("jumps", count), ("jumpList", list)]);
    let expected = json!({
        "file": file, "venue": "binance", "symbol": "BTCUSDT", "interval": "1h",
        "rowsRead": 299, "rowsKept": 297, "duplicates": 1, "outOfOrder": 1, "rejected": 1,
        "gaps": { "count": 1, "longest": 3, "missing": 3 },
        "from": instant(START_MS), "to": instant(START_MS + 300 * HOUR_MS), "changed": true,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&imported[name], value, "{name}");
    }
    assert_fields("rejected row", &imported["rejectedRows"][0], &[("line", count), ("reason", text)]);
    assert_eq!(imported["rejectedRows"][0]["line"], 300);
}

#[test]
fn files_are_reported_in_the_order_given_and_importing_again_changes_nothing() {
    let program = Program::new();
    let btc = program.write("BTCUSDT-1h.csv", csv(&rows(48, HOUR_MS, 1)));
    let eth = program.write("ETHUSDT-1h.csv", csv(&rows(24, HOUR_MS, 2)));
    let first = program.json(&["import", &eth, &btc]);
    let told = |field: &str| [first[0][field].clone(), first[1][field].clone()];
    assert_eq!(told("symbol"), [json!("ETHUSDT"), json!("BTCUSDT")]);
    assert_eq!(told("rowsKept"), [json!(24), json!(48)]);
    let again = program.json(&["import", "*USDT-1h.csv"]);
    assert_eq!(elements("import", &again).len(), 2);
    assert!(again.as_array().unwrap().iter().all(|d| d["changed"] == false), "{again}");
}

#[test]
fn a_failed_file_does_not_keep_the_others_from_being_reported() {
    let program = Program::new();
    let good = program.write("BTCUSDT-1h.csv", csv(&rows(48, HOUR_MS, 1)));
    let empty = program.write("ETHUSDT-1h.csv", "");
    let run = program.run(&["--json", "import", &empty, &good]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(elements("import", &run.document()).len(), 1);
    assert_eq!(run.problem()["code"], "bad-file");
    assert_eq!(program.json(&["data", "list"])[0]["rows"], 48);
}

#[test]
fn lists_and_checks_tell_what_is_stored() {
    let program = Program::with_candles();
    let listed = program.json(&["data", "list"]);
    let entry = &elements("data list", &listed)[0];
    assert_fields("data list", entry, SERIES_FIELDS);
    assert_fields("data list", entry, &[("rows", count), ("bytes", count), ("damaged", list), ("synthetic", flag)]);
    let checked = program.json(&["data", "check"]);
    let check = &elements("data check", &checked)[0];
    assert_fields("data check", check, SERIES_FIELDS);
    let counts: &[(&str, Is)] =
        &[("rows", count), ("zeroVolume", count), ("flat", count), ("longestGaps", list), ("damaged", list)];
    assert_fields("data check", check, counts);
    for found in [entry, check] {
        assert_eq!(found["rows"], N_CANDLES);
        assert_eq!(found["to"], instant(START_MS + N_CANDLES as i64 * HOUR_MS));
        assert_eq!(found["gaps"], json!({ "count": 0, "longest": 0, "missing": 0 }));
    }
    assert_eq!(program.json(&["data", "check", "--symbol", "BTC-USDT"]), checked);
    assert_eq!(Program::new().json(&["data", "list"]), json!([]));
}

#[test]
fn exports_hold_every_candle_exactly() {
    let program = Program::with_candles();
    for file in ["out/BTCUSDT-1h.csv", "out/BTCUSDT-1h.parquet"] {
        program.write("out/.keep", "");
        let exported = program.json(&line(&[&["data", "export", "--output", file], SERIES]));
        assert_eq!(exported, json!({ "file": file, "rows": N_CANDLES }));
        let again = program.json(&["import", file]);
        assert_eq!((&again[0]["rowsKept"], &again[0]["changed"]), (&json!(N_CANDLES), &json!(false)), "{file}");
    }
    let written = std::fs::read_to_string(program.folder().join("out/BTCUSDT-1h.csv")).unwrap();
    assert_eq!(written, csv(&rows(N_CANDLES, HOUR_MS, 1)));
    let day = line(&[&["data", "export", "--output", "day.csv", "--from", "2024-02-01", "--to", "2024-02-02"], SERIES]);
    assert_eq!(program.json(&day)["rows"], 24);
}

#[test]
fn resampling_tells_what_it_left_out() {
    let program = Program::with_candles();
    let made = program.json(&line(&[&["data", "resample", "--to", "4h"], SERIES]));
    let expected =
        json!({ "venue": "binance", "symbol": "BTCUSDT", "interval": "4h", "rows": N_CANDLES / 4, "incomplete": 1 });
    assert_eq!(made, expected);
    let listed = program.json(&["data", "list"]);
    assert_eq!(elements("data list", &listed).len(), 2);
}

#[test]
fn compacting_tells_what_was_put_into_the_files() {
    let program = Program::with_candles();
    let series = json!({ "venue": "binance", "symbol": "BTCUSDT", "interval": "1h", "candles": 0 });
    assert_eq!(program.json(&["data", "compact"]), json!([series]), "an import compacts by itself");
    assert_eq!(program.json(&["data", "compact", "--symbol", "BTC-USDT"]), json!([series]));
    program.refuse(&["data", "compact", "-s", "ETHUSDT"], 1, "unknown-series", &["ETHUSDT", "data list"]);
    assert_eq!(Program::new().json(&["data", "compact"]), json!([]));
    // A few candles behind those that are there go the same way as a stream's.
    let more = rows(N_CANDLES + 3, HOUR_MS, 1);
    let file = program.write("more/BTCUSDT-1h.csv", csv(&more[N_CANDLES..]));
    assert_eq!(program.json(&["import", &file])[0]["changed"], true);
    let folder = program.data_dir().join("candles/venue=binance/symbol=BTCUSDT/interval=1h");
    let names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["year=2024.parquet"]);
    assert_eq!(program.json(&["data", "list"])[0]["rows"], N_CANDLES + 3);
}

#[test]
fn doctor_says_what_is_in_order() {
    let program = Program::with_candles();
    let run = program.run(&["--json", "doctor"]);
    let report = run.document();
    assert_fields("doctor", &report, &[("version", text), ("healthy", flag), ("checks", list)]);
    let checks = elements("doctor", &report["checks"]);
    for check in checks {
        assert_fields("check", check, &[("check", text), ("ok", flag), ("detail", text)]);
    }
    let found = |name: &str| checks.iter().find(|c| c["check"] == name).unwrap_or_else(|| panic!("no check of {name}"));
    for name in ["data folder", "candles", "models", "records"] {
        assert_eq!(found(name)["ok"], true, "{report}");
    }
    // Memory is the machine's own affair; what counts is that the exit code says the same as the document.
    let healthy = checks.iter().all(|c| c["ok"] == true);
    assert_eq!((report["healthy"] == true, run.code), (healthy, Some(i32::from(!healthy))));
    assert!(found("candles")["detail"].as_str().unwrap().contains(&N_CANDLES.to_string()), "{report}");
}
