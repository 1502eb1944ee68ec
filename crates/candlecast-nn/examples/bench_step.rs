//! Training steps, single inferences and a whole fit, one JSON line each: `bench`, `variant`, `median_ms`, `runs`.
//!
//! usage: `bench_step [BENCH,…] [SCALE]`: only the shapes named; SCALE multiplies the counts of runs.
//!
//! A step is forward, mean squared error, backward and Adam, on every instruction set of the processor, with two
//! threads and with one. `gflops` counts the products of the layers, `sgemm_peak_gflops` is what the library's
//! matrix product reaches with as many threads. The peer is `bench-peers/nn_step.py`.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "figures are what it is for")]

use std::sync::Arc;
use std::time::Instant;

use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{FeatureTable, FilledSeries, Seed};
use candlecast_learn::{Dataset, Extent, FitContext, Market, Panel, SampleId, Samples, ScalerKind, Silent, Task};
use candlecast_nn::{
    AdamConfig, Cell, Isa, Loss, OptimizerKind, Session, SessionBatch, SessionConfig, Shape, catalog, sgemm,
};
use serde_json::json;

/// A shape to be measured.
struct Bench {
    name: &'static str,
    cell: Cell,
    inputs: usize,
    hidden: &'static [usize],
    steps: usize,
    batch: usize,
    dropout: f64,
    warm_up: usize,
    runs: usize,
}

const fn bench(
    name: &'static str,
    (cell, inputs, hidden, steps): (Cell, usize, &'static [usize], usize),
    (batch, dropout): (usize, f64),
    (warm_up, runs): (usize, usize),
) -> Bench {
    Bench { name, cell, inputs, hidden, steps, batch, dropout, warm_up, runs }
}

const BENCHES: &[Bench] = &[
    bench("lstm-5-32-t20-b32", (Cell::Lstm, 5, &[32], 20), (32, 0.0), (300, 2000)),
    bench("gru-5-32-t20-b32", (Cell::Gru, 5, &[32], 20), (32, 0.0), (300, 2000)),
    bench("lstm-12-50x30-t24-b32", (Cell::Lstm, 12, &[50, 30], 24), (32, 0.0), (100, 600)),
    bench("gru-12-50x30-t24-b32", (Cell::Gru, 12, &[50, 30], 24), (32, 0.0), (100, 600)),
    bench("lstm-45-128x128-t60-b64", (Cell::Lstm, 45, &[128, 128], 60), (64, 0.2), (4, 31)),
    bench("gru-45-128x128-t60-b64", (Cell::Gru, 45, &[128, 128], 60), (64, 0.2), (4, 31)),
    bench("lstm-45-128x128-t60-b256", (Cell::Lstm, 45, &[128, 128], 60), (256, 0.2), (2, 9)),
    bench("gru-45-128x128-t60-b256", (Cell::Gru, 45, &[128, 128], 60), (256, 0.2), (2, 9)),
];

/// Single inferences timed together: one alone is near the clock's resolution.
const INFERENCES_AT_ONCE: usize = 20;
/// Side of the square matrices that the peak is measured with.
const PEAK_SIDE: usize = 1024;
/// Hourly candles of a year.
const YEAR: usize = 8760;
const FIT: &str = "fit-lstm-100-epochs-8760";

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn milliseconds(runs: usize, warm_up: usize, mut work: impl FnMut()) -> f64 {
    (0..warm_up).for_each(|_| work());
    let time = |work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e3
    };
    median((0..runs).map(|_| time(&mut work)).collect())
}

/// Billions of multiplications and additions a second that `threads` independent products reach together.
fn sgemm_peak(threads: usize) -> f64 {
    let n = PEAK_SIDE;
    let work = || {
        let (a, b, mut c) = (vec![1.0_f32; n * n], vec![0.5_f32; n * n], vec![0.0_f32; n * n]);
        move || sgemm(&mut c, &a, &b, (n, n, n))
    };
    let each = std::thread::scope(|scope| {
        let measure = || milliseconds(9, 2, work());
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(measure)).collect();
        let mine = measure();
        others.into_iter().map(|t| t.join().expect("a product does not panic")).fold(mine, f64::max)
    });
    threads as f64 * 2.0 * (n as f64).powi(3) / each / 1e6
}

fn normals(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = Seed(seed).stream();
    (0..n).map(|_| rng.normal() as f32).collect()
}

fn session(bench: &Bench, isa: Isa, threads: usize) -> Session {
    let shape =
        Shape { cell: bench.cell, inputs: bench.inputs, hidden: bench.hidden.to_vec(), outputs: 1, steps: bench.steps };
    Session::new(SessionConfig {
        shape,
        loss: Loss::Mse,
        adam: AdamConfig { kind: OptimizerKind::Adam, ..AdamConfig::default() },
        dropout: bench.dropout,
        batch_size: bench.batch,
        threads,
        isa,
        seed: Seed(1),
    })
    .expect("the shapes are valid and the instruction set is there")
}

fn variant(isa: Isa, threads: usize) -> String {
    format!("{isa}, {threads} thread{}", if threads == 1 { "" } else { "s" })
}

fn train(bench: &Bench, isa: Isa, threads: usize, scale: f64, peak: f64) {
    let mut session = session(bench, isa, threads);
    let shape = session.config().shape.clone();
    let inputs = normals(bench.batch * bench.steps * bench.inputs, 2);
    let batch = SessionBatch::of_values(&shape, inputs, normals(bench.batch, 3)).expect("the lengths agree");
    let runs = ((bench.runs as f64 * scale) as usize).max(3);
    let ms = milliseconds(runs, bench.warm_up, || {
        session.step(&batch).expect("losses of normal numbers are finite");
    });
    let gflops = shape.training_flops(bench.batch) / ms / 1e6;
    let line = json!({
        "bench": format!("train-{}", bench.name), "variant": variant(isa, threads), "median_ms": ms, "runs": runs,
        "isa": isa.id(), "threads": threads, "gflops": gflops.round(), "sgemm_peak_gflops": peak.round(),
    });
    println!("{line}");
}

fn infer(bench: &Bench, isa: Isa, scale: f64) {
    let mut session = session(bench, isa, 1);
    let window = normals(bench.steps * bench.inputs, 2);
    let runs = ((bench.runs as f64 * scale) as usize).max(20);
    let mut out = [0.0];
    let ms = milliseconds(runs, bench.warm_up, || {
        for _ in 0..INFERENCES_AT_ONCE {
            session.predict_into(&window, &mut out).expect("the lengths agree");
        }
    }) / INFERENCES_AT_ONCE as f64;
    let line = json!({
        "bench": format!("infer-{}", bench.name), "variant": isa.id(), "median_ms": ms, "runs": runs,
        "isa": isa.id(), "threads": 1, "inference_us": ms * 1e3,
    });
    println!("{line}");
}

/// A year of hourly candles with five scaled features.
fn year() -> (Dataset, Vec<SampleId>) {
    let config = MarketConfig { n_candles: YEAR + 100, ..MarketConfig::default() };
    let market = Arc::new(Market::new(FilledSeries::new(&generate(&config)[0].series, 3)));
    let c = market.series().columns();
    let ratio = |v: &[f64]| v.iter().zip(&c.close).map(|(v, close)| (v / close).ln()).collect::<Vec<f64>>();
    let change = std::iter::once(0.0).chain(c.close.windows(2).map(|w| (w[1] / w[0]).ln())).collect();
    let table = FeatureTable {
        names: ["open", "high", "low", "change", "volume"].map(String::from).to_vec(),
        columns: vec![
            ratio(&c.open),
            ratio(&c.high),
            ratio(&c.low),
            change,
            c.volume.iter().map(|v| v.ln_1p()).collect(),
        ],
    };
    let n = market.series().len();
    let raw = Dataset::single(Panel::new(Arc::clone(&market), &table));
    let ids: Vec<SampleId> = (0..n as u32)
        .map(|row| SampleId { panel: 0, row })
        .filter(|id| raw.panels()[0].is_origin(id.row as usize, 20) && market.has_targets(id.row as usize, 24))
        .take(YEAR)
        .collect();
    let scaler = ScalerKind::Standard.fit(&raw, &ids, 20, None);
    (Dataset::single(scaler.apply_panel(&raw.panels()[0], 0..n)), ids)
}

fn fit(threads: usize) {
    let (data, ids) = year();
    let lstm = catalog().iter().find(|e| e.id == "lstm").expect("the catalog has it");
    let learner = lstm.build(&json!({})).expect("defaults are valid");
    let samples = Samples::new(&data, &ids, learner.lookback(), Task::Price { horizon: 24 }, None);
    let start = Instant::now();
    let mut cx = FitContext {
        seed: Seed(1),
        valid: None,
        threads,
        warm: None,
        resume: None,
        extent: Extent::default(),
        observer: &mut Silent,
    };
    let outcome = learner.fit(&samples, &mut cx).expect("a generated year can be fitted");
    let ms = start.elapsed().as_secs_f64() * 1e3;
    let line = json!({
        "bench": FIT, "variant": variant(Isa::best(), threads), "median_ms": ms, "runs": 1, "epochs": outcome.steps,
        "samples": samples.len(), "threads": threads,
    });
    println!("{line}");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted: Vec<&str> = arguments.first().map_or(vec![], |a| a.split(',').filter(|w| !w.is_empty()).collect());
    let scale: f64 = arguments.get(1).and_then(|a| a.parse().ok()).unwrap_or(1.0);
    let is_wanted = |name: &str| wanted.is_empty() || wanted.contains(&name);
    let isas = || Isa::ALL.into_iter().rev().filter(|isa| isa.is_available());
    let peaks = [sgemm_peak(1), sgemm_peak(2)];
    for bench in BENCHES.iter().filter(|b| is_wanted(b.name)) {
        for isa in isas() {
            for threads in [2, 1] {
                train(bench, isa, threads, scale, peaks[threads - 1]);
            }
            infer(bench, isa, scale);
        }
    }
    if is_wanted(FIT) {
        fit(2);
        fit(1);
    }
}
