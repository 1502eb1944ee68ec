//! `models` and `predictions` as their users meet them.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::candle_files::{HOUR_MS, START_MS, csv, instant, rows};
use crate::program::{N_CANDLES, Program, SERIES, SHORT, line};
use crate::shape::instant as is_instant;
use crate::shape::{
    Is, assert_fields, count, elements, flag, list, number, number_or_null, object, object_or_null, share,
    share_or_null, text, text_or_null,
};

/// Half an hour after the last candle closed.
const NOW: &[&str] = &["--now", "2024-03-24T10:30:00Z"];
/// Long after.
const LATER: &[&str] = &["--now", "2024-04-20T00:00:00Z"];
const FIRST: &str = "BTCUSDT_LINEAR_1.0.0";
const SECOND: &str = "BTCUSDT_LINEAR_1.0.1";

const VALIDATION: &[(&str, Is)] = &[
    ("id", text),
    ("venue", text),
    ("symbol", text),
    ("interval", text),
    ("synthetic", flag),
    ("horizonSteps", count),
    ("trainedTo", is_instant),
    ("days", count),
    ("seenCandles", count),
    ("origins", count),
    ("independent", count),
    ("leftOut", count),
    ("remark", text),
    ("models", list),
];
const CHANGE: &[(&str, Is)] = &[
    ("at", is_instant),
    ("horizonSteps", count),
    ("from", text_or_null),
    ("to", text_or_null),
    ("why", text),
    ("by", text),
];
const PREDICTION: &[(&str, Is)] = &[
    ("modelId", text),
    ("task", text),
    ("venue", text),
    ("symbol", text),
    ("interval", text),
    ("origin", is_instant),
    ("step", count),
    ("targetTime", is_instant),
    ("madeAt", is_instant),
    ("originPrice", number),
    ("price", number),
    ("direction", text),
    ("lowerBound", number),
    ("upperBound", number),
    ("intervalLevel", share),
    ("confidence", share_or_null),
    ("status", text),
    ("actual", number_or_null),
    ("error", number_or_null),
    ("synthetic", flag),
];
const GROUP: &[(&str, Is)] = &[
    ("firstStep", count),
    ("lastStep", count),
    ("predictions", count),
    ("origins", count),
    ("independent", count),
    ("mae", number),
    ("rmse", number),
    ("mape", number),
    ("skill", number_or_null),
    ("directionalAccuracy", share_or_null),
    ("directions", count),
    ("recentDirection", object_or_null),
    ("coverage", share_or_null),
    ("intervalLevel", share_or_null),
    ("intervals", count),
    ("naive", object),
    ("pValue", share_or_null),
    ("pValueHolm", share_or_null),
    ("verdict", text),
    ("verdictCode", text),
    ("test", text),
    ("against", text),
    ("looks", count),
];

fn train(program: &Program) -> Value {
    program.json(&line(&[&["train", "--model", "linear"], SERIES, SHORT, NOW]))
}

fn two_versions() -> Program {
    let program = Program::with_candles();
    for version in ["1.0.0", "1.0.1"] {
        assert_eq!(train(&program)["model"]["version"], version);
    }
    program
}

/// Brings in the candles of [`Program::with_candles`] and `more` of them.
fn import_more(program: &Program, more: usize) {
    let file = program.write("more/BTCUSDT-1h.csv", csv(&rows(N_CANDLES + more, HOUR_MS, 1)));
    program.json(&["import", &file]);
}

fn statuses(program: &Program) -> Vec<(String, String)> {
    let listed = program.json(&["models", "list"]);
    let told = |m: &Value| (m["id"].as_str().unwrap().to_owned(), m["status"].as_str().unwrap().to_owned());
    listed.as_array().unwrap().iter().map(told).collect()
}

fn stands(first: &str, second: &str) -> Vec<(String, String)> {
    vec![(FIRST.to_owned(), first.to_owned()), (SECOND.to_owned(), second.to_owned())]
}

fn serving(program: &Program) -> Value {
    program.json(&line(&[&["predict", "--model", "linear", "--no-log"], SERIES, NOW]))["modelId"].clone()
}

#[test]
fn versions_are_promoted_and_rolled_back() {
    let program = two_versions();
    assert_eq!((statuses(&program), serving(&program)), (stands("archived", "active"), json!(SECOND)));
    assert_eq!(program.json(&["models", "promote", FIRST])["status"], "active");
    assert_eq!((statuses(&program), serving(&program)), (stands("active", "archived"), json!(FIRST)));
    let back = program.json(&["models", "rollback", "BTCUSDT/linear"]);
    assert_eq!((&back["id"], &back["status"]), (&json!(SECOND), &json!("active")));
    assert_eq!(serving(&program), SECOND);
    let options: &[&str] = &["models", "rollback", "--symbol", "BTC-USDT", "--model", "ridge", "--interval", "1h"];
    program.refuse(options, 1, "nothing-before", &["BTCUSDT_LINEAR", "promote"]);
    program.refuse(&["models", "rollback", "BTCUSDT"], 2, "bad-model", &["SYMBOL/TYPE"]);
    program.refuse(&["models", "rollback", "ETHUSDT/linear"], 1, "model-not-trained", &["ETHUSDT", "models list"]);
    let run = program.run(&["models", "promote", FIRST]);
    assert_eq!((run.code, run.stdout.trim()), (Some(0), format!("{FIRST} serves now").as_str()), "{run:?}");
}

#[test]
fn two_horizons_serve_side_by_side_and_the_history_says_since_when() {
    let program = Program::with_candles();
    let day: &[&str] = &["--horizon", "24h", "--train-days", "60", "--retrain-days", "30"];
    program.json(&line(&[&["train", "--model", "linear"], SERIES, day, NOW]));
    for version in ["2.0.0", "2.0.1"] {
        assert_eq!(train(&program)["model"]["version"], version);
    }
    let predict: &[&str] = &["predict", "--model", "linear", "--no-log"];
    let answers = |horizon: &str| program.json(&line(&[predict, SERIES, NOW, &["--horizon", horizon]]));
    for (horizon, steps, version) in
        [("3h", 3, "2.0.1"), ("6h", 6, "2.0.1"), ("12h", 12, "1.0.0"), ("24h", 24, "1.0.0")]
    {
        let forecast = answers(horizon);
        assert_eq!(
            (&forecast["modelVersion"], &forecast["horizonSteps"]),
            (&json!(version), &json!(steps)),
            "{horizon}"
        );
    }
    assert_eq!(serving(&program), FIRST, "the one that reaches farthest");
    let too_long = line(&[predict, SERIES, &["--horizon", "25h"]]);
    program.refuse(&too_long, 1, "horizon-too-long", &["24 steps", "25", "--horizon"]);
    let all = program.json(&line(&[&["predict", "--all", "--no-log"], NOW]));
    assert_eq!((all.as_array().unwrap().len(), &all[0]["modelId"]), (1, &json!(FIRST)));
    let listed = program.json(&["models", "list", "--status", "active"]);
    let horizons: Vec<&Value> = elements("models list", &listed).iter().map(|m| &m["horizonSteps"]).collect();
    assert_eq!(horizons, [&json!(24), &json!(6)]);

    let rollback: &[&str] = &["models", "rollback", "BTCUSDT/linear"];
    program.refuse(rollback, 2, "ambiguous-model", &["--horizon", "6, 24"]);
    program.refuse(&line(&[rollback, &["--horizon", "12h"]]), 1, "model-not-trained", &["12", "6, 24"]);
    program.refuse(&line(&[rollback, &["--horizon", "24h"]]), 1, "nothing-before", &["24 steps"]);
    assert_eq!(program.json(&line(&[rollback, &["--horizon", "6h"]]))["version"], "2.0.0");

    let history = program.json(&["models", "history", "BTCUSDT/linear"]);
    let changes = elements("models history", &history);
    changes.iter().for_each(|change| assert_fields("models history", change, CHANGE));
    let told = |c: &Value| (c["horizonSteps"].clone(), c["from"].clone(), c["to"].clone(), c["why"].clone());
    let change = |steps: u32, from: Value, to: &str, why: &str| (json!(steps), from, json!(to), json!(why));
    assert_eq!(
        changes.iter().map(told).collect::<Vec<_>>(),
        [
            change(6, json!("2.0.1"), "2.0.0", "rolled-back"),
            change(6, json!("2.0.0"), "2.0.1", "saved"),
            change(6, Value::Null, "2.0.0", "saved"),
            change(24, Value::Null, "1.0.0", "saved"),
        ]
    );
    assert_eq!((&changes[0]["by"], &changes[3]["at"]), (&json!("local"), &json!("2024-03-24T10:30:00Z")));
    assert!(changes[3]["by"].as_str().unwrap().starts_with("job "), "{}", changes[3]);
    let run = program.run(&["models", "history", "--symbol", "BTCUSDT", "--model", "ridge"]);
    assert!(run.code == Some(0) && run.stdout.contains("rolled-back") && run.stdout.contains("local"), "{run:?}");
    program.refuse(&["models", "history", "ETHUSDT/linear"], 1, "model-not-trained", &["ETHUSDT", "models list"]);
}

#[test]
fn a_deletion_says_what_serves_afterwards() {
    let program = two_versions();
    program.refuse(&["models", "delete", FIRST], 2, "not-confirmed", &[FIRST, "--yes"]);
    program.refuse(&["models", "delete", SECOND, "--yes"], 1, "model-active", &[SECOND, "promote", "--force"]);
    program.refuse(&["models", "delete", "BTCUSDT_LINEAR_9.9.9", "--yes"], 1, "model-not-trained", &["9.9.9"]);
    let deleted = program.json(&["models", "delete", SECOND, "--yes", "--force"]);
    assert_eq!(deleted, json!({ "deleted": SECOND, "served": true, "serves": FIRST }));
    assert_eq!(serving(&program), FIRST);
    let run = program.run(&["models", "delete", FIRST, "--yes", "--force"]);
    assert!(run.code == Some(0) && run.stdout.contains("nothing serves there"), "{run:?}");
    assert_eq!(program.json(&["models", "list"]), json!([]));
    // No version is given twice, and nothing is left to compare the new one's features with.
    assert_eq!(train(&program)["model"]["version"], "2.0.0");
}

#[test]
fn lists_are_filtered_and_paged() {
    let program = two_versions();
    let ids = |args: &[&str]| -> Vec<Value> {
        let listed = program.json(&line(&[&["models", "list"], args]));
        listed.as_array().unwrap().iter().map(|m| m["id"].clone()).collect()
    };
    assert_eq!(ids(&["--symbol", "BTCUSDT", "--model", "ridge"]), [FIRST, SECOND]);
    assert_eq!(ids(&["--status", "ACTIVE"]), [SECOND]);
    assert_eq!(ids(&["--limit", "1"]), [FIRST]);
    assert_eq!(ids(&["--limit", "1", "--after", FIRST]), [SECOND]);
    for none in [&["--symbol", "ETHUSDT"][..], &["--interval", "4h"], &["--after", SECOND], &["--status", "corrupt"]] {
        assert!(ids(none).is_empty(), "{none:?}");
    }
    let first = program.run(&["models", "list", "--limit", "1"]);
    assert!(first.stdout.contains(&format!("--after {FIRST}")), "{first:?}");
    let run = program.run(&["--json", "models", "list", "--status", "serving"]);
    assert!(run.code == Some(2) && run.stderr.contains("candidate, active, archived or corrupt"), "{run:?}");
}

#[test]
fn a_damaged_active_model_is_named_wherever_it_matters() {
    let program = two_versions();
    let path = |id: &str| PathBuf::from(program.json(&["models", "show", id])["path"].as_str().unwrap());
    let (first, second) = (path(FIRST), path(SECOND));
    let all = line(&[&["predict", "--all"], NOW]);
    // Shorter than it was: the list sees it, and `predict --all` once left the model out without a word.
    fs::write(&second, b"{").unwrap();
    assert_eq!(statuses(&program), stands("archived", "corrupt"));
    let listed = program.json(&["models", "list", "--status", "corrupt"]);
    assert!(listed[0]["reason"].as_str().unwrap().contains("is damaged"), "{listed}");
    let answers = program.json(&all);
    let answer = &elements("predict --all", &answers)[0];
    assert_eq!(answer["modelId"], FIRST);
    assert!(answer["fellBack"].as_str().unwrap().contains(SECOND), "{answer}");
    let said = program.run(&all);
    assert!(said.stdout.contains("an older version answered") && said.stdout.contains(SECOND), "{said:?}");

    fs::write(&first, b"{").unwrap();
    let run = program.run(&line(&[&["--json"], &all[..]]));
    assert_eq!((run.code, run.document()), (Some(1), json!([])));
    let problem = run.problem();
    assert_eq!(problem["code"], "corrupt-model");
    assert!(problem["detail"].as_str().unwrap().contains("BTCUSDT_LINEAR"), "{problem}");
}

#[test]
fn downloads_are_whole_or_refused() {
    let program = two_versions();
    let shown = program.json(&["models", "show", FIRST]);
    let copied = program.json(&["models", "download", FIRST, "copies"]);
    assert_eq!((&copied["id"], &copied["sha256"]), (&json!(FIRST), &shown["sha256"]));
    let copy = program.folder().join(copied["file"].as_str().unwrap());
    let original = PathBuf::from(shown["path"].as_str().unwrap());
    assert_eq!(fs::read(&copy).unwrap(), fs::read(&original).unwrap());
    assert_eq!(copied["bytes"], fs::metadata(&copy).unwrap().len());
    let meta: Value =
        serde_json::from_slice(&fs::read(program.folder().join(copied["metaFile"].as_str().unwrap())).unwrap())
            .unwrap();
    assert_eq!(meta["sha256"], shown["sha256"]);
    program.refuse(&["models", "download", FIRST, "copies"], 1, "file-exists", &[FIRST, "another folder"]);
    program.refuse(&["models", "download", "../../etc/passwd", "copies"], 2, "bad-model-id", &["passwd"]);

    // One byte, so that the size says nothing.
    let mut bytes = fs::read(&original).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&original, bytes).unwrap();
    program.refuse(&["models", "download", FIRST, "elsewhere"], 1, "corrupt-model", &[FIRST, "SHA-256"]);
    assert!(!program.folder().join("elsewhere").exists());
}

#[test]
fn surplus_versions_go_on_request() {
    let program = two_versions();
    train(&program);
    program.refuse(&["models", "keep-versions", "1"], 2, "not-confirmed", &[FIRST, "--yes"]);
    let done = program.json(&["models", "keep-versions", "1", "--yes"]);
    assert_eq!(done, json!({ "keep": 1, "deleted": [FIRST, SECOND] }));
    assert_eq!(program.json(&["models", "keep-versions"])["deleted"], json!([]), "nothing to ask about");
    let left = statuses(&program);
    assert_eq!(left, [("BTCUSDT_LINEAR_1.0.2".to_owned(), "active".to_owned())]);
    let indexed = program.json(&["models", "reindex"]);
    assert_eq!(indexed, json!({ "added": 0, "changed": 0, "removed": 0, "taken": 0 }), "the index followed");
}

#[test]
fn a_saved_model_is_validated_on_new_candles_only() {
    let program = Program::with_candles();
    train(&program);
    let nothing = program.json(&line(&[&["models", "validate", FIRST], LATER]));
    assert_fields("models validate", &nothing, VALIDATION);
    assert_eq!((&nothing["origins"], &nothing["models"]), (&json!(0), &json!([])));
    assert!(nothing["remark"].as_str().unwrap().contains("nothing can be scored yet"), "{nothing}");

    import_more(&program, 100);
    let few = program.json(&line(&[&["models", "validate", "--all", "--days", "7"], LATER]));
    let few = &elements("models validate --all", &few)[0];
    assert_fields("models validate", few, VALIDATION);
    // The 100 new candles and the last one learnt from, less the last six, whose outcomes are not known.
    assert_eq!((&few["origins"], &few["seenCandles"]), (&json!(95), &json!(7 * 24 - 100)));
    let models = elements("models", &few["models"]);
    let names: Vec<&str> = models.iter().filter_map(|m| m["model"].as_str()).collect();
    assert_eq!(names, ["naive", "drift", "seasonal-naive", "ewma", "linear"]);
    let linear = models.last().unwrap();
    assert_eq!(linear["vsNaive"]["verdict"], "too few to tell (16 independent)", "{linear}");
    assert_eq!((&linear["vsNaive"]["verdictCode"], &linear["vsNaive"]["independent"]), (&json!("tooFew"), &json!(16)));
    assert!(linear["vsNaive"]["pValue"].is_null() && linear["metrics"]["coverage"].is_number(), "{linear}");
    let run = program.run(&line(&[&["models", "validate", FIRST], LATER]));
    assert!(run.stdout.contains("too few to tell") && run.stdout.contains("linear"), "{run:?}");
    assert_eq!(statuses(&program), [(FIRST.to_owned(), "active".to_owned())], "nothing was trained");
}

#[test]
fn predictions_are_logged_and_meet_their_candles() {
    let program = Program::with_candles();
    train(&program);
    let forecast = program.json(&line(&[&["predict", "--model", "linear"], SERIES, NOW]));
    program.json(&line(&[&["predict", "--all"], NOW]));
    let page = program.json(&line(&[&["predictions", "list", "--limit", "4"], LATER]));
    let first = elements("predictions", &page["predictions"]);
    let rest = program.json(&line(&[&["predictions", "list", "--after", page["next"].as_str().unwrap()], LATER]));
    assert!(rest["next"].is_null(), "{rest}");
    let mut logged: Vec<&Value> = first.iter().chain(elements("predictions", &rest["predictions"])).collect();
    logged.reverse();
    assert_eq!(logged.len(), 6, "the second forecast is the same");
    for (row, step) in logged.iter().zip(forecast["predictions"].as_array().unwrap()) {
        assert_fields("prediction", row, PREDICTION);
        assert_eq!((&row["modelId"], &row["status"]), (&json!(FIRST), &json!("pending")));
        assert_eq!((&row["price"], &row["targetTime"]), (&step["price"], &step["timestamp"]));
        assert_eq!(row["direction"], step["direction"]);
    }
    let waiting = program.json(&line(&[&["predictions", "validate"], LATER]));
    let told = |s: &Value| ["validated", "unscorable", "pending"].map(|name| s[name].as_u64().unwrap());
    assert_eq!(told(&waiting), [0, 0, 6]);

    // The import validates by itself.
    import_more(&program, 2);
    let validated = program.json(&line(&[&["predictions", "list", "--status", "validated"], SERIES, LATER]));
    let validated = elements("predictions", &validated["predictions"]);
    assert_eq!(validated.len(), 2);
    for row in validated {
        let (price, actual, error) = (row["price"].as_f64(), row["actual"].as_f64(), row["error"].as_f64());
        assert_eq!(error.unwrap(), price.unwrap() - actual.unwrap());
        assert!(is_instant(&row["validatedAt"]), "{row}");
    }
    let close_ms = START_MS + (N_CANDLES as i64 + 1) * HOUR_MS;
    assert_eq!(validated[1]["targetTime"], instant(close_ms));
    import_more(&program, 6);
    assert_eq!(told(&program.json(&line(&[&["predictions", "validate"], LATER]))), [0, 0, 0]);

    let accuracy = program.json(&line(&[&["predictions", "accuracy", "--window", "7"], LATER]));
    assert_fields("predictions accuracy", &accuracy, &[("from", is_instant), ("to", is_instant), ("models", list)]);
    let model = &elements("models", &accuracy["models"])[0];
    assert_eq!(model["modelId"], FIRST);
    let groups = elements("groups", &model["groups"]);
    for group in groups {
        assert_fields("group", group, GROUP);
        assert_eq!(group["verdict"], "too few to tell (1 independent)", "{group}");
        assert_eq!((&group["verdictCode"], &group["test"]), (&json!("tooFew"), &json!("e-process")));
    }
    assert_eq!(
        (&model["task"], &model["direction"], &model["volatility"]),
        (&json!("price"), &Value::Null, &Value::Null)
    );
    let all = program.json(&line(&[&["predictions", "list"], LATER]));
    assert_eq!(program.json(&line(&[&["predictions", "list", "--task", "price"], LATER])), all);
    let others = program.json(&line(&[&["predictions", "list", "--task", "direction"], LATER]));
    assert_eq!(others["predictions"], json!([]));
    let others = program.json(&line(&[&["predictions", "accuracy", "--task", "volatility"], LATER]));
    assert_eq!(others["models"], json!([]));
    program.refuse(&["predictions", "list", "--task", "prize"], 2, "bad-usage", &["price, direction, volatility"]);
    let errors = elements("predictions", &all["predictions"]).iter().map(|p| p["error"].as_f64().unwrap().abs());
    assert!((groups[0]["mae"].as_f64().unwrap() - errors.sum::<f64>() / 6.0).abs() < 1e-6, "{accuracy}");
    for command in ["list", "validate", "accuracy"] {
        assert_eq!(program.run(&line(&[&["predictions", command], LATER])).code, Some(0), "{command}");
    }
}

#[test]
fn what_is_not_to_be_logged_is_not() {
    let program = Program::with_candles();
    train(&program);
    program.json(&line(&[&["predict", "--model", "linear", "--no-log"], SERIES, NOW]));
    let past = line(&[&["predict", "--model", "linear", "--now", "2024-03-10T10:30:00Z"], SERIES]);
    assert!(program.json(&past)["warnings"][0].as_str().unwrap().contains("not logged"));
    let late = program.run(&line(&[&["predict", "--model", "linear"], SERIES, LATER]));
    assert!(late.code == Some(0) && late.stderr.contains("not in the prediction log: 1 of 1"), "{late:?}");
    let page = program.json(&line(&[&["predictions", "list"], LATER]));
    assert_eq!(page, json!({ "predictions": [], "next": null }));
    let accuracy = program.json(&line(&[&["predictions", "accuracy"], LATER]));
    assert_eq!(accuracy["models"], json!([]));
    program.refuse(&["predictions", "list", "--after", "here"], 2, "bad-usage", &["cursor"]);
    program.refuse(&["predictions", "list", "--model", "linear"], 2, "bad-model-id", &["linear"]);
}

/// A forecast does not hang on its log.
#[test]
fn a_database_that_cannot_be_used_costs_the_log_and_not_the_forecast() {
    let program = Program::with_candles();
    train(&program);
    let whole = program.json(&line(&[&["predict", "--model", "linear", "--no-log"], SERIES, NOW]));
    for file in ["candlecast.db", "candlecast.db-wal", "candlecast.db-shm"] {
        let _ = fs::remove_file(program.data_dir().join(file));
    }
    fs::create_dir(program.data_dir().join("candlecast.db")).unwrap();
    let run = program.run(&line(&[&["--json", "predict", "--model", "linear"], SERIES, NOW]));
    assert_eq!((run.code, run.document()), (Some(0), whole));
    assert!(run.stderr.contains("not in the prediction log"), "{run:?}");
    let listed = program.run(&["--json", "predictions", "list"]);
    assert_eq!((listed.code, listed.problem()["code"].as_str()), (Some(1), Some("metadata-failed")), "{listed:?}");
}
