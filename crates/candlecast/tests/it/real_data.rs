//! The main job on real candles, short enough for every run; the whole of it is in `cargo xtask verify`.

use serde_json::Value;

use crate::program::{Program, line};

#[test]
fn intervals_hold_and_no_trend_or_season_beats_naive_on_bitcoin() {
    let Some(data) = candlecast_testenv::real_data() else { return };
    let program = Program::new();
    let file = data.join("candles/BTCUSDT-1h.csv.gz").canonicalize().unwrap();
    let imported = program.json(&["import", file.to_str().unwrap()]);
    assert_eq!(imported[0]["rejected"], 0, "{imported}");
    let job: &[&str] =
        &["compare", "--symbol", "BTCUSDT", "--interval", "1h", "--models", "hybrid,linear", "--horizon", "24h"];
    let report = program.json(&line(&[job, &["--from", "2023-11-01", "--to", "2023-12-01"]]));
    assert_eq!(report["origins"], 30 * 24);
    for model in report["models"].as_array().unwrap() {
        assert_honest(model);
    }
}

fn assert_honest(model: &Value) {
    let name = &model["model"];
    let coverage = model["metrics"]["coverage"].as_f64().unwrap();
    assert!((0.85..=0.95).contains(&coverage), "{name} covers {coverage}");
    let verdict = model["vsNaive"]["verdict"].as_str().unwrap();
    let better = verdict.starts_with("better than naive");
    // `ewma` forecasts that a part of the last move is taken back, as hourly candles do.
    assert!(!(better && model["baseline"] == true && name != "ewma"), "{name}: {verdict}");
}
