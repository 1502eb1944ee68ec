//! [`Plan`] and [`Fold`]: which rows train, validate and test. The only place that splits data.

mod error;
mod parts;

use std::ops::Range;

use candlecast_core::{TimeRange, Timestamp};
use serde::{Deserialize, Serialize};

use crate::dataset::Market;
use crate::learner::DEFAULT_WINDOW;

pub use error::PlanError;
pub use parts::{Parts, split};

/// How far back training data reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind", deny_unknown_fields)]
pub enum TrainWindow {
    /// The newest days only.
    Rolling {
        /// Days.
        days: u32,
    },
    /// Everything before the fit.
    Expanding,
    /// What each model takes where nobody says more ([`crate::Learner::windows`]); 365 days for those that do not say.
    Own,
}

impl TrainWindow {
    /// Days that it reaches back; `None` for everything.
    pub fn days(self) -> Option<u32> {
        match self {
            Self::Rolling { days } => Some(days),
            Self::Own => Some(DEFAULT_WINDOW),
            Self::Expanding => None,
        }
    }
}

/// One fit and the origins it forecasts, as instants: the same fold of every market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Open time of the first candle of the training window.
    pub learn_from: Timestamp,
    /// Nothing before it may be learnt from, whatever window a model takes.
    pub earliest: Timestamp,
    /// When it is fitted: every label used in training is complete by then.
    pub fit_at: Timestamp,
    /// Open times of the origins that this fit forecasts.
    pub test: TimeRange,
    /// What of the window is not learnt from, ascending: the test groups of a cross-validation with what is purged beside
    /// them. Nothing in a forward chain.
    pub apart: Vec<TimeRange>,
    /// The parts of `test` that are forecast, ascending; empty where all of it is.
    pub parts: Vec<TimeRange>,
}

/// A [`Fold`] as rows of one market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoldRows {
    /// First row of the training window.
    pub window_start: usize,
    /// First row that the fit has not seen: every label used in training is complete before it.
    pub fit_row: usize,
    /// Rows whose origins this fit forecasts.
    pub test: Range<usize>,
}

/// All fits of an evaluation, as instants. Folds before `scored` only calibrate intervals and confidence: they are the
/// forward chain of out-of-fold forecasts inside the training range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In time order; test ranges do not overlap, but for those of all fits of a cross-validation.
    pub folds: Vec<Fold>,
    /// Open times of the origins that are scored. Origins after it only calibrate.
    pub scored: TimeRange,
    /// First instant of which nothing is known: no outcome later is ever read.
    pub known_to: Timestamp,
    /// Candles of a segment before its first origin. Origins depend on the market and the plan alone, never on who
    /// forecasts from them: whoever cannot yet says what is known without any model.
    pub warm_up: usize,
    /// What had to be changed from what was asked, for the report.
    pub notes: Vec<String>,
}

/// A [`Plan`] as rows of one market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRows {
    /// In time order; test ranges do not overlap.
    pub folds: Vec<FoldRows>,
    /// Rows whose forecasts are scored where their targets allow it ([`PlanRows::scores`]).
    pub scored: Range<usize>,
    /// First row whose close is not known: no outcome at or after it is ever read.
    pub known_to: usize,
    /// Candles of a segment before its first origin.
    pub warm_up: usize,
}

impl Fold {
    /// Its rows of `market`.
    pub fn rows(&self, market: &Market) -> FoldRows {
        let row = |time| market.series().first_row_from(time);
        FoldRows {
            window_start: row(self.learn_from),
            fit_row: row(self.fit_at),
            test: row(self.test.from)..row(self.test.to),
        }
    }

    /// The fold with these rows of `market`.
    pub fn of_rows(market: &Market, rows: &FoldRows) -> Self {
        let time = |row| time_of(market, row);
        Self {
            learn_from: time(rows.window_start),
            earliest: time(rows.window_start),
            fit_at: end_of(market, rows.fit_row),
            test: TimeRange { from: time(rows.test.start), to: time(rows.test.end) },
            apart: vec![],
            parts: vec![],
        }
    }

    /// Rows of `market` that are not learnt from though they lie in the window, as ascending ranges.
    pub(crate) fn apart_in(&self, market: &Market) -> Vec<Range<usize>> {
        rows_of(&self.apart, market)
    }

    /// True when the origin whose candle opens at `opened`, within `test`, is forecast.
    fn forecasts(&self, opened: Timestamp) -> bool {
        self.parts.is_empty() || self.parts.iter().any(|part| part.contains(opened))
    }
}

/// The rows of `market` whose candles open within each of `ranges`.
pub(crate) fn rows_of(ranges: &[TimeRange], market: &Market) -> Vec<Range<usize>> {
    let row = |time| market.series().first_row_from(time);
    ranges.iter().map(|range| row(range.from)..row(range.to)).collect()
}

/// True for a row within any of `ranges`.
pub(crate) fn is_within(ranges: &[Range<usize>], row: usize) -> bool {
    ranges.iter().any(|range| range.contains(&row))
}

impl Plan {
    /// Its rows of `market`.
    pub fn rows(&self, market: &Market) -> PlanRows {
        let row = |time| market.series().first_row_from(time);
        PlanRows {
            folds: self.folds.iter().map(|fold| fold.rows(market)).collect(),
            scored: row(self.scored.from)..row(self.scored.to),
            known_to: row(self.known_to),
            warm_up: self.warm_up,
        }
    }

    /// Origins of fold `fold` in `market`, whose `rows` these are, and how many were left out of its test range
    /// ([`PlanRows::origins`]).
    pub(crate) fn origins(&self, rows: &PlanRows, fold: usize, market: &Market, horizon: usize) -> (Vec<usize>, usize) {
        let opened = &market.series().columns().open_time;
        let (mut origins, left_out) = rows.origins(fold, market, horizon);
        origins.retain(|&row| self.folds[fold].forecasts(Timestamp(opened[row])));
        (origins, left_out)
    }

    /// The plan with these rows of `market`.
    pub fn of_rows(market: &Market, rows: &PlanRows, notes: Vec<String>) -> Self {
        let (time, end) = (|row| time_of(market, row), |row| end_of(market, row));
        let mut folds: Vec<Fold> = rows.folds.iter().map(|fold| Fold::of_rows(market, fold)).collect();
        // What follows the last fold in another market, within a gap of this one, is nobody's origin.
        if let (Some(last), Some(of_rows)) = (folds.last_mut(), rows.folds.last()) {
            last.test.to = end(of_rows.test.end).max(last.test.from);
        }
        Self {
            folds,
            scored: TimeRange { from: time(rows.scored.start), to: end(rows.scored.end) },
            known_to: end(rows.known_to),
            warm_up: rows.warm_up,
            notes,
        }
    }
}

impl PlanRows {
    /// The plan of scoring a model that was fitted before `fit_row` on candles from `window_start` on: two folds, one
    /// before the scored rows, which only calibrates the intervals of the baselines, and the scored one.
    pub fn rescoring(
        window_start: usize,
        fit_row: usize,
        scored: Range<usize>,
        horizon: usize,
        warm_up: usize,
    ) -> Self {
        let length = fit_row.saturating_sub(window_start).max(1);
        let lead = scored.start.saturating_sub(CALIBRATION_OUTCOMES + horizon);
        let folds = vec![
            FoldRows { window_start: lead.saturating_sub(length), fit_row: lead, test: lead..scored.start },
            FoldRows { window_start, fit_row, test: scored.clone() },
        ];
        Self { folds, known_to: scored.end, scored, warm_up }
    }
}

/// Close of the row before `row`: where what lies before it ends. The next candle may be long after a gap, in which
/// other markets go on.
pub(crate) fn end_of(market: &Market, row: usize) -> Timestamp {
    match row.checked_sub(1) {
        Some(before) if before < market.series().len() => market.series().close_time(before),
        _ => time_of(market, row),
    }
}

/// Open time of `row`; of the row behind the last one, the last close.
fn time_of(market: &Market, row: usize) -> Timestamp {
    let series = market.series();
    match series.columns().open_time.get(row) {
        Some(&time) => Timestamp(time),
        None => series.len().checked_sub(1).map_or(Timestamp(0), |last| series.close_time(last)),
    }
}

impl PlanRows {
    /// Origins of fold `fold` in `market`, and how many of the rows to be scored whose outcomes are known were left out
    /// of the scores.
    ///
    /// Origins with a missing candle ahead are among them, though they are not scored ([`PlanRows::scores`]): that it is
    /// missing is known only later, so a forecast is made there, and its outcomes before the gap are learnt from.
    pub fn origins(&self, fold: usize, market: &Market, horizon: usize) -> (Vec<usize>, usize) {
        let mut left_out = 0;
        let origins = self.folds[fold]
            .test
            .clone()
            .filter(|&row| {
                let complete = row + horizon < self.known_to;
                let to_be_scored = self.scored.contains(&row);
                let usable = self.is_origin(market, row);
                left_out += usize::from(to_be_scored && complete && !(usable && market.has_targets(row, horizon)));
                usable && (complete || !to_be_scored)
            })
            .collect();
        (origins, left_out)
    }

    /// True when the forecast from the origin `row` is scored: all of its targets are known, and real candles.
    pub fn scores(&self, market: &Market, row: usize, horizon: usize) -> bool {
        self.scored.contains(&row) && row + horizon < self.known_to && market.has_targets(row, horizon)
    }

    /// True for a real candle with a known volatility, behind the warm-up of its segment.
    fn is_origin(&self, market: &Market, row: usize) -> bool {
        let series = market.series();
        row - series.segment_of(row).start >= self.warm_up
            && market.volatility()[row].is_finite()
            && !series.filled()[row]
    }
}

/// Candles that a fit should have.
const ADVISED_CANDLES: usize = 1_000;

/// Known outcomes that calibration should begin with, besides the horizon.
pub const CALIBRATION_OUTCOMES: usize = 1_500;

/// How a plan is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanConfig {
    /// Steps ahead.
    pub horizon: usize,
    /// How far back training reaches.
    pub window: TrainWindow,
    /// Days between refits.
    pub retrain_days: u32,
    /// Fewest candles a fit may have.
    pub min_candles: usize,
    /// Candles of a segment before its first origin: what most models need before they can forecast.
    pub warm_up: usize,
}

const DAY_MS: i64 = 86_400_000;

impl PlanConfig {
    fn window_start(&self, market: &Market, fit_time: Timestamp) -> usize {
        match self.window.days() {
            Some(days) => {
                let series = market.series();
                let start = series.first_row_from(fit_time.plus_ms(-i64::from(days) * DAY_MS));
                // After a long gap, or with few days asked for, the newest candles before it fill the window up.
                start.min(series.first_row_from(fit_time).saturating_sub(self.min_candles))
            }
            None => 0,
        }
    }

    /// Remarks on what is little to learn from.
    fn remarks(&self, market: &Market, folds: &[FoldRows]) -> Vec<String> {
        let mut notes = Vec::new();
        let least = folds.iter().map(|fold| fold.fit_row - fold.window_start).min();
        if let Some(least) = least.filter(|&n| self.min_candles < ADVISED_CANDLES && n < ADVISED_CANDLES) {
            notes.push(format!(
                "the smallest fit has {least} candles, which is little to learn from; {ADVISED_CANDLES} are advised"
            ));
        }
        if let Some(days) = self.window.days() {
            let candles = f64::from(days) * market.series().key().interval.per_day();
            if candles < self.min_candles as f64 {
                notes.push(format!(
                    "{days} days are {candles:.0} candles: training windows were widened to the {} candles that a fit needs",
                    self.min_candles
                ));
            }
        }
        notes
    }

    fn fold(&self, market: &Market, fit_time: Timestamp, end: usize) -> FoldRows {
        let fit_row = market.series().first_row_from(fit_time);
        FoldRows { window_start: self.window_start(market, fit_time), fit_row, test: fit_row..end.max(fit_row) }
    }

    /// Walk-forward over origins within `range`: a refit every `retrain_days`, each forecasting until the next;
    /// before the range, as many folds as calibration needs and the data give.
    pub fn walk_forward(&self, market: &Market, range: TimeRange) -> Result<Plan, PlanError> {
        self.walk_forward_within(market, range, TimeRange::ALL)
    }

    /// As [`PlanConfig::walk_forward`], where no fit learns from candles before `train.from`, and none up to the first
    /// one that is scored from candles at or after `train.to`, which must not be later than the first origin. Fits after
    /// that learn up to their own time.
    pub fn walk_forward_within(&self, market: &Market, range: TimeRange, train: TimeRange) -> Result<Plan, PlanError> {
        let series = market.series();
        let (first, end) = checked_rows(market, range, self)?;
        let learn_first = series.first_row_from(train.from);
        let trained_to = self.trained_to(market, first, learn_first, train)?;
        let retrain_ms = i64::from(self.retrain_days.max(1)) * DAY_MS;
        let earliest_fit = (learn_first + self.min_candles).min(series.len().saturating_sub(1));
        let mut notes = Vec::new();
        let mut start = open_time(market, first);
        if trained_to.is_none() && first < earliest_fit {
            start = open_time(market, earliest_fit);
            notes.push(format!(
                "{} candles before the range are fewer than the {} a fit needs: the range's first part became training, scoring begins at {start}",
                first.saturating_sub(learn_first),
                self.min_candles
            ));
        }
        let scored_from = series.first_row_from(start);
        if scored_from >= end || scored_from + self.horizon >= series.len() {
            return Err(too_few(series.len(), self));
        }
        // It forecasts from the end of what it learns from on: what lies before the range calibrates.
        let first_fit = trained_to.unwrap_or(start);
        let wanted = scored_from.saturating_sub(CALIBRATION_OUTCOMES + self.horizon);
        let mut lead: Vec<Timestamp> = (1..)
            .map(|k| first_fit.plus_ms(-k * retrain_ms))
            .take_while(|&t| series.first_row_from(t) >= earliest_fit && t.0 > series.columns().open_time[0])
            .scan(series.first_row_from(first_fit) <= wanted, |done, t| {
                let go_on = !*done;
                *done = series.first_row_from(t) <= wanted;
                go_on.then_some(t)
            })
            .collect();
        lead.reverse();
        let end_time = open_time(market, end - 1).0;
        let refits = (1..).map(|k| start.plus_ms(k * retrain_ms)).take_while(|t| t.0 <= end_time);
        let fits: Vec<Timestamp> = lead.into_iter().chain([first_fit]).chain(refits).collect();
        let known_to = (end + self.horizon).min(series.len());
        let mut folds = self.chain(market, &fits, end);
        for fold in &mut folds {
            fold.window_start = fold.window_start.max(learn_first);
        }
        let notes = [self.remarks(market, &folds), notes].concat();
        Ok(self.reaching_to(market, learn_first, self.plan(market, folds, scored_from..end, known_to, notes)))
    }

    /// Where the first fit's candles end, if `train` bounds them; `first` is the row of the first origin.
    fn trained_to(
        &self,
        market: &Market,
        first: usize,
        learn_first: usize,
        train: TimeRange,
    ) -> Result<Option<Timestamp>, PlanError> {
        if train.is_empty() {
            return Err(PlanError::Contradiction(format!(
                "the training part from {} to {} is empty: trainEnd must come after trainStart",
                train.from, train.to
            )));
        }
        if train.to == TimeRange::ALL.to {
            return Ok(None);
        }
        let start = open_time(market, first);
        if train.to > start {
            return Err(PlanError::Contradiction(format!(
                "the first fit would learn up to trainEnd {}, after the first origin at {start}: choose an earlier trainEnd or a later testStart",
                train.to
            )));
        }
        let have = market.series().first_row_from(train.to).saturating_sub(learn_first);
        if have < self.min_candles {
            return Err(too_few(have, self));
        }
        Ok(Some(train.to))
    }

    /// One fit at the end of `train`, forecasting origins within `test`; calibration by a chain of four fits over
    /// the last part of the training range.
    pub fn simple(&self, market: &Market, train: TimeRange, test: TimeRange) -> Result<Plan, PlanError> {
        let series = market.series();
        if test.from < train.to {
            return Err(PlanError::Contradiction(format!(
                "the test part begins at {}, before the training part ends at {}: choose a later testStart",
                test.from, train.to
            )));
        }
        let (first_train, end_train) = checked_rows(market, train, self)?;
        let (first_test, end_test) = checked_rows(market, test, self)?;
        let available = end_train - first_train;
        if available < self.min_candles {
            return Err(too_few(available, self));
        }
        let chain_rows = (CALIBRATION_OUTCOMES + self.horizon).min(available - self.min_candles).min(available / 2);
        let mut fits: Vec<Timestamp> =
            (0..4).map(|k| open_time(market, end_train - (chain_rows - k * chain_rows / 4).max(1))).collect();
        fits.dedup();
        let mut folds = if chain_rows < 4 { vec![] } else { self.chain(market, &fits, end_train) };
        folds.push(FoldRows { window_start: first_train, fit_row: end_train, test: first_test..end_test });
        for fold in &mut folds {
            // The training part is what was asked for, whatever the rolling window of walk-forwards.
            fold.window_start = first_train;
        }
        let known_to = (end_test + self.horizon).min(series.len());
        let notes = self.remarks(market, &folds);
        Ok(self.plan(market, folds, first_test..end_test, known_to, notes))
    }

    /// The chain behind a saved model: the last 15 % of the data (at most 90 days) are the test part, the
    /// calibration before it; at most eight fits in all.
    pub fn training(&self, market: &Market, range: TimeRange) -> Result<Plan, PlanError> {
        self.training_testing(market, range, None)
    }

    /// As [`PlanConfig::training`], where the last `test_share` of the data (above 0, below 1) are the test part if one is
    /// named, however long that is.
    pub fn training_testing(
        &self,
        market: &Market,
        range: TimeRange,
        test_share: Option<f64>,
    ) -> Result<Plan, PlanError> {
        let series = market.series();
        let (first, end) = checked_rows(market, range, self)?;
        let rows = end - first;
        let ninety_days = (90.0 * series.key().interval.per_day()) as usize;
        // Enough for a test of the difference from naive, which needs twice the horizon and some.
        let least = 4 * self.horizon + 10;
        let asked = test_share.map(|share| (rows as f64 * share).round() as usize);
        let test_rows = asked.unwrap_or((rows * 15 / 100).min(ninety_days)).max(least) + self.horizon;
        // The 70 % of a 70/15/15 split of the least data allowed.
        let least_train = self.min_candles * 7 / 10;
        let need = self.min_candles.max(least_train + test_rows);
        if rows < need {
            let (min_candles, horizon) = (least_train, self.horizon);
            return Err(PlanError::TooFewCandles { have: rows, need, min_candles, horizon });
        }
        let spare = rows - test_rows;
        let calibration = (CALIBRATION_OUTCOMES + self.horizon).min(spare - least_train).min(spare / 2);
        let chain_start = end - test_rows - calibration;
        let chain_rows = end - chain_start;
        let min_step = ((f64::from(self.retrain_days) * series.key().interval.per_day()) as usize).max(1);
        let step = chain_rows.div_ceil(8).max(min_step);
        let fits: Vec<Timestamp> = (chain_start..end).step_by(step).map(|row| open_time(market, row)).collect();
        let mut folds = self.chain(market, &fits, end);
        for fold in &mut folds {
            fold.window_start = fold.window_start.max(first);
        }
        // The last origins have no complete outcome within the range: they calibrate, they are not scored.
        let scored = end - test_rows..end - self.horizon;
        let notes = self.remarks(market, &folds);
        Ok(self.reaching_to(market, first, self.plan(market, folds, scored, end, notes)))
    }

    /// The plan by which a search scores a configuration: the newest half of `range` in `n` stretches of equal length,
    /// each forecast by one fit at its beginning, or with `refits` by one every `retrain_days` within it. No candle
    /// outside of `range` is learnt from and no outcome after it read.
    pub fn stretches(&self, market: &Market, range: TimeRange, n: usize, refits: bool) -> Result<Plan, PlanError> {
        let (first, end) = checked_rows(market, range, self)?;
        let (rows, n) = (end - first, n.max(1));
        // A stretch has outcomes that are known within it, and some that do not overlap.
        let need = 2 * self.min_candles.max(n * (2 * self.horizon + 10));
        if rows < need {
            let (min_candles, horizon) = (self.min_candles, self.horizon);
            return Err(PlanError::TooFewCandles { have: rows, need, min_candles, horizon });
        }
        let scored_from = first + rows / 2;
        let start = |k: usize| scored_from + k * (end - scored_from) / n;
        let retrain_ms = i64::from(self.retrain_days.max(1)) * DAY_MS;
        let fits: Vec<Timestamp> = (0..n)
            .flat_map(|k| {
                let (begins, last) = (open_time(market, start(k)), open_time(market, start(k + 1) - 1));
                let n_fits = if refits { (last.0 - begins.0) / retrain_ms + 1 } else { 1 };
                (0..n_fits).map(move |fit| begins.plus_ms(fit * retrain_ms))
            })
            .collect();
        let mut folds = self.chain(market, &fits, end);
        for fold in &mut folds {
            fold.window_start = fold.window_start.max(first);
        }
        let notes = self.remarks(market, &folds);
        Ok(self.reaching_to(market, first, self.plan(market, folds, scored_from..end, end, notes)))
    }

    /// The fit that is saved: everything up to the end of `range`.
    pub fn final_fold(&self, market: &Market, range: TimeRange) -> Result<Fold, PlanError> {
        let (first, end) = checked_rows(market, range, self)?;
        let fit_time = open_time(market, end - 1).plus_ms(market.series().key().interval.ms());
        let window_start = self.window_start(market, fit_time).max(first);
        let fold = Fold::of_rows(market, &FoldRows { window_start, fit_row: end, test: end..end });
        Ok(self.fold_reaching_to(market, first, fold))
    }

    /// Folds whose models may take windows of their own, as far back as row `first`.
    fn reaching_to(&self, market: &Market, first: usize, plan: Plan) -> Plan {
        let folds = plan.folds.into_iter().map(|fold| self.fold_reaching_to(market, first, fold)).collect();
        Plan { folds, ..plan }
    }

    fn fold_reaching_to(&self, market: &Market, first: usize, fold: Fold) -> Fold {
        let earliest = if self.window == TrainWindow::Own { open_time(market, first) } else { fold.earliest };
        Fold { earliest, ..fold }
    }

    fn plan(
        &self,
        market: &Market,
        folds: Vec<FoldRows>,
        scored: Range<usize>,
        known_to: usize,
        notes: Vec<String>,
    ) -> Plan {
        Plan::of_rows(market, &PlanRows { folds, scored, known_to, warm_up: self.warm_up }, notes)
    }

    fn chain(&self, market: &Market, fits: &[Timestamp], end: usize) -> Vec<FoldRows> {
        let row = |t: &Timestamp| market.series().first_row_from(*t);
        fits.iter()
            .enumerate()
            .map(|(k, &t)| self.fold(market, t, fits.get(k + 1).map_or(end, row).min(end)))
            .filter(|fold| !fold.test.is_empty())
            .collect()
    }
}

pub(crate) fn open_time(market: &Market, row: usize) -> Timestamp {
    Timestamp(market.series().columns().open_time[row])
}

fn too_few(have: usize, config: &PlanConfig) -> PlanError {
    let need = config.min_candles + 2 * config.horizon;
    PlanError::TooFewCandles { have, need, min_candles: config.min_candles, horizon: config.horizon }
}

/// The first row within `range` and the one behind the last; at least one row.
pub(crate) fn checked_rows(
    market: &Market,
    range: TimeRange,
    config: &PlanConfig,
) -> Result<(usize, usize), PlanError> {
    let series = market.series();
    if series.len() < 2 {
        return Err(too_few(series.len(), config));
    }
    if range.is_empty() {
        return Err(PlanError::Contradiction(format!(
            "the range from {} to {} is empty: `to` must come after `from`",
            range.from, range.to
        )));
    }
    let (first, end) = (series.first_row_from(range.from), series.first_row_from(range.to));
    let (data_from, data_to) = (open_time(market, 0), series.close_time(series.len() - 1));
    if first >= end {
        return Err(PlanError::OutsideData { asked: range.to_string(), from: data_from, to: data_to });
    }
    Ok((first, end))
}

#[cfg(test)]
mod tests;
