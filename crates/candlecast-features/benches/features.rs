//! Every listed feature, and the default set, over a million generated candles.
//!
//! `cargo bench -p candlecast-features -- NAME` runs the benches whose names hold NAME. The peer is
//! `bench-peers/features.py`: TA-Lib's C library called from Python on the same functions.

#![allow(clippy::unwrap_used, clippy::print_stdout)]
// criterion_group! makes a public function without documentation.
#![allow(missing_docs, unreachable_pub)]

use std::hint::black_box;
use std::time::Duration;

use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{FeatureSet, FilledSeries, Interval};
use candlecast_features::{Engine, Observation, catalog};
use criterion::{Criterion, criterion_group, criterion_main};

const CANDLES: usize = 1_000_000;

fn million() -> FilledSeries {
    let config = MarketConfig {
        coins: vec![("BTCUSDT", 30_000.0)],
        interval: Interval::M1,
        n_candles: CANDLES,
        ..MarketConfig::default()
    };
    FilledSeries::new(&generate(&config)[0].series, 3)
}

fn every_feature(c: &mut Criterion) {
    let series = million();
    let segment = series.segment(0..series.len());
    let mut group = c.benchmark_group("feature_1m");
    group.sample_size(10).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    for spec in catalog() {
        for params in spec.listed {
            let indicator = spec.build(params).expect("listed parameters are valid");
            let mut columns = vec![vec![0.0; series.len()]; spec.outputs.len()];
            group.bench_function(spec.id_with(params), |b| {
                b.iter(|| {
                    let mut out: Vec<&mut [f64]> = columns.iter_mut().map(Vec::as_mut_slice).collect();
                    indicator.compute(black_box(&segment), &mut out);
                });
            });
        }
    }
    group.finish();
}

fn default_set(c: &mut Criterion) {
    let series = million();
    let engine = Engine::new(&FeatureSet::of(&["default"])).expect("a known name");
    let mut group = c.benchmark_group("set_1m");
    group.sample_size(10).measurement_time(Duration::from_secs(5));
    group.bench_function("default", |b| b.iter(|| black_box(engine.compute(black_box(&series)))));
    group.bench_function("default_one_thread", |b| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("one thread can be started");
        b.iter(|| pool.install(|| black_box(engine.compute(black_box(&series)))));
    });
    group.finish();
}

fn live(c: &mut Criterion) {
    let series = million();
    let engine = Engine::new(&FeatureSet::of(&["default"])).expect("a known name");
    let history = series.segment(0..5_000);
    let next = Observation::of(&series.segment(0..series.len()), 5_000);
    let mut group = c.benchmark_group("stream");
    let mut stream = engine.open(&history);
    group.bench_function("default_update", |b| b.iter(|| black_box(stream.update(black_box(&next)))));
    let stream = engine.open(&history);
    group.bench_function("default_peek", |b| b.iter(|| black_box(stream.peek(black_box(&next)))));
    group.finish();
}

criterion_group!(benches, every_feature, default_set, live);
criterion_main!(benches);
