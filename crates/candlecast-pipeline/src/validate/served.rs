//! Intervals and confidences as a saved model would have served them.

use std::ops::Range;

use candlecast_learn::{
    Accumulator, Calibrated, CalibrationState, Calibrator, FittedPipeline, ModelReport, Outcome, Panel,
    ReliabilityAccumulator,
};

/// A restored model with what calibration knew when it was saved.
pub(super) struct Served<'a> {
    pub(super) pipeline: &'a FittedPipeline,
    pub(super) calibration: CalibrationState,
}

impl Served<'_> {
    /// Puts the intervals in the place of those in `report`, whose calibration began with nothing known. `rows` are
    /// the scored origins; `unseen` runs from the first origin after the training to the end of what is known.
    pub(super) fn replace_intervals(
        self,
        report: &mut ModelReport,
        panel: &Panel,
        rows: &[usize],
        unseen: Range<usize>,
    ) {
        let issued = self.issue(panel, rows, unseen);
        let market = panel.market();
        let (log_close, close) = (market.log_close(), &market.series().columns().close);
        let horizon = report.per_horizon.len();
        let mut all = Accumulator::default();
        let mut by_step = vec![Accumulator::default(); horizon];
        let mut reliability = ReliabilityAccumulator::default();
        for (k, calibrated) in issued.iter().enumerate() {
            let (row, h) = (rows[k / horizon], k % horizon);
            let outcome = Outcome {
                origin_price: close[row],
                forecast: report.forecasts.means[k],
                actual: log_close[row + h + 1] - log_close[row],
                half_width: Some(calibrated.half_width),
            };
            all.add(&outcome);
            by_step[h].add(&outcome);
            if let Some(hit) = outcome.hit().filter(|_| calibrated.calibrated) {
                reliability.add(calibrated.confidence, hit);
            }
        }
        let whole = all.finish();
        (report.metrics.coverage, report.metrics.interval_width) = (whole.coverage, whole.interval_width);
        for (step, sums) in report.per_horizon.iter_mut().zip(&by_step) {
            step.coverage = sums.finish().coverage;
        }
        report.reliability = reliability.finish();
        report.forecasts.calibrated = issued;
    }

    /// `[origin, step]` for `rows`, each learning from every outcome that was known at its origin, and from no other.
    /// A forecast with a missing candle ahead is not learnt from at all, though its first steps may have been known.
    fn issue(self, panel: &Panel, rows: &[usize], unseen: Range<usize>) -> Vec<Calibrated> {
        let market = panel.market();
        let (series, horizon) = (market.series(), self.pipeline.config.task.horizon());
        let lookback = self.pipeline.lookback();
        let last = unseen.end.saturating_sub(1);
        let origins: Vec<usize> = unseen.filter(|&row| panel.is_origin(row, lookback)).collect();
        let (means, scales) = self.pipeline.predict(panel, &origins);
        let mut calibrator = Calibrator::new(self.calibration);
        let mut issued = Vec::with_capacity(rows.len() * horizon);
        for (i, &origin) in origins.iter().enumerate() {
            calibrator.advance(origin, market.log_close());
            let steps = i * horizon..(i + 1) * horizon;
            let end = (origin + horizon).min(last);
            let learnt = end < series.segment_of(origin).end && !series.filled()[origin + 1..=end].iter().any(|&f| f);
            let calibrated = calibrator.issue(origin, &means[steps.clone()], &scales[steps], learnt);
            if rows.binary_search(&origin).is_ok() {
                issued.extend(calibrated);
            }
        }
        issued
    }
}
