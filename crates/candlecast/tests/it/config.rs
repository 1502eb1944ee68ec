//! Where settings come from, as `doctor --config` tells it, and what is wrong with them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::program::{Program, SERIES, SHORT, line};

/// Runs with nothing in the environment but `variables` and the data folder.
fn run(program: &Program, variables: &[(&str, &str)], args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_candlecast"))
        .env_clear()
        .env("CANDLECAST_DATA_DIR", program.data_dir())
        .envs(variables.iter().copied())
        .args(args)
        .current_dir(program.folder())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json_of(program: &Program, variables: &[(&str, &str)], args: &[&str]) -> Value {
    serde_json::from_str(&stdout(&run(program, variables, &line(&[&["--json"], args])))).unwrap()
}

fn setting<'a>(doc: &'a Value, key: &str) -> &'a Value {
    doc["settings"].as_array().unwrap().iter().find(|s| s["key"] == key).unwrap()
}

#[test]
fn every_value_says_where_it_came_from() {
    let program = Program::new();
    program.write("candlecast.toml", "keep_versions = 3\nmodel_ttl_s = 1\n[lstm]\nhidden_size = 48\n");
    program.write(".env", "# ours\nexport ML_BATCH_SIZE='64' # windows\nML_MODEL_CACHE_TTL=3600  # 1h\n");
    let variables = [("LOG_LEVEL", "INFO"), ("ML_MODELS_PATH", "m1"), ("MODEL_SAVE_PATH", "m2")];
    let doc = json_of(&program, &variables, &["--data-dir", "flag", "doctor", "--config"]);

    let source = |key: &str| {
        let source = &setting(&doc, key)["source"];
        let file =
            source["path"].as_str().map(|path| Path::new(path).file_name().unwrap().to_str().unwrap().to_owned());
        json!([source["kind"], source["name"], file, source["line"]])
    };
    let value = |key: &str| &setting(&doc, key)["value"];
    assert_eq!((value("data_dir"), source("data_dir")), (&json!("flag"), json!(["flag", "--data-dir", null, null])));
    let environment = json!(["environment", "ML_MODELS_PATH", null, null]);
    assert_eq!((value("models_dir"), source("models_dir")), (&json!("m1"), environment));
    assert_eq!((value("log_level"), &source("log_level")[0]), (&json!("info"), &json!("environment")));
    let dot_env = json!(["dotEnv", "ML_BATCH_SIZE", ".env", 2]);
    assert_eq!((value("batch_size"), source("batch_size")), (&json!(64), dot_env));
    assert_eq!((value("model_ttl_s"), &source("model_ttl_s")[3]), (&json!(3_600), &json!(3)));
    let file = json!(["file", "lstm.hidden_size", "candlecast.toml", null]);
    assert_eq!((value("lstm.hidden_size"), source("lstm.hidden_size")), (&json!(48), file));
    assert_eq!((value("keep_versions"), &source("keep_versions")[0]), (&json!(3), &json!("file")));
    let default = json!(["default", null, null, null]);
    assert_eq!((value("max_memory"), source("max_memory")), (&json!(8_u64 << 30), default));
    assert_eq!(setting(&doc, "max_memory")["unit"], "bytes");

    let table = stdout(&run(&program, &variables, &["doctor", "--config"]));
    for part in
        ["8 GB", "environment variable LOG_LEVEL", ".env line 2: ML_BATCH_SIZE", "candlecast.toml: keep_versions"]
    {
        assert!(table.contains(part), "no `{part}` in {table}");
    }
}

#[test]
fn a_file_that_is_named_takes_the_place_of_the_usual_one() {
    let program = Program::new();
    program.write("candlecast.toml", "keep_versions = 3\n");
    program.write("other.toml", "keep_versions = 4\n");
    let doc = json_of(&program, &[], &["--config", "other.toml", "doctor", "--config"]);
    assert_eq!((&setting(&doc, "keep_versions")["value"], &doc["file"]), (&json!(4), &json!("other.toml")));
    let doc = json_of(&program, &[], &["doctor", "--config", "other.toml", "--show-config"]);
    assert_eq!(setting(&doc, "keep_versions")["value"], 4);
}

#[test]
fn secrets_are_never_printed() {
    let program = Program::new();
    program.write(".env", "CLICKHOUSE_PASSWORD=hunter2\n");
    let variables = [("DATABASE_URL", "postgres://ann:hunter2@db/x"), ("CANDLECAST_API_KEYS", "hunter2")];
    for args in [&["doctor", "--config"][..], &["--json", "doctor", "--config"]] {
        let text = stdout(&run(&program, &variables, args));
        assert!(!text.contains("hunter2") && text.contains("postgres://ann:***@db/x"), "{text}");
    }
    let wrong = run(&program, &[("REDIS_URL", "hunter2")], &["data", "list"]);
    let stderr = String::from_utf8(wrong.stderr).unwrap();
    assert!(wrong.status.code() == Some(2) && stderr.contains("REDIS_URL") && !stderr.contains("hunter2"), "{stderr}");
}

#[test]
fn parts_that_are_not_there_yet_and_foreign_variables_are_named() {
    let program = Program::new();
    let variables = [
        ("TF_CPP_MIN_LOG_LEVEL", "2"),
        ("CLICKHOUSE_HOST", "49.13.216.63"),
        ("ML_PUMP_PRICE_THRESHOLD", "12 %"),
        ("SOMETHING_ELSE", "1"),
    ];
    let doc = json_of(&program, &variables, &["doctor", "--config"]);
    let pump = setting(&doc, "detect.pump_price_threshold");
    assert_eq!((&pump["value"], &pump["unit"], &pump["takesEffect"]), (&json!(12.0), &json!("percent"), &json!(false)));
    assert!(pump["note"].as_str().unwrap().contains("not part of this version"));
    assert!(setting(&doc, "keep_versions")["note"].is_null());
    let host = setting(&doc, "clickhouse.host");
    assert!(host["value"].is_null() && host["note"].as_str().unwrap().contains("never contacted"), "{host}");
    let ignored = doc["withoutEffect"].as_array().unwrap();
    assert_eq!((ignored.len(), &ignored[0]["name"]), (1, &json!("TF_CPP_MIN_LOG_LEVEL")));
    let table = stdout(&run(&program, &variables, &["doctor", "--config"]));
    assert!(table.contains("accepted without effect") && !table.contains("SOMETHING_ELSE"), "{table}");
}

#[test]
fn misspelt_names_and_bad_values_stop_every_command_but_those_without_data() {
    let program = Program::new();
    program.write("candlecast.toml", "keep_version = 3\n");
    let variables = [("ML_MAX_MEMORY_USGE", "1GB"), ("LOG_LEVEL", "loud")];
    let commands =
        [&["data", "list"][..], &["predict", "--all"], &["doctor"], &["doctor", "--config"], &["demo", "--days", "7"]];
    for command in commands {
        let output = run(&program, &variables, &line(&[&["--json"], command]));
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let problem: Value = serde_json::from_slice(&output.stderr).unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert_eq!(problem["code"], "bad-config");
        for part in [
            "unknown key `keep_version`: did you mean `keep_versions`?",
            "ML_MAX_MEMORY_USGE: did you mean ML_MAX_MEMORY_USAGE?",
            "LOG_LEVEL is `loud`: write one of off, error, warn, info, debug, trace",
        ] {
            assert!(detail.contains(part), "no `{part}` in {detail}");
        }
    }
    assert!(!program.data_dir().exists(), "nothing was opened");
    stdout(&run(&program, &variables, &["completions", "bash"]));
}

#[test]
fn the_configuration_is_shown_where_nothing_can_be_opened() {
    let program = Program::new();
    program.write("occupied", "a file");
    stdout(&run(&program, &[], &["--data-dir", "occupied", "doctor", "--config"]));
    assert_eq!(fs::read_to_string(program.folder().join("occupied")).unwrap(), "a file");
    stdout(&run(&program, &[("DATABASE_URL", "postgres://nowhere.invalid/x")], &["doctor", "--config"]));
    assert!(!program.data_dir().exists());
}

#[test]
fn trainings_at_set_times_are_shown_and_their_faults_told() {
    let program = Program::new();
    program.write(
        "candlecast.toml",
        "[[schedule]]\nmodels = ['lstm', 'linear']\nsymbol = 'btc-usdt'\ncron = '0 3 * * 1'\nset = { lstm.epochs = 50 }\n",
    );
    let doc = json_of(&program, &[], &["doctor", "--config"]);
    let schedule = doc["schedule"].as_array().unwrap();
    assert_eq!(schedule.len(), 2);
    assert_eq!((&schedule[0]["symbol"], &schedule[0]["when"]), (&json!("BTCUSDT"), &json!("cron 0 3 * * 1")));
    assert_eq!((&schedule[0]["set"], &schedule[1]["set"]), (&json!({"epochs": 50}), &json!({})));
    assert!(stdout(&run(&program, &[], &["doctor", "--config"])).contains("cron 0 3 * * 1"));
    program.write("candlecast.toml", "[[schedule]]\nmodels = ['lstm']\nsymbol = 'BTCUSDT'\nevery = 'sometimes'\n");
    let output = run(&program, &[], &["data", "list"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && stderr.contains("schedule entry 1: every is `sometimes`"), "{stderr}");
}

#[test]
fn defaults_of_models_are_what_is_trained_hashed_and_recorded() {
    let program = Program::with_candles();
    let small = [("ML_LSTM_HIDDEN_SIZE", "4"), ("ML_LSTM_SEQUENCE_LENGTH", "4"), ("ML_LSTM_EPOCHS", "1")];
    let lstm = line(&[&["backtest", "--model", "lstm"], SERIES, SHORT]);
    let by_hand = ["--set", "hiddenSize=4", "--set", "sequenceLength=4", "--set", "epochs=1"];
    let fingerprint =
        |variables: &[(&str, &str)], args: &[&str]| json_of(&program, variables, args)["fingerprint"].clone();
    let configured = fingerprint(&small, &lstm);
    assert_eq!(configured, fingerprint(&[], &line(&[&lstm, &by_hand])));
    let overridden = line(&[&lstm, &["--set", "hiddenSize=3"]]);
    assert_ne!(configured, fingerprint(&small, &overridden), "a request beats the configuration");

    let train = line(&[&["train", "--model", "lstm"], SERIES, SHORT]);
    stdout(&run(&program, &small, &train));
    let model = json_of(&program, &[], &["models", "show", "BTCUSDT_LSTM_1.0.0"]);
    let asked = json!({"hiddenSize": 4, "sequenceLength": 4, "epochs": 1});
    assert_eq!(model["pipeline"]["params"], asked);
    for (name, value) in asked.as_object().unwrap() {
        assert_eq!(&model["config"][name], value, "{name}");
    }
    assert_eq!(model["config"]["optimizer"], "adamw", "what was not asked for is told too");
}

#[test]
fn the_page_names_every_setting() {
    let program = Program::new();
    let doc = json_of(&program, &[], &["doctor", "--config"]);
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = fs::read_to_string(page).unwrap();
    for setting in doc["settings"].as_array().unwrap() {
        let names = setting["environment"].as_array().unwrap().iter().chain([&setting["key"]]);
        for name in names.map(|name| name.as_str().unwrap()) {
            assert!(page.contains(&format!("`{name}`")), "docs/configuration.md does not name `{name}`");
        }
    }
}
