//! `hpo`: a search over the configurations of a model. Trials are scored on the newest half of a range of candles; the
//! hold-out behind it is scored once, for the configuration that was chosen and for the default one; then what was chosen
//! is trained on the range of the trials, and saved.

mod dates;
mod queries;
mod run;
mod stored;
mod trial;

use std::sync::Arc;

use candlecast_config::Settings;
use candlecast_core::catalog::{Entry, nearest};
use candlecast_core::{ModelRequest, Problem, ProgressSink, Seed, SeriesKey, TimeRange};
use candlecast_host::Host;
use candlecast_jobs::{Attempt, JobKind, Subject, steps};
use candlecast_pipeline::catalog::{check as check_model, check_task};
use candlecast_pipeline::{PipelineOptions, SearchMetric, default_search_metric, search_metric, search_space};
use candlecast_tune::{MAX_PARALLEL, StudyPlan, pruners, samplers};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::defaults::with_model_defaults;
use crate::doc::SearchDoc;
use crate::pool::with_pool;
use crate::text;

pub use dates::{SearchDates, search_dates};
pub use queries::{export_search, find_search, list_searches, show_search};
pub(crate) use stored::{KeptTrial, record_of};

/// Most trials of a search.
pub const MAX_TRIALS: u32 = 500;
/// Stretches that a trial may be scored on.
const FOLDS: std::ops::RangeInclusive<u32> = 2..=10;
/// Trials side by side where nobody says how many. It is no number of cores: with another number other trials are
/// proposed, and a search is to be the same on every machine.
const DEFAULT_PARALLEL: u32 = 2;

/// A search to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SearchJob {
    /// Series.
    pub series: SeriesKey,
    /// Other series that trials learn from too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pool: Vec<SeriesKey>,
    /// The model, with the parameters that all trials share.
    pub model: ModelRequest,
    /// Horizon, window and the like.
    pub common: PipelineOptions,
    /// Candles that trials learn from and are scored on.
    #[serde(with = "candlecast_core::open_range")]
    pub range: TimeRange,
    /// Origins behind them that no trial sees.
    #[serde(with = "candlecast_core::open_range")]
    pub hold_out: TimeRange,
    /// `"default"`, `"wide"`, or parameters and their values; null for the first.
    #[serde(default)]
    pub parameter_space: Value,
    /// Sampler and its parameters.
    pub method: ModelRequest,
    /// Pruner and its parameters.
    pub pruner: ModelRequest,
    /// What trials are compared by; of several there is a Pareto front.
    pub metrics: Vec<String>,
    /// Trials; `None` for 50, or all points of a grid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials: Option<u32>,
    /// Trials that are evaluated side by side.
    pub parallel: u32,
    /// Stretches that a trial is scored on, 2 to 10.
    pub folds: u32,
    /// Seconds after which no further trial begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// True to train and save what was chosen.
    pub save: bool,
    /// Root of all randomness.
    pub seed: Seed,
}

impl SearchJob {
    /// A search by TPE with median pruning over the default space of `model`, compared by the loss of the task.
    pub fn new(
        series: SeriesKey,
        model: ModelRequest,
        common: PipelineOptions,
        dates: SearchDates,
        seed: Seed,
    ) -> Result<Self, Problem> {
        let metric = default_search_metric(&common.task()?).to_owned();
        let part = |id: &str| ModelRequest { id: id.into(), params: json!({}) };
        Ok(Self {
            series,
            pool: vec![],
            model,
            common,
            range: dates.range,
            hold_out: dates.hold_out,
            parameter_space: Value::Null,
            method: part("tpe"),
            pruner: part("median"),
            metrics: vec![metric],
            trials: None,
            parallel: DEFAULT_PARALLEL,
            folds: 3,
            timeout: None,
            save: true,
            seed,
        })
    }

    /// What trials are compared by.
    pub(crate) fn metrics(&self) -> Result<Vec<&'static SearchMetric>, Problem> {
        let task = self.common.task()?;
        let mut found: Vec<&SearchMetric> = Vec::new();
        for name in &self.metrics {
            let metric = search_metric(name, &task)?;
            if found.contains(&metric) {
                let why = format!("metric {} is named twice", metric.id);
                return Err(Problem::usage("bad-value", "metric", why));
            }
            found.push(metric);
        }
        if found.is_empty() {
            return Err(Problem::usage("bad-value", "metric", "no metric to compare trials by: name one or more"));
        }
        Ok(found)
    }

    /// What its study is to do.
    pub(crate) fn plan(&self) -> Result<StudyPlan, Problem> {
        let space = search_space(&self.model, &self.parameter_space, self.max_points()?)?;
        let sampler = part(samplers(), &self.method, "method")?;
        let pruner = part(pruners(), &self.pruner, "pruner")?;
        let trials = sampler.n_trials(&space, self.trials, MAX_TRIALS)?;
        let goals = self.metrics()?.iter().map(|metric| metric.goal).collect();
        Ok(StudyPlan { space, goals, sampler, pruner, trials, parallel: self.parallel, seed: self.seed })
    }

    /// A space that nobody named has to fit a grid.
    fn max_points(&self) -> Result<Option<u32>, Problem> {
        Ok((entry(samplers(), &self.method.id, "method")?.id == "grid").then_some(MAX_TRIALS))
    }

    /// Id of its sampler.
    pub(crate) fn method_id(&self) -> &str {
        entry(samplers(), &self.method.id, "method").map_or(self.method.id.as_str(), |entry| entry.id)
    }

    fn check_numbers(&self) -> Result<(), Problem> {
        let within = |field: &str, value: u32, range: &std::ops::RangeInclusive<u32>| {
            if range.contains(&value) {
                return Ok(());
            }
            let why = format!("{field} {value} is not within {} to {}", range.start(), range.end());
            Err(Problem::usage("bad-value", field, why))
        };
        within("folds", self.folds, &FOLDS)?;
        within("parallel", self.parallel, &(1..=MAX_PARALLEL))?;
        if self.range.is_empty() || self.hold_out.is_empty() || self.hold_out.from < self.range.to {
            let why = format!(
                "the hold-out, {}, has to come after the candles of the trials, {}, and neither may be empty",
                self.hold_out, self.range
            );
            return Err(Problem::usage("bad-range", "from", why));
        }
        Ok(())
    }
}

/// The entry that answers to `name`, or a problem with the nearest names.
fn entry<T: ?Sized>(
    catalog: &'static [Entry<T>],
    name: &str,
    field: &'static str,
) -> Result<&'static Entry<T>, Problem> {
    catalog.iter().find(|entry| entry.answers_to(name)).ok_or_else(|| {
        let ids: Vec<&str> = catalog.iter().map(|entry| entry.id).collect();
        let hint = nearest(name, &ids).map_or_else(String::new, |near| format!(" did you mean `{near}`?"));
        let why = format!("{field} `{name}` is not known:{hint} there are {}", ids.join(", "));
        Problem::usage("bad-value", field, why)
    })
}

/// The part of a catalog that a request names.
fn part<T: ?Sized>(
    catalog: &'static [Entry<T>],
    request: &ModelRequest,
    field: &'static str,
) -> Result<Box<T>, Problem> {
    Ok(entry(catalog, &request.id, field)?.build(&request.params)?)
}

impl JobKind for SearchJob {
    const KIND: &'static str = "hpo";
    const TRAINS: bool = true;
    const ID_PREFIX: &'static str = "hpo_";
    type Output = SearchDoc;

    fn subject(&self) -> Subject {
        let (task, horizon) = (&self.common.task, steps(self.common.horizon));
        let what = if task == "price" { horizon } else { format!("{task}, {horizon}") };
        Subject {
            series: vec![self.series.clone()],
            models: vec![self.model.id.clone()],
            detail: with_pool(format!("{what}, {}", self.method_id()), &self.pool),
            range: TimeRange { from: self.range.from, to: self.hold_out.to },
        }
    }

    fn seed(&self) -> Seed {
        self.seed
    }

    /// What the configuration sets is no choice of whoever asked, so it takes no parameter out of the default space: that
    /// is written down before.
    fn with_defaults(self, settings: &Settings) -> Self {
        let points = self.max_points().ok().flatten();
        let space = search_space(&self.model, &self.parameter_space, points).map(|space| space.to_json());
        let parameter_space = space.unwrap_or_else(|_| self.parameter_space.clone());
        let model = with_model_defaults(settings, self.model);
        Self { model, parameter_space, ..self }
    }

    fn check(&self) -> Result<(), Problem> {
        self.common.check()?;
        check_model(&self.model.id, &self.model.params)?;
        check_task(&self.model.id, &self.model.params, &self.common.task()?)?;
        self.check_numbers()?;
        self.plan().map(drop)
    }

    async fn run(&self, host: &Host, watch: Arc<dyn ProgressSink>, attempt: Attempt) -> Result<SearchDoc, Problem> {
        Box::pin(run::search_on_record(host, self, watch, attempt)).await
    }

    fn document(&self, output: &SearchDoc) -> Result<Value, Problem> {
        serde_json::to_value(output).map_err(|e| Problem::data("no-document", e.to_string()))
    }

    fn text(&self, output: &SearchDoc) -> String {
        text::search(output)
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::{Interval, Symbol, Timestamp, Venue};

    use super::*;

    fn job(model: &str, params: Value) -> SearchJob {
        let series = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        let model = ModelRequest { id: model.into(), params };
        let border = Timestamp::year_start(2023);
        let dates = SearchDates {
            range: TimeRange { from: Timestamp::year_start(2021), to: border },
            hold_out: TimeRange { from: border, to: Timestamp::year_start(2024) },
        };
        SearchJob::new(series, model, PipelineOptions::new(24), dates, Seed(42)).unwrap()
    }

    fn with(change: impl Fn(&mut SearchJob)) -> Result<(), (&'static str, Option<String>)> {
        let mut job = job("lstm", json!({}));
        change(&mut job);
        job.check().map_err(|problem| (problem.code, problem.field))
    }

    #[test]
    fn a_request_comes_back_from_its_payload() {
        let job = SearchJob { trials: Some(7), timeout: Some(60), ..job("lstm", json!({ "epochs": 5 })) };
        let text = serde_json::to_string(&job).unwrap();
        assert_eq!(serde_json::from_str::<SearchJob>(&text).unwrap(), job);
        assert!(
            job.subject().to_string().starts_with("BTCUSDT 1h lstm, 24 steps, tpe, from 2021"),
            "{}",
            job.subject()
        );
    }

    #[test]
    fn what_is_wrong_as_written_is_refused_before_there_is_a_job() {
        let field = |name: &str| Some(name.to_owned());
        assert_eq!(with(|_| {}), Ok(()));
        assert_eq!(with(|job| job.folds = 1), Err(("bad-value", field("folds"))));
        assert_eq!(with(|job| job.parallel = 0), Err(("bad-value", field("parallel"))));
        assert_eq!(with(|job| job.trials = Some(501)), Err(("bad-value", field("trials"))));
        assert_eq!(with(|job| job.hold_out.from = job.range.from), Err(("bad-range", field("from"))));
        assert_eq!(with(|job| job.metrics = vec!["sharpe".into()]), Err(("bad-value", field("metric"))));
        assert_eq!(with(|job| job.metrics = vec![]), Err(("bad-value", field("metric"))));
        assert_eq!(with(|job| job.metrics = vec!["mae".into(), "MAE".into()]), Err(("bad-value", field("metric"))));
        assert_eq!(with(|job| job.method.id = "annealing".into()), Err(("bad-value", field("method"))));
        assert_eq!(with(|job| job.pruner.params = json!({ "startup": 3 })), Err(("bad-parameter", field("startup"))));
        assert_eq!(with(|job| job.parameter_space = json!({ "layers": [9] })), Err(("bad-parameter", field("layers"))));
        assert_eq!(with(|job| job.model.id = "naive".into()), Err(("baseline", field("model"))));
    }

    #[test]
    fn a_grid_takes_all_points_of_the_default_space_and_no_more_than_it_may() {
        let grid = |model: &str, space: Value| {
            let mut job = job(model, json!({}));
            (job.method.id, job.parameter_space) = ("grid".into(), space);
            job.plan().map(|plan| plan.trials).map_err(|problem| problem.detail)
        };
        assert_eq!(grid("lstm", Value::Null), Ok(81));
        assert!((200..=MAX_TRIALS).contains(&grid("gbdt", Value::Null).unwrap()));
        let refused = grid("lstm", json!("wide")).unwrap_err();
        assert!(refused.contains("the grid has 1664 points, and a search at most 500 trials"), "{refused}");
        let endless = grid("lstm", json!({ "learningRate": { "min": 0.001, "max": 0.1 } })).unwrap_err();
        assert!(endless.contains("learningRate is a range without a step"), "{endless}");
    }

    #[test]
    fn other_names_of_methods_are_accepted() {
        for (name, id) in [("optuna", "tpe"), ("Bayesian", "tpe"), ("random", "random"), ("exhaustive", "grid")] {
            let mut job = job("hybrid", json!({}));
            job.method.id = name.into();
            assert_eq!((job.check(), job.method_id()), (Ok(()), id));
        }
    }
}
