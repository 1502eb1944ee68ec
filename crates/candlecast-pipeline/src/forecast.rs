//! [`forecast_newest`]: what a restored model says from the newest closed candle.

use std::sync::Arc;

use candlecast_core::{FeatureSet, Forecast, Problem, Timestamp};
use candlecast_learn::Market;

use crate::frames::FeatureFrames;
use crate::loaded_model::LoadedModel;

/// A forecast with the regime at its origin.
#[derive(Debug, Clone)]
pub struct Newest {
    /// The forecast over the model's whole horizon.
    pub forecast: Forecast,
    /// The rule regime at the origin and its confidence, `None` while it warms up.
    pub regime: Option<(String, f64)>,
}

/// Features of the rule regime.
fn regime_features() -> FeatureSet {
    FeatureSet::of(&["regime_bull_50", "regime_bear_50", "regime_sideways_50", "regime_volatility_50"])
}

/// Forecasts from the last candle of `market` that has closed by `now`.
pub fn forecast_newest(model: LoadedModel, market: &Arc<Market>, now: Timestamp) -> Result<Newest, Problem> {
    let LoadedModel { forecaster, calibration, trained_to, .. } = model;
    let mut frames = FeatureFrames::new(Arc::clone(market));
    let features = forecaster.features();
    frames.prepare(&[&features, &regime_features()])?;
    let panel = frames.panel(&features)?;
    let row = origin_row(market, &panel, forecaster.lookback(), now)?;
    let interval_ms = market.series().key().interval.ms();
    let from = market.series().first_row_from(trained_to.plus_ms(-interval_ms));
    let mut calibrator = forecaster.replay(&panel, calibration, from, row);
    let forecast = forecaster.forecast(&panel, row, &mut calibrator);
    Ok(Newest { forecast, regime: regime_at(&mut frames, row)? })
}

/// The rule regime at `row` with its confidence, `None` while it warms up.
fn regime_at(frames: &mut FeatureFrames, row: usize) -> Result<Option<(String, f64)>, Problem> {
    let panel = frames.panel(&regime_features())?;
    let values: Vec<f64> = panel.row(row).iter().map(|&v| f64::from(v)).collect();
    let label = <[f64; 4]>::try_from(values).ok().and_then(candlecast_features::regime_label);
    Ok(label.map(|l| (l.regime.to_string(), l.confidence)))
}

/// The last real candle that has closed, if a forecast can start there.
fn origin_row(
    market: &Market,
    panel: &candlecast_learn::Panel,
    lookback: usize,
    now: Timestamp,
) -> Result<usize, Problem> {
    let series = market.series();
    let row = (0..series.len()).rev().find(|&row| series.close_time(row) <= now).ok_or_else(|| {
        Problem::data("too-few-candles", format!("no candle had closed by {now}: check the clock or --now"))
    })?;
    if panel.is_origin(row, lookback) {
        return Ok(row);
    }
    let segment = series.segment_of(row);
    Err(Problem::data(
        "not-warmed-up",
        format!(
            "no forecast can start at the last candle ({}): only {} candles follow the last gap, or a feature is undefined there; bring the missing candles in with `candlecast import`, or wait for more",
            Timestamp(series.columns().open_time[row]),
            segment.len()
        ),
    ))
}
