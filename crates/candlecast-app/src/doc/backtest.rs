//! Documents of `backtest list` and `backtest rerun`.

use candlecast_core::Timestamp;
use candlecast_meta::{Run, RunState};
use candlecast_pipeline::doc::loss_key;
use serde::Serialize;
use serde_json::Value;

/// A backtest or a comparison on record.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BacktestDoc {
    /// Its identity: the job that made it, or the run where there was none.
    pub backtest_id: String,
    /// The run: one attempt at it.
    pub run_id: String,
    /// The job, which may be forgotten by now.
    pub job_id: Option<String>,
    /// How it ended: `completed`, `failed`, `cancelled`, `interrupted`; `running` while its end is being recorded.
    pub status: &'static str,
    /// Venue.
    pub venue: Option<String>,
    /// Symbol.
    pub symbol: Option<String>,
    /// Candle length.
    pub interval: Option<String>,
    /// `price`, `direction` or `volatility`.
    pub task: Option<String>,
    /// Steps ahead.
    pub horizon_steps: Option<u32>,
    /// The models that were asked for.
    pub models: Vec<String>,
    /// `walk-forward`, `simple`, `purged-k-fold` or `cpcv`.
    pub method: Option<String>,
    /// Open of the first scored origin.
    pub from: Option<String>,
    /// Close of the last.
    pub to: Option<String>,
    /// The model of least loss, no baseline.
    pub best: Option<String>,
    /// What was said of it.
    pub verdict: Option<String>,
    /// The code of that.
    pub verdict_code: Option<String>,
    /// Hash of data, configuration and seed.
    pub fingerprint: Option<String>,
    /// Root of all randomness.
    pub seed: u64,
    /// Vector instructions that were in use.
    pub instruction_set: String,
    /// The program that made it.
    pub program: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// What went wrong.
    pub error: Option<String>,
    /// True where what it takes to show it and to do it again is on record: not of those that failed or were stopped, and of
    /// older programs.
    pub is_kept: bool,
}

/// A page of backtests, newest first.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BacktestsDoc {
    /// The backtests.
    pub backtests: Vec<BacktestDoc>,
    /// What to pass as `--after` for the next page; null on the last.
    pub next: Option<String>,
}

impl BacktestDoc {
    /// Of `run`, whose kept report is `document`.
    pub(crate) fn new(run: &Run, document: Option<&Value>) -> Self {
        let asked = &run.asked;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let best = document.and_then(|document| best(document, asked.task.as_deref().unwrap_or("price")));
        let series = asked.series.as_ref();
        Self {
            backtest_id: backtest_id(run).to_owned(),
            run_id: asked.id.clone(),
            job_id: asked.job_id.clone(),
            status: status(run.state),
            venue: series.map(|key| key.venue.to_string()),
            symbol: series.map(|key| key.symbol.to_string()),
            interval: series.map(|key| key.interval.to_string()),
            task: asked.task.clone(),
            horizon_steps: asked.horizon_steps,
            models: models(&asked.config),
            method: text(&asked.config["how"]["kind"]),
            from: document.and_then(|document| text(&document["from"])),
            to: document.and_then(|document| text(&document["to"])),
            best: best.and_then(|model| text(&model["model"])),
            verdict: best.and_then(|model| text(&model["vsNaive"]["verdict"])),
            verdict_code: best.and_then(|model| text(&model["vsNaive"]["verdictCode"])),
            fingerprint: run.result.as_ref().and_then(|result| text(&result["fingerprint"])),
            seed: asked.seed.0,
            instruction_set: asked.instruction_set.clone(),
            program: asked.program_version.clone(),
            created_at: asked.started_at,
            finished_at: run.finished_at,
            error: run.error.clone(),
            is_kept: document.is_some(),
        }
    }
}

fn status(state: RunState) -> &'static str {
    match state {
        RunState::Succeeded => "completed",
        RunState::Running | RunState::Failed | RunState::Cancelled | RunState::Interrupted => state.as_str(),
    }
}

/// The identity of the backtest that `run` is an attempt at.
pub(crate) fn backtest_id(run: &Run) -> &str {
    run.asked.job_id.as_deref().unwrap_or(&run.asked.id)
}

/// Ids of the models of a run's configuration; that of a model that is made of models is not in it.
fn models(config: &Value) -> Vec<String> {
    let name = |config: &Value| config["model"].as_str().unwrap_or("ensemble").to_owned();
    config["models"].as_array().map(|models| models.iter().map(name).collect()).unwrap_or_default()
}

/// The model of least loss in a report, of those that were asked for.
fn best<'a>(document: &'a Value, task: &str) -> Option<&'a Value> {
    let asked = document["models"].as_array()?.iter().filter(|model| model["baseline"] == false);
    let loss = |model: &&Value| model["metrics"][loss_key(task)].as_f64().unwrap_or(f64::INFINITY);
    asked.min_by(|a, b| loss(a).total_cmp(&loss(b)))
}

/// What doing a backtest again brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum RerunOutcome {
    /// The same forecasts, bit for bit.
    Same,
    /// Other bits, on another instruction set, but losses within the tolerance.
    WithinTolerance,
    /// Other forecasts.
    Different,
}

/// A value then and now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ThenNow<T> {
    /// Of the backtest on record.
    pub then: T,
    /// Of the one that was done again.
    pub now: T,
}

/// One model of a backtest that was done again.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RerunModelDoc {
    /// Name.
    pub model: String,
    /// True where all forecasts have the same bits.
    pub same_bits: bool,
    /// The figure that models are ranked by.
    pub loss: ThenNow<Option<f64>>,
    /// `abs(now - then) / then` of it.
    pub difference: Option<f64>,
}

/// A backtest that was done again on the same candles.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RerunDoc {
    /// The backtest.
    pub backtest_id: String,
    /// Whether it is the same.
    pub outcome: RerunOutcome,
    /// The same in words, with what is known of the cause.
    pub because: String,
    /// Greatest relative difference of a loss that passes where bits cannot agree.
    pub tolerance: f64,
    /// Vector instructions.
    pub instruction_set: ThenNow<String>,
    /// Program.
    pub program: ThenNow<String>,
    /// Hash of data, configuration and seed; other ones where features or parameters mean something else by now.
    pub fingerprint: ThenNow<String>,
    /// The models, baselines among them.
    pub models: Vec<RerunModelDoc>,
}
