//! `evaluate`: what `compare` and `backtest` do.

use std::sync::Arc;

use candlecast_config::Settings;
use candlecast_core::{ModelRequest, Problem, ProgressSink, Seed, SeriesKey, TimeRange};
use candlecast_host::Host;
use candlecast_jobs::{Attempt, JobKind, Subject, steps};
use candlecast_pipeline::catalog::{check as check_model, check_task};
use candlecast_pipeline::{
    Evaluation, Method, PipelineOptions, PreparedEvaluation, check_confidence_threshold, run_fingerprint,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::backtests::{Input, KeptBacktest};
use crate::defaults::with_model_defaults;
use crate::doc::EvaluationDoc;
use crate::memory::{Fits, reserve};
use crate::pool::{markets_within, with_pool};
use crate::records::{RunRecord, clear, recorder};
use crate::text;

/// Models to be scored beside the naive forecasts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EvaluateJob {
    /// Series.
    pub series: SeriesKey,
    /// Other series that the models learn from too; none in jobs of programs that knew of none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pool: Vec<SeriesKey>,
    /// Models and their parameters.
    pub models: Vec<ModelRequest>,
    /// Horizon, window and the like.
    pub common: PipelineOptions,
    /// How the data are split, and which origins are scored.
    pub method: Method,
    /// The candles that there are for it, of its own series and then of those of the pool, as when it was done for the first
    /// time: others that are stored by now do not exist. Empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candles: Vec<TimeRange>,
    /// Confidence, 0.5 to 0.99, of which the report tells how many forecasts reach it and how often they are right; by
    /// default that of the surest tenth. Nothing else depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence_threshold: Option<f64>,
    /// Root of all randomness.
    pub seed: Seed,
}

impl JobKind for EvaluateJob {
    const KIND: &'static str = "evaluate";
    const TRAINS: bool = false;
    type Output = Evaluation;

    fn subject(&self) -> Subject {
        Subject {
            series: vec![self.series.clone()],
            models: self.models.iter().map(|m| m.id.clone()).collect(),
            detail: with_pool(
                match (self.common.task.as_str(), steps(self.common.horizon)) {
                    ("price", horizon) => horizon,
                    (task, horizon) => format!("{task}, {horizon}"),
                },
                &self.pool,
            ),
            range: self.method.tested(),
        }
    }

    fn series(&self) -> Vec<SeriesKey> {
        std::iter::once(&self.series).chain(&self.pool).cloned().collect()
    }

    fn seed(&self) -> Seed {
        self.seed
    }

    fn with_defaults(self, settings: &Settings) -> Self {
        let models = self.models.into_iter().map(|model| with_model_defaults(settings, model)).collect();
        Self { models, ..self }
    }

    fn check(&self) -> Result<(), Problem> {
        self.common.check()?;
        self.method.check(&self.common)?;
        if !self.candles.is_empty() && self.candles.len() != 1 + self.pool.len() {
            return Err(Problem::usage(
                "bad-range",
                "candles",
                format!("{} ranges of candles for {} series", self.candles.len(), 1 + self.pool.len()),
            ));
        }
        let task = self.common.task()?;
        check_confidence_threshold(self.confidence_threshold, &task)?;
        self.models.iter().try_for_each(|model| {
            check_model(&model.id, &model.params)?;
            check_task(&model.id, &model.params, &task)
        })?;
        self.method.check_models(&self.models)
    }

    async fn run(&self, host: &Host, watch: Arc<dyn ProgressSink>, attempt: Attempt) -> Result<Evaluation, Problem> {
        Box::pin(evaluate_on_record(host, self, watch, attempt)).await
    }

    fn document(&self, output: &Evaluation) -> Result<Value, Problem> {
        let document = EvaluationDoc::new(output, self.seed.0);
        serde_json::to_value(document).map_err(|e| Problem::data("no-document", e.to_string()))
    }

    fn text(&self, output: &Evaluation) -> String {
        text::evaluation(&EvaluationDoc::new(output, self.seed.0))
    }
}

/// Fits and scores `models` beside every baseline, and puts on record what was tried.
pub async fn evaluate(
    host: &Host,
    key: &SeriesKey,
    models: Vec<ModelRequest>,
    common: PipelineOptions,
    method: Method,
    watch: Arc<dyn ProgressSink>,
) -> Result<Evaluation, Problem> {
    let (series, seed) = (key.clone(), host.seed);
    let request =
        EvaluateJob { series, pool: vec![], models, common, method, candles: vec![], confidence_threshold: None, seed };
    let request = request.with_defaults(&host.settings);
    Box::pin(evaluate_on_record(host, &request, watch, Attempt::alone(host.now()))).await
}

/// One model of a job that is about more, to be scored on origins within a range.
#[derive(Debug)]
pub(crate) struct ScoredPart<'a> {
    /// Series.
    pub(crate) series: &'a SeriesKey,
    /// Other series that the model learns from too.
    pub(crate) pool: &'a [SeriesKey],
    /// Model and parameters.
    pub(crate) model: &'a ModelRequest,
    /// Horizon, window and the like.
    pub(crate) common: &'a PipelineOptions,
    /// Origins.
    pub(crate) range: TimeRange,
    /// Root of all randomness.
    pub(crate) seed: Seed,
}

/// Walks the model of `part` forward beside every baseline and puts on record what was tried, as one attempt of a job.
pub(crate) async fn evaluate_part(
    host: &Host,
    part: &ScoredPart<'_>,
    watch: Arc<dyn ProgressSink>,
    attempt: Attempt,
) -> Result<Evaluation, Problem> {
    let request = EvaluateJob {
        series: part.series.clone(),
        pool: part.pool.to_vec(),
        models: vec![part.model.clone()],
        common: part.common.clone(),
        method: Method::walk_forward(part.range),
        candles: vec![],
        confidence_threshold: None,
        seed: part.seed,
    };
    Box::pin(evaluate_on_record(host, &request, watch, attempt)).await
}

/// [`evaluate`] as one attempt of a job.
async fn evaluate_on_record(
    host: &Host,
    request: &EvaluateJob,
    watch: Arc<dyn ProgressSink>,
    attempt: Attempt,
) -> Result<Evaluation, Problem> {
    request.common.check()?;
    let recorder = recorder(host, attempt).await?;
    let started_at = host.now();
    let EvaluateJob { series, pool, models, common, .. } = request;
    let fits = Fits { series: std::slice::from_ref(series), pool, models, common, at_once: host.threads() };
    let memory = reserve(host, fits, watch.as_ref()).await?;
    let keys = [std::slice::from_ref(series), pool.as_slice()].concat();
    let mut markets = markets_within(host, &keys, &request.candles, common.max_fill).await?;
    let all_markets = markets.clone();
    let pool = markets.split_off(1);
    let market = markets.remove(0);
    let (held, asked) = (memory.clone(), request.clone());
    let (prepared, record) = host
        .compute_long(watch.as_ref(), move || {
            let _held = held;
            let EvaluateJob { models, common, method, confidence_threshold, seed, .. } = asked;
            let prepared = PreparedEvaluation::pooled(market, pool, &models, &common, method, seed)?
                .with_confidence_threshold(confidence_threshold);
            let record = RunRecord::of_evaluation(&prepared, method);
            Ok((prepared, record.begun(seed, started_at)))
        })
        .await?;
    let inputs = Input::of(&all_markets, &prepared.fingerprints.data);
    let tries = recorder.earlier_tries(&record, prepared.scored()).await;
    let earlier = recorder.earlier_days(&record, prepared.scored()).await;
    let prepared = prepared.after_tries(tries.first().copied().unwrap_or(0));
    let prepared = prepared.beside_earlier(earlier.into_iter().next().unwrap_or_default());
    watch.stage(&prepared.stage());
    let mut hooks = host.hooks(Arc::clone(&watch));
    let (checkpoints, held) = (host.checkpoints_dir(), memory.clone());
    let done = host
        .compute_long(watch.as_ref(), move || {
            let _held = held;
            hooks.resume(&checkpoints, &run_fingerprint(&prepared.fingerprints.run, "evaluate"));
            Ok((prepared.run(&hooks)?, hooks))
        })
        .await;
    let done = match done {
        Ok(done) => recorder.attempt().check_held().await.map(|()| done),
        Err(error) => Err(error),
    };
    let (evaluation, hooks) = match done {
        Ok(done) => done,
        Err(error) => {
            recorder.failed(&record, &error, host.now()).await;
            return Err(error);
        }
    };
    let record = record.keeping(KeptBacktest::FIELD, kept(request, inputs, &evaluation)?);
    recorder.succeeded(host, &record, &[&evaluation.report], &[], None).await;
    clear(host, hooks).await;
    Ok(evaluation)
}

/// What is kept to show the backtest and to do it again.
fn kept(request: &EvaluateJob, inputs: Vec<Input>, evaluation: &Evaluation) -> Result<Value, Problem> {
    let (document, text) = (request.document(evaluation)?, request.text(evaluation));
    let kept = KeptBacktest { request: request.clone(), inputs, document, text };
    serde_json::to_value(kept).map_err(|e| Problem::data("no-document", e.to_string()))
}

#[cfg(test)]
mod tests {
    use candlecast_core::{Interval, Symbol, Timestamp, Venue};
    use serde_json::json;

    use super::*;

    fn request(method: Method) -> EvaluateJob {
        let model = |id: &str| ModelRequest { id: id.into(), params: json!({}) };
        EvaluateJob {
            series: SeriesKey::new(Venue::synthetic(), Symbol::new("BTCUSDT").unwrap(), Interval::H1),
            pool: vec![],
            models: vec![model("hybrid"), model("linear")],
            common: PipelineOptions::new(1),
            method,
            candles: vec![],
            confidence_threshold: None,
            seed: Seed(42),
        }
    }

    #[test]
    fn both_ways_to_split_come_back_from_the_payload() {
        let year = |y| TimeRange { from: Timestamp::year_start(y), to: Timestamp::year_start(y + 1) };
        let walk = request(Method::walk_forward(year(2023)));
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
    fn candles_are_named_for_every_series_or_for_none() {
        let plain = request(Method::walk_forward(TimeRange::ALL));
        assert!(serde_json::to_value(&plain).unwrap().get("candles").is_none());
        let year = TimeRange { from: Timestamp::year_start(2022), to: Timestamp::year_start(2023) };
        let again = EvaluateJob { candles: vec![year], ..plain.clone() };
        let payload = serde_json::to_value(&again).unwrap();
        assert_eq!(payload["candles"][0]["from"], "2022-01-01T00:00:00Z");
        assert_eq!(serde_json::from_value::<EvaluateJob>(payload).unwrap(), again);
        assert_eq!(again.check(), Ok(()));
        assert_eq!(EvaluateJob { candles: vec![year; 2], ..plain }.check().unwrap_err().code, "bad-range");
    }

    #[test]
    fn what_a_method_cannot_do_is_refused_before_there_is_a_job() {
        let folds = |folds| Method::PurgedKFold { range: TimeRange::ALL, folds, embargo: None };
        assert_eq!(request(folds(5)).check(), Ok(()));
        assert_eq!(request(folds(1)).check().unwrap_err().code, "bad-groups");
        assert_eq!(request(folds(5)).subject().range, TimeRange::ALL);
    }

    #[test]
    fn a_threshold_of_the_confidence_is_a_field_only_where_it_was_asked_for() {
        let plain = request(Method::walk_forward(TimeRange::ALL));
        assert!(serde_json::to_value(&plain).unwrap().get("confidenceThreshold").is_none());
        let strict = EvaluateJob { confidence_threshold: Some(0.6), ..plain.clone() };
        let payload = serde_json::to_value(&strict).unwrap();
        assert_eq!(payload["confidenceThreshold"], 0.6);
        assert_eq!(serde_json::from_value::<EvaluateJob>(payload).unwrap(), strict);
        assert_eq!(strict.check(), Ok(()));
        let code = |request: &EvaluateJob| request.check().unwrap_err().code;
        assert_eq!(code(&EvaluateJob { confidence_threshold: Some(0.3), ..plain.clone() }), "bad-confidence-threshold");
        let common = PipelineOptions { task: "volatility".into(), ..plain.common.clone() };
        let models = vec![ModelRequest { id: "linear".into(), params: json!({}) }];
        assert_eq!(code(&EvaluateJob { models, common, ..strict }), "bad-confidence-threshold");
    }

    #[test]
    fn the_naive_forecasts_may_be_asked_for_and_strangers_may_not() {
        let method = Method::walk_forward(TimeRange::ALL);
        let mut request = request(method);
        request.models.push(ModelRequest { id: "seasonal-naive".into(), params: json!({}) });
        assert_eq!(request.check(), Ok(()));
        request.models.push(ModelRequest { id: "oracle".into(), params: json!({}) });
        assert_eq!(request.check().unwrap_err().code, "unknown-model");
    }
}
