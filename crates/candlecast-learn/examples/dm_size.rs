//! Size of the Diebold-Mariano test where its null holds: two forecasts of equal expected loss.
//!
//! Returns are a random walk's; both forecasts are noise of the same variance, independent of each other and of
//! the market, held for a while as real forecasts are. Losses are absolute errors averaged over the steps, as in
//! reports. `cargo run --release -p candlecast-learn --example dm_size -- --runs 4000`

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use candlecast_core::Seed;
use candlecast_learn::significance::diebold_mariano;
use rayon::prelude::*;

fn main() {
    let runs = argument("--runs", 4_000);
    println!("| origins | steps ahead | runs | share rejected at 5 % | share rejected at 10 % |");
    println!("| ---: | ---: | ---: | ---: | ---: |");
    for (n, horizon) in [(1_000, 1), (144, 24), (240, 24), (720, 24), (2_000, 12), (2_000, 24), (8_760, 24)] {
        let p: Vec<f64> = (0..runs).into_par_iter().filter_map(|k| p_value(n, horizon, k as u64)).collect();
        let share = |level: f64| 100.0 * p.iter().filter(|&&p| p < level).count() as f64 / runs as f64;
        println!("| {n} | {horizon} | {runs} | {:.2} % | {:.2} % |", share(0.05), share(0.10));
    }
}

fn p_value(n: usize, horizon: usize, run: u64) -> Option<f64> {
    let mut rng = Seed(2026).derive("dm-size", run).stream();
    let returns: Vec<f64> = (0..n + horizon).map(|_| rng.student_t(5)).collect();
    let mut forecasts = [0.0, 0.0];
    let (mut a, mut b) = (Vec::with_capacity(n), Vec::with_capacity(n));
    for i in 0..n {
        for f in &mut forecasts {
            *f = 0.8 * *f + 0.6 * 0.3 * rng.normal();
        }
        let (mut sum, mut losses) = (0.0, [0.0; 2]);
        for h in 0..horizon {
            sum += returns[i + h];
            for (loss, f) in losses.iter_mut().zip(forecasts) {
                *loss += (sum - f * (h as f64 + 1.0).sqrt()).abs();
            }
        }
        a.push(losses[0] / horizon as f64);
        b.push(losses[1] / horizon as f64);
    }
    diebold_mariano(&a, &b, horizon).map(|t| t.p_value)
}

fn argument(name: &str, default: usize) -> usize {
    let mut args = std::env::args().skip_while(|a| a != name);
    args.nth(1).and_then(|v| v.parse().ok()).unwrap_or(default)
}
