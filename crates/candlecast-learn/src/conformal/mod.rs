//! [`Calibrator`]: shrunk means, adaptive conformal intervals, distributions and calibrated confidence, fed only with
//! known outcomes.
//!
//! The means of prices are multiplied by a factor a step (`factor.rs`). For step h the score of an outcome is
//! `(actual - mean) / scale`. The interval reaches from the lower to the upper quantile of the last 1,500 known scores
//! that came from the same tercile of the market's volatility, either side with a miss rate of its own that follows
//! adaptive conformal inference (Gibbs and Candès 2021): `a += gamma / h (aimed - missed)` whenever an outcome becomes
//! known, h steps after its origin. Outcomes of neighbouring origins share all but one of their h returns, so a step
//! of `gamma` for each would count one market move h times: at 24 steps the intervals would swing between 70 % and
//! beyond the widest score, and be nearly twice as wide as the same coverage needs. Gibbs and Candès bound the error
//! for outcomes that are known at once and intervals that may become infinite; here the bound is a guide and the
//! measured coverage decides.

mod factor;
mod frozen;
mod legacy;
mod pooled;
mod quantiles;
mod smooth;
mod tails;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::confidence::ConfidenceMap;
use crate::task::Task;
use crate::tasks::{Borders, Claim, Known};
use factor::FactorState;
pub use frozen::FrozenCalibration;
pub(crate) use frozen::MemberClaim;
use pooled::PooledConfidence;
pub(crate) use pooled::size_of_confidence;
use tails::{Missed, Scores, Tails};

/// Power of the forecast volatility that intervals of prices grow by: outcomes differ less from one another than the
/// forecasts of their volatility do, as these err.
const POWER: f64 = 0.8;
/// The scale whose power is itself: a hundredth, so that scores stay near 1.
const REFERENCE: f64 = 0.01;
/// States of the market that have scores of their own: calm, middle, wild.
const STATES: usize = 3;
/// Outcomes of classes kept for their confidence.
const CONFIDENCE_WINDOW: usize = 4_000;
/// New outcomes after which the confidence of classes is fitted again.
const CONFIDENCE_REFIT: usize = 168;

/// State of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StepState {
    /// Scores by tercile of the volatility at the origin; none for classes.
    states: Vec<Tails>,
    /// The factor on means (price task).
    factor: Option<FactorState>,
    /// `(probability, right)` of known outcomes, oldest first (direction task).
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    outcomes: VecDeque<(f32, bool)>,
    /// Outcomes since the confidence map was fitted (direction task).
    #[serde(default)]
    since_fit: usize,
    /// From probability to confidence (direction task); none before enough outcomes are known.
    #[serde(default)]
    confidence: Option<ConfidenceMap>,
}

/// What calibration has learnt from known outcomes; stored with a model, a pure function of the outcomes fed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CalibrationState {
    level: f64,
    /// Candles a day: what six and eighteen months are.
    per_day: f64,
    /// Power of the scales that scores are measured in.
    power: f64,
    steps: Vec<StepState>,
    /// Confidence of directions (price task).
    pooled: Option<PooledConfidence>,
}

/// Interval and confidence of one claim of a forecast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibrated {
    /// The mean times its factor, as a log return; of a volatility the log variance, of classes the class.
    pub mean: f64,
    /// Factor on the mean, 0 to 2; 1 where means are not shrunk.
    pub factor: f64,
    /// Lower end of the interval in log returns or in log variance; of no meaning for classes, which have none.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
    /// Probability that the direction or class is right.
    pub confidence: f64,
    /// False where `confidence` is that of chance for want of outcomes or of a direction.
    pub calibrated: bool,
}

/// Where a forecast starts, and what calibration needs to know of the market there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Origin {
    /// Row of the market.
    pub row: usize,
    /// `sigma_t` there.
    pub sigma: f64,
    /// Tercile of the volatility there, 0 to 2.
    pub tercile: u8,
}

/// One forecast as a model gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ForecastRow<'a> {
    /// Means, `[width]`.
    pub means: &'a [f64],
    /// Scales of their errors, `[width]`.
    pub scales: &'a [f64],
    /// Borders of the classes at its origin (direction task).
    pub borders: Option<Borders>,
    /// Raw confidences of an ensemble, `[claim]`, on which its confidence is calibrated; empty where there are none.
    pub confidences: &'a [f64],
}

impl StepState {
    fn new(level: f64, task: &Task, claim: usize) -> Self {
        let (states, factor) = match task {
            Task::Price { .. } => (STATES, Some(FactorState::new(claim + 1))),
            Task::Volatility { .. } => (STATES, None),
            Task::Direction { .. } => (0, None),
        };
        Self {
            states: vec![Tails::new(level); states],
            factor,
            outcomes: VecDeque::new(),
            since_fit: 0,
            confidence: None,
        }
    }

    fn factor(&self) -> f64 {
        self.factor.as_ref().map_or(1.0, FactorState::factor)
    }

    /// Scores below and above the mean that the interval reaches to, both at least 0; nothing for classes. Without
    /// scores they are those of a normal distribution with the scale `plain`, while scores are in units of `scale`.
    fn reach(&self, tercile: u8, plain: f64, scale: f64) -> (f64, f64) {
        let Some(tails) = self.states.get(usize::from(tercile)) else { return (0.0, 0.0) };
        let (below, above) = tails.alphas();
        let scores = Scores::of(&self.states, usize::from(tercile));
        let unit = if scores.are_known() { 1.0 } else { plain / scale };
        (unit * (-scores.quantile(below)).max(0.0), unit * scores.quantile(1.0 - above).max(0.0))
    }

    /// Learns from what became of `pending`, known `lag` steps after its origin.
    fn absorb(&mut self, pending: &PendingClaim, actual: f64, level: f64, lag: usize, per_day: f64) {
        if let (Some(factor), Some(unit)) = (&mut self.factor, pending.claim.unit) {
            factor.absorb(pending.claim.mean / unit, actual / unit, per_day);
        }
        let Some(tails) = self.states.get_mut(usize::from(pending.tercile)) else { return };
        let missed = match actual {
            a if a < pending.lower => Missed::Below,
            a if a > pending.upper => Missed::Above,
            _ => Missed::Not,
        };
        let has_width = pending.upper > pending.lower;
        let score = ((actual - pending.mean) / pending.claim.scale) as f32;
        if score.is_finite() {
            tails.absorb(score, has_width.then_some(missed), level, lag);
        }
    }

    fn absorb_class(&mut self, probability: f64, right: bool, lag: usize, chance: f64) {
        if self.outcomes.len() == CONFIDENCE_WINDOW {
            self.outcomes.pop_front();
        }
        self.outcomes.push_back((probability as f32, right));
        self.since_fit += 1;
        if self.since_fit >= CONFIDENCE_REFIT || self.confidence.is_none() && self.since_fit.is_multiple_of(24) {
            self.confidence = ConfidenceMap::fit(self.outcomes.make_contiguous(), lag, chance);
            self.since_fit = if self.confidence.is_some() { 0 } else { self.since_fit };
        }
    }

    fn is_sound(&self) -> bool {
        (self.states.is_empty() || self.states.len() == STATES)
            && self.states.iter().all(Tails::is_sound)
            && self.factor.as_ref().is_none_or(FactorState::is_sound)
            && self.outcomes.len() <= CONFIDENCE_WINDOW
            && self.outcomes.iter().all(|(p, _)| p.is_finite())
            && self.confidence.as_ref().is_none_or(ConfidenceMap::is_sound)
    }

    fn known(&self) -> usize {
        if self.states.is_empty() { self.outcomes.len() } else { self.states.iter().map(Tails::len).sum() }
    }
}

impl CalibrationState {
    /// Nothing known yet, for intervals of `level` (0.5 to 0.99) of the claims of `task`; `per_day` is candles a day.
    pub fn new(level: f64, task: &Task, per_day: f64) -> Self {
        let pooled = matches!(task, Task::Price { .. }).then(|| PooledConfidence::new(task.horizon()));
        let steps = (0..task.claims()).map(|claim| StepState::new(level, task, claim)).collect();
        let power = if pooled.is_some() { POWER } else { 1.0 };
        Self { level, per_day, power, steps, pooled }
    }

    /// Share of outcomes the intervals are to cover.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// False for a state that no outcomes of forecasts of `task` can have given, such as one from a file that was
    /// edited.
    pub fn is_sound(&self, task: &Task) -> bool {
        let fresh = Self::new(0.9, task, 1.0);
        let alike = |(own, fresh): (&StepState, &StepState)| {
            own.states.len() == fresh.states.len() && own.factor.is_some() == fresh.factor.is_some()
        };
        self.level > 0.0
            && self.level < 1.0
            && self.per_day.is_finite()
            && self.per_day > 0.0
            && (0.1..=1.0).contains(&self.power)
            && self.steps.len() == fresh.steps.len()
            && self.steps.iter().zip(&fresh.steps).all(alike)
            && self.steps.iter().all(StepState::is_sound)
            && self.pooled.is_some() == fresh.pooled.is_some()
            && self.pooled.as_ref().is_none_or(|pooled| pooled.is_sound(task.horizon()))
    }

    /// Claims that it knows of: the steps of a price forecast, else one.
    pub fn claims(&self) -> usize {
        self.steps.len()
    }

    /// Known outcomes of the claim that has fewest: those behind its intervals, of a class those behind its confidence.
    pub fn outcomes(&self) -> usize {
        self.steps.iter().map(StepState::known).min().unwrap_or(0)
    }

    /// Factors on the means, `[claim]`.
    pub fn factors(&self) -> Vec<f64> {
        self.steps.iter().map(StepState::factor).collect()
    }
}

#[derive(Debug, Clone, Copy)]
struct PendingClaim {
    claim: Claim,
    /// Middle of what was told: the claim's mean times its factor.
    mean: f64,
    lower: f64,
    upper: f64,
    tercile: u8,
}

#[derive(Debug, Clone)]
struct Pending {
    row: usize,
    claims: Vec<PendingClaim>,
    /// Claims whose outcome is known.
    known: usize,
}

/// Issues intervals in time order and learns from each outcome as soon as, and not before, it is known.
#[derive(Debug, Clone)]
pub struct Calibrator {
    task: Task,
    state: CalibrationState,
    pending: VecDeque<Pending>,
    /// What was issued last.
    latest: Vec<PendingClaim>,
}

impl Calibrator {
    /// Goes on from `state`, which is of `task`.
    pub fn new(task: Task, mut state: CalibrationState) -> Self {
        for tails in state.steps.iter_mut().flat_map(|step| &mut step.states) {
            tails.restore();
        }
        Self { task, state, pending: VecDeque::new(), latest: vec![] }
    }

    /// Learns from every outcome known at the close of `row`. `log_close` is `[row]`; only rows up to `row` are read.
    pub fn advance(&mut self, row: usize, log_close: &[f64]) {
        self.advance_within(row, 0, log_close);
    }

    /// As [`Calibrator::advance`], where the first of `log_close` is that of row `first`, which must be no later than
    /// the origin of any forecast that is still open: one horizon back is always enough.
    pub(crate) fn advance_within(&mut self, row: usize, first: usize, log_close: &[f64]) {
        let (kind, horizon) = (self.task.kind(), self.task.horizon());
        for pending in &mut self.pending {
            if pending.row >= row {
                break;
            }
            let (elapsed, origin) = (row - pending.row, pending.row - first);
            while let Some(waiting) = pending.claims.get(pending.known) {
                let lag = kind.lag(horizon, pending.known);
                if lag > elapsed {
                    break;
                }
                let known = kind.outcome(&waiting.claim, &log_close[origin..=origin + lag]);
                learn(&mut self.state, pending.known, waiting, known, lag, kind.chance());
                pending.known += 1;
            }
        }
        while self.pending.front().is_some_and(|p| p.known == p.claims.len()) {
            self.pending.pop_front();
        }
    }

    /// Intervals and confidences for a forecast from `origin`, `[claim]`. Rows must not go back. The forecast's outcomes
    /// are learnt from later if `scored` (all of its targets will be real candles).
    pub fn issue(&mut self, origin: Origin, forecast: ForecastRow<'_>, scored: bool) -> Vec<Calibrated> {
        self.issue_scoring(origin, forecast, if scored { self.task.horizon() } else { 0 })
    }

    /// As [`Calibrator::issue`], where only claims on the first `steps` steps will be learnt from: the target of the
    /// next one is missing.
    pub(crate) fn issue_scoring(&mut self, origin: Origin, forecast: ForecastRow<'_>, steps: usize) -> Vec<Calibrated> {
        debug_assert!(self.pending.back().is_none_or(|p| p.row < origin.row), "origins come in time order");
        let (kind, horizon) = (self.task.kind(), self.task.horizon());
        let mut claims = self.claims(origin, forecast);
        let out = claims.iter().enumerate().map(|(k, claim)| self.calibrated(k, claim)).collect();
        self.latest.clone_from(&claims);
        claims.truncate((0..claims.len()).take_while(|&claim| kind.lag(horizon, claim) <= steps).count());
        if !claims.is_empty() {
            self.pending.push_back(Pending { row: origin.row, claims, known: 0 });
        }
        out
    }

    /// The claims of a forecast with their intervals.
    fn claims(&self, origin: Origin, forecast: ForecastRow<'_>) -> Vec<PendingClaim> {
        let mut claims = self.task.kind().claim(forecast, origin.sigma);
        let reach = |(step, claim): (&StepState, &mut Claim)| {
            let plain = claim.scale;
            claim.scale = REFERENCE * (plain / REFERENCE).powf(self.state.power);
            step.reach(origin.tercile, plain, claim.scale)
        };
        let (mut below, mut above): (Vec<f64>, Vec<f64>) = self.state.steps.iter().zip(&mut claims).map(reach).unzip();
        smooth::smooth(&mut below);
        smooth::smooth(&mut above);
        for (k, claim) in claims.iter().enumerate() {
            below[k] *= claim.scale;
            above[k] *= claim.scale;
        }
        smooth::not_shrinking(&mut below);
        smooth::not_shrinking(&mut above);
        let pending = |(k, claim): (usize, Claim)| {
            let mean = self.state.steps[k].factor() * claim.mean;
            PendingClaim { claim, mean, lower: mean - below[k], upper: mean + above[k], tercile: origin.tercile }
        };
        claims.into_iter().enumerate().map(pending).collect()
    }

    fn calibrated(&self, k: usize, pending: &PendingClaim) -> Calibrated {
        let probability = |size: f64| match &self.state.pooled {
            Some(pooled) => pooled.probability(size, k + 1),
            None => self.state.steps[k].confidence.as_ref().map(|map| map.probability(size)),
        };
        let told = pending.claim.size.and_then(probability);
        Calibrated {
            mean: pending.mean,
            factor: self.state.steps[k].factor(),
            lower: pending.lower,
            upper: pending.upper,
            confidence: told.unwrap_or(self.task.kind().chance()),
            calibrated: told.is_some(),
        }
    }

    /// The distribution of claim `claim` of the forecast issued last; `None` for classes and before any was issued.
    pub fn distribution(&self, claim: usize) -> Option<Distribution<'_>> {
        let pending = self.latest.get(claim)?;
        let states = &self.state.steps[claim].states;
        if states.is_empty() {
            return None;
        }
        let scores = Scores::of(states, usize::from(pending.tercile));
        let scale = pending.claim.scale;
        // Without scores it is the normal distribution with the scale that the model gave, as in the interval.
        let plain = || REFERENCE * (scale / REFERENCE).powf(1.0 / self.state.power);
        let scale = if scores.are_known() { scale } else { plain() };
        Some(Distribution { mean: pending.mean, scale, scores })
    }

    /// The candle after the last one advanced to is missing: what open forecasts have not learnt by now they never will.
    pub(crate) fn cut(&mut self) {
        self.pending.clear();
    }

    /// What has been learnt so far; forecasts still open are forgotten.
    pub fn state(&self) -> &CalibrationState {
        &self.state
    }
}

/// Learns from what became of claim `k` of a forecast, known `lag` steps after its origin.
fn learn(state: &mut CalibrationState, k: usize, pending: &PendingClaim, known: Known, lag: usize, chance: f64) {
    if let Some(pooled) = state.pooled.as_mut().filter(|_| k == 0) {
        pooled.pass(state.per_day);
    }
    if let Some(actual) = known.actual {
        state.steps[k].absorb(pending, actual, state.level, lag, state.per_day);
    }
    if let (Some(right), Some(size)) = (known.right, pending.claim.size) {
        match &mut state.pooled {
            Some(pooled) => pooled.absorb(size, lag, right),
            None => state.steps[k].absorb_class(size, right, lag, chance),
        }
    }
}

/// Shares whose quantiles stand for a distribution where its CRPS is computed.
const CRPS_SHARES: usize = 40;

/// The whole distribution of one outcome: the mean plus the scale times the known scores of the same state.
pub struct Distribution<'a> {
    mean: f64,
    scale: f64,
    scores: Scores<'a>,
}

impl std::fmt::Debug for Distribution<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Distribution").field("mean", &self.mean).field("scale", &self.scale).finish_non_exhaustive()
    }
}

impl Distribution<'_> {
    /// The value below which a share (above 0, below 1) of outcomes is expected, as a log return or log variance.
    pub fn quantile(&self, share: f64) -> f64 {
        self.mean + self.scale * self.scores.quantile(share)
    }

    /// Probability integral transform: the share of the distribution below `actual`, uniform on 0 to 1 where the
    /// distribution is right; `None` while there are fewer than 50 scores.
    pub fn pit(&self, actual: f64) -> Option<f64> {
        self.scores.place((actual - self.mean) / self.scale)
    }

    /// Continuous ranked probability score of `actual` (Gneiting and Raftery 2007), in the unit of the mean: twice the
    /// mean pinball loss of 40 quantiles, at the middles of as many equal shares.
    pub fn crps(&self, actual: f64) -> f64 {
        let pinball = |k: usize| {
            let share = (k as f64 + 0.5) / CRPS_SHARES as f64;
            let error = actual - self.quantile(share);
            error * (share - f64::from(u8::from(error < 0.0)))
        };
        2.0 * (0..CRPS_SHARES).map(pinball).sum::<f64>() / CRPS_SHARES as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Labels;
    use candlecast_core::Seed;

    fn price(horizon: usize) -> Calibrator {
        let task = Task::Price { horizon };
        Calibrator::new(task, CalibrationState::new(0.9, &task, 24.0))
    }

    /// A row of a market whose sigma is a hundredth.
    fn at(row: usize) -> Origin {
        Origin { row, sigma: 0.01, tercile: (row % 3) as u8 }
    }

    fn forecast<'a>(means: &'a [f64], scales: &'a [f64]) -> ForecastRow<'a> {
        ForecastRow { means, scales, borders: None, confidences: &[] }
    }

    /// Naive forecasts of a market whose volatility jumps; coverage by step.
    fn run(scale_error: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut rng = Seed(9).stream();
        let n = 9_000;
        let mut log_close = vec![0.0];
        for i in 0..n {
            let sigma = if (i / 1_000) % 2 == 0 { 0.01 } else { 0.03 };
            log_close.push(log_close[i] + sigma * rng.student_t(4));
        }
        let horizon = 6;
        let mut calibrator = price(horizon);
        let (mut inside, mut count) = (vec![0.0; horizon], 0.0);
        for row in 0..n - horizon {
            calibrator.advance(row, &log_close);
            let scales: Vec<f64> = (1..=horizon).map(|h| 0.02 * scale_error(row) * (h as f64).sqrt()).collect();
            let issued = calibrator.issue(at(row), forecast(&vec![0.0; horizon], &scales), true);
            if row >= 1_500 {
                count += 1.0;
                for (h, c) in issued.iter().enumerate() {
                    let actual = log_close[row + h + 1] - log_close[row];
                    inside[h] += f64::from(u8::from((c.lower..=c.upper).contains(&actual)));
                }
            }
        }
        inside.iter().map(|i| i / count).collect()
    }

    #[test]
    fn coverage_holds_when_volatility_jumps_and_scales_are_wrong() {
        for coverage in run(|_| 1.0).into_iter().chain(run(|row| if row % 2_000 < 700 { 0.5 } else { 3.0 })) {
            assert!((0.885..0.92).contains(&coverage), "{coverage}");
        }
    }

    #[test]
    fn outcomes_are_learnt_only_when_known() {
        let log_close: Vec<f64> = (0..40).map(|i| f64::from(i) * 0.01).collect();
        let mut a = price(3);
        a.issue(at(10), forecast(&[0.0; 3], &[1.0; 3]), true);
        a.advance(10, &log_close);
        assert_eq!(a.state.steps[0].known(), 0);
        a.advance(11, &log_close);
        assert_eq!([0, 1, 2].map(|h: usize| a.state.steps[h].known()), [1, 0, 0]);
        a.advance(20, &log_close);
        assert_eq!([0, 1, 2].map(|h: usize| a.state.steps[h].known()), [1, 1, 1]);
    }

    #[test]
    fn classes_and_variances_are_learnt_from_when_their_horizon_is_over() {
        let log_close: Vec<f64> = (0..40).map(|i| f64::from(i) * 0.01).collect();
        let direction = Task::Direction { horizon: 3, labels: Labels::Fixed { threshold: 0.02 } };
        let mut classes = Calibrator::new(direction, CalibrationState::new(0.9, &direction, 24.0));
        let borders = Some(Borders { sell: -0.02, buy: 0.02 });
        let (means, scales) = (&[0.1, 0.3, 0.6], &[1.0; 3]);
        classes.issue(at(10), ForecastRow { means, scales, borders, confidences: &[] }, true);
        let volatility = Task::Volatility { horizon: 3 };
        let mut variances = Calibrator::new(volatility, CalibrationState::new(0.9, &volatility, 24.0));
        variances.issue(at(10), forecast(&[-8.0], &[2.0]), true);
        classes.advance(12, &log_close);
        variances.advance(12, &log_close);
        assert!(classes.state.steps[0].outcomes.is_empty() && variances.state.steps[0].known() == 0);
        classes.advance(13, &log_close);
        variances.advance(13, &log_close);
        // Three steps of one percent: above the border, and a variance of 3e-4.
        assert_eq!(classes.state.steps[0].outcomes, [(0.6, true)]);
        assert_eq!(variances.state.steps[0].known(), 1);
        assert!(classes.state.steps[0].states.is_empty(), "a class has no interval");
        assert!(variances.state.steps[0].outcomes.is_empty(), "a variance has no direction");
    }

    #[test]
    fn a_stored_state_goes_on_exactly() {
        let mut rng = Seed(2).stream();
        let mut log_close = vec![0.0];
        for i in 0..800 {
            log_close.push(log_close[i] + 0.01 * rng.normal());
        }
        let feed = |c: &mut Calibrator, rows: std::ops::Range<usize>| -> Vec<Calibrated> {
            rows.flat_map(|row| {
                c.advance(row, &log_close);
                c.issue(at(row), forecast(&[0.001, 0.002], &[0.01, 0.014]), true)
            })
            .collect()
        };
        let mut whole = price(2);
        feed(&mut whole, 0..500);
        whole.advance(502, &log_close);
        let json = serde_json::to_string(whole.state()).unwrap();
        let mut again = Calibrator::new(Task::Price { horizon: 2 }, serde_json::from_str(&json).unwrap());
        assert_eq!(feed(&mut whole, 502..700), feed(&mut again, 502..700));
    }
}
