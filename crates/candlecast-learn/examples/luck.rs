//! What luck does where nothing is there to be found: deflated Sharpe ratios and probabilities of overfitting of studies
//! in which no strategy is any good, sizes of tests by resampling, and how often confidence sets hold what they promise.
//!
//! A study tries strategies whose daily returns have Student's distribution with 5 degrees of freedom and a mean of 0;
//! any two of them have the same correlation. Values of the tests are an autoregression, or sums over as many steps as
//! there are ahead, as of outcomes that overlap. Models of the confidence sets have equal losses that overlap and share
//! the market, or one of them is better by a half of a standard deviation.
//!
//! `cargo run --release -p candlecast-learn --example luck -- --runs 1000`. Lines that begin with `required:` say what must
//! hold.

#![allow(clippy::print_stdout)]

use candlecast_core::{Seed, Stream};
use candlecast_learn::significance::{
    BlockSums, Blocks, EffectiveTrials, Overfitting, Performance, Resampler, Resamples, Serial, SharpeRatio, Statistic,
    block_lengths, confidence_set, confidence_set_by_cosines, mean_above_zero,
};
use rayon::prelude::*;

/// Draws behind a p-value.
const REPLICATES: usize = 399;
const SEED: Seed = Seed(2_028);

fn main() {
    let runs = argument("--runs", 1_000) as u64;
    deflated(runs);
    overfitting(runs);
    sizes(runs);
    sets(runs);
}

/// A line about what must hold.
fn required(what: &str, value: f64, held: bool) -> String {
    format!("required: {what}: {value:.2}: {}", if held { "held" } else { "missed" })
}

/// Lines below a table.
fn below(lines: &[String]) {
    println!();
    lines.iter().for_each(|line| println!("{line}"));
}

fn mean(values: impl ParallelIterator<Item = f64>, runs: u64) -> f64 {
    // Collected first, so that the sum has one order.
    values.collect::<Vec<f64>>().iter().sum::<f64>() / runs as f64
}

fn share(of: impl Fn(u64) -> bool + Send + Sync, runs: u64) -> f64 {
    100.0 * (0..runs).into_par_iter().filter(|&run| of(run)).count() as f64 / runs as f64
}

/// Returns of strategies without any skill, one series a strategy.
fn study(run: u64, trials: usize, days: usize, correlation: f64) -> Vec<Vec<f64>> {
    let mut rng = SEED.derive("study", run).stream();
    let market: Vec<f64> = (0..days).map(|_| rng.normal()).collect();
    let own = |rng: &mut Stream, market: &f64| {
        0.01 * (correlation.sqrt() * market + (1.0 - correlation).sqrt() * rng.student_t(5))
    };
    (0..trials).map(|_| market.iter().map(|market| own(&mut rng, market)).collect()).collect()
}

fn slices(columns: &[Vec<f64>]) -> Vec<&[f64]> {
    columns.iter().map(Vec::as_slice).collect()
}

fn deflated(runs: u64) {
    println!("Studies whose best strategy is above 0.95, of 365 days\n");
    println!("| strategies | correlation | studies | not deflated | by their number | by the effective number |");
    println!("| ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut worst: f64 = 0.0;
    for (trials, correlation) in [(5, 0.0), (5, 0.9), (10, 0.0), (10, 0.5), (10, 0.9), (50, 0.0), (50, 0.5), (50, 0.9)]
    {
        let probabilities = |run: u64| {
            let columns = study(run, trials, 365, correlation);
            let columns = slices(&columns);
            let ratios: Vec<SharpeRatio> = columns.iter().filter_map(|column| SharpeRatio::of(column)).collect();
            let n = ratios.len() as f64;
            let mean = ratios.iter().map(|ratio| ratio.sharpe).sum::<f64>() / n;
            let variance = ratios.iter().map(|ratio| (ratio.sharpe - mean).powi(2)).sum::<f64>() / (n - 1.0);
            let best = ratios.iter().max_by(|a, b| a.sharpe.total_cmp(&b.sharpe))?;
            let effective = EffectiveTrials::of(&columns)?.without_chance;
            Some([best.probability_above(0.0)?, best.deflated(n, variance)?, best.deflated(effective, variance)?])
        };
        let found: Vec<[f64; 3]> = (0..runs).into_par_iter().filter_map(probabilities).collect();
        let above = |k: usize| 100.0 * found.iter().filter(|p| p[k] > 0.95).count() as f64 / runs as f64;
        let [plain, by_number, by_effective] = [above(0), above(1), above(2)];
        println!("| {trials} | {correlation} | {runs} | {plain:.1} % | {by_number:.1} % | {by_effective:.1} % |");
        worst = worst.max(by_number);
    }
    let what = "deflated Sharpe ratios above 0.95 in at most 6.5 % of studies, by the number of strategies";
    below(&[required(what, worst, worst <= 6.5)]);
}

fn overfitting(runs: u64) {
    println!("\nProbability of backtest overfitting where no strategy is any good\n");
    println!("| strategies | correlation | days | blocks | ranked by | studies | mean | standard deviation |");
    println!("| ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: |");
    let mut lines = Vec::new();
    for (trials, correlation, days, blocks, performance) in [
        (10, 0.0, 480, 10, Performance::Sharpe),
        (50, 0.0, 480, 16, Performance::Sharpe),
        (50, 0.5, 480, 10, Performance::Sharpe),
        (5, 0.0, 90, 10, Performance::Mean),
        (2, 0.0, 90, 10, Performance::Mean),
    ] {
        let probability = |run: u64| {
            let columns = study(run, trials, days, correlation);
            Overfitting::of(&slices(&columns), blocks, performance).map_or(f64::NAN, |found| found.probability())
        };
        let found: Vec<f64> = (0..runs).into_par_iter().map(probability).collect();
        let middle = mean(found.par_iter().copied(), runs);
        let spread = mean(found.par_iter().map(|p| (p - middle).powi(2)), runs).sqrt();
        println!(
            "| {trials} | {correlation} | {days} | {blocks} | {performance:?} | {runs} | {middle:.3} | {spread:.3} |"
        );
        let what = format!("a mean of 0.5 within 0.05, {trials} strategies of correlation {correlation}");
        lines.push(required(&what, middle, (middle - 0.5).abs() <= 0.05));
    }
    below(&lines);
}

/// An autoregression, or sums over `horizon` steps.
fn values(rng: &mut Stream, n: usize, horizon: usize, memory: f64) -> Vec<f64> {
    const LEAD: usize = 300;
    let mut value = 0.0;
    let mut shock = || {
        value = memory * value + rng.normal();
        value
    };
    let shocks: Vec<f64> = (0..LEAD + n + horizon).map(|_| shock()).skip(LEAD).collect();
    let mut sum: f64 = shocks[..horizon].iter().sum();
    let scale = (horizon as f64).sqrt();
    let mut found = Vec::with_capacity(n);
    for i in 0..n {
        found.push(sum / scale);
        sum += shocks[i + horizon] - shocks[i];
    }
    found
}

fn sizes(runs: u64) {
    println!("\nTests at 5 % of a mean that is 0, both sides looked at\n");
    println!("| values | steps | memory | runs | stationary bootstrap | circular blocks | cosines |");
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let mut lines = Vec::new();
    // A bound where there are many independent values; where there are few, resamples stray too little.
    for (n, horizon, memory, most) in [
        (365, 1, 0.0, Some(6.5)),
        (2_160, 1, 0.5, Some(7.5)),
        (2_160, 24, 0.0, Some(7.5)),
        (8_760, 24, 0.0, Some(6.5)),
        (365, 1, 0.9, None),
        (720, 24, 0.0, None),
    ] {
        let rejections = |run: u64| {
            let x = values(&mut SEED.derive("sizes", run).stream(), n, horizon, memory);
            let lengths = block_lengths(&x)?;
            let by_blocks = |kind: Blocks, length: f64| {
                let sums = BlockSums::of(&[&x]);
                let resampler = Resampler::new(kind, n, length.max(2.0 * horizon as f64));
                let drawn = sums.replicated_means(&resampler, REPLICATES, SEED.derive("draws", run));
                Resamples::new(sums.means()[0], drawn).map(|resamples| resamples.p_value_of(0.0))
            };
            let by_cosines = mean_above_zero(&x, Serial { horizon, refit: 0 })?;
            Some([
                by_blocks(Blocks::Stationary, lengths.stationary)?,
                by_blocks(Blocks::Circular, lengths.circular)?,
                2.0 * by_cosines.p_value.min(by_cosines.other_side()),
            ])
        };
        let found: Vec<[f64; 3]> = (0..runs).into_par_iter().filter_map(rejections).collect();
        // Half of the two-sided rejections at 10 % are of either side.
        let of = |k: usize| 50.0 * found.iter().filter(|p| p[k] <= 0.1).count() as f64 / runs as f64;
        let [stationary, circular, cosines] = [of(0), of(1), of(2)];
        println!("| {n} | {horizon} | {memory} | {runs} | {stationary:.2} % | {circular:.2} % | {cosines:.2} % |");
        if let Some(most) = most {
            let what = format!("at most {most} % by resamples of {n} values over {horizon} steps");
            let worst = stationary.max(circular);
            lines.push(required(&what, worst, worst <= most));
        }
    }
    below(&lines);
}

/// Losses of models over `horizon` steps that share the market and are equal but for their edges.
fn losses(run: u64, n: usize, horizon: usize, edges: &[f64]) -> Vec<Vec<f64>> {
    let mut rng = SEED.derive("losses", run).stream();
    let market = values(&mut rng, n, horizon, 0.0);
    let of_model = |edge: &f64| -> Vec<f64> {
        let own = values(&mut rng, n, horizon, 0.0);
        own.iter().zip(&market).map(|(own, market)| 2.0 * market + own - edge).collect()
    };
    edges.iter().map(of_model).collect()
}

/// p-values of a model confidence set by resamples, in blocks that suit the differences.
fn set_by_blocks(losses: &[&[f64]], horizon: usize, statistic: Statistic, run: u64) -> Option<Vec<f64>> {
    let (n, models) = (losses[0].len(), losses.len() as f64);
    let mean: Vec<f64> = (0..n).map(|i| losses.iter().map(|loss| loss[i]).sum::<f64>() / models).collect();
    let length = |loss: &&[f64]| {
        let beside: Vec<f64> = loss.iter().zip(&mean).map(|(loss, mean)| loss - mean).collect();
        block_lengths(&beside).map_or(1.0, |lengths| lengths.stationary)
    };
    let length = losses.iter().map(length).fold(2.0 * horizon as f64, f64::max);
    let sums = BlockSums::of(losses);
    let resampler = Resampler::new(Blocks::Stationary, n, length);
    confidence_set(sums.means(), &sums.replicated_means(&resampler, REPLICATES, SEED.derive("draws", run)), statistic)
}

fn sets(runs: u64) {
    println!(
        "\n90 % confidence sets of six models: share of runs in which they hold all equal models, and models left where"
    );
    println!("one is better by half a standard deviation\n");
    println!("| origins | steps ahead | runs | way | hold all equals | left of six |");
    println!("| ---: | ---: | ---: | --- | ---: | ---: |");
    let mut least: f64 = 100.0;
    for (n, horizon) in [(500, 1), (720, 24), (2_160, 24), (8_760, 24)] {
        for (way, statistic) in
            [("cosines", None), ("resamples, T_R", Some(Statistic::Range)), ("resamples, T_max", Some(Statistic::Max))]
        {
            let p_values = |run: u64, edges: &[f64]| {
                let losses = losses(run, n, horizon, edges);
                let losses = slices(&losses);
                let found = match statistic {
                    None => confidence_set_by_cosines(
                        &losses,
                        Serial { horizon, refit: 0 },
                        REPLICATES,
                        SEED.derive("draws", run),
                    ),
                    Some(statistic) => set_by_blocks(&losses, horizon, statistic, run),
                };
                found.unwrap_or_default()
            };
            let held = share(|run| p_values(run, &[0.0; 6]).iter().all(|p| *p >= 0.1), runs);
            let left =
                |run: u64| p_values(run, &[0.5, 0.0, 0.0, 0.0, 0.0, 0.0]).iter().filter(|p| **p >= 0.1).count() as f64;
            let left = mean((0..runs).into_par_iter().map(left), runs);
            println!("| {n} | {horizon} | {runs} | {way} | {held:.1} % | {left:.2} |");
            if statistic.is_none() {
                least = least.min(held);
            }
        }
    }
    let what = "confidence sets by cosines hold all equal models in at least 85 % of runs";
    below(&[required(what, least, least >= 85.0)]);
}

fn argument(name: &str, default: usize) -> usize {
    let mut args = std::env::args().skip_while(|a| a != name);
    args.nth(1).and_then(|v| v.parse().ok()).unwrap_or(default)
}
