//! [`evaluate`]: from forecasts to a report in which every model stands beside the naive ones.

use candlecast_core::Timestamp;
use rayon::prelude::*;

use crate::confidence::{Reliability, ReliabilityAccumulator};
use crate::conformal::{Calibrated, CalibrationState, Calibrator};
use crate::dataset::Market;
use crate::metrics::{Accumulator, Metrics, Outcome};
use crate::pipeline::{Contender, FitSummary};
use crate::significance::{Test, clark_west, diebold_mariano, holm, mean_above_zero, verdict};
use crate::split::Plan;
use crate::walk_forward::ForecastTable;

/// Scores of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// Candles ahead, from 1.
    pub step: usize,
    /// Mean absolute error of prices.
    pub mae: Option<f64>,
    /// Share of outcomes inside the interval.
    pub coverage: Option<f64>,
    /// Share of right directions.
    pub directional_accuracy: Option<f64>,
    /// Diebold-Mariano against naive at this step, Holm-corrected over the steps.
    pub p_value: Option<f64>,
}

/// A model against the naive forecast.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Diebold-Mariano (Harvey-Leybourne-Newbold) on absolute log-return errors averaged over the steps of an
    /// origin; one-sided.
    pub test: Option<Test>,
    /// Its p-value, Holm-corrected: of a model over the models compared, of a baseline over models and baselines.
    pub corrected: Option<f64>,
    /// Clark-West for squared loss; only for models that nest the naive forecast, which baselines do not.
    pub clark_west: Option<Test>,
    /// In words.
    pub verdict: String,
}

/// Direction against the better of a coin toss and the training part's majority sign.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DirectionTest {
    /// Accuracy of the reference on the same origins.
    pub reference: f64,
    /// One-sided test with overlap-corrected variance.
    pub test: Option<Test>,
}

/// Everything about one model.
#[derive(Debug, Clone)]
pub struct ModelReport {
    /// Name in tables.
    pub name: String,
    /// True for the naive forecasts.
    pub baseline: bool,
    /// Over all origins and steps.
    pub metrics: Metrics,
    /// By step.
    pub per_horizon: Vec<StepReport>,
    /// Against naive.
    pub vs_naive: Comparison,
    /// Direction; `None` for forecasts without one.
    pub direction: Option<DirectionTest>,
    /// Calibration of the confidences.
    pub reliability: Reliability,
    /// Time spent in fits, in seconds.
    pub fit_seconds: f64,
    /// How each fit went.
    pub fits: Vec<FitSummary>,
    /// What calibration knows at the end of the data.
    pub calibration: CalibrationState,
    /// Forecasts of the scored origins.
    pub forecasts: ScoredForecasts,
}

/// Forecasts of the scored origins with their intervals.
#[derive(Debug, Clone, Default)]
pub struct ScoredForecasts {
    /// Open time of the first origin's candle.
    pub from: Option<Timestamp>,
    /// Close of the last origin's candle.
    pub to: Option<Timestamp>,
    /// Rows of the origins.
    pub rows: Vec<usize>,
    /// Log returns, `[origin, step]`.
    pub means: Vec<f64>,
    /// Intervals and confidences, `[origin, step]`.
    pub calibrated: Vec<Calibrated>,
}

/// A report on all models of an evaluation.
#[derive(Debug, Clone)]
pub struct Report {
    /// Steps ahead.
    pub horizon: usize,
    /// Origins scored; the same for every model.
    pub origins: usize,
    /// Rows of the range left out because a candle there or ahead is missing or filled, or a feature undefined.
    pub left_out: usize,
    /// Share of outcomes the intervals are to cover.
    pub level: f64,
    /// Known outcomes that calibration began with.
    pub calibration_outcomes: usize,
    /// What differs from what was asked.
    pub notes: Vec<String>,
    /// Models in the order of the contenders.
    pub models: Vec<ModelReport>,
}

struct Scored {
    report: ModelReport,
    /// Absolute log-return errors, `[origin, step]`.
    abs_errors: Vec<f64>,
    /// Squared-loss adjustment of Clark and West, by origin.
    clark_west: Vec<f64>,
    calibration_outcomes: usize,
}

/// Scores `tables` (one a contender, same origins) over the rows of `plan.scored`. `tables[naive]` is the
/// naive forecast.
pub fn evaluate(
    contenders: &[Contender],
    tables: Vec<ForecastTable>,
    plan: &Plan,
    naive: usize,
    left_out: usize,
) -> Report {
    let market = contenders[0].panel.market();
    let level = contenders[0].config.level;
    let horizon = tables[naive].horizon;
    let training = TrainingFacts::of(market, plan, horizon);
    let mut scored: Vec<Scored> =
        contenders.par_iter().zip(tables).map(|(contender, table)| score(contender, table, plan, &training)).collect();
    compare(&mut scored, naive, horizon);
    let origins = scored[naive].report.forecasts.rows.len();
    Report {
        horizon,
        origins,
        left_out,
        level,
        calibration_outcomes: scored[naive].calibration_outcomes,
        notes: plan.notes.clone(),
        models: scored.into_iter().map(|s| s.report).collect(),
    }
}

/// What each fold's training part says without any model.
struct TrainingFacts {
    /// First test row of each fold.
    starts: Vec<usize>,
    /// `[fold][step]`: true where more training returns were positive than negative.
    majority_up: Vec<Vec<bool>>,
    /// `[fold][step]`: mean absolute price change, the naive forecast's error.
    naive_mae: Vec<Vec<f64>>,
}

impl TrainingFacts {
    fn of(market: &Market, plan: &Plan, horizon: usize) -> Self {
        let close = &market.series().columns().close;
        let facts: Vec<(Vec<bool>, Vec<f64>)> = plan
            .folds
            .par_iter()
            .map(|fold| {
                (1..=horizon)
                    .map(|h| {
                        let end = fold.fit_row.saturating_sub(h).max(fold.window_start);
                        let (mut up, mut abs, mut n) = (0i64, 0.0, 0.0_f64);
                        for row in fold.window_start..end {
                            if market.has_targets(row, h) {
                                let change = close[row + h] - close[row];
                                up += i64::from(change > 0.0) - i64::from(change < 0.0);
                                abs += change.abs();
                                n += 1.0;
                            }
                        }
                        (up > 0, if n > 0.0 { abs / n } else { f64::NAN })
                    })
                    .unzip()
            })
            .collect();
        let (majority_up, naive_mae) = facts.into_iter().unzip();
        Self { starts: plan.folds.iter().map(|f| f.test.start).collect(), majority_up, naive_mae }
    }

    fn fold_of(&self, row: usize) -> usize {
        self.starts.partition_point(|&s| s <= row).saturating_sub(1)
    }
}

fn score(contender: &Contender, table: ForecastTable, plan: &Plan, training: &TrainingFacts) -> Scored {
    let market = contender.panel.market();
    let (log_close, close) = (market.log_close(), &market.series().columns().close);
    let horizon = table.horizon;
    let mut calibrator = Calibrator::new(CalibrationState::new(contender.config.level, horizon));
    let mut sums = Sums::new(horizon);
    let mut forecasts = ScoredForecasts::default();
    let (mut abs_errors, mut clark_west) = (Vec::new(), Vec::new());
    let mut calibration_outcomes = None;
    for (i, &row) in table.rows.iter().enumerate() {
        let range = i * horizon..(i + 1) * horizon;
        let (means, scales) = (&table.means[range.clone()], &table.scales[range]);
        calibrator.advance(row, log_close);
        let issued = calibrator.issue(row, means, scales, true);
        if !plan.scored.contains(&row) {
            continue;
        }
        calibration_outcomes.get_or_insert_with(|| calibrator.state().outcomes());
        let fold = training.fold_of(row);
        sums.begin_origin();
        let mut adjusted = 0.0;
        for h in 0..horizon {
            let actual = log_close[row + h + 1] - log_close[row];
            let outcome = Outcome {
                origin_price: close[row],
                forecast: means[h],
                actual,
                half_width: Some(issued[h].half_width),
            };
            sums.add(h, &outcome, &issued[h], training.majority_up[fold][h], training.naive_mae[fold][h]);
            abs_errors.push((means[h] - actual).abs());
            adjusted += actual.powi(2) - (means[h] - actual).powi(2) + means[h].powi(2);
        }
        clark_west.push(adjusted / horizon as f64);
        forecasts.rows.push(row);
        forecasts.means.extend_from_slice(means);
        forecasts.calibrated.extend(issued);
    }
    forecasts.from = forecasts.rows.first().map(|&row| Timestamp(market.series().columns().open_time[row]));
    forecasts.to = forecasts.rows.last().map(|&row| market.series().close_time(row));
    calibrator.advance(plan.known_to.saturating_sub(1), log_close);
    let report = sums.finish(contender, table.fit_seconds, table.fits, calibrator.state().clone(), forecasts);
    Scored { report, abs_errors, clark_west, calibration_outcomes: calibration_outcomes.unwrap_or(0) }
}

/// Running sums of one model.
struct Sums {
    all: Accumulator,
    steps: Vec<Accumulator>,
    reliability: ReliabilityAccumulator,
    mase: (f64, f64),
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
            directions: vec![],
        }
    }

    fn begin_origin(&mut self) {
        self.directions.push((0.0, 0.0, 0.0));
    }

    fn add(&mut self, h: usize, o: &Outcome, c: &Calibrated, majority_up: bool, naive_mae: f64) {
        self.all.add(o);
        self.steps[h].add(o);
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

    fn finish(
        self,
        contender: &Contender,
        fit_seconds: f64,
        fits: Vec<FitSummary>,
        calibration: CalibrationState,
        forecasts: ScoredForecasts,
    ) -> ModelReport {
        let mut metrics = self.all.finish();
        metrics.mase = (self.mase.1 > 0.0).then(|| self.mase.0 / self.mase.1);
        let per_horizon = self
            .steps
            .iter()
            .enumerate()
            .map(|(h, a)| {
                let m = a.finish();
                StepReport {
                    step: h + 1,
                    mae: m.mae,
                    coverage: m.coverage,
                    directional_accuracy: m.directional_accuracy,
                    p_value: None,
                }
            })
            .collect();
        ModelReport {
            name: contender.name.clone(),
            baseline: contender.baseline,
            metrics,
            per_horizon,
            vs_naive: Comparison { test: None, corrected: None, clark_west: None, verdict: String::new() },
            direction: direction_test(&self.directions, contender.config.task.horizon()),
            reliability: self.reliability.finish(),
            fit_seconds,
            fits,
            calibration,
            forecasts,
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

/// Sets everything that needs the naive forecast beside the model.
fn compare(scored: &mut [Scored], naive: usize, horizon: usize) {
    let reference = scored[naive].abs_errors.clone();
    let naive_mae = scored[naive].report.metrics.mae;
    let by_origin = |errors: &[f64]| -> Vec<f64> {
        errors.chunks(horizon).map(|e| e.iter().sum::<f64>() / horizon as f64).collect()
    };
    let reference_mean = by_origin(&reference);
    scored.par_iter_mut().enumerate().for_each(|(i, s)| {
        s.report.metrics.skill = match (s.report.metrics.mae, naive_mae) {
            (Some(mae), Some(naive)) if naive > 0.0 => Some(1.0 - mae / naive),
            _ => None,
        };
        if i == naive {
            return;
        }
        s.report.vs_naive.test = diebold_mariano(&by_origin(&s.abs_errors), &reference_mean, horizon);
        if !s.report.baseline {
            s.report.vs_naive.clark_west = clark_west(&s.clark_west, horizon);
        }
        let raw: Vec<Option<f64>> = (0..horizon)
            .map(|h| {
                let column = |e: &[f64]| -> Vec<f64> { e.iter().skip(h).step_by(horizon).copied().collect() };
                diebold_mariano(&column(&s.abs_errors), &column(&reference), h + 1).map(|t| t.p_value)
            })
            .collect();
        for (step, p) in s.report.per_horizon.iter_mut().zip(holm(&raw)) {
            step.p_value = p;
        }
    });
    // The models that somebody chose to try are a family of their own: baselines, which were not tried in hope, do not
    // raise their p-values.
    let tried = |s: &Scored| s.report.vs_naive.test.filter(|_| !s.report.baseline).map(|t| t.p_value);
    let corrected = holm(&scored.iter().map(tried).collect::<Vec<_>>());
    // A baseline is called better only where it survives the correction over the whole table.
    let of_all = holm(&scored.iter().map(|s| s.report.vs_naive.test.map(|t| t.p_value)).collect::<Vec<_>>());
    for (i, (s, corrected)) in scored.iter_mut().zip(corrected).enumerate() {
        let vs = &mut s.report.vs_naive;
        vs.corrected = corrected.or(of_all[i]);
        vs.verdict = if i == naive { "the reference".into() } else { verdict(vs.test, vs.corrected) };
    }
}
