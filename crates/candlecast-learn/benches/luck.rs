//! What luck explains, at the sizes that reports and searches have: the probability of backtest overfitting of 100
//! strategies in 16 blocks (12,870 splits), a model confidence set, and an interval by resampling.
//!
//! `cargo bench -p candlecast-learn -- NAME` runs the benches whose names hold NAME.

// criterion_group! makes a public function without documentation.
#![allow(missing_docs, unreachable_pub)]

use std::hint::black_box;

use candlecast_core::Seed;
use candlecast_learn::significance::{
    BlockSums, Blocks, Overfitting, Performance, Resampler, Serial, block_lengths, confidence_set_by_cosines,
};
use criterion::{Criterion, criterion_group, criterion_main};

fn noise(columns: usize, n: usize) -> Vec<Vec<f64>> {
    let mut rng = Seed(1).derive("bench", 0).stream();
    (0..columns).map(|_| (0..n).map(|_| rng.normal()).collect()).collect()
}

fn slices(matrix: &[Vec<f64>]) -> Vec<&[f64]> {
    matrix.iter().map(Vec::as_slice).collect()
}

fn overfitting(c: &mut Criterion) {
    let mut group = c.benchmark_group("cscv");
    group.sample_size(10);
    let matrix = noise(100, 1_280);
    let trials = slices(&matrix);
    for (performance, name) in [(Performance::Sharpe, "sharpe"), (Performance::Mean, "mean")] {
        group.bench_function(format!("100_strategies_16_blocks_{name}"), |b| {
            b.iter(|| Overfitting::of(black_box(&trials), 16, performance).expect("the blocks are even"));
        });
    }
    group.finish();
}

fn resampling(c: &mut Criterion) {
    let mut group = c.benchmark_group("year_of_hours");
    group.sample_size(10);
    let matrix = noise(10, 8_760);
    let losses = slices(&matrix);
    let serial = Serial { horizon: 24, refit: 168 };
    group.bench_function("confidence_set_10_models", |b| {
        b.iter(|| confidence_set_by_cosines(black_box(&losses), serial, 1_000, Seed(1)).expect("ten series"));
    });
    group.bench_function("block_lengths", |b| b.iter(|| block_lengths(black_box(losses[0])).expect("noise varies")));
    let (sums, resampler) = (BlockSums::of(&losses[..3]), Resampler::new(Blocks::Stationary, 8_760, 60.0));
    group.bench_function("replicated_means_3_series", |b| {
        b.iter(|| black_box(&sums).replicated_means(&resampler, 1_000, Seed(1)));
    });
    group.finish();
}

criterion_group!(benches, overfitting, resampling);
criterion_main!(benches);
