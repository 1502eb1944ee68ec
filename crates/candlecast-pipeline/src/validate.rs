//! `models validate`: a saved model scored on candles that it has not learnt from, the naive forecasts beside it.
//!
//! Nothing is trained but the naive forecasts that have something to estimate, on what the model was trained on.

use std::sync::Arc;

use candlecast_core::{Problem, Seed, TimeRange, Timestamp};
use candlecast_learn::walk_forward::ForecastTable;
use candlecast_learn::{
    CALIBRATION_OUTCOMES, Comparison, Contender, Fold, Learner, Market, Panel, Plan, Report, Silent, evaluate,
    fold_origins,
};

use crate::frames::{FeatureFrames, common_of};
use crate::loaded_model::LoadedModel;
use crate::{catalog, overlap};

mod served;

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
    if span.start + model.pipeline.config.task.horizon() < span.end {
        let served = served::Served { pipeline: &model.pipeline, calibration: model.calibration };
        span.score(&mut validation, market, served, seed)?;
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
            steps(model.pipeline.config.task.horizon()),
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
        served: served::Served<'_>,
        seed: Seed,
    ) -> Result<(), Problem> {
        let config = served.pipeline.config.clone();
        let learner = catalog::find(&config.model)?.build(&config.params)?;
        let (horizon, name) = (config.task.horizon(), config.model.clone());
        let plan = self.plan(horizon);
        let mut stable = FeatureFrames::new(Arc::clone(market));
        let panel = stable.panel(&config.features)?;
        let (mut contenders, naive) = stable.with_baselines(&[], &common_of(&config))?;
        let n_baselines = contenders.len();
        contenders.push(Contender { name, baseline: false, config, learner, panel: panel.clone() });

        let (rows, left_out) = fold_origins(&plan.folds[1], &plan, &panels(&contenders), horizon);
        if rows.is_empty() {
            return Ok(());
        }
        let (lead, _) = fold_origins(&plan.folds[0], &plan, &panels(&contenders[..n_baselines]), horizon);
        let mut tables = contenders[..n_baselines]
            .iter()
            .map(|baseline| baseline_table(baseline, &plan, [&lead[..], &rows[..]], seed))
            .collect::<Result<Vec<ForecastTable>, Problem>>()?;
        let (means, scales) = served.pipeline.predict(&panel, &rows);
        tables.push(table(rows.clone(), horizon, means, scales));

        let mut report = evaluate(&contenders, tables, &plan, naive, left_out);
        served.replace_intervals(&mut report.models[n_baselines], &panel, &rows, self.unseen..self.end);
        let origins: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        validation.independent = overlap::independent(&origins, horizon as i64);
        withhold(&mut report, naive, &origins, validation.independent);
        validation.remark = remark(&report, validation.independent, n_baselines);
        validation.scored = report.models[naive]
            .forecasts
            .from
            .zip(report.models[naive].forecasts.to)
            .map(|(from, to)| TimeRange { from, to });
        validation.report = Some(report);
        Ok(())
    }

    /// Two folds: one before the scored rows, which only calibrates the naive forecasts' intervals, and the scored one.
    fn plan(&self, horizon: usize) -> Plan {
        let length = self.fit_row.saturating_sub(self.window_start).max(1);
        let lead = self.start.saturating_sub(CALIBRATION_OUTCOMES + horizon);
        let folds = vec![
            Fold { window_start: lead.saturating_sub(length), fit_row: lead, test: lead..self.start },
            Fold { window_start: self.window_start, fit_row: self.fit_row, test: self.start..self.end },
        ];
        Plan { folds, scored: self.start..self.end, known_to: self.end, notes: vec![] }
    }
}

fn panels(contenders: &[Contender]) -> Vec<(&Panel, usize)> {
    contenders.iter().map(|c| (&c.panel, c.learner.lookback())).collect()
}

/// Forecasts of a naive forecast over both folds of `plan`. Where the history before the first is too short to fit on,
/// its intervals begin uncalibrated.
fn baseline_table(
    baseline: &Contender,
    plan: &Plan,
    origins: [&[usize]; 2],
    seed: Seed,
) -> Result<ForecastTable, Problem> {
    let mut all = table(vec![], baseline.config.task.horizon(), vec![], vec![]);
    for (k, (fold, rows)) in plan.folds.iter().zip(origins).enumerate() {
        if rows.is_empty() {
            continue;
        }
        let (pipeline, _) = match baseline.fit(fold, seed, 1, &mut Silent) {
            Ok(fitted) => fitted,
            Err(_) if k == 0 => continue,
            Err(e) => return Err(Problem::from(e).context(&baseline.name)),
        };
        let (means, scales) = pipeline.predict(&baseline.panel, rows);
        all.rows.extend_from_slice(rows);
        all.means.extend(means);
        all.scales.extend(scales);
    }
    Ok(all)
}

fn table(rows: Vec<usize>, horizon: usize, means: Vec<f64>, scales: Vec<f64>) -> ForecastTable {
    ForecastTable { rows, horizon, means, scales, fit_seconds: 0.0, fits: vec![] }
}

/// Takes back every judgement for which there are too few independent outcomes; the scores stay.
fn withhold(report: &mut Report, naive: usize, origins: &[i64], independent: usize) {
    for (i, model) in report.models.iter_mut().enumerate() {
        for step in &mut model.per_horizon {
            if overlap::independent(origins, step.step as i64) < overlap::MIN_INDEPENDENT {
                step.p_value = None;
            }
        }
        if i == naive || independent >= overlap::MIN_INDEPENDENT {
            continue;
        }
        let verdict = overlap::too_few(independent);
        model.vs_naive = Comparison { test: None, corrected: None, clark_west: None, verdict };
        if let Some(direction) = &mut model.direction {
            direction.test = None;
        }
    }
}

fn remark(report: &Report, independent: usize, model: usize) -> String {
    let scored = &report.models[model];
    let covered = scored.metrics.coverage.map_or_else(String::new, |c| {
        format!("; its intervals covered {:.1} % where {:.0} % were promised", 100.0 * c, 100.0 * report.level)
    });
    format!(
        "{} origins, about {independent} independent outcomes over {}: {}{covered}",
        report.origins,
        steps(report.horizon),
        scored.vs_naive.verdict
    )
}

fn steps(n: usize) -> String {
    if n == 1 { "1 step".into() } else { format!("{n} steps") }
}
