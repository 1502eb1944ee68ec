//! Candle by candle the forecasts are those that a replay and a forecast over the same candles give, for every task.

use std::sync::Arc;

use candlecast_core::{CandleSeries, Columns, FeatureTable, FilledSeries, Forecast, Outlook, Seed, Timestamp};
use candlecast_learn::{
    CalibrationState, Combine, FittedForecaster, Fold, FoldRows, Forecaster, Labels, LivePipeline, LiveRow, Market,
    Panel, Silent, Start, Task,
};
use serde_json::json;

use crate::forecasters::{LEVEL, baseline, forecaster, model};
use crate::learners::by_rule_on;
use crate::markets::{
    MAX_FILL, closes_only, features, generated, joined, market, variances, with_features, with_variances, without,
};

const HORIZON: usize = 4;
const DIRECTION: Task = Task::Direction { horizon: HORIZON, labels: Labels::Adaptive { low: 0.25, high: 0.75 } };
const VOLATILITY: Task = Task::Volatility { horizon: HORIZON };
/// First row that a fit has not seen.
const FIT_ROW: usize = 1_400;

/// Forecasts of `model` from every row from `from` on, candle by candle, and what calibration knows at the end.
/// `features` are those of the model over the whole market, in its order.
pub(crate) fn live_forecasts(
    model: FittedForecaster,
    market: &Market,
    features: &FeatureTable,
    calibration: CalibrationState,
    trained_to: Timestamp,
    from: usize,
) -> (Vec<Option<Forecast>>, CalibrationState) {
    let series = market.series();
    let mut live = LivePipeline::open(model, calibration, trained_to, &history(market, features, from));
    let forecasts = (from..series.len())
        .map(|row| {
            if series.segment_of(row).start == row {
                live.begin_segment();
            }
            let values: Vec<f64> = features.columns.iter().map(|column| column[row]).collect();
            let (candle, filled) = (series.columns().candle(row), series.filled()[row]);
            live.push(LiveRow { candle: &candle, filled, features: &values }).cloned()
        })
        .collect();
    (forecasts, live.calibration().clone())
}

/// The first `rows` rows of `market`, the last of which is a real candle.
fn history(market: &Market, features: &FeatureTable, rows: usize) -> Panel {
    let series = market.series();
    let mut columns = Columns::default();
    for row in (0..rows).filter(|&row| !series.filled()[row]) {
        columns.push(&series.columns().candle(row));
    }
    let cut = FilledSeries::new(&CandleSeries::new(series.key().clone(), columns).unwrap(), MAX_FILL);
    assert_eq!(cut.len(), rows);
    let columns = features.columns.iter().map(|column| column[..rows].to_vec()).collect();
    Panel::new(Arc::new(Market::new(cut)), &FeatureTable { names: features.names.clone(), columns })
}

/// 3,200 candles, but for gaps of one to three, which are filled, and one of nine, which ends a segment.
fn gapped() -> Arc<Market> {
    market(&without(&generated(3_200, 9), &[1_450..1_451, 1_500..1_503, 1_640..1_649, 2_400..2_402, 2_800..2_801]))
}

/// Fits `forecaster` and goes through the rest of the market, `features` of which are those of the model.
fn assert_live_is_replay_and_forecast(forecaster: &Forecaster, features: &FeatureTable) {
    let (name, market) = (&forecaster.name, forecaster.market(0));
    let panel = Panel::new(Arc::clone(market), features);
    let series = market.series();
    let fold = Fold::of_rows(market, &FoldRows { window_start: 0, fit_row: FIT_ROW, test: FIT_ROW..series.len() });
    let fitted = || forecaster.fit(&fold, Seed(1), 1, Start::default(), &mut Silent).unwrap().0;
    let batch = fitted();
    assert_eq!(panel.names(), batch.features().ids(), "{name}");
    let fresh = CalibrationState::new(LEVEL, &forecaster.task(), 24.0);
    let trained_to = series.close_time(FIT_ROW - 1);
    let (live, known) = live_forecasts(fitted(), market, features, fresh.clone(), trained_to, FIT_ROW);
    let mut compared = 0;
    for (row, forecast) in (FIT_ROW..).zip(&live) {
        assert_eq!(forecast.is_some(), batch.is_origin(&panel, row), "{name}, row {row}");
        let looked_at = row < FIT_ROW + 20 || row % 23 == 0;
        let Some(forecast) = forecast.as_ref().filter(|_| looked_at) else { continue };
        let mut calibrator = batch.replay(&panel, fresh.clone(), FIT_ROW - 1, row);
        assert_eq!(*forecast, batch.forecast(&panel, row, &mut calibrator), "{name}, row {row}");
        compared += 1;
    }
    assert!(compared > 40, "{name}: {compared}");
    let at_the_end = batch.replay(&panel, fresh.clone(), FIT_ROW - 1, series.len() - 1);
    assert_eq!(&known, at_the_end.state(), "{name}");
    assert_ne!(known, fresh, "{name} has learnt from outcomes");
}

#[test]
fn live_directions_are_those_of_replay_and_forecast() {
    let market = gapped();
    let none = FeatureTable::default();
    for id in ["majority", "stratified"] {
        assert_live_is_replay_and_forecast(&baseline(id, &market, DIRECTION), &none);
    }
    for (id, params) in [("linear", json!({})), ("gbdt", json!({ "rounds": 5, "maxDepth": 2 }))] {
        let forecaster = model(id, &params, with_features(&market), DIRECTION);
        assert_live_is_replay_and_forecast(&forecaster, &features(&market));
    }
}

#[test]
fn live_volatilities_are_those_of_replay_and_forecast() {
    let market = gapped();
    let none = FeatureTable::default();
    for id in ["ewma", "log-har"] {
        assert_live_is_replay_and_forecast(&baseline(id, &market, VOLATILITY), &none);
    }
    let linear = model("linear", &json!({}), with_variances(&market), VOLATILITY);
    assert_live_is_replay_and_forecast(&linear, &variances(&market));
    for forecaster in on_har_x(&market) {
        assert_live_is_replay_and_forecast(&forecaster, &none);
    }
}

/// The models that read the regressors of `har-x`.
fn on_har_x(market: &Arc<Market>) -> Vec<Forecaster> {
    let gbdt = json!({ "inputs": "har-x", "rounds": 5, "maxDepth": 2, "patience": 0 });
    [("har-x", json!({})), ("gbdt", gbdt)]
        .map(|(id, params)| model(id, &params, closes_only(market), VOLATILITY))
        .into()
}

/// Of members that read other features, other windows and, the last one, no features at all.
fn ensemble(market: &Arc<Market>, task: Task) -> Forecaster {
    let window = by_rule_on(6, |x, i, h| {
        let sum: f64 = x.window(i).iter().map(|&v| f64::from(v)).sum();
        1e-4 * sum * (h + 1) as f64
    });
    let first = match task {
        Task::Price { .. } => forecaster("window", window, with_features(market), task),
        Task::Direction { .. } | Task::Volatility { .. } => {
            model("gbdt", &json!({ "rounds": 5, "maxDepth": 2 }), with_features(market), task)
        }
    };
    let last = task.kind().baselines().last().unwrap();
    let members = vec![first, model("linear", &json!({}), with_variances(market), task), baseline(last, market, task)];
    Forecaster::ensemble("mix", Combine::Weighted { weights: vec![2.0, 1.0, 1.0] }, members).unwrap()
}

#[test]
fn live_ensembles_are_those_of_replay_and_forecast() {
    let market = gapped();
    let all = joined(features(&market), variances(&market));
    for task in [Task::Price { horizon: HORIZON }, DIRECTION, VOLATILITY] {
        let ensemble = ensemble(&market, task);
        assert_live_is_replay_and_forecast(&ensemble, &all);
    }
}

#[test]
fn a_live_mean_of_logarithms_is_that_of_replay_and_forecast() {
    let market = gapped();
    let mean = Forecaster::ensemble("mean", Combine::Logarithmic { weights: None }, on_har_x(&market)).unwrap();
    assert_live_is_replay_and_forecast(&mean, &FeatureTable::default());
}

#[test]
fn an_outlook_says_what_its_task_forecasts() {
    let market = gapped();
    let row = FIT_ROW + 30;
    let fold = Fold::of_rows(&market, &FoldRows { window_start: 0, fit_row: FIT_ROW, test: FIT_ROW..FIT_ROW });
    let close = market.series().columns().close[row];
    let forecast = |task: Task| {
        let forecaster = model("linear", &json!({}), with_features(&market), task);
        let panel = with_features(&market);
        let fitted = forecaster.fit(&fold, Seed(1), 1, Start::default(), &mut Silent).unwrap().0;
        let fresh = CalibrationState::new(LEVEL, &task, 24.0);
        let mut calibrator = fitted.replay(&panel, fresh, FIT_ROW - 1, row);
        (fitted.forecast(&panel, row, &mut calibrator), fitted.predict(&panel, &[row]))
    };
    let due = market.series().close_time(row + HORIZON);

    let (direction, predicted) = forecast(DIRECTION);
    let Outlook::Direction(outlook) = &direction.outlook else { panic!("{direction:?}") };
    assert_eq!((outlook.step, outlook.target_time), (HORIZON, due));
    assert_eq!(&outlook.probabilities[..], &predicted.means[..]);
    let greatest = outlook.probabilities.iter().copied().fold(f64::MIN, f64::max);
    assert_eq!(outlook.probabilities[outlook.action as usize], greatest);
    assert!(outlook.sell_at < close && close < outlook.buy_at, "{outlook:?}");
    let borders = predicted.borders[0];
    assert_eq!((outlook.sell_at, outlook.buy_at), (close * borders.sell.exp(), close * borders.buy.exp()));

    let (volatility, predicted) = forecast(VOLATILITY);
    let Outlook::Volatility(outlook) = &volatility.outlook else { panic!("{volatility:?}") };
    assert_eq!((outlook.step, outlook.target_time), (HORIZON, due));
    assert_eq!(outlook.volatility, (0.5 * predicted.means[0]).exp());
    assert!(0.0 < outlook.lower && outlook.lower < outlook.volatility && outlook.volatility < outlook.upper);
    assert!(direction.steps().is_empty() && volatility.steps().is_empty());
    assert_eq!((direction.task(), volatility.task()), ("direction", "volatility"));
}
