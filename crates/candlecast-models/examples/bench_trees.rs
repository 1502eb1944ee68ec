//! Speed and accuracy of boosted trees and forests at two threads, to be set beside XGBoost and scikit-learn.
//!
//! `bench_trees FOLDER` writes each data set into a folder of its own below FOLDER (`x.f32` row-major little endian,
//! `y.f32`, `yb.f32` with classes 0 and 1, `meta.json` with `n`, `p`, `n_train`), fits on the first `n_train` rows
//! and prints a JSON line a bench: median milliseconds of the fit, bins included, and the error on the other rows.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "its output is its purpose")]

use std::path::Path;
use std::time::Instant;

use candlecast_core::Seed;
use candlecast_learn::FitError;
use candlecast_models::{ForestConfig, ForestKind, GbdtConfig, Matrix, Objective};

const FEATURES: usize = 45;
const THREADS: usize = 2;

struct Data {
    name: String,
    n_train: usize,
    x: Vec<f32>,
    y: Vec<f32>,
    binary: Vec<f32>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("usage: bench_trees FOLDER")?;
    for (n, runs) in [(8_760, 5), (50_000, 3)] {
        let data = generate(n);
        write(&Path::new(&folder).join(&data.name), &data)?;
        bench(&data, runs)?;
    }
    Ok(())
}

/// Normal features, of which five carry a Friedman #1 signal in their distribution functions' stead.
fn generate(n: usize) -> Data {
    let mut rng = Seed(45).derive("bench-trees", n as u64).stream();
    let x: Vec<f32> = (0..n * FEATURES).map(|_| rng.normal() as f32).collect();
    let (mut y, mut binary) = (Vec::with_capacity(n), Vec::with_capacity(n));
    for row in x.chunks_exact(FEATURES) {
        let u: Vec<f64> = row[..5].iter().map(|&v| 1.0 / (1.0 + (-1.7 * f64::from(v)).exp())).collect();
        let signal =
            10.0 * (std::f64::consts::PI * u[0] * u[1]).sin() + 20.0 * (u[2] - 0.5).powi(2) + 10.0 * u[3] + 5.0 * u[4];
        y.push((signal + 2.0 * rng.normal()) as f32);
        binary.push(if rng.uniform() < 1.0 / (1.0 + (14.0 - signal).exp()) { 1.0 } else { 0.0 });
    }
    Data { name: format!("{n}x{FEATURES}"), n_train: n * 4 / 5, x, y, binary }
}

fn write(folder: &Path, data: &Data) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (name, values) in [("x", &data.x), ("y", &data.y), ("yb", &data.binary)] {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        std::fs::write(folder.join(format!("{name}.f32")), bytes)?;
    }
    let meta = serde_json::json!({ "n": data.y.len(), "p": FEATURES, "n_train": data.n_train });
    std::fs::write(folder.join("meta.json"), meta.to_string())
}

fn bench(data: &Data, runs: usize) -> Result<(), FitError> {
    let cut = data.n_train * FEATURES;
    let (train, test) = (Matrix::new(&data.x[..cut], FEATURES)?, Matrix::new(&data.x[cut..], FEATURES)?);
    let (y, y_test) = data.y.split_at(data.n_train);
    let (binary, binary_test) = data.binary.split_at(data.n_train);
    let gbdt = GbdtConfig::default();
    let forest = ForestConfig::default();

    let (ms, model) = timed(runs, || gbdt.fit_matrix((&train, y), None, Objective::Squared, Seed(1), THREADS))?;
    report(data, "gbdt", ms, runs, "rmse", rmse(&model.predict_matrix(&test), y_test));
    let (ms, model) = timed(runs, || gbdt.fit_matrix((&train, binary), None, Objective::Logistic, Seed(1), THREADS))?;
    report(data, "gbdt_binary", ms, runs, "auc", auc(&model.predict_matrix(&test), binary_test));
    let one = ForestKind::Regression { outputs: 1 };
    let (ms, model) = timed(runs, || forest.fit_matrix(&train, y, one, Seed(1), THREADS))?;
    report(data, "forest", ms, runs, "rmse", rmse(&model.predict_matrix(&test), y_test));
    let two = ForestKind::Classes { classes: 2 };
    let (ms, model) = timed(runs, || forest.fit_matrix(&train, binary, two, Seed(1), THREADS))?;
    let of_one: Vec<f64> = model.predict_matrix(&test).chunks_exact(2).map(|p| p[1]).collect();
    report(data, "forest_binary", ms, runs, "auc", auc(&of_one, binary_test));
    Ok(())
}

fn report(data: &Data, bench: &str, median_ms: f64, runs: usize, measure: &str, value: f64) {
    let bench = format!("{bench}_{}", data.name);
    println!("{}", serde_json::json!({ "bench": bench, "median_ms": median_ms, measure: value, "runs": runs }));
}

/// Median milliseconds of `runs` fits, and the last model.
fn timed<T>(runs: usize, mut fit: impl FnMut() -> Result<T, FitError>) -> Result<(f64, T), FitError> {
    let mut times = Vec::with_capacity(runs);
    loop {
        let start = Instant::now();
        let model = fit()?;
        times.push(start.elapsed().as_secs_f64() * 1000.0);
        if times.len() >= runs {
            times.sort_by(f64::total_cmp);
            return Ok((times[times.len() / 2], model));
        }
    }
}

fn rmse(forecast: &[f64], y: &[f32]) -> f64 {
    let sum: f64 = forecast.iter().zip(y).map(|(f, &y)| (f - f64::from(y)).powi(2)).sum();
    (sum / y.len() as f64).sqrt()
}

/// Area under the ROC curve from the rank sum of the positives; scores are taken to be distinct.
fn auc(score: &[f64], y: &[f32]) -> f64 {
    let mut order: Vec<usize> = (0..score.len()).collect();
    order.sort_by(|&a, &b| score[a].total_cmp(&score[b]));
    let positive: f64 = y.iter().map(|&v| f64::from(v)).sum();
    let rank_sum: f64 = order.iter().enumerate().map(|(rank, &i)| (rank + 1) as f64 * f64::from(y[i])).sum();
    (rank_sum - positive * (positive + 1.0) / 2.0) / (positive * (y.len() as f64 - positive))
}
