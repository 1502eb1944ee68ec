//! Every listed feature over a million generated candles, and the default set candle by candle.
//!
//! `cargo bench -p candlecast-features -- NAME` runs the benches whose names hold NAME. The default set over all
//! candles, and the functions of TA-Lib beside their peer, are measured by the example `bench_features`.

#![allow(clippy::unwrap_used, clippy::print_stdout)]
// criterion_group! makes a public function without documentation.
#![allow(missing_docs, unreachable_pub)]

mod million;

use std::hint::black_box;
use std::time::Duration;

use candlecast_core::FeatureSet;
use candlecast_features::{Engine, Observation, catalog};
use criterion::{Criterion, criterion_group, criterion_main};

use million::million;

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

criterion_group!(benches, every_feature, live);
criterion_main!(benches);
