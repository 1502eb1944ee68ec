//! [`rescore`]: a fitted forecaster scored on candles that it has not learnt from.

use std::ops::Range;

use candlecast_core::Seed;

use crate::conformal::{Calibrated, CalibrationState, Calibrator};
use crate::dataset::Panel;
use crate::evaluate::{ModelForecasts, Question, Report, evaluate};
use crate::forecaster::{FittedForecaster, Forecaster, Start, learnable_steps};
use crate::learner::{FitError, Silent};
use crate::split::{Plan, PlanRows};
use crate::walk_forward::{ForecastTable, Forecasts, forecasts_from};

/// A fitted forecaster with what calibration knew when it was saved.
#[derive(Debug)]
pub struct Rescore<'a> {
    /// Name in tables.
    pub name: &'a str,
    /// The forecaster.
    pub model: &'a FittedForecaster,
    /// Its features over the whole series.
    pub panel: &'a Panel,
    /// What calibration had learnt.
    pub calibration: CalibrationState,
    /// From the first origin whose outcomes the fit has not seen to the end of what is known.
    pub unseen: Range<usize>,
    /// Folds and scored rows ([`PlanRows::rescoring`]).
    pub plan: PlanRows,
    /// Candles between refits of such a forecaster: what forecasts may have in common for long.
    pub refit: usize,
}

/// Scores a fitted forecaster beside `baselines`, which are fitted on what it was fitted on; their intervals are
/// calibrated on the fold before the scored one. The forecaster's intervals are those that it would have served. `None`
/// where no origin can be scored; the name of the baseline that could not be fitted, and why.
pub fn rescore(
    rescored: Rescore<'_>,
    baselines: &[Forecaster],
    reference: usize,
    seed: Seed,
) -> Result<Option<Report>, (String, FitError)> {
    let (market, task) = (rescored.panel.market(), rescored.model.task());
    let (rows, left_out) = rescored.plan.origins(1, market, task.horizon());
    let scored = |rows: &[usize]| rows.iter().filter(|&&row| rescored.plan.scores(market, row, task.horizon())).count();
    if scored(&rows) == 0 {
        return Ok(None);
    }
    let plan = Plan::of_rows(market, &rescored.plan, vec![]);
    let (lead, _) = rescored.plan.origins(0, market, task.horizon());
    let mut models = baselines
        .iter()
        .map(|baseline| {
            let mut table =
                baseline_table(baseline, &plan, [&lead, &rows], seed).map_err(|e| (baseline.name.clone(), e))?;
            table.abstained = scored(&table.stand_ins);
            Ok(ModelForecasts { name: baseline.name.clone(), baseline: true, table, issued: None })
        })
        .collect::<Result<Vec<_>, (String, FitError)>>()?;
    let (forecasts, without) = forecasts_from(rescored.model, rescored.panel, &rows);
    let abstained = scored(&without);
    if abstained == scored(&rows) {
        return Ok(None);
    }
    let issued = served(&rescored, &rows);
    let table = ForecastTable { rows, forecasts, abstained, stand_ins: without, left_out, ..ForecastTable::default() };
    models.push(ModelForecasts { name: rescored.name.into(), baseline: false, table, issued: Some(issued) });
    let level = rescored.model.level();
    let refit = rescored.refit;
    // The one model was chosen before there were these candles.
    let question =
        Question { market, task, level, plan: &plan, reference, left_out, refit, tries: 0, confidence_threshold: None };
    Ok(Some(evaluate(&question, models)))
}

/// Forecasts of a baseline over both folds. Where the history before the first is too short to fit on, its intervals
/// begin uncalibrated.
fn baseline_table(
    baseline: &Forecaster,
    plan: &Plan,
    origins: [&Vec<usize>; 2],
    seed: Seed,
) -> Result<ForecastTable, FitError> {
    let mut table = ForecastTable { forecasts: Forecasts::empty(baseline.task().width()), ..ForecastTable::default() };
    let Some(pipeline) = baseline.as_pipeline() else { return Ok(table) };
    for (k, (fold, rows)) in plan.folds.iter().zip(origins).enumerate() {
        if rows.is_empty() {
            continue;
        }
        let model = match baseline.fit(fold, seed, 1, Start::default(), &mut Silent) {
            Ok((model, _)) => model,
            Err(_) if k == 0 => continue,
            Err(e) => return Err(e),
        };
        let (forecasts, without) = forecasts_from(&model, &pipeline.data.panels()[0], rows);
        table.rows.extend_from_slice(rows);
        table.forecasts.extend(&forecasts);
        table.stand_ins.extend(without);
    }
    Ok(table)
}

/// Intervals and confidences for `rows`, `[origin][claim]`, each learning from every outcome that was known at its
/// origin, and from no other: of a forecast with a missing candle ahead from the steps before that candle, as
/// [`FittedForecaster::replay`] does.
fn served(rescored: &Rescore<'_>, rows: &[usize]) -> Vec<Vec<Calibrated>> {
    let (model, panel) = (rescored.model, rescored.panel);
    let (market, task) = (panel.market(), model.task());
    let last = rescored.unseen.end.saturating_sub(1);
    let origins: Vec<usize> = rescored.unseen.clone().filter(|&row| model.is_origin(panel, row)).collect();
    // Scored origins from which the model has no forecast of its own get an interval, too.
    let mut all: Vec<usize> = origins.iter().chain(rows).copied().collect();
    all.sort_unstable();
    all.dedup();
    let (forecasts, _) = forecasts_from(model, panel, &all);
    let mut calibrator = Calibrator::new(task, rescored.calibration.clone());
    let mut issued = Vec::with_capacity(rows.len());
    for (i, &origin) in all.iter().enumerate() {
        calibrator.advance(origin, market.log_close());
        let is_own = origins.binary_search(&origin).is_ok();
        let steps = if is_own { learnable_steps(market, origin, task.horizon(), last) } else { 0 };
        let calibrated = calibrator.issue_scoring(market.origin(origin), forecasts.row(i), steps);
        if rows.binary_search(&origin).is_ok() {
            issued.push(calibrated);
        }
    }
    issued
}
