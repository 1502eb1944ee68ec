//! The tables of ensembles, from those of the pipelines that they are made of.

use std::collections::BTreeSet;

use super::{Bound, ForecastTable, Forecasts, Outcome, WalkForwardError};
use crate::ensemble::{Chain, ChainFit, EnsembleFits, MemberTable, Mixing, Mixture};
use crate::forecaster::Forecaster;
use crate::residuals::Residuals;
use crate::split::Plan;

/// A pipeline with what its fits brought.
pub(super) struct Leaf<'a> {
    pub(super) bound: &'a Bound<'a>,
    pub(super) outcome: &'a Outcome,
    /// `[fit][market]`; none of a market where no mean of logarithms asks for them.
    pub(super) residuals: &'a [Vec<Residuals>],
}

impl<'a> Leaf<'a> {
    /// That of the pipeline `forecaster`.
    fn of<'l>(forecaster: &Forecaster, leaves: &'l [Leaf<'a>]) -> &'l Self {
        let own = leaves.iter().find(|leaf| leaf.bound.forecaster.is_same_fit(forecaster));
        own.expect("every pipeline is among the leaves")
    }
}

/// The tables of a forecaster from those of the pipelines that it is made of.
pub(super) fn assembled(forecaster: &Forecaster, leaves: &[Leaf<'_>], plan: &Plan) -> Outcome {
    let Some(mixing) = forecaster.mixing() else {
        return Leaf::of(forecaster, leaves).outcome.clone();
    };
    let members =
        forecaster.members().iter().map(|member| assembled(member, leaves, plan)).collect::<Result<Vec<_>, _>>()?;
    // Origins are those of the plan, whoever forecasts from them.
    let bound = Leaf::of(forecaster.leaves()[0], leaves).bound;
    let table = |m: usize| {
        let tables: Vec<&ForecastTable> = members.iter().map(|tables| &tables[m]).collect();
        of_market(forecaster, mixing, bound, plan, (m, tables.as_slice()))
    };
    let mut tables: Vec<ForecastTable> = (0..forecaster.n_forecast()).map(table).collect();
    if forecaster.is_mean_of_logarithms() {
        smear(forecaster, leaves, plan, &mut tables)?;
    }
    Ok(tables)
}

/// The table of an ensemble in market `m` from those of its members there.
fn of_market(
    forecaster: &Forecaster,
    mixing: &Mixing,
    bound: &Bound<'_>,
    plan: &Plan,
    (m, tables): (usize, &[&ForecastTable]),
) -> ForecastTable {
    let stand_ins: BTreeSet<usize> = tables.iter().flat_map(|table| table.stand_ins.iter().copied()).collect();
    let stand_ins: Vec<usize> = stand_ins.into_iter().collect();
    let (market, task, rows) = (forecaster.market(m), forecaster.task(), &tables[0].rows);
    let plan_rows = &bound.plans[m];
    let (forecasts, ensemble) = if plan.folds.iter().all(|fold| fold.apart.is_empty()) {
        let (forecasts, ensemble) = in_time_order(forecaster, mixing, bound, plan, (m, tables));
        (forecasts, Some(ensemble))
    } else {
        // The fits of a cross-validation stand in no order of time: what one of them has forecast another has learnt from.
        let members: Vec<&Forecasts> = tables.iter().map(|table| &table.forecasts).collect();
        (Mixture { mixing, task, learnt: None }.combine(market, rows, &members), None)
    };
    ForecastTable {
        rows: rows.clone(),
        forecasts,
        abstained: stand_ins.iter().filter(|&&row| plan_rows.scores(market, row, task.horizon())).count(),
        stand_ins,
        left_out: tables[0].left_out,
        fit_seconds: tables.iter().map(|table| table.fit_seconds).sum(),
        fits: tables.iter().flat_map(|table| table.fits.clone()).collect(),
        ensemble,
    }
}

/// The forecasts of an ensemble in market `m` by those of its members there. What a fold learns of the members (weights,
/// calibration) it learns from their forecasts of earlier folds, whose outcomes are known when it is fitted.
fn in_time_order(
    forecaster: &Forecaster,
    mixing: &Mixing,
    bound: &Bound<'_>,
    plan: &Plan,
    (m, tables): (usize, &[&ForecastTable]),
) -> (Forecasts, EnsembleFits) {
    let (market, task, rows) = (forecaster.market(m), forecaster.task(), &tables[0].rows);
    let plan_rows = &bound.plans[m];
    let mut fits = Vec::new();
    let mut start = 0;
    for fold in (0..plan.folds.len()).filter(|&fold| bound.has_origins(fold)) {
        let end = start + bound.origins[m][fold].len();
        let (fit_row, fit_at) = (plan_rows.folds[fold].fit_row, plan.folds[fold].fit_at);
        fits.push(ChainFit { fit_row, fit_at, origins: start..end });
        start = end;
    }
    let members: Vec<MemberTable<'_>> =
        tables.iter().map(|table| MemberTable { forecasts: &table.forecasts, stand_ins: &table.stand_ins }).collect();
    let chain = Chain { mixing, task, level: forecaster.level(), market, rows, members: &members };
    let chained = chain.run(&fits, plan_rows.known_to);
    let names = forecaster.members().iter().map(|member| member.name.clone()).collect();
    (chained.forecasts, EnsembleFits::new(mixing, task, names, chained.fits, chained.learnt))
}

/// Multiplies the forecasts of a mean of logarithms by its factor, which each fit has of its own: by what that fit has
/// learnt from.
fn smear(
    forecaster: &Forecaster,
    leaves: &[Leaf<'_>],
    plan: &Plan,
    tables: &mut [ForecastTable],
) -> Result<(), (usize, WalkForwardError)> {
    let members: Vec<&Leaf<'_>> = forecaster.members().iter().map(|member| Leaf::of(member, leaves)).collect();
    // Origins are those of the plan, whoever forecasts from them.
    let bound = members[0].bound;
    let mut done = vec![0; tables.len()];
    for (fit, fold) in (0..plan.folds.len()).filter(|&fold| bound.has_origins(fold)).enumerate() {
        let residuals: Vec<&[Residuals]> = members.iter().map(|leaf| leaf.residuals[fit].as_slice()).collect();
        let smearing = forecaster.smearing(&residuals).map_err(|source| {
            let (model, at) = (forecaster.name.clone(), plan.folds[fold].fit_at);
            (usize::MAX, WalkForwardError::Fit { model, at, source })
        })?;
        for (m, table) in tables.iter_mut().enumerate() {
            let end = done[m] + bound.origins[m][fold].len();
            smearing.apply(&mut table.forecasts.means[done[m]..end]);
            done[m] = end;
        }
    }
    Ok(())
}
