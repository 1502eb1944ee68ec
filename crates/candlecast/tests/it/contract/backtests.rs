//! Ways to split, and backtests on record: `backtest list`, `show` and `rerun`.

use serde_json::{Value, json};

use super::evaluation::{assert_model, assert_report};
use crate::candle_files::{HOUR_MS, csv, rows};
use crate::program::{N_CANDLES, Program, SERIES, SHORT, line};
use crate::shape::{
    Is, assert_fields, count, elements, flag, instant, list, number_or_null, object, share, text, text_or_null,
};

const RANGE: &[&str] = &["--from", "2024-03-10", "--to", "2024-03-20"];
const LINEAR: &[&str] = &["backtest", "--model", "linear"];
/// Small enough for groups of these few candles.
const CROSS: &[&str] = &["--horizon", "6h", "--min-candles", "300"];

const BACKTEST: &[(&str, Is)] = &[
    ("backtestId", text),
    ("runId", text),
    ("jobId", text),
    ("status", text),
    ("venue", text),
    ("symbol", text),
    ("interval", text),
    ("task", text),
    ("horizonSteps", count),
    ("models", list),
    ("method", text),
    ("from", instant),
    ("to", instant),
    ("best", text),
    ("verdict", text),
    ("verdictCode", text),
    ("fingerprint", text),
    ("seed", count),
    ("instructionSet", text),
    ("program", text),
    ("createdAt", instant),
    ("finishedAt", instant),
    ("error", text_or_null),
    ("isKept", flag),
];
const RERUN: &[(&str, Is)] = &[
    ("backtestId", text),
    ("outcome", text),
    ("because", text),
    ("tolerance", share),
    ("instructionSet", object),
    ("program", object),
    ("fingerprint", object),
    ("models", list),
];

fn backtest(program: &Program) -> Value {
    program.json(&line(&[LINEAR, SERIES, SHORT, RANGE]))
}

/// `report` without the times that fits took.
fn timeless(mut report: Value) -> Value {
    for model in report["models"].as_array_mut().unwrap() {
        model.as_object_mut().unwrap().remove("fitSeconds");
    }
    report
}

/// The identity of the newest backtest.
fn newest(program: &Program) -> String {
    let listed = program.json(&["backtest", "list", "--limit", "1"]);
    listed["backtests"][0]["backtestId"].as_str().unwrap().to_owned()
}

#[test]
fn four_dates_bound_training_and_test_under_either_name() {
    let program = Program::with_candles();
    let dates: &[&str] = &["--train-start", "2024-01-03", "--train-end", "2024-03-05"];
    let walk = program.json(&line(&[LINEAR, SERIES, SHORT, dates, RANGE]));
    assert_report(&walk, &["linear"]);
    assert_eq!(walk["method"], "walk-forward");
    let others: &[&str] = &["--test-start", "2024-03-10", "--test-end", "2024-03-20"];
    let same = program.json(&line(&[LINEAR, SERIES, SHORT, dates, others]));
    assert_eq!((&same["fingerprint"], &same["forecastDigests"]), (&walk["fingerprint"], &walk["forecastDigests"]));
    let free = backtest(&program);
    assert_ne!(free["fingerprint"], walk["fingerprint"]);
    assert_ne!(free["forecastDigests"], walk["forecastDigests"], "the first fit learns from later candles, too");
    let simple = program.json(&line(&[LINEAR, &["--method", "simple"], SERIES, SHORT, dates, RANGE]));
    assert_report(&simple, &["linear"]);
    assert_eq!((&simple["method"], &simple["from"]), (&json!("simple"), &walk["from"]));
}

#[test]
fn shares_of_the_split_are_settable_and_told() {
    let program = Program::with_candles();
    let shares: &[&str] = &["--test-share", "0.1", "--valid-share", "0.2"];
    let tested = program.json(&line(&[LINEAR, SERIES, SHORT, shares]));
    // Of 2,002 candles the newest 200, of which the last six have no outcome.
    assert_eq!((&tested["origins"], &tested["validShare"]), (&json!(194), &json!(0.2)));
    let share = tested["testShare"].as_f64().unwrap();
    assert!((share - 194.0 / N_CANDLES as f64).abs() < 1e-9, "{share}");
    let other = program.json(&line(&[LINEAR, SERIES, SHORT, &["--test-share", "0.1", "--validation-split", "0.2"]]));
    assert_eq!(other["fingerprint"], tested["fingerprint"]);

    let now: &[&str] = &["--now", "2024-03-24T10:30:00Z"];
    let trained = program.json(&line(&[&["train", "--model", "linear"], SERIES, SHORT, now, shares]));
    let metrics = &trained["model"]["metrics"];
    assert_eq!((&metrics["validShare"], &metrics["testShareAsked"]), (&json!(0.2), &json!(0.1)));
    assert!((metrics["testShare"].as_f64().unwrap() - 0.1).abs() < 1e-3, "{metrics}");
    assert_eq!(trained["model"]["pipeline"]["validShare"], 0.2);
    let plain = program.json(&line(&[&["train", "--model", "linear"], SERIES, SHORT, now]));
    let metrics = &plain["model"]["metrics"];
    assert!((metrics["testShare"].as_f64().unwrap() - 0.15).abs() < 1e-3, "{metrics}");
    assert!(metrics.get("testShareAsked").is_none());
}

#[test]
fn one_model_is_compared_with_its_counterparts() {
    let program = Program::with_candles();
    let quick: &[&str] = &["--set", "lstm.epochs=1", "--set", "lstm.hiddenSize=2", "--set", "lstm.sequenceLength=5"];
    let compare = |models: &[&str]| {
        let report = program.json(&line(&[&["compare"], models, SERIES, SHORT, RANGE, quick]));
        let names = report["models"].as_array().unwrap().iter();
        names.filter(|m| m["baseline"] == false).map(|m| m["model"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(compare(&[]), ["lstm", "hybrid"]);
    assert_eq!(compare(&["--model", "hybrid"]), ["hybrid", "lstm"]);
    assert_eq!(compare(&["--model", "linear"]), ["linear", "lstm", "hybrid"]);
    let direction: &[&str] = &["--task", "direction", "--model", "linear"];
    assert_eq!(compare(direction), ["linear", "lstm"], "hybrid has no classes");
}

#[test]
fn cross_validations_are_for_research_and_call_nothing_better() {
    let program = Program::with_candles();
    let folds = line(&[LINEAR, &["--method", "purged-k-fold", "--folds", "4", "--embargo", "12"], SERIES, CROSS]);
    let combinations =
        line(&[LINEAR, &["--method", "combinatorial", "--groups", "5", "--test-groups", "2"], SERIES, CROSS]);
    for (command, method, splits, paths) in [(&folds, "purged-k-fold", 4, 1), (&combinations, "cpcv", 10, 4)] {
        let report = program.json(command);
        assert_eq!(report["method"], method);
        let cross = &report["crossValidation"];
        let fields: &[(&str, Is)] = &[
            ("researchOnly", flag),
            ("groups", list),
            ("testGroups", count),
            ("splits", count),
            ("paths", count),
            ("fits", count),
            ("purge", count),
            ("embargo", count),
            ("models", list),
            ("byPath", list),
        ];
        assert_fields("crossValidation", cross, fields);
        assert_eq!((&cross["splits"], &cross["paths"], &cross["purge"]), (&json!(splits), &json!(paths), &json!(6)));
        assert!(cross["researchOnly"] == true && cross["fits"].as_u64().unwrap() > splits);
        assert_eq!(elements("byPath", &cross["byPath"]).len(), paths);
        for path in cross["byPath"].as_array().unwrap() {
            let model: &[(&str, Is)] = &[("model", text), ("loss", number_or_null), ("skill", number_or_null)];
            elements("models", &path["models"]).iter().for_each(|m| assert_fields("model of a path", m, model));
        }
        assert!(report["notes"][0].as_str().unwrap().starts_with("for research only"), "{}", report["notes"]);
        for model in elements("models", &report["models"]) {
            assert_model(model);
            let vs = &model["vsNaive"];
            let is_naive = model["model"] == "naive";
            assert_eq!(vs["verdictCode"], if is_naive { "reference" } else { "none" }, "{model}");
            assert!(vs["pValue"].is_null() && vs["pValueHolm"].is_null() && vs["signal"].is_null(), "{model}");
            assert!(is_naive || vs["verdict"].as_str().unwrap().starts_with("not judged"), "{vs}");
        }
        let told = program.run(command).stdout;
        assert!(told.contains("RESEARCH ONLY") && told.contains("not judged"), "{told}");
        assert!(!told.contains("better than") && !told.contains("worse than"), "{told}");
        assert_eq!(told.contains("Path 1 of 4"), paths == 4, "{told}");
    }
    assert_eq!(program.json(&folds)["crossValidation"]["embargo"], 12);
    let other = line(&[LINEAR, &["--method", "purged-k-fold", "--folds", "4", "--embargo", "13"], SERIES, CROSS]);
    assert_ne!(program.json(&other)["fingerprint"], program.json(&folds)["fingerprint"]);
}

#[test]
fn backtests_are_listed_and_shown_as_they_were_made() {
    let program = Program::with_candles();
    assert_eq!(program.json(&["backtest", "list"]), json!({ "backtests": [], "next": null }));
    assert!(program.run(&["backtest", "list"]).stdout.contains("no backtest is on record"));
    let report = backtest(&program);
    let compared = program.json(&line(&[&["compare", "--models", "linear,hybrid"], SERIES, SHORT, RANGE]));

    let page = program.json(&["backtest", "list", "--limit", "1"]);
    let [newest] = elements("backtests", &page["backtests"]) else { panic!("{page}") };
    assert_fields("backtest", newest, BACKTEST);
    assert_eq!((&newest["models"], &newest["status"]), (&json!(["linear", "hybrid"]), &json!("completed")));
    assert_eq!((&newest["fingerprint"], &newest["method"]), (&compared["fingerprint"], &json!("walk-forward")));
    let rest = program.json(&["backtest", "list", "--after", page["next"].as_str().unwrap()]);
    let [first] = elements("backtests", &rest["backtests"]) else { panic!("{rest}") };
    assert_eq!((&first["best"], &first["from"], &rest["next"]), (&json!("linear"), &report["from"], &Value::Null));
    let mine = program.json(&["backtest", "list", "--symbol", "BTCUSDT", "--model", "linear"]);
    assert_eq!(elements("backtests", &mine["backtests"]).len(), 1);

    let id = first["backtestId"].as_str().unwrap();
    let mut shown = program.json(&["backtest", "show", id]);
    assert_eq!(shown.as_object_mut().unwrap().remove("backtestId"), Some(json!(id)));
    assert_eq!(shown, report, "to the last bit, times and all");
    let told = program.run(&["backtest", "show", first["runId"].as_str().unwrap()]).stdout;
    for words in ["naive *", "against naive", report["fingerprint"].as_str().unwrap()] {
        assert!(told.contains(words), "no `{words}` in {told}");
    }
    let listed = program.run(&["backtest", "list"]).stdout;
    assert!(listed.contains(id) && listed.contains("walk-forward") && listed.contains("completed"), "{listed}");

    program.refuse(&["backtest", "show", "zzzz"], 1, "unknown-backtest", &["zzzz", "backtest list"]);
    program.refuse(&["backtest", "show", "zz"], 2, "bad-backtest-id", &["4"]);
    program.refuse(&["backtest", "show", &id[..4]], 2, "ambiguous-backtest", &[id]);
    program.refuse(&["backtest", "rerun", "zzzz"], 1, "unknown-backtest", &["zzzz"]);
    program.refuse(&["backtest", "list", "--limit", "101"], 2, "bad-usage", &["101"]);
}

#[test]
fn a_backtest_that_is_done_again_is_the_same_until_its_candles_change() {
    let program = Program::with_candles();
    backtest(&program);
    let id = newest(&program);
    let rerun = program.json(&["backtest", "rerun", &id, "--threads", "1"]);
    assert_fields("rerun", &rerun, RERUN);
    assert_eq!((&rerun["outcome"], &rerun["backtestId"]), (&json!("same"), &json!(id)));
    for model in elements("models", &rerun["models"]) {
        assert_eq!((&model["sameBits"], &model["difference"]), (&json!(true), &json!(0.0)), "{model}");
    }
    let told = program.run(&["backtest", "rerun", &id]);
    assert!(told.code == Some(0) && told.stdout.contains("the same bits"), "{told:?}");

    // Candles that were not there then do not exist for it.
    let all = rows(N_CANDLES + 100, HOUR_MS, 1);
    let later = program.write("later/BTCUSDT-1h.csv", csv(&all[N_CANDLES..]));
    program.json(&["import", &later]);
    assert_eq!(program.json(&["backtest", "rerun", &id])["outcome"], "same");
    let cross = line(&[LINEAR, &["--method", "purged-k-fold", "--folds", "4"], SERIES, CROSS]);
    program.json(&cross);
    assert_eq!(program.json(&["backtest", "rerun", &newest(&program)])["outcome"], "same");

    // One candle of the past is another one.
    let mut fields: Vec<&str> = all[1_000].split(',').collect();
    fields[5] = "77.77";
    let corrected = [&all[990..1_000], &[fields.join(",")][..], &all[1_001..1_010]].concat();
    let corrected = program.write("corrected/BTCUSDT-1h.csv", csv(&corrected));
    program.json(&["import", &corrected]);
    let problem = program.refuse(&["backtest", "rerun", &id], 1, "data-changed", &["BTCUSDT", "nothing is said"]);
    assert_eq!(problem["status"], 409);
    assert!(program.json(&["backtest", "show", &id])["models"].is_array(), "what was said then stays");
}

#[test]
fn a_rerun_is_a_job_that_counts_no_second_try() {
    let program = Program::with_candles();
    let report = backtest(&program);
    program.json(&["backtest", "rerun", &newest(&program)]);
    let jobs = program.json(&["jobs", "list", "--kind", "evaluate"]);
    assert_eq!(elements("jobs", &jobs["jobs"]).len(), 2);
    assert_eq!(timeless(backtest(&program)), timeless(report), "no other configuration was tried");
}
