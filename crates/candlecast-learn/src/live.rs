//! [`LivePipeline`]: a fitted pipeline that goes along with its series candle by candle.
//!
//! The work a candle costs does not grow with the past: one row is added, one window is predicted from, and calibration
//! learns from what this close made known. Forecasts and intervals are those of [`FittedForecaster::replay`] and
//! [`FittedForecaster::forecast`] over the same candles.

mod tail;

use std::sync::Arc;

use candlecast_core::{Candle, Forecast, SeriesKey, Timestamp};

use crate::conformal::{CalibrationState, Calibrator, Origin};
use crate::dataset::Panel;
use crate::forecaster::FittedForecaster;
use crate::tasks::OutlookOrigin;

use tail::SegmentTail;

/// The next row of a live series.
#[derive(Debug, Clone, Copy)]
pub struct LiveRow<'a> {
    /// The closed candle, or the flat one that stands for a missing one.
    pub candle: &'a Candle,
    /// True when it stands for a missing one.
    pub filled: bool,
    /// The model's features at this row, unscaled, in its order; one that is left out counts as NaN.
    pub features: &'a [f64],
}

/// A fitted forecaster in live use.
#[derive(Debug)]
pub struct LivePipeline {
    model: FittedForecaster,
    calibrator: Calibrator,
    key: SeriesKey,
    names: Arc<[String]>,
    /// Forecasts from closes before this are not learnt from: the fit has seen their outcomes.
    learn_from: Timestamp,
    tail: SegmentTail,
    /// Number of the next row, counted from the first row of the history.
    next_row: usize,
    latest: Option<Forecast>,
}

impl LivePipeline {
    /// Begins after the last row of `history`, which may be empty and holds the model's features. `calibration` and
    /// `trained_to` (close of the last candle that the fit saw) are those saved with the model.
    pub fn open(
        model: FittedForecaster,
        calibration: CalibrationState,
        trained_to: Timestamp,
        history: &Panel,
    ) -> Self {
        let series = history.market().series();
        let key = series.key().clone();
        let (max_fill, horizon) = (model.max_fill(), model.task().horizon());
        let keep = (model.lookback() + max_fill).max(horizon + 1);
        let calibrator = match series.len().checked_sub(1) {
            Some(last) => {
                let from = series.first_row_from(trained_to.plus_ms(-key.interval.ms()));
                model.replay(history, calibration, from, last)
            }
            None => Calibrator::new(model.task(), calibration),
        };
        let mut live = Self {
            calibrator,
            names: history.names().into(),
            learn_from: trained_to,
            tail: SegmentTail::after(history, keep, max_fill),
            next_row: series.len(),
            latest: None,
            key,
            model,
        };
        live.latest = live.issue();
        live
    }

    /// The next row would lie too far behind the last one for the gap to be filled: nothing of the past is used on.
    pub fn begin_segment(&mut self) {
        self.calibrator.cut();
        self.tail.clear(self.next_row);
        self.latest = None;
    }

    /// Takes the next row of the segment; the forecast from it, if one can start there.
    pub fn push(&mut self, row: LiveRow<'_>) -> Option<&Forecast> {
        if row.filled {
            self.calibrator.cut();
        }
        self.tail.push(row.candle, row.filled, row.features);
        if !row.filled {
            self.calibrator.advance_within(self.next_row, self.tail.first_row(), self.tail.log_close());
        }
        self.next_row += 1;
        self.latest = self.issue();
        self.latest.as_ref()
    }

    /// The forecast from the newest row, if one can start there.
    pub fn latest(&self) -> Option<&Forecast> {
        self.latest.as_ref()
    }

    /// The model.
    pub fn model(&self) -> &FittedForecaster {
        &self.model
    }

    /// What calibration has learnt so far.
    pub fn calibration(&self) -> &CalibrationState {
        self.calibrator.state()
    }

    /// Forecasts from the newest row; to be called once a row, as calibration will learn from it.
    fn issue(&mut self) -> Option<Forecast> {
        let lookback = self.model.lookback();
        if !self.tail.is_origin(lookback) {
            return None;
        }
        let candle = *self.tail.newest()?;
        let panel = self.tail.panel(&self.key, &self.names, lookback)?;
        let last = panel.rows().end - 1;
        let forecasts = self.model.predict(&panel, &[last]);
        let (forecast, task) = (forecasts.row(0), self.model.task());
        let time = candle.open_time.plus_ms(self.key.interval.ms());
        let steps = if time >= self.learn_from { task.horizon() } else { 0 };
        let origin = Origin { row: self.next_row - 1, ..panel.market().origin(last) };
        let issued = self.calibrator.issue_scoring(origin, forecast, steps);
        let origin =
            OutlookOrigin { time, step_ms: self.key.interval.ms(), price: candle.close, horizon: task.horizon() };
        Some(Forecast {
            key: self.key.clone(),
            origin: time,
            origin_price: candle.close,
            level: self.calibrator.state().level(),
            outlook: task.kind().outlook(origin, forecast.means, &issued, forecast.borders),
            quantiles: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baselines;
    use crate::learner::{
        Asked, Curve, FitContext, FitError, FitOutcome, Fitted, Inputs, Learner, ModelState, Prediction, RestoreError,
        Stop,
    };
    use crate::{
        Dataset, Fold, FoldRows, Forecaster, Labels, Market, PipelineConfig, Samples, ScalerKind, Silent, Start, Task,
        TrainWindow,
    };
    use candlecast_core::market::{MarketConfig, generate};
    use candlecast_core::{CandleSeries, Columns, FeatureSet, FeatureTable, FilledSeries, Seed};
    use serde_json::json;

    /// Forecasts a share of the window's mean feature, as a return, a probability or a log variance: every row of the
    /// window counts.
    #[derive(Debug, Clone, Copy)]
    struct WindowMean;

    impl Learner for WindowMean {
        fn supports(&self, _: &Task) -> bool {
            true
        }
        fn lookback(&self) -> usize {
            5
        }
        fn inputs(&self, _: &Asked) -> Inputs {
            Inputs { features: FeatureSet::of(&["a", "b"]), scaler: ScalerKind::Standard }
        }
        fn fit(&self, _: &Samples<'_>, _: &mut FitContext<'_>) -> Result<FitOutcome, FitError> {
            Ok(FitOutcome { model: Box::new(*self), stopped: Stop::Converged, steps: 1, curve: Curve::default() })
        }
        fn restore(&self, _: &ModelState, _: &Task) -> Result<Box<dyn Fitted>, RestoreError> {
            Ok(Box::new(*self))
        }
    }

    impl Fitted for WindowMean {
        fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
            out.reset(x.len(), x.task().width());
            for i in 0..x.len() {
                let window = x.window(i);
                let mean = window.iter().map(|&v| f64::from(v)).sum::<f64>() / window.len() as f64;
                for (h, y) in out.row_mut(i).iter_mut().enumerate() {
                    *y = 1e-4 * mean * (h + 1) as f64;
                }
            }
        }
        fn state(&self) -> ModelState {
            ModelState::default()
        }
    }

    const HORIZON: usize = 4;
    const PRICE: Task = Task::Price { horizon: HORIZON };
    const DIRECTION: Task = Task::Direction { horizon: HORIZON, labels: Labels::Adaptive { low: 0.25, high: 0.75 } };
    const VOLATILITY: Task = Task::Volatility { horizon: HORIZON };
    const MAX_FILL: usize = 3;
    const TRAINED_ROWS: usize = 400;

    /// An hourly market with gaps of 1 to 3 candles, which are filled, and of 9, which end a segment.
    fn gapped() -> Arc<Market> {
        made(1_200, &[450..451, 500..503, 505..507, 640..649, 700..702, 900..909, 912..913])
    }

    /// `n_candles` hours but for the candles `missing`.
    fn made(n_candles: usize, missing: &[std::ops::Range<usize>]) -> Arc<Market> {
        let generated = generate(&MarketConfig { n_candles, ..MarketConfig::default() });
        let whole = &generated[0].series;
        let mut columns = Columns::default();
        for i in (0..whole.len()).filter(|i| !missing.iter().any(|gap| gap.contains(i))) {
            columns.push(&whole.candle(i));
        }
        let series = CandleSeries::new(whole.key().clone(), columns).unwrap();
        Arc::new(Market::new(FilledSeries::new(&series, MAX_FILL)))
    }

    /// Two features of one row each, undefined now and then.
    fn table(market: &Market) -> FeatureTable {
        let c = market.series().columns();
        let shape = |i: usize| (c.close[i] / c.open[i]).ln() * 100.0;
        let a = (0..c.len()).map(|i| if i % 97 == 96 { f64::NAN } else { shape(i) }).collect();
        let b = (0..c.len()).map(|i| (c.high[i] / c.low[i]).ln() * 100.0).collect();
        FeatureTable { names: vec!["a".into(), "b".into()], columns: vec![a, b] }
    }

    fn panel_of(forecaster: &Forecaster) -> &Panel {
        &forecaster.as_pipeline().unwrap().data.panels()[0]
    }

    fn features_of(forecaster: &Forecaster, market: &Market) -> FeatureTable {
        if panel_of(forecaster).width() > 0 { table(market) } else { FeatureTable::default() }
    }

    /// The first `rows` rows, the last of which is a real candle.
    fn cut(market: &Market, rows: usize) -> Arc<Market> {
        let series = market.series();
        let mut columns = Columns::default();
        for row in (0..rows).filter(|&row| !series.filled()[row]) {
            columns.push(&series.columns().candle(row));
        }
        let series = CandleSeries::new(series.key().clone(), columns).unwrap();
        Arc::new(Market::new(FilledSeries::new(&series, MAX_FILL)))
    }

    fn config(model: &str, features: FeatureSet, scaler: ScalerKind, task: Task) -> PipelineConfig {
        PipelineConfig {
            model: model.into(),
            params: json!({}),
            features,
            scaler,
            clip: Some(10.0),
            max_fill: MAX_FILL,
            task,
            level: 0.9,
            window: TrainWindow::Expanding,
            retrain_days: 7,
            valid_share: 0.15,
            min_candles: 200,
            bag: None,
        }
    }

    /// Goes through the market behind `history_rows` rows and compares every forecast with that of the batch.
    fn assert_live_equals_batch(forecaster: &Forecaster, history_rows: usize) {
        assert_live_equals_batch_after(forecaster, TRAINED_ROWS, history_rows);
    }

    /// The same with a model that has learnt from the first `trained_rows` rows.
    fn assert_live_equals_batch_after(forecaster: &Forecaster, trained_rows: usize, history_rows: usize) {
        let (market, panel) = (forecaster.market(0), panel_of(forecaster));
        let series = market.series();
        let rows = FoldRows { window_start: 0, fit_row: trained_rows, test: trained_rows..series.len() };
        let fold = Fold::of_rows(market, &rows);
        let fitted = || forecaster.fit(&fold, Seed(1), 1, Start::default(), &mut Silent).unwrap().0;
        let batch = fitted();
        let calibration = CalibrationState::new(0.9, &forecaster.task(), 24.0);
        let trained_to = series.close_time(trained_rows - 1);
        let history = cut(market, history_rows);
        let history_features = features_of(forecaster, &history);
        let history = Panel::new(history, &history_features);
        let mut live = LivePipeline::open(fitted(), calibration.clone(), trained_to, &history);
        let features = features_of(forecaster, market);
        let from = trained_rows - 1;
        let mut compared = 0;
        for row in history_rows..series.len() {
            if row > 0 && series.segment_of(row).start == row {
                live.begin_segment();
            }
            let values: Vec<f64> = features.columns.iter().map(|column| column[row]).collect();
            let (candle, filled) = (series.columns().candle(row), series.filled()[row]);
            let forecast = live.push(LiveRow { candle: &candle, filled, features: &values }).cloned();
            assert_eq!(forecast.is_some(), panel.is_origin(row, batch.lookback()), "row {row}");
            let looked_at = row < history_rows + 60 || row % 7 == 0;
            let Some(forecast) = forecast.filter(|_| looked_at) else { continue };
            let mut calibrator = batch.replay(panel, calibration.clone(), from, row);
            let expected = batch.forecast(panel, row, &mut calibrator);
            assert_eq!(forecast, expected, "row {row}");
            assert_eq!(live.calibration(), calibrator.state(), "row {row}");
            compared += 1;
        }
        assert!(compared > 80, "{compared}");
    }

    fn with_features(task: Task) -> Forecaster {
        let market = gapped();
        let data = Dataset::single(Panel::new(Arc::clone(&market), &table(&market)));
        let config = config("window-mean", FeatureSet::of(&["a", "b"]), ScalerKind::Standard, task);
        Forecaster::pipeline("window-mean", false, config, Box::new(WindowMean), data)
    }

    #[test]
    fn forecasts_and_calibration_are_those_of_the_batch() {
        let forecaster = with_features(PRICE);
        // In the middle of a segment, just before and just behind a short gap, before a border, at a segment's start.
        for history_rows in [TRAINED_ROWS, 450, 452, 508, 640, 641] {
            assert_live_equals_batch(&forecaster, history_rows);
        }
    }

    #[test]
    fn claims_on_the_whole_horizon_are_learnt_from_as_in_the_batch() {
        for task in [DIRECTION, VOLATILITY] {
            let forecaster = with_features(task);
            for history_rows in [TRAINED_ROWS, 508, 641] {
                assert_live_equals_batch(&forecaster, history_rows);
            }
        }
    }

    #[test]
    fn without_history_it_begins_with_the_first_candle() {
        assert_live_equals_batch(&with_features(PRICE), 0);
    }

    #[test]
    fn closes_are_enough_where_the_model_needs_no_features() {
        let panel = Panel::new(gapped(), &FeatureTable::default());
        let entry = baselines::catalog().iter().find(|e| e.id == "ewma").unwrap();
        let config = config("ewma", FeatureSet::default(), ScalerKind::None, PRICE);
        let learner = entry.build(&json!({})).unwrap();
        let forecaster = Forecaster::pipeline("ewma", true, config, learner, Dataset::single(panel));
        assert_live_equals_batch(&forecaster, 508);
    }

    #[test]
    fn regressors_of_a_long_past_and_a_season_go_along() {
        // Rows 0 to 1,499, with two short gaps, and what follows nine missing candles, with one.
        let market = made(2_900, &[1_000..1_001, 1_300..1_303, 1_500..1_509, 2_350..2_352]);
        let panel = Panel::new(Arc::clone(&market), &FeatureTable::default());
        let config = config("har-x", FeatureSet::default(), ScalerKind::None, VOLATILITY);
        let learner = crate::har_x::catalog()[0].build(&json!({})).unwrap();
        let forecaster = Forecaster::pipeline("har-x", false, config, learner, Dataset::single(panel));
        // Within the first segment, behind a filled gap, at the beginning of the second segment, in the middle of it.
        for history_rows in [1_100, 1_304, 1_501, 2_400] {
            assert_live_equals_batch_after(&forecaster, 1_100, history_rows);
        }
    }
}
