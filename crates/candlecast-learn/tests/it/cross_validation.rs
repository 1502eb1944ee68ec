//! Laws of cross-validation runs: who forecasts what, what calibration learns from, and what is said of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use candlecast_core::market::random_walk;
use candlecast_core::{CandleSeries, FeatureSet, Seed, TimeRange};
use candlecast_learn::significance::VerdictCode;
use candlecast_learn::walk_forward::WalkForwardError;
use candlecast_learn::{
    Asked, Combine, CrossConfig, CrossValidation, Curve, FitContext, FitError, FitOutcome, Fitted, Forecaster, Inputs,
    Labels, Learner, Market, ModelState, PlanConfig, Prediction, Question, Report, RestoreError, Samples, ScalerKind,
    Stop, Task, TrainWindow,
};
use rayon::ThreadPoolBuilder;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::forecasters::{all_baselines, baseline, forecaster, model};
use crate::hooks::TestHooks;
use crate::learners::row_of;
use crate::markets::{closes_only, generated, market, with_features, with_other_future, without};

const HORIZON: usize = 4;
const TASK: Task = Task::Price { horizon: HORIZON };
const CONFIG: PlanConfig =
    PlanConfig { horizon: HORIZON, window: TrainWindow::Expanding, retrain_days: 7, min_candles: 300, warm_up: 40 };
const EMBARGO: usize = 20;

fn cross(market: &Market, groups: usize, test_groups: usize) -> CrossValidation {
    let config = CrossConfig { groups, test_groups, embargo: Some(EMBARGO) };
    CONFIG.cross_validation(market, TimeRange::ALL, &config).unwrap()
}

/// The report of every path.
fn reports(forecasters: &[Forecaster], cross: &CrossValidation, hooks: &TestHooks) -> Vec<Report> {
    let first = &forecasters[0];
    let (task, level) = (first.task(), first.level());
    let reference = forecasters.iter().position(|f| f.name == task.kind().reference()).unwrap();
    let forecasts = cross.run(forecasters, Seed(1), hooks).unwrap();
    let report = |path: usize| {
        let (plan, of_path) = forecasts.path(path);
        let question = Question {
            market: first.market(0),
            task,
            level,
            plan: &plan,
            reference,
            left_out: of_path.left_out,
            refit: cross.group_rows(),
            tries: 0,
            confidence_threshold: None,
        };
        of_path.report(&question)
    };
    (0..cross.n_paths()).map(report).collect()
}

/// Hash of everything of the reports but the time that fits took.
fn timeless(reports: &[Report]) -> Vec<u8> {
    let mut reports = reports.to_vec();
    reports.iter_mut().flat_map(|report| &mut report.models).for_each(|model| model.fit_seconds = 0.0);
    Sha256::digest(format!("{reports:?}")).to_vec()
}

/// What each fit was trained on, by the number that its forecasts tell.
type Witnessed = Arc<Mutex<BTreeMap<usize, Vec<usize>>>>;

/// Remembers the rows that it was trained on, and forecasts a number by which they are found again.
#[derive(Debug, Clone)]
struct Witness {
    witnessed: Witnessed,
}

#[derive(Debug)]
struct FittedWitness {
    number: usize,
}

impl Learner for Witness {
    fn supports(&self, _: &Task) -> bool {
        true
    }
    fn lookback(&self) -> usize {
        1
    }
    fn inputs(&self, _: &Asked) -> Inputs {
        Inputs { features: FeatureSet::default(), scaler: ScalerKind::None }
    }
    fn fit(&self, train: &Samples<'_>, cx: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
        let parts = [Some(train), cx.valid];
        let rows = parts.into_iter().flatten().flat_map(|part| (0..part.len()).map(move |i| row_of(part, i))).collect();
        let mut witnessed = self.witnessed.lock().unwrap();
        let number = witnessed.len() + 1;
        witnessed.insert(number, rows);
        let model = Box::new(FittedWitness { number });
        Ok(FitOutcome { model, stopped: Stop::Converged, steps: 1, curve: Curve::default() })
    }
    fn restore(&self, state: &ModelState, _: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
        Ok(Box::new(FittedWitness { number: state.fact("number")? }))
    }
}

impl Fitted for FittedWitness {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        out.reset(x.len(), x.task().width());
        out.mean.fill(self.number as f64);
    }
    fn state(&self) -> ModelState {
        ModelState { facts: json!({ "number": self.number }), ..ModelState::default() }
    }
}

#[test]
fn no_forecast_is_by_a_fit_that_has_learnt_from_its_outcome_or_from_one_that_overlaps() {
    let market = market(&generated(3_000, 5));
    for (groups, test_groups, fits) in [(5, 1, 5), (6, 2, 15)] {
        let cross = cross(&market, groups, test_groups);
        let witnessed = Witnessed::default();
        let witness = Witness { witnessed: Arc::clone(&witnessed) };
        let all = [baseline("naive", &market, TASK), forecaster("w", Box::new(witness), closes_only(&market), TASK)];
        let reports = reports(&all, &cross, &TestHooks::default());
        let trained = witnessed.lock().unwrap();
        assert_eq!(trained.len(), cross.n_fits(), "one fit for a split or for calibration");
        assert!(cross.splits().len() == fits && cross.n_fits() > fits);

        let mut tested: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for report in &reports {
            assert_eq!((report.origins, report.left_out), (3_000 - 40 - HORIZON, 0));
            let forecasts = &report.models[1].forecasts;
            for (row, means) in forecasts.rows.iter().zip(forecasts.means.chunks(HORIZON)) {
                tested.entry(*row).or_default().push(means[0] as usize);
            }
        }
        for (&row, numbers) in &tested {
            assert_eq!(numbers.len(), cross.n_paths());
            let mut distinct = numbers.clone();
            distinct.sort_unstable();
            distinct.dedup();
            assert_eq!(distinct.len(), numbers.len(), "each path has another fit");
            for number in numbers {
                let overlaps = |&learnt: &usize| learnt + HORIZON >= row && learnt <= row + HORIZON + EMBARGO;
                assert!(!trained[number].iter().any(overlaps), "row {row}");
                // Later candles are learnt from: that is why there is no verdict.
                assert!(row > 2_000 || trained[number].iter().any(|&learnt| learnt > row));
            }
        }
    }
}

#[test]
fn the_same_bits_at_any_number_of_threads() {
    let market = market(&without(&generated(3_000, 8), &[800..801, 1_900..1_912]));
    let cross = cross(&market, 5, 2);
    let mut all = all_baselines(&market, TASK);
    let params = json!({ "rounds": 6, "maxDepth": 3, "subsample": 0.7 });
    all.push(model("gbdt", &params, with_features(&market), TASK));
    all.push(model("linear", &json!({}), with_features(&market), TASK));
    let with_threads = |n: usize| {
        let pool = ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        pool.install(|| timeless(&reports(&all, &cross, &TestHooks::default())))
    };
    let alone = with_threads(1);
    assert_eq!(with_threads(3), alone);
}

#[test]
fn an_interrupted_run_goes_on_to_the_same_bits_and_fits_nothing_twice() {
    let market = market(&generated(2_600, 6));
    let cross = cross(&market, 5, 2);
    let params = json!({ "rounds": 5, "maxDepth": 2, "patience": 0 });
    let all = [baseline("naive", &market, TASK), model("gbdt", &params, with_features(&market), TASK)];
    let undisturbed = timeless(&reports(&all, &cross, &TestHooks::slow()));
    let (n, one) = (2 * cross.n_fits(), ThreadPoolBuilder::new().num_threads(1).build().unwrap());
    for cancel_at in [1, 9, 40] {
        let cancelled = TestHooks { cancel_at: Some(cancel_at), ..TestHooks::slow() };
        let error = one.install(|| cross.run(&all, Seed(1), &cancelled).map(|_| ()).unwrap_err());
        assert_eq!(error, WalkForwardError::Cancelled);
        let kept = cancelled.kept();
        let pieces = kept.keys().filter(|name| name.ends_with(".piece")).count();
        assert!(pieces < n && (cancel_at == 1 || pieces > 0), "{pieces} of {n} fits are kept");
        let resumed = TestHooks::slow().with_store(kept);
        assert_eq!(timeless(&reports(&all, &cross, &resumed)), undisturbed, "cancelled at question {cancel_at}");
        let again = TestHooks::slow().with_store(resumed.kept());
        assert_eq!(timeless(&reports(&all, &cross, &again)), undisturbed);
        assert!(again.watched.lock().unwrap().is_empty(), "all fits were read back");
    }
}

/// The last group is behind all that its split learns from, so that its first forecast, with interval and confidence, can
/// know nothing of what follows. Were its intervals learnt from outcomes of the group itself, it would.
#[test]
fn intervals_and_confidences_of_a_test_group_do_not_know_its_outcomes() {
    let series = generated(5_040, 7);
    let first = |series: &CandleSeries| {
        let market = market(series);
        let cross = cross(&market, 5, 1);
        let row = market.series().first_row_from(cross.groups()[4].from);
        let all = [baseline("naive", &market, TASK), model("linear", &json!({}), with_features(&market), TASK)];
        let report = reports(&all, &cross, &TestHooks::default()).remove(0);
        let at = |model: usize| {
            let forecasts = &report.models[model].forecasts;
            let i = forecasts.rows.binary_search(&row).unwrap();
            let values = i * HORIZON..(i + 1) * HORIZON;
            (forecasts.means[values.clone()].to_vec(), forecasts.calibrated[values].to_vec())
        };
        (row, at(0), at(1), report.calibration_outcomes)
    };
    let (row, naive, linear, outcomes) = first(&series);
    // Two groups of a thousand candles each; in the middle of them and at the end of the data horizons are lost.
    assert_eq!((row, outcomes), (4_040, 2_000 - 3 * HORIZON - EMBARGO));
    assert!(linear.1.iter().all(|c| c.lower < c.mean && c.mean < c.upper && c.calibrated), "{linear:?}");
    let other = with_other_future(&series, row + 1);
    assert_eq!(first(&other), (row, naive, linear.clone(), outcomes));
    assert_ne!(first(&with_other_future(&series, row - 200)).2, linear, "what calibrates does count");
}

#[test]
fn intervals_cover_what_they_promise_though_they_stay_as_they_are_within_a_group() {
    let market = market(&generated(9_040, 9));
    let cross = cross(&market, 6, 2);
    let mut all = all_baselines(&market, TASK);
    all.push(model("linear", &json!({}), with_features(&market), TASK));
    for report in reports(&all, &cross, &TestHooks::default()) {
        assert!(report.calibration_outcomes >= 1_400, "{}", report.calibration_outcomes);
        for m in &report.models {
            let coverage = m.metrics.coverage().unwrap();
            assert!((0.84..0.96).contains(&coverage), "{} covers {coverage}", m.name);
        }
    }
}

/// No verdict, no p-value and no signal, neither on random walks nor where there is something to be found.
#[test]
fn nothing_is_ever_called_better() {
    let mut skills = Vec::new();
    for (predictability, seed) in [(0.0, 1), (0.0, 2), (0.0, 3), (0.5, 4)] {
        let market = market(&random_walk(4_000, Seed(seed), predictability));
        let mut all = all_baselines(&market, TASK);
        all.push(model("linear", &json!({}), with_features(&market), TASK));
        all.push(model("gbdt", &json!({ "rounds": 10, "maxDepth": 2 }), with_features(&market), TASK));
        for report in reports(&all, &cross(&market, 5, 2), &TestHooks::default()) {
            for m in &report.models {
                let vs = &m.vs_reference;
                assert!(vs.test.is_none() && vs.corrected.is_none() && vs.signal.is_none(), "{}", m.name);
                assert!(m.direction.is_none_or(|d| d.test.is_none()), "{}", m.name);
                let expected = if m.name == "naive" { VerdictCode::Reference } else { VerdictCode::None };
                assert_eq!(vs.code, expected, "{}", m.name);
                assert!(m.name == "naive" || vs.verdict.starts_with("not judged"), "{}", vs.verdict);
                assert!(!vs.verdict.contains("better"), "{}", vs.verdict);
                assert!(m.per_horizon.iter().all(|s| s.p_value.is_none() && s.verdict == expected), "{}", m.name);
                if m.name == "linear" {
                    skills.push((predictability, m.skill.unwrap()));
                }
            }
        }
    }
    let mean = |of: f64| {
        let of: Vec<f64> = skills.iter().filter(|(p, _)| *p == of).map(|(_, skill)| *skill).collect();
        of.iter().sum::<f64>() / of.len() as f64
    };
    // Seeing outcomes would show as skill on a random walk.
    assert!((-0.02..0.005).contains(&mean(0.0)), "{}", mean(0.0));
    assert!(mean(0.5) > 0.01, "{}", mean(0.5));
}

#[test]
fn classes_volatilities_and_ensembles_are_cross_validated_too() {
    let market = market(&generated(3_400, 10));
    let direction = Task::Direction { horizon: HORIZON, labels: Labels::Adaptive { low: 0.25, high: 0.75 } };
    let volatility = Task::Volatility { horizon: HORIZON };
    let params = json!({ "rounds": 4, "maxDepth": 2, "patience": 0 });
    for task in [TASK, direction, volatility] {
        let cross = cross(&market, 4, 2);
        let gbdt = || model("gbdt", &params, with_features(&market), task);
        let linear = || model("linear", &json!({}), with_features(&market), task);
        let mut all = all_baselines(&market, task);
        let combine = Combine::Weighted { weights: vec![3.0, 1.0] };
        all.push(Forecaster::ensemble("mix", combine, vec![gbdt(), linear()]).unwrap());
        // In no order of time nothing is learnt of the members.
        all.push(Forecaster::ensemble("auto", Combine::Auto, vec![gbdt(), linear()]).unwrap());
        all.push(Forecaster::ensemble("mean", Combine::Average, vec![gbdt(), linear()]).unwrap());
        all.push(gbdt());
        let reports = reports(&all, &cross, &TestHooks::default());
        assert_eq!(reports.len(), 3);
        for report in &reports {
            assert_eq!(report.origins, 3_400 - 40 - HORIZON, "{task:?}");
            for m in report.models.iter().filter(|m| !m.baseline) {
                assert_eq!(m.abstained, 0, "{} {task:?}", m.name);
                assert!(m.metrics.loss().unwrap().is_finite(), "{} {task:?}", m.name);
            }
            let of = |name: &str| report.models.iter().find(|m| m.name == name).unwrap();
            let (auto, mean) = (of("auto"), of("mean"));
            assert_eq!(auto.forecasts.means, mean.forecasts.means, "{task:?}");
            assert!(auto.ensemble.is_none() && mean.ensemble.is_none());
        }
        if task == volatility {
            mean_of_logarithms(&market, &cross, task);
        }
    }
}

/// Its factor is found on what a fit has learnt from, not on what was set apart.
fn mean_of_logarithms(market: &Arc<Market>, cross: &CrossValidation, task: Task) {
    let members = || {
        let linear = model("linear", &json!({}), with_features(market), task);
        vec![linear, model("gbdt", &json!({ "rounds": 4, "maxDepth": 2 }), with_features(market), task)]
    };
    let mean = Forecaster::ensemble("mean", Combine::Logarithmic { weights: None }, members()).unwrap();
    let all: Vec<Forecaster> = all_baselines(market, task).into_iter().chain([mean]).collect();
    for report in reports(&all, cross, &TestHooks::default()) {
        assert!(report.models.last().unwrap().metrics.loss().unwrap().is_finite());
    }
}
