//! [`Plan`] and [`Fold`]: which rows train, validate and test. The only place that splits data.

use std::ops::Range;

use candlecast_core::{TimeRange, Timestamp};
use serde::{Deserialize, Serialize};

use crate::dataset::{Market, Panel, SampleId};

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
}

/// One fit and the origins it forecasts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// First row of the training window.
    pub window_start: usize,
    /// First row that the fit has not seen: every label used in training is complete before it.
    pub fit_row: usize,
    /// Rows whose origins this fit forecasts.
    pub test: Range<usize>,
}

/// All fits of an evaluation. Folds before `scored_from` only calibrate intervals and confidence: they are the
/// forward chain of out-of-fold forecasts inside the training range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// In time order; test ranges do not overlap.
    pub folds: Vec<Fold>,
    /// Rows whose forecasts are scored. Origins after it only calibrate.
    pub scored: Range<usize>,
    /// First row whose close is not known: no outcome at or after it is ever read.
    pub known_to: usize,
    /// What had to be changed from what was asked, for the report.
    pub notes: Vec<String>,
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
}

/// Why no plan can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Too little data.
    #[error(
        "{have} candles are too few: {need} are needed ({min_candles} to train on, the rest to forecast {horizon} steps and score them); import more, for example a longer file, or use a finer interval"
    )]
    TooFewCandles {
        /// There are.
        have: usize,
        /// Needed.
        need: usize,
        /// To train on.
        min_candles: usize,
        /// Steps ahead.
        horizon: usize,
    },
    /// The range asked for lies outside the data.
    #[error("{asked} has no candles: the data reach from {from} to {to}")]
    OutsideData {
        /// As asked.
        asked: String,
        /// First candle.
        from: Timestamp,
        /// End of the last candle.
        to: Timestamp,
    },
    /// Ranges that contradict each other.
    #[error("{0}")]
    Contradiction(String),
}

const DAY_MS: i64 = 86_400_000;

impl PlanConfig {
    fn window_start(&self, market: &Market, fit_time: Timestamp) -> usize {
        match self.window {
            TrainWindow::Rolling { days } => {
                let series = market.series();
                let start = series.first_row_from(fit_time.plus_ms(-i64::from(days) * DAY_MS));
                // After a long gap, or with few days asked for, the newest candles before it fill the window up.
                start.min(series.first_row_from(fit_time).saturating_sub(self.min_candles))
            }
            TrainWindow::Expanding => 0,
        }
    }

    /// Remarks on what is little to learn from.
    fn remarks(&self, market: &Market, folds: &[Fold]) -> Vec<String> {
        let mut notes = Vec::new();
        let least = folds.iter().map(|fold| fold.fit_row - fold.window_start).min();
        if let Some(least) = least.filter(|&n| self.min_candles < ADVISED_CANDLES && n < ADVISED_CANDLES) {
            notes.push(format!(
                "the smallest fit has {least} candles, which is little to learn from; {ADVISED_CANDLES} are advised"
            ));
        }
        if let TrainWindow::Rolling { days } = self.window {
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

    fn fold(&self, market: &Market, fit_time: Timestamp, end: usize) -> Fold {
        let fit_row = market.series().first_row_from(fit_time);
        Fold { window_start: self.window_start(market, fit_time), fit_row, test: fit_row..end.max(fit_row) }
    }

    /// Walk-forward over origins within `range`: a refit every `retrain_days`, each forecasting until the next;
    /// before the range, as many folds as calibration needs and the data give.
    pub fn walk_forward(&self, market: &Market, range: TimeRange) -> Result<Plan, PlanError> {
        let series = market.series();
        let (first, end) = checked_rows(market, range, self)?;
        let retrain_ms = i64::from(self.retrain_days.max(1)) * DAY_MS;
        let earliest_fit = self.min_candles.min(series.len().saturating_sub(1));
        let mut notes = Vec::new();
        let mut start = open_time(market, first);
        if first < earliest_fit {
            start = open_time(market, earliest_fit);
            notes.push(format!(
                "{first} candles before the range are fewer than the {} a fit needs: the range's first part became training, scoring begins at {start}",
                self.min_candles
            ));
        }
        let scored_from = series.first_row_from(start);
        if scored_from >= end || scored_from + self.horizon >= series.len() {
            return Err(too_few(series.len(), self));
        }
        let wanted = scored_from.saturating_sub(CALIBRATION_OUTCOMES + self.horizon);
        let mut lead: Vec<Timestamp> = (1..)
            .map(|k| start.plus_ms(-k * retrain_ms))
            .take_while(|&t| series.first_row_from(t) >= earliest_fit && t.0 > series.columns().open_time[0])
            .scan(false, |done, t| {
                let go_on = !*done;
                *done = series.first_row_from(t) <= wanted;
                go_on.then_some(t)
            })
            .collect();
        lead.reverse();
        let end_time = open_time(market, end - 1).0;
        let fits: Vec<Timestamp> = lead
            .into_iter()
            .chain((0..).map(|k| start.plus_ms(k * retrain_ms)).take_while(|t| t.0 <= end_time))
            .collect();
        let known_to = (end + self.horizon).min(series.len());
        let folds = self.chain(market, &fits, end);
        let notes = [self.remarks(market, &folds), notes].concat();
        Ok(Plan { folds, scored: scored_from..end, known_to, notes })
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
        folds.push(Fold { window_start: first_train, fit_row: end_train, test: first_test..end_test });
        for fold in &mut folds {
            // The training part is what was asked for, whatever the rolling window of walk-forwards.
            fold.window_start = first_train;
        }
        let known_to = (end_test + self.horizon).min(series.len());
        let notes = self.remarks(market, &folds);
        Ok(Plan { folds, scored: first_test..end_test, known_to, notes })
    }

    /// The chain behind a saved model: the last 15 % of the data (at most 90 days) are the test part, the
    /// calibration before it; at most eight fits in all.
    pub fn training(&self, market: &Market, range: TimeRange) -> Result<Plan, PlanError> {
        let series = market.series();
        let (first, end) = checked_rows(market, range, self)?;
        let rows = end - first;
        let ninety_days = (90.0 * series.key().interval.per_day()) as usize;
        // Enough for a test of the difference from naive, which needs twice the horizon and some.
        let least = 4 * self.horizon + 10;
        let test_rows = (rows * 15 / 100).min(ninety_days).max(least) + self.horizon;
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
        Ok(Plan { folds, scored, known_to: end, notes })
    }

    /// The fit that is saved: everything up to the end of `range`.
    pub fn final_fold(&self, market: &Market, range: TimeRange) -> Result<Fold, PlanError> {
        let (first, end) = checked_rows(market, range, self)?;
        let fit_time = open_time(market, end - 1).plus_ms(market.series().key().interval.ms());
        let window_start = self.window_start(market, fit_time).max(first);
        Ok(Fold { window_start, fit_row: end, test: end..end })
    }

    fn chain(&self, market: &Market, fits: &[Timestamp], end: usize) -> Vec<Fold> {
        let row = |t: &Timestamp| market.series().first_row_from(*t);
        fits.iter()
            .enumerate()
            .map(|(k, &t)| self.fold(market, t, fits.get(k + 1).map_or(end, row).min(end)))
            .filter(|fold| !fold.test.is_empty())
            .collect()
    }
}

fn open_time(market: &Market, row: usize) -> Timestamp {
    Timestamp(market.series().columns().open_time[row])
}

fn too_few(have: usize, config: &PlanConfig) -> PlanError {
    let need = config.min_candles + 2 * config.horizon;
    PlanError::TooFewCandles { have, need, min_candles: config.min_candles, horizon: config.horizon }
}

fn checked_rows(market: &Market, range: TimeRange, config: &PlanConfig) -> Result<(usize, usize), PlanError> {
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

/// The rows of a fold as samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// Origins to learn from.
    pub train: Vec<SampleId>,
    /// Later origins for early stopping and selection.
    pub valid: Vec<SampleId>,
}

/// Splits the window of `fold`: the last `valid_share` of its origins validate. Every label is complete before
/// the fit; between training and validation lie a purge of one horizon (no training label reaches into the
/// validation part) and an embargo of another.
pub fn split(fold: &Fold, panel: &Panel, lookback: usize, horizon: usize, valid_share: f64) -> Parts {
    let market = panel.market();
    let rows: Vec<SampleId> = (fold.window_start..(fold.fit_row).saturating_sub(horizon))
        .filter(|&row| panel.is_origin(row, lookback) && market.has_targets(row, horizon))
        .map(|row| SampleId { panel: 0, row: row as u32 })
        .collect();
    let n_valid = (rows.len() as f64 * valid_share).round() as usize;
    let Some(first_valid) = rows.get(rows.len() - n_valid).filter(|_| n_valid > 0).copied() else {
        return Parts { train: rows, valid: vec![] };
    };
    let train_end = (first_valid.row as usize).saturating_sub(2 * horizon);
    let n_train = rows.partition_point(|id| (id.row as usize) < train_end);
    Parts { train: rows[..n_train].to_vec(), valid: rows[rows.len() - n_valid..].to_vec() }
}

/// Origins of `fold` that every panel can forecast from and whose targets are real candles as far as they are known,
/// and how many rows of the scored range were left out because a candle there or ahead was filled or missing, or a
/// feature undefined. Rows whose outcomes lie beyond the data are the future, not left out.
pub fn fold_origins(fold: &Fold, plan: &Plan, panels: &[(&Panel, usize)], horizon: usize) -> (Vec<usize>, usize) {
    let mut left_out = 0;
    let origins = fold
        .test
        .clone()
        .filter(|&row| {
            let complete = row + horizon < plan.known_to;
            let reach = if complete { horizon } else { plan.known_to.saturating_sub(row + 1) };
            let usable = panels
                .iter()
                .all(|(panel, lookback)| panel.is_origin(row, *lookback) && panel.market().has_targets(row, reach));
            let scored = plan.scored.contains(&row);
            left_out += usize::from(scored && complete && !usable);
            usable && (complete || !scored)
        })
        .collect();
    (origins, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::market::{MarketConfig, generate};
    use candlecast_core::{FeatureTable, FilledSeries};
    use std::sync::Arc;

    fn market(n: usize) -> Arc<Market> {
        let g = generate(&MarketConfig { n_candles: n, ..MarketConfig::default() });
        Arc::new(Market::new(FilledSeries::new(&g[0].series, 3)))
    }

    fn config() -> PlanConfig {
        PlanConfig { horizon: 24, window: TrainWindow::Rolling { days: 100 }, retrain_days: 7, min_candles: 1_000 }
    }

    #[test]
    fn walk_forward_covers_the_range_once_and_trains_only_before_it() {
        let m = market(8_000);
        let range = TimeRange {
            from: Timestamp(m.series().columns().open_time[5_000]),
            to: Timestamp(m.series().columns().open_time[7_000]),
        };
        let plan = config().walk_forward(&m, range).unwrap();
        assert_eq!(plan.scored, 5_000..7_000);
        let mut next = plan.folds[0].test.start;
        assert!(plan.folds[0].test.start <= 5_000 - 1_524 && plan.folds[0].fit_row >= 1_000);
        for fold in &plan.folds {
            assert_eq!(fold.test.start, next);
            assert_eq!(fold.fit_row, fold.test.start);
            assert_eq!(fold.fit_row - fold.window_start, 2_400.min(fold.fit_row));
            next = fold.test.end;
        }
        assert_eq!(next, 7_000);
        assert!(plan.folds.iter().any(|f| f.fit_row == 5_000), "a refit falls on the range's start");
    }

    #[test]
    fn short_history_makes_the_first_part_training_and_says_so() {
        let m = market(3_000);
        let plan = config().walk_forward(&m, TimeRange::ALL).unwrap();
        assert_eq!(plan.scored.start, 1_000);
        assert_eq!(plan.notes.len(), 1);
        assert!(config().walk_forward(&market(900), TimeRange::ALL).is_err());
    }

    #[test]
    fn parts_are_purged_and_labels_complete_before_the_fit() {
        let m = market(4_000);
        let panel = Panel::new(Arc::clone(&m), &FeatureTable::default());
        let fold = Fold { window_start: 500, fit_row: 3_000, test: 3_000..3_168 };
        let parts = split(&fold, &panel, 1, 24, 0.15);
        let last_train = parts.train.last().unwrap().row as usize;
        let (first_valid, last_valid) = (parts.valid[0].row as usize, parts.valid.last().unwrap().row as usize);
        assert!(last_train + 24 < first_valid, "labels of the training part end before validation begins");
        assert_eq!(first_valid - last_train, 2 * 24 + 1);
        assert!(last_valid + 24 < 3_000, "labels are complete before the fit");
        let share = parts.valid.len() as f64 / (parts.valid.len() + parts.train.len()) as f64;
        assert!((share - 0.15).abs() < 0.01);
    }

    #[test]
    fn little_to_learn_from_is_remarked_only_where_a_fit_is_small() {
        let lowered = PlanConfig { min_candles: 200, window: TrainWindow::Expanding, ..config() };
        let notes = |n| lowered.training(&market(n), TimeRange::ALL).unwrap().notes;
        assert_eq!(notes(9_600), Vec::<String>::new());
        let few = notes(800);
        assert!(few.len() == 1 && few[0].contains("little to learn from"), "{few:?}");
    }

    #[test]
    fn training_plans_keep_the_minimum_before_the_first_fit() {
        for n in [1_000, 1_200, 1_500, 3_000, 12_000] {
            let m = market(n);
            let plan = config().training(&m, TimeRange::ALL).unwrap();
            assert!(plan.folds[0].fit_row >= 700.max(n / 3), "{n}: {:?}", plan.folds[0]);
            assert!(plan.folds.len() <= 9 && plan.folds.last().unwrap().test.end == n);
            assert!(plan.scored.len() >= 4 * 24 + 10 && plan.scored.end + 24 == plan.known_to && plan.known_to == n);
        }
    }

    #[test]
    fn a_simple_backtest_trains_on_all_that_was_asked_for() {
        let m = market(6_000);
        let time = |row: usize| Timestamp(m.series().columns().open_time[row]);
        let train = TimeRange { from: time(100), to: time(5_000) };
        let plan = config().simple(&m, train, TimeRange { from: time(5_000), to: time(5_500) }).unwrap();
        let last = plan.folds.last().unwrap();
        assert_eq!((last.window_start, last.fit_row, last.test.clone()), (100, 5_000, 5_000..5_500));
        assert!(plan.folds.iter().all(|f| f.window_start == 100 && f.fit_row - 100 >= 1_000));
        assert!(
            plan.folds[..plan.folds.len() - 1].iter().all(|f| f.test.end <= 5_000),
            "the chain stays inside training"
        );
        let early = TimeRange { from: time(4_000), to: time(5_500) };
        assert!(matches!(config().simple(&m, train, early), Err(PlanError::Contradiction(_))));
    }

    #[test]
    fn short_windows_are_widened_and_said_so() {
        let m = market(4_000);
        let few = PlanConfig { window: TrainWindow::Rolling { days: 8 }, ..config() };
        let plan = few.walk_forward(
            &m,
            TimeRange { from: Timestamp(m.series().columns().open_time[3_500]), to: TimeRange::ALL.to },
        );
        let plan = plan.unwrap();
        assert!(plan.folds.iter().all(|f| f.fit_row - f.window_start >= 1_000));
        assert_eq!(plan.notes.len(), 1);
    }

    #[test]
    fn ranges_outside_the_data_are_named() {
        let m = market(2_000);
        let range = TimeRange { from: Timestamp::year_start(2030), to: Timestamp::year_start(2031) };
        assert!(matches!(config().walk_forward(&m, range), Err(PlanError::OutsideData { .. })));
        let empty = TimeRange { from: Timestamp::year_start(2031), to: Timestamp::year_start(2030) };
        assert!(matches!(config().walk_forward(&m, empty), Err(PlanError::Contradiction(_))));
    }
}
