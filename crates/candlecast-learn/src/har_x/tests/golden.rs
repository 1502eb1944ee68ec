//! Against pandas and numpy on the same candles; `tests/golden/har_x.py` made them.

use std::sync::Arc;

use candlecast_core::{Candle, CandleSeries, Columns, FilledSeries, Interval, SeriesKey, Symbol, Timestamp, Venue};
use serde_json::Value;

use super::super::scale::VolatilityScale;
use super::super::{COLUMNS, HarXRow, HarXState, catalog};
use super::{fitted, predicted};
use crate::Task;
use crate::dataset::{Market, SampleId, Samples};
use crate::made::{closes_of, origins};

/// Of regressors, relative to the greater of the value and 1.
const ROUNDING: f64 = 1e-9;
/// The same of what is fitted to them: pandas centres whole columns, the Rust side subtracts sums.
const FIT_ROUNDING: f64 = 1e-8;
/// Longest gap that is filled, in candles.
const MAX_FILL: usize = 3;

pub(super) fn golden() -> Value {
    serde_json::from_str(include_str!("../../../tests/golden/har_x.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn counts(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect()
}

fn assert_close(ours: &[f64], theirs: &Value, tolerance: f64, what: &str) {
    let theirs = numbers(theirs);
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (k, (a, b)) in ours.iter().zip(&theirs).enumerate() {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{what}, number {k}: {a} against {b}");
    }
}

/// The made market: a season, fat tails, gaps that are filled and one that ends a segment.
pub(super) fn made_market() -> Arc<Market> {
    let golden = golden();
    let start = Timestamp(golden["start"].as_i64().unwrap());
    let (hours, volume) = (counts(&golden["hours"]), numbers(&golden["volume"]));
    let [high, low, close] = ["high", "low", "close"].map(|name| numbers(&golden[name]));
    let mut columns = Columns::default();
    for (i, &hour) in hours.iter().enumerate() {
        columns.push(&Candle {
            open_time: start.plus_ms(hour as i64 * Interval::H1.ms()),
            open: close[i.saturating_sub(1)].clamp(low[i], high[i]),
            high: high[i],
            low: low[i],
            close: close[i],
            volume: volume[i],
            quote_volume: None,
            trades: None,
            taker_buy_base: None,
        });
    }
    let key = SeriesKey::new(Venue::synthetic(), Symbol::new("MADEUSDT").unwrap(), Interval::H1);
    Arc::new(Market::new(FilledSeries::new(&CandleSeries::new(key, columns).unwrap(), MAX_FILL)))
}

#[test]
fn columns_are_those_of_pandas() {
    let (golden, market) = (golden(), made_market());
    let series = market.series();
    assert_eq!(series.segment_ranges().len(), 2);
    let mut state = HarXState::new(Interval::H1);
    let mut found: Vec<Option<[f64; COLUMNS]>> = Vec::new();
    for segment in series.segment_ranges() {
        state.begin_segment();
        found.extend(segment.clone().map(|row| state.step(&HarXRow::of(&market, row))));
    }
    let rows = counts(&golden["rows"]);
    assert!(rows.len() > 30 && rows[0] == 719 && found[718].is_none());
    for (&row, theirs) in rows.iter().zip(golden["columns"].as_array().unwrap()) {
        let ours = found[row].unwrap();
        assert_close(&ours, theirs, ROUNDING, &format!("row {row}"));
        let kept: Vec<f32> = ours.iter().map(|&value| value as f32).collect();
        assert_eq!(market.har_x(row), kept, "row {row}");
    }
    let undefined = |row: usize| market.har_x(row).iter().all(|value| value.is_nan());
    assert_eq!((0..series.len()).filter(|&row| undefined(row)).count(), 2 * 719);
}

#[test]
fn fits_and_forecasts_are_those_of_numpy() {
    let (golden, market) = (golden(), made_market());
    let data = closes_of(Arc::clone(&market));
    for theirs in golden["learnt"].as_array().unwrap() {
        let horizon = theirs["horizon"].as_u64().unwrap() as usize;
        let end = theirs["end"].as_u64().unwrap() as usize;
        let task = Task::Volatility { horizon };
        let learner = catalog()[0].build(&Value::Null).unwrap();
        let usable =
            |row: &usize| data.panels()[0].is_origin(*row, learner.lookback()) && market.has_targets(*row, horizon);
        let train: Vec<SampleId> =
            (0..end - horizon).filter(usable).map(|row| SampleId { panel: 0, row: row as u32 }).collect();
        assert_eq!(train.len(), theirs["samples"].as_u64().unwrap() as usize, "{horizon}");
        let model = fitted(&*learner, &Samples::new(&data, &train, learner.lookback(), task, None)).unwrap();
        let state = model.state();
        let (beta, intercept) = (state.f64("beta", &[31]).unwrap(), state.f64("intercept", &[1]).unwrap());
        assert_close(beta, &theirs["beta"], FIT_ROUNDING, "slopes");
        assert!((intercept[0] - theirs["intercept"].as_f64().unwrap()).abs() < FIT_ROUNDING, "{horizon}");
        let ids = origins(counts(&theirs["rows"]).into_iter().map(|row| row as u32));
        let samples = Samples::new(&data, &ids, learner.lookback(), task, None);
        assert_close(&predicted(&*model, &samples), &theirs["forecasts"], FIT_ROUNDING, "forecasts");
    }
}

#[test]
fn scales_are_those_of_numpy() {
    let (golden, market) = (golden(), made_market());
    let theirs = &golden["scale"];
    let horizon = theirs["horizon"].as_u64().unwrap() as usize;
    let scale = VolatilityScale::of(&market, horizon, 0..market.series().len());
    let fits = scale.fits();
    assert_eq!(fits.anchors, counts(&theirs["anchors"]));
    let expected = theirs["fits"].as_array().unwrap();
    assert_eq!(fits.fits.len(), expected.len());
    for (ours, theirs) in fits.fits.iter().zip(expected) {
        assert_eq!(ours.at.ms(), theirs["at"].as_i64().unwrap());
        assert_close(&ours.intercepts, &theirs["intercepts"], FIT_ROUNDING, "intercepts");
        assert_close(&ours.kappas, &theirs["kappas"], FIT_ROUNDING, "kappas");
        for (ours, theirs) in ours.betas.iter().zip(theirs["betas"].as_array().unwrap()) {
            assert_close(ours, theirs, FIT_ROUNDING, "slopes");
        }
    }
    let mut found = vec![0.0; horizon];
    for (row, theirs) in counts(&theirs["rows"]).into_iter().zip(theirs["scales"].as_array().unwrap()) {
        scale.scales_into(row, &mut found);
        let relative: Vec<f64> = found.iter().zip(numbers(theirs)).map(|(a, b)| a / b).collect();
        assert!(relative.iter().all(|ratio| (ratio - 1.0).abs() < FIT_ROUNDING), "row {row}: {relative:?}");
    }
}
