//! [`evaluate`]: from forecasts to a report in which every model stands beside the baselines of its task.

mod compare;
mod confidences;
mod daily;
mod differences;
mod direction;
mod facts;
mod hindsight;
mod price;
mod report;
mod volatility;

use candlecast_core::Seed;
use rayon::prelude::*;

use crate::conformal::{Calibrated, CalibrationState, Calibrator, ForecastRow};
use crate::dataset::Market;
use crate::forecaster::learnable_steps;
use crate::significance::{Serial, VerdictCode, independent};
use crate::split::Plan;
use crate::task::Task;
use crate::walk_forward::ForecastTable;

pub use confidences::{Selected, pass_share};
pub use daily::DailyLosses;
pub(crate) use direction::DirectionScorer;
pub use facts::Facts;
pub use hindsight::Hindsight;
pub(crate) use price::PriceScorer;
pub use report::{
    Comparison, ConfidenceSet, Difference, DirectionTest, ModelReport, Report, ScoredForecasts, Signal, StepReport,
    TaskMetrics, TaskScores,
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

/// Draws behind an interval by resampling, and behind the p-values of the confidence set.
const REPLICATES: usize = 1_000;

/// Root of these draws. They do not depend on the seed of the run: nobody can draw again until a figure looks better.
const DRAWS: Seed = Seed(2_011);

/// Losses of one model in the order of origins.
#[derive(Debug, Clone, Default)]
pub struct Losses {
    /// `[origin, step]`.
    pub by_step: Vec<f64>,
    /// Squared-loss adjustment of Clark and West, in squared units of the loss, by origin; empty for tasks without.
    pub clark_west: Vec<f64>,
    /// Rows of the origins that have a loss; noted by [`evaluate`].
    pub rows: Vec<usize>,
}

impl Losses {
    /// Losses averaged over the `steps` of each origin.
    fn by_origin(&self, steps: usize) -> Vec<f64> {
        self.by_step.chunks(steps).map(|e| e.iter().sum::<f64>() / steps as f64).collect()
    }
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
    /// Candles between refits, over which forecasts keep the errors of a fit; 0 where nothing is refitted.
    pub refit: usize,
    /// Other configurations that were tried on this period before: p-values are corrected for them, too.
    pub tries: usize,
    /// Confidence that forecasts are selected by, 0 to 1, to tell how often they are right; `None` for that of the
    /// surest tenth of each model. It changes nothing else.
    pub confidence_threshold: Option<f64>,
}

struct Scored {
    report: ModelReport,
    losses: Losses,
    calibration_outcomes: usize,
}

/// Scores `models` (same origins) over the scored rows of the plan.
pub fn evaluate(question: &Question<'_>, models: Vec<ModelForecasts>) -> Report {
    let Question { task, level, plan, reference, left_out, refit, tries, .. } = *question;
    let serial = Serial { horizon: task.horizon(), refit };
    let facts = Facts::new(question.market, plan, serial, question.confidence_threshold);
    let mut scored: Vec<Scored> = models.into_par_iter().map(|model| score(question, model, &facts)).collect();
    compare::compare(&mut scored, question);
    let (confidence_set, differences) = differences::between(&scored, question);
    let of_reference = scored[reference].losses.by_origin(task.claims());
    scored.par_iter_mut().for_each(|s| {
        let own = s.losses.by_origin(task.claims());
        s.report.daily = DailyLosses::of(question.market, &s.losses.rows, &own, &of_reference);
    });
    let rows = &scored[reference].report.forecasts.rows;
    let mut notes = plan.notes.clone();
    notes.extend(earlier_tries(tries));
    Report {
        task,
        reference: scored[reference].report.name.clone(),
        horizon: task.horizon(),
        origins: rows.len(),
        independent: independent(rows, task.horizon()),
        tries: scored[reference].report.vs_reference.tries,
        left_out,
        level,
        calibration_outcomes: scored[reference].calibration_outcomes,
        notes,
        confidence_set,
        differences,
        hindsight: None,
        models: scored.into_iter().map(|s| s.report).collect(),
    }
}

/// What is said of earlier tries, if there were any.
fn earlier_tries(tries: usize) -> Option<String> {
    let configurations = if tries == 1 { "configuration was" } else { "configurations were" };
    (tries > 0).then(|| {
        format!("{tries} other {configurations} tried on this period before: p-values are corrected for them too")
    })
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
        let before = losses.by_step.len();
        scorer.add(row, Told { forecast, issued: &issued, spread: &spread }, &mut losses);
        if losses.by_step.len() > before {
            losses.rows.push(row);
        }
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
        vs_reference: unjudged(),
        direction: scores.direction,
        reliability: scores.reliability,
        recent: scores.recent,
        selected: scores.selected,
        confidence_quantiles: scores.confidence_quantiles,
        fit_seconds: table.fit_seconds,
        fits: table.fits,
        ensemble: table.ensemble,
        abstained: table.abstained,
        pit,
        daily: DailyLosses::default(),
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

/// The reference, and what every model is before it is compared.
fn unjudged() -> Comparison {
    Comparison {
        against: String::new(),
        test: None,
        corrected: None,
        signal: None,
        code: VerdictCode::Reference,
        verdict: "the reference".into(),
        independent: 0,
        tries: 0,
        earlier_tries: 0,
    }
}
