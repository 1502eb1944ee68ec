//! Searches over functions that are cheap, one JSON line each: `bench` (function and sampler), `median_ms` of a whole
//! search, `runs`, and `best`, the median of the best values over the seeds; of `tpe` also `p_random`, the p-value of the
//! hypothesis that it is no better than `random` (Mann and Whitney).
//!
//! usage: `bench_tune [SEEDS] [TRIALS]`. The peer is `bench-peers/tune.py`.

#![allow(clippy::print_stdout, reason = "figures are what it is for")]

mod functions;
mod rank_sum;

use std::time::Instant;

use candlecast_core::Seed;
use candlecast_tune::{Ask, Goal, KeepAll, Outcome, Random, Sampler, Study, StudyPlan, TpeConfig};
use serde_json::json;

use functions::{FUNCTIONS, Function};
use rank_sum::rank_sum_p;

const SEEDS: u64 = 30;
const TRIALS: u32 = 100;

/// The best values of a search for each seed, and the milliseconds that each took.
fn search(function: &Function, sampler: fn() -> Box<dyn Sampler>, seeds: u64, trials: u32) -> (Vec<f64>, Vec<f64>) {
    let one = |seed: u64| {
        let start = Instant::now();
        let plan = StudyPlan {
            space: (function.space)(),
            goals: vec![Goal::Minimize],
            sampler: sampler(),
            pruner: Box::new(KeepAll),
            trials,
            parallel: 1,
            seed: Seed(seed),
        };
        let mut study = Study::new(plan).expect("a valid plan");
        while let Ask::Trial { number, params } = study.ask() {
            study.tell(number, Outcome::Complete(vec![(function.loss)(&params)])).expect("a trial that runs");
        }
        let best = study.best().expect("a trial that is complete").values[0];
        (best, start.elapsed().as_secs_f64() * 1e3)
    };
    (0..seeds).map(one).unzip()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

fn main() {
    let mut given = std::env::args().skip(1);
    let seeds = given.next().and_then(|word| word.parse().ok()).unwrap_or(SEEDS);
    let trials = given.next().and_then(|word| word.parse().ok()).unwrap_or(TRIALS);
    for function in &FUNCTIONS {
        let (tpe, tpe_times) = search(function, || Box::new(TpeConfig::default()), seeds, trials);
        let (random, random_times) = search(function, || Box::new(Random), seeds, trials);
        let best = |values: &[f64]| format!("{:.6}", median(values)).parse().unwrap_or(f64::NAN);
        let p = format!("{:.1e}", rank_sum_p(&tpe, &random));
        let figure = |sampler: &str, values: &[f64], times: &[f64]| {
            let bench = format!("{}-{sampler}", function.name);
            json!({ "bench": bench, "median_ms": median(times), "runs": seeds, "best": best(values) })
        };
        let mut of_tpe = figure("tpe", &tpe, &tpe_times);
        of_tpe["p_random"] = json!(p);
        println!("{of_tpe}");
        println!("{}", figure("random", &random, &random_times));
    }
}
