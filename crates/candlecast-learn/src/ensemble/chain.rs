//! [`Chain`]: forecasts of an ensemble in time order, each from what was known when its fold was fitted.

use std::ops::Range;

use candlecast_core::Timestamp;
use rayon::prelude::*;

use super::Mixing;
use super::evidence::Evidence;
use super::learnt::{FitWeights, Learnt};
use super::mixture::{Mixture, parts};
use crate::conformal::{CalibrationState, Calibrator, ForecastRow, FrozenCalibration};
use crate::dataset::Market;
use crate::forecaster::learnable_steps;
use crate::task::Task;
use crate::walk_forward::Forecasts;

/// Out-of-fold forecasts of one member.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemberTable<'a> {
    /// One an origin.
    pub(crate) forecasts: &'a Forecasts,
    /// Rows of origins from which it could not forecast, ascending: what is said there is not learnt from.
    pub(crate) stand_ins: &'a [usize],
}

impl MemberTable<'_> {
    fn is_own(&self, row: usize) -> bool {
        self.stand_ins.binary_search(&row).is_err()
    }
}

/// One fit of a chain.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ChainFit {
    /// First row that it has not seen.
    pub(crate) fit_row: usize,
    /// When it is made.
    pub(crate) fit_at: Timestamp,
    /// Numbers of the origins that it forecasts from.
    pub(crate) origins: Range<usize>,
}

/// Out-of-fold forecasts of all members from the same origins of one market.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain<'a> {
    /// How they are combined.
    pub(crate) mixing: &'a Mixing,
    /// What is forecast.
    pub(crate) task: Task,
    /// Share of outcomes that intervals are to cover.
    pub(crate) level: f64,
    /// The market.
    pub(crate) market: &'a Market,
    /// Rows of the origins, ascending.
    pub(crate) rows: &'a [usize],
    /// The members.
    pub(crate) members: &'a [MemberTable<'a>],
}

/// What a chain brought.
#[derive(Debug)]
pub(crate) struct Chained {
    /// Forecasts of the ensemble, one an origin.
    pub(crate) forecasts: Forecasts,
    /// Weights by fit.
    pub(crate) fits: Vec<FitWeights>,
    /// What is learnt from all of it.
    pub(crate) learnt: Learnt,
}

impl Chain<'_> {
    /// Goes through `fits`, in time order, whose origins are all there are. Nothing at or after row `known_to` is read.
    pub(crate) fn run(&self, fits: &[ChainFit], known_to: usize) -> Chained {
        let told: Vec<Vec<FrozenCalibration>> =
            self.members.par_iter().map(|member| self.told(member, fits, known_to)).collect();
        let members_at =
            |fit: usize| -> Vec<FrozenCalibration> { told.iter().map(|by_fit| by_fit[fit].clone()).collect() };
        let tables: Vec<&Forecasts> = self.members.iter().map(|member| member.forecasts).collect();
        let mut evidence = Evidence::new(self.task, self.market, self.mixing, self.members.len());
        let mut known = 0;
        let mut forecasts = Forecasts::empty(self.task.width());
        let mut by_fit = Vec::with_capacity(fits.len());
        for (k, fit) in fits.iter().enumerate() {
            known = self.learn(&mut evidence, known, fit.fit_row.min(known_to));
            let (weights, origins) = (evidence.weights(), evidence.origins());
            by_fit.push(FitWeights { fit_at: fit.fit_at, origins, by_state: weights.clone() });
            let learnt = Learnt { weights, origins, members: members_at(k) };
            let mixture = Mixture { mixing: self.mixing, task: self.task, learnt: Some(&learnt) };
            for i in fit.origins.clone() {
                mixture.add(self.market, self.rows[i], &parts(&tables, i), &mut forecasts);
            }
        }
        self.learn(&mut evidence, known, known_to);
        let (weights, origins) = (evidence.weights(), evidence.origins());
        let learnt = Learnt { weights, origins, members: members_at(fits.len()) };
        Chained { forecasts, fits: by_fit, learnt }
    }

    /// Adds to `evidence` the origins from number `from` on all of whose outcomes are known before row `end`; the number of
    /// the first one that is not added.
    fn learn(&self, evidence: &mut Evidence<'_>, from: usize, end: usize) -> usize {
        if !self.mixing.combine.is_learnt() {
            return from;
        }
        let tables: Vec<&Forecasts> = self.members.iter().map(|member| member.forecasts).collect();
        let horizon = self.task.horizon();
        let mut next = from;
        while let Some(&row) = self.rows.get(next).filter(|&&row| row + horizon < end) {
            if self.members.iter().all(|member| member.is_own(row)) && self.market.has_targets(row, horizon) {
                evidence.add(row, &parts(&tables, next));
            }
            next += 1;
        }
        next
    }

    /// What the calibration of `member` told at each of `fits`, and at the end.
    fn told(&self, member: &MemberTable<'_>, fits: &[ChainFit], known_to: usize) -> Vec<FrozenCalibration> {
        let (market, horizon, last) = (self.market, self.task.horizon(), known_to.saturating_sub(1));
        let per_day = market.series().key().interval.per_day();
        let mut calibrator = Calibrator::new(self.task, CalibrationState::new(self.level, &self.task, per_day));
        let mut told = Vec::with_capacity(fits.len() + 1);
        for fit in fits {
            calibrator.advance(fit.fit_row.saturating_sub(1).min(last), market.log_close());
            told.push(calibrator.frozen());
            for i in fit.origins.clone() {
                let row = self.rows[i];
                calibrator.advance(row, market.log_close());
                let steps = if member.is_own(row) { learnable_steps(market, row, horizon, last) } else { 0 };
                let forecast = ForecastRow { confidences: &[], ..member.forecasts.row(i) };
                calibrator.issue_scoring(market.origin(row), forecast, steps);
            }
        }
        calibrator.advance(last, market.log_close());
        told.push(calibrator.frozen());
        told
    }
}
