//! Origins depend on the plan and the market alone, never on who forecasts from them.

use std::sync::Arc;

use candlecast_core::{FeatureTable, Seed};
use candlecast_learn::walk_forward::WalkForwardError;
use candlecast_learn::{Forecaster, Market, Panel, Plan, PlanConfig, Task, TrainWindow, walk_forward};
use serde_json::json;

use crate::forecasters::{baseline, forecaster, model, report, tables};
use crate::hooks::TestHooks;
use crate::learners::{Heard, LastRow, by_rule_on};
use crate::markets::{closes_only, generated, market, time_of, with_features, without};

const HORIZON: usize = 4;
const TASK: Task = Task::Price { horizon: HORIZON };
const CONFIG: PlanConfig = PlanConfig {
    horizon: HORIZON,
    window: TrainWindow::Rolling { days: 40 },
    retrain_days: 7,
    min_candles: 500,
    warm_up: 0,
};
/// First row behind ten missing candles, which end a segment.
const BORDER: usize = 2_600;
/// Rows of the longest windows.
const LONG: usize = 200;

/// A market of two segments and a plan that scores 650 rows, some of them behind the border.
fn scene() -> (Arc<Market>, Plan) {
    let missing = std::slice::from_ref(&(BORDER..BORDER + 10));
    let market = market(&without(&generated(3_000, 6), missing));
    let plan = CONFIG.walk_forward(&market, time_of(&market, 2_200..2_850)).unwrap();
    (market, plan)
}

fn few(market: &Arc<Market>) -> Vec<Forecaster> {
    let gbdt = model("gbdt", &json!({ "rounds": 4, "maxDepth": 2 }), with_features(market), TASK);
    vec![baseline("naive", market, TASK), gbdt]
}

/// Forecasts a rise of a percent a step, and looks at the last `lookback` rows.
fn rising(lookback: usize, market: &Arc<Market>) -> Forecaster {
    forecaster("rising", by_rule_on(lookback, |_, _, h| 0.01 * (h + 1) as f64), closes_only(market), TASK)
}

#[test]
fn longer_windows_change_nothing_for_the_others_and_abstain_where_they_do_not_fit() {
    let (market, plan) = scene();
    let alone = tables(&few(&market), &plan);
    let mut all = few(&market);
    all.push(rising(LONG, &market));
    let together = tables(&all, &plan);
    assert_eq!(together[..2], alone[..]);

    let (naive, long) = (&together[0], &together[2]);
    assert_eq!((&long.rows, long.left_out), (&naive.rows, naive.left_out));
    assert_eq!((naive.abstained, together[1].abstained), (0, 0));
    // The volatility is known from the 33rd candle of the segment on, a window is full at the 200th.
    let silent = BORDER + 32..BORDER + LONG - 1;
    assert_eq!(long.abstained, silent.len());
    let rise: [f64; HORIZON] = std::array::from_fn(|h| 0.01 * (h + 1) as f64);
    for (i, &row) in long.rows.iter().enumerate() {
        let expected = if silent.contains(&row) { [0.0; HORIZON] } else { rise };
        assert_eq!(long.row(i).means, expected, "row {row}");
        assert_eq!(long.row(i).scales, naive.row(i).scales, "row {row}");
    }
    assert!(silent.clone().all(|row| long.rows.contains(&row)), "it does speak there, without any model");

    let report = report(&all, &plan);
    let counted: Vec<(usize, usize)> = report.models.iter().map(|m| (m.forecasts.rows.len(), m.abstained)).collect();
    let n = report.origins;
    assert_eq!(counted, [(n, 0), (n, 0), (n, silent.len())]);
}

#[test]
fn where_a_feature_has_no_value_its_model_abstains_and_only_there() {
    let (market, plan) = scene();
    let n = market.series().len();
    let undefined = 2_300..2_310;
    let column = (0..n).map(|row| if undefined.contains(&row) { f64::NAN } else { (row % 7) as f64 }).collect();
    let table = FeatureTable { names: vec!["gapped".into()], columns: vec![column] };
    let heard = Arc::new(Heard::default());
    let panel = Panel::new(Arc::clone(&market), &table);
    let gapped = forecaster("gapped", LastRow::heard_by(&heard), panel, TASK);
    let tables = tables(&[baseline("naive", &market, TASK), gapped], &plan);
    assert_eq!((&tables[1].rows, tables[1].abstained), (&tables[0].rows, undefined.len()));
    let mut asked = heard.origins.lock().unwrap().clone();
    asked.sort_unstable();
    let expected: Vec<usize> = tables[0].rows.iter().copied().filter(|row| !undefined.contains(row)).collect();
    assert_eq!(asked, expected, "the model is asked wherever it can forecast");
}

#[test]
fn a_forecaster_that_can_forecast_from_no_scored_origin_is_told_and_ends_alone() {
    let (market, plan) = scene();
    let n = market.series().len();
    let column = (0..n).map(|row| if row < 2_200 { (row % 7) as f64 } else { f64::NAN }).collect();
    let ends = FeatureTable { names: vec!["ends".into()], columns: vec![column] };
    let heard = Arc::new(Heard::default());
    let ended = forecaster("ended", LastRow::heard_by(&heard), Panel::new(Arc::clone(&market), &ends), TASK);
    let forecasters = [baseline("naive", &market, TASK), ended];
    let outcomes = walk_forward::run_each(&forecasters, &plan, Seed(1), &TestHooks::default());
    let naive = &outcomes[0].as_ref().unwrap()[0];
    assert!(heard.n_fits() > 0, "there is something to learn from");
    let (order, error) = outcomes[1].as_ref().unwrap_err();
    assert_eq!(*error, WalkForwardError::NoOrigins { left_out: 650 });
    assert_eq!(*order, 2 * plan.folds.len(), "it is known after all fits");
    let rows = plan.rows(&market);
    let scored = naive.rows.iter().filter(|&&row| rows.scores(&market, row, HORIZON)).count();
    assert_eq!(scored + naive.left_out, 650);
}

#[test]
fn a_longer_warm_up_takes_origins_away_from_all() {
    let (market, plan) = scene();
    let later = Plan { warm_up: LONG - 1, ..plan.clone() };
    let forecasters = [baseline("naive", &market, TASK), rising(LONG, &market)];
    let (before, after) = (tables(&forecasters, &plan), tables(&forecasters, &later));
    let gone = BORDER + 32..BORDER + LONG - 1;
    let expected: Vec<usize> = before[0].rows.iter().copied().filter(|row| !gone.contains(row)).collect();
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(after.rows, expected);
        assert_eq!((after.left_out, after.abstained), (before.left_out + gone.len(), 0));
    }
}
