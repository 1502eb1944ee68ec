//! [`CrossForecasts`]: the forecasts of all splits, put together to paths and scored.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use candlecast_core::Seed;
use rayon::prelude::*;

use super::{Calibrating, CrossValidation};
use crate::conformal::{Calibrated, CalibrationState, Calibrator};
use crate::dataset::Market;
use crate::evaluate::{ModelForecasts, Question, Report, evaluate};
use crate::forecaster::{Forecaster, learnable_steps};
use crate::significance::VerdictCode;
use crate::split::{Plan, is_within, rows_of};
use crate::task::Task;
use crate::walk_forward::{self, ForecastTable, Forecasts, Hooks, WalkForwardError};

/// What stands in the place of a verdict.
const NO_VERDICT: &str = "not judged: its fits have seen later candles";

/// Forecasts of every forecaster by every fit of a cross-validation, in the first market.
#[derive(Debug)]
pub struct CrossForecasts<'a> {
    cross: &'a CrossValidation,
    market: Arc<Market>,
    task: Task,
    level: f64,
    /// Where the forecasts of a fit for a group lie in every table, by fit and group; none of a group without origins.
    blocks: BTreeMap<(usize, usize), Range<usize>>,
    models: Vec<Model>,
}

/// One forecaster's forecasts.
#[derive(Debug)]
struct Model {
    /// The rows of one fit after the other.
    forecasts: ModelForecasts,
    /// Rows from which it cannot forecast, whichever fit is asked: for want of candles before them or of features.
    stand_ins: BTreeSet<usize>,
}

/// One path: a forecast from every origin of the period, by the split that tests its group on this path.
#[derive(Debug)]
pub struct CrossPath {
    models: Vec<ModelForecasts>,
    /// Candles that are no origins.
    pub left_out: usize,
    /// Known outcomes that the calibration of the group with the fewest has learnt from.
    calibration_outcomes: usize,
}

impl CrossValidation {
    /// Fits every one of `forecasters`, at least one, on every split, in parallel and each fit on one thread, and forecasts
    /// from every origin that a fit was kept from.
    pub fn run(
        &self,
        forecasters: &[Forecaster],
        seed: Seed,
        hooks: &dyn Hooks,
    ) -> Result<CrossForecasts<'_>, WalkForwardError> {
        let models = walk_forward::run(forecasters, &self.plan, seed, hooks)?;
        let market = Arc::clone(forecasters[0].market(0));
        let (task, level) = (forecasters[0].task(), forecasters[0].level());
        let model = |forecasts: ModelForecasts| Model {
            stand_ins: forecasts.table.stand_ins.iter().copied().collect(),
            forecasts,
        };
        Ok(CrossForecasts {
            cross: self,
            blocks: self.blocks(&market, task.horizon()),
            models: models.into_iter().map(model).collect(),
            market,
            task,
            level,
        })
    }

    /// Places in the tables of a run, by fit and group.
    fn blocks(&self, market: &Market, horizon: usize) -> BTreeMap<(usize, usize), Range<usize>> {
        let (rows, groups) = (self.plan.rows(market), rows_of(&self.groups, market));
        let mut blocks = BTreeMap::new();
        let mut at = 0;
        for fit in 0..self.plan.folds.len() {
            let (origins, _) = self.plan.origins(&rows, fit, market, horizon);
            for (group, of_group) in groups.iter().enumerate() {
                let n = origins.iter().filter(|row| of_group.contains(row)).count();
                if n > 0 {
                    blocks.insert((fit, group), at..at + n);
                    at += n;
                }
            }
        }
        blocks
    }
}

impl CrossForecasts<'_> {
    /// Path `path` and its plan.
    pub fn path(&self, path: usize) -> (Plan, CrossPath) {
        let plan = self.cross.path(path);
        let (rows, horizon) = (plan.rows(&self.market), self.task.horizon());
        let left_out: usize = (0..plan.folds.len()).map(|fold| rows.origins(fold, &self.market, horizon).1).sum();
        let of_models: Vec<(ModelForecasts, usize)> = self
            .models
            .par_iter()
            .map(|model| {
                let (mut forecasts, outcomes) = self.of_path(model, path);
                let table = &mut forecasts.table;
                table.left_out = left_out;
                table.stand_ins = table.rows.iter().copied().filter(|row| model.stand_ins.contains(row)).collect();
                let scored = |row: &&usize| rows.scores(&self.market, **row, horizon);
                table.abstained = table.stand_ins.iter().filter(scored).count();
                (forecasts, outcomes)
            })
            .collect();
        let calibration_outcomes = of_models.iter().map(|(_, outcomes)| *outcomes).min().unwrap_or(0);
        let models = of_models.into_iter().map(|(forecasts, _)| forecasts).collect();
        (plan, CrossPath { models, left_out, calibration_outcomes })
    }

    /// The forecasts of `model` on a path with what calibration makes of them, and the outcomes behind the least of it.
    fn of_path(&self, model: &Model, path: usize) -> (ModelForecasts, usize) {
        let all = &model.forecasts.table;
        let mut table = ForecastTable {
            forecasts: Forecasts::empty(self.task.width()),
            fit_seconds: all.fit_seconds,
            fits: all.fits.clone(),
            ..ForecastTable::default()
        };
        let (mut issued, mut outcomes) = (Vec::new(), usize::MAX);
        for (group, splits) in self.cross.by_group.iter().enumerate() {
            let split = splits[path];
            let Some(block) = self.blocks.get(&(split, group)) else { continue };
            let state = self.learnt(model, split, group);
            outcomes = outcomes.min(state.outcomes());
            table.rows.extend_from_slice(&all.rows[block.clone()]);
            table.forecasts.extend(&all.forecasts.slice(block.clone()));
            issued.extend(self.issued(model, block.clone(), state));
        }
        let ModelForecasts { name, baseline, .. } = &model.forecasts;
        let forecasts = ModelForecasts { name: name.clone(), baseline: *baseline, table, issued: Some(issued) };
        (forecasts, if outcomes == usize::MAX { 0 } else { outcomes })
    }

    /// What calibration learns for test group `group` of split `split`: from the outcomes of training groups that the split
    /// learns from, too, forecast by fits that have seen neither them nor the split's test groups.
    fn learnt(&self, model: &Model, split: usize, group: usize) -> CalibrationState {
        let (market, horizon, table) = (self.market.as_ref(), self.task.horizon(), &model.forecasts.table);
        let per_day = market.series().key().interval.per_day();
        let mut calibrator = Calibrator::new(self.task, CalibrationState::new(self.level, &self.task, per_day));
        for origins in self.origins_to_learn_from(table, split, group) {
            let Some(&last) = origins.last() else { continue };
            let newest = table.rows[last] + horizon;
            for i in origins {
                let row = table.rows[i];
                calibrator.advance(row, market.log_close());
                // What is said in place of a forecast teaches nothing about forecasts.
                let is_own = !model.stand_ins.contains(&row);
                let steps = if is_own { learnable_steps(market, row, horizon, newest) } else { 0 };
                calibrator.issue_scoring(market.origin(row), table.row(i), steps);
            }
            // Nothing stays open: the next group may lie before this one.
            calibrator.advance(newest, market.log_close());
        }
        calibrator.state().clone()
    }

    /// Places in `table` of the origins that calibrate test group `group` of split `split`, training group by training
    /// group: those from which the split learns. Their outcomes do not reach into those of a test group.
    fn origins_to_learn_from(&self, table: &ForecastTable, split: usize, group: usize) -> Vec<Vec<usize>> {
        let (market, horizon) = (self.market.as_ref(), self.task.horizon());
        let fold = &self.cross.plan.folds[split];
        let (apart, fit_row) = (fold.apart_in(market), fold.rows(market).fit_row);
        let place = self.cross.splits[split].iter().position(|&tested| tested == group).unwrap_or(0);
        let of = |&Calibrating { fit, group }: &Calibrating| -> Vec<usize> {
            let block = self.blocks.get(&(fit, group)).cloned().unwrap_or(0..0);
            let trains = |row: usize| row + horizon < fit_row && !is_within(&apart, row);
            block.filter(|&i| trains(table.rows[i])).collect()
        };
        self.cross.calibrating[split][place].iter().map(of).collect()
    }

    /// Intervals and confidences of the forecasts `block` of `model` by what was learnt, which stays as it is.
    fn issued(&self, model: &Model, block: Range<usize>, learnt: CalibrationState) -> Vec<Vec<Calibrated>> {
        let (market, table) = (self.market.as_ref(), &model.forecasts.table);
        let mut calibrator = Calibrator::new(self.task, learnt);
        block.map(|i| calibrator.issue_scoring(market.origin(table.rows[i]), table.row(i), 0)).collect()
    }
}

impl CrossPath {
    /// Scores of every model on this path, whose plan `question` has. There are neither p-values nor verdicts: fits that
    /// have seen later candles say nothing of what would have been known at the time.
    pub fn report(self, question: &Question<'_>) -> Report {
        let mut report = evaluate(question, self.models);
        report.calibration_outcomes = self.calibration_outcomes;
        take_verdicts(&mut report);
        report
    }
}

fn take_verdicts(report: &mut Report) {
    for model in &mut report.models {
        let vs = &mut model.vs_reference;
        (vs.test, vs.corrected, vs.signal) = (None, None, None);
        if vs.code != VerdictCode::Reference {
            vs.code = VerdictCode::None;
            vs.verdict = NO_VERDICT.into();
        }
        if let Some(direction) = &mut model.direction {
            direction.test = None;
        }
        for step in &mut model.per_horizon {
            step.p_value = None;
            if step.verdict != VerdictCode::Reference {
                step.verdict = VerdictCode::None;
            }
        }
    }
}
