use std::fs;
use std::path::PathBuf;

use candlecast_core::{ModelRequest, Problem};
use candlecast_pipeline::catalog;
use serde_json::{Value as Json, json};

use super::*;
use crate::resolved::Source;

/// The models of the platform.
pub(crate) const MODELS: ModelCatalog = ModelCatalog {
    find: |name| catalog::find(name).map(|entry| entry.id),
    is_baseline: catalog::is_baseline,
    check: |id, params| Ok(catalog::find(id)?.build(params).map(drop)?),
};

/// The files of a working directory, and what is around.
#[derive(Default, Clone, Copy)]
struct Around<'a> {
    toml: Option<&'a str>,
    dot_env: Option<&'a str>,
    variables: &'a [(&'a str, &'a str)],
    data_dir: Option<&'a str>,
    quiet: bool,
}

fn read(around: Around<'_>) -> Result<Settings, Problem> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("candlecast.toml", around.toml), (".env", around.dot_env)] {
        if let Some(text) = text {
            fs::write(folder.path().join(name), text).unwrap();
        }
    }
    let variables = around.variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
    let environment = Environment::new(folder.path(), variables.chain([("HOME".into(), "/h/x".into())]));
    let flags = Flags { data_dir: around.data_dir.map(Into::into), config: None, quiet: around.quiet };
    Settings::read(&flags, &environment, &MODELS)
}

fn of_variables(variables: &[(&str, &str)]) -> Settings {
    read(Around { variables, data_dir: Some("/d"), ..Around::default() }).unwrap()
}

fn source(settings: &Settings, key: &str) -> String {
    settings.resolved().find(|r| r.setting.key == key).unwrap().source.to_string()
}

#[test]
fn of_any_two_layers_the_higher_one_counts() {
    for set in 0..8_u8 {
        let on = |layer: u8| set & (1 << layer) != 0;
        let settings = read(Around {
            toml: on(0).then_some("keep_versions = 6\n"),
            dot_env: on(1).then_some("CANDLECAST_KEEP_VERSIONS=7 # more\n"),
            variables: if on(2) { &[("CANDLECAST_KEEP_VERSIONS", "8")] } else { &[] },
            data_dir: Some("/d"),
            quiet: false,
        })
        .unwrap();
        let highest = (0..3).rev().find(|&layer| on(layer));
        let (expected, from) = match highest {
            Some(2) => (8, "environment variable CANDLECAST_KEEP_VERSIONS"),
            Some(1) => (7, ".env line 1: CANDLECAST_KEEP_VERSIONS"),
            Some(_) => (6, "candlecast.toml: keep_versions"),
            None => (5, "default"),
        };
        assert_eq!(settings.keep_versions, expected, "layers {set:b}");
        assert!(source(&settings, "keep_versions").ends_with(from), "layers {set:b}");
    }
}

#[test]
fn flags_beat_every_layer_and_folders_follow_the_data_folder() {
    let below = Around {
        toml: Some("data_dir = '/file'"),
        dot_env: Some("CANDLECAST_DATA_DIR=/dotenv"),
        variables: &[("CANDLECAST_DATA_DIR", "/environment")],
        ..Around::default()
    };
    let settings = read(Around { data_dir: Some("/flag"), ..below }).unwrap();
    assert_eq!(settings.data_dir, PathBuf::from("/flag"));
    assert_eq!(settings.models_dir, PathBuf::from("/flag/models"));
    let settings = read(below).unwrap();
    assert_eq!(settings.data_dir, PathBuf::from("/environment"));
    assert_eq!(settings.models_dir, PathBuf::from("/environment/models"));
    assert_eq!(source(&settings, "models_dir"), "default");
}

#[test]
fn names_of_one_setting_have_an_order_within_a_layer() {
    let both = of_variables(&[("ML_MODELS_PATH", "/m1"), ("MODEL_SAVE_PATH", "/m2")]);
    assert_eq!(both.models_dir, PathBuf::from("/m1"));
    let layered = read(Around {
        dot_env: Some("ML_MODELS_PATH=/m1"),
        variables: &[("MODEL_SAVE_PATH", "/m2")],
        data_dir: Some("/d"),
        ..Around::default()
    });
    assert_eq!(layered.unwrap().models_dir, PathBuf::from("/m2"));
    assert_eq!(of_variables(&[("BATCH_SIZE", "16")]).model_defaults("gru")["batchSize"], 16);
}

#[test]
fn what_is_set_to_nothing_is_unset() {
    let settings = read(Around {
        toml: Some("model_ttl_s = 60\ndatabase_url = ''"),
        dot_env: Some("ML_MODEL_CACHE_TTL=   # later\nDATABASE_URL="),
        variables: &[("ML_MODEL_CACHE_TTL", "")],
        data_dir: Some("/d"),
        quiet: false,
    })
    .unwrap();
    assert_eq!((settings.model_ttl_s, settings.database_url), (60, None));
}

#[test]
fn every_variable_of_the_examples_is_honoured() {
    let settings = read(Around {
        dot_env: Some(
            "ML_MODEL_CACHE_TTL=3600  # 1h\nML_LSTM_HIDDEN_SIZE=48\nML_LSTM_SEQUENCE_LENGTH=30\n\
             ML_LSTM_LEARNING_RATE=0.002\nML_LSTM_EPOCHS=50\nML_PUMP_VOLUME_THRESHOLD=120  # %\n\
             ML_PUMP_PRICE_THRESHOLD=12    # %\nML_CRASH_LIQUIDATION_THRESHOLD=35  # %\n\
             ML_MODELS_PATH=/app/ml/models\nML_TRAINING_ENABLED=false\nML_INFERENCE_TIMEOUT=4000\n\
             ML_BATCH_SIZE=64\nML_MAX_MEMORY_USAGE=2GB\nTF_CPP_MIN_LOG_LEVEL=2\nTF_ENABLE_ONEDNN_OPTS=1\n\
             CLICKHOUSE_HOST=db\nCLICKHOUSE_PORT=8124\nCLICKHOUSE_USER=ann\nCLICKHOUSE_PASSWORD=hunter2\n\
             REDIS_URL=redis://:hunter2@db\nDATABASE_URL=postgres://ann:hunter2@db/x\nLOG_LEVEL=INFO\n",
        ),
        data_dir: Some("/d"),
        ..Around::default()
    })
    .unwrap();
    assert_eq!((settings.model_ttl_s, settings.max_memory, settings.inference_timeout_ms), (3_600, 2 << 30, 4_000));
    assert_eq!((settings.training_enabled, settings.log_level.as_str()), (false, "info"));
    assert_eq!(settings.models_dir, PathBuf::from("/app/ml/models"));
    let expected = json!({
        "batchSize": 64, "hiddenSize": 48, "sequenceLength": 30, "learningRate": 0.002, "epochs": 50
    });
    assert_eq!(Json::Object(settings.model_defaults("lstm")), expected);
    let set = settings.resolved().filter(|r| r.source != Source::Default).count();
    assert_eq!(set, 21, "20 variables and the flag");
    assert_eq!(settings.ineffective().len(), 2);
}

#[test]
fn secrets_are_masked_wherever_settings_are_shown() {
    let settings = of_variables(&[
        ("DATABASE_URL", "postgres://ann:hunter2@db/x"),
        ("CLICKHOUSE_PASSWORD", "hunter2"),
        ("CANDLECAST_API_KEYS", "hunter2"),
    ]);
    let shown = format!("{settings:?}");
    assert!(!shown.contains("hunter2") && shown.contains("postgres://ann:***@db/x"), "{shown}");
    assert_eq!(settings.database_url.as_deref(), Some("postgres://ann:hunter2@db/x"));
    let around = Around { variables: &[("DATABASE_URL", "hunter2")], ..Around::default() };
    let e = read(around).unwrap_err();
    assert!(!e.detail.contains("hunter2") && e.detail.contains("DATABASE_URL") && e.detail.contains("postgres://"));
    let around = Around { toml: Some("database_url = \"hunter2\nkeep_versions = 3"), ..Around::default() };
    let e = read(around).unwrap_err();
    assert!(!e.detail.contains("hunter2") && e.detail.contains("candlecast.toml: line "), "{}", e.detail);
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let e = read(Around {
        toml: Some(
            "data_dri = '/x'\nmax_memory = 'five apples'\nkeep_versions = 0\n[lstm]\nhiden_size = 3\nepochs = [1]\n",
        ),
        dot_env: Some("ML_LSTM_EPOCHS=many\nML_BATCH_SIZ=3\nthis is no assignment\n"),
        variables: &[
            ("ML_MAX_MEMORY_USGE", "1GB"),
            ("CANDLECAST_DATA_DRI", "/x"),
            ("LOG_LEVEL", "loud"),
            ("ML_TRAINING_ENABLED", "maybe"),
        ],
        ..Around::default()
    })
    .unwrap_err();
    assert_eq!((e.code, e.exit_code()), ("bad-config", 2));
    for part in [
        "unknown key `data_dri`: did you mean `data_dir`?",
        "max_memory is `five apples`: write a size such as 512MB or 4GB",
        "keep_versions is `0`: write a whole number from 1 to 10000",
        "unknown key `lstm.hiden_size`: did you mean `lstm.hidden_size`?",
        "lstm.epochs is of the type array: write a whole number from 1 to 10000",
        ".env line 1: ML_LSTM_EPOCHS is `many`",
        ".env line 2: ML_BATCH_SIZ: did you mean ML_BATCH_SIZE?",
        ".env line 3: write NAME=value",
        "environment variable ML_MAX_MEMORY_USGE: did you mean ML_MAX_MEMORY_USAGE?",
        "CANDLECAST_DATA_DRI: did you mean CANDLECAST_DATA_DIR?",
        "LOG_LEVEL is `loud`: write one of off, error, warn, info, debug, trace",
        "ML_TRAINING_ENABLED is `maybe`: write true or false",
    ] {
        assert!(e.detail.contains(part), "no `{part}` in {}", e.detail);
    }
    assert!(e.detail.starts_with("12 things"), "{}", e.detail);
}

#[test]
fn variables_of_other_programs_are_nothing_to_us() {
    let strangers = [("PATH", "/bin"), ("RUST_LOG", "debug"), ("CLICKHOUSE_DB", "x"), ("CANDLECAST_TEST_DATA", "/x")];
    assert_eq!(of_variables(&strangers), of_variables(&[]));
}

#[test]
fn a_server_that_belongs_to_others_is_taken_for_none() {
    let settings = of_variables(&[("CLICKHOUSE_HOST", table::FOREIGN_HOST)]);
    let host = settings.resolved().find(|r| r.setting.key == "clickhouse.host").unwrap();
    assert_eq!(host.value, None);
    assert!(host.note().unwrap().contains("never contacted"));
    assert_eq!(source(&settings, "clickhouse.host"), "environment variable CLICKHOUSE_HOST");
}

#[test]
fn quiet_lowers_the_default_level_only() {
    let level = |variables: &[(&str, &str)], quiet| {
        read(Around { variables, data_dir: Some("/d"), quiet, ..Around::default() }).unwrap().log_level
    };
    assert_eq!(level(&[], false), "warn");
    assert_eq!(level(&[], true), "error");
    assert_eq!(level(&[("LOG_LEVEL", "DEBUG")], true), "debug");
    assert_eq!(level(&[("LOG_LEVEL", "warning")], false), "warn");
}

#[test]
fn a_file_that_was_asked_for_must_be_there() {
    let flags = Flags { config: Some("/none/c.toml".into()), ..Flags::default() };
    let e = Settings::load(&flags, |_| None, &MODELS).unwrap_err();
    assert_eq!((e.code, e.exit_code()), ("file-failed", 1));
    assert!(e.detail.contains("c.toml"));
}

#[test]
fn looking_variables_up_by_name_reads_the_known_ones() {
    let flags = Flags { data_dir: Some("/d".into()), ..Flags::default() };
    let lookup = |name: &str| (name == "ML_MAX_MEMORY_USAGE").then(|| "512MB".to_owned());
    assert_eq!(Settings::load(&flags, lookup, &MODELS).unwrap().max_memory, 512 << 20);
    let bad = |name: &str| (name == "ML_MAX_MEMORY_USAGE").then(|| "5 apples".to_owned());
    assert!(Settings::load(&flags, bad, &MODELS).unwrap_err().detail.contains("512MB"));
}

#[test]
fn a_schedule_is_read_and_its_faults_are_named_with_the_file() {
    let entry = "[[schedule]]\nmodels = ['linear']\nsymbol = 'BTCUSDT'\nevery = '7d'\n";
    let with = |text: &str| read(Around { toml: Some(text), data_dir: Some("/d"), ..Around::default() });
    assert_eq!(with(entry).unwrap().schedule.len(), 1);
    let e = with("[[schedule]]\nmodels = ['linear']\nsymbol = 'BTCUSDT'\nevery = 'week'\n").unwrap_err();
    assert!(e.detail.contains("candlecast.toml: schedule entry 1: every is `week`"), "{}", e.detail);
    let e = with(&entry.replace("schedule", "schedul")).unwrap_err();
    assert!(e.detail.contains("did you mean `schedule`?"), "{}", e.detail);
}

#[test]
fn jobs_are_kept_for_longer_than_a_schedule_waits() {
    let with = |days: &str, when: &str| {
        let toml = format!("{days}\n[[schedule]]\nmodels = ['linear']\nsymbol = 'BTCUSDT'\n{when}\n");
        read(Around { toml: Some(&toml), data_dir: Some("/d"), ..Around::default() })
    };
    assert_eq!(with("", "every = '4w'").unwrap().keep_jobs_days, 90);
    assert_eq!(with("keep_jobs_days = 8", "cron = '0 3 * * 1'").unwrap().keep_jobs_days, 8);
    assert_eq!(with("keep_jobs_days = 367", "cron = '0 0 1 1 *'").unwrap().keep_jobs_days, 367);
    for (days, when, parts) in [
        ("", "every = '366d'", ["keep_jobs_days is 90:", "the 366 days between", "write 367 or more"]),
        ("", "cron = '0 0 1 1 *'", ["keep_jobs_days is 90:", "linear for BTCUSDT (cron 0 0 1 1 *)", "write 367 or"]),
        ("keep_jobs_days = 7", "every = '7d'", ["keep_jobs_days is 7:", "the 7 days between", "write 8 or more"]),
    ] {
        let e = with(days, when).unwrap_err();
        assert_eq!((e.code, e.field.as_deref()), ("bad-config", Some("keep_jobs_days")));
        for part in parts {
            assert!(e.detail.contains(part), "no `{part}` in {}", e.detail);
        }
    }
    let forgets_at_once = read(Around { toml: Some("keep_jobs_days = 0"), data_dir: Some("/d"), ..Around::default() });
    assert!(forgets_at_once.unwrap_err().detail.contains("a whole number of days from 1 to 36500"));
}

#[test]
fn records_are_kept_for_days_or_for_ever() {
    let of = |toml: &str| read(Around { toml: Some(toml), data_dir: Some("/d"), ..Around::default() });
    let kept = |toml: &str| {
        let settings = of(toml).unwrap();
        (settings.keep_predictions_days, settings.keep_runs_days)
    };
    assert_eq!(kept(""), (Some(365), Some(365)));
    assert_eq!(kept("keep_predictions_days = 30\nkeep_runs_days = 'never'"), (Some(30), None));
    assert_eq!(kept("keep_predictions_days = 0"), (None, Some(365)));
    let settings = of_variables(&[("CANDLECAST_KEEP_PREDICTIONS_DAYS", "Never"), ("CANDLECAST_KEEP_RUNS_DAYS", "7")]);
    assert_eq!((settings.keep_predictions_days, settings.keep_runs_days), (None, Some(7)));
    let e = of("keep_runs_days = 'a year'").unwrap_err();
    assert!(e.detail.contains("keep_runs_days") && e.detail.contains("from 1 to 36500, or `never`"), "{}", e.detail);
}

fn with_defaults(settings: &Settings, request: ModelRequest) -> ModelRequest {
    let Ok(entry) = catalog::find(&request.id) else { return request };
    settings.with_model_defaults(entry.id, request)
}

#[test]
fn defaults_of_models_fill_what_a_request_leaves_open() {
    let settings = of_variables(&[("ML_LSTM_HIDDEN_SIZE", "48"), ("ML_LSTM_EPOCHS", "7"), ("ML_BATCH_SIZE", "64")]);
    let resolved = |id: &str, params: Json| {
        let once = with_defaults(&settings, ModelRequest { id: id.into(), params });
        let twice = with_defaults(&settings, ModelRequest { id: once.id.clone(), params: once.params.clone() });
        assert_eq!(once.params, twice.params);
        once.params
    };
    assert_eq!(resolved("lstm", Json::Null), json!({"batchSize": 64, "hiddenSize": 48, "epochs": 7}));
    assert_eq!(resolved("LSTM", json!({"hiddenSize": 8})), json!({"hiddenSize": 8, "batchSize": 64, "epochs": 7}));
    assert_eq!(resolved("lstm", json!({"profile": "deep"})), json!({"profile": "deep", "epochs": 7}));
    let layers = json!({"hiddenSizes": [8, 4], "batchSize": 64, "epochs": 7});
    assert_eq!(resolved("lstm", json!({"hiddenSizes": [8, 4]})), layers);
    assert_eq!(resolved("gru", json!({})), json!({"batchSize": 64}));
    assert_eq!(resolved("linear", Json::Null), Json::Null);
    assert_eq!(resolved("no-such-model", json!({"a": 1})), json!({"a": 1}));
    for id in ["lstm", "gru"] {
        let entry = catalog::find(id).unwrap();
        assert!(entry.build(&resolved(id, Json::Null)).is_ok());
    }
    assert_eq!(
        with_defaults(&of_variables(&[]), ModelRequest { id: "lstm".into(), params: Json::Null }).params,
        Json::Null
    );
}
