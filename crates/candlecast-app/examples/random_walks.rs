//! How often "better than naive" is said of random walks, and how often planted predictability is found.
//!
//! `cargo run --release -p candlecast-app --example random_walks -- --runs 500 --models hybrid,linear`
//! With `--predictability 0.1` each return contains -0.1 times the last one.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;

use candlecast_core::market::random_walk;
use candlecast_core::{ModelRequest, Seed, TimeRange, Timestamp};
use candlecast_learn::{Report, TrainWindow};
use candlecast_pipeline::{PipelineOptions, evaluate_series};
use rayon::prelude::*;

/// Candles of a walk where `--candles` does not say: 100 days to train on at first, 100 days of origins.
const CANDLES: usize = 4_800;
const SCORED_FROM: i64 = 2_400;

fn main() {
    let runs: usize = argument("--runs").and_then(|v| v.parse().ok()).unwrap_or(500);
    let predictability: f64 = argument("--predictability").and_then(|v| v.parse().ok()).unwrap_or(0.0);
    let horizon: usize = argument("--horizon").and_then(|v| v.parse().ok()).unwrap_or(24);
    let candles: usize = argument("--candles").and_then(|v| v.parse().ok()).unwrap_or(CANDLES);
    let models = argument("--models").unwrap_or_else(|| "hybrid,linear".into());
    let models: Vec<String> = models.split(',').map(str::to_owned).collect();
    let reports: Vec<Report> =
        (0..runs).into_par_iter().map(|k| report(k as u64, (candles, predictability), horizon, &models)).collect();
    let (mut better, mut skill): (BTreeMap<&str, usize>, BTreeMap<&str, f64>) = (BTreeMap::new(), BTreeMap::new());
    let mut any = 0;
    for report in &reports {
        let winners: Vec<&str> = report
            .models
            .iter()
            .filter(|m| m.vs_reference.verdict.starts_with("better"))
            .map(|m| m.name.as_str())
            .collect();
        any += usize::from(!winners.is_empty());
        for name in winners {
            *better.entry(name).or_default() += 1;
        }
        for m in &report.models {
            *skill.entry(&m.name).or_default() += m.skill.unwrap_or(0.0) / runs as f64;
        }
    }
    println!("{runs} walks of {candles} candles, {horizon} steps ahead, predictability {predictability}\n");
    println!("| model | \"better than naive\" | mean skill |\n| --- | ---: | ---: |");
    for (name, mean) in &skill {
        let n = better.get(name).copied().unwrap_or(0);
        println!("| {name} | {n} ({:.1} %) | {:+.3} % |", 100.0 * n as f64 / runs as f64, 100.0 * mean);
    }
    println!("\nAny model in the table: {any} ({:.1} %)", 100.0 * any as f64 / runs as f64);
}

fn report(run: u64, (candles, predictability): (usize, f64), horizon: usize, models: &[String]) -> Report {
    let series = random_walk(candles, Seed(77).derive("walk", run), predictability);
    let from = Timestamp(series.open_time()[0]).plus_ms(SCORED_FROM * 3_600_000);
    let mut common = PipelineOptions::new(horizon);
    common.window = TrainWindow::Rolling { days: 100 };
    common.retrain_days = 25;
    let requests: Vec<ModelRequest> =
        models.iter().map(|id| ModelRequest { id: id.clone(), params: serde_json::Value::Null }).collect();
    let range = TimeRange { from, to: TimeRange::ALL.to };
    evaluate_series(&series, &requests, &common, range, Seed(run)).expect("a random walk can be evaluated")
}

fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|a| a != name).nth(1)
}
