//! `models validate`: a saved model scored on candles that it has not learnt from, the naive forecasts beside it.
//!
//! Nothing is trained but the naive forecasts that have something to estimate, on what the model was trained on.

use std::sync::Arc;

use candlecast_core::{Problem, Seed, TimeRange, Timestamp};
use candlecast_learn::{Market, PlanRows, Report, Rescore, rescore};

use crate::evaluation::{refit, scored_range, warm_up};
use crate::frames::FeatureFrames;
use crate::loaded_model::LoadedModel;
use crate::options::options_of;

const DAY_MS: i64 = 86_400_000;

/// A saved model on newer candles.
#[derive(Debug)]
pub struct Validation {
    /// Close of the last candle that it learnt from; no forecast of anything before is scored.
    pub trained_to: Timestamp,
    /// Days that were asked for, counted back from the last closed candle.
    pub days: u32,
    /// Candles of these days that the model has learnt from.
    pub seen: usize,
    /// From the first scored origin's open to the last one's close.
    pub scored: Option<TimeRange>,
    /// Scored outcomes over the whole horizon that do not overlap.
    pub independent: usize,
    /// The model and the naive forecasts on the same origins; `None` where no origin can be scored yet.
    pub report: Option<Report>,
    /// What the scores can tell, in words.
    pub remark: String,
}

/// Scores `model` on the newest `days` of `market`, known up to `now`, as far as it has not learnt from them. Its
/// intervals are those that it would have served: calibrated by what was known at training and by every outcome known
/// since. The naive forecasts are as of the model's training (from `learnt_from` on), too.
pub fn validate(
    model: LoadedModel,
    learnt_from: Timestamp,
    market: &Arc<Market>,
    days: u32,
    now: Timestamp,
    seed: Seed,
) -> Result<Validation, Problem> {
    let span = Span::new(market, learnt_from, model.trained_to, days, now);
    let mut validation = span.empty(&model, days);
    if span.start + model.forecaster.task().horizon() < span.end {
        span.score(&mut validation, market, model, seed)?;
    }
    Ok(validation)
}

/// Rows of the market that matter.
struct Span {
    trained_to: Timestamp,
    /// First row that the naive forecasts are fitted on.
    window_start: usize,
    /// First row that the model has not learnt from.
    fit_row: usize,
    /// Row that closed when the training ended: the first origin whose outcomes the model has not seen.
    unseen: usize,
    /// First row that may be scored.
    start: usize,
    /// First row that is not closed yet.
    end: usize,
    seen: usize,
    /// Close of the last closed candle.
    known_to: Option<Timestamp>,
}

impl Span {
    fn new(market: &Market, learnt_from: Timestamp, trained_to: Timestamp, days: u32, now: Timestamp) -> Self {
        let series = market.series();
        let step = series.key().interval.ms();
        // `open + step <= now`, in whole milliseconds.
        let end = series.first_row_from(now.plus_ms(1 - step));
        let known_to = end.checked_sub(1).map(|row| series.close_time(row));
        let asked = known_to.map_or(0, |t| series.first_row_from(t.plus_ms(-i64::from(days) * DAY_MS)));
        let (unseen, fit_row) = (series.first_row_from(trained_to.plus_ms(-step)), series.first_row_from(trained_to));
        Self {
            trained_to,
            window_start: series.first_row_from(learnt_from),
            fit_row,
            unseen,
            start: asked.max(unseen),
            end,
            seen: fit_row.min(end).saturating_sub(asked),
            known_to,
        }
    }

    /// Nothing scored, and why that may be.
    fn empty(&self, model: &LoadedModel, days: u32) -> Validation {
        let stored = self.known_to.map_or_else(
            || "no candle of its series has closed".into(),
            |known_to| format!("its series is known up to {known_to}"),
        );
        let remark = format!(
            "nothing can be scored yet: {} has learnt from candles up to {}, {stored}, and a forecast is scored once all of its {} are known and none of its candles is missing",
            model.id,
            self.trained_to,
            steps(model.forecaster.task().horizon()),
        );
        Validation {
            trained_to: self.trained_to,
            days,
            seen: self.seen,
            scored: None,
            independent: 0,
            report: None,
            remark,
        }
    }

    fn score(
        &self,
        validation: &mut Validation,
        market: &Arc<Market>,
        model: LoadedModel,
        seed: Seed,
    ) -> Result<(), Problem> {
        let LoadedModel { model: name, forecaster, calibration, .. } = model;
        let horizon = forecaster.task().horizon();
        let options = options_of(&forecaster.recipe())
            .ok_or_else(|| Problem::data("corrupt-model", format!("{name} has no members; train it again")))?;
        let mut frames = FeatureFrames::new(Arc::clone(market));
        let panel = frames.panel(&forecaster.features())?;
        let (baselines, reference) = frames.with_baselines(&[], &options)?;
        let scored = self.start..self.end;
        let plan = PlanRows::rescoring(self.window_start, self.fit_row, scored, horizon, warm_up());
        let unseen = self.unseen..self.end;
        let refit = refit(market, &options);
        let rescored = Rescore { name: &name, model: &forecaster, panel: &panel, calibration, unseen, plan, refit };
        let report = rescore(rescored, &baselines, reference, seed)
            .map_err(|(baseline, e)| Problem::from(e).context(baseline))?;
        let Some(report) = report else { return Ok(()) };
        validation.independent = report.independent;
        validation.remark = remark(&report, report.models.len() - 1);
        validation.scored = scored_range(&report);
        validation.report = Some(report);
        Ok(())
    }
}

fn remark(report: &Report, model: usize) -> String {
    let scored = &report.models[model];
    let covered = scored.metrics.coverage().map_or_else(String::new, |c| {
        format!("; its intervals covered {:.1} % where {:.0} % were promised", 100.0 * c, 100.0 * report.level)
    });
    format!(
        "{} origins, {} independent outcomes over {}: {}{covered}",
        report.origins,
        report.independent,
        steps(report.horizon),
        scored.vs_reference.verdict
    )
}

fn steps(n: usize) -> String {
    if n == 1 { "1 step".into() } else { format!("{n} steps") }
}
