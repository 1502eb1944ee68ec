//! Records to try the laws with.

use candlecast_core::{Action, Interval, Seed, SeriesKey, Symbol, TimeRange, Timestamp, Venue};
use candlecast_meta::{
    ClassBorders, DIRECTION_TASK, DailyValues, FoundModel, Goal, LedgerEntry, Model, ModelStatus, ModelsIn, NewPrediction,
    NewRun, NewStudy, PRICE_TASK, PriceInterval, TryDays, VOLATILITY_TASK, class_number,
};
use serde_json::json;

/// When the tests begin: 2024-01-01.
pub(crate) const T0: Timestamp = Timestamp(1_704_067_200_000);
/// One hour, ms.
pub(crate) const HOUR_MS: i64 = 3_600_000;

/// `minutes` after the beginning.
pub(crate) fn at(minutes: i64) -> Timestamp {
    T0.plus_ms(minutes * 60_000)
}

pub(crate) fn series(symbol: &str) -> SeriesKey {
    let interval: Interval = "1h".parse().unwrap();
    SeriesKey::new(Venue::binance(), Symbol::new(symbol).unwrap(), interval)
}

pub(crate) fn run(id: &str, minute: i64) -> NewRun {
    NewRun {
        id: id.into(),
        kind: "evaluate".into(),
        experiment: Some("first try".into()),
        series: Some(series("BTCUSDT")),
        model_type: Some("lstm".into()),
        task: Some("price".into()),
        horizon_steps: Some(24),
        config: json!({"learner": {"hiddenSize": 64, "dropout": 0.1}}),
        config_hash: "c0ffee".into(),
        data_range: Some(TimeRange { from: at(0), to: at(600) }),
        data_fingerprint: Some("f00d".into()),
        seed: Seed(u64::MAX),
        program_version: "0.1.0".into(),
        instruction_set: "avx2".into(),
        job_id: None,
        started_at: at(minute),
    }
}

pub(crate) fn model(version: &str, minute: i64) -> Model {
    Model {
        id: format!("BTCUSDT_LSTM_{version}"),
        folder: String::new(),
        name: "evening model".into(),
        series: series("BTCUSDT"),
        model_type: "lstm".into(),
        task: "price".into(),
        version: version.into(),
        status: ModelStatus::Candidate,
        horizon_steps: 24,
        trained_at: at(minute),
        accuracy: Some(0.53),
        sha256: Some("ab".repeat(32)),
        run_id: None,
        meta: json!({"dataPoints": 8760, "baseline": {"mae": 0.1 + 0.2}}),
        activated_at: None,
    }
}

/// Where the models of [`model`] lie: in the folder `folder`.
pub(crate) fn lstm_in(folder: &str) -> ModelsIn {
    ModelsIn { folder: folder.into(), series: series("BTCUSDT"), model_type: "lstm".into(), task: "price".into() }
}

/// `models` as they are found whole in a folder.
pub(crate) fn found(models: &[Model]) -> Vec<FoundModel> {
    models.iter().map(|model| FoundModel::Whole(Box::new(model.clone()))).collect()
}

/// The forecast of `model` from hour `hour` for `step` hours ahead.
pub(crate) fn prediction(model: &str, hour: i64, step: u32, price: f64) -> NewPrediction {
    let origin = T0.plus_ms(hour * HOUR_MS);
    NewPrediction {
        task: PRICE_TASK.into(),
        model_id: model.into(),
        series: series("BTCUSDT"),
        origin,
        step,
        target_time: origin.plus_ms(i64::from(step) * HOUR_MS),
        made_at: origin.plus_ms(5),
        base_price: 100.0,
        prediction: price,
        interval: Some(PriceInterval { lower: price - 2.0, upper: price + 2.0, level: 0.9 }),
        borders: None,
        confidence: Some(0.55),
        direction: None,
    }
}

/// The forecast of a class by `model` from hour `hour`, six hours ahead.
pub(crate) fn class_prediction(model: &str, hour: i64, class: Action) -> NewPrediction {
    NewPrediction {
        task: DIRECTION_TASK.into(),
        interval: None,
        borders: Some(ClassBorders { sell_at: 99.0, buy_at: 101.5 }),
        ..prediction(model, hour, 6, class_number(class))
    }
}

/// The forecast of the volatility of the next six hours by `model` from hour `hour`.
pub(crate) fn volatility_prediction(model: &str, hour: i64, volatility: f64) -> NewPrediction {
    NewPrediction {
        task: VOLATILITY_TASK.into(),
        interval: Some(PriceInterval { lower: volatility / 2.0, upper: 2.0 * volatility, level: 0.8 }),
        confidence: None,
        ..prediction(model, hour, 6, volatility)
    }
}

pub(crate) fn study(id: &str) -> NewStudy {
    NewStudy {
        id: id.into(),
        run_id: None,
        series: series("BTCUSDT"),
        model_type: "lstm".into(),
        objective: "mae".into(),
        goal: Goal::Minimize,
        space: json!({"learner.hiddenSize": {"int": [16, 128]}}),
        sampler: "tpe".into(),
        pruner: Some("hyperband".into()),
        seed: Seed(7),
        max_trials: 50,
        created_at: at(0),
    }
}

pub(crate) fn tried(id: &str, config_hash: &str, sharpe: Option<f64>, days: (i64, i64)) -> LedgerEntry {
    LedgerEntry {
        id: id.into(),
        kind: "search".into(),
        series: series("BTCUSDT"),
        task: "price".into(),
        model_type: "lstm".into(),
        config: json!({"hash": config_hash}),
        config_hash: config_hash.into(),
        period: TimeRange { from: at(days.0 * 1440), to: at(days.1 * 1440) },
        score: Some(1.5),
        sharpe,
        run_id: None,
        tried_at: at(1),
    }
}

/// Days of the try `id`, from day `first_day` on.
pub(crate) fn days_of(id: &str, first_day: i64, values: &[Option<f32>]) -> TryDays {
    TryDays { try_id: id.into(), measure: "price-24".into(), days: DailyValues { first_day, values: values.to_vec() } }
}
