//! Size of the Diebold-Mariano test where its null holds: two forecasts of equal expected loss.
//!
//! Returns are a random walk's, with constant volatility or with volatility that comes in clusters; both forecasts are
//! noise of 0.3 of the size of the outcome, independent of each other and of the market. How alike a forecast is to the
//! one before it is its memory: 0.8 has a half-life of 3 candles, 0.98 of 34, 0.995 of 138 and 0.998 of 346. Losses are
//! absolute errors in units of `sigma sqrt(h)`, averaged over the steps, as in reports; a week of hourly candles lies
//! between refits. `cargo run --release -p candlecast-learn --example dm_size -- --runs 4000`

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use candlecast_core::{Seed, SigmaState, Stream};
use candlecast_learn::significance::{Serial, diebold_mariano};
use rayon::prelude::*;

/// Origins, steps ahead and memory.
type Case = (usize, usize, f64);

/// With constant volatility.
const CONSTANT: [Case; 8] = [
    (1_000, 1, 0.8),
    (144, 24, 0.8),
    (240, 24, 0.8),
    (720, 24, 0.8),
    (2_000, 12, 0.8),
    (2_000, 24, 0.8),
    (8_760, 24, 0.8),
    (2_160, 24, 0.995),
];

/// With clustered volatility.
const CLUSTERED: [Case; 18] = [
    (720, 24, 0.8),
    (720, 24, 0.98),
    (720, 24, 0.995),
    (720, 24, 0.998),
    (2_160, 24, 0.8),
    (2_160, 24, 0.98),
    (2_160, 24, 0.995),
    (2_160, 24, 0.998),
    (8_000, 24, 0.8),
    (8_000, 24, 0.98),
    (8_000, 24, 0.995),
    (8_000, 24, 0.998),
    (26_000, 24, 0.995),
    (26_000, 24, 0.998),
    (2_160, 1, 0.8),
    (2_160, 1, 0.995),
    (8_000, 1, 0.8),
    (8_000, 1, 0.995),
];

/// First values of a market, over which its volatility becomes known.
const LEAD: usize = 300;
/// Candles between refits.
const REFIT: usize = 168;

fn main() {
    let runs = argument("--runs", 4_000);
    println!("| volatility | origins | steps ahead | memory | runs | share rejected at 5 % | share rejected at 10 % |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    let cases = CONSTANT.map(|case| ("constant", case)).into_iter().chain(CLUSTERED.map(|case| ("clustered", case)));
    for (volatility, (n, horizon, memory)) in cases {
        let clustered = volatility == "clustered";
        let p: Vec<f64> =
            (0..runs).into_par_iter().filter_map(|run| p_value((n, horizon, memory), clustered, run as u64)).collect();
        let share = |level: f64| 100.0 * p.iter().filter(|&&p| p < level).count() as f64 / runs as f64;
        let (at_5, at_10) = (share(0.05), share(0.10));
        println!("| {volatility} | {n} | {horizon} | {memory} | {runs} | {at_5:.2} % | {at_10:.2} % |");
    }
}

fn p_value((n, horizon, memory): Case, clustered: bool, run: u64) -> Option<f64> {
    let mut rng = Seed(2026).derive("dm-size", run).stream();
    let volatility = slow(&mut rng, LEAD + n + horizon, 0.98);
    let size = |v: &f64| if clustered { 0.01 * (0.5 * v).exp() } else { 0.01 };
    let returns: Vec<f64> = volatility.iter().map(|v| size(v) * rng.student_t(5)).collect();
    let (mut state, mut close) = (SigmaState::default(), 0.0);
    let known = |r: &f64| {
        close += r;
        state.step(close)
    };
    let sigma: Vec<f64> = returns.iter().map(known).collect();
    let forecasts = [slow(&mut rng, n, memory), slow(&mut rng, n, memory)];
    let roots: Vec<f64> = (1..=horizon).map(|h| (h as f64).sqrt()).collect();
    let losses = |forecasts: &[f64]| -> Vec<f64> {
        let of_origin = |(i, forecast): (usize, &f64)| {
            let origin = LEAD + i - 1;
            let mut outcome = 0.0;
            let mut loss = 0.0;
            for (r, root) in returns[origin + 1..=origin + horizon].iter().zip(&roots) {
                outcome += r;
                loss += (outcome / (sigma[origin] * root) - 0.3 * forecast).abs();
            }
            loss / horizon as f64
        };
        forecasts.iter().enumerate().map(of_origin).collect()
    };
    let serial = Serial { horizon, refit: REFIT };
    diebold_mariano(&losses(&forecasts[0]), &losses(&forecasts[1]), serial).map(|t| t.p_value)
}

/// An autoregression of unit variance.
fn slow(rng: &mut Stream, n: usize, memory: f64) -> Vec<f64> {
    let fresh = (1.0 - memory * memory).sqrt();
    let mut value = rng.normal();
    let mut values = Vec::with_capacity(n);
    for _ in 0..n {
        values.push(value);
        value = memory * value + fresh * rng.normal();
    }
    values
}

fn argument(name: &str, default: usize) -> usize {
    let mut args = std::env::args().skip_while(|a| a != name);
    args.nth(1).and_then(|v| v.parse().ok()).unwrap_or(default)
}
