//! What the platform says of models on markets whose truth is known: nothing is found in random walks, what is
//! planted is found, and intervals cover what they promise.

use candlecast_core::market::{MarketConfig, generate, random_walk};
use candlecast_core::{CandleSeries, FeatureSet, ModelRequest, Seed, TimeRange, Timestamp};
use candlecast_learn::significance::VERDICT_LEVEL;
use candlecast_learn::{ModelReport, Report, TrainWindow};
use candlecast_pipeline::catalog::supporting;
use candlecast_pipeline::{PipelineOptions, evaluate_series};
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::world::model;

const HORIZON: usize = 3;
/// Share of random walks on which "better than naive" may be said.
const FALSE_VERDICTS: f64 = 0.06;
/// Share of the last return that the next one contains, negated, where something is planted.
const PLANTED: f64 = 0.5;

/// Rolling windows of 100 days, refits every 50.
fn common() -> PipelineOptions {
    PipelineOptions { window: TrainWindow::Rolling { days: 100 }, retrain_days: 50, ..PipelineOptions::new(HORIZON) }
}

/// Walks forward from row `scored_from` to the end.
fn report(series: &CandleSeries, models: &[ModelRequest], common: &PipelineOptions, scored_from: usize) -> Report {
    let range = TimeRange { from: Timestamp(series.open_time()[scored_from]), to: TimeRange::ALL.to };
    evaluate_series(series, models, common, range, Seed(42)).unwrap()
}

fn better(m: &ModelReport) -> bool {
    m.vs_reference.verdict.starts_with("better than naive")
}

/// The least `k` such that more than `k` of `n` events of probability `p` happen with a probability of at most
/// `rest`.
fn most_allowed(n: usize, p: f64, rest: f64) -> usize {
    let mut term = (1.0 - p).powi(n as i32);
    let mut below = term;
    let mut k = 0;
    while 1.0 - below > rest {
        term *= (n - k) as f64 / (k + 1) as f64 * p / (1.0 - p);
        below += term;
        k += 1;
    }
    k
}

#[test]
fn the_bound_on_false_verdicts_is_the_binomial_one() {
    // scipy.stats.binom.ppf(0.999, [40, 48], 0.06) = [8, 9]; a fair coin thrown twice is never above 2.
    assert_eq!([most_allowed(40, 0.06, 1e-3), most_allowed(48, 0.06, 1e-3)], [8, 9]);
    assert_eq!([most_allowed(2, 0.5, 0.25), most_allowed(2, 0.5, 0.2)], [1, 2]);
}

#[test]
fn on_random_walks_better_than_naive_is_hardly_ever_said() {
    const WALKS: usize = 40;
    let models = [model("hybrid", Value::Null), model("linear", Value::Null)];
    let reports: Vec<Report> = (0..WALKS)
        .into_par_iter()
        .map(|k| report(&random_walk(2_500, Seed(2_026).derive("honesty", k as u64), 0.0), &models, &common(), 1_500))
        .collect();
    // The p-values are corrected for the models tried, so the bound holds for any of them being called better.
    let walks = reports.iter().filter(|r| r.models.iter().any(|m| !m.baseline && better(m))).count();
    let most = most_allowed(WALKS, FALSE_VERDICTS, 1e-3);
    assert!(walks <= most, "a model was called better than naive on {walks} of {WALKS} random walks, {most} at most");
    for name in ["hybrid", "linear"] {
        let of = |r: &Report| r.models.iter().find(|m| m.name == name).unwrap().skill.unwrap();
        let mean = reports.iter().map(of).sum::<f64>() / WALKS as f64;
        // Estimation costs a little; seeing the future would show as skill.
        assert!((-0.02..0.002).contains(&mean), "{name} has a mean skill of {mean} on random walks");
    }
}

#[test]
fn every_quick_model_finds_what_is_planted() {
    // The reversion takes one candle, so the hybrid is told to look at few.
    let models = [
        model("hybrid", json!({ "lookbackWindow": 6 })),
        model("linear", Value::Null),
        model("gbdt", json!({ "rounds": 60, "maxDepth": 3, "learningRate": 0.1 })),
    ];
    let reports: Vec<Report> = (1..=3_u64)
        .into_par_iter()
        .map(|seed| report(&random_walk(10_000, Seed(seed), PLANTED), &models, &common(), 2_600))
        .collect();
    for (k, report) in reports.iter().enumerate() {
        for m in report.models.iter().filter(|m| !m.baseline) {
            assert!(better(m), "seed {}: {} is called `{}`", k + 1, m.name, m.vs_reference.verdict);
            assert!(m.skill.unwrap() > 0.0, "seed {}: {} {:?}", k + 1, m.name, m.skill);
        }
    }
}

#[test]
fn networks_and_forests_find_what_is_planted() {
    let network = json!({
        "sequenceLength": 6,
        "hiddenSize": 8,
        "batchSize": 64,
        "learningRate": 0.005,
        "epochs": 20,
    });
    let models = [
        model("lstm", network.clone()),
        model("gru", network),
        model("random-forest", json!({ "trees": 40, "minLeaf": 20, "maxFeatures": 2 })),
    ];
    let features = Some(FeatureSet::of(&["log_return_1", "volume_ratio_20"]));
    let common = PipelineOptions { features, ..common() };
    let report = report(&random_walk(5_000, Seed(1), PLANTED), &models, &common, 2_600);
    for m in report.models.iter().filter(|m| !m.baseline) {
        assert!(better(m), "{} is called `{}`, skill {:?}", m.name, m.vs_reference.verdict, m.skill);
    }
}

/// A verdict is the test's: ignorance is claimed only where there is no test, for models and baselines alike.
#[test]
fn a_verdict_says_what_its_test_says() {
    let walk = random_walk(2_500, Seed(5), PLANTED);
    let report = report(&walk, &[model("linear", Value::Null)], &common(), 1_500);
    assert_eq!(report.models.len(), 5);
    for m in report.models.iter().filter(|m| m.name != "naive") {
        let verdict = &m.vs_reference.verdict;
        let Some(test) = m.vs_reference.test else {
            // Its factors leave no forecast of it but the last price.
            assert!(verdict.contains("nothing to test") && m.skill == Some(0.0), "{}: {verdict}", m.name);
            continue;
        };
        let p = m.vs_reference.corrected.unwrap();
        let expected = if p < VERDICT_LEVEL {
            "better than naive"
        } else if 1.0 - test.p_value < VERDICT_LEVEL {
            "worse than naive"
        } else {
            "no evidence that it beats naive"
        };
        assert!(verdict.starts_with(expected), "{}: p {p}, {test:?}, yet `{verdict}`", m.name);
    }
}

#[test]
fn intervals_of_every_model_and_baseline_cover_what_they_promise() {
    let config = MarketConfig {
        coins: vec![("BTCUSDT", 30_000.0)],
        n_candles: 12_000,
        seed: Seed(3),
        ..MarketConfig::default()
    };
    let series = generate(&config).remove(0).series;
    let network = json!({ "sequenceLength": 6, "hiddenSize": 8, "batchSize": 64, "epochs": 3 });
    let models = [
        model("hybrid", Value::Null),
        model("linear", Value::Null),
        model("gbdt", json!({ "rounds": 25, "maxDepth": 3, "learningRate": 0.1 })),
        model("random-forest", json!({ "trees": 24, "minLeaf": 20 })),
        model("lstm", network.clone()),
        model("gru", network),
    ];
    let common = PipelineOptions { retrain_days: 75, ..common() };
    let report = report(&series, &models, &common, 4_000);
    let price = PipelineOptions::new(1).task().unwrap();
    let asked = price.kind().baselines().len() + supporting(&price).len();
    assert_eq!(report.models.len(), asked, "every learner is asked");
    assert!(report.origins > 7_500 && report.level == 0.9, "{} origins", report.origins);
    for m in &report.models {
        let whole = m.metrics.coverage().unwrap();
        assert!((0.885..=0.915).contains(&whole), "{} covers {whole}", m.name);
        for step in &m.per_horizon {
            let coverage = step.coverage.unwrap();
            assert!((0.885..=0.915).contains(&coverage), "{} covers {coverage} at step {}", m.name, step.step);
        }
    }
}
