//! The settings that there are: one entry each. Nothing else in the program names a variable or a key.

use crate::kind::Kind;
use crate::setting::Fallback::{Value, Words};
use crate::setting::{Fallback, Feed, Setting};

/// The setting with the key `key`.
pub(crate) fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|s| s.key == key)
}

/// Every environment variable of the table.
pub(crate) fn environment_names() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().flat_map(|s| s.environment.iter().copied())
}

/// Variables of TensorFlow begin with this. They are accepted, since configurations hold them, and change nothing.
pub(crate) const TENSORFLOW: &str = "TF_";
/// A ClickHouse server that configurations found elsewhere name. It is somebody's, so it is never contacted.
pub(crate) const FOREIGN_HOST: &str = "49.13.216.63";

const SERVER: &str = "the HTTP server";
const CLICKHOUSE: &str = "the ClickHouse store of candles";
const REDIS: &str = "the Redis cache";
const DETECTION: &str = "the detection of anomalies";

const YEAR_S: i64 = 365 * 86_400;
/// Longest time that records are kept for, unless it is for ever.
const MAX_DAYS: i64 = 36_500;

const fn count(min: i64, max: i64) -> Kind {
    Kind::Whole { min, max, unit: "" }
}

/// Profiles of the networks bring sizes of their own, and a request that names one wants these.
const PROFILE: &[&str] = &["profile"];
const SIZES: &[&str] = &["profile", "hiddenSizes"];
const PROFILES_BATCH: Fallback = Words("the profile's: fast 32, deep 64");
const PROFILES_SIZE: Fallback = Words("the profile's: fast 32, deep 128");
const PROFILES_LENGTH: Fallback = Words("the profile's: fast 20, deep 60");
const PROFILES_RATE: Fallback = Words("the profile's: fast 0.001, deep 0.0005");

/// Bounds of parameters are those of the catalog; a test compares them.
pub(crate) static SETTINGS: [Setting; 34] = [
    Setting::new(
        "data_dir",
        &["CANDLECAST_DATA_DIR"],
        Kind::Folder,
        Words("the platform's data folder"),
        "folder of candles, the metadata database and, unless set apart, models",
    )
    .flag("--data-dir"),
    Setting::new(
        "models_dir",
        &["ML_MODELS_PATH", "MODEL_SAVE_PATH"],
        Kind::Folder,
        Words("`models` below the data folder"),
        "folder of trained models",
    ),
    Setting::new(
        "database_url",
        &["DATABASE_URL"],
        Kind::Url { schemes: &["postgres", "postgresql"], example: "postgres://user:password@host:5432/database" },
        Words("SQLite, `candlecast.db` in the data folder"),
        "PostgreSQL of runs, jobs, models and predictions",
    )
    .secret(),
    Setting::new(
        "log_level",
        &["LOG_LEVEL"],
        Kind::Choice {
            words: &["off", "error", "warn", "info", "debug", "trace"],
            also: &[("warning", "warn"), ("critical", "error")],
        },
        Value("warn"),
        "log on standard error; `error` with --quiet unless it is set",
    ),
    Setting::new(
        "keep_versions",
        &["CANDLECAST_KEEP_VERSIONS"],
        count(1, 10_000),
        Value("5"),
        "versions of a model that are kept",
    ),
    Setting::new(
        "model_ttl_s",
        &["ML_MODEL_CACHE_TTL"],
        Kind::Whole { min: 0, max: 100 * YEAR_S, unit: "seconds" },
        Value("86400"),
        "age after which a model's forecasts are marked stale and it is to be trained again",
    ),
    Setting::new(
        "max_memory",
        &["ML_MAX_MEMORY_USAGE"],
        Kind::Size,
        Value("8GB"),
        "memory that the trainings and evaluations of a program may use together; what does not fit waits, what never could is refused",
    ),
    Setting::new(
        "training_enabled",
        &["ML_TRAINING_ENABLED"],
        Kind::Switch,
        Value("true"),
        "whether trainings are queued by schedule and taken by workers",
    ),
    Setting::new(
        "auto_retrain",
        &["CANDLECAST_AUTO_RETRAIN"],
        Kind::Switch,
        Value("true"),
        "whether models older than model_ttl_s are trained again without being asked",
    ),
    Setting::new(
        "keep_jobs_days",
        &["CANDLECAST_KEEP_JOBS_DAYS"],
        Kind::Whole { min: 1, max: MAX_DAYS, unit: "days" },
        Value("90"),
        "time for which ended jobs are kept with their logs; longer than between any two times of the schedule",
    ),
    Setting::new(
        "keep_predictions_days",
        &["CANDLECAST_KEEP_PREDICTIONS_DAYS"],
        Kind::Retention { max: MAX_DAYS },
        Value("365"),
        "time for which settled predictions are kept one by one; then only their sums by day, which accuracy is made of",
    ),
    Setting::new(
        "keep_runs_days",
        &["CANDLECAST_KEEP_RUNS_DAYS"],
        Kind::Retention { max: MAX_DAYS },
        Value("365"),
        "time for which ended runs are kept that no model, no line of the ledger and no study refers to",
    ),
    Setting::new(
        "inference_timeout_ms",
        &["ML_INFERENCE_TIMEOUT"],
        Kind::Whole { min: 1, max: 3_600_000, unit: "milliseconds" },
        Value("5000"),
        "longest wait for a forecast before the last good one is served",
    )
    .waits_for(SERVER),
    Setting::new(
        "batch_size",
        &["ML_BATCH_SIZE", "BATCH_SIZE"],
        count(1, 4_096),
        PROFILES_BATCH,
        "default of batchSize of lstm and gru",
    )
    .feeds(&[
        Feed { model: "lstm", param: "batchSize", yields_to: PROFILE },
        Feed { model: "gru", param: "batchSize", yields_to: PROFILE },
    ]),
    Setting::new(
        "lstm.hidden_size",
        &["ML_LSTM_HIDDEN_SIZE"],
        count(1, 1_024),
        PROFILES_SIZE,
        "default of hiddenSize of lstm",
    )
    .feeds(&[Feed { model: "lstm", param: "hiddenSize", yields_to: SIZES }]),
    Setting::new(
        "lstm.sequence_length",
        &["ML_LSTM_SEQUENCE_LENGTH"],
        count(2, 512),
        PROFILES_LENGTH,
        "default of sequenceLength of lstm, in candles",
    )
    .feeds(&[Feed { model: "lstm", param: "sequenceLength", yields_to: PROFILE }]),
    Setting::new(
        "lstm.learning_rate",
        &["ML_LSTM_LEARNING_RATE"],
        Kind::Real { min: 1e-6, max: 1.0 },
        PROFILES_RATE,
        "default of learningRate of lstm",
    )
    .feeds(&[Feed { model: "lstm", param: "learningRate", yields_to: PROFILE }]),
    Setting::new("lstm.epochs", &["ML_LSTM_EPOCHS"], count(1, 10_000), Words("100"), "default of epochs of lstm")
        .feeds(&[Feed { model: "lstm", param: "epochs", yields_to: &[] }]),
    Setting::new(
        "gru.hidden_size",
        &["ML_GRU_HIDDEN_SIZE"],
        count(1, 1_024),
        PROFILES_SIZE,
        "default of hiddenSize of gru",
    )
    .feeds(&[Feed { model: "gru", param: "hiddenSize", yields_to: SIZES }]),
    Setting::new(
        "gru.sequence_length",
        &["ML_GRU_SEQUENCE_LENGTH"],
        count(2, 512),
        PROFILES_LENGTH,
        "default of sequenceLength of gru, in candles",
    )
    .feeds(&[Feed { model: "gru", param: "sequenceLength", yields_to: PROFILE }]),
    Setting::new(
        "gru.learning_rate",
        &["ML_GRU_LEARNING_RATE"],
        Kind::Real { min: 1e-6, max: 1.0 },
        PROFILES_RATE,
        "default of learningRate of gru",
    )
    .feeds(&[Feed { model: "gru", param: "learningRate", yields_to: PROFILE }]),
    Setting::new("gru.epochs", &["ML_GRU_EPOCHS"], count(1, 10_000), Words("100"), "default of epochs of gru")
        .feeds(&[Feed { model: "gru", param: "epochs", yields_to: &[] }]),
    Setting::new(
        "ensemble.members",
        &["CANDLECAST_ENSEMBLE_MEMBERS"],
        Kind::Text,
        Words("lstm and hybrid; of saved models lstm, random-forest, gbdt and svm where three of them serve"),
        "members of ensembles that name none, by comma",
    ),
    Setting::new(
        "clickhouse.host",
        &["CLICKHOUSE_HOST"],
        Kind::Host,
        Words("none: candles stay in files"),
        "host of ClickHouse",
    )
    .waits_for(CLICKHOUSE),
    Setting::new(
        "clickhouse.port",
        &["CLICKHOUSE_PORT"],
        count(1, 65_535),
        Value("8123"),
        "port of ClickHouse's HTTP interface",
    )
    .waits_for(CLICKHOUSE),
    Setting::new("clickhouse.user", &["CLICKHOUSE_USER"], Kind::Text, Value("default"), "user of ClickHouse")
        .waits_for(CLICKHOUSE),
    Setting::new("clickhouse.password", &["CLICKHOUSE_PASSWORD"], Kind::Text, Words("none"), "password of ClickHouse")
        .secret()
        .waits_for(CLICKHOUSE),
    Setting::new(
        "redis_url",
        &["REDIS_URL"],
        Kind::Url { schemes: &["redis", "rediss"], example: "redis://user:password@host:6379/0" },
        Words("none: forecasts are cached in memory"),
        "Redis that caches forecasts",
    )
    .secret()
    .waits_for(REDIS),
    Setting::new(
        "detect.pump_volume_threshold",
        &["ML_PUMP_VOLUME_THRESHOLD"],
        Kind::Percent { min: 0.0, max: 100_000.0 },
        Value("100"),
        "rise of the volume from which a pump is scored",
    )
    .waits_for(DETECTION),
    Setting::new(
        "detect.pump_price_threshold",
        &["ML_PUMP_PRICE_THRESHOLD"],
        Kind::Percent { min: 0.0, max: 100_000.0 },
        Value("10"),
        "rise of the price from which a pump is scored",
    )
    .waits_for(DETECTION),
    Setting::new(
        "detect.crash_liquidation_threshold",
        &["ML_CRASH_LIQUIDATION_THRESHOLD"],
        Kind::Percent { min: 0.0, max: 100.0 },
        Value("30"),
        "share of the open interest that a fall of 10 % would liquidate, from which the risk of a crash is scored",
    )
    .waits_for(DETECTION),
    Setting::new(
        "detect.severity_scale",
        &["ML_SEVERITY_SCALE"],
        Kind::Choice { words: &["levels", "quartile"], also: &[] },
        Value("levels"),
        "how scores become severities",
    )
    .waits_for(DETECTION),
    Setting::new(
        "server.listen",
        &["CANDLECAST_LISTEN"],
        Kind::Address,
        Value("127.0.0.1:8000"),
        "address that requests are answered on",
    )
    .waits_for(SERVER),
    Setting::new(
        "server.api_keys",
        &["CANDLECAST_API_KEYS"],
        Kind::Text,
        Words("none: requests from this machine only"),
        "keys that requests must carry, by comma",
    )
    .secret()
    .waits_for(SERVER),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use candlecast_core::catalog::ParamKind;

    use super::*;

    #[test]
    fn keys_and_variables_are_unique_and_defaults_are_allowed() {
        let keys: BTreeSet<&str> = SETTINGS.iter().map(|s| s.key).collect();
        assert_eq!(keys.len(), SETTINGS.len());
        let names: BTreeSet<&str> = environment_names().collect();
        assert_eq!(names.len(), environment_names().count());
        for s in &SETTINGS {
            if let Value(text) = s.fallback {
                assert!(s.kind.read(text).is_some(), "{}: {text}", s.key);
            }
        }
    }

    #[test]
    fn parameters_have_the_bounds_of_the_catalog() {
        for s in &SETTINGS {
            for feed in s.feeds {
                let entry = candlecast_pipeline::catalog::find(feed.model).unwrap();
                let param = |name: &str| entry.params.iter().find(|p| p.name == name);
                let bounds = match param(feed.param).unwrap().kind {
                    ParamKind::Int { min, max } => Kind::Whole { min, max, unit: "" },
                    ParamKind::Float { min, max, .. } => Kind::Real { min, max },
                    other => panic!("{other:?}"),
                };
                assert_eq!(s.kind, bounds, "{}", s.key);
                assert!(feed.yields_to.iter().all(|name| param(name).is_some()), "{}", s.key);
            }
        }
    }

    #[test]
    fn the_foreign_host_is_no_default() {
        assert!(SETTINGS.iter().all(|s| !format!("{s:?}").contains(FOREIGN_HOST)));
    }
}
