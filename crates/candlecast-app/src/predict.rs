//! `predict`: a saved model, loaded in any process, forecasts from the last stored candle.

use std::sync::Arc;

use candlecast_core::{FeatureSet, Forecast, SeriesKey, Timestamp};
use candlecast_features::Engine;
use candlecast_learn::{FittedPipeline, Market};
use candlecast_registry::{Loaded, Meta, RegistryError, Slot};

use crate::contender::Stable;
use crate::train::SavedModel;
use crate::{App, AppError, catalog};

/// A forecast and where it comes from.
#[derive(Debug)]
pub struct Predicted {
    /// The forecast, cut to the horizon asked for.
    pub forecast: Forecast,
    /// The model.
    pub meta: Meta,
    /// The rule regime at the origin and its confidence.
    pub regime: Option<(String, f64)>,
    /// When it was made.
    pub made_at: Timestamp,
    /// Close of the last candle that the model learnt from.
    pub trained_to: Timestamp,
    /// Why an older version answered, if it did.
    pub fell_back: Option<String>,
    /// True when the model is older than its time to live.
    pub stale: bool,
    /// Seconds between the origin and now.
    pub data_age_s: i64,
    /// True when the origin is older than two candles.
    pub stale_data: bool,
    /// The stored candles, which may reach beyond the origin.
    pub market: Arc<Market>,
}

impl Predicted {
    /// True when the model learnt from candles after the origin: it has seen what it forecasts.
    pub fn has_seen_future(&self) -> bool {
        self.trained_to > self.forecast.origin
    }

    /// True when an outcome could be known when it was made: its first target had closed, or candles that close after
    /// the origin were stored, as with `--now` in the past.
    pub fn is_too_late(&self) -> bool {
        let series = self.market.series();
        let last_close = series.len().checked_sub(1).map(|row| series.close_time(row));
        let first_target = self.forecast.steps.first().map(|step| step.target_time);
        first_target.is_some_and(|target| self.made_at >= target)
            || last_close.is_some_and(|close| close > self.forecast.origin)
    }

    /// What to know before the forecast is used, for people. A generated market grows no older, so the age of its
    /// candles is not warned of.
    pub fn warnings(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.has_seen_future() {
            lines.push(format!(
                "the model has seen the future of this origin: it learnt from candles up to {}, so the forecast says nothing about its skill and is not logged; `candlecast backtest` does",
                self.trained_to
            ));
        }
        if self.stale_data && !self.forecast.key.venue.is_synthetic() {
            lines.push(format!(
                "the data are old: the last candle closed {} hours ago; bring newer candles in",
                self.data_age_s / 3_600
            ));
        }
        if self.stale {
            lines.push(format!("the model is of {}: train it again", self.meta.trained_at));
        }
        if let Some(why) = &self.fell_back {
            lines.push(format!("an older version answered: {why}"));
        }
        lines
    }
}

impl App {
    /// Forecasts `key` with the active model of type `model`; `horizon` in steps, the trained one if `None`.
    pub async fn predict(&self, key: &SeriesKey, model: &str, horizon: Option<usize>) -> Result<Predicted, AppError> {
        let entry = catalog::find(model)?;
        let slot = Slot::new(key.clone(), entry.id, "price")?;
        let loaded: Loaded<SavedModel> = self.registry.load(&slot, None).map_err(|e| not_trained(e, key, entry.id))?;
        let state = &loaded.payload.pipeline;
        let trained = state.config.task.horizon();
        if let Some(asked) = horizon.filter(|&h| h > trained) {
            return Err(AppError::data(
                "horizon-too-long",
                format!(
                    "{} was trained for {trained} step{}, {asked} were asked for: train it with a longer --horizon, or ask for at most {trained}",
                    loaded.meta.id,
                    if trained == 1 { "" } else { "s" }
                ),
            )
            .with_field("horizon"));
        }
        let market = self.market(key, state.config.max_fill).await?;
        let learner = entry.build(&state.config.params)?;
        let Loaded { meta, payload, fell_back } = loaded;
        let now = self.now();
        let stale = self.is_stale(&meta, now);
        self.compute(move || {
            let SavedModel { pipeline, calibration, trained_to } = payload;
            let pipeline = FittedPipeline::restore(pipeline, learner.as_ref())
                .map_err(|e| AppError::data("corrupt-model", format!("model {}: {e}; train it again", meta.id)))?;
            same_features(&meta, &pipeline.config.features)?;
            let mut stable = Stable::new(Arc::clone(&market));
            let panel = stable.panel(&pipeline.config.features)?;
            let row = origin_row(&market, &panel, pipeline.lookback(), now)?;
            let interval_ms = market.series().key().interval.ms();
            let from = market.series().first_row_from(trained_to.plus_ms(-interval_ms));
            let mut calibrator = pipeline.replay(&panel, calibration, from, row);
            let mut forecast = pipeline.forecast(&panel, row, &mut calibrator);
            forecast.steps.truncate(horizon.unwrap_or(trained));
            let data_age_s = (now.ms() - forecast.origin.ms()).max(0) / 1000;
            let regime = regime_at(&mut stable, row)?;
            Ok(Predicted {
                made_at: now,
                stale,
                stale_data: data_age_s * 1000 > 2 * interval_ms,
                data_age_s,
                trained_to,
                forecast,
                meta,
                regime,
                fell_back,
                market,
            })
        })
        .await
        // A candle may have closed meanwhile.
        .map(|predicted| Predicted { made_at: self.now(), ..predicted })
    }

    /// Every model that should serve the series that `wanted` selects, as `(series, model)`. One whose files are
    /// damaged is among them: asking it brings the version before, or an error that names the damage.
    pub fn active_models(&self, wanted: impl Fn(&SeriesKey) -> bool) -> Result<Vec<(SeriesKey, String)>, AppError> {
        let serving = self.registry.serving_slots()?;
        let mut found: Vec<(SeriesKey, String)> = serving
            .iter()
            .filter(|slot| slot.task() == "price" && wanted(slot.key()))
            .map(|slot| (slot.key().clone(), slot.model().to_owned()))
            .collect();
        found.sort();
        Ok(found)
    }
}

fn not_trained(e: RegistryError, key: &SeriesKey, model: &str) -> AppError {
    if !matches!(e, RegistryError::NoneActive { .. }) {
        return e.into();
    }
    let venue = if key.venue.as_str() == "binance" { String::new() } else { format!(" --venue {}", key.venue) };
    AppError::new(
        "model-not-trained",
        404,
        crate::Blame::Data,
        format!(
            "no {model} model is saved for {key}: run `candlecast train --symbol {} --interval {}{venue} --model {model} --horizon 24h`",
            key.symbol, key.interval
        ),
    )
    .with_field("model")
}

/// The rule regime at `row` with its confidence, `None` while it warms up.
fn regime_at(stable: &mut Stable, row: usize) -> Result<Option<(String, f64)>, AppError> {
    let panel = stable.panel(&FeatureSet::of(&[
        "regime_bull_50",
        "regime_bear_50",
        "regime_sideways_50",
        "regime_volatility_50",
    ]))?;
    let values: Vec<f64> = panel.row(row).iter().map(|&v| f64::from(v)).collect();
    let label = <[f64; 4]>::try_from(values).ok().and_then(candlecast_features::regime_label);
    Ok(label.map(|l| (l.regime.to_string(), l.confidence)))
}

/// Refuses a model whose features are computed otherwise by this program.
pub(crate) fn same_features(meta: &Meta, features: &FeatureSet) -> Result<(), AppError> {
    if features.ids().is_empty() {
        return Ok(());
    }
    let now = Engine::new(features)?.versions();
    let differing = meta.features.iter().zip(&now).find(|(then, now)| then.id != now.0 || then.version != now.1);
    match differing {
        None if meta.features.len() == now.len() => Ok(()),
        _ => {
            let name = differing.map_or_else(|| "the feature set".into(), |(then, _)| then.id.clone());
            let detail = format!(
                "model {} was trained on another definition of {name} than this program computes: train it again",
                meta.id
            );
            Err(AppError::data("feature-version", detail))
        }
    }
}

/// The last real candle that has closed, if a forecast can start there.
fn origin_row(
    market: &Market,
    panel: &candlecast_learn::Panel,
    lookback: usize,
    now: Timestamp,
) -> Result<usize, AppError> {
    let series = market.series();
    let row = (0..series.len()).rev().find(|&row| series.close_time(row) <= now).ok_or_else(|| {
        AppError::data("too-few-candles", format!("no candle had closed by {now}: check the clock or --now"))
    })?;
    if panel.is_origin(row, lookback) {
        return Ok(row);
    }
    let segment = series.segment_of(row);
    Err(AppError::data(
        "not-warmed-up",
        format!(
            "no forecast can start at the last candle ({}): only {} candles follow the last gap, or a feature is undefined there; bring the missing candles in with `candlecast import`, or wait for more",
            Timestamp(series.columns().open_time[row]),
            segment.len()
        ),
    ))
}
