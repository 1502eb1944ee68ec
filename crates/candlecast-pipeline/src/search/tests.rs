//! Tests of how configurations are scored.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use candlecast_core::market::random_walk;
use candlecast_core::{CandleSeries, FilledSeries};
use candlecast_learn::walk_forward::NoHooks;
use candlecast_learn::{FitObserver, Progress, Stop, TrainState};
use serde_json::json;

use super::*;

const HORIZON: usize = 3;

fn market(series: &CandleSeries) -> Arc<Market> {
    Arc::new(Market::new(FilledSeries::new(series, 3)))
}

fn walk() -> CandleSeries {
    random_walk(3_000, Seed(3), 0.4)
}

fn time(series: &CandleSeries, row: usize) -> candlecast_core::Timestamp {
    candlecast_core::Timestamp(series.open_time()[row])
}

/// A search that may see the first 2,400 candles.
fn search(series: &CandleSeries, model: &str) -> Search {
    let request = SearchRequest {
        model: ModelRequest { id: model.into(), params: json!({}) },
        common: PipelineOptions { min_candles: 300, ..PipelineOptions::new(HORIZON) },
        range: TimeRange { to: time(series, 2_400), ..TimeRange::ALL },
        stretches: 3,
        seed: Seed(5),
    };
    Search::new(market(series), vec![], request)
}

fn params(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn configurations_differ_in_their_scores_and_are_scored_beside_the_reference() {
    let series = walk();
    let search = search(&series, "linear");
    let score = |alpha: f64| {
        let candidate = search.candidate(&params(&json!({ "alpha": alpha }))).unwrap();
        assert_eq!(candidate.n_fits(), 3);
        candidate.score(&NoHooks).unwrap()
    };
    let (weak, strong) = (score(10.0), score(1e9));
    let mae = |scores: &CandidateScores| scores.metrics["mae"].as_f64().unwrap();
    assert_ne!(mae(&weak), mae(&strong));
    let naive = weak.reference["mae"].as_f64().unwrap();
    // A weak penalty fits the noise of many features in few candles, a strong one says the last price.
    let fitting = score(1e3);
    assert!(mae(&fitting) < naive && mae(&fitting) < mae(&weak), "a part of the last return comes back");
    assert!((mae(&strong) / naive - 1.0).abs() < 1e-4, "{} {naive}", mae(&strong));
    assert_eq!(weak.reference["mae"], strong.reference["mae"]);
    let names: Vec<&str> = weak.report.models.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["naive", "linear"]);
    assert_eq!(score(10.0).metrics, weak.metrics);
}

#[test]
fn errors_are_those_before_the_factor_and_all_else_is_as_it_was_told() {
    let series = walk();
    let scores = search(&series, "hybrid").candidate(&Map::new()).unwrap().score(&NoHooks).unwrap();
    let told = metrics_value(&scores.report.models[1]);
    assert_ne!(scores.metrics["mae"], told["mae"], "the first forecasts are told with a factor of 0");
    for same in ["coverage", "intervalScore", "crps", "informationCoefficient", "directionalAccuracy"] {
        assert_eq!(scores.metrics[same], told[same], "{same}");
    }
}

#[test]
fn nothing_behind_the_range_is_read() {
    let series = walk();
    let cut = series.between(TimeRange { to: time(&series, 2_400), ..TimeRange::ALL });
    let score = |series: &CandleSeries| {
        search(series, "gbdt").candidate(&params(&json!({ "rounds": 5 }))).unwrap().score(&NoHooks).unwrap().metrics
    };
    let request = SearchRequest { range: TimeRange::ALL, ..search(&series, "gbdt").request().clone() };
    let alone = Search::new(market(&cut), vec![], request);
    let alone = alone.candidate(&params(&json!({ "rounds": 5 }))).unwrap().score(&NoHooks).unwrap().metrics;
    assert_eq!(score(&series), alone);
}

#[test]
fn what_is_searched_beside_the_model_changes_how_it_is_fitted() {
    let series = walk();
    let search = search(&series, "hybrid");
    let refitted = search.candidate(&params(&json!({ "retrainInterval": 7 }))).unwrap();
    // A stretch of 400 hours and seven days of 168.
    assert_eq!(refitted.n_fits(), 9);
    assert_eq!(refitted.common.retrain_days, 7);
    let plain = search.candidate(&Map::new()).unwrap();
    assert_ne!(plain.fingerprints.run, refitted.fingerprints.run);
    let unknown = search.candidate(&params(&json!({ "depth": 3 }))).unwrap_err();
    assert_eq!(unknown.field.as_deref(), Some("depth"));
}

/// Keeps everything in memory, and gives a fit up after `last` steps.
#[derive(Default)]
struct Keeping {
    /// Goes on by a second whenever it is read, so that every fit takes long enough to be kept.
    clock: Mutex<f64>,
    kept: Mutex<BTreeMap<String, Vec<u8>>>,
    last: Option<usize>,
}

struct Until(usize);

impl FitObserver for Until {
    fn on_step(&mut self, progress: &Progress, _: &dyn Fn() -> TrainState) -> ControlFlow<Stop> {
        if progress.step >= self.0 { ControlFlow::Break(Stop::Pruned) } else { ControlFlow::Continue(()) }
    }
}

impl Hooks for Keeping {
    fn seconds(&self) -> f64 {
        let mut clock = self.clock.lock().unwrap();
        *clock += 1.0;
        *clock
    }
    fn cancelled(&self) -> bool {
        false
    }
    fn fits_done(&self, _: usize, _: usize, _: &str) {}
    fn recall(&self, name: &str) -> Option<Vec<u8>> {
        self.kept.lock().unwrap().get(name).cloned()
    }
    fn keep(&self, name: &str, content: &[u8]) {
        self.kept.lock().unwrap().insert(name.into(), content.to_vec());
    }
    fn observer(&self, _: &str, fold: usize) -> Option<Box<dyn FitObserver + '_>> {
        self.last.filter(|_| fold == 0).map(|last| Box::new(Until(last)) as Box<dyn FitObserver>)
    }
}

#[test]
fn the_first_fit_may_be_given_up_and_is_otherwise_a_part_of_the_whole() {
    let series = walk();
    let candidate = search(&series, "gbdt").candidate(&params(&json!({ "rounds": 8, "patience": 0 }))).unwrap();
    let hopeless = Keeping { last: Some(2), ..Keeping::default() };
    assert_eq!(candidate.fit_first(&hopeless), Err(TrialStop::Pruned));
    let watched = Keeping { last: Some(usize::MAX), ..Keeping::default() };
    assert_eq!(candidate.fit_first(&watched), Ok(()));
    assert_eq!(candidate.score(&watched).unwrap().metrics, candidate.score(&NoHooks).unwrap().metrics);
}

#[test]
fn figures_of_one_fit_are_of_its_origins_alone() {
    let series = walk();
    let candidate = search(&series, "hybrid").candidate(&Map::new()).unwrap();
    let maes: Vec<f64> =
        (0..3).map(|fit| candidate.score_fit(fit, &NoHooks).unwrap()["mae"].as_f64().unwrap()).collect();
    let whole = candidate.score(&NoHooks).unwrap();
    let mean = maes.iter().sum::<f64>() / 3.0;
    // The last stretch lacks the origins whose outcomes lie behind the range.
    assert!((whole.metrics["mae"].as_f64().unwrap() / mean - 1.0).abs() < 0.02, "{maes:?}");
    assert!(maes[0] != maes[1] && maes[1] != maes[2]);
}
