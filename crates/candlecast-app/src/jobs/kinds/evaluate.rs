//! `evaluate`: what `compare` and `backtest` do.

use std::sync::Arc;

use candlecast_core::{Seed, SeriesKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check_model;
use crate::contender::{Common, ModelRequest};
use crate::doc::EvaluationDoc;
use crate::evaluation::{Evaluation, Method};
use crate::jobs::{Attempt, JobKind, Subject};
use crate::{App, AppError, Settings, Watch};

/// Models to be scored beside the naive forecasts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvaluateJob {
    /// Series.
    pub series: SeriesKey,
    /// Models and their parameters.
    pub models: Vec<ModelRequest>,
    /// Horizon, window and the like.
    pub common: Common,
    /// How the data are split, and which origins are scored.
    pub method: Method,
    /// Root of all randomness.
    pub seed: Seed,
}

impl JobKind for EvaluateJob {
    const KIND: &'static str = "evaluate";
    const TRAINS: bool = false;
    type Output = Evaluation;

    fn subject(&self) -> Subject {
        Subject {
            series: self.series.clone(),
            models: self.models.iter().map(|m| m.id.clone()).collect(),
            horizon_steps: self.common.horizon,
            range: match self.method {
                Method::WalkForward { range } => range,
                Method::Simple { test, .. } => test,
            },
        }
    }

    fn seed(&self) -> Seed {
        self.seed
    }

    fn with_defaults(self, settings: &Settings) -> Self {
        let models = self.models.into_iter().map(|model| settings.with_model_defaults(model)).collect();
        Self { models, ..self }
    }

    fn check(&self) -> Result<(), AppError> {
        self.common.check()?;
        self.models.iter().try_for_each(check_model)
    }

    async fn run(&self, app: &App, watch: Arc<dyn Watch>, attempt: Attempt) -> Result<Evaluation, AppError> {
        app.evaluate_on_record(self, watch, attempt).await
    }

    fn document(&self, output: &Evaluation) -> Result<Value, AppError> {
        let document = EvaluationDoc::new(output, self.seed.0);
        serde_json::to_value(document).map_err(|e| AppError::data("no-document", e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::{Interval, Symbol, TimeRange, Timestamp, Venue};
    use serde_json::json;

    use super::*;

    fn request(method: Method) -> EvaluateJob {
        let model = |id: &str| ModelRequest { id: id.into(), params: json!({}) };
        EvaluateJob {
            series: SeriesKey::new(Venue::synthetic(), Symbol::new("BTCUSDT").unwrap(), Interval::H1),
            models: vec![model("hybrid"), model("linear")],
            common: Common::new(1),
            method,
            seed: Seed(42),
        }
    }

    #[test]
    fn both_ways_to_split_come_back_from_the_payload() {
        let year = |y| TimeRange { from: Timestamp::year_start(y), to: Timestamp::year_start(y + 1) };
        let walk = request(Method::WalkForward { range: year(2023) });
        let simple = request(Method::Simple { train: TimeRange::ALL, test: year(2023) });
        for request in [&walk, &simple] {
            let text = serde_json::to_string(request).unwrap();
            assert_eq!(serde_json::from_str::<EvaluateJob>(&text).unwrap(), *request);
            assert_eq!(request.subject().range, year(2023));
        }
        let payload = serde_json::to_value(&walk).unwrap();
        assert_eq!(payload["method"]["kind"], "walk-forward");
        assert!(walk.subject().to_string().starts_with("BTCUSDT 1h (synthetic) hybrid,linear, 1 step, from 2023"));
    }

    #[test]
    fn the_naive_forecasts_may_be_asked_for_and_strangers_may_not() {
        let method = Method::WalkForward { range: TimeRange::ALL };
        let mut request = request(method);
        request.models.push(ModelRequest { id: "seasonal-naive".into(), params: json!({}) });
        assert_eq!(request.check(), Ok(()));
        request.models.push(ModelRequest { id: "oracle".into(), params: json!({}) });
        assert_eq!(request.check().unwrap_err().code, "unknown-model");
    }
}
