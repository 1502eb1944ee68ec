//! `fetch` and `stream` as users meet them: what they refuse, and a replay from a file.

use serde_json::{Value, json};

use crate::candle_files::{START_MS, csv, instant, rows};
use crate::program::{Program, line};
use crate::shape::instant as is_instant;
use crate::shape::{Is, assert_fields, count, flag, list, number, share, text};

const MINUTE_MS: i64 = 60_000;
/// Candles that are imported and trained on, and candles that are played behind them.
const PAST: usize = 2_000;
const PLAYED: usize = 240;

/// Minutes of BTCUSDT imported, a linear model of them, and a file of those that follow.
fn with_model() -> (Program, String) {
    let program = Program::new();
    let all = rows(PAST + PLAYED, MINUTE_MS, 7);
    let past = program.write("past/BTCUSDT-1m.csv", csv(&all[..PAST]));
    let next = program.write("next/BTCUSDT-1m.csv", csv(&all[PAST..]));
    program.json(&["import", &past]);
    let series = ["--symbol", "BTCUSDT", "--interval", "1m"];
    program.json(&line(&[&["train", "--model", "linear", "--horizon", "3", "--min-candles", "500"], &series]));
    (program, next)
}

/// The documents of a run that ends well, one a line.
fn lines(program: &Program, args: &[&str]) -> Vec<Value> {
    let run = program.run(&line(&[&["--json"], args]));
    assert!(run.code == Some(0) && run.stderr.is_empty(), "{run:?}");
    run.stdout.lines().map(|text| serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))).collect()
}

fn of<'a>(documents: &'a [Value], event: &str) -> Vec<&'a Value> {
    documents.iter().filter(|document| document["event"] == event).collect()
}

#[test]
fn a_replayed_file_is_stored_apart_forecast_and_validated() {
    const CANDLE: &[(&str, Is)] =
        &[("openTime", is_instant), ("closeTime", is_instant), ("close", number), ("backfilled", flag)];
    const STEP: &[(&str, Is)] =
        &[("price", number), ("lowerBound", number), ("confidence", share), ("direction", text), ("step", count)];
    let (program, next) = with_model();
    let play = ["stream", "BTCUSDT", "1m", "--model", "linear", "--replay", &next, "--speed", "max"];
    let documents = lines(&program, &play);
    let (opened, summary) = (&documents[0], &documents[documents.len() - 1]);
    assert_eq!((&opened["event"], &opened["history"]), (&json!("opened"), &json!(PAST)));
    assert_fields("opened", opened, &[("venue", text), ("models", list), ("remarks", list)]);

    let candles = of(&documents, "candle");
    assert_eq!(candles.len(), PLAYED);
    candles.iter().for_each(|candle| assert_fields("candle", candle, CANDLE));
    assert_eq!(candles[0]["openTime"], instant(START_MS + PAST as i64 * MINUTE_MS));
    let forecasts = of(&documents, "forecast");
    assert_eq!(forecasts.len(), PLAYED + 1);
    for forecast in &forecasts {
        assert_fields("forecast", forecast, &[("origin", is_instant), ("modelId", text), ("inTime", flag)]);
        assert_eq!(forecast["predictions"].as_array().unwrap().len(), 3);
        forecast["predictions"].as_array().unwrap().iter().for_each(|step| assert_fields("step", step, STEP));
    }
    let logged = 3 * (PLAYED + 1);
    let expected = json!({
        "event": "summary", "venue": "replay-binance", "symbol": "BTCUSDT", "interval": "1m", "ended": "exhausted",
        "candles": PLAYED, "backfilled": 0, "forecasts": PLAYED + 1, "logged": logged, "seenFuture": 0, "tooLate": 0,
        "validated": logged - 6, "unscorable": 0, "disconnects": 0,
        "missing": 0, "unlogged": 0, "retries": 0,
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&summary[name], value, "{name}");
    }

    let stored = program.json(&["data", "list"]);
    let held: Vec<(&str, u64)> = stored
        .as_array()
        .unwrap()
        .iter()
        .map(|series| (series["venue"].as_str().unwrap(), series["rows"].as_u64().unwrap()))
        .collect();
    assert_eq!(held, [("binance", PAST as u64), ("replay-binance", PLAYED as u64)]);
    let again = lines(&program, &play);
    assert_eq!(again[again.len() - 1]["logged"], 0, "what is logged is not logged twice");
}

#[test]
fn a_replay_tells_people_what_happens() {
    let (program, next) = with_model();
    let run = program.run(&[
        "stream",
        "BTCUSDT",
        "1m",
        "--model",
        "all",
        "--replay",
        &next,
        "--speed",
        "max",
        "--for",
        "30m",
        "--predict-every",
        "10",
        "--log-steps",
        "none",
    ]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.stdout.lines().filter(|l| l.contains("  close ")).count(), 30, "{run:?}");
    assert!(run.stdout.contains("  linear 1.0.0  +1 ") && run.stdout.contains("30 candles stored"), "{run:?}");
    assert!(run.stderr.contains("2000 candles of history"), "{run:?}");
    let speed = program.run(&["stream", "BTCUSDT", "1m", "--replay", &next, "--speed", "3600", "--for", "5m"]);
    assert!(speed.code == Some(0) && speed.stdout.contains("5 candles stored"), "{speed:?}");
}

#[test]
fn a_replay_is_refused_where_it_would_do_harm_or_make_no_sense() {
    let program = Program::new();
    let file = program.write("BTCUSDT-1m.csv", csv(&rows(60, MINUTE_MS, 1)));
    let other = program.write("other/BTCUSDT-1m.csv", csv(&rows(60, MINUTE_MS, 2)));
    let play = |more: &[&'static str]| -> Vec<String> {
        line(&[&["stream", "BTCUSDT", "1m"], more]).into_iter().map(str::to_owned).collect()
    };
    let with = |file: &str, more: &[&'static str]| -> Vec<String> {
        [play(more), vec!["--replay".into(), file.into()]].concat()
    };
    let refuse = |args: &[String], exit: i32, code: &str, words: &[&str]| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        program.refuse(&args, exit, code, words);
    };
    lines(&program, &["stream", "BTCUSDT", "1m", "--speed", "max", "--replay", &file]);
    refuse(&with(&other, &["--speed", "max"]), 1, "replay-differs", &["--store-as"]);
    refuse(&with(&file, &["--store-as", "binance"]), 2, "bad-store-as", &["replay-binance"]);
    refuse(&with(&file, &["--since", "2030-01-01"]), 1, "outside-data", &["2030-01-01"]);
    refuse(&with("nowhere.csv", &[]), 2, "no-such-file", &["nowhere.csv"]);
    refuse(&with(&file, &["--model", "linear"]), 1, "model-not-trained", &["candlecast train"]);
    for usage in [&["--speed", "0"][..], &["--for", "soon"], &["--book"], &["--retries", "1"], &["--log-steps", "1"]] {
        let run = program.run(&with(&file, usage).iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(run.code, Some(2), "{run:?}");
    }
    let run = program.run(&["stream", "BTCUSDT", "1m", "--speed", "max"]);
    assert!(run.code == Some(2) && run.stderr.contains("--replay"), "{run:?}");
    assert_eq!(program.json(&["data", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_fetch_without_an_exchange_ends_with_a_clear_error() {
    let program = Program::new();
    let nobody = ["--rest-url", "http://127.0.0.1:1", "--retries", "1"];
    let fetch = ["fetch", "BTCUSDT", "1h", "--since", "2024-01-01"];
    program.refuse(&line(&[&fetch, &nobody]), 1, "exchange-failed", &["2 attempts", "check the network"]);
    let stream = ["stream", "BTCUSDT", "1h", "--stream-url", "ws://127.0.0.1:1"];
    let run = program.run(&line(&[&stream, &nobody]));
    assert!(run.code == Some(1) && run.stderr.contains("2 attempts"), "{run:?}");
    let several = ["fetch", "BTCUSDT,ETHUSDT", "1h", "--since", "2024-01-01"];
    program.refuse(&line(&[&several, &nobody]), 1, "exchange-failed", &["2 of 2 symbols failed"]);
    assert!(program.json(&["data", "list"]).as_array().unwrap().is_empty());
}

#[test]
fn what_cannot_be_fetched_is_refused_before_anything_is_sent() {
    let program = Program::new();
    let fetch = ["fetch", "BTCUSDT", "1h", "--since", "2024-01-01"];
    for (more, code, word) in [
        (["--venue", "binnance"], "bad-venue", "did you mean `binance`"),
        (["--venue", "replay"], "bad-venue", "stream --replay"),
        (["--rest-url", "http://192.168.1.5"], "bad-exchange-url", "--allow-url"),
        (["--rest-url", "http://api.binance.com"], "bad-exchange-url", "not encrypted"),
        (["--rest-url", "https://me:secret@example.com"], "bad-exchange-url", "password"),
        (["--retries", "1000"], "bad-parameter", "retries"),
    ] {
        let problem = program.refuse(&line(&[&fetch, &more]), 2, code, &[word]);
        assert!(!problem.to_string().contains("secret"), "{problem}");
    }
    for usage in [&["fetch", "BTCUSDT"][..], &["fetch", "BTC USDT", "1h"], &["fetch", "BTCUSDT", "7m"]] {
        assert_eq!(program.run(usage).code, Some(2), "{usage:?}");
    }
}
