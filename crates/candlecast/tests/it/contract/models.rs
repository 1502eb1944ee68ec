//! Documents of `train`, `predict` and `models`.

use serde_json::{Value, json};

use super::evaluation::{HIT_RATE, assert_model};
use crate::candle_files::{HOUR_MS, START_MS, instant};
use crate::program::{N_CANDLES, Program, SERIES, SHORT, line};
use crate::shape::instant as is_instant;
use crate::shape::{
    Is, assert_fields, count, elements, flag, list, number, number_or_null, object, share, share_or_null, text,
    text_or_null,
};

/// Half an hour after the last candle closed.
const NOW: &[&str] = &["--now", "2024-03-24T10:30:00Z"];

const MODEL: &[(&str, Is)] = &[
    ("id", text),
    ("symbol", text),
    ("venue", text),
    ("interval", text),
    ("modelType", text),
    ("task", text),
    ("version", text),
    ("status", text),
    ("path", text),
    ("name", text),
    ("trainedAt", is_instant),
    ("horizonSteps", count),
    ("accuracy", number_or_null),
    ("dataPoints", count),
    ("dataFrom", is_instant),
    ("dataTo", is_instant),
    ("trainedOn", list),
    ("pool", list),
    ("metrics", object),
    ("baselineMetrics", object),
    ("test", object),
    ("tries", object),
    ("config", object),
    ("pipeline", object),
    ("features", list),
    ("seed", count),
    ("programVersion", text),
    ("instructionSet", text),
    ("sha256", text),
];
const FORECAST: &[(&str, Is)] = &[
    ("predictions", list),
    ("model", text),
    ("modelVersion", text),
    ("modelId", text),
    ("venue", text),
    ("symbol", text),
    ("interval", text),
    ("horizonSteps", count),
    ("origin", is_instant),
    ("originPrice", number),
    ("intervalLevel", share),
    ("trainedAt", is_instant),
    ("action", text),
    ("confidenceThreshold", share),
    ("passShare", share_or_null),
    ("regime", text_or_null),
    ("stale", flag),
    ("ageSeconds", count),
    ("dataAgeSeconds", count),
    ("staleData", flag),
    ("seenFuture", flag),
    ("tooLate", flag),
    ("synthetic", flag),
    ("test", object),
    ("warnings", list),
];
const EVIDENCE: &[(&str, Is)] = &[
    ("verdict", text),
    ("verdictCode", text),
    ("against", text),
    ("skill", number),
    ("origins", count),
    ("from", is_instant),
    ("to", is_instant),
    ("looks", count),
];
const STEP: &[(&str, Is)] = &[
    ("timestamp", is_instant),
    ("step", count),
    ("price", number),
    ("direction", text),
    ("factor", number),
    ("confidence", share),
    ("calibrated", flag),
    ("lowerBound", number),
    ("upperBound", number),
];

fn train(program: &Program, model: &str) -> Value {
    program.json(&line(&[&["train", "--model", model], SERIES, SHORT, NOW]))
}

fn predict(program: &Program, more: &[&str]) -> Value {
    program.json(&line(&[&["predict", "--model", "linear"], SERIES, NOW, more]))
}

#[test]
fn a_training_reports_and_saves_the_model() {
    let program = Program::with_candles();
    let trained = train(&program, "linear");
    let fields: &[(&str, Is)] = &[
        ("model", object),
        ("active", flag),
        ("candidateBecause", text_or_null),
        ("activeBecause", text_or_null),
        ("origins", count),
        ("intervalLevel", share),
        ("stopped", text),
        ("steps", count),
        ("trainSamples", count),
        ("validSamples", count),
        ("curve", object),
        ("droppedFeatures", list),
        ("models", list),
    ];
    assert_fields("train", &trained, fields);
    elements("models", &trained["models"]).iter().for_each(assert_model);
    let model = &trained["model"];
    assert_fields("model", model, MODEL);
    assert_fields("evidence", &model["test"], EVIDENCE);
    assert_eq!(model["tries"], json!({ "scorings": 1, "configurations": 1 }));
    assert_eq!(model["test"]["verdict"], model["metrics"]["verdict"]);
    let of_report = trained["models"].as_array().unwrap().last().unwrap();
    for field in ["recentDirection", "selected"] {
        assert_eq!(model["metrics"][field], of_report[field], "{field}");
    }
    assert_eq!((&model["id"], &model["status"]), (&json!("BTCUSDT_LINEAR_1.0.0"), &json!("active")));
    assert_eq!(
        (&model["trainedAt"], &model["dataPoints"]),
        (&json!("2024-03-24T10:30:00Z"), &json!(60 * 24)),
        "--train-days 60"
    );
    assert_eq!(model["dataTo"], instant(START_MS + N_CANDLES as i64 * HOUR_MS));
    assert!(std::path::Path::new(model["path"].as_str().unwrap()).is_file(), "{model}");
    assert_eq!(program.json(&["models", "show", "BTCUSDT_LINEAR_1.0.0"]), *model);
    assert_eq!(program.json(&["models", "list"]), json!([model]));
}

#[test]
fn a_second_training_is_the_next_version_and_the_first_stays() {
    let program = Program::with_candles();
    assert_eq!(program.json(&["models", "list"]), json!([]));
    train(&program, "linear");
    let second = train(&program, "linear");
    assert_eq!((&second["model"]["version"], &second["active"]), (&json!("1.0.1"), &json!(true)));
    let listed = program.json(&["models", "list"]);
    let stands: Vec<(&Value, &Value)> =
        elements("models list", &listed).iter().map(|m| (&m["version"], &m["status"])).collect();
    assert_eq!(stands, [(&json!("1.0.0"), &json!("archived")), (&json!("1.0.1"), &json!("active"))]);
}

#[test]
fn a_forecast_comes_with_interval_confidence_and_origin() {
    let program = Program::with_candles();
    train(&program, "linear");
    let forecast = predict(&program, &[]);
    assert_fields("predict", &forecast, FORECAST);
    let close_ms = START_MS + N_CANDLES as i64 * HOUR_MS;
    assert_eq!(forecast["origin"], instant(close_ms));
    assert_eq!((&forecast["dataAgeSeconds"], &forecast["staleData"]), (&json!(1_800), &json!(false)));
    assert_eq!(forecast["ageSeconds"], 1_800);
    assert_eq!((&forecast["stale"], &forecast["synthetic"]), (&json!(false), &json!(false)));
    assert_eq!((&forecast["seenFuture"], &forecast["tooLate"]), (&json!(false), &json!(false)));
    assert_fields("evidence", &forecast["test"], EVIDENCE);
    let of_model = usize::from(forecast["test"]["verdictCode"] == "worse");
    assert_eq!(forecast["warnings"].as_array().unwrap().len(), of_model, "{forecast}");
    let steps = elements("predictions", &forecast["predictions"]);
    assert_eq!(steps.len(), 6);
    for (i, step) in steps.iter().enumerate() {
        assert_fields("prediction", step, STEP);
        assert_eq!(
            (&step["step"], &step["timestamp"]),
            (&json!(i + 1), &json!(instant(close_ms + (i as i64 + 1) * HOUR_MS)))
        );
        let [lower, price, upper] = ["lowerBound", "price", "upperBound"].map(|name| step[name].as_f64().unwrap());
        assert!(0.0 < lower && lower < price && price < upper, "{step}");
    }
    let later = program.json(&line(&[&["predict", "--model", "linear", "--now", "2024-03-26T12:00:00Z"], SERIES]));
    assert_eq!((&later["stale"], &later["staleData"]), (&json!(true), &json!(true)));
    assert_eq!((&later["seenFuture"], &later["tooLate"]), (&json!(false), &json!(true)));
    assert_eq!(later["predictions"], forecast["predictions"]);
    assert_eq!(later["warnings"].as_array().unwrap().len(), 2 + of_model, "old data, old model: {later}");
}

#[test]
fn a_forecast_says_what_is_to_be_done_and_how_often_it_is_so_sure() {
    let program = Program::with_candles();
    // With the mean return left as it is, every forecast has a direction.
    let drifts: &[&str] = &["train", "--model", "linear", "--set", "shrinkDrift=false"];
    let model = program.json(&line(&[drifts, SERIES, SHORT, NOW]))["model"].clone();
    assert_fields("recentDirection", &model["metrics"]["recentDirection"], HIT_RATE);
    assert_eq!(elements("quantiles", &model["metrics"]["confidenceQuantiles"]).len(), 21);
    let shown = program.run(&["models", "show", "BTCUSDT_LINEAR_1.0.0"]).stdout;
    assert!(shown.contains("\ndirection of all origins, 2024-"), "{shown}");

    let forecast = predict(&program, &[]);
    let last = elements("predictions", &forecast["predictions"]).last().unwrap();
    let said = match last["direction"].as_str() {
        Some("UP") => "BUY",
        Some("DOWN") => "SELL",
        other => panic!("{other:?}"),
    };
    assert_eq!((&forecast["action"], &forecast["confidenceThreshold"]), (&json!(said), &json!(0.5)));
    assert_eq!(forecast["passShare"], 1.0, "no confidence of a price is below chance");
    let strict = predict(&program, &["--confidence-threshold", "0.99"]);
    assert_eq!((&strict["confidenceThreshold"], &strict["predictions"]), (&json!(0.99), &forecast["predictions"]));
    let action = if last["confidence"].as_f64().unwrap() < 0.99 { "HOLD" } else { said };
    assert_eq!(strict["action"], action);
    let told = program.run(&line(&[&["predict", "--model", "linear"], SERIES, NOW])).stdout;
    assert!(told.contains(&format!("\naction: {said} (HOLD below a confidence of 0.50, which 100.0 %")), "{told}");
    assert!(told.contains("| direction |"), "{told}");
    let all = program.run(&line(&[&["predict", "--all"], NOW])).stdout;
    assert!(all.trim_end().ends_with(&format!(": {said}")) || all.contains(&format!(": {said}\n  warning")), "{all}");
    let wrong = line(&[&["predict", "--model", "linear", "--confidence-threshold", "0.3"], SERIES]);
    program.refuse(&wrong, 2, "bad-usage", &["0.5 to 0.99"]);
}

#[test]
fn a_forecast_tells_quantiles_and_another_level_where_asked_and_logs_its_own() {
    let program = Program::with_candles();
    train(&program, "linear");
    let plain = predict(&program, &["--no-log"]);
    let asked: &[&str] = &["--quantiles", "0.95,0.05,0.5,0.05", "--level", "0.5"];
    let told = predict(&program, asked);
    assert_fields("predict", &told, FORECAST);
    assert_eq!((&plain["intervalLevel"], &told["intervalLevel"]), (&json!(0.9), &json!(0.5)));
    let (plain, told) = (elements("predictions", &plain["predictions"]), elements("predictions", &told["predictions"]));
    let real = |v: &Value| v.as_f64().unwrap();
    for (own, step) in plain.iter().zip(told) {
        assert_fields("prediction", step, STEP);
        assert_eq!((own.get("quantiles"), &own["price"]), (None, &step["price"]));
        let quantiles = elements("quantiles", &step["quantiles"]);
        for quantile in quantiles {
            assert_fields("quantile", quantile, &[("share", share), ("price", number)]);
        }
        assert_eq!(quantiles.iter().map(|q| real(&q["share"])).collect::<Vec<_>>(), [0.05, 0.5, 0.95]);
        let prices: Vec<f64> = quantiles.iter().map(|q| real(&q["price"])).collect();
        assert!(prices[0] < prices[1] && prices[1] < prices[2], "{step}");
        let width = |step: &Value| real(&step["upperBound"]) - real(&step["lowerBound"]);
        assert!(width(step) < width(own), "half of the outcomes need less room than nine tenths: {own} {step}");
    }
    let logged = program.json(&["predictions", "list"])["predictions"].clone();
    for row in elements("predictions list", &logged) {
        let step = row["step"].as_u64().unwrap() as usize;
        assert_eq!((&row["intervalLevel"], &row["lowerBound"]), (&json!(0.9), &plain[step - 1]["lowerBound"]));
    }
    let text = program.run(&line(&[&["predict", "--model", "linear", "--no-log"], SERIES, NOW, asked])).stdout;
    assert!(["50 % interval", " 5 % ", " 50 % ", " 95 % "].iter().all(|words| text.contains(words)), "{text}");
}

#[test]
fn a_forecast_from_before_the_end_of_the_training_is_marked() {
    let program = Program::with_candles();
    train(&program, "linear");
    let past = line(&[&["predict", "--model", "linear", "--now", "2024-03-10T10:30:00Z"], SERIES]);
    let warnings = program.json(&past)["warnings"].clone();
    let words = "the model has seen the future of this origin";
    assert!(warnings[0].as_str().unwrap().contains(words), "{warnings}");
    assert!(program.run(&past).stdout.contains(words));
    assert!(!program.run(&line(&[&["predict", "--model", "linear"], SERIES, NOW])).stdout.contains(words));
}

/// What serves has seen the candles that the chain is scored on, so only the saved fit begins with it.
#[test]
fn a_warm_start_changes_the_saved_fit_and_no_score() {
    let program = Program::with_candles();
    let command: &[&str] = &["train", "--model", "gbdt", "--set", "rounds=10", "--set", "patience=0"];
    let starts: [&[&str]; 2] = [&[], &["--warm-start"]];
    let mut trained = starts.map(|more| program.json(&line(&[command, SERIES, SHORT, NOW, more])));
    for model in trained.iter_mut().flat_map(|t| t["models"].as_array_mut().unwrap()) {
        model.as_object_mut().unwrap().remove("fitSeconds");
    }
    let [cold, warm] = trained;
    assert_eq!(cold["models"], warm["models"]);
    assert_eq!((&cold["steps"], &warm["steps"]), (&json!(10), &json!(20)));
}

#[test]
fn the_window_is_what_was_asked_for() {
    let program = Program::with_candles();
    let points = |more: &[&str]| {
        let train: &[&str] = &["train", "--model", "hybrid", "--horizon", "6h"];
        program.json(&line(&[train, SERIES, NOW, more]))["model"]["dataPoints"].clone()
    };
    assert_eq!(points(&["--days", "60"]), 60 * 24);
    assert_eq!(points(&["--days", "60", "--train-days", "45"]), 45 * 24);
    let window = |more: &[&str]| {
        points(more);
        let listed = program.json(&["models", "list"]);
        listed.as_array().unwrap().last().unwrap()["pipeline"]["window"]["kind"].clone()
    };
    assert_eq!(window(&["--days", "60", "--window", "rolling"]), "rolling");
    assert_eq!(window(&["--days", "60"]), "expanding");
}

#[test]
fn a_forecast_repeats_in_every_process_and_a_shorter_one_is_its_beginning() {
    let program = Program::with_candles();
    train(&program, "linear");
    let whole = predict(&program, &[]);
    for same in [&["--threads", "1"], &["--threads", "2"], &["--seed", "7"], &["--horizon", "6"]] {
        assert_eq!(predict(&program, same), whole, "{same:?}");
    }
    for steps in [1, 3] {
        let shorter = predict(&program, &["--horizon", &format!("{steps}h")]);
        let beginning = &whole["predictions"].as_array().unwrap()[..steps];
        assert_eq!(shorter["predictions"], json!(beginning));
        assert_eq!(shorter["horizonSteps"], steps);
    }
    let longer = line(&[&["predict", "--model", "linear", "--horizon", "12h"], SERIES]);
    let problem = program.refuse(&longer, 1, "horizon-too-long", &["6 steps", "12", "--horizon"]);
    assert_eq!((&problem["field"], &problem["status"]), (&json!("horizon"), &json!(409)));
}

#[test]
fn all_active_models_answer_at_once() {
    let program = Program::with_candles();
    let none = program.refuse(&["predict", "--all"], 1, "model-not-trained", &["candlecast train"]);
    assert!(none["status"].is_u64());
    for model in ["linear", "hybrid"] {
        train(&program, model);
    }
    let all = program.json(&line(&[&["predict", "--all"], NOW]));
    let names: Vec<&str> = elements("predict --all", &all).iter().filter_map(|f| f["model"].as_str()).collect();
    assert_eq!(names, ["hybrid", "linear"]);
    for forecast in all.as_array().unwrap() {
        assert_fields("predict --all", forecast, FORECAST);
    }
    assert_eq!(all[1], predict(&program, &[]));
}
