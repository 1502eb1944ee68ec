//! Which models a report says to differ by more than luck explains, their days, and what choosing among them is worth.

use std::sync::Arc;

use candlecast_core::Seed;
use candlecast_learn::significance::{VERDICT_LEVEL, holm};
use candlecast_learn::{DailyLosses, Forecaster, Market, Plan, PlanConfig, Report, Task, TrainWindow};

use crate::forecasters::{all_baselines, baseline, forecaster, report, report_on};
use crate::learners::{by_rule, row_of};
use crate::markets::{closes_only, generated, market, time_of};

const HORIZON: usize = 4;
const TASK: Task = Task::Price { horizon: HORIZON };
const CONFIG: PlanConfig = PlanConfig {
    horizon: HORIZON,
    window: TrainWindow::Rolling { days: 40 },
    retrain_days: 7,
    min_candles: 500,
    warm_up: 0,
};
const DAY_MS: i64 = 86_400_000;

/// Knows the outcome of a share of the origins, those that `seed` draws, and forecasts the last price from all others.
fn informed(name: &str, market: &Arc<Market>, seed: u64, share: f64) -> Forecaster {
    let truth = Arc::clone(market);
    let learner = by_rule(move |x, i, h| {
        let row = row_of(x, i);
        let knows = Seed(seed).derive("forecast", row as u64).stream().uniform() < share;
        let closes = truth.log_close();
        if knows { closes[(row + h + 1).min(closes.len() - 1)] - closes[row] } else { 0.0 }
    });
    forecaster(name, learner, closes_only(market), TASK)
}

fn scored(market: &Market, origins: usize) -> Plan {
    CONFIG.walk_forward(market, time_of(market, 2_200..2_200 + origins)).unwrap()
}

fn number_of(report: &Report, name: &str) -> usize {
    report.models.iter().position(|model| model.name == name).unwrap()
}

/// Names of the models in the confidence set.
fn in_set(report: &Report) -> Vec<&str> {
    let set = report.confidence_set.as_ref().unwrap();
    assert_eq!((set.level, set.p_values.len()), (0.9, report.models.len()));
    let held = report.models.iter().enumerate().filter(|(i, _)| set.holds(*i));
    held.map(|(_, model)| model.name.as_str()).collect()
}

#[test]
fn who_knows_most_is_the_winner_and_alone_in_the_confidence_set() {
    let market = market(&generated(3_000, 5));
    let mut forecasters = all_baselines(&market, TASK);
    forecasters.push(informed("half", &market, 3, 0.5));
    forecasters.push(informed("tenth", &market, 4, 0.1));
    let report = report(&forecasters, &scored(&market, 700));
    assert_eq!(in_set(&report), ["half"]);
    let (half, tenth) = (number_of(&report, "half"), number_of(&report, "tenth"));
    assert_eq!(report.winner(), Some(half));
    // Each of the two beside the four baselines, and beside the other one; baselines that say the same have no pair.
    let beside = |a: usize, b: usize| {
        let found = report.differences.iter().find(|d| [(a, b), (b, a)].contains(&(d.better, d.worse)));
        found.copied().unwrap_or_else(|| panic!("{a} and {b} are not compared: {:?}", report.differences))
    };
    for baseline in 0..4 {
        assert!(report.models[baseline].baseline);
        let found = [beside(half, baseline), beside(tenth, baseline)];
        assert_eq!((found[0].better, found[1].better), (half, tenth));
    }
    let found = beside(half, tenth);
    assert_eq!((found.better, report.differences.len()), (half, 9));
    assert!(found.corrected < VERDICT_LEVEL && found.saved > 0.0, "{found:?}");
    let corrected = holm(&report.differences.iter().map(|d| Some(d.p_value)).collect::<Vec<_>>());
    assert!(report.differences.iter().zip(corrected).all(|(d, p)| Some(d.corrected) == p && d.corrected >= d.p_value));
    // Against the reference it is the test of the verdict, of both sides.
    let (naive, vs) = (number_of(&report, "naive"), report_on(&report, "tenth").vs_reference.test.unwrap());
    let found = beside(tenth, naive);
    assert!((found.saved - vs.mean).abs() < 1e-12, "{found:?} {vs:?}");
    assert!((found.p_value - (2.0 * vs.p_value.min(vs.other_side())).min(1.0)).abs() < 1e-12, "{found:?} {vs:?}");
}

#[test]
fn equals_are_in_the_set_together_and_nobody_wins() {
    let market = market(&generated(3_000, 5));
    for (share, held, n_differences) in [(0.4, vec!["one", "other"], 2), (0.0, vec!["naive", "one", "other"], 0)] {
        let mut forecasters = vec![baseline("naive", &market, TASK)];
        forecasters.extend(["one", "other"].map(|name| informed(name, &market, 3, share)));
        let report = report(&forecasters, &scored(&market, 700));
        assert_eq!(in_set(&report), held);
        // The same forecasts under two names have no difference that could be tested.
        assert_eq!((report.differences.len(), report.winner()), (n_differences, None), "{:?}", report.differences);
    }
}

#[test]
fn too_few_independent_outcomes_have_no_set_and_no_differences() {
    let market = market(&generated(3_000, 5));
    let forecasters = [baseline("naive", &market, TASK), informed("knows", &market, 3, 0.5)];
    for (origins, tested) in [(29 * HORIZON, false), (30 * HORIZON, true)] {
        let report = report(&forecasters, &scored(&market, origins));
        assert_eq!((report.confidence_set.is_some(), report.differences.len()), (tested, usize::from(tested)));
        assert_eq!(report.winner().is_some(), tested);
        assert!(tested || report_on(&report, "knows").direction.unwrap().interval.is_none());
    }
}

#[test]
fn days_are_means_of_what_was_saved_by_the_origins_of_a_day() {
    let market = market(&generated(3_000, 5));
    let forecasters = [baseline("naive", &market, TASK), informed("knows", &market, 3, 0.3)];
    let report = report(&forecasters, &scored(&market, 700));
    let knows = report_on(&report, "knows");
    let open_times = &market.series().columns().open_time;
    let days: Vec<i64> = knows.forecasts.rows.iter().map(|&row| open_times[row].div_euclid(DAY_MS)).collect();
    assert_eq!((knows.daily.first_day, knows.daily.values.len()), (days[0], (days[699] - days[0] + 1) as usize));
    // Weighed by their origins they are the mean of the test.
    let mean = days.iter().map(|day| f64::from(knows.daily.on(*day).unwrap())).sum::<f64>() / 700.0;
    let expected = knows.vs_reference.test.unwrap().mean;
    assert!((mean - expected).abs() < 1e-6 * expected.abs(), "{mean} {expected}");
    let naive = &report_on(&report, "naive").daily;
    assert!(naive.days().eq(knows.daily.days()) && naive.values.iter().flatten().all(|saved| *saved == 0.0));
}

#[test]
fn choosing_among_those_who_know_something_is_no_luck() {
    let market = market(&generated(3_000, 5));
    let models = [("much", 0.6), ("less", 0.3), ("least", 0.1)];
    let mut forecasters = vec![baseline("naive", &market, TASK)];
    forecasters.extend(models.map(|(name, share)| informed(name, &market, 3, share)));
    let mut report = report(&forecasters, &scored(&market, 700));
    assert!(report.hindsight.is_none(), "nobody has looked back yet");
    report.look_back(&[], 24.0);
    let alone = report.hindsight.unwrap();
    // 700 hours are of 30 or 31 days, which fourteen blocks of two days leave least of.
    assert!((30..=31).contains(&alone.days), "{alone:?}");
    assert_eq!((alone.tries, alone.left_out, alone.blocks, alone.splits), (3, 0, 14, 3_432));
    assert_eq!((alone.probability, alone.probability_of_loss), (0.0, 0.0));
    // An earlier try that was better on every day of the first half and worse on the others is what overfitting is.
    let much = &report_on(&report, "much").daily;
    let half = much.values.len() / 2;
    let turned =
        |(i, saved): (usize, &Option<f32>)| saved.map(|saved| if i < half { saved + 9.0 } else { saved - 9.0 });
    let values = much.values.iter().enumerate().map(turned).collect();
    let lucky = DailyLosses { first_day: much.first_day, values };
    let elsewhere = DailyLosses { first_day: much.first_day + 400, values: lucky.values.clone() };
    report.look_back(&[lucky, elsewhere], 24.0);
    let found = report.hindsight.unwrap();
    assert_eq!((found.tries, found.left_out, found.splits), (4, 1, 3_432));
    // In 1,016 splits more of its good days are on the half that is chosen on.
    assert!(found.probability > 0.25 && found.probability_of_loss > 0.25, "{found:?}");
}
