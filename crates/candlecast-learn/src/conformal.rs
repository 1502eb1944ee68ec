//! [`Calibrator`]: adaptive conformal intervals and calibrated confidence, fed only with known outcomes.
//!
//! For step h the score of an outcome is `|actual - mean| / scale`. The interval's half-width is `scale` times
//! the `1 - a` quantile of the last 1,500 known scores, where `a` follows adaptive conformal inference (Gibbs
//! and Candès 2021): `a += gamma (alpha - missed)` whenever an outcome becomes known, h steps after its origin.
//! A static split fails on real markets (89 to 97 % instead of 90 %). This one is drawn back to its level whatever
//! the market does. Gibbs and Candès bound the error after T outcomes by `(1 + gamma) / (gamma T)` for outcomes that
//! are known at once and intervals that may become infinite; here an outcome is known h steps later and an interval
//! reaches at most 1.25 times the widest score, so the bound is a guide and the measured coverage decides.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::confidence::ConfidenceMap;
use crate::task::Task;
use crate::tasks::{Borders, Claim, Known};

/// Step size of the adaptation.
const GAMMA: f64 = 0.01;
/// Known scores kept for the quantile.
const WINDOW: usize = crate::split::CALIBRATION_OUTCOMES;
/// Outcomes kept for confidence.
const CONFIDENCE_WINDOW: usize = 4_000;
/// New outcomes after which the confidence map is fitted again.
const CONFIDENCE_REFIT: usize = 168;
/// Scores below which the interval is the normal one.
const MIN_SCORES: usize = 50;
/// How much wider than the widest score an interval is that must not miss.
const BEYOND_MAX: f64 = 1.25;

/// State of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StepState {
    /// Current miss rate aimed at; may leave 0..1.
    alpha: f64,
    /// Known scores, oldest first.
    scores: VecDeque<f32>,
    /// `(|mean| / scale, direction right)` of known outcomes with a direction, oldest first.
    outcomes: VecDeque<(f32, bool)>,
    /// Outcomes since the confidence map was fitted.
    since_fit: usize,
    /// From size to confidence; none before enough outcomes are known.
    confidence: Option<ConfidenceMap>,
    /// `scores` in ascending order.
    #[serde(skip)]
    sorted: Vec<f32>,
}

/// What calibration has learnt from known outcomes; stored with a model, a pure function of the outcomes fed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CalibrationState {
    level: f64,
    steps: Vec<StepState>,
}

/// Interval and confidence of one claim of a forecast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calibrated {
    /// Half-width of the interval in log returns or in log variance; of no meaning for classes, which have none.
    pub half_width: f64,
    /// Probability that the direction or class is right.
    pub confidence: f64,
    /// False where `confidence` is that of chance for want of outcomes or of a direction.
    pub calibrated: bool,
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
}

impl StepState {
    fn new(level: f64) -> Self {
        Self {
            alpha: 1.0 - level,
            scores: VecDeque::new(),
            outcomes: VecDeque::new(),
            since_fit: 0,
            confidence: None,
            sorted: vec![],
        }
    }

    /// Multiple of the scale that the interval reaches.
    fn quantile(&self, level: f64) -> f64 {
        let n = self.sorted.len();
        if n < MIN_SCORES {
            return statrs::function::erf::erf_inv(level) * std::f64::consts::SQRT_2;
        }
        let rank = ((n as f64 + 1.0) * (1.0 - self.alpha)).ceil();
        if rank < 1.0 {
            0.0
        } else if rank > n as f64 {
            f64::from(self.sorted[n - 1]) * BEYOND_MAX
        } else {
            f64::from(self.sorted[rank as usize - 1])
        }
    }

    /// Learns from what became of `pending`, known `lag` steps after its origin.
    fn absorb(&mut self, pending: &PendingClaim, known: Known, level: f64, lag: usize, chance: f64) {
        if let Some(actual) = known.actual {
            self.absorb_score(pending, actual, level);
        }
        if let (Some(right), Some(size)) = (known.right, pending.claim.size) {
            self.absorb_hit(size, right, lag, chance);
        }
    }

    fn absorb_score(&mut self, pending: &PendingClaim, actual: f64, level: f64) {
        let missed = (actual - pending.claim.mean).abs() > pending.half_width;
        if self.sorted.len() >= MIN_SCORES {
            self.alpha += GAMMA * ((1.0 - level) - f64::from(u8::from(missed)));
        }
        let score = ((actual - pending.claim.mean).abs() / pending.claim.scale) as f32;
        if self.scores.len() == WINDOW
            && let Some(oldest) = self.scores.pop_front()
        {
            let at = self.sorted.partition_point(|s| s.total_cmp(&oldest).is_lt());
            self.sorted.remove(at);
        }
        self.scores.push_back(score);
        let at = self.sorted.partition_point(|s| s.total_cmp(&score).is_lt());
        self.sorted.insert(at, score);
    }

    fn absorb_hit(&mut self, size: f64, right: bool, lag: usize, chance: f64) {
        if self.outcomes.len() == CONFIDENCE_WINDOW {
            self.outcomes.pop_front();
        }
        self.outcomes.push_back((size as f32, right));
        self.since_fit += 1;
        if self.since_fit >= CONFIDENCE_REFIT || self.confidence.is_none() && self.since_fit.is_multiple_of(24) {
            self.confidence = ConfidenceMap::fit(self.outcomes.make_contiguous(), lag, chance);
            self.since_fit = if self.confidence.is_some() { 0 } else { self.since_fit };
        }
    }

    fn restore(&mut self) {
        self.sorted = self.scores.iter().copied().collect();
        self.sorted.sort_by(f32::total_cmp);
    }
}

impl CalibrationState {
    /// Nothing known yet, for intervals of `level` (0.5 to 0.99) of the claims of `task`.
    pub fn new(level: f64, task: &Task) -> Self {
        Self { level, steps: vec![StepState::new(level); task.claims()] }
    }

    /// Share of outcomes the intervals are to cover.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// False for a state that no outcomes can have given, such as one from a file that was edited.
    pub fn is_sound(&self) -> bool {
        (0.0..1.0).contains(&self.level)
            && self.steps.iter().all(|s| s.confidence.as_ref().is_none_or(ConfidenceMap::is_sound))
    }

    /// Claims that it knows of: the steps of a price forecast, else one.
    pub fn claims(&self) -> usize {
        self.steps.len()
    }

    /// Known outcomes of the claim that has fewest: those behind its intervals, of a class those behind its confidence.
    pub fn outcomes(&self) -> usize {
        let known = |s: &StepState| if s.scores.is_empty() { s.outcomes.len() } else { s.scores.len() };
        self.steps.iter().map(known).min().unwrap_or(0)
    }
}

#[derive(Debug, Clone, Copy)]
struct PendingClaim {
    claim: Claim,
    half_width: f64,
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
}

impl Calibrator {
    /// Goes on from `state`, which is of `task`.
    pub fn new(task: Task, mut state: CalibrationState) -> Self {
        for step in &mut state.steps {
            step.restore();
        }
        Self { task, state, pending: VecDeque::new() }
    }

    /// Learns from every outcome known at the close of `row`. `log_close` is `[row]`; only rows up to `row` are read.
    pub fn advance(&mut self, row: usize, log_close: &[f64]) {
        self.advance_within(row, 0, log_close);
    }

    /// As [`Calibrator::advance`], where the first of `log_close` is that of row `first`, which must be no later than
    /// the origin of any forecast that is still open: one horizon back is always enough.
    pub(crate) fn advance_within(&mut self, row: usize, first: usize, log_close: &[f64]) {
        let (level, kind, horizon) = (self.state.level, self.task.kind(), self.task.horizon());
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
                self.state.steps[pending.known].absorb(waiting, known, level, lag, kind.chance());
                pending.known += 1;
            }
        }
        while self.pending.front().is_some_and(|p| p.known == p.claims.len()) {
            self.pending.pop_front();
        }
    }

    /// Intervals and confidences for a forecast from `row`, `[claim]`. Rows must not go back. The forecast's outcomes
    /// are learnt from later if `scored` (all of its targets will be real candles).
    pub fn issue(&mut self, row: usize, forecast: ForecastRow<'_>, scored: bool) -> Vec<Calibrated> {
        self.issue_scoring(row, forecast, if scored { self.task.horizon() } else { 0 })
    }

    /// As [`Calibrator::issue`], where only claims on the first `steps` steps will be learnt from: the target of the
    /// next one is missing.
    pub(crate) fn issue_scoring(&mut self, row: usize, forecast: ForecastRow<'_>, steps: usize) -> Vec<Calibrated> {
        debug_assert!(self.pending.back().is_none_or(|p| p.row < row), "origins come in time order");
        let (level, kind, horizon) = (self.state.level, self.task.kind(), self.task.horizon());
        let mut claims: Vec<PendingClaim> = kind
            .claim(forecast.means, forecast.scales, forecast.borders)
            .into_iter()
            .zip(&self.state.steps)
            .map(|(claim, step)| PendingClaim { claim, half_width: claim.scale * step.quantile(level) })
            .collect();
        let out = claims
            .iter()
            .zip(&self.state.steps)
            .map(|(p, step)| {
                let sized = step.confidence.as_ref().zip(p.claim.size);
                Calibrated {
                    half_width: p.half_width,
                    confidence: sized.map_or(kind.chance(), |(map, size)| map.probability(size)),
                    calibrated: sized.is_some(),
                }
            })
            .collect();
        claims.truncate((0..claims.len()).take_while(|&claim| kind.lag(horizon, claim) <= steps).count());
        if !claims.is_empty() {
            self.pending.push_back(Pending { row, claims, known: 0 });
        }
        out
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Labels;
    use candlecast_core::Seed;

    fn price(horizon: usize) -> Calibrator {
        let task = Task::Price { horizon };
        Calibrator::new(task, CalibrationState::new(0.9, &task))
    }

    fn forecast<'a>(means: &'a [f64], scales: &'a [f64]) -> ForecastRow<'a> {
        ForecastRow { means, scales, borders: None }
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
            let issued = calibrator.issue(row, forecast(&vec![0.0; horizon], &scales), true);
            if row >= 1_500 {
                count += 1.0;
                for (h, c) in issued.iter().enumerate() {
                    let actual = log_close[row + h + 1] - log_close[row];
                    inside[h] += f64::from(u8::from(actual.abs() <= c.half_width));
                }
            }
        }
        inside.iter().map(|i| i / count).collect()
    }

    #[test]
    fn coverage_holds_when_volatility_jumps_and_scales_are_wrong() {
        for coverage in run(|_| 1.0).into_iter().chain(run(|row| if row % 2_000 < 700 { 0.5 } else { 3.0 })) {
            assert!((0.885..0.915).contains(&coverage), "{coverage}");
        }
    }

    #[test]
    fn outcomes_are_learnt_only_when_known() {
        let log_close: Vec<f64> = (0..40).map(|i| f64::from(i) * 0.01).collect();
        let mut a = price(3);
        a.issue(10, forecast(&[0.0; 3], &[1.0; 3]), true);
        a.advance(10, &log_close);
        assert_eq!(a.state.steps[0].scores.len(), 0);
        a.advance(11, &log_close);
        assert_eq!([0, 1, 2].map(|h: usize| a.state.steps[h].scores.len()), [1, 0, 0]);
        a.advance(20, &log_close);
        assert_eq!([0, 1, 2].map(|h: usize| a.state.steps[h].scores.len()), [1, 1, 1]);
        assert!((a.state.steps[2].scores[0] - 0.03).abs() < 1e-6);
    }

    #[test]
    fn classes_and_variances_are_learnt_from_when_their_horizon_is_over() {
        let log_close: Vec<f64> = (0..40).map(|i| f64::from(i) * 0.01).collect();
        let direction = Task::Direction { horizon: 3, labels: Labels::Fixed { threshold: 0.02 } };
        let mut classes = Calibrator::new(direction, CalibrationState::new(0.9, &direction));
        let borders = Some(Borders { sell: -0.02, buy: 0.02 });
        classes.issue(10, ForecastRow { means: &[0.1, 0.3, 0.6], scales: &[1.0; 3], borders }, true);
        let volatility = Task::Volatility { horizon: 3 };
        let mut variances = Calibrator::new(volatility, CalibrationState::new(0.9, &volatility));
        variances.issue(10, forecast(&[-8.0], &[2.0]), true);
        classes.advance(12, &log_close);
        variances.advance(12, &log_close);
        assert!(classes.state.steps[0].outcomes.is_empty() && variances.state.steps[0].scores.is_empty());
        classes.advance(13, &log_close);
        variances.advance(13, &log_close);
        // Three steps of one percent: above the border, and a variance of 3e-4.
        assert_eq!(classes.state.steps[0].outcomes, [(0.6, true)]);
        assert!((f64::from(variances.state.steps[0].scores[0]) - (3e-4_f64.ln() + 8.0).abs() / 2.0).abs() < 1e-6);
        assert!(classes.state.steps[0].scores.is_empty(), "a class has no interval");
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
                c.issue(row, forecast(&[0.001, 0.002], &[0.01, 0.014]), true)
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
