//! How often "better than naive" is said of random walks, and how often planted predictability is found; what forecasts
//! are worth as they are told, and before their factor.
//!
//! `cargo run --release -p candlecast-app --example random_walks -- --runs 500 --models hybrid,linear`
//! With `--predictability 0.1` each return contains -0.1 times the last one. `--least-skill -0.05` requires a mean
//! skill of at least -0.05 % of every model named, `--least-kept 95` that at least 95 % of what skill there is before
//! the factor are left with it.

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::sync::Arc;

use candlecast_core::market::random_walk;
use candlecast_core::{FilledSeries, ModelRequest, Seed, TimeRange, Timestamp};
use candlecast_learn::walk_forward::NoHooks;
use candlecast_learn::{Market, ModelReport, TrainWindow};
use candlecast_pipeline::{Method, PipelineOptions, PreparedEvaluation};
use rayon::prelude::*;

/// Candles of a walk where `--candles` does not say: 100 days to train on at first, 100 days of origins.
const CANDLES: usize = 4_800;
const SCORED_FROM: i64 = 2_400;
/// Skill before the factor below which there is none to be kept.
const LEAST_SKILL: f64 = 0.001;

/// What was said of one model on one walk.
struct Told {
    name: String,
    is_better: bool,
    skill: f64,
    /// The same of the means before their factor.
    plain_skill: f64,
}

/// Means over all walks.
#[derive(Debug, Clone, Copy, Default)]
struct Means {
    better: usize,
    skill: f64,
    plain_skill: f64,
}

impl Means {
    /// Share of the skill before the factor that is left with it; `None` where there is none.
    fn kept(&self) -> Option<f64> {
        (self.plain_skill > LEAST_SKILL).then(|| self.skill / self.plain_skill)
    }
}

fn main() {
    let runs: usize = argument("--runs").and_then(|v| v.parse().ok()).unwrap_or(500);
    let predictability: f64 = argument("--predictability").and_then(|v| v.parse().ok()).unwrap_or(0.0);
    let horizon: usize = argument("--horizon").and_then(|v| v.parse().ok()).unwrap_or(24);
    let candles: usize = argument("--candles").and_then(|v| v.parse().ok()).unwrap_or(CANDLES);
    let models = argument("--models").unwrap_or_else(|| "hybrid,linear".into());
    let models: Vec<String> = models.split(',').map(str::to_owned).collect();
    let walks: Vec<Vec<Told>> =
        (0..runs).into_par_iter().map(|k| told(k as u64, (candles, predictability), horizon, &models)).collect();
    let any = walks.iter().filter(|walk| walk.iter().any(|told| told.is_better)).count();
    let mut means: BTreeMap<&str, Means> = BTreeMap::new();
    for told in walks.iter().flatten() {
        let sums = means.entry(&told.name).or_default();
        sums.better += usize::from(told.is_better);
        sums.skill += told.skill / runs as f64;
        sums.plain_skill += told.plain_skill / runs as f64;
    }
    println!("{runs} walks of {candles} candles, {horizon} steps ahead, predictability {predictability}\n");
    println!("| model | \"better than naive\" | mean skill | before the factor | kept |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    for (name, of) in &means {
        let (n, share) = (of.better, 100.0 * of.better as f64 / runs as f64);
        let kept = of.kept().map_or_else(|| "-".into(), |kept| format!("{:.1} %", 100.0 * kept));
        let (skill, plain) = (100.0 * of.skill, 100.0 * of.plain_skill);
        println!("| {name} | {n} ({share:.1} %) | {skill:+.3} % | {plain:+.3} % | {kept} |");
    }
    println!("\nAny model in the table: {any} ({:.1} %)", 100.0 * any as f64 / runs as f64);
    for name in &models {
        require(name, means.get(name.as_str()).copied().unwrap_or_default());
    }
}

/// Says whether a model holds what is required of it.
fn require(name: &str, means: Means) {
    let bound = |flag: &str| -> Option<f64> { argument(flag).map(|v| v.parse().expect("the bound is a number")) };
    let held = |is_held: bool| if is_held { "held" } else { "missed" };
    if let Some(least) = bound("--least-skill") {
        let skill = 100.0 * means.skill;
        println!("required: {name}: a mean skill of at least {least} %: {skill:+.3} %: {}", held(skill >= least));
    }
    if let Some(least) = bound("--least-kept") {
        let kept = 100.0 * means.kept().unwrap_or(0.0);
        println!("required: {name}: at least {least} % of its skill kept: {kept:.1} %: {}", held(kept >= least));
    }
}

fn told(run: u64, (candles, predictability): (usize, f64), horizon: usize, models: &[String]) -> Vec<Told> {
    let series = random_walk(candles, Seed(77).derive("walk", run), predictability);
    let from = Timestamp(series.open_time()[0]).plus_ms(SCORED_FROM * 3_600_000);
    let mut common = PipelineOptions::new(horizon);
    common.window = TrainWindow::Rolling { days: 100 };
    common.retrain_days = 25;
    let requests: Vec<ModelRequest> =
        models.iter().map(|id| ModelRequest { id: id.clone(), params: serde_json::Value::Null }).collect();
    let method = Method::walk_forward(TimeRange { from, to: TimeRange::ALL.to });
    let market = Arc::new(Market::new(FilledSeries::new(&series, common.max_fill)));
    let evaluation = PreparedEvaluation::new(market, &requests, &common, method, Seed(run))
        .and_then(|prepared| prepared.run(&NoHooks))
        .expect("a random walk can be evaluated");
    let of_model = |model: &ModelReport| Told {
        name: model.name.clone(),
        is_better: model.vs_reference.verdict.starts_with("better"),
        skill: model.skill.unwrap_or(0.0),
        plain_skill: plain_skill(&evaluation.market, model, horizon),
    };
    evaluation.report.models.iter().map(of_model).collect()
}

/// `1 - MAE / MAE of naive` of prices, by the means before their factor.
fn plain_skill(market: &Market, model: &ModelReport, horizon: usize) -> f64 {
    let (close, log_close) = (&market.series().columns().close, market.log_close());
    let (mut error, mut naive) = (0.0, 0.0);
    for (means, &row) in model.forecasts.means.chunks_exact(horizon).zip(&model.forecasts.rows) {
        for (h, mean) in means.iter().enumerate() {
            let actual = (log_close[row + h + 1] - log_close[row]).exp();
            error += close[row] * (mean.exp() - actual).abs();
            naive += close[row] * (1.0 - actual).abs();
        }
    }
    1.0 - error / naive
}

fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|a| a != name).nth(1)
}
