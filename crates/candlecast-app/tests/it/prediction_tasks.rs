//! The prediction log of classes and volatilities: when they meet their outcome, and what the figures say.

use candlecast_core::market::random_walk;
use candlecast_core::{
    Action, CandleSeries, Columns, DirectionOutlook, Forecast, Outlook, Seed, Timestamp, VolatilityOutlook,
};
use candlecast_host::Host;
use candlecast_monitor::{
    DIRECTION_TASK, LoggedPrediction, MadeForecast, PageRequest, PredictionFilter, PredictionStatus, PredictionsOf,
    VOLATILITY_TASK, log_forecasts, validate_predictions,
};
use candlecast_pipeline::TaskFigures;

use crate::world::{store, world};

const HORIZON: usize = 6;
/// The row whose candle forecasts start from.
const ORIGIN: usize = 99;

fn walk() -> CandleSeries {
    random_walk(160, Seed(5), 0.0)
}

/// Candles `rows` of `series` but those of `left_out`; at those of `halted` the exchange stands still.
fn part(series: &CandleSeries, rows: std::ops::Range<usize>, left_out: &[usize], halted: &[usize]) -> CandleSeries {
    let mut columns = Columns::default();
    for row in rows.filter(|row| !left_out.contains(row)) {
        let mut candle = series.candle(row);
        if halted.contains(&row) {
            (candle.open, candle.high, candle.low, candle.volume) = (candle.close, candle.close, candle.close, 0.0);
        }
        columns.push(&candle);
    }
    CandleSeries::new(series.key().clone(), columns).unwrap()
}

/// Logs the forecasts of a class and of the volatility that two models make from `row`.
async fn log(app: &Host, series: &CandleSeries, row: usize, class: Action) -> u64 {
    let step_ms = series.key().interval.ms();
    let origin = Timestamp(series.open_time()[row] + step_ms);
    let target_time = origin.plus_ms(HORIZON as i64 * step_ms);
    let price = series.close()[row];
    let direction = Outlook::Direction(DirectionOutlook {
        step: HORIZON,
        target_time,
        action: class,
        probabilities: [0.2, 0.3, 0.5],
        sell_at: price * 0.99,
        buy_at: price * 1.01,
        confidence: 0.5,
        calibrated: true,
    });
    let volatility = Outlook::Volatility(VolatilityOutlook {
        step: HORIZON,
        target_time,
        volatility: 0.02,
        lower: 0.005,
        upper: 0.08,
    });
    let of = |outlook| Forecast {
        key: series.key().clone(),
        origin,
        origin_price: price,
        level: 0.9,
        outlook,
        quantiles: None,
    };
    let (direction, volatility) = (of(direction), of(volatility));
    let made = [(&direction, "classes"), (&volatility, "volatilities")].map(|(forecast, model_id)| MadeForecast {
        forecast,
        model_id,
        trained_to: origin,
        made_at: origin,
    });
    log_forecasts(app, &made).await.unwrap()
}

async fn logged(app: &Host, task: &str) -> Vec<LoggedPrediction> {
    let filter = PredictionFilter { task: Some(task.into()), ..PredictionFilter::default() };
    candlecast_monitor::predictions(app, &filter, PageRequest::first(1_000)).await.unwrap().items
}

fn realised(series: &CandleSeries, row: usize) -> f64 {
    let closes = &series.close()[row..=row + HORIZON];
    closes.windows(2).map(|pair| (pair[1] / pair[0]).ln().powi(2)).sum::<f64>().sqrt()
}

#[tokio::test]
async fn a_class_meets_its_close_and_a_volatility_all_closes_after_its_origin() {
    let (world, walk) = (world(), walk());
    let app = &world.app;
    store(app, &part(&walk, 0..ORIGIN + 1, &[], &[])).await;
    assert_eq!(log(app, &walk, ORIGIN, Action::Buy).await, 2);
    assert_eq!(log(app, &walk, ORIGIN, Action::Sell).await, 0, "the first prediction stands");
    store(app, &part(&walk, ORIGIN + 1..ORIGIN + HORIZON, &[], &[])).await;
    assert_eq!(validate_predictions(app, u64::MAX).await.unwrap().settled(), 0, "the target is not there yet");
    store(app, &part(&walk, ORIGIN + HORIZON..ORIGIN + HORIZON + 1, &[], &[])).await;
    assert_eq!(validate_predictions(app, u64::MAX).await.unwrap().validated, 2);

    let class = logged(app, DIRECTION_TASK).await.remove(0);
    let close = walk.close()[ORIGIN + HORIZON];
    assert_eq!((class.actual, class.error, class.made.class()), (Some(close), None, Some(Action::Buy)));
    let volatility = logged(app, VOLATILITY_TASK).await.remove(0);
    let actual = realised(&walk, ORIGIN);
    assert!((volatility.actual.unwrap() - actual).abs() < 1e-12 && actual > 0.0);
    assert_eq!(volatility.error, Some(0.02 - volatility.actual.unwrap()));
}

#[tokio::test]
async fn a_gap_before_the_target_leaves_a_volatility_without_an_outcome_until_it_is_filled() {
    let (world, walk) = (world(), walk());
    let app = &world.app;
    let missing = ORIGIN + 2;
    store(app, &part(&walk, 0..ORIGIN + 1, &[], &[])).await;
    log(app, &walk, ORIGIN, Action::Hold).await;
    store(app, &part(&walk, ORIGIN + 1..ORIGIN + HORIZON + 24, &[missing], &[])).await;
    let first = validate_predictions(app, u64::MAX).await.unwrap();
    assert_eq!((first.validated, first.missing), (1, 0), "the class needs its target only, the gap may be filled");
    store(app, &part(&walk, ORIGIN + HORIZON + 24..ORIGIN + HORIZON + 25, &[], &[])).await;
    let then = validate_predictions(app, u64::MAX).await.unwrap();
    assert_eq!((then.validated, then.missing, then.halted), (0, 1, 0));
    assert_eq!(logged(app, VOLATILITY_TASK).await[0].status, PredictionStatus::Unscorable);

    // The missing candle comes after all.
    store(app, &part(&walk, missing..missing + 1, &[], &[])).await;
    assert_eq!(validate_predictions(app, u64::MAX).await.unwrap().validated, 1);
    let actual = logged(app, VOLATILITY_TASK).await[0].actual.unwrap();
    assert!((actual - realised(&walk, ORIGIN)).abs() < 1e-12);

    // It is corrected to a candle at which the exchange stood still: there is no outcome.
    store(app, &part(&walk, missing..missing + 1, &[], &[missing])).await;
    let last = validate_predictions(app, u64::MAX).await.unwrap();
    assert_eq!((last.validated, last.halted), (0, 1));
    assert_eq!(logged(app, DIRECTION_TASK).await[0].status, PredictionStatus::Validated, "it does not depend on it");
}

#[tokio::test]
async fn figures_of_classes_and_volatilities_are_those_of_the_log() {
    let (world, walk) = (world(), walk());
    let app = &world.app;
    let origins: Vec<usize> = (0..20).map(|k| ORIGIN + 2 * k).collect();
    for (k, &row) in origins.iter().enumerate() {
        log(app, &walk, row, Action::ALL[k % 3]).await;
    }
    store(app, &walk).await;
    assert_eq!(validate_predictions(app, u64::MAX).await.unwrap().validated, 40);

    let found = candlecast_monitor::prediction_accuracy(app, PredictionsOf::All, None).await.unwrap();
    let shown: Vec<(&str, &str)> = found.models.iter().map(|m| (m.model_id.as_str(), m.task())).collect();
    assert_eq!(shown, [("classes", "direction"), ("volatilities", "volatility")]);
    let [classes, volatilities] = [0, 1].map(|i| found.models[i].whole.as_ref().unwrap());
    // Origins are two hours apart and reach six hours ahead.
    assert_eq!((classes.n, classes.independent, volatilities.n), (20, 7, 20));
    assert_eq!(classes.verdict, "too few to tell (7 independent)");
    let TaskFigures::Direction(figures) = &classes.figures else { panic!("of classes") };
    let class_of = |row: usize| {
        let change = walk.close()[row + HORIZON] / walk.close()[row];
        if change <= 0.99 {
            Action::Sell
        } else if change >= 1.01 {
            Action::Buy
        } else {
            Action::Hold
        }
    };
    let right = origins.iter().enumerate().filter(|&(k, &row)| class_of(row) == Action::ALL[k % 3]).count();
    assert_eq!(figures.metrics.accuracy, Some(right as f64 / 20.0));
    let recent = figures.recent.unwrap();
    assert_eq!((recent.hits, recent.directions, recent.origins), (right, 20, 20));
    let confidence = figures.confidence.unwrap();
    assert_eq!((confidence.n, confidence.brier), (20, 0.25));
    let TaskFigures::Volatility(figures) = &volatilities.figures else { panic!("of volatilities") };
    let mae = origins.iter().map(|&row| (0.02 - realised(&walk, row)).abs()).sum::<f64>() / 20.0;
    assert!((figures.metrics.mae.unwrap() - mae).abs() < 1e-12);
    let inside = origins.iter().filter(|&&row| (0.005..=0.08).contains(&realised(&walk, row))).count();
    assert_eq!(figures.coverage, Some(inside as f64 / 20.0));

    let of_classes = candlecast_monitor::task_accuracy(app, PredictionsOf::All, Some(DIRECTION_TASK.into()), None);
    assert_eq!(of_classes.await.unwrap().models, found.models[..1]);
}
