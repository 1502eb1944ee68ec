//! What an ensemble of models that were fitted before learns from their out-of-fold forecasts.

use candlecast_core::Timestamp;

use super::Combine;
use super::chain::{Chain, ChainFit, MemberTable};
use super::fitted::FittedEnsemble;
use super::learnt::Learnt;
use crate::conformal::{CalibrationState, Calibrator};
use crate::dataset::Market;
use crate::forecaster::{FittedForecaster, learnable_steps};
use crate::walk_forward::Forecasts;

/// Origins that all members of an ensemble have forecast from out of fold.
#[derive(Debug, Clone, Copy)]
pub struct CommonOrigins<'a> {
    /// The market.
    pub market: &'a Market,
    /// Rows of the origins, ascending.
    pub rows: &'a [usize],
    /// Forecasts of each member, one an origin, of the ensemble's task.
    pub members: &'a [Forecasts],
    /// Candles from one fit of the ensemble to the next, at least 1: out-of-fold forecasts of the ensemble are by what was
    /// known at the fit before.
    pub refit: usize,
    /// First row whose close is not to be read.
    pub known_to: usize,
}

impl CommonOrigins<'_> {
    fn fits(&self) -> Vec<ChainFit> {
        let series = self.market.series();
        let mut fits: Vec<ChainFit> = Vec::new();
        for (i, &row) in self.rows.iter().enumerate() {
            let goes_on = fits.last().is_some_and(|fit| row < fit.fit_row + self.refit.max(1));
            if !goes_on {
                let fit_at = Timestamp(series.columns().open_time[row]);
                fits.push(ChainFit { fit_row: row, fit_at, origins: i..i });
            }
            if let Some(fit) = fits.last_mut() {
                fit.origins.end = i + 1;
            }
        }
        fits
    }
}

impl FittedForecaster {
    /// An ensemble of `members` that were fitted before, of one task; those of prices may reach different steps ahead, and
    /// it reaches as many as all of them do. Why there is none, for people.
    pub fn of_members(combine: Combine, members: Vec<Self>) -> Result<Self, String> {
        Ok(Self::Ensemble(FittedEnsemble::of_fitted(combine, members)?))
    }

    /// What this ensemble learns from the out-of-fold forecasts of its members, and what calibration learns from those of
    /// the ensemble that follow from them: the forecast from each origin is by what was known when it was made. `None` of
    /// a pipeline.
    pub fn learn_out_of_fold(&self, origins: &CommonOrigins<'_>) -> Option<(Learnt, CalibrationState)> {
        let Self::Ensemble(ensemble) = self else { return None };
        let CommonOrigins { market, rows, members, known_to, .. } = *origins;
        let (task, level) = (self.task(), self.level());
        let tables: Vec<MemberTable<'_>> =
            members.iter().map(|forecasts| MemberTable { forecasts, stand_ins: &[] }).collect();
        let chain = Chain { mixing: &ensemble.mixing, task, level, market, rows, members: &tables };
        let chained = chain.run(&origins.fits(), known_to);
        let (horizon, last) = (task.horizon(), known_to.saturating_sub(1));
        let per_day = market.series().key().interval.per_day();
        let mut calibrator = Calibrator::new(task, CalibrationState::new(level, &task, per_day));
        for (i, &row) in rows.iter().enumerate() {
            calibrator.advance(row, market.log_close());
            let steps = learnable_steps(market, row, horizon, last);
            calibrator.issue_scoring(market.origin(row), chained.forecasts.row(i), steps);
        }
        calibrator.advance(last, market.log_close());
        Some((chained.learnt, calibrator.state().clone()))
    }

    /// The same ensemble with what it has learnt; why it cannot be, for people.
    pub fn with_learnt(self, learnt: Learnt) -> Result<Self, String> {
        match self {
            Self::Ensemble(ensemble) => Ok(Self::Ensemble(ensemble.with_learnt(Some(learnt))?)),
            Self::Pipeline(_) => Err("a pipeline has no members to weigh".into()),
        }
    }
}
