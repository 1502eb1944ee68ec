//! What an evaluation says.

use candlecast_core::Timestamp;

use crate::confidence::Reliability;
use crate::conformal::{Calibrated, CalibrationState, ForecastRow};
use crate::dataset::Market;
use crate::ensemble::EnsembleFits;
use crate::forecaster::FitSummary;
use crate::metrics::{ClassMetrics, HitRate, Metrics, VolatilityMetrics};
use crate::significance::{Test, VERDICT_LEVEL, VerdictCode};
use crate::task::Task;
use crate::tasks::Borders;

use super::confidences::Selected;
use super::{DailyLosses, Hindsight};

/// Scores of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepReport {
    /// Candles ahead, from 1.
    pub step: usize,
    /// Mean absolute error of prices.
    pub mae: Option<f64>,
    /// Share of outcomes inside the interval.
    pub coverage: Option<f64>,
    /// Mean width of the interval in log returns.
    pub interval_width: Option<f64>,
    /// Mean interval score in log returns.
    pub interval_score: Option<f64>,
    /// Mean continuous ranked probability score in log returns.
    pub crps: Option<f64>,
    /// Correlation of means, before their factor, and log returns.
    pub information_coefficient: Option<f64>,
    /// Share of outcomes inside the interval in calm, middle and wild times.
    pub coverage_by_volatility: [Option<f64>; 3],
    /// Mean factor on the means, 0 to 2.
    pub factor: f64,
    /// Share of right directions.
    pub directional_accuracy: Option<f64>,
    /// Diebold-Mariano against naive at this step, Holm-corrected over the steps, times the number of looks; `None` with too few independent
    /// outcomes.
    pub p_value: Option<f64>,
    /// The verdict on this step; `worse` is not corrected.
    pub verdict: VerdictCode,
}

/// A model against the reference of its task.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Name of the reference.
    pub against: String,
    /// Diebold-Mariano on the task's loss, averaged over the steps of an origin, one-sided; `None` for the reference,
    /// and with too few independent outcomes.
    pub test: Option<Test>,
    /// Its p-value, Holm-corrected: of a model over the models compared, of a baseline over models and baselines; in
    /// both cases over the earlier tries, too.
    pub corrected: Option<f64>,
    /// What the forecast knows of the outcome, whatever its size; only for price models that nest the naive forecast,
    /// which baselines do not.
    pub signal: Option<Signal>,
    /// The verdict.
    pub code: VerdictCode,
    /// The verdict in words.
    pub verdict: String,
    /// Outcomes over the whole horizon that do not overlap, of the origins that have a loss.
    pub independent: usize,
    /// Configurations that this period has been looked at with: the models compared and the earlier tries.
    pub tries: usize,
    /// Other configurations that were tried on this period before.
    pub earlier_tries: usize,
}

/// Clark and West's test for squared loss on the means as the model gives them. A forecast that is too large can
/// contain a signal and yet be worse than naive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signal {
    /// The test, one-sided.
    pub test: Test,
    /// Its p-value, Holm-corrected over the models compared and the earlier tries.
    pub corrected: f64,
}

/// Direction against the better of a coin toss and the majority sign of each fold's training part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DirectionTest {
    /// Accuracy of the better one on the same origins.
    pub reference: f64,
    /// One-sided test of being better than both: of the two tests the one with the larger p-value. `None` with too few
    /// independent outcomes.
    pub test: Option<Test>,
    /// 90 % interval of the accuracy less that of the reference, by the stationary bootstrap; `None` with too few
    /// independent outcomes.
    pub interval: Option<(f64, f64)>,
}

/// The models that cannot be told to be worse than the best one (Hansen, Lunde and Nason 2011), by their losses averaged
/// over the steps of each origin.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfidenceSet {
    /// Share of cases in which it holds the best model.
    pub level: f64,
    /// By model, in their order: those with at least `1 - level` are in the set. `None` for models that could not be
    /// compared, since they were mostly silent.
    pub p_values: Vec<Option<f64>>,
}

impl ConfidenceSet {
    /// Whether the model with this number is in the set.
    pub fn holds(&self, model: usize) -> bool {
        self.p_values.get(model).copied().flatten().is_some_and(|p| p >= 1.0 - self.level)
    }
}

/// Two models beside each other, of which at least one was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Number of the model with the lower loss.
    pub better: usize,
    /// Number of the other.
    pub worse: usize,
    /// By how much its mean loss is lower, 0 or more, in the unit of verdicts.
    pub saved: f64,
    /// Diebold-Mariano, two-sided.
    pub p_value: f64,
    /// The same, Holm-corrected over all differences of the report.
    pub corrected: f64,
}

/// Metrics by task.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "there is one a model, and those of prices are the rule")]
pub enum TaskMetrics {
    /// Of prices.
    Price(Metrics),
    /// Of classes.
    Direction(ClassMetrics),
    /// Of the volatility.
    Volatility(VolatilityMetrics),
}

impl TaskMetrics {
    /// Those of prices.
    pub fn price(&self) -> Option<&Metrics> {
        match self {
            Self::Price(metrics) => Some(metrics),
            Self::Direction(_) | Self::Volatility(_) => None,
        }
    }

    /// Share of right directions (price) or classes (direction).
    pub fn accuracy(&self) -> Option<f64> {
        match self {
            Self::Price(metrics) => metrics.directional_accuracy,
            Self::Direction(metrics) => metrics.accuracy,
            Self::Volatility(_) => None,
        }
    }

    /// Share of outcomes inside the intervals.
    pub fn coverage(&self) -> Option<f64> {
        match self {
            Self::Price(metrics) => metrics.coverage,
            Self::Direction(_) => None,
            Self::Volatility(metrics) => metrics.coverage,
        }
    }

    /// The figure that models of a task are ranked by; less is better: MAE of prices, log loss, QLIKE.
    pub fn loss(&self) -> Option<f64> {
        match self {
            Self::Price(metrics) => metrics.mae,
            Self::Direction(metrics) => metrics.log_loss,
            Self::Volatility(metrics) => metrics.qlike,
        }
    }

    /// 1 - loss / loss of the reference; `None` where the reference makes none.
    pub fn skill_over(&self, reference: &Self) -> Option<f64> {
        match (self.loss(), reference.loss()) {
            (Some(loss), Some(reference)) if reference > 0.0 => Some(1.0 - loss / reference),
            _ => None,
        }
    }
}

/// What a scorer found.
#[derive(Debug, Clone)]
pub struct TaskScores {
    /// Over all origins and steps.
    pub metrics: TaskMetrics,
    /// By step; empty for tasks with one outcome.
    pub per_horizon: Vec<StepReport>,
    /// Direction of price forecasts; `None` for forecasts without one.
    pub direction: Option<DirectionTest>,
    /// Calibration of the confidences.
    pub reliability: Reliability,
    /// How often directions or classes were right in the last three months; `None` for forecasts without any.
    pub recent: Option<HitRate>,
    /// How often those were right whose confidence was high; `None` without calibrated confidences.
    pub selected: Option<Selected>,
    /// Quantiles of the calibrated confidences at 0 %, 5 %, ... 100 %; empty without any.
    pub confidence_quantiles: Vec<f64>,
}

/// Everything about one model.
#[derive(Debug, Clone)]
pub struct ModelReport {
    /// Name in tables.
    pub name: String,
    /// True for the baselines.
    pub baseline: bool,
    /// Over all origins and steps.
    pub metrics: TaskMetrics,
    /// 1 - loss / loss of the reference on the same origins (MAE, log loss, QLIKE).
    pub skill: Option<f64>,
    /// By step; empty for tasks with one outcome.
    pub per_horizon: Vec<StepReport>,
    /// Against the reference of the task.
    pub vs_reference: Comparison,
    /// Direction of price forecasts; `None` for forecasts without one.
    pub direction: Option<DirectionTest>,
    /// Calibration of the confidences.
    pub reliability: Reliability,
    /// How often directions (price) or classes (direction) were right in the last three months of what was scored;
    /// `None` for forecasts without any.
    pub recent: Option<HitRate>,
    /// How often those were right whose confidence was high; `None` without calibrated confidences.
    pub selected: Option<Selected>,
    /// Quantiles of the calibrated confidences of the scored forecasts, every step counted, at 0 %, 5 %, ... 100 %, for
    /// [`pass_share`](crate::pass_share); empty without any.
    pub confidence_quantiles: Vec<f64>,
    /// Time spent in fits, in seconds.
    pub fit_seconds: f64,
    /// How each fit went.
    pub fits: Vec<FitSummary>,
    /// Of an ensemble, what each fold weighed its members by.
    pub ensemble: Option<EnsembleFits>,
    /// Scored origins from which it could not forecast, so that it said what is known without any model.
    pub abstained: usize,
    /// Outcomes by the twentieth of their forecast distribution that they lay in (probability integral transform); as many
    /// in each where the distributions are right. Empty where there are none.
    pub pit: Vec<u32>,
    /// By how much it was better than the reference, day by day.
    pub daily: DailyLosses,
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
    /// Means as the model gives them, `[origin, width]`.
    pub means: Vec<f64>,
    /// Borders of the classes, `[origin]` (direction task).
    pub borders: Vec<Borders>,
    /// Intervals and confidences, `[origin, claim]`.
    pub calibrated: Vec<Calibrated>,
}

impl ScoredForecasts {
    pub(crate) fn push(&mut self, row: usize, forecast: ForecastRow<'_>, issued: Vec<Calibrated>) {
        self.rows.push(row);
        self.means.extend_from_slice(forecast.means);
        self.borders.extend(forecast.borders);
        self.calibrated.extend(issued);
    }

    /// Writes down when the first and the last one are of.
    pub(crate) fn close(&mut self, market: &Market) {
        let series = market.series();
        self.from = self.rows.first().map(|&row| Timestamp(series.columns().open_time[row]));
        self.to = self.rows.last().map(|&row| series.close_time(row));
    }
}

/// A report on all models of an evaluation.
#[derive(Debug, Clone)]
pub struct Report {
    /// What is forecast.
    pub task: Task,
    /// Name of the baseline that verdicts compare with.
    pub reference: String,
    /// Steps ahead.
    pub horizon: usize,
    /// Origins scored; the same for every model.
    pub origins: usize,
    /// Their outcomes over the whole horizon that do not overlap, counted in time order.
    pub independent: usize,
    /// Configurations that this period has been looked at with: the models and the earlier tries.
    pub tries: usize,
    /// Rows of the range left out because a candle there or ahead is missing or filled, or too few lie before it.
    pub left_out: usize,
    /// Share of outcomes the intervals are to cover.
    pub level: f64,
    /// Known outcomes that calibration began with.
    pub calibration_outcomes: usize,
    /// What differs from what was asked.
    pub notes: Vec<String>,
    /// Which models cannot be told from the best one; `None` with too few independent outcomes.
    pub confidence_set: Option<ConfidenceSet>,
    /// Every two models of which one was asked for; empty with too few independent outcomes. Those whose losses are the
    /// same throughout have no difference.
    pub differences: Vec<Difference>,
    /// What choosing the best of all that was tried is worth; see [`Report::look_back`].
    pub hindsight: Option<Hindsight>,
    /// Models, the baselines first.
    pub models: Vec<ModelReport>,
}

impl Report {
    /// Number of the model that was asked for and is better than every other one, baselines among them, beyond luck: each
    /// difference has a corrected p-value below [`VERDICT_LEVEL`].
    pub fn winner(&self) -> Option<usize> {
        let beaten =
            |model: usize| self.differences.iter().filter(|d| d.better == model && d.corrected < VERDICT_LEVEL).count();
        (0..self.models.len()).find(|&i| !self.models[i].baseline && beaten(i) + 1 == self.models.len())
    }

    /// Sets the models beside what was tried on the period before: the days of `earlier` configurations, other ones than
    /// those of the report and one each, as far as they are on record. `candles_a_day` is of the market.
    pub fn look_back(&mut self, earlier: &[DailyLosses], candles_a_day: f64) {
        let asked = self.models.iter().filter(|m| !m.baseline);
        let own: Vec<&DailyLosses> = asked.map(|m| &m.daily).collect();
        let n_earlier = self.models.first().map_or(0, |m| m.vs_reference.earlier_tries);
        let unknown = n_earlier.saturating_sub(earlier.len());
        self.hindsight = Hindsight::of(&own, earlier, unknown, self.horizon, candles_a_day);
    }
}
