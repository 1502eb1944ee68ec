//! Requests that are wrong as written, or that the stored candles cannot answer.

use crate::candle_files::{HOUR_MS, csv, rows};
use crate::program::{Program, SERIES, SHORT, line};

const TRAIN: &[&str] = &["train", "--model", "linear"];
const COMPARE: &[&str] = &["compare", "--models", "linear"];

#[test]
fn series_that_are_not_stored_come_with_the_nearest_ones() {
    let program = Program::with_candles();
    let unknown: &[&str] = &["BTCUSDX", "did you mean binance:BTCUSDT:1h"];
    for command in [TRAIN, COMPARE, &["predict", "--model", "linear"], &["features", "compute"]] {
        program.refuse(&line(&[command, &["--symbol", "BTCUSDX"]]), 1, "unknown-series", unknown);
    }
    program.refuse(&["data", "check", "--symbol", "BTCUSDX"], 1, "unknown-series", &["BTCUSDX", "data list"]);
    program.refuse(&line(&[TRAIN, &["--symbol", "B"]]), 2, "bad-usage", &["`B`", "BTCUSDT"]);
    program.refuse(&line(&[TRAIN, &["--symbol", "BTCUSDT", "--interval", "7h"]]), 2, "bad-usage", &["`7h`", "1h"]);
    program.refuse(&line(&[TRAIN, &["--symbol", "BTCUSDT", "--interval", "5m"]]), 1, "unknown-series", &["BTCUSDT:5m"]);
    program.refuse(
        &line(&[&["data", "resample", "--to", "30m"], SERIES]),
        2,
        "bad-interval",
        &["30m", "longer multiple of 1h"],
    );
}

#[test]
fn too_few_candles_are_told_with_the_number_needed() {
    let program = Program::with_candles();
    let file = program.write("ETHUSDT-1h.csv", csv(&rows(600, HOUR_MS, 2)));
    program.json(&["import", &file]);
    // A comparison needs origins beyond what the first fit takes.
    for (command, needed) in [(TRAIN, "1000 are needed"), (COMPARE, "1012 are needed")] {
        let words: &[&str] = &["600 candles", needed, "import more"];
        program.refuse(&line(&[command, &["--symbol", "ETHUSDT"], SHORT]), 1, "too-few-candles", words);
    }
    let fewer = line(&[TRAIN, &["--symbol", "ETHUSDT", "--min-candles", "10"], SHORT]);
    program.refuse(&fewer, 2, "bad-min-candles", &["min-candles 10", "200"]);
}

#[test]
fn ranges_outside_the_data_are_told_with_what_there_is() {
    let program = Program::with_candles();
    let later: &[&str] = &["--from", "2031-01-01", "--to", "2032-01-01"];
    let words: &[&str] = &["2031-01-01", "2024-01-01T00:00:00Z", "2024-03-24T10:00:00Z"];
    for command in [TRAIN, COMPARE] {
        let problem = program.refuse(&line(&[command, SERIES, SHORT, later]), 1, "outside-data", words);
        assert_eq!(problem["field"], "from");
    }
    for command in [&["data", "export", "--output", "x.csv"][..], &["features", "compute"]] {
        program.refuse(&line(&[command, SERIES, later]), 1, "outside-data", &["no candles", "2031-01-01"]);
    }
    assert!(!program.folder().join("x.csv").exists());
}

/// The end that was not given is no date: neither the largest number nor the year 292277 may show.
#[test]
fn a_range_without_an_end_is_told_without_one() {
    let program = Program::with_candles();
    for command in [TRAIN, COMPARE] {
        let open = line(&[command, SERIES, SHORT, &["--from", "2031-01-01"]]);
        let problem = program.refuse(&open, 1, "outside-data", &["2031-01-01"]);
        assert!(!problem["detail"].as_str().unwrap().contains("9223372036854775807"), "{problem}");
    }
}

#[test]
fn ranges_that_contradict_themselves_are_refused() {
    let program = Program::with_candles();
    let backwards: &[&str] = &["--from", "2024-03-20", "--to", "2024-03-10"];
    for command in [TRAIN, COMPARE] {
        let words: &[&str] = &["2024-03-20", "2024-03-10", "`to` must come after `from`"];
        program.refuse(&line(&[command, SERIES, SHORT, backwards]), 2, "bad-range", words);
    }
    let backtest = |more: &[&str], words: &[&str]| {
        program.refuse(&line(&[&["backtest", "--model", "linear"], SERIES, SHORT, more]), 2, "bad-range", words);
    };
    let overlap: &[&str] =
        &["--method", "simple", "--train-end", "2024-03-15", "--from", "2024-03-10", "--to", "2024-03-20"];
    backtest(overlap, &["2024-03-10", "2024-03-15"]);
    let late: &[&str] = &["--train-end", "2024-03-12", "--test-start", "2024-03-10", "--test-end", "2024-03-20"];
    backtest(late, &["2024-03-12", "2024-03-10", "trainEnd"]);
    let backwards: &[&str] = &["--train-start", "2024-03-05", "--train-end", "2024-03-01", "--from", "2024-03-10"];
    backtest(backwards, &["trainEnd must come after trainStart"]);
    for (time, words) in [("yesterday", &["`yesterday`", "2024-01-31"]), ("1704067200", &["seconds", "1704067200000"])]
    {
        program.refuse(&line(&[COMPARE, SERIES, &["--from", time]]), 2, "bad-usage", words);
    }
}

#[test]
fn options_of_another_way_to_split_are_refused() {
    let program = Program::with_candles();
    let refuse = |more: &[&str], code: &str, words: &[&str]| {
        program.refuse(&line(&[&["backtest", "--model", "linear"], SERIES, SHORT, more]), 2, code, words);
    };
    refuse(&["--folds", "4"], "bad-method-option", &["--folds", "purged-k-fold"]);
    refuse(&["--method", "combinatorial", "--train-start", "2024-01-01"], "bad-method-option", &["--train-start"]);
    refuse(&["--test-share", "0.2", "--from", "2024-03-01"], "bad-test-share", &["--from"]);
    refuse(&["--method", "purged-k-fold", "--test-share", "0.2"], "bad-test-share", &["walk-forward"]);
    // Of a cross-validation there is no training window to choose, which SHORT does.
    refuse(&["--method", "purged-k-fold"], "bad-train-days", &["purged-k-fold", "--train-days"]);
    let long: &[&str] = &["backtest", "--model", "linear", "--horizon", "6h", "--method"];
    let many = line(&[long, &["combinatorial", "--groups", "30", "--test-groups", "9"], SERIES]);
    program.refuse(&many, 2, "bad-groups", &["30 groups", "splits"]);
    let two = line(&[long, &["purged-k-fold", "--folds", "2"], SERIES]);
    program.refuse(&two, 2, "bad-groups", &["3 to 100"]);
    let few = line(&[long, &["purged-k-fold", "--from", "2024-03-01"], SERIES]);
    program.refuse(&few, 1, "too-few-candles", &["1000 to train on"]);
    let both = line(&[&["compare", "--models", "linear", "--model", "gbdt"], SERIES]);
    program.refuse(&both, 2, "bad-usage", &["--model", "cannot be used with"]);
}

#[test]
fn horizons_are_whole_steps_within_reach() {
    let program = Program::with_candles();
    let cases: [(&str, &[&str]); 7] = [
        ("90m", &["`90m`", "multiple of 1h"]),
        ("0", &["`0`", "1 to 288"]),
        ("0h", &["`0h`", "1 to 288"]),
        ("300h", &["300 steps", "1 to 288", "coarser interval"]),
        ("soon", &["`soon`", "24h"]),
        ("1.5h", &["`1.5h`", "24h"]),
        ("", &["24h"]),
    ];
    for (horizon, words) in cases {
        for command in [TRAIN, COMPARE, &["predict", "--model", "linear"]] {
            let asked = line(&[command, SERIES, &["--horizon", horizon]]);
            let problem = program.refuse(&asked, 2, "bad-horizon", words);
            assert_eq!(problem["field"], "horizon");
        }
    }
}

#[test]
fn unknown_names_come_with_the_nearest_right_one() {
    let program = Program::with_candles();
    let model: &[&str] = &["hybrit", "did you mean `hybrid`", "linear"];
    for command in
        [&["train", "--model", "hybrit"], &["compare", "--models", "hybrit"], &["predict", "--model", "hybrit"]]
    {
        program.refuse(&line(&[command, SERIES]), 2, "unknown-model", model);
    }
    let feature: &[&str] = &["rsl_14", "did you mean rsi_14"];
    program.refuse(&line(&[TRAIN, SERIES, SHORT, &["--features", "rsl_14"]]), 2, "bad-feature", feature);
    program.refuse(&["features", "describe", "rsl_14"], 2, "bad-feature", feature);
    program.refuse(&["features", "describe", "nosuch"], 2, "bad-feature", &["nosuch", "candlecast features list"]);
    program.refuse(
        &line(&[TRAIN, SERIES, SHORT, &["--features", "sma_0"]]),
        2,
        "bad-feature",
        &["sma_0", "2 to 10000"],
    );
    program.refuse(&["features", "list", "--group", "momentun"], 2, "unknown-group", &["momentun", "momentum"]);
    program.refuse(&line(&[COMPARE, SERIES, SHORT, &["--models", "linear"]]), 2, "model-twice", &["linear"]);
}

#[test]
fn parameters_are_held_to_their_names_and_bounds() {
    let program = Program::with_candles();
    let cases: [(&str, &str, &[&str]); 7] = [
        ("alhpa=1", "bad-parameter", &["alhpa", "did you mean `alpha`"]),
        ("alpha", "bad-set", &["--set alpha", "NAME=VALUE"]),
        ("alpha=banana", "bad-parameter", &["alpha", "banana", "not a number from"]),
        ("alpha=-1", "bad-parameter", &["alpha", "-1", "not a number from"]),
        ("shrinkDrift=7", "bad-parameter", &["shrinkDrift", "7", "neither true nor false"]),
        ("hybrid.lookbackWindow=9", "bad-set", &["hybrid", "not among the models"]),
        ("nonsense.alpha=1", "unknown-model", &["nonsense", "linear"]),
    ];
    for (assignment, code, words) in cases {
        program.refuse(&line(&[TRAIN, SERIES, SHORT, &["--set", assignment]]), 2, code, words);
    }
    let both = line(&[&["compare", "--models", "linear,hybrid", "--set", "alpha=1"], SERIES, SHORT]);
    program.refuse(&both, 2, "bad-set", &["say which model", "linear.alpha"]);
}

#[test]
fn options_are_held_to_their_bounds() {
    let program = Program::with_candles();
    let cases: [(&[&str], &str, &[&str]); 10] = [
        (&["--valid-share", "0.5"], "bad-valid-share", &["valid-share 0.5", "0.05 to 0.4"]),
        (&["--test-share", "0.01"], "bad-test-share", &["test-share 0.01", "0.05 to 0.4"]),
        (&["--level", "2"], "bad-level", &["level 2", "0.5 to 0.99"]),
        (&["--level", "NaN"], "bad-level", &["level NaN", "0.5 to 0.99"]),
        (&["--train-days", "0"], "bad-train-days", &["train-days 0", "1 to 36500"]),
        (&["--retrain-days", "0"], "bad-retrain-days", &["retrain-days 0", "1 to 3650"]),
        (&["--scaler", "huge"], "bad-usage", &["`huge`", "robust"]),
        (&["--threads", "0"], "bad-usage", &["--threads", "1 to 256"]),
        (&["--seed", "x"], "bad-usage", &["--seed", "'x'"]),
        (&["--plot", "plot.bmp"], "bad-plot", &[".svg"]),
    ];
    for (option, code, words) in cases {
        program.refuse(&line(&[TRAIN, SERIES, &["--horizon", "6h"], option]), 2, code, words);
    }
    let export = line(&[&["data", "export", "--output", "x.txt"], SERIES]);
    program.refuse(&export, 2, "bad-output", &["x.txt", ".parquet"]);
    let nowhere = line(&[&["data", "export", "--output", "none/x.csv"], SERIES]);
    program.refuse(&nowhere, 1, "file-failed", &["none/x.csv"]);
}

#[test]
fn levels_and_quantiles_of_a_forecast_are_held_to_their_bounds() {
    let program = Program::with_candles();
    let cases: [(&[&str], &str, &str, &[&str]); 6] = [
        (&["--level", "2"], "bad-level", "level", &["level 2", "0.5 to 0.99", "write 0.9"]),
        (&["--quantiles", "0.5,5"], "bad-quantiles", "quantiles", &["quantile 5", "0.01 to 0.99", "0.05,0.5,0.95"]),
        (&["--quantiles", "NaN"], "bad-quantiles", "quantiles", &["quantile NaN"]),
        (&["--quantiles", "0.001"], "bad-quantiles", "quantiles", &["quantile 0.001", "0.01 to 0.99"]),
        (&["--task", "direction", "--quantiles", "0.5"], "unsupported-task", "quantiles", &["SELL", "--quantiles"]),
        (&["--task", "direction", "--level", "0.8"], "unsupported-task", "level", &["level 0.8", "--level"]),
    ];
    for (option, code, field, words) in cases {
        for series in [SERIES, &["--all"]] {
            let model: &[&str] = if series == SERIES { &["--model", "linear"] } else { &[] };
            let problem = program.refuse(&line(&[&["predict"], model, series, option]), 2, code, words);
            assert_eq!(problem["field"], field);
        }
    }
    let word = line(&[&["predict", "--model", "linear", "--quantiles", "half"], SERIES]);
    program.refuse(&word, 2, "bad-usage", &["--quantiles", "half"]);
}

#[test]
fn naive_forecasts_are_not_trained() {
    let program = Program::with_candles();
    let naive = line(&[&["train", "--model", "naive"], SERIES, SHORT]);
    let problem = program.refuse(&naive, 2, "baseline", &["naive", "needs no training", "candlecast compare"]);
    assert_eq!(problem["field"], "model");
}

#[test]
fn a_warm_start_needs_something_that_serves() {
    let program = Program::with_candles();
    let warm = line(&[TRAIN, SERIES, SHORT, &["--warm-start"]]);
    program.refuse(&warm, 2, "bad-warm-start", &["linear", "no version serves yet", "--warm-start"]);
}

#[test]
fn the_greatest_need_of_memory_is_named() {
    let program = Program::with_candles();
    let config = program.write("small.toml", "max_memory = '1MB'\n");
    let compare =
        line(&[&["--config", &config], &["compare", "--models", "lstm", "--set", "profile=deep"], SERIES, SHORT]);
    program.refuse(&compare, 1, "memory-limit", &["lstm would need about"]);
}

/// Options that would change nothing are not offered.
#[test]
fn a_ranking_has_no_options_of_scoring() {
    let program = Program::with_candles();
    for option in [["--level", "0.9"], ["--retrain-days", "7"]] {
        program.refuse(&line(&[&["features", "rank"], SERIES, &option]), 2, "bad-usage", &[option[0]]);
    }
}

#[test]
fn help_says_what_the_defaults_are() {
    let program = Program::new();
    let help = |command: &[&str]| {
        let text = program.run(&line(&[command, &["--help"]])).stdout;
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for command in ["compare", "backtest"] {
        let text = help(&[command]);
        assert!(text.contains("the last 30 days") && !text.contains("all there is"), "{text}");
    }
    for command in [&["train"][..], &["features", "rank"]] {
        let text = help(command);
        assert!(text.contains("or all, by comma") && text.contains("the range as a whole"), "{text}");
    }
}

/// What the parser of the command line finds is told to programs as fully as to people.
#[test]
fn what_is_missing_from_a_command_line_is_named() {
    let program = Program::new();
    program.refuse(TRAIN, 2, "bad-usage", &["--symbol"]);
    program.refuse(&["backtest", "--symbol", "BTCUSDT"], 2, "bad-usage", &["--model"]);
    program.refuse(&["backtest", "show"], 2, "bad-usage", &["ID"]);
    program.refuse(&["import"], 2, "bad-usage", &["FILE"]);
    program.refuse(
        &line(&[TRAIN, SERIES, &["--window", "forever"]]),
        2,
        "bad-usage",
        &["forever", "rolling", "expanding"],
    );
    program.refuse(&["trian"], 2, "bad-usage", &["trian"]);
}

#[test]
fn refused_requests_leave_candles_and_models_as_they_are() {
    let program = Program::with_candles();
    program.json(&line(&[TRAIN, SERIES, SHORT]));
    let before = (program.stored(), program.json(&["models", "list"]));
    for refused in [&["--level", "2"], &["--set", "alpha=banana"], &["--from", "2031-01-01"], &["--features", "rsl_14"]]
    {
        assert_ne!(program.run(&line(&[TRAIN, SERIES, SHORT, refused])).code, Some(0), "{refused:?}");
    }
    assert_eq!((program.stored(), program.json(&["models", "list"])), before);
}
