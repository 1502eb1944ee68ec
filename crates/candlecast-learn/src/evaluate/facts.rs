//! [`Facts`]: what scoring needs of the market and the plan, computed once for all models.

use std::ops::Range;
use std::sync::OnceLock;

use candlecast_core::Timestamp;
use rayon::prelude::*;

use crate::dataset::Market;
use crate::significance::Serial;
use crate::split::{Fold, Plan, PlanRows, is_within};

/// What scoring needs of the market and the plan.
#[derive(Debug)]
pub struct Facts<'a> {
    market: &'a Market,
    plan: PlanRows,
    /// Rows of each fold's window that are not learnt from, `[fold]`.
    apart: Vec<Vec<Range<usize>>>,
    serial: Serial,
    confidence_threshold: Option<f64>,
    training: OnceLock<TrainingFacts>,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(market: &'a Market, plan: &Plan, serial: Serial, confidence_threshold: Option<f64>) -> Self {
        let apart = |fold: &Fold| fold.apart_in(market);
        Self {
            market,
            plan: plan.rows(market),
            apart: plan.folds.iter().map(apart).collect(),
            serial,
            confidence_threshold,
            training: OnceLock::new(),
        }
    }

    /// The market.
    pub fn market(&self) -> &'a Market {
        self.market
    }

    /// The plan as rows of the market.
    pub fn plan(&self) -> &PlanRows {
        &self.plan
    }

    /// How outcomes of neighbouring origins depend on each other.
    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// The confidence that forecasts are selected by; `None` for that of the surest tenth of each model.
    pub fn confidence_threshold(&self) -> Option<f64> {
        self.confidence_threshold
    }

    /// Open of the candle in `row`.
    pub fn opened(&self, row: usize) -> Timestamp {
        Timestamp(self.market.series().columns().open_time[row])
    }

    /// Length of a candle, ms.
    pub fn candle_ms(&self) -> i64 {
        self.market.series().key().interval.ms()
    }

    /// What each fold's training part says without any model; looked at once.
    pub(crate) fn training(&self) -> &TrainingFacts {
        self.training.get_or_init(|| TrainingFacts::of(self.market, &self.plan, &self.apart, self.serial.horizon))
    }
}

/// What each fold's training part says without any model.
#[derive(Debug)]
pub(crate) struct TrainingFacts {
    /// First test row of each fold.
    starts: Vec<usize>,
    /// `[fold][step]`: true where more training returns were positive than negative; `None` where as many were.
    pub(crate) majority_up: Vec<Vec<Option<bool>>>,
    /// `[fold][step]`: mean absolute price change, the naive forecast's error.
    pub(crate) naive_mae: Vec<Vec<f64>>,
}

impl TrainingFacts {
    fn of(market: &Market, plan: &PlanRows, apart: &[Vec<Range<usize>>], horizon: usize) -> Self {
        let close = &market.series().columns().close;
        let facts: Vec<(Vec<Option<bool>>, Vec<f64>)> = plan
            .folds
            .par_iter()
            .zip(apart)
            .map(|(fold, apart)| {
                (1..=horizon)
                    .map(|h| {
                        let end = fold.fit_row.saturating_sub(h).max(fold.window_start);
                        let (mut up, mut abs, mut n) = (0i64, 0.0, 0.0_f64);
                        for row in fold.window_start..end {
                            if !is_within(apart, row) && market.has_targets(row, h) {
                                let change = close[row + h] - close[row];
                                up += i64::from(change > 0.0) - i64::from(change < 0.0);
                                abs += change.abs();
                                n += 1.0;
                            }
                        }
                        ((up != 0).then_some(up > 0), if n > 0.0 { abs / n } else { f64::NAN })
                    })
                    .unzip()
            })
            .collect();
        let (majority_up, naive_mae) = facts.into_iter().unzip();
        Self { starts: plan.folds.iter().map(|f| f.test.start).collect(), majority_up, naive_mae }
    }

    pub(crate) fn fold_of(&self, row: usize) -> usize {
        self.starts.partition_point(|&s| s <= row).saturating_sub(1)
    }
}
