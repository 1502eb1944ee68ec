//! Scores of price forecasts.

use crate::confidence::ReliabilityAccumulator;
use crate::conformal::Calibrated;
use crate::metrics::{Accumulator, Bounds, Outcome};
use crate::significance::mean_above_zero;

use super::{DirectionTest, Facts, Losses, Scorer, StepReport, TaskMetrics, TaskScores, Told};

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
        self.sums.begin_origin();
        let mut adjusted = 0.0;
        for (h, (&mean, issued)) in forecast.means.iter().zip(issued).enumerate() {
            let actual = log_close[row + h + 1] - log_close[row];
            let (lower, upper, tercile) = (issued.lower, issued.upper, market.tercile()[row]);
            let outcome = Outcome {
                origin_price: close[row],
                forecast: issued.mean,
                plain: mean,
                actual,
                interval: Some(Bounds { lower, upper, level: self.level, tercile }),
                crps: spread.get(h).and_then(|spread| spread.crps),
            };
            self.sums.add(h, &outcome, issued, training.majority_up[fold][h], training.naive_mae[fold][h]);
            losses.by_step.push((issued.mean - actual).abs());
            adjusted += actual.powi(2) - (mean - actual).powi(2) + mean.powi(2);
        }
        losses.clark_west.push(adjusted / self.horizon as f64);
    }

    fn finish(self: Box<Self>) -> TaskScores {
        let Self { horizon, sums, .. } = *self;
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
            }
        };
        TaskScores {
            per_horizon: sums.steps.iter().enumerate().map(step).collect(),
            direction: direction_test(&sums.directions, horizon),
            reliability: sums.reliability.finish(),
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
    /// By origin: sums over steps of hits, of the reference's hits, and their number.
    directions: Vec<(f64, f64, f64)>,
}

impl Sums {
    fn new(horizon: usize) -> Self {
        Self {
            all: Accumulator::default(),
            steps: vec![Accumulator::default(); horizon],
            reliability: ReliabilityAccumulator::default(),
            mase: (0.0, 0.0),
            factors: vec![0.0; horizon],
            directions: vec![],
        }
    }

    fn begin_origin(&mut self) {
        self.directions.push((0.0, 0.0, 0.0));
    }

    fn add(&mut self, h: usize, o: &Outcome, c: &Calibrated, majority_up: bool, naive_mae: f64) {
        self.all.add(o);
        self.steps[h].add(o);
        self.factors[h] += c.factor;
        if naive_mae > 0.0 {
            let error = o.origin_price * (o.forecast.exp() - o.actual.exp()).abs();
            self.mase = (self.mase.0 + error / naive_mae, self.mase.1 + 1.0);
        }
        if let Some(hit) = o.hit() {
            if c.calibrated {
                self.reliability.add(c.confidence, hit);
            }
            if let Some(d) = self.directions.last_mut() {
                d.0 += f64::from(u8::from(hit));
                d.1 += f64::from(u8::from(majority_up == (o.actual > 0.0)));
                d.2 += 1.0;
            }
        }
    }
}

fn direction_test(by_origin: &[(f64, f64, f64)], horizon: usize) -> Option<DirectionTest> {
    let (majority, n) = by_origin.iter().fold((0.0, 0.0), |(m, n), d| (m + d.1, n + d.2));
    if n == 0.0 {
        return None;
    }
    let reference = (majority / n).max(0.5);
    let toss = majority / n <= 0.5;
    let excess: Vec<f64> = by_origin
        .iter()
        // Origins without a direction say nothing, but their place in time counts for the overlap.
        .map(|d| match d.2 {
            0.0 => 0.0,
            n if toss => d.0 / n - 0.5,
            n => (d.0 - d.1) / n,
        })
        .collect();
    Some(DirectionTest { reference, test: mean_above_zero(&excess, horizon) })
}
