//! Scores of price forecasts.

use candlecast_core::Timestamp;

use crate::confidence::ReliabilityAccumulator;
use crate::conformal::Calibrated;
use crate::metrics::{Accumulator, Bounds, HitRate, OriginHits, Outcome};
use crate::significance::{
    BlockSums, Blocks, Resampler, Resamples, Serial, Test, VerdictCode, block_lengths, mean_above_zero,
};
use crate::tasks::error_unit;

use super::confidences::Confidences;
use super::{DRAWS, DirectionTest, Facts, Losses, REPLICATES, Scorer, StepReport, TaskMetrics, TaskScores, Told};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Share of cases in which the interval of a direction's excess covers the true one.
const EXCESS_LEVEL: f64 = 0.9;

/// Scores of price forecasts, step by step.
pub(crate) struct PriceScorer<'a> {
    facts: &'a Facts<'a>,
    horizon: usize,
    /// Share of outcomes that intervals are to cover.
    level: f64,
    sums: Sums,
}

impl<'a> PriceScorer<'a> {
    pub(crate) fn new(facts: &'a Facts<'a>, horizon: usize, level: f64) -> Self {
        Self { facts, horizon, level, sums: Sums::new(horizon) }
    }
}

impl Scorer for PriceScorer<'_> {
    fn add(&mut self, row: usize, told: Told<'_>, losses: &mut Losses) {
        let Told { forecast, issued, spread } = told;
        let (market, training) = (self.facts.market(), self.facts.training());
        let (log_close, close) = (market.log_close(), &market.series().columns().close);
        let fold = training.fold_of(row);
        self.sums.begin_origin(self.facts.opened(row));
        let hour = (market.series().close_time(row).0.rem_euclid(DAY_MS) / HOUR_MS) as u8;
        let mut adjusted = 0.0;
        for (h, (&mean, issued)) in forecast.means.iter().zip(issued).enumerate() {
            let actual = log_close[row + h + 1] - log_close[row];
            let (lower, upper, tercile) = (issued.lower, issued.upper, market.tercile()[row]);
            let bounds = Bounds { lower, upper, level: self.level, tercile, hour };
            let outcome = Outcome {
                origin_price: close[row],
                forecast: issued.mean,
                plain: mean,
                actual,
                interval: Some(bounds),
                crps: spread.get(h).and_then(|spread| spread.crps),
            };
            self.sums.add(h, &outcome, issued, training.majority_up[fold][h], training.naive_mae[fold][h]);
            let unit = error_unit(market, row, h + 1);
            losses.by_step.push((issued.mean - actual).abs() / unit);
            adjusted += (actual.powi(2) - (mean - actual).powi(2) + mean.powi(2)) / unit.powi(2);
        }
        losses.clark_west.push(adjusted / self.horizon as f64);
    }

    fn finish(self: Box<Self>) -> TaskScores {
        let Self { facts, sums, .. } = *self;
        let mut metrics = sums.all.finish();
        metrics.mase = (sums.mase.1 > 0.0).then(|| sums.mase.0 / sums.mase.1);
        // Returns of different steps have different sizes: their correlations are averaged, not formed together.
        let correlations: Vec<f64> = sums.steps.iter().filter_map(|s| s.finish().information_coefficient).collect();
        metrics.information_coefficient =
            (!correlations.is_empty()).then(|| correlations.iter().sum::<f64>() / correlations.len() as f64);
        let step = |(h, step): (usize, &Accumulator)| {
            let m = step.finish();
            StepReport {
                step: h + 1,
                mae: m.mae,
                coverage: m.coverage,
                interval_width: m.interval_width,
                interval_score: m.interval_score,
                crps: m.crps,
                information_coefficient: m.information_coefficient,
                coverage_by_volatility: m.coverage_by_volatility,
                factor: sums.factors[h] / m.count.max(1) as f64,
                directional_accuracy: m.directional_accuracy,
                p_value: None,
                verdict: VerdictCode::Reference,
            }
        };
        let (origins, candle_ms, serial) = (sums.hits(), facts.candle_ms(), facts.serial());
        TaskScores {
            per_horizon: sums.steps.iter().enumerate().map(step).collect(),
            direction: direction_test(&sums.directions, serial),
            reliability: sums.reliability.finish(),
            recent: HitRate::recent(&origins, candle_ms, serial),
            selected: sums.confidences.selected(facts.confidence_threshold(), &origins, candle_ms, serial),
            confidence_quantiles: sums.confidences.quantiles(),
            metrics: TaskMetrics::Price(metrics),
        }
    }
}

/// Running sums of one model.
struct Sums {
    all: Accumulator,
    steps: Vec<Accumulator>,
    reliability: ReliabilityAccumulator,
    mase: (f64, f64),
    /// Sums of the factors on the means, `[step]`.
    factors: Vec<f64>,
    /// Open of each origin's candle.
    opened: Vec<Timestamp>,
    /// By origin: sums over steps of hits, of the reference's hits, and their number.
    directions: Vec<(f64, f64, f64)>,
    confidences: Confidences,
}

impl Sums {
    fn new(horizon: usize) -> Self {
        Self {
            all: Accumulator::default(),
            steps: vec![Accumulator::default(); horizon],
            reliability: ReliabilityAccumulator::default(),
            mase: (0.0, 0.0),
            factors: vec![0.0; horizon],
            opened: vec![],
            directions: vec![],
            confidences: Confidences::default(),
        }
    }

    fn begin_origin(&mut self, opened: Timestamp) {
        self.opened.push(opened);
        self.directions.push((0.0, 0.0, 0.0));
    }

    /// Right directions by origin. The sums are whole numbers.
    fn hits(&self) -> Vec<OriginHits> {
        let of_origin = |(&opened, &(hits, _, directions)): (&Timestamp, &(f64, f64, f64))| OriginHits {
            opened,
            hits: hits as usize,
            directions: directions as usize,
        };
        self.opened.iter().zip(&self.directions).map(of_origin).collect()
    }

    fn add(&mut self, h: usize, o: &Outcome, c: &Calibrated, majority_up: Option<bool>, naive_mae: f64) {
        self.all.add(o);
        self.steps[h].add(o);
        self.factors[h] += c.factor;
        if naive_mae > 0.0 {
            let error = o.origin_price * (o.forecast.exp() - o.actual.exp()).abs();
            self.mase = (self.mase.0 + error / naive_mae, self.mase.1 + 1.0);
        }
        if c.calibrated {
            self.confidences.add(self.opened.len() - 1, c.confidence, o.hit());
        }
        if let Some(hit) = o.hit() {
            if c.calibrated {
                self.reliability.add(c.confidence, hit);
            }
            if let Some(d) = self.directions.last_mut() {
                d.0 += f64::from(u8::from(hit));
                // Where training knew no majority it is a coin toss.
                d.1 += majority_up.map_or(0.5, |up| f64::from(u8::from(up == (o.actual > 0.0))));
                d.2 += 1.0;
            }
        }
    }
}

/// `by_origin` holds sums over the steps of an origin: hits, hits of the majority sign, and their number.
///
/// Better than the better of the two references is who is better than both. So both are tested and the larger p-value
/// counts: which of the two was the better one, which only the test part tells, need not be known.
fn direction_test(by_origin: &[(f64, f64, f64)], serial: Serial) -> Option<DirectionTest> {
    let (majority, n) = by_origin.iter().fold((0.0, 0.0), |(m, n), d| (m + d.1, n + d.2));
    if n == 0.0 {
        return None;
    }
    // Every direction has one weight, as in the share of right ones that stands beside the test. Were it every origin,
    // one with a direction at a single step would count as much as one with all steps, and a model that is right in less
    // than half of its directions could be called better. Origins without a direction say nothing, but their place in time
    // counts for the overlap.
    let usual = n / by_origin.len() as f64;
    let against =
        |hits: fn(&(f64, f64, f64)) -> f64| -> Vec<f64> { by_origin.iter().map(|d| (d.0 - hits(d)) / usual).collect() };
    let excesses = [against(|d| 0.5 * d.2), against(|d| d.1)];
    let (reference, test) = ((majority / n).max(0.5), weakest(&excesses, serial));
    Some(DirectionTest { reference, test, interval: excess_interval(by_origin, serial) })
}

/// Interval of the share of right directions less that of the better reference, by the stationary bootstrap: each is a
/// ratio of sums over origins, whose blocks are as long as the errors of the share ask for and two horizons at least.
fn excess_interval(by_origin: &[(f64, f64, f64)], serial: Serial) -> Option<(f64, f64)> {
    let column = |pick: fn(&(f64, f64, f64)) -> f64| by_origin.iter().map(pick).collect::<Vec<f64>>();
    let (hits, usual, directions) = (column(|d| d.0), column(|d| d.1), column(|d| d.2));
    let sums = BlockSums::of(&[&hits, &usual, &directions]);
    let excess = |means: &[f64]| (means[2] > 0.0).then(|| (means[0] - means[1].max(0.5 * means[2])) / means[2]);
    let (estimate, rate) = (excess(sums.means())?, sums.means()[0] / sums.means()[2]);
    let errors: Vec<f64> = by_origin.iter().map(|d| d.0 - rate * d.2).collect();
    let length = block_lengths(&errors)?.stationary.max(2.0 * serial.horizon as f64);
    let resampler = Resampler::new(Blocks::Stationary, by_origin.len(), length);
    let drawn = sums.replicated_means(&resampler, REPLICATES, DRAWS).chunks_exact(3).filter_map(excess).collect();
    Some(Resamples::new(estimate, drawn)?.percentile_interval(EXCESS_LEVEL))
}

/// Of the tests that each of the means is above 0 the one with the largest p-value. Where all values of a series are
/// one there is no test: above 0 it needs none, at or below it there is nothing to find.
fn weakest(excesses: &[Vec<f64>], serial: Serial) -> Option<Test> {
    let mut weakest: Option<Test> = None;
    for excess in excesses {
        match mean_above_zero(excess, serial) {
            Some(test) if weakest.is_none_or(|weakest| test.p_value > weakest.p_value) => weakest = Some(test),
            None if excess.iter().sum::<f64>() <= 0.0 => return None,
            _ => {}
        }
    }
    weakest
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;

    use super::*;

    const SERIAL: Serial = Serial { horizon: 1, refit: 0 };

    /// True of two origins in three, at random.
    fn often(i: usize) -> bool {
        Seed(3).derive("often", i as u64).stream().uniform() < 2.0 / 3.0
    }

    fn credit(is_right: bool) -> f64 {
        f64::from(u8::from(is_right))
    }

    /// The test of a model that is right where `right` says so, against a majority sign with the credit `majority`.
    fn tested(right: fn(usize) -> bool, majority: fn(usize) -> f64) -> DirectionTest {
        let by_origin: Vec<(f64, f64, f64)> = (0..900).map(|i| (credit(right(i)), majority(i), 1.0)).collect();
        direction_test(&by_origin, SERIAL).unwrap()
    }

    /// Single directions that are nearly always right, and blocks of 24 that are right in less than half.
    #[test]
    fn every_direction_counts_the_same() {
        let of_origin =
            |i: usize| if i.is_multiple_of(3) { (11.0, 12.0, 24.0) } else { (credit(!i.is_multiple_of(10)), 0.5, 1.0) };
        let by_origin: Vec<(f64, f64, f64)> = (0..900).map(of_origin).collect();
        let (right, n) = by_origin.iter().fold((0.0, 0.0), |(right, n), d| (right + d.0, n + d.2));
        let tested = direction_test(&by_origin, SERIAL).unwrap();
        let test = tested.test.unwrap();
        assert!(right / n < tested.reference && test.mean < 0.0 && test.p_value > 0.5, "{right} of {n}: {tested:?}");
        let usual = n / 900.0;
        assert!((test.mean - (right / n - tested.reference) * n / 900.0 / usual).abs() < 1e-12, "{test:?}");
    }

    #[test]
    fn a_direction_has_to_beat_the_coin_and_the_majority() {
        let coin = tested(often, |_| 0.5);
        assert_eq!(coin.reference, 0.5, "a tie in training is a coin toss");
        let of_coin = coin.test.unwrap();
        assert!(of_coin.p_value < 0.001, "{of_coin:?}");
        // The market goes on as in training in nine of ten cases: to be right in two of three is less than that.
        let steady = tested(often, |i| credit(i % 10 != 3));
        assert!((steady.reference - 0.9).abs() < 1e-12, "{steady:?}");
        let of_majority = steady.test.unwrap();
        assert!(of_majority.mean < 0.0 && of_majority.p_value > 0.5, "{of_majority:?}");
        // It turned round: the coin is the better reference.
        let turned = tested(often, |i| credit(i % 10 == 3));
        assert_eq!((turned.reference, turned.test), (0.5, Some(of_coin)));
    }

    #[test]
    fn the_interval_of_the_excess_is_that_of_a_share_of_independent_directions() {
        // Of 900 directions of which two in three are right: 1.645 sqrt(2 / 9 / 900) to either side of 1/6.
        let (lower, upper) = tested(often, |_| 0.5).interval.unwrap();
        let rate = (0..900).filter(|&i| often(i)).count() as f64 / 900.0 - 0.5;
        assert!(lower < rate && rate < upper, "{lower} {rate} {upper}");
        assert!((0.042..0.062).contains(&(upper - lower)), "{lower} {upper}");
        // Against a majority that is right in nine of ten it lies below 0.
        let (_, upper) = tested(often, |i| credit(i % 10 != 3)).interval.unwrap();
        assert!(upper < -0.15, "{upper}");
    }

    #[test]
    fn who_always_says_the_majority_is_no_better_than_it() {
        let same = tested(often, |i| credit(often(i)));
        assert!(same.reference > 0.6 && same.test.is_none(), "{same:?}");
        // Always right: there is nothing to test against the coin, and the majority is beaten.
        let perfect = tested(|_| true, |i| credit(often(i)));
        assert!(perfect.test.unwrap().p_value < 0.001, "{perfect:?}");
        assert!(direction_test(&[(0.0, 0.0, 0.0); 50], SERIAL).is_none());
    }
}
