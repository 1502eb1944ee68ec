//! [`forecast_newest`]: what a restored model says from the newest closed candle.

use std::sync::Arc;

use candlecast_core::{FeatureSet, Forecast, Problem, Timestamp};
use candlecast_learn::{Calibrator, Market, Opinion};

use crate::frames::FeatureFrames;
use crate::loaded_model::LoadedModel;

/// A forecast with the regime at its origin.
#[derive(Debug, Clone)]
pub struct Newest {
    /// The forecast over the model's whole horizon, told as was asked for.
    pub forecast: Forecast,
    /// The same with the interval that its model adapts, of the model's own level: what is logged, so that logged
    /// intervals can be judged together whatever was asked for.
    pub issued: Forecast,
    /// The rule regime at the origin and its confidence, `None` while it warms up.
    pub regime: Option<(String, f64)>,
    /// What the members of an ensemble say beside each other; `None` of other models.
    pub opinion: Option<Opinion>,
}

/// Features of the rule regime.
fn regime_features() -> FeatureSet {
    FeatureSet::of(&["regime_bull_50", "regime_bear_50", "regime_sideways_50", "regime_volatility_50"])
}

/// Levels that an interval may have, and shares that a quantile may be of.
const LEVELS: std::ops::RangeInclusive<f64> = 0.5..=0.99;
const SHARES: std::ops::RangeInclusive<f64> = 0.01..=0.99;
/// Quantiles told at most.
const MAX_QUANTILES: usize = 99;

/// How much of a forecast's distribution is told.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Detail {
    level: Option<f64>,
    quantiles: Vec<f64>,
}

impl Detail {
    /// Intervals of `level` (0.5 to 0.99) from the quantiles of the distribution, or, with `None` or the model's own
    /// level, those that the model adapts; and the quantiles of these shares, 0.01 to 0.99 each, sorted here and each
    /// told once, at most 99 of them.
    pub fn new(level: Option<f64>, quantiles: &[f64]) -> Result<Self, Problem> {
        if let Some(level) = level.filter(|level| !LEVELS.contains(level)) {
            let told = format!("level {level} is not within 0.5 to 0.99: for a 90 % interval write 0.9");
            return Err(Problem::usage("bad-level", "level", told));
        }
        if let Some(share) = quantiles.iter().find(|&share| !SHARES.contains(share)) {
            let told =
                format!("quantile {share} is not within 0.01 to 0.99: write shares by comma, such as 0.05,0.5,0.95");
            return Err(Problem::usage("bad-quantiles", "quantiles", told));
        }
        let mut sorted = quantiles.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted.dedup();
        if sorted.len() > MAX_QUANTILES {
            let told = format!("{} quantiles are too many: ask for {MAX_QUANTILES} at most", sorted.len());
            return Err(Problem::usage("bad-quantiles", "quantiles", told));
        }
        Ok(Self { level, quantiles: sorted })
    }

    /// True where forecasts are told as their models tell them.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Refuses what a forecast of `task` (`price`, `direction`, `volatility`) cannot tell.
    pub fn check(&self, task: &str) -> Result<(), Problem> {
        if task != "direction" || self.is_plain() {
            return Ok(());
        }
        let (field, asked) = match self.level {
            Some(level) if self.quantiles.is_empty() => ("level", format!("level {level}")),
            _ => {
                let shares: Vec<String> = self.quantiles.iter().map(f64::to_string).collect();
                ("quantiles", format!("quantiles {}", shares.join(",")))
            }
        };
        let why = "a direction forecast has probabilities of SELL, HOLD and BUY, and neither interval nor quantiles";
        let told = format!("{asked}: {why}; leave --{field} out, or ask for the task price or volatility");
        Err(Problem::usage("unsupported-task", field, told))
    }

    /// Tells `issued`, which `calibrator` has issued last, as was asked for.
    fn tell(&self, issued: &Forecast, calibrator: &Calibrator) -> Forecast {
        let price = issued.origin_price;
        let other = self.level.filter(|level| (level - issued.level).abs() > 1e-9);
        let intervals = other.and_then(|level| Some((level, calibrator.intervals(price, level)?)));
        let mut forecast = match intervals {
            Some((level, bounds)) => issued.clone().with_intervals(level, &bounds),
            None => issued.clone(),
        };
        if !self.quantiles.is_empty() {
            forecast.quantiles = calibrator.quantiles(price, &self.quantiles);
        }
        forecast
    }
}

/// Forecasts from the last candle of `market` that has closed by `now`; `detail` says how much of its distribution is
/// told.
pub fn forecast_newest(
    model: LoadedModel,
    market: &Arc<Market>,
    now: Timestamp,
    detail: &Detail,
) -> Result<Newest, Problem> {
    detail.check(model.forecaster.task().id())?;
    let LoadedModel { forecaster, calibration, trained_to, .. } = model;
    let mut frames = FeatureFrames::new(Arc::clone(market));
    let features = forecaster.features();
    frames.prepare(&[&features, &regime_features()])?;
    let panel = frames.panel(&features)?;
    let row = origin_row(market, &panel, forecaster.lookback(), now)?;
    let interval_ms = market.series().key().interval.ms();
    let from = market.series().first_row_from(trained_to.plus_ms(-interval_ms));
    let mut calibrator = forecaster.replay(&panel, calibration, from, row);
    let issued = forecaster.forecast(&panel, row, &mut calibrator);
    let forecast = detail.tell(&issued, &calibrator);
    let opinion = forecaster.opinion(&panel, row);
    Ok(Newest { forecast, issued, regime: regime_at(&mut frames, row)?, opinion })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_sorted_and_told_once() {
        let detail = Detail::new(Some(0.5), &[0.95, 0.05, 0.5, 0.05, 0.01, 0.99]).unwrap();
        assert_eq!(detail.quantiles, [0.01, 0.05, 0.5, 0.95, 0.99]);
        assert!(!detail.is_plain() && Detail::new(None, &[]).unwrap().is_plain());
        let every: Vec<f64> = (1..100).map(|p| f64::from(p) / 100.0).collect();
        assert_eq!(Detail::new(None, &every).unwrap().quantiles, every);
    }

    #[test]
    fn what_is_out_of_bounds_is_refused_with_the_value_and_the_remedy() {
        for bad in [0.0, 0.009, 0.991, 1.0, 5.0, -0.1, f64::NAN, f64::INFINITY] {
            let e = Detail::new(None, &[0.5, bad]).unwrap_err();
            assert_eq!((e.code, e.field.as_deref()), ("bad-quantiles", Some("quantiles")));
            assert!(e.detail.contains(&format!("quantile {bad} ")) && e.detail.contains("0.05,0.5,0.95"), "{e}");
        }
        for bad in [0.0, 0.49, 0.995, 90.0, f64::NAN] {
            let e = Detail::new(Some(bad), &[]).unwrap_err();
            assert_eq!((e.code, e.field.as_deref()), ("bad-level", Some("level")));
            assert!(e.detail.contains(&format!("level {bad} ")) && e.detail.contains("write 0.9"), "{e}");
        }
        let many: Vec<f64> = (0..100).map(|i| 0.01 + 0.001 * f64::from(i)).collect();
        assert!(Detail::new(None, &many).unwrap_err().detail.contains("100 quantiles"));
    }

    #[test]
    fn classes_have_no_distribution_to_tell() {
        let quantiles = Detail::new(None, &[0.05, 0.95]).unwrap();
        let level = Detail::new(Some(0.8), &[]).unwrap();
        for task in ["price", "volatility"] {
            assert!(quantiles.check(task).is_ok() && level.check(task).is_ok(), "{task}");
        }
        let e = quantiles.check("direction").unwrap_err();
        assert_eq!((e.code, e.field.as_deref()), ("unsupported-task", Some("quantiles")));
        assert!(e.detail.contains("0.05,0.95") && e.detail.contains("SELL") && e.detail.contains("leave --quantiles"));
        assert_eq!(level.check("direction").unwrap_err().field.as_deref(), Some("level"));
        assert!(Detail::default().check("direction").is_ok());
    }
}
