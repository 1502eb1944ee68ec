//! Laws of ensembles.

use std::collections::BTreeSet;
use std::sync::Arc;

use candlecast_core::Seed;
use candlecast_learn::walk_forward::{ForecastTable, Forecasts};
use candlecast_learn::{
    Combine, FittedForecaster, Fold, FoldRows, Forecaster, ForecasterState, Labels, Market, Panel, Plan, PlanConfig,
    Recipe, Silent, Smearing, Start, Task, TrainWindow, walk_forward,
};
use serde_json::json;

use crate::forecasters::{Catalogs, all_baselines, baseline, model, report, report_on, restored, tables};
use crate::hooks::TestHooks;
use crate::markets::{
    features, generated, joined, market, time_of, variances, with_features, with_other_future, with_variances,
};

const HORIZON: usize = 4;
const PRICE: Task = Task::Price { horizon: HORIZON };
const DIRECTION: Task = Task::Direction { horizon: HORIZON, labels: Labels::Adaptive { low: 0.25, high: 0.75 } };
const VOLATILITY: Task = Task::Volatility { horizon: HORIZON };
const CONFIG: PlanConfig = PlanConfig {
    horizon: HORIZON,
    window: TrainWindow::Rolling { days: 60 },
    retrain_days: 15,
    min_candles: 500,
    warm_up: 0,
};

fn scene() -> (Arc<Market>, Plan) {
    let market = market(&generated(2_600, 12));
    let plan = CONFIG.walk_forward(&market, time_of(&market, 2_000..2_500)).unwrap();
    (market, plan)
}

fn gbdt(rounds: usize, market: &Arc<Market>, task: Task) -> Forecaster {
    model("gbdt", &json!({ "rounds": rounds, "maxDepth": 2, "patience": 0 }), with_features(market), task)
}

fn linear(market: &Arc<Market>, task: Task) -> Forecaster {
    model("linear", &json!({}), with_variances(market), task)
}

/// Three parts of `gbdt` and one of `linear`, which reads other features.
fn mix(market: &Arc<Market>, task: Task) -> Forecaster {
    let combine = Combine::Weighted { weights: vec![3.0, 1.0] };
    Forecaster::ensemble("mix", combine, vec![gbdt(6, market, task), linear(market, task)]).unwrap()
}

/// The weighted mean of values of the first and the second member of [`mix`].
fn weighted(first: &[f64], second: &[f64]) -> Vec<f64> {
    first.iter().zip(second).map(|(a, b)| 0.75 * a + 0.25 * b).collect()
}

#[test]
fn a_table_is_the_weighted_mean_of_the_members_tables_to_the_bit() {
    let (market, plan) = scene();
    for task in [PRICE, DIRECTION] {
        let forecasters = [mix(&market, task), gbdt(6, &market, task), linear(&market, task)];
        let tables = tables(&forecasters, &plan);
        let [mix, first, second] = &tables[..] else { panic!("three tables") };
        let (a, b) = (&first.forecasts, &second.forecasts);
        assert_ne!(a.means, b.means);
        assert_eq!(mix.forecasts.means, weighted(&a.means, &b.means));
        assert_eq!(mix.forecasts.scales, weighted(&a.scales, &b.scales));
        assert_eq!((&mix.forecasts.borders, &a.borders), (&a.borders, &b.borders), "one question, one answer");
        assert_eq!((mix.forecasts.width, &mix.rows), (task.width(), &first.rows));
        assert_eq!((mix.left_out, mix.abstained), (0, 0));
        assert_eq!(mix.fits, [&first.fits[..], &second.fits[..]].concat());
    }
}

#[test]
fn variances_are_averaged_and_not_their_logarithms() {
    let (market, plan) = scene();
    let forecasters = [mix(&market, VOLATILITY), gbdt(6, &market, VOLATILITY), linear(&market, VOLATILITY)];
    let tables = tables(&forecasters, &plan);
    let [mix, first, second] = &tables[..] else { panic!("three tables") };
    let exp = |table: &ForecastTable| -> Vec<f64> { table.forecasts.means.iter().map(|m| m.exp()).collect() };
    let means = weighted(&exp(first), &exp(second));
    for (mixed, mean) in exp(mix).iter().zip(&means) {
        assert!((mixed / mean - 1.0).abs() < 1e-12, "{mixed} {mean}");
    }
    let logs = weighted(&first.forecasts.means, &second.forecasts.means);
    assert!(mix.forecasts.means.iter().zip(&logs).all(|(m, log)| *m >= log - 1e-12), "Jensen's inequality");
    assert!(mix.forecasts.means.iter().zip(&logs).any(|(m, log)| *m > log + 1e-6));
}

/// Fits done by a run, and what it says there will be.
fn fits(forecasters: &[Forecaster], plan: &Plan) -> Vec<(usize, usize)> {
    let hooks = TestHooks::default();
    walk_forward::run(forecasters, plan, Seed(1), &hooks).unwrap();
    let mut done = hooks.done.lock().unwrap().clone();
    done.sort_unstable();
    done
}

#[test]
fn a_member_that_is_compared_on_its_own_too_is_fitted_once() {
    let (market, plan) = scene();
    let n = plan.folds.len();
    let told = |pipelines: usize| (1..=n * pipelines).map(|done| (done, n * pipelines)).collect::<Vec<_>>();
    let alone = [mix(&market, PRICE)];
    assert_eq!(fits(&alone, &plan), told(2));
    let both = [gbdt(6, &market, PRICE), mix(&market, PRICE), linear(&market, PRICE)];
    assert_eq!(fits(&both, &plan), told(2));
    let other_parameters = [gbdt(5, &market, PRICE), mix(&market, PRICE)];
    assert_eq!(fits(&other_parameters, &plan), told(3));
    let within_another = Forecaster::ensemble(
        "outer",
        Combine::Average,
        vec![mix(&market, PRICE), gbdt(6, &market, PRICE), baseline("drift", &market, PRICE)],
    );
    assert_eq!(fits(&[within_another.unwrap()], &plan), told(3));
}

#[test]
fn an_ensemble_forecasts_the_same_in_whatever_company() {
    let (market, plan) = scene();
    let alone = tables(&[mix(&market, PRICE)], &plan);
    let mut all = all_baselines(&market, PRICE);
    all.extend([gbdt(5, &market, PRICE), mix(&market, PRICE), gbdt(6, &market, PRICE)]);
    assert_eq!(tables(&all, &plan)[5], alone[0]);
    let report = report(&all, &plan);
    let mix = report_on(&report, "mix");
    assert!(!mix.baseline && mix.vs_reference.signal.is_some(), "it is a model like any other");
    assert_eq!((mix.forecasts.rows.len(), mix.skill), (500, mix.metrics.price().unwrap().skill));
}

/// Fitted on the first 2,000 candles.
fn fitted(forecaster: &Forecaster) -> FittedForecaster {
    let rows = FoldRows { window_start: 0, fit_row: 2_000, test: 2_000..2_600 };
    let fold = Fold::of_rows(forecaster.market(0), &rows);
    forecaster.fit(&fold, Seed(1), 1, Start::default(), &mut Silent).unwrap().0
}

fn predicted(model: &FittedForecaster, market: &Arc<Market>) -> Forecasts {
    let table = joined(features(market), variances(market));
    let rows: Vec<usize> = (2_000..2_600).collect();
    model.predict(&Panel::new(Arc::clone(market), &table), &rows)
}

#[test]
fn a_saved_ensemble_forecasts_the_same_bits() {
    let (market, _) = scene();
    for task in [PRICE, DIRECTION, VOLATILITY] {
        let forecaster = mix(&market, task);
        let model = fitted(&forecaster);
        let read = restored(&model);
        let expected = predicted(&model, &market);
        assert_eq!((expected.width, expected.means.len()), (task.width(), 600 * task.width()));
        assert_eq!(predicted(&read, &market), expected);
        assert_eq!((read.recipe(), read.recipe()), (forecaster.recipe(), model.recipe()));
        let weights: Vec<f64> = read.members().iter().map(|(_, weight)| *weight).collect();
        assert_eq!(weights, [0.75, 0.25]);
        assert_eq!((read.task(), read.lookback(), read.level()), (task, 1, 0.9));
        assert_eq!(read.features().ids(), ["body", "range", "past_6", "past_24", "level"]);
    }
}

#[test]
fn a_fitted_ensemble_is_the_mean_of_its_fitted_members() {
    let (market, _) = scene();
    let model = fitted(&mix(&market, PRICE));
    let members: Vec<Forecasts> = model.members().iter().map(|(member, _)| predicted(member, &market)).collect();
    assert_eq!(predicted(&model, &market).means, weighted(&members[0].means, &members[1].means));
}

#[test]
fn what_is_no_ensemble_is_refused() {
    let (market, _) = scene();
    let refusal =
        |combine: Combine, members: Vec<Forecaster>| Forecaster::ensemble("bad", combine, members).unwrap_err();
    let pair = || vec![gbdt(6, &market, PRICE), linear(&market, PRICE)];
    let weighted = |weights: &[f64]| Combine::Weighted { weights: weights.to_vec() };
    assert!(refusal(Combine::Average, vec![linear(&market, PRICE)]).contains("two members"));
    assert!(refusal(weighted(&[1.0]), pair()).contains("give one each"));
    assert!(refusal(weighted(&[1.0, -1.0]), pair()).contains("weights must be"));
    let of_two_tasks = vec![linear(&market, PRICE), linear(&market, VOLATILITY)];
    assert!(refusal(Combine::Average, of_two_tasks).contains("forecast different things"));

    let ForecasterState::Ensemble { combine, smearing, learnt, members } = fitted(&mix(&market, PRICE)).state() else {
        panic!("the state of an ensemble")
    };
    let restore = |members: Vec<ForecasterState>| {
        let state = ForecasterState::Ensemble { combine: combine.clone(), smearing, learnt: learnt.clone(), members };
        FittedForecaster::restore(state, &Catalogs)
    };
    assert!(restore(members.clone()).is_ok());
    assert!(restore(members[..1].to_vec()).is_err(), "two weights and one member");
    let other = fitted(&linear(&market, VOLATILITY)).state();
    assert!(restore(vec![members[0].clone(), other]).is_err(), "members of two tasks");
}

#[test]
fn what_tells_forecasters_apart_is_their_name_and_recipe() {
    let (market, _) = scene();
    let id = |forecaster: Forecaster| forecaster.id().to_owned();
    assert_eq!(id(mix(&market, PRICE)), id(mix(&market, PRICE)));
    let pair = || vec![gbdt(6, &market, PRICE), linear(&market, PRICE)];
    let average = |name: &str| Forecaster::ensemble(name, Combine::Average, pair()).unwrap();
    let ids = [
        id(mix(&market, PRICE)),
        id(average("mix")),
        id(average("other")),
        id(gbdt(6, &market, PRICE)),
        id(gbdt(7, &market, PRICE)),
        id(gbdt(6, &market, DIRECTION)),
    ];
    let different: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(different.len(), ids.len(), "{ids:?}");
    let Recipe::Ensemble(recipe) = mix(&market, PRICE).recipe() else { panic!("the recipe of an ensemble") };
    assert_eq!(recipe.members, pair().iter().map(Forecaster::recipe).collect::<Vec<_>>());
}

/// The mean of the logarithms of three parts of `gbdt` and one of `linear`.
fn logs(market: &Arc<Market>) -> Forecaster {
    let combine = Combine::Logarithmic { weights: Some(vec![3.0, 1.0]) };
    Forecaster::ensemble("logs", combine, vec![gbdt(6, market, VOLATILITY), linear(market, VOLATILITY)]).unwrap()
}

/// The factor that a mean of logarithms is saved with.
fn factor_of(model: &FittedForecaster) -> f64 {
    let ForecasterState::Ensemble { smearing, .. } = model.state() else { panic!("the state of an ensemble") };
    smearing.unwrap().factor()
}

#[test]
fn a_mean_of_logarithms_is_the_geometric_mean_times_a_factor_of_each_fit() {
    let (market, plan) = scene();
    let forecasters = [logs(&market), gbdt(6, &market, VOLATILITY), linear(&market, VOLATILITY)];
    let tables = tables(&forecasters, &plan);
    let [logs, first, second] = &tables[..] else { panic!("three tables") };
    let geometric = weighted(&first.forecasts.means, &second.forecasts.means);
    assert_eq!((logs.rows.len(), &logs.forecasts.scales), (geometric.len(), &first.forecasts.scales));
    let log_factor = |i: usize| logs.forecasts.means[i] - geometric[i];
    let mut of_fits: Vec<f64> = Vec::new();
    for fold in &plan.rows(&market).folds {
        let origins: Vec<usize> = (0..logs.rows.len()).filter(|&i| fold.test.contains(&logs.rows[i])).collect();
        let Some(&first) = origins.first() else { continue };
        assert!(log_factor(first) < -1e-6, "the members differ: {}", log_factor(first));
        assert!(origins.iter().all(|&i| (log_factor(i) - log_factor(first)).abs() < 1e-12));
        of_fits.push(log_factor(first));
    }
    assert!(of_fits.len() > 2 && of_fits.windows(2).all(|pair| (pair[1] - pair[0]).abs() > 1e-9), "{of_fits:?}");
}

#[test]
fn the_factor_is_that_of_the_residuals_on_what_was_learnt_from() {
    let (market, _) = scene();
    let model = fitted(&logs(&market));
    let panel = Panel::new(Arc::clone(&market), &joined(features(&market), variances(&market)));
    let known = 0..2_000 - HORIZON;
    let rows: Vec<usize> =
        known.filter(|&row| model.is_origin(&panel, row) && market.has_targets(row, HORIZON)).collect();
    assert!(rows.len() > 1_900);
    let residuals_of = |member: &FittedForecaster| -> Vec<f64> {
        let forecasts = member.predict(&panel, &rows);
        let came_true = rows.iter().map(|&row| market.realised_variance(row, HORIZON).ln());
        came_true.zip(&forecasts.means).map(|(log, mean)| log - mean).collect()
    };
    let residuals: Vec<Vec<f64>> = model.members().iter().map(|(member, _)| residuals_of(member)).collect();
    let mean_exp = |values: &[f64]| values.iter().map(|e| e.exp()).sum::<f64>() / values.len() as f64;
    let own = mean_exp(&residuals[0]).powf(0.75) * mean_exp(&residuals[1]).powf(0.25);
    let expected = mean_exp(&weighted(&residuals[0], &residuals[1])) / own;
    let factor = factor_of(&model);
    assert!((factor - expected).abs() < 1e-12 && factor < 1.0, "{factor} {expected}");
}

#[test]
fn the_factor_knows_nothing_of_what_comes_after_the_fit() {
    let series = generated(2_600, 12);
    let [here, elsewhere] = [series.clone(), with_other_future(&series, 2_000)].map(|series| market(&series));
    assert_eq!(fitted(&logs(&here)).state(), fitted(&logs(&elsewhere)).state());

    let elsewhere = market(&with_other_future(&series, 2_250));
    let (_, plan) = scene();
    let [a, b] = [&here, &elsewhere].map(|market| tables(&[logs(market)], &plan).remove(0));
    let before = a.rows.partition_point(|&row| row < 2_250);
    assert!(before > 200 && before < a.rows.len());
    assert_eq!(a.forecasts.means[..before], b.forecasts.means[..before]);
    assert_ne!(a.forecasts.means[before..], b.forecasts.means[before..]);
}

#[test]
fn a_saved_mean_of_logarithms_forecasts_the_same_bits() {
    let (market, _) = scene();
    let model = fitted(&logs(&market));
    let (read, whole) = (restored(&model), predicted(&model, &market));
    assert_eq!(predicted(&read, &market), whole);
    assert_eq!((read.recipe(), factor_of(&read)), (logs(&market).recipe(), factor_of(&model)));
    let members: Vec<Forecasts> = model.members().iter().map(|(member, _)| predicted(member, &market)).collect();
    let log_factor = factor_of(&model).ln();
    let geometric = weighted(&members[0].means, &members[1].means);
    assert_eq!(whole.means, geometric.iter().map(|log| log + log_factor).collect::<Vec<f64>>());
}

#[test]
fn what_is_no_mean_of_logarithms_is_refused() {
    let (market, _) = scene();
    let equal = Combine::Logarithmic { weights: None };
    let refusal = |members: Vec<Forecaster>| Forecaster::ensemble("bad", equal.clone(), members).unwrap_err();
    let of_prices = vec![gbdt(6, &market, PRICE), linear(&market, PRICE)];
    assert!(refusal(of_prices).contains("volatility task"));
    assert!(refusal(vec![logs(&market), linear(&market, VOLATILITY)]).contains("no ensembles"));

    let ForecasterState::Ensemble { combine, smearing, members, .. } = fitted(&logs(&market)).state() else {
        panic!("the state of an ensemble")
    };
    let restored = |combine: &Combine, smearing: Option<Smearing>| {
        let (combine, members) = (combine.clone(), members.clone());
        let state = ForecasterState::Ensemble { combine, smearing, learnt: None, members };
        FittedForecaster::restore(state, &Catalogs)
    };
    let damaged: Smearing = serde_json::from_value(json!(-1.0)).unwrap();
    assert!(restored(&combine, smearing).is_ok() && restored(&Combine::Average, None).is_ok());
    assert!(restored(&combine, None).is_err(), "without its factor");
    assert!(restored(&combine, Some(damaged)).is_err(), "with a factor below 0");
    assert!(restored(&Combine::Average, smearing).is_err(), "with a factor that it has not");
}

#[test]
fn an_ensemble_that_has_learnt_nothing_is_saved_as_before_there_was_a_factor() {
    let (market, _) = scene();
    let state = serde_json::to_value(fitted(&mix(&market, VOLATILITY)).state()).unwrap();
    let fields: Vec<&String> = state["ensemble"].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["combine", "members"]);
}

#[test]
fn kept_forecasts_of_members_bring_the_factor_along() {
    let (market, plan) = scene();
    let run = |forecasters: &[Forecaster], hooks: &TestHooks| -> Vec<ForecastTable> {
        let models = walk_forward::run(forecasters, &plan, Seed(1), hooks).unwrap();
        models.into_iter().map(|model| ForecastTable { fit_seconds: 0.0, ..model.table }).collect()
    };
    let mean = [logs(&market)];
    let fresh = TestHooks::slow();
    let whole = run(&mean, &fresh);
    let again = TestHooks::slow().with_store(fresh.kept());
    assert_eq!(run(&mean, &again), whole);
    assert_eq!(again.kept(), fresh.kept(), "nothing was fitted again");
    // What a run kept in which nobody asked for residuals is not enough.
    let alone = TestHooks::slow();
    run(&[gbdt(6, &market, VOLATILITY), linear(&market, VOLATILITY)], &alone);
    let beside = TestHooks::slow().with_store(alone.kept());
    assert_eq!(run(&mean, &beside), whole);
}
