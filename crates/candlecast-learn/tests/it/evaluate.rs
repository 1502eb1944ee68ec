//! Laws of scoring.

use std::collections::BTreeSet;
use std::sync::Arc;

use candlecast_core::market::random_walk;
use candlecast_core::{CandleSeries, Seed, Stream};
use candlecast_learn::significance::{VerdictCode, holm, holm_with};
use candlecast_learn::{
    Dataset, Forecaster, Learner, Market, ModelReport, PipelineConfig, Plan, PlanConfig, Question, Report, Task,
    TrainWindow, evaluate, pass_share, walk_forward,
};
use rayon::ThreadPoolBuilder;
use serde_json::json;

use crate::digests;
use crate::digests::Digests;
use crate::forecasters::{
    LEVEL, all_baselines, baseline, config, forecaster, learner, model, report, report_of, report_on,
};
use crate::hooks::TestHooks;
use crate::learners::{by_rule, row_of};
use crate::markets::{closes_only, generated, market, time_of, with_features, with_other_future, without};

const HORIZON: usize = 4;
const TASK: Task = Task::Price { horizon: HORIZON };
const CONFIG: PlanConfig = PlanConfig {
    horizon: HORIZON,
    window: TrainWindow::Rolling { days: 40 },
    retrain_days: 7,
    min_candles: 500,
    warm_up: 0,
};

/// The log return over `h + 1` candles from `row`, which no honest forecaster knows; over fewer at the data's end.
fn outcome(market: &Market, row: usize, h: usize) -> f64 {
    let closes = market.log_close();
    closes[(row + h + 1).min(closes.len() - 1)] - closes[row]
}

/// Random numbers of one origin.
fn random(seed: u64, row: usize) -> Stream {
    Seed(seed).derive("forecast", row as u64).stream()
}

/// Knows the outcome of a share of the origins, and forecasts the last price from all others.
fn informed(name: &str, market: &Arc<Market>, seed: u64, share: f64) -> Forecaster {
    let truth = Arc::clone(market);
    let learner = by_rule(move |x, i, h| {
        let row = row_of(x, i);
        if random(seed, row).uniform() < share { outcome(&truth, row, h) } else { 0.0 }
    });
    forecaster(name, learner, closes_only(market), TASK)
}

/// Forecasts normal noise of this size.
fn noise_of(size: f64) -> Box<dyn Learner> {
    by_rule(move |x, i, h| size * random(9 + h as u64, row_of(x, i)).normal())
}

fn noise(market: &Arc<Market>, size: f64) -> Forecaster {
    forecaster("noise", noise_of(size), closes_only(market), TASK)
}

#[test]
fn knowing_is_better_than_naive_and_noise_is_told_as_the_last_price() {
    let market = market(&generated(3_000, 5));
    let plan = CONFIG.walk_forward(&market, time_of(&market, 2_200..2_900)).unwrap();
    let forecasters = [informed("perfect", &market, 1, 1.0), baseline("naive", &market, TASK), noise(&market, 0.05)];
    let report = report(&forecasters, &plan);
    let names: Vec<&str> = report.models.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["perfect", "naive", "noise"], "models stand in the order of the forecasters");
    assert_eq!((report.task, report.reference.as_str(), report.horizon), (TASK, "naive", HORIZON));
    assert_eq!((report.origins, report.left_out, report.level), (700, 0, LEVEL));
    let [perfect, naive, noise] = &report.models[..] else { panic!("three models") };

    let verdict = &perfect.vs_reference.verdict;
    assert!(verdict.starts_with("better than naive"), "{verdict}");
    let m = perfect.metrics.price().unwrap();
    assert_eq!(perfect.skill, m.skill);
    assert!(m.skill.unwrap() > 0.98 && m.coverage.unwrap() > 0.95, "the factor is nearly one: {m:?}");
    assert_eq!(m.directional_accuracy, Some(1.0));

    let vs = &naive.vs_reference;
    assert_eq!((vs.verdict.as_str(), vs.code), ("the reference", VerdictCode::Reference));
    assert!(vs.test.is_none() && vs.corrected.is_none() && vs.signal.is_none() && naive.direction.is_none());
    assert_eq!((report.independent, vs.independent, vs.tries, vs.earlier_tries), (175, 175, 2, 0));
    assert!(naive.per_horizon.iter().all(|step| step.verdict == VerdictCode::Reference));
    let m = naive.metrics.price().unwrap();
    assert_eq!((m.skill, m.directional_accuracy, m.ties), (Some(0.0), None, 700 * HORIZON));

    let verdict = &noise.vs_reference.verdict;
    assert!(!verdict.starts_with("better"), "{verdict}");
    assert!(noise.skill.unwrap().abs() < 0.02, "{:?}", noise.skill);
    assert!(noise.per_horizon.iter().all(|step| step.factor < 0.05));
    let hits = noise.metrics.price().unwrap().directional_accuracy.unwrap();
    assert!((hits - 0.5).abs() < 0.05, "{hits}");
}

#[test]
fn a_verdict_is_on_errors_in_units_of_volatility_with_equal_weight_a_step() {
    let market = market(&generated(3_000, 5));
    let plan = CONFIG.walk_forward(&market, time_of(&market, 2_200..2_900)).unwrap();
    let report = report(&[baseline("naive", &market, TASK), informed("knows", &market, 3, 0.3)], &plan);
    // Where it knows the outcome it makes no error, elsewhere that of naive.
    let scaled = |row: usize, h: usize| {
        outcome(&market, row, h).abs() / (market.sigma()[row] * (h as f64 + 1.0).sqrt()) / HORIZON as f64
    };
    let sum = |counts: fn(usize) -> bool| -> f64 {
        let rows = (2_200..2_900_usize).filter(|&row| counts(row));
        rows.map(|row| (0..HORIZON).map(|h| scaled(row, h)).sum::<f64>()).sum()
    };
    let (naive, saved) = (sum(|_| true), sum(|row| random(3, row).uniform() < 0.3));
    let knows = report_on(&report, "knows");
    // Its factors are nearly one.
    let close = |a: f64, b: f64| assert!((a - b).abs() < 0.02 * b, "{a} {b}");
    close(knows.vs_reference.test.unwrap().mean, saved / 700.0);
    close(knows.metrics.price().unwrap().skill_scaled.unwrap(), saved / naive);
    assert!((0.15..0.5).contains(&(saved / naive)), "{}", saved / naive);
    assert_eq!(knows.vs_reference.code, VerdictCode::Better);
    for step in &knows.per_horizon {
        assert_eq!(step.verdict, VerdictCode::Better, "step {}: {:?}", step.step, step.p_value);
    }
    let skill = report_on(&report, "naive").metrics.price().unwrap().skill_scaled;
    assert_eq!(skill, Some(0.0));
}

#[test]
fn a_forecast_that_is_three_times_too_large_is_told_as_a_third_and_contains_a_signal() {
    let market = market(&generated(3_000, 5));
    let plan = CONFIG.walk_forward(&market, time_of(&market, 2_200..2_900)).unwrap();
    let truth = Arc::clone(&market);
    let loud = by_rule(move |x, i, h| {
        let row = row_of(x, i);
        // Of the first two steps it knows nothing.
        let knows = h > 1 && random(3, row).uniform() < 0.5;
        if knows { 3.0 * outcome(&truth, row, h) } else { 0.0 }
    });
    let forecasters = [baseline("naive", &market, TASK), forecaster("loud", loud, closes_only(&market), TASK)];
    let report = report(&forecasters, &plan);
    let loud = report_on(&report, "loud");
    let vs = &loud.vs_reference;
    assert_eq!(vs.code, VerdictCode::Better, "{}", vs.verdict);
    assert!(loud.per_horizon[2..].iter().all(|step| (0.25..0.45).contains(&step.factor)), "{:?}", loud.per_horizon);
    let signal = vs.signal.unwrap();
    assert!(signal.corrected < 0.05 && signal.corrected == signal.test.p_value, "{signal:?}");
    // `e0^2 - (e1^2 - f^2)` is `6 y^2` where it knows, so that the mean is that of the squared outcomes.
    let known = (2_200..2_900).filter(|&row| random(3, row).uniform() < 0.5);
    let square = |row: usize, h: usize| (outcome(&market, row, h) / market.sigma()[row]).powi(2) / (h as f64 + 1.0);
    let by_hand = known.map(|row| 6.0 * (square(row, 2) + square(row, 3)) / HORIZON as f64).sum::<f64>() / 700.0;
    assert!((signal.test.mean - by_hand).abs() < 1e-9 * by_hand, "{} {by_hand}", signal.test.mean);
    let codes: Vec<VerdictCode> = loud.per_horizon.iter().map(|step| step.verdict).collect();
    assert_eq!(codes, [VerdictCode::None, VerdictCode::None, VerdictCode::Better, VerdictCode::Better]);
}

/// Scores `forecasters`, the first of which is the reference, on a period that was looked at `tries` times before.
fn after_tries(forecasters: &[Forecaster], plan: &Plan, tries: usize) -> Report {
    asked(forecasters, plan, tries, None)
}

/// The same, where forecasts of at least `confidence_threshold` are told of apart.
fn asked(forecasters: &[Forecaster], plan: &Plan, tries: usize, confidence_threshold: Option<f64>) -> Report {
    let models = walk_forward::run(forecasters, plan, Seed(1), &TestHooks::default()).unwrap();
    let (market, left_out) = (forecasters[0].market(0), models[0].table.left_out);
    let question = Question {
        market,
        task: TASK,
        level: LEVEL,
        plan,
        reference: 0,
        left_out,
        refit: 0,
        tries,
        confidence_threshold,
    };
    evaluate(&question, models)
}

#[test]
fn the_recent_rate_is_of_the_directions_that_were_scored() {
    let market = market(&generated(3_000, 5));
    let plan = CONFIG.walk_forward(&market, time_of(&market, 2_200..2_900)).unwrap();
    let forecasters = [baseline("naive", &market, TASK), informed("knows", &market, 1, 0.5), noise(&market, 0.01)];
    let report = report(&forecasters, &plan);
    assert_eq!(report_on(&report, "naive").recent, None, "it has no direction");
    // The range is shorter than three months, so that it is all recent.
    let noise = report_on(&report, "noise");
    let (recent, metrics) = (noise.recent.unwrap(), noise.metrics.price().unwrap());
    assert_eq!((Some(recent.from), Some(recent.to)), (noise.forecasts.from, noise.forecasts.to));
    assert_eq!((recent.origins, Some(recent.rate)), (700, metrics.directional_accuracy));
    assert_eq!(recent.directions, 700 * HORIZON - metrics.ties);
    assert!(recent.interval.is_some_and(|(lower, upper)| lower < recent.rate && recent.rate < upper));
    let knows = report_on(&report, "knows").recent.unwrap();
    assert_eq!((knows.rate, knows.interval), (1.0, None), "who is always right leaves nothing to be unsure of");
    assert!(knows.origins < 450, "{knows:?}");
}

/// Where it knows the outcome it says so, elsewhere it hardly dares to say anything.
fn modest(market: &Arc<Market>) -> Forecaster {
    let truth = Arc::clone(market);
    let learner = by_rule(move |x, i, h| {
        let row = row_of(x, i);
        let knows = random(3, row).uniform() < 0.3;
        if knows { outcome(&truth, row, h) } else { 1e-6 * random(9 + h as u64, row).normal() }
    });
    forecaster("modest", learner, closes_only(market), TASK)
}

#[test]
fn a_threshold_tells_of_the_surest_forecasts_and_changes_nothing_else() {
    let market = market(&generated(3_000, 5));
    let plan = CONFIG.walk_forward(&market, time_of(&market, 2_200..2_900)).unwrap();
    let forecasters = [baseline("naive", &market, TASK), modest(&market)];
    let [plain, strict] = [None, Some(0.7)].map(|threshold| asked(&forecasters, &plan, 0, threshold));
    assert_eq!(digests::of_report(&plain), digests::of_report(&strict));
    let (tenth, strict) = (report_on(&plain, "modest"), report_on(&strict, "modest"));
    for (m, asked) in [(tenth, false), (strict, true)] {
        let selected = m.selected.unwrap();
        let told: Vec<(f64, Option<bool>)> = m
            .forecasts
            .calibrated
            .iter()
            .enumerate()
            .filter(|(_, c)| c.calibrated)
            .map(|(k, c)| {
                let actual = outcome(&market, m.forecasts.rows[k / HORIZON], k % HORIZON);
                (c.confidence, (actual != 0.0).then_some((m.forecasts.means[k] > 0.0) == (actual > 0.0)))
            })
            .collect();
        let sure: Vec<Option<bool>> =
            told.iter().filter(|(confidence, _)| *confidence >= selected.threshold).map(|told| told.1).collect();
        assert_eq!((selected.asked, selected.count), (asked, sure.len()));
        assert_eq!(selected.share, sure.len() as f64 / told.len() as f64);
        let hits = selected.hits.unwrap();
        let right = sure.iter().flatten().filter(|right| **right).count();
        assert_eq!((hits.hits, hits.directions), (right, sure.iter().flatten().count()));
        assert_eq!(m.confidence_quantiles.len(), 21);
        let passing = pass_share(&m.confidence_quantiles, selected.threshold).unwrap();
        assert!((passing - selected.share).abs() <= 0.05, "{passing} {}", selected.share);
    }
    assert!((0.1..0.4).contains(&tenth.selected.unwrap().share), "{:?}", tenth.selected);
    let selected = strict.selected.unwrap();
    assert_eq!(selected.threshold, 0.7);
    assert!(selected.share > 0.1 && selected.share < 0.9 && selected.hits.unwrap().rate > 0.9, "{selected:?}");
    assert_eq!(report_on(&plain, "naive").selected, None);
    assert!(report_on(&plain, "naive").confidence_quantiles.is_empty());
}

#[test]
fn what_was_tried_before_is_corrected_for_and_told() {
    let market = market(&generated(3_000, 5));
    let plan = CONFIG.walk_forward(&market, time_of(&market, 2_200..2_900)).unwrap();
    let forecasters = [
        baseline("naive", &market, TASK),
        baseline("drift", &market, TASK),
        informed("often", &market, 3, 0.3),
        informed("hardly", &market, 3, 0.02),
    ];
    let (first, later) = (after_tries(&forecasters, &plan, 0), after_tries(&forecasters, &plan, 8));
    assert_eq!((first.tries, later.tries), (2, 10));
    let note = "8 other configurations were tried on this period before: p-values are corrected for them too";
    assert_eq!(later.notes, [&first.notes[..], &[note.to_owned()]].concat());
    let p = |report: &Report| -> Vec<Option<f64>> {
        report.models.iter().map(|m| m.vs_reference.test.filter(|_| !m.baseline).map(|t| t.p_value)).collect()
    };
    assert_eq!(p(&first), p(&later));
    let corrected = holm_with(&p(&first), 8);
    for ((before, after), corrected) in first.models.iter().zip(&later.models).zip(corrected) {
        let (before, after) = (&before.vs_reference, &after.vs_reference);
        assert_eq!((after.tries, after.earlier_tries), (10, 8));
        assert!(before.corrected <= after.corrected, "{before:?} {after:?}");
        if corrected.is_some() {
            assert_eq!(after.corrected, corrected);
            let (before, after) = (before.signal.unwrap(), after.signal.unwrap());
            assert!(before.test == after.test && before.corrected <= after.corrected, "{before:?} {after:?}");
        }
    }
}

#[test]
fn below_thirty_independent_outcomes_nothing_is_tested() {
    let market = market(&generated(3_000, 5));
    let forecasters = [baseline("naive", &market, TASK), informed("knows", &market, 3, 0.3)];
    for (origins, code) in [(29 * HORIZON, VerdictCode::TooFew), (30 * HORIZON, VerdictCode::Better)] {
        let plan = CONFIG.walk_forward(&market, time_of(&market, 2_200..2_200 + origins)).unwrap();
        let report = report(&forecasters, &plan);
        assert_eq!((report.origins, report.independent), (origins, origins / HORIZON));
        let knows = report_on(&report, "knows");
        let vs = &knows.vs_reference;
        assert_eq!((vs.code, vs.independent), (code, origins / HORIZON), "{}", vs.verdict);
        let tested = code != VerdictCode::TooFew;
        assert_eq!((vs.test.is_some(), vs.corrected.is_some(), vs.signal.is_some()), (tested, tested, tested));
        assert_eq!(knows.direction.unwrap().test.is_some(), tested);
        if !tested {
            assert_eq!(vs.verdict, "too few to tell (29 independent)");
        }
        // Over fewer steps fewer outcomes overlap.
        let codes: Vec<bool> = knows.per_horizon.iter().map(|s| s.verdict == VerdictCode::TooFew).collect();
        assert_eq!(codes, [false, false, false, !tested]);
        assert!(knows.per_horizon.iter().all(|s| s.p_value.is_none() == (s.verdict == VerdictCode::TooFew)));
    }
}

#[test]
fn errors_are_those_of_prices_step_by_step() {
    let market = market(&generated(3_000, 5));
    let plan = CONFIG.walk_forward(&market, time_of(&market, 2_200..2_900)).unwrap();
    let report = report(&[baseline("naive", &market, TASK)], &plan);
    let close = &market.series().columns().close;
    for step in &report.models[0].per_horizon {
        let sum: f64 = (2_200..2_900).map(|row| (close[row + step.step] - close[row]).abs()).sum();
        let (mae, expected) = (step.mae.unwrap(), sum / 700.0);
        assert!((mae - expected).abs() < 1e-9 * expected, "step {}: {mae} {expected}", step.step);
    }
    assert_eq!(report.models[0].per_horizon.len(), HORIZON);
}

#[test]
fn p_values_are_corrected_over_the_models_and_not_over_the_baselines() {
    let market = market(&generated(3_000, 5));
    let plan = CONFIG.walk_forward(&market, time_of(&market, 2_200..2_900)).unwrap();
    let models =
        || [("often", 0.3), ("seldom", 0.03), ("hardly", 0.02)].map(|(name, share)| informed(name, &market, 3, share));
    let mut all = all_baselines(&market, TASK);
    all.extend(models());
    let mut few = vec![baseline("naive", &market, TASK)];
    few.extend(models());
    let (all, few) = (report(&all, &plan), report(&few, &plan));

    let p_values = |baselines_too: bool| -> Vec<Option<f64>> {
        let test = |m: &ModelReport| m.vs_reference.test.filter(|_| baselines_too || !m.baseline).map(|t| t.p_value);
        all.models.iter().map(test).collect()
    };
    let (of_models, of_all) = (holm(&p_values(false)), holm(&p_values(true)));
    // Of some baselines factors leave nothing to test.
    assert_eq!(of_models.iter().flatten().count(), 3);
    assert!(of_all.iter().flatten().count() > 3);
    for (i, m) in all.models.iter().enumerate() {
        let expected = if m.baseline { of_all[i] } else { of_models[i] };
        assert_eq!(m.vs_reference.corrected, expected, "{}", m.name);
        assert_eq!(m.vs_reference.signal.is_some(), !m.baseline, "{}: baselines do not nest the naive one", m.name);
    }
    for name in ["often", "seldom", "hardly"] {
        let (with_baselines, alone) = (&report_on(&all, name).vs_reference, &report_on(&few, name).vs_reference);
        assert_eq!(with_baselines.test, alone.test, "{name}");
        assert_eq!(with_baselines.corrected, alone.corrected, "{name}: baselines are no part of the family");
    }
    let often = all.models.iter().position(|m| m.name == "often").unwrap();
    assert!(of_models[often] < of_all[often], "the baselines would have made a difference");
}

#[test]
fn origins_beside_missing_candles_are_left_out_and_counted() {
    // One missing candle is filled; ten end a segment, and the volatility is not known over the first 32 of the next.
    let series = without(&generated(3_000, 6), &[2_400..2_401, 2_600..2_610]);
    let market = market(&series);
    let out: BTreeSet<usize> = (2_400 - HORIZON..2_401).chain(2_600 - HORIZON..2_600 + 32).collect();
    let plan = CONFIG.walk_forward(&market, time_of(&market, 2_200..2_850)).unwrap();
    let report = report(&[baseline("naive", &market, TASK), noise(&market, 0.01)], &plan);
    let expected: Vec<usize> = (2_200..2_850).filter(|row| !out.contains(row)).collect();
    assert_eq!((report.left_out, report.origins), (out.len(), expected.len()));
    for m in &report.models {
        assert_eq!(m.forecasts.rows, expected, "{}", m.name);
        assert_eq!(m.forecasts.calibrated.len(), expected.len() * HORIZON, "{}", m.name);
        assert_eq!(m.abstained, 0, "{}", m.name);
    }
}

#[test]
fn origins_whose_outcomes_are_the_future_are_neither_scored_nor_left_out() {
    let market = market(&generated(3_000, 6));
    let plan = CONFIG.walk_forward(&market, time_of(&market, 2_200..3_000)).unwrap();
    let report = report(&[baseline("naive", &market, TASK)], &plan);
    assert_eq!((report.left_out, report.origins), (0, 800 - HORIZON));
    assert_eq!(report.models[0].forecasts.rows.last(), Some(&(3_000 - HORIZON - 1)));
}

/// The market does what it does whatever these forecasters say, so their intervals have to cover what they promise.
#[test]
fn intervals_cover_what_they_promise_on_a_random_walk() {
    const STEPS: usize = 6;
    let market = market(&random_walk(9_000, Seed(11), 0.0));
    let task = Task::Price { horizon: STEPS };
    let window = TrainWindow::Rolling { days: 60 };
    let plan_config = PlanConfig { horizon: STEPS, window, retrain_days: 60, min_candles: 1_000, warm_up: 0 };
    let plan = plan_config.walk_forward(&market, time_of(&market, 3_000..8_900)).unwrap();
    for level in [0.8, 0.9] {
        let made = |name: &str, learner: Box<dyn Learner>| {
            let data = Dataset::single(closes_only(&market));
            let config = PipelineConfig { level, ..config(name, &json!({}), &*learner, &data, task) };
            Forecaster::pipeline(name, task.kind().baselines().contains(&name), config, learner, data)
        };
        let forecasters = [
            made("naive", learner("naive", &json!({}))),
            made("ewma", learner("ewma", &json!({}))),
            made("rising", by_rule(|_, _, h| 0.0004 * (h + 1) as f64)),
            made("noise", noise_of(0.004)),
        ];
        let report = report(&forecasters, &plan);
        assert_eq!((report.level, report.origins), (level, 5_900));
        assert!(report.calibration_outcomes > 1_000, "{}", report.calibration_outcomes);
        for m in &report.models {
            let steps = m.per_horizon.iter().map(|step| step.coverage);
            for coverage in steps.chain([m.metrics.coverage()]) {
                let coverage = coverage.unwrap();
                assert!((coverage - level).abs() < 0.02, "{} at {level}: {coverage}", m.name);
            }
        }
    }
}

/// Bits of everything that is computed over `series`.
fn everything(series: &CandleSeries, plan_of: &dyn Fn(&Market) -> Plan) -> (Plan, Digests) {
    let market = market(series);
    let plan = plan_of(&market);
    let mut forecasters = all_baselines(&market, TASK);
    for (id, params) in [("linear", json!({})), ("gbdt", json!({ "rounds": 8, "maxDepth": 3 }))] {
        forecasters.push(model(id, &params, with_features(&market), TASK));
    }
    let models = walk_forward::run(&forecasters, &plan, Seed(1), &TestHooks::default()).unwrap();
    let forecasts: Digests = models
        .iter()
        .map(|model| (format!("{} forecasts", model.name), digests::of_table(&model.table, HORIZON)))
        .collect();
    let mut digests = digests::of_report(&report_of(&forecasters, models, &plan));
    digests.extend(forecasts);
    (plan, digests)
}

#[test]
fn outcomes_that_are_not_known_yet_are_never_read() {
    let series = generated(3_000, 7);
    let walk_forward = |m: &Market| CONFIG.walk_forward(m, time_of(m, 2_200..2_700)).unwrap();
    let simple = |m: &Market| CONFIG.simple(m, time_of(m, 0..2_200), time_of(m, 2_200..2_700)).unwrap();
    let training = |m: &Market| CONFIG.training(m, time_of(m, 0..2_700)).unwrap();
    let plans: [(&str, &dyn Fn(&Market) -> Plan); 3] =
        [("walk-forward", &walk_forward), ("simple", &simple), ("training", &training)];
    for (name, plan_of) in plans {
        let expected = everything(&series, plan_of);
        let known_to = expected.0.rows(&market(&series)).known_to;
        assert!((2_700..2_710).contains(&known_to), "{name}: {known_to}");
        assert_eq!(everything(&with_other_future(&series, known_to), plan_of), expected, "{name}");
        // The last outcome that is known does count.
        let (plan, digests) = everything(&with_other_future(&series, known_to - 1), plan_of);
        assert_eq!(plan, expected.0, "{name}");
        assert_ne!(digests, expected.1, "{name}");
    }
}

#[test]
fn reports_are_the_same_bits_at_any_number_of_threads() {
    let series = generated(3_000, 8);
    let plan_of = |m: &Market| CONFIG.walk_forward(m, time_of(m, 2_200..2_900)).unwrap();
    let with_threads = |n: usize| {
        let pool = ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        pool.install(|| everything(&series, &plan_of))
    };
    assert_eq!(with_threads(3), with_threads(1));
}
