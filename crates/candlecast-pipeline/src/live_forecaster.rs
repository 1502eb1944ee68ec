//! [`LiveForecaster`]: one model that goes along with one series.

use std::sync::Arc;

use candlecast_core::{Candle, CandleSeries, FilledSeries, Forecast, Problem};
use candlecast_features::{Engine, EngineStream, Observation};
use candlecast_learn::{CalibrationState, LivePipeline, LiveRow, Market};

use crate::frames::FeatureFrames;
use crate::gap_filler::GapFiller;
use crate::loaded_model::{LoadedModel, ModelLabel};

/// Features, forecasts and intervals of one model, candle by candle, at a cost that does not grow with the past. They
/// are those of `predict` over the same candles.
#[derive(Debug)]
pub struct LiveForecaster {
    label: Arc<ModelLabel>,
    /// `None` for models that read closes only.
    features: Option<Features>,
    gaps: GapFiller,
    pipeline: LivePipeline,
}

/// The model's features in live use.
#[derive(Debug)]
struct Features {
    engine: Engine,
    stream: EngineStream,
    /// A series without candles, on which streams are opened at the start of a segment.
    nothing: FilledSeries,
    newest: Vec<f64>,
}

impl LiveForecaster {
    /// Begins behind the last candle of `history`, which may be empty. Goes through all of the history once; not meant
    /// for an async thread.
    pub fn open(model: LoadedModel, history: &CandleSeries) -> Result<Self, Problem> {
        let label = Arc::new(model.label());
        let LoadedModel { forecaster, calibration, trained_to, .. } = model;
        let (key, set) = (history.key().clone(), forecaster.features());
        let max_fill = forecaster.max_fill();
        let market = Arc::new(Market::new(FilledSeries::new(history, max_fill)));
        let panel = FeatureFrames::new(Arc::clone(&market)).panel(&set)?;
        let features = if set.ids().is_empty() {
            None
        } else {
            let engine = Engine::new(&set)?;
            let series = market.series();
            let segment = series.segment_ranges().last().cloned().unwrap_or(0..0);
            let stream = engine.open(&series.segment(segment));
            let nothing = FilledSeries::new(&CandleSeries::empty(key.clone()), max_fill);
            Some(Features { engine, stream, nothing, newest: Vec::new() })
        };
        let last = history.len().checked_sub(1).map(|i| history.candle(i));
        let pipeline = LivePipeline::open(forecaster, calibration, trained_to, &panel);
        Ok(Self { label, features, gaps: GapFiller::new(key, max_fill, last), pipeline })
    }

    /// Takes the next closed candle; the forecast from it, if one can start there. A candle that is not newer than the
    /// last one changes nothing: a correction is taken into account when the history is gone through again.
    pub fn push(&mut self, candle: &Candle) -> Option<&Forecast> {
        let placed = self.gaps.place(candle)?;
        if placed.begins_segment {
            self.begin_segment();
        }
        for fill in &placed.fills {
            self.row(fill, true);
        }
        self.row(candle, false)
    }

    /// The forecast from the newest candle, if one can start there.
    pub fn latest(&self) -> Option<&Forecast> {
        self.pipeline.latest()
    }

    /// The model.
    pub fn label(&self) -> &Arc<ModelLabel> {
        &self.label
    }

    /// Steps of its forecasts.
    pub fn horizon(&self) -> usize {
        self.pipeline.model().task().horizon()
    }

    /// The model's features at the newest candle, in the order of its configuration; empty before the first candle
    /// behind the history, and for models without features. NaN where undefined.
    pub fn features(&self) -> &[f64] {
        self.features.as_ref().map_or(&[], |features| features.newest.as_slice())
    }

    /// What calibration has learnt so far.
    pub fn calibration(&self) -> &CalibrationState {
        self.pipeline.calibration()
    }

    fn begin_segment(&mut self) {
        if let Some(features) = &mut self.features {
            features.stream = features.engine.open(&features.nothing.segment(0..0));
        }
        self.pipeline.begin_segment();
    }

    fn row(&mut self, candle: &Candle, filled: bool) -> Option<&Forecast> {
        if let Some(features) = &mut self.features {
            features.newest = features.stream.update(&Observation { candle: *candle, filled });
        }
        let values = self.features.as_ref().map_or(&[][..], |features| features.newest.as_slice());
        self.pipeline.push(LiveRow { candle, filled, features: values })
    }
}
