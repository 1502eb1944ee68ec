//! Calibration around missing candles knows what was known at the time: a forecast is made wherever one could be made,
//! and teaches the steps before the gap, as it does candle by candle.

use std::sync::Arc;

use candlecast_core::Seed;
use candlecast_learn::{
    CalibrationState, Fold, FoldRows, Forecaster, Labels, Market, Plan, PlanRows, Rescore, Silent, Start, Task, rescore,
};
use serde_json::json;

use crate::forecasters::{LEVEL, all_baselines, baseline, forecaster, model, panel_of, report, report_on, tables};
use crate::learners::by_rule_on;
use crate::markets::{closes_only, generated, market, with_features, without};

const HORIZON: usize = 4;
const PRICE: Task = Task::Price { horizon: HORIZON };
const DIRECTION: Task = Task::Direction { horizon: HORIZON, labels: Labels::Adaptive { low: 0.25, high: 0.75 } };
const VOLATILITY: Task = Task::Volatility { horizon: HORIZON };
/// First row that the fit has not seen.
const FIT_ROW: usize = 1_400;

/// 2,600 candles, but for gaps of one to three, which are filled, and one of nine, which ends a segment.
fn gapped() -> Arc<Market> {
    market(&without(&generated(2_600, 9), &[1_450..1_451, 1_500..1_503, 1_640..1_649, 1_900..1_902, 2_300..2_301]))
}

/// One fit, from which every origin behind it is forecast.
fn plan_of(market: &Market) -> Plan {
    let n = market.series().len();
    let rows = PlanRows {
        folds: vec![FoldRows { window_start: 0, fit_row: FIT_ROW, test: FIT_ROW..n }],
        scored: FIT_ROW + 20..n - HORIZON,
        known_to: n,
        warm_up: 0,
    };
    Plan::of_rows(market, &rows, vec![])
}

/// Models of `task` beside its reference.
fn forecasters(market: &Arc<Market>, task: Task) -> Vec<Forecaster> {
    let mut all =
        vec![baseline(task.kind().reference(), market, task), model("linear", &json!({}), with_features(market), task)];
    if matches!(task, Task::Price { .. }) {
        // Its windows are longer than the time until the volatility is known: it abstains at the start of a segment.
        let slow = by_rule_on(60, |x, i, h| 1e-4 * (h + 1) as f64 * f64::from(x.ids()[i].row as u16 % 7) - 3e-4);
        all.push(forecaster("slow", slow, closes_only(market), task));
    }
    all
}

#[test]
fn an_evaluation_learns_what_a_replay_of_the_same_candles_learns() {
    let market = gapped();
    let (plan, last) = (plan_of(&market), market.series().len() - 1);
    for task in [PRICE, DIRECTION, VOLATILITY] {
        let forecasters = forecasters(&market, task);
        let report = report(&forecasters, &plan);
        for forecaster in &forecasters {
            let name = &forecaster.name;
            let fitted = forecaster.fit(&plan.folds[0], Seed(1), 1, Start::default(), &mut Silent).unwrap().0;
            let fresh = CalibrationState::new(LEVEL, &task, 24.0);
            let replayed = fitted.replay(panel_of(forecaster), fresh.clone(), FIT_ROW, last);
            assert_ne!(replayed.state(), &fresh, "{name} has learnt from outcomes");
            assert_eq!(&report_on(&report, name).calibration, replayed.state(), "{name}, {}", task.id());
        }
    }
}

#[test]
fn origins_before_a_missing_candle_are_forecast_from_and_not_scored() {
    let market = gapped();
    let plan = plan_of(&market);
    let rows = plan.rows(&market);
    let before_gap = 1_450 - HORIZON..1_450;
    let table = tables(&[baseline("naive", &market, PRICE)], &plan).remove(0);
    for row in before_gap.clone() {
        assert!(table.rows.contains(&row), "row {row}: nobody knew yet that a candle would be missing");
        assert!(!rows.scores(&market, row, HORIZON), "row {row}");
    }
    assert!(!table.rows.contains(&1_450), "a filled candle is no origin");
    assert!(rows.scores(&market, before_gap.start - 1, HORIZON) && rows.scores(&market, 1_451, HORIZON));
    let report = report(&[baseline("naive", &market, PRICE)], &plan);
    assert!(report.models[0].forecasts.rows.iter().all(|&row| rows.scores(&market, row, HORIZON)));
    let scored = table.rows.iter().filter(|&&row| rows.scores(&market, row, HORIZON)).count();
    assert_eq!((report.origins, report.left_out), (scored, rows.scored.len() - scored));
}

#[test]
fn a_rescored_model_has_the_intervals_that_it_would_have_served() {
    let market = gapped();
    let n = market.series().len();
    let fold = Fold::of_rows(&market, &FoldRows { window_start: 0, fit_row: FIT_ROW, test: FIT_ROW..n });
    for task in [PRICE, DIRECTION, VOLATILITY] {
        let linear = model("linear", &json!({}), with_features(&market), task);
        let panel = panel_of(&linear);
        let fitted = linear.fit(&fold, Seed(1), 1, Start::default(), &mut Silent).unwrap().0;
        let calibration = CalibrationState::new(LEVEL, &task, 24.0);
        let plan = PlanRows::rescoring(0, FIT_ROW, FIT_ROW..n, HORIZON, 0);
        let baselines = all_baselines(&market, task);
        let reference = baselines.iter().position(|b| b.name == task.kind().reference()).unwrap();
        let unseen = FIT_ROW - 1..n;
        let rescored =
            Rescore { name: "linear", model: &fitted, panel, calibration: calibration.clone(), unseen, plan, refit: 0 };
        let report = rescore(rescored, &baselines, reference, Seed(1)).unwrap().unwrap();
        let scored = &report_on(&report, "linear").forecasts;
        let claims = task.claims();
        assert_eq!(scored.calibrated.len(), scored.rows.len() * claims);
        let mut compared = 0;
        for (k, &row) in scored.rows.iter().enumerate() {
            let series = market.series();
            let beside_gap = series.filled()[row.saturating_sub(15)..row].iter().any(|&filled| filled)
                || row - series.segment_of(row).start < 45;
            if !beside_gap && k % 61 != 0 {
                continue;
            }
            let mut calibrator = fitted.replay(panel, calibration.clone(), FIT_ROW - 1, row);
            let forecasts = fitted.predict(panel, &[row]);
            let served = calibrator.issue(market.origin(row), forecasts.row(0), false);
            assert_eq!(scored.calibrated[k * claims..(k + 1) * claims], served[..], "row {row}, {}", task.id());
            compared += 1;
        }
        assert!(compared > 50, "{compared}");
    }
}
