//! What ensembles learn of their members: by votes, by error, by state of the market, and nothing of the future.

use std::cmp::Ordering;
use std::sync::Arc;

use candlecast_core::market::random_walk;
use candlecast_core::{CandleSeries, Seed};
use candlecast_learn::significance::VerdictCode;
use candlecast_learn::walk_forward::{ForecastTable, Forecasts};
use candlecast_learn::{
    CalibrationState, Combine, CommonOrigins, EnsembleFits, FittedForecaster, Fold, FoldRows, Forecaster, Labels,
    Learnt, Market, Panel, PipelineConfig, Plan, PlanConfig, Silent, Start, Task, TrainWindow, Votes,
};
use serde_json::json;

use crate::forecasters::{
    Catalogs, LEVEL, all_baselines, baseline, forecaster, learner, model, report, report_on, restored, tables,
};
use crate::learners::{by_rule, row_of};
use crate::live::live_forecasts;
use crate::markets::{
    closes_only, features, generated, joined, market, of_returns, time_of, variances, with_features, with_other_future,
    with_variances,
};

const HORIZON: usize = 4;
const PRICE: Task = Task::Price { horizon: HORIZON };
const DIRECTION: Task = Task::Direction { horizon: HORIZON, labels: Labels::Adaptive { low: 0.25, high: 0.75 } };
const VOLATILITY: Task = Task::Volatility { horizon: HORIZON };
/// First row that a fit has not seen.
const FIT_ROW: usize = 2_000;
/// Origins below which nothing is learnt of members.
const LEAST: usize = 200;

fn config(horizon: usize) -> PlanConfig {
    let window = TrainWindow::Rolling { days: 60 };
    PlanConfig { horizon, window, retrain_days: 15, min_candles: 500, warm_up: 0 }
}

fn plan(market: &Market) -> Plan {
    config(HORIZON).walk_forward(market, time_of(market, FIT_ROW..2_500)).unwrap()
}

fn gbdt(market: &Arc<Market>, task: Task) -> Forecaster {
    model("gbdt", &json!({ "rounds": 6, "maxDepth": 2, "patience": 0 }), with_features(market), task)
}

fn linear(market: &Arc<Market>, task: Task) -> Forecaster {
    model("linear", &json!({}), with_variances(market), task)
}

/// `gbdt`, `linear`, and a baseline that is not the reference of the task.
fn members(market: &Arc<Market>, task: Task) -> Vec<Forecaster> {
    let other = match task {
        Task::Price { .. } => "drift",
        Task::Direction { .. } => "stratified",
        Task::Volatility { .. } => "ewma",
    };
    vec![gbdt(market, task), linear(market, task), baseline(other, market, task)]
}

fn ensemble(combine: Combine, market: &Arc<Market>, task: Task) -> Forecaster {
    Forecaster::ensemble("mix", combine, members(market, task)).unwrap()
}

/// The strategies that learn something of members of `task`.
fn strategies(task: Task) -> Vec<Combine> {
    let all = [
        Combine::Average,
        Combine::Weighted { weights: vec![3.0, 1.0, 0.0] },
        Combine::Auto,
        Combine::Voting { votes: Votes::Equal },
        Combine::Voting { votes: Votes::Confidence },
        Combine::Stacking,
    ];
    all.into_iter().filter(|combine| combine.suits(&task)).collect()
}

fn fits(table: &ForecastTable) -> &EnsembleFits {
    table.ensemble.as_ref().unwrap()
}

/// The tables of an ensemble of each strategy, of the same members.
fn of_all_strategies(market: &Arc<Market>, plan: &Plan, task: Task) -> Vec<(Combine, ForecastTable)> {
    let strategies = strategies(task);
    let ensembles: Vec<Forecaster> = strategies.iter().map(|combine| ensemble(combine.clone(), market, task)).collect();
    strategies.into_iter().zip(tables(&ensembles, plan)).collect()
}

#[test]
fn weights_are_never_negative_and_sum_to_one_in_every_fit_and_state() {
    let market = market(&generated(2_600, 12));
    let plan = plan(&market);
    for task in [PRICE, DIRECTION, VOLATILITY] {
        for (combine, table) in of_all_strategies(&market, &plan, task) {
            let fits = fits(&table);
            assert_eq!(fits.fits.len(), plan.folds.len(), "{combine:?}");
            // The neutral forecast is one of what stacking weighs.
            let (n_states, n_weights) = if combine == Combine::Stacking { (6, 4) } else { (1, 3) };
            assert_eq!(fits.members.len(), n_weights, "{combine:?}: {:?}", fits.members);
            for fit in &fits.fits {
                let states = if fit.origins == 0 { 1 } else { n_states };
                assert_eq!(fit.by_state.len(), states, "{combine:?}");
                for weights in &fit.by_state {
                    assert!(weights.len() == n_weights && weights.iter().all(|&w| w >= 0.0), "{combine:?} {weights:?}");
                    assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{combine:?} {weights:?}");
                }
            }
            let last = fits.fits.last().unwrap();
            assert_eq!(last.origins > LEAST, combine.is_learnt(), "{combine:?}: {}", last.origins);
            assert_eq!(fits.fits[0].origins, 0, "nothing is known of members before the first fold");
        }
    }
}

#[test]
fn weights_by_error_are_in_proportion_to_the_inverse_of_the_mean_loss_that_was_known() {
    let market = market(&generated(2_600, 12));
    let plan = plan(&market);
    for task in [PRICE, DIRECTION, VOLATILITY] {
        let mut forecasters = members(&market, task);
        forecasters.push(ensemble(Combine::Auto, &market, task));
        let tables = tables(&forecasters, &plan);
        let (mix, of_members) = (&tables[3], &tables[..3]);
        let fit_row = plan.rows(&market).folds.last().unwrap().fit_row;
        let known: Vec<usize> = (0..mix.rows.len()).filter(|&i| mix.rows[i] + HORIZON < fit_row).collect();
        let loss = |table: &ForecastTable| -> f64 {
            let of = |&i: &usize| task.kind().mean_loss(&market, table.rows[i], HORIZON, table.row(i)).unwrap();
            known.iter().map(of).sum::<f64>() / known.len() as f64
        };
        let inverses: Vec<f64> = of_members.iter().map(|table| 1.0 / loss(table)).collect();
        let last = fits(mix).fits.last().unwrap();
        assert_eq!(last.origins, known.len());
        for (weight, inverse) in last.by_state[0].iter().zip(&inverses) {
            assert!((weight - inverse / inverses.iter().sum::<f64>()).abs() < 1e-12, "{:?}", last.by_state);
        }
        // Forecasts of the last fold are by these weights.
        let i = mix.rows.len() - 1;
        let weighted = |value: &dyn Fn(f64) -> f64| -> f64 {
            of_members.iter().zip(&last.by_state[0]).map(|(table, w)| w * value(table.row(i).means[0])).sum()
        };
        let expected = match task {
            Task::Volatility { .. } => weighted(&f64::exp).ln(),
            Task::Price { .. } | Task::Direction { .. } => weighted(&|mean| mean),
        };
        assert!((mix.row(i).means[0] - expected).abs() < 1e-12, "{task:?}");
    }
}

/// Says what chance says, and at one row in five nothing.
fn noise(name: &'static str, silent: usize, market: &Arc<Market>) -> Forecaster {
    let rule = by_rule(move |x, i, h| {
        let row = row_of(x, i);
        if row % 5 == silent { 0.0 } else { 0.004 * Seed(row as u64).derive(name, h as u64).stream().normal() }
    });
    forecaster(name, rule, closes_only(market), PRICE)
}

#[test]
fn votes_are_counted_origin_by_origin_and_the_price_is_that_of_the_majority() {
    let market = market(&generated(2_600, 12));
    let voters = || vec![noise("a", 0, &market), noise("b", 1, &market), noise("c", 2, &market)];
    let mut forecasters = voters();
    forecasters.push(Forecaster::ensemble("vote", Combine::Voting { votes: Votes::Equal }, voters()).unwrap());
    let tables = tables(&forecasters, &plan(&market));
    let mut cases = [0; 3];
    for i in 0..tables[3].rows.len() {
        for h in 0..HORIZON {
            let means: Vec<f64> = tables[..3].iter().map(|table| table.row(i).means[h]).filter(|m| *m != 0.0).collect();
            let (up, down): (Vec<f64>, Vec<f64>) = means.into_iter().partition(|mean| *mean > 0.0);
            let mean = |side: &[f64]| side.iter().sum::<f64>() / side.len() as f64;
            let order = up.len().cmp(&down.len());
            let expected = match order {
                Ordering::Greater => mean(&up),
                Ordering::Less => mean(&down),
                Ordering::Equal => 0.0,
            };
            assert!((tables[3].row(i).means[h] - expected).abs() < 1e-15, "origin {i}, step {h}");
            cases[(order as i8 + 1) as usize] += 1;
        }
    }
    assert!(cases.iter().all(|&n| n > 100), "{cases:?}");
    let raw = &tables[3].forecasts.confidences;
    assert!(raw.len() == tables[3].rows.len() * HORIZON && raw.iter().all(|raw| (0.25..=0.99).contains(raw)));
}

#[test]
fn nothing_of_the_future_is_learnt() {
    let series = generated(2_600, 12);
    let (here, elsewhere) = (market(&series), market(&with_other_future(&series, 2_250)));
    let plan = plan(&here);
    for task in [PRICE, DIRECTION, VOLATILITY] {
        let run = |market: &Arc<Market>| of_all_strategies(market, &plan, task);
        for ((combine, a), (_, b)) in run(&here).into_iter().zip(run(&elsewhere)) {
            let before = a.rows.partition_point(|&row| row < 2_250);
            assert!(before > 200 && before < a.rows.len());
            for i in 0..before {
                assert_eq!(a.row(i), b.row(i), "{combine:?} {task:?}, origin {i}");
            }
            let known = plan.rows(&here).folds.iter().filter(|fold| fold.fit_row <= 2_250).count();
            assert!(known > 2 && fits(&a).fits[..known] == fits(&b).fits[..known], "{combine:?} {task:?}");
            assert_ne!(a.forecasts, b.forecasts, "{combine:?} {task:?}");
        }
    }
}

/// The same sign for the same row, as good as a coin.
fn sign(label: &str, row: usize) -> f64 {
    if Seed(9).derive(label, row as u64).0 & 1 == 0 { 1.0 } else { -1.0 }
}

/// Hourly returns of which those after a row have a part that the row tells.
fn told_by_rows(n: usize) -> CandleSeries {
    let mut rng = Seed(4).stream();
    let returns: Vec<f64> = (0..n)
        .map(|i| 0.006 * (0.5 * i.checked_sub(1).map_or(0.0, |row| sign("signal", row)) + 0.85 * rng.normal()))
        .collect();
    of_returns(&returns)
}

/// Knows what comes where the market trends, or where it does not, and says as much at random elsewhere.
fn knowing(name: &str, in_trends: bool, market: &Arc<Market>) -> Forecaster {
    let noise = format!("noise of {name}");
    let rule = by_rule(move |x, i, _| {
        let row = row_of(x, i);
        let market = x.data().panels()[0].market();
        let label = if market.trending()[row] == in_trends { "signal" } else { noise.as_str() };
        0.006 * 0.5 * sign(label, row)
    });
    forecaster(name, rule, closes_only(market), Task::Price { horizon: 1 })
}

#[test]
fn stacking_finds_the_better_member_of_each_state() {
    let market = market(&told_by_rows(3_000));
    let plan = config(1).walk_forward(&market, time_of(&market, 2_000..2_900)).unwrap();
    let pair = || vec![knowing("trends", true, &market), knowing("sideways", false, &market)];
    let mut forecasters = pair();
    forecasters.push(Forecaster::ensemble("mean", Combine::Average, pair()).unwrap());
    forecasters.push(Forecaster::ensemble("stack", Combine::Stacking, pair()).unwrap());
    let tables = tables(&forecasters, &plan);
    let stack = fits(&tables[3]);
    assert_eq!(stack.members, ["trends", "sideways", "naive"]);
    let last = stack.fits.last().unwrap();
    assert_eq!(stack.learnt.states().len(), 6);
    for (state, weights) in stack.learnt.states().iter().zip(&last.by_state) {
        let (knows, does_not) = if state.starts_with("trend") { (0, 1) } else { (1, 0) };
        assert!(weights[knows] > 0.4 && weights[does_not] < 0.5 * weights[knows], "{state}: {weights:?}");
    }
    let error = |table: &ForecastTable| -> f64 {
        let close = market.log_close();
        let scored = (0..table.rows.len()).filter(|&i| table.rows[i] >= 2_000);
        let square = |i: usize| {
            let row = table.rows[i];
            (table.row(i).means[0] - (close[row + 1] - close[row])).powi(2)
        };
        scored.map(square).sum()
    };
    let errors: Vec<f64> = tables.iter().map(error).collect();
    assert!(errors[..3].iter().all(|other| errors[3] < 0.98 * other), "{errors:?}");
}

#[test]
fn stacking_noise_on_random_walks_is_no_better_than_naive() {
    let (mut skills, mut better) = (Vec::new(), 0);
    for seed in 0..12 {
        let market = market(&random_walk(2_600, Seed(100 + seed), 0.0));
        let mut forecasters = all_baselines(&market, PRICE);
        let pair = vec![noise("one", 0, &market), noise("other", 1, &market)];
        forecasters.push(Forecaster::ensemble("stack", Combine::Stacking, pair).unwrap());
        let report = report(&forecasters, &plan(&market));
        let stack = report_on(&report, "stack");
        skills.push(stack.skill.unwrap());
        better += usize::from(stack.vs_reference.code == VerdictCode::Better);
        // What tells nothing gets less and less: the naive forecast has the greatest weight.
        let all = &stack.ensemble.as_ref().unwrap().fits.last().unwrap().by_state;
        assert!(all.iter().all(|weights| weights[2] > weights[0].max(weights[1])), "{all:?}");
    }
    let mean = skills.iter().sum::<f64>() / 12.0;
    assert!(mean < 0.001 && skills.iter().all(|&skill| skill < 0.01), "{skills:?}");
    assert!(better <= 2, "{better} of 12 are better than naive by luck");
}

/// An ensemble fitted to the first rows, with what it has learnt in a walk-forward that ends there.
fn learnt(combine: &Combine, market: &Arc<Market>, task: Task) -> (FittedForecaster, Learnt) {
    let forecaster = ensemble(combine.clone(), market, task);
    let plan = config(HORIZON).walk_forward(market, time_of(market, 1_500..FIT_ROW)).unwrap();
    let table = tables(&[ensemble(combine.clone(), market, task)], &plan).remove(0);
    let rows = FoldRows { window_start: 0, fit_row: FIT_ROW, test: FIT_ROW..FIT_ROW };
    let fold = Fold::of_rows(market, &rows);
    let fitted = forecaster.fit(&fold, Seed(1), 1, Start::default(), &mut Silent).unwrap().0;
    let learnt = table.ensemble.unwrap().learnt;
    (fitted.with_learnt(learnt.clone()).unwrap(), learnt)
}

/// The features of [`members`] of any task.
fn panel(market: &Arc<Market>) -> Panel {
    Panel::new(Arc::clone(market), &joined(features(market), variances(market)))
}

#[test]
fn what_was_learnt_is_saved_and_read_again_to_the_bit() {
    let market = market(&generated(2_600, 12));
    let rows: Vec<usize> = (FIT_ROW..2_590).collect();
    for task in [PRICE, DIRECTION, VOLATILITY] {
        for combine in strategies(task) {
            let (fitted, learnt) = learnt(&combine, &market, task);
            let read = restored(&fitted);
            let forecasts = fitted.predict(&panel(&market), &rows);
            assert_eq!(read.predict(&panel(&market), &rows), forecasts, "{combine:?} {task:?}");
            let claims = if matches!(task, Task::Volatility { .. }) { 0 } else { task.claims() };
            assert_eq!(forecasts.confidences.len(), rows.len() * claims);
            assert!(forecasts.confidences.iter().all(|raw| (0.0..=0.99).contains(raw)));
            let weighing = read.as_ensemble().unwrap().weighing();
            assert_eq!(weighing.by_state, learnt.weights());
            assert_eq!(read.opinion(&panel(&market), FIT_ROW), fitted.opinion(&panel(&market), FIT_ROW));
        }
    }
}

#[test]
fn what_no_walk_forward_can_have_taught_is_refused() {
    let market = market(&generated(2_600, 12));
    let (fitted, _) = learnt(&Combine::Stacking, &market, PRICE);
    let state = serde_json::to_value(fitted.state()).unwrap();
    let edits = [
        ("/ensemble/learnt/weights/0/0", json!(2.0)),
        ("/ensemble/learnt/weights/0/0", json!(-0.5)),
        ("/ensemble/learnt/weights/0", json!([1.0])),
        ("/ensemble/learnt/weights", json!([])),
        ("/ensemble/learnt/members", json!([])),
        ("/ensemble/learnt/members/0/factors", json!([1.0])),
        ("/ensemble/learnt/members/0/level", json!(7.0)),
        ("/ensemble/learnt/members/0/widths/0/1", json!(-1.0)),
    ];
    for (pointer, value) in edits {
        let mut edited = state.clone();
        *edited.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is in the file")) = value;
        let edited = serde_json::from_value(edited).unwrap();
        assert!(FittedForecaster::restore(edited, &Catalogs).is_err(), "{pointer}");
    }
}

#[test]
fn candle_by_candle_the_forecasts_are_those_of_the_batch() {
    let market = market(&generated(2_400, 12));
    let series = market.series();
    for task in [PRICE, DIRECTION, VOLATILITY] {
        for combine in [Combine::Stacking, Combine::Voting { votes: Votes::Confidence }] {
            if !combine.suits(&task) {
                continue;
            }
            let (batch, known) = learnt(&combine, &market, task);
            let all = panel(&market);
            let features = joined(features(&market), variances(&market));
            let fresh = CalibrationState::new(LEVEL, &task, 24.0);
            let trained_to = series.close_time(FIT_ROW - 1);
            let (same, again) = learnt(&combine, &market, task);
            assert_eq!(known, again);
            let (live, _) = live_forecasts(same, &market, &features, fresh.clone(), trained_to, FIT_ROW);
            for (row, forecast) in (FIT_ROW..).zip(&live).step_by(17) {
                let mut calibrator = batch.replay(&all, fresh.clone(), FIT_ROW - 1, row);
                let expected = batch.forecast(&all, row, &mut calibrator);
                assert_eq!(forecast.as_ref(), Some(&expected), "{combine:?} {task:?}, row {row}");
            }
        }
    }
}

/// Out-of-fold forecasts of `members` of prices from the same rows, and the fitted ones.
fn fitted_members(market: &Arc<Market>) -> (Vec<usize>, Vec<Forecasts>, Vec<FittedForecaster>) {
    let members = members(market, PRICE);
    let plan = config(HORIZON).walk_forward(market, time_of(market, 1_500..FIT_ROW)).unwrap();
    let tables = tables(&members, &plan);
    let rows = FoldRows { window_start: 0, fit_row: FIT_ROW, test: FIT_ROW..FIT_ROW };
    let fold = Fold::of_rows(market, &rows);
    let fitted = |member: &Forecaster| member.fit(&fold, Seed(1), 1, Start::default(), &mut Silent).unwrap().0;
    let models = members.iter().map(fitted).collect();
    (tables[0].rows.clone(), tables.into_iter().map(|table| table.forecasts).collect(), models)
}

#[test]
fn an_ensemble_of_saved_members_learns_from_the_origins_that_all_have() {
    let series = generated(2_600, 12);
    let here = market(&series);
    let (rows, forecasts, models) = fitted_members(&here);
    let ensemble = FittedForecaster::of_members(Combine::Stacking, models).unwrap();
    let learn = |market: &Market, n: usize, known_to: usize| {
        let first = rows.len() - n;
        let members: Vec<Forecasts> = forecasts
            .iter()
            .map(|f| Forecasts {
                means: f.means[first * HORIZON..].to_vec(),
                scales: f.scales[first * HORIZON..].to_vec(),
                ..Forecasts::empty(HORIZON)
            })
            .collect();
        let common = CommonOrigins { market, rows: &rows[first..], members: &members, refit: 24 * 7, known_to };
        ensemble.learn_out_of_fold(&common).unwrap()
    };
    let (whole, calibration) = learn(&here, rows.len(), FIT_ROW);
    assert_eq!((whole.weights().len(), calibration.claims()), (6, HORIZON));
    assert!(whole.origins() > 400 && calibration.outcomes() > 400);
    // Candles from there on are not read.
    let elsewhere = market(&with_other_future(&series, FIT_ROW));
    assert_eq!(learn(&elsewhere, rows.len(), FIT_ROW), (whole, calibration));
    // Too few origins: all are weighed alike, the naive forecast as well.
    let (few, calibration) = learn(&here, LEAST, FIT_ROW);
    assert_eq!((few.weights(), few.origins()), (&[vec![0.25; 4]][..], 0));
    assert!(calibration.outcomes() > 0);
}

#[test]
fn members_that_reach_different_steps_reach_together_as_far_as_the_nearest() {
    let market = market(&generated(2_600, 12));
    let near = linear(&market, Task::Price { horizon: 2 });
    let far = gbdt(&market, PRICE);
    let rows = FoldRows { window_start: 0, fit_row: FIT_ROW, test: FIT_ROW..FIT_ROW };
    let fold = Fold::of_rows(&market, &rows);
    let fitted = |member: &Forecaster| member.fit(&fold, Seed(1), 1, Start::default(), &mut Silent).unwrap().0;
    let ensemble = FittedForecaster::of_members(Combine::Average, vec![fitted(&near), fitted(&far)]).unwrap();
    assert_eq!(ensemble.task(), Task::Price { horizon: 2 });
    let forecast = ensemble.predict(&panel(&market), &[FIT_ROW]);
    let (a, b) =
        (fitted(&near).predict(&panel(&market), &[FIT_ROW]), fitted(&far).predict(&panel(&market), &[FIT_ROW]));
    assert_eq!(forecast.means, [0.5 * a.means[0] + 0.5 * b.means[0], 0.5 * a.means[1] + 0.5 * b.means[1]]);
    let opinion = ensemble.opinion(&panel(&market), FIT_ROW).unwrap();
    assert_eq!((opinion.strategy, opinion.members), ("average", vec!["linear".to_owned(), "gbdt".to_owned()]));
    assert!(opinion.claims.len() == 2 && opinion.claims.iter().all(|claim| claim.raw_confidence.is_none()));
    let volatility = fitted(&linear(&market, VOLATILITY));
    let mixed = FittedForecaster::of_members(Combine::Average, vec![fitted(&near), volatility]);
    assert!(mixed.unwrap_err().contains("forecast different things"));
}

#[test]
fn members_of_a_bag_learn_from_different_draws_and_fit_the_same_bits_again() {
    let market = market(&generated(2_600, 12));
    let rows = FoldRows { window_start: 0, fit_row: FIT_ROW, test: FIT_ROW..2_500 };
    let fold = Fold::of_rows(&market, &rows);
    let bag = |bag: Option<u32>| {
        let plain = gbdt(&market, PRICE);
        let pipeline = plain.as_pipeline().unwrap();
        let config = PipelineConfig { bag, ..pipeline.config.clone() };
        let params = json!({ "rounds": 6, "maxDepth": 2, "patience": 0 });
        let learner = learner("gbdt", &params);
        Forecaster::pipeline("gbdt", false, config, learner, pipeline.data.clone())
    };
    let predicted = |forecaster: &Forecaster| {
        let fitted = forecaster.fit(&fold, Seed(1), 1, Start::default(), &mut Silent).unwrap().0;
        let read = restored(&fitted);
        assert_eq!(read.recipe(), forecaster.recipe());
        read.predict(&panel(&market), &[FIT_ROW, FIT_ROW + 100])
    };
    let [plain, one, other] = [None, Some(1), Some(2)].map(|number| predicted(&bag(number)));
    assert!(plain != one && one != other);
    assert_eq!(predicted(&bag(Some(2))), other);
    let ids: Vec<String> = [None, Some(1), Some(2)].map(|number| bag(number).id().to_owned()).into();
    assert!(ids[0] != ids[1] && ids[1] != ids[2]);
    assert_eq!(gbdt(&market, PRICE).id(), ids[0], "without a bag the recipe is what it was");
}

#[test]
fn a_bagged_model_is_the_mean_of_its_bags() {
    let market = market(&generated(2_600, 12));
    let bag = |bag: u32| {
        let plain = linear(&market, PRICE);
        let pipeline = plain.as_pipeline().unwrap();
        let config = PipelineConfig { bag: Some(bag), ..pipeline.config.clone() };
        Forecaster::pipeline("linear", false, config, learner("linear", &json!({})), pipeline.data.clone())
    };
    let bags = || (1..=3).map(bag).collect::<Vec<Forecaster>>();
    let mut forecasters = bags();
    forecasters.push(Forecaster::ensemble("bagging", Combine::Average, bags()).unwrap());
    forecasters.push(linear(&market, PRICE));
    let tables = tables(&forecasters, &plan(&market));
    assert_eq!(fits(&tables[3]).members, ["linear", "linear", "linear"]);
    let means = |table: &ForecastTable| table.forecasts.means.clone();
    let [one, two, three, bagged, plain] = [0, 1, 2, 3, 4].map(|k| means(&tables[k]));
    for i in 0..bagged.len() {
        assert!((bagged[i] - (one[i] + two[i] + three[i]) / 3.0).abs() < 1e-15, "{i}");
    }
    assert!(one != two && two != three && bagged != plain);
}
