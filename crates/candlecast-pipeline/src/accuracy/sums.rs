//! [`LogSums`]: the sums over validated predictions that all figures of the log follow from. They add up, so that old
//! predictions may be summed up day by day and forgotten, and the figures stay what they were.
//!
//! Verdicts and hit rates depend on the order of the origins: the e-process is a product over outcomes in order, and it
//! begins with the window that is looked at. So there is an entry for each origin and group of steps, of which everything
//! else is made anew; the steps of an origin add up.

use std::collections::BTreeMap;

use candlecast_core::Move;
use candlecast_learn::{Accumulator, CLASSES, ClassAccumulator, Outcome, VolatilityAccumulator, VolatilityOutcome};
use serde::{Deserialize, Serialize};

use super::{Scored, ScoredClass, ScoredVolatility, group_of};

/// The sums of one model's validated predictions on one series. Serialized they are kept in the records, so fields keep
/// their names, and what is added to them has a default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LogSums {
    /// Of prices, by the first step of the group.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) price: BTreeMap<u32, PriceSums>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) direction: Option<DirectionSums>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) volatility: Option<VolatilitySums>,
}

impl LogSums {
    /// Adds a prediction of a price. One whose numbers are no prices (not positive, or beyond 1e100) has no log return
    /// and is left out; none is ever made.
    pub fn add_price(&mut self, scored: &Scored) {
        if [scored.base, scored.prediction, scored.actual].into_iter().all(is_price) {
            self.price.entry(group_of(scored.step)).or_default().add(scored);
        }
    }

    /// Adds a prediction of a class.
    pub fn add_class(&mut self, scored: &ScoredClass) {
        self.direction.get_or_insert_default().add(scored);
    }

    /// Adds a prediction of a volatility. One whose numbers are no volatilities (not positive, but for an outcome of 0,
    /// or beyond 1e75) is left out; none is ever made.
    pub fn add_volatility(&mut self, scored: &ScoredVolatility) {
        if is_volatility(scored.prediction) && (scored.actual == 0.0 || is_volatility(scored.actual)) {
            self.volatility.get_or_insert_default().add(scored);
        }
    }

    /// Adds what `other` was fed: counts are exact, sums those of all predictions to rounding.
    pub fn merge(&mut self, other: &Self) {
        for (&group, sums) in &other.price {
            self.price.entry(group).or_default().merge(sums);
        }
        if let Some(sums) = &other.direction {
            self.direction.get_or_insert_default().merge(sums);
        }
        if let Some(sums) = &other.volatility {
            self.volatility.get_or_insert_default().merge(sums);
        }
    }

    /// Entries of origins, which is what sums are large by: some 100 bytes each.
    pub fn entries(&self) -> usize {
        let prices: usize = self.price.values().map(|sums| sums.origins.len()).sum();
        let classes = self.direction.as_ref().map_or(0, |sums| sums.origins.len());
        prices + classes + self.volatility.as_ref().map_or(0, |sums| sums.origins.len())
    }
}

/// True of numbers whose ratios and squares stay finite.
fn is_price(value: f64) -> bool {
    (1e-100..=1e100).contains(&value)
}

/// True of numbers the ratio of whose squares stays finite.
fn is_volatility(value: f64) -> bool {
    (1e-75..=1e75).contains(&value)
}

/// Of the prices of a group of steps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PriceSums {
    /// First step that occurs; 0 without any.
    pub(super) first: u32,
    /// Last step that occurs.
    pub(super) last: u32,
    pub(super) model: Accumulator,
    /// Of "the price stays".
    pub(super) naive: Accumulator,
    pub(super) intervals: IntervalSums,
    /// By origin, ms.
    pub(super) origins: BTreeMap<i64, OriginSums>,
}

/// Of intervals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct IntervalSums {
    pub(super) n: usize,
    /// Outcomes inside.
    pub(super) inside: usize,
    /// Sum of the shares that were to be covered.
    pub(super) level: f64,
}

/// Of the steps of one origin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "WrittenOrigin", into = "WrittenOrigin")]
pub(super) struct OriginSums {
    /// Steps.
    pub(super) n: u32,
    /// The last of them.
    pub(super) last: u32,
    /// Right directions.
    pub(super) hits: u32,
    /// Directions of forecasts whose outcome has one.
    pub(super) directions: u32,
    /// By how much the model's absolute errors of log returns were smaller than naive's, in units of the root of the
    /// step.
    pub(super) difference: f64,
    /// The bound of that, known at the origin: the size of the forecast, in the same unit.
    pub(super) bound: f64,
}

/// A row of numbers: there are many of them.
type WrittenOrigin = (u32, u32, u32, u32, f64, f64);

impl From<WrittenOrigin> for OriginSums {
    fn from((n, last, hits, directions, difference, bound): WrittenOrigin) -> Self {
        Self { n, last, hits, directions, difference, bound }
    }
}

impl From<OriginSums> for WrittenOrigin {
    fn from(o: OriginSums) -> Self {
        (o.n, o.last, o.hits, o.directions, o.difference, o.bound)
    }
}

impl PriceSums {
    pub(super) fn add(&mut self, s: &Scored) {
        self.first = if self.first == 0 { s.step } else { self.first.min(s.step) };
        self.last = self.last.max(s.step);
        let actual = (s.actual / s.base).ln();
        let outcome = |forecast: f64| Outcome::point(s.base, forecast, actual);
        // Only the sign of what the forecast was before its factor is in the log.
        let plain = match s.direction() {
            Move::Up => 1.0,
            Move::Down => -1.0,
            Move::None => 0.0,
        };
        self.model.add(&Outcome { plain, ..outcome((s.prediction / s.base).ln()) });
        self.naive.add(&outcome(0.0));
        if let Some((lower, upper, level)) = s.interval {
            self.intervals.add(lower <= s.actual && s.actual <= upper, level);
        }
        let root = f64::from(s.step).sqrt();
        let hit = s.is_hit();
        self.origins.entry(s.origin).or_default().merge(&OriginSums {
            n: 1,
            last: s.step,
            hits: u32::from(hit == Some(true)),
            directions: u32::from(hit.is_some()),
            difference: ((s.base / s.actual).ln().abs() - (s.prediction / s.actual).ln().abs()) / root,
            bound: (s.prediction / s.base).ln().abs() / root,
        });
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.first = match (self.first, other.first) {
            (0, first) | (first, 0) => first,
            (a, b) => a.min(b),
        };
        self.last = self.last.max(other.last);
        self.model.merge(&other.model);
        self.naive.merge(&other.naive);
        self.intervals.merge(&other.intervals);
        for (&origin, sums) in &other.origins {
            self.origins.entry(origin).or_default().merge(sums);
        }
    }
}

impl IntervalSums {
    fn add(&mut self, is_inside: bool, level: f64) {
        self.merge(&Self { n: 1, inside: usize::from(is_inside), level });
    }

    fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.inside += other.inside;
        self.level += other.level;
    }

    /// Share of outcomes inside, and mean share that was to be covered; `None` without any interval.
    pub(super) fn shares(&self) -> (Option<f64>, Option<f64>) {
        let of = |sum: f64| (self.n > 0).then(|| sum / self.n as f64);
        (of(self.inside as f64), of(self.level))
    }
}

impl OriginSums {
    fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.last = self.last.max(other.last);
        self.hits += other.hits;
        self.directions += other.directions;
        self.difference += other.difference;
        self.bound += other.bound;
    }
}

/// Of classes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DirectionSums {
    pub(super) classes: ClassAccumulator,
    pub(super) confidence: ConfidenceSums,
    /// By origin, ms.
    pub(super) origins: BTreeMap<i64, ClassOrigin>,
}

/// Of the confidence, where there is one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ConfidenceSums {
    pub(super) n: usize,
    pub(super) sum: f64,
    /// Right classes.
    pub(super) right: usize,
    /// Squared distances from what came true.
    pub(super) brier: f64,
}

/// Of the classes that were forecast from one origin, as a rule one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "(u32, u32, u32)", into = "(u32, u32, u32)")]
pub(super) struct ClassOrigin {
    pub(super) n: u32,
    /// Candles that they reach ahead at most.
    pub(super) last: u32,
    /// Right ones.
    pub(super) hits: u32,
}

impl From<(u32, u32, u32)> for ClassOrigin {
    fn from((n, last, hits): (u32, u32, u32)) -> Self {
        Self { n, last, hits }
    }
}

impl From<ClassOrigin> for (u32, u32, u32) {
    fn from(o: ClassOrigin) -> Self {
        (o.n, o.last, o.hits)
    }
}

impl DirectionSums {
    pub(super) fn add(&mut self, s: &ScoredClass) {
        let mut named = [0.0; CLASSES];
        named[s.class as usize] = 1.0;
        self.classes.add(named, s.actual as usize);
        let is_right = s.class == s.actual;
        if let Some(confidence) = s.confidence {
            let distance = confidence - f64::from(u8::from(is_right));
            self.confidence.n += 1;
            self.confidence.sum += confidence;
            self.confidence.right += usize::from(is_right);
            self.confidence.brier += distance * distance;
        }
        self.origins.entry(s.origin).or_default().merge(ClassOrigin { n: 1, last: s.step, hits: u32::from(is_right) });
    }

    fn merge(&mut self, other: &Self) {
        self.classes.merge(&other.classes);
        self.confidence.n += other.confidence.n;
        self.confidence.sum += other.confidence.sum;
        self.confidence.right += other.confidence.right;
        self.confidence.brier += other.confidence.brier;
        for (&origin, &sums) in &other.origins {
            self.origins.entry(origin).or_default().merge(sums);
        }
    }
}

impl ClassOrigin {
    fn merge(&mut self, other: Self) {
        self.n += other.n;
        self.last = self.last.max(other.last);
        self.hits += other.hits;
    }
}

/// Of volatilities.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct VolatilitySums {
    pub(super) metrics: VolatilityAccumulator,
    /// Of outcomes at which a price moved.
    pub(super) intervals: IntervalSums,
    /// Candles that the forecasts reach ahead at most, by origin, ms.
    pub(super) origins: BTreeMap<i64, u32>,
}

impl VolatilitySums {
    pub(super) fn add(&mut self, s: &ScoredVolatility) {
        let variance = |volatility: f64| volatility.powi(2);
        self.metrics.add(&VolatilityOutcome {
            forecast: variance(s.prediction).ln(),
            actual: variance(s.actual),
            interval: None,
        });
        if let Some((lower, upper, level)) = s.interval.filter(|_| s.actual > 0.0) {
            self.intervals.add((lower..=upper).contains(&s.actual), level);
        }
        self.reach(s.origin, s.step);
    }

    fn merge(&mut self, other: &Self) {
        self.metrics.merge(&other.metrics);
        self.intervals.merge(&other.intervals);
        other.origins.iter().for_each(|(&origin, &step)| self.reach(origin, step));
    }

    fn reach(&mut self, origin: i64, step: u32) {
        let last = self.origins.entry(origin).or_default();
        *last = (*last).max(step);
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::{Action, Interval, Seed, SeriesKey, Symbol, Venue};
    use proptest::prelude::*;

    use super::*;
    use crate::accuracy::{GroupAccuracy, ModelAccuracy, ScoredLog, TaskFigures, accuracy};

    const HOUR_MS: i64 = 3_600_000;
    const DAY_MS: i64 = 24 * HOUR_MS;

    /// Forecasts over `horizon` hours from origins `apart` to twice as many hours apart, and what came of them; a few
    /// have no outcome, no interval or no direction of their own.
    fn made(seed: u64, origins: usize, horizon: u32, apart: usize) -> ScoredLog {
        let mut rng = Seed(seed).derive("sums", 0).stream();
        let mut log = ScoredLog::default();
        let mut hour = 400_000_i64;
        for _ in 0..origins {
            hour += (apart + rng.below(apart + 1)) as i64;
            let (origin, base) = (hour * HOUR_MS, 100.0 * (1.0 + 0.2 * rng.uniform()));
            for step in 1..=horizon {
                let actual = base * (0.01 * rng.normal()).exp();
                let prediction = if rng.below(9) == 0 { base } else { base * (0.004 * rng.normal()).exp() };
                let direction = [None, Some(Move::Up), Some(Move::Down), Some(Move::None)][rng.below(4)];
                let interval = (rng.below(5) > 0).then_some((prediction * 0.99, prediction * 1.01, 0.9));
                if rng.below(20) > 0 {
                    log.price.push(Scored { origin, step, base, prediction, direction, actual, interval });
                }
            }
            let (class, actual) = (Action::ALL[rng.below(3)], Action::ALL[rng.below(3)]);
            let confidence = (rng.below(3) > 0).then(|| rng.uniform());
            log.direction.push(ScoredClass { origin, step: horizon, class, actual, confidence });
            let prediction = 0.01 + 0.01 * rng.uniform();
            let actual = if rng.below(8) == 0 { 0.0 } else { 0.01 + 0.02 * rng.uniform() };
            let interval = Some((0.8 * prediction, 1.2 * prediction, 0.8));
            log.volatility.push(ScoredVolatility { origin, step: horizon, prediction, actual, interval });
        }
        log
    }

    /// `log` with what has its target before `border` summed up by day, each day in two pieces, and read back.
    fn rolled_up(log: &ScoredLog, border: i64) -> ScoredLog {
        let mut pieces: BTreeMap<(i64, usize), LogSums> = BTreeMap::new();
        let target = |origin: i64, step: u32| origin + i64::from(step) * HOUR_MS;
        let piece = |at: i64, i: usize| (at.div_euclid(DAY_MS), i % 2);
        let mut left = ScoredLog::default();
        for (i, s) in log.price.iter().enumerate() {
            match target(s.origin, s.step) {
                at if at < border => pieces.entry(piece(at, i)).or_default().add_price(s),
                _ => left.price.push(*s),
            }
        }
        for (i, s) in log.direction.iter().enumerate() {
            match target(s.origin, s.step) {
                at if at < border => pieces.entry(piece(at, i)).or_default().add_class(s),
                _ => left.direction.push(*s),
            }
        }
        for (i, s) in log.volatility.iter().enumerate() {
            match target(s.origin, s.step) {
                at if at < border => pieces.entry(piece(at, i)).or_default().add_volatility(s),
                _ => left.volatility.push(*s),
            }
        }
        for piece in pieces.values() {
            let read: LogSums = serde_json::from_str(&serde_json::to_string(piece).unwrap()).unwrap();
            assert_eq!(&read, piece);
            left.rolled_up.merge(&read);
        }
        left
    }

    fn judged(log: ScoredLog) -> Vec<ModelAccuracy> {
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        accuracy(BTreeMap::from([(("m".to_owned(), key), log)]))
    }

    /// What is told of a log.
    #[derive(Default)]
    struct Figures {
        /// Counts and words, which are to be equal.
        exact: Vec<String>,
        /// Sums, which are to be equal to rounding.
        sums: Vec<Option<f64>>,
        /// Differences, which are to be so in units of what they are the difference of, about 1.
        differences: Vec<Option<f64>>,
    }

    impl Figures {
        fn of(models: &[ModelAccuracy]) -> Self {
            let mut figures = Self::default();
            for model in models {
                model.groups.iter().for_each(|group| figures.add_group(group));
                figures.add_whole(model);
            }
            figures
        }

        fn add_group(&mut self, group: &GroupAccuracy) {
            let recent = group.recent.map(|r| (r.from, r.to, r.origins, r.hits, r.directions));
            let counts = [group.n, group.origins, group.independent, group.n_directional, group.n_intervals];
            let outcomes = group.test.map(|t| t.outcomes);
            self.exact.push(format!("{:?} {counts:?} {recent:?} {outcomes:?} {}", group.steps, group.verdict));
            let (m, naive) = (&group.metrics, &group.naive);
            self.sums.extend([m.mae, m.rmse, m.mape, m.smape, m.max_error, m.min_error, m.directional_accuracy]);
            self.sums.extend([naive.mae, naive.rmse, naive.mape, group.coverage, group.level]);
            self.sums.extend([group.test.map(|t| t.e_value), group.test.map(|t| t.p_value), group.corrected]);
            self.sums.push(group.test.map(|t| t.worse));
            let interval = group.recent.and_then(|r| r.interval);
            self.sums.extend([group.recent.map(|r| r.rate), interval.map(|i| i.0), interval.map(|i| i.1)]);
            self.differences.extend([m.r2, m.r2_price, m.mean_error, group.skill]);
        }

        fn add_whole(&mut self, model: &ModelAccuracy) {
            let Some(whole) = &model.whole else { return };
            self.exact.push(format!("{} {} {} {}", whole.step, whole.n, whole.independent, whole.verdict));
            match &whole.figures {
                TaskFigures::Direction(f) => {
                    self.exact.push(format!("{:?} {:?} {:?}", f.metrics, f.majority, f.recent));
                    let (share, confidence) = (Some(f.majority_share), f.confidence);
                    self.sums.extend([share, confidence.map(|c| c.mean), confidence.map(|c| c.right)]);
                    self.sums.push(confidence.map(|c| c.brier));
                }
                TaskFigures::Volatility(f) => {
                    let m = &f.metrics;
                    self.exact.push(format!("{} {} {}", m.count, m.zero_variance, f.n_intervals));
                    self.sums.extend([m.qlike, m.rmse, m.mae, f.coverage, f.level]);
                    self.differences.push(m.r2);
                }
            }
        }
    }

    fn assert_alike(found: &[ModelAccuracy], expected: &[ModelAccuracy]) {
        let (found, expected) = (Figures::of(found), Figures::of(expected));
        assert_eq!(found.exact, expected.exact);
        assert_close(&found.sums, &expected.sums, 0.0);
        assert_close(&found.differences, &expected.differences, 1.0);
    }

    /// To 12 digits of the value, or of `scale` where that is larger.
    fn assert_close(found: &[Option<f64>], expected: &[Option<f64>], scale: f64) {
        assert_eq!(found.len(), expected.len());
        for (i, (a, b)) in found.iter().zip(expected).enumerate() {
            let is_alike = match (a, b) {
                (Some(a), Some(b)) => (a - b).abs() <= 1e-12 * b.abs().max(scale),
                (None, None) => true,
                _ => false,
            };
            assert!(is_alike, "figure {i}: {a:?} instead of {b:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_summed_up_by_day_is_judged_as_it_was(
            seed in 0..1_000_u64,
            origins in 1..160_usize,
            horizon in 1..30_u32,
            apart in 1..20_usize,
            share in 0.0..1.1_f64,
        ) {
            let log = made(seed, origins, horizon, apart);
            let (first, last) = (log.direction[0].origin, log.direction[log.direction.len() - 1].origin);
            let border = first + (share * (last - first) as f64) as i64 + DAY_MS;
            let border = border.div_euclid(DAY_MS) * DAY_MS;
            let whole = judged(log.clone());
            assert_alike(&judged(rolled_up(&log, border)), &whole);
            // All of it, and once more in other pieces.
            assert_alike(&judged(rolled_up(&log, i64::MAX)), &whole);
        }
    }

    #[test]
    fn a_verdict_that_finds_something_outlives_the_predictions() {
        // Right in two of three: enough to be found over some hundred outcomes.
        let log: Vec<Scored> = (0..600)
            .map(|i| {
                let outcome = if i % 5 == 0 { 0.99 } else { 1.01 };
                let prediction = if i % 3 == 0 { 99.7 } else { 100.3 };
                let (origin, actual) = (i * HOUR_MS, 100.0 * outcome);
                Scored { origin, step: 1, base: 100.0, prediction, direction: None, actual, interval: None }
            })
            .collect();
        let log = ScoredLog { price: log, ..ScoredLog::default() };
        let whole = judged(log.clone());
        assert!(whole[0].groups[0].verdict.starts_with("better than naive"), "{}", whole[0].groups[0].verdict);
        for day in [1, 2, 13, 25] {
            let rolled = rolled_up(&log, day * DAY_MS);
            assert!(rolled.price.len() < log.price.len() && rolled.rolled_up.entries() > 0);
            assert_alike(&judged(rolled), &whole);
        }
    }

    #[test]
    fn numbers_that_are_no_prices_and_no_volatilities_are_left_out() {
        let price = Scored {
            origin: 0,
            step: 1,
            base: 100.0,
            prediction: 101.0,
            direction: None,
            actual: 102.0,
            interval: None,
        };
        let volatility = ScoredVolatility { origin: 0, step: 1, prediction: 0.02, actual: 0.0, interval: None };
        let mut sums = LogSums::default();
        for bad in [0.0, -1.0, 1e200, f64::MIN_POSITIVE] {
            sums.add_price(&Scored { base: bad, ..price });
            sums.add_price(&Scored { prediction: bad, ..price });
            sums.add_price(&Scored { actual: bad, ..price });
            sums.add_volatility(&ScoredVolatility { prediction: bad, ..volatility });
        }
        assert_eq!(sums, LogSums::default());
        sums.add_price(&price);
        sums.add_volatility(&volatility);
        assert_eq!(sums.entries(), 2);
        assert!(!serde_json::to_string(&sums).unwrap().contains("null"), "every number has a text");
    }

    #[test]
    fn steps_are_of_the_groups_that_figures_are_told_by() {
        assert_eq!([1, 2, 6, 7, 24, 25, 96, 97, u32::MAX].map(group_of), [1, 2, 2, 7, 7, 25, 25, 97, 97]);
    }
}
