//! Speed and accuracy of boosted trees and forests on two threads, to be set beside XGBoost and scikit-learn.
//!
//! usage: `bench_trees FOLDER [RUNS]`
//!
//! Fits on the first `trainRows` rows of each set and prints a JSON line a bench: median milliseconds of the fit,
//! bins included, and the error on the other rows. For the peer, `bench-peers/trees.py`, FOLDER gets `trees.json`
//! (settings and sets) and a file of samples for each set: little-endian f32, one sample a row, the features, the
//! regression target, the class (0 or 1).

#![allow(clippy::print_stdout, reason = "figures are what it is for")]

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use candlecast_core::Seed;
use candlecast_learn::FitError;
use candlecast_models::{ForestConfig, ForestKind, GbdtConfig, Matrix, Objective};
use serde_json::{Value, json};

const FEATURES: usize = 45;
const THREADS: usize = 2;
const SEED: u64 = 1;
const RUNS: usize = 1;

/// What is fitted on one set.
struct Plan {
    rows: usize,
    gbdt: GbdtConfig,
    forest: ForestConfig,
}

/// A year of hourly samples, and a larger set with fewer trees: the peers' forest takes seconds, not minutes.
fn plans() -> [Plan; 2] {
    // Every round is done, as in the peer without a validation part.
    let gbdt = |rounds| GbdtConfig {
        rounds,
        patience: 0,
        lambda: Some(1.0),
        min_child_weight: Some(1.0),
        ..GbdtConfig::default()
    };
    let forest = |trees| ForestConfig { trees, max_features: Some(FEATURES / 3), ..ForestConfig::default() };
    [
        Plan { rows: 8_760, gbdt: gbdt(300), forest: forest(100) },
        Plan { rows: 50_000, gbdt: gbdt(100), forest: forest(30) },
    ]
}

impl Plan {
    fn name(&self) -> String {
        format!("{}x{FEATURES}", self.rows)
    }

    fn train_rows(&self) -> usize {
        self.rows * 4 / 5
    }

    fn file(&self) -> String {
        format!("{}.f32", self.name())
    }

    /// As in `trees.json`.
    fn document(&self) -> Value {
        let Self { gbdt, forest, .. } = self;
        json!({
            "name": self.name(), "file": self.file(), "rows": self.rows, "trainRows": self.train_rows(),
            "gbdt": {
                "rounds": gbdt.rounds, "maxDepth": gbdt.max_depth, "learningRate": gbdt.learning_rate,
                "lambda": gbdt.lambda, "minChildWeight": gbdt.min_child_weight, "bins": gbdt.max_bins,
            },
            "forest": {
                "trees": forest.trees, "maxDepth": forest.max_depth, "minLeaf": forest.min_leaf,
                "maxFeatures": forest.max_features,
            },
        })
    }
}

struct Data {
    x: Vec<f32>,
    y: Vec<f32>,
    class: Vec<f32>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = Path::new(arguments.first().ok_or("usage: bench_trees FOLDER [RUNS]")?);
    let runs = arguments.get(1).map_or(Ok(RUNS), |runs| runs.parse())?.max(1);
    std::fs::create_dir_all(folder)?;
    let plans = plans();
    let header = json!({
        "features": FEATURES, "threads": THREADS, "seed": SEED, "runs": runs,
        "sets": plans.iter().map(Plan::document).collect::<Vec<_>>(),
    });
    std::fs::write(folder.join("trees.json"), header.to_string())?;
    for plan in &plans {
        let data = generate(plan.rows);
        write(&folder.join(plan.file()), &data)?;
        bench(plan, &data, runs)?;
    }
    Ok(())
}

/// Normal features, of which five carry a Friedman #1 signal in their distribution functions' stead.
fn generate(n: usize) -> Data {
    let mut rng = Seed(45).derive("bench-trees", n as u64).stream();
    let x: Vec<f32> = (0..n * FEATURES).map(|_| rng.normal() as f32).collect();
    let (mut y, mut class) = (Vec::with_capacity(n), Vec::with_capacity(n));
    for row in x.chunks_exact(FEATURES) {
        let u: Vec<f64> = row[..5].iter().map(|&v| 1.0 / (1.0 + (-1.7 * f64::from(v)).exp())).collect();
        let signal =
            10.0 * (std::f64::consts::PI * u[0] * u[1]).sin() + 20.0 * (u[2] - 0.5).powi(2) + 10.0 * u[3] + 5.0 * u[4];
        y.push((signal + 2.0 * rng.normal()) as f32);
        class.push(if rng.uniform() < 1.0 / (1.0 + (14.0 - signal).exp()) { 1.0 } else { 0.0 });
    }
    Data { x, y, class }
}

fn write(path: &Path, data: &Data) -> std::io::Result<()> {
    let mut bytes = Vec::with_capacity(4 * (data.x.len() + 2 * data.y.len()));
    for (row, targets) in data.x.chunks_exact(FEATURES).zip(data.y.iter().zip(&data.class)) {
        for value in row.iter().chain([targets.0, targets.1]) {
            bytes.extend(value.to_le_bytes());
        }
    }
    std::fs::write(path, bytes)
}

fn bench(plan: &Plan, data: &Data, runs: usize) -> Result<(), FitError> {
    let (cut, seed) = (plan.train_rows() * FEATURES, Seed(SEED));
    let (train, test) = (Matrix::new(&data.x[..cut], FEATURES)?, Matrix::new(&data.x[cut..], FEATURES)?);
    let (y, y_test) = data.y.split_at(plan.train_rows());
    let (class, class_test) = data.class.split_at(plan.train_rows());

    let fit = || plan.gbdt.fit_matrix((&train, y), None, Objective::Squared, seed, THREADS);
    let (ms, model) = timed(runs, fit)?;
    report(plan, "gbdt-regression", (ms, runs), "rmse", rmse(&model.predict_matrix(&test), y_test));

    let fit = || plan.gbdt.fit_matrix((&train, class), None, Objective::Logistic, seed, THREADS);
    let (ms, model) = timed(runs, fit)?;
    report(plan, "gbdt-class", (ms, runs), "auc", auc(&model.predict_matrix(&test), class_test));

    let one = ForestKind::Regression { outputs: 1 };
    let (ms, model) = timed(runs, || plan.forest.fit_matrix(&train, y, one, seed, THREADS))?;
    report(plan, "forest-regression", (ms, runs), "rmse", rmse(&model.predict_matrix(&test), y_test));
    Ok(())
}

fn report(plan: &Plan, bench: &str, (median_ms, runs): (f64, usize), measure: &str, value: f64) {
    let bench = format!("{bench}-{}", plan.name());
    let rounded = (1e6 * value).round() / 1e6;
    println!("{}", json!({ "bench": bench, "variant": "", "median_ms": median_ms, "runs": runs, measure: rounded }));
}

/// Median milliseconds of `runs` fits, and the last model.
fn timed<T>(runs: usize, mut fit: impl FnMut() -> Result<T, FitError>) -> Result<(f64, T), FitError> {
    let mut times = Vec::with_capacity(runs);
    loop {
        let start = Instant::now();
        let model = fit()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
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
