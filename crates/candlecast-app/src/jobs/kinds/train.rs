//! `train`.

use std::sync::Arc;

use candlecast_core::{Seed, SeriesKey, TimeRange};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check_model;
use crate::contender::{Common, ModelRequest};
use crate::doc::TrainDoc;
use crate::jobs::{Attempt, JobKind, Subject};
use crate::train::{Trained, trainable};
use crate::{App, AppError, Settings, Watch};

/// A training that is to be saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrainJob {
    /// Series.
    pub series: SeriesKey,
    /// Model and parameters.
    pub model: ModelRequest,
    /// Horizon, window and the like.
    pub common: Common,
    /// Candles that may be learnt from.
    #[serde(with = "crate::jobs::span")]
    pub range: TimeRange,
    /// True to begin the saved fit with the weights of the version that serves.
    #[serde(default)]
    pub warm_start: bool,
    /// Root of all randomness.
    pub seed: Seed,
}

impl JobKind for TrainJob {
    const KIND: &'static str = "train";
    const TRAINS: bool = true;
    type Output = Trained;

    fn subject(&self) -> Subject {
        Subject {
            series: self.series.clone(),
            models: vec![self.model.id.clone()],
            horizon_steps: self.common.horizon,
            range: self.range,
        }
    }

    fn seed(&self) -> Seed {
        self.seed
    }

    fn with_defaults(self, settings: &Settings) -> Self {
        let model = settings.with_model_defaults(self.model);
        Self { model, ..self }
    }

    fn check(&self) -> Result<(), AppError> {
        self.common.check()?;
        trainable(&self.model)?;
        check_model(&self.model)
    }

    async fn run(&self, app: &App, watch: Arc<dyn Watch>, attempt: Attempt) -> Result<Trained, AppError> {
        app.train_on_record(self, watch, attempt).await
    }

    fn document(&self, output: &Trained) -> Result<Value, AppError> {
        serde_json::to_value(TrainDoc::from(output)).map_err(|e| AppError::data("no-document", e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::{FeatureSet, Interval, Symbol, Timestamp, Venue};
    use candlecast_learn::{ScalerKind, TrainWindow};
    use serde_json::json;

    use super::*;

    fn request() -> TrainJob {
        TrainJob {
            series: SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1),
            model: ModelRequest { id: "gbdt".into(), params: json!({ "rounds": 20, "learningRate": 0.1 }) },
            common: Common {
                level: 0.95,
                window: TrainWindow::Expanding,
                features: Some(FeatureSet::of(&["rsi_14"])),
                scaler: Some(ScalerKind::Robust),
                ..Common::new(24)
            },
            range: TimeRange { from: Timestamp::year_start(2023), ..TimeRange::ALL },
            warm_start: true,
            seed: Seed(u64::MAX),
        }
    }

    #[test]
    fn a_request_comes_back_from_its_payload_as_it_was() {
        let payload = serde_json::to_value(request()).unwrap();
        let text = payload.to_string();
        assert_eq!(serde_json::from_str::<TrainJob>(&text).unwrap(), request());
        assert_eq!(payload["common"]["minCandles"], 1_000);
        assert_eq!(payload["range"], json!({ "from": "2023-01-01T00:00:00Z" }));
        assert_eq!(request().subject().to_string(), "BTCUSDT 1h gbdt, 24 steps, from 2023-01-01T00:00:00Z on");
    }

    #[test]
    fn unknown_fields_are_refused_at_every_depth() {
        for pointer in ["", "/model", "/common", "/range"] {
            let mut payload = serde_json::to_value(request()).unwrap();
            payload.pointer_mut(pointer).unwrap()["surprise"] = json!(1);
            let error = serde_json::from_value::<TrainJob>(payload).unwrap_err();
            assert!(error.to_string().contains("surprise"), "{pointer}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_as_written_is_refused_before_there_is_a_job() {
        let with = |id: &str, params: Value| TrainJob { model: ModelRequest { id: id.into(), params }, ..request() };
        assert_eq!(request().check(), Ok(()));
        let code = |request: &TrainJob| request.check().unwrap_err().code;
        assert_eq!(code(&with("naive", Value::Null)), "baseline");
        assert_eq!(code(&with("gdbt", Value::Null)), "unknown-model");
        assert_eq!(code(&with("gbdt", json!({ "rounds": -1 }))), "bad-parameter");
        assert_eq!(code(&TrainJob { common: Common { level: 2.0, ..Common::new(24) }, ..request() }), "bad-level");
    }
}
