//! [`evaluate`]: from forecasts to a report in which every model stands beside the baselines of its task.

mod direction;
mod facts;
mod price;
mod report;
mod volatility;

use rayon::prelude::*;

use crate::conformal::{Calibrated, CalibrationState, Calibrator, ForecastRow};
use crate::dataset::Market;
use crate::forecaster::learnable_steps;
use crate::significance::{clark_west, diebold_mariano, holm, verdict};
use crate::split::Plan;
use crate::task::Task;
use crate::walk_forward::ForecastTable;

pub(crate) use direction::DirectionScorer;
pub use facts::Facts;
pub(crate) use price::PriceScorer;
pub use report::{
    Comparison, DirectionTest, ModelReport, Report, ScoredForecasts, StepReport, TaskMetrics, TaskScores,
};
pub(crate) use volatility::VolatilityScorer;

/// Scores the forecasts of one model, origin by origin, in time order.
pub trait Scorer {
    /// Adds the forecast of the scored origin `row` with what calibration issued for it. Losses that verdicts compare by
    /// are added to `losses`, as many for every origin and the same number for every model; where the outcome has none,
    /// no loss is added, for any model.
    fn add(&mut self, row: usize, told: Told<'_>, losses: &mut Losses);

    /// The scores.
    fn finish(self: Box<Self>) -> TaskScores;
}

/// What was told from one origin.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The forecast as the model gives it.
    pub forecast: ForecastRow<'a>,
    /// What calibration made of it, `[claim]`.
    pub issued: &'a [Calibrated],
    /// How its distributions fared, `[claim]`; empty where there are none.
    pub spread: &'a [Spread],
}

/// How the distribution of one claim fared.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spread {
    /// Continuous ranked probability score.
    pub crps: Option<f64>,
    /// Share of the distribution below the outcome.
    pub pit: Option<f64>,
}

/// Bins of the probability integral transform.
const PIT_BINS: usize = 20;

/// Losses of one model in the order of origins.
#[derive(Debug, Clone, Default)]
pub struct Losses {
    /// `[origin, step]`.
    pub by_step: Vec<f64>,
    /// Squared-loss adjustment of Clark and West, by origin; empty for tasks without.
    pub clark_west: Vec<f64>,
}

/// Forecasts of one model from the origins of a plan.
#[derive(Debug, Clone)]
pub struct ModelForecasts {
    /// Name in tables.
    pub name: String,
    /// True for a baseline.
    pub baseline: bool,
    /// The forecasts.
    pub table: ForecastTable,
    /// Intervals and confidences that were issued for them, `[origin][claim]`, by a calibration that knew more than the
    /// table does; `None` where calibration begins with the first forecast of the table.
    pub issued: Option<Vec<Vec<Calibrated>>>,
}

/// What is evaluated.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The market.
    pub market: &'a Market,
    /// What is forecast.
    pub task: Task,
    /// Share of outcomes that intervals are to cover.
    pub level: f64,
    /// How the data are split.
    pub plan: &'a Plan,
    /// Index of the reference among the models.
    pub reference: usize,
    /// Scored rows that are no origins.
    pub left_out: usize,
}

/// Share of origins without a forecast beyond which two models are not compared.
const MAX_SILENT: f64 = 0.05;

struct Scored {
    report: ModelReport,
    losses: Losses,
    calibration_outcomes: usize,
}

/// Scores `models` (same origins) over the scored rows of the plan.
pub fn evaluate(question: &Question<'_>, models: Vec<ModelForecasts>) -> Report {
    let Question { task, level, plan, reference, left_out, .. } = *question;
    let facts = Facts::new(question.market, plan, task.horizon());
    let mut scored: Vec<Scored> = models.into_par_iter().map(|model| score(question, model, &facts)).collect();
    compare(&mut scored, task, reference);
    Report {
        task,
        reference: scored[reference].report.name.clone(),
        horizon: task.horizon(),
        origins: scored[reference].report.forecasts.rows.len(),
        left_out,
        level,
        calibration_outcomes: scored[reference].calibration_outcomes,
        notes: plan.notes.clone(),
        models: scored.into_iter().map(|s| s.report).collect(),
    }
}

fn score(question: &Question<'_>, model: ModelForecasts, facts: &Facts<'_>) -> Scored {
    let Question { market, task, level, .. } = *question;
    let ModelForecasts { name, baseline, table, issued: given } = model;
    let (log_close, horizon, plan) = (market.log_close(), task.horizon(), facts.plan());
    let last_known = plan.known_to.saturating_sub(1);
    let mut calibrator =
        Calibrator::new(task, CalibrationState::new(level, &task, market.series().key().interval.per_day()));
    let mut scorer = task.kind().scorer(facts, task, level);
    let (mut losses, mut forecasts) = (Losses::default(), ScoredForecasts::default());
    let mut calibration_outcomes = None;
    let mut pit = Vec::new();
    for (i, &row) in table.rows.iter().enumerate() {
        let forecast = table.row(i);
        calibrator.advance(row, log_close);
        // What is said in place of a forecast teaches nothing about forecasts; of others the steps before a gap do.
        let is_own = table.stand_ins.binary_search(&row).is_err();
        let steps = if is_own { learnable_steps(market, row, horizon, last_known) } else { 0 };
        let own = calibrator.issue_scoring(market.origin(row), forecast, steps);
        let issued = given.as_ref().and_then(|given| given.get(i).cloned()).unwrap_or(own);
        if !plan.scores(market, row, horizon) {
            continue;
        }
        calibration_outcomes.get_or_insert_with(|| calibrator.state().outcomes());
        let spread = if given.is_none() { spreads(&calibrator, task, market, row, forecast) } else { vec![] };
        for at in spread.iter().filter_map(|spread| spread.pit) {
            pit.resize(PIT_BINS, 0);
            pit[((at * PIT_BINS as f64) as usize).min(PIT_BINS - 1)] += 1;
        }
        scorer.add(row, Told { forecast, issued: &issued, spread: &spread }, &mut losses);
        forecasts.push(row, forecast, issued);
    }
    forecasts.close(market);
    calibrator.advance(last_known, log_close);
    let scores = scorer.finish();
    let report = ModelReport {
        name,
        baseline,
        metrics: scores.metrics,
        skill: None,
        per_horizon: scores.per_horizon,
        vs_reference: Comparison { test: None, corrected: None, clark_west: None, verdict: String::new() },
        direction: scores.direction,
        reliability: scores.reliability,
        fit_seconds: table.fit_seconds,
        fits: table.fits,
        abstained: table.abstained,
        pit,
        calibration: calibrator.state().clone(),
        forecasts,
    };
    Scored { report, losses, calibration_outcomes: calibration_outcomes.unwrap_or(0) }
}

/// How the distributions of the forecast from `row`, which `calibrator` has just issued, fared.
fn spreads(calibrator: &Calibrator, task: Task, market: &Market, row: usize, forecast: ForecastRow<'_>) -> Vec<Spread> {
    let kind = task.kind();
    let claims = kind.claim(forecast, market.sigma()[row]);
    let spread = |(k, claim): (usize, &crate::tasks::Claim)| {
        let lag = kind.lag(task.horizon(), k);
        let actual = kind.outcome(claim, &market.log_close()[row..=row + lag]).actual;
        match calibrator.distribution(k).zip(actual) {
            Some((distribution, actual)) => {
                Spread { crps: Some(distribution.crps(actual)), pit: distribution.pit(actual) }
            }
            None => Spread::default(),
        }
    };
    claims.iter().enumerate().map(spread).collect()
}

/// Sets everything that needs the reference beside the models.
fn compare(scored: &mut [Scored], task: Task, reference: usize) {
    let horizon = task.horizon();
    // Losses an origin has.
    let steps = task.claims();
    let name = scored[reference].report.name.clone();
    let origins = scored[reference].report.forecasts.rows.len();
    let silent_reference = scored[reference].report.abstained;
    let reference_losses = scored[reference].losses.by_step.clone();
    let reference_metrics = scored[reference].report.metrics;
    let by_origin =
        |errors: &[f64]| -> Vec<f64> { errors.chunks(steps).map(|e| e.iter().sum::<f64>() / steps as f64).collect() };
    let reference_mean = by_origin(&reference_losses);
    scored.par_iter_mut().enumerate().for_each(|(i, s)| {
        s.report.skill = s.report.metrics.skill_over(&reference_metrics);
        if let TaskMetrics::Price(metrics) = &mut s.report.metrics {
            metrics.skill = s.report.skill;
        }
        if i == reference {
            return;
        }
        let vs = &mut s.report.vs_reference;
        vs.test = diebold_mariano(&by_origin(&s.losses.by_step), &reference_mean, horizon);
        if !s.report.baseline && !s.losses.clark_west.is_empty() {
            vs.clark_west = clark_west(&s.losses.clark_west, horizon);
        }
        let raw: Vec<Option<f64>> = (0..s.report.per_horizon.len())
            .map(|h| {
                let column = |e: &[f64]| -> Vec<f64> { e.iter().skip(h).step_by(steps).copied().collect() };
                diebold_mariano(&column(&s.losses.by_step), &column(&reference_losses), h + 1).map(|t| t.p_value)
            })
            .collect();
        for (step, p) in s.report.per_horizon.iter_mut().zip(holm(&raw)) {
            step.p_value = p;
        }
    });
    // The models that somebody chose to try are a family of their own: baselines, which were not tried in hope, do not
    // raise their p-values.
    let tried = |s: &Scored| s.report.vs_reference.test.filter(|_| !s.report.baseline).map(|t| t.p_value);
    let corrected = holm(&scored.iter().map(tried).collect::<Vec<_>>());
    // A baseline is called better only where it survives the correction over the whole table.
    let of_all = holm(&scored.iter().map(|s| s.report.vs_reference.test.map(|t| t.p_value)).collect::<Vec<_>>());
    for (i, (s, corrected)) in scored.iter_mut().zip(corrected).enumerate() {
        let vs = &mut s.report.vs_reference;
        vs.corrected = corrected.or(of_all[i]);
        vs.verdict = if i == reference { "the reference".into() } else { verdict(vs.test, vs.corrected, &name) };
        // Where there is no forecast a price stays, as `naive` says. Of classes and volatilities what is said instead is
        // no forecast of the reference's, and better or worse than it for reasons of its own.
        let silent = s.report.abstained.max(silent_reference);
        if i != reference && task.id() != "price" && silent as f64 > MAX_SILENT * origins as f64 {
            vs.test = None;
            vs.corrected = None;
            vs.verdict =
                format!("cannot be told: from {silent} of {origins} origins one of the two could not forecast");
        }
    }
}
