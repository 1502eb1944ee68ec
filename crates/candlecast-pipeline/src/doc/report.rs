//! Scores of models: the greater part of the documents of `compare`, `backtest`, `train` and `models validate`.

use candlecast_learn::significance::{Test, VerdictCode};
use candlecast_learn::{CLASSES, Comparison, Metrics, ModelReport, Report, TaskMetrics};
use serde::Serialize;
use serde_json::Value;

use super::ensemble::WeighingDoc;
use super::hits::{HitRateDoc, SelectedDoc};
use super::luck::{ConfidenceSetDoc, DifferenceDoc, OverfittingDoc};

/// Metrics of one model, by task.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
#[allow(clippy::large_enum_variant, reason = "there is one a model, and those of prices are the rule")]
pub enum MetricsDoc {
    /// Of prices.
    Price(PriceMetricsDoc),
    /// Of classes.
    Direction(ClassMetricsDoc),
    /// Of the volatility.
    Volatility(VolatilityMetricsDoc),
}

/// Metrics of price forecasts. Prices in quote units, `mape` and `smape` in percent, shares in 0..1.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PriceMetricsDoc {
    /// Mean absolute error.
    pub mae: Option<f64>,
    /// Root mean squared error.
    pub rmse: Option<f64>,
    /// Mean squared error.
    pub mse: Option<f64>,
    /// Mean absolute percentage error, percent.
    pub mape: Option<f64>,
    /// Symmetric MAPE, percent.
    pub smape: Option<f64>,
    /// R² of log returns.
    pub r2: Option<f64>,
    /// R² of prices.
    pub r2_price: Option<f64>,
    /// Share of right directions.
    pub directional_accuracy: Option<f64>,
    /// Forecasts or outcomes without a direction.
    pub directional_ties: usize,
    /// Mean of forecast minus price.
    pub mean_error: Option<f64>,
    /// Greatest absolute error.
    pub max_error: Option<f64>,
    /// Least absolute error.
    pub min_error: Option<f64>,
    /// Share of outcomes inside the interval.
    pub coverage: Option<f64>,
    /// Mean width of the interval in log returns.
    pub interval_width: Option<f64>,
    /// The same over that of naive; `None` where it stands alone.
    pub interval_width_ratio: Option<f64>,
    /// Mean interval score in log returns; less is better.
    pub interval_score: Option<f64>,
    /// Coverage by terciles of the volatility in its last year.
    pub coverage_by_volatility: CoverageByVolatilityDoc,
    /// Coverage by the hour of the day, UTC, at which the forecast is made, from 0 to 23; null where there is none.
    pub coverage_by_hour: [Option<f64>; 24],
    /// Mean continuous ranked probability score in log returns; less is better.
    pub crps: Option<f64>,
    /// Correlation of the forecasts before their factor with the log returns that came, averaged over steps.
    pub information_coefficient: Option<f64>,
    /// 1 - MAE / MAE of naive.
    pub skill: Option<f64>,
    /// The same of absolute errors of log returns in units of `sigma_t sqrt(h)`: the loss of the verdict.
    pub skill_scaled: Option<f64>,
    /// MAE over the naive forecast's on the training part.
    pub mase: Option<f64>,
}

/// Shares of outcomes inside the interval by volatility at the origin.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CoverageByVolatilityDoc {
    /// In the calm third.
    pub calm: Option<f64>,
    /// In the middle third.
    pub middle: Option<f64>,
    /// In the wild third.
    pub wild: Option<f64>,
}

impl From<[Option<f64>; 3]> for CoverageByVolatilityDoc {
    fn from([calm, middle, wild]: [Option<f64>; 3]) -> Self {
        Self { calm, middle, wild }
    }
}

impl From<&Metrics> for PriceMetricsDoc {
    fn from(m: &Metrics) -> Self {
        Self {
            mae: m.mae,
            rmse: m.rmse,
            mse: m.mse,
            mape: m.mape,
            smape: m.smape,
            r2: m.r2,
            r2_price: m.r2_price,
            directional_accuracy: m.directional_accuracy,
            directional_ties: m.ties,
            mean_error: m.mean_error,
            max_error: m.max_error,
            min_error: m.min_error,
            coverage: m.coverage,
            interval_width: m.interval_width,
            interval_width_ratio: None,
            interval_score: m.interval_score,
            coverage_by_volatility: m.coverage_by_volatility.into(),
            coverage_by_hour: m.coverage_by_hour,
            crps: m.crps,
            information_coefficient: m.information_coefficient,
            skill: m.skill,
            skill_scaled: m.skill_scaled,
            mase: m.mase,
        }
    }
}

/// Metrics of class forecasts; classes in the order SELL, HOLD, BUY.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClassMetricsDoc {
    /// Share of right classes.
    pub accuracy: Option<f64>,
    /// Mean recall.
    pub balanced_accuracy: Option<f64>,
    /// By class.
    pub precision: [Option<f64>; CLASSES],
    /// By class.
    pub recall: [Option<f64>; CLASSES],
    /// By class.
    pub f1: [Option<f64>; CLASSES],
    /// Mean F1.
    pub macro_f1: Option<f64>,
    /// Matthews correlation coefficient.
    pub mcc: Option<f64>,
    /// Mean of `-ln p` of the class that came true.
    pub log_loss: Option<f64>,
    /// Multiclass Brier score, 0 to 2.
    pub brier: Option<f64>,
    /// Outcomes, `[actual][forecast]`.
    pub confusion: [[usize; CLASSES]; CLASSES],
    /// 1 - log loss / log loss of the reference.
    pub skill: Option<f64>,
}

/// Metrics of volatility forecasts; volatilities over the horizon, not annualised.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VolatilityMetricsDoc {
    /// Mean QLIKE of variances.
    pub qlike: Option<f64>,
    /// Root mean squared error of volatilities.
    pub rmse: Option<f64>,
    /// Mean absolute error of volatilities.
    pub mae: Option<f64>,
    /// R² of log variances.
    pub r2: Option<f64>,
    /// Share of outcomes inside the interval.
    pub coverage: Option<f64>,
    /// Mean width of the interval of the volatility.
    pub interval_width: Option<f64>,
    /// Origins without realised variance, left out.
    pub zero_variance: usize,
    /// 1 - QLIKE / QLIKE of the reference.
    pub skill: Option<f64>,
}

impl MetricsDoc {
    /// Metrics with the skill over the reference.
    pub fn new(metrics: &TaskMetrics, skill: Option<f64>) -> Self {
        match metrics {
            TaskMetrics::Price(m) => Self::Price(m.into()),
            TaskMetrics::Direction(m) => Self::Direction(ClassMetricsDoc {
                accuracy: m.accuracy,
                balanced_accuracy: m.balanced_accuracy,
                precision: m.precision,
                recall: m.recall,
                f1: m.f1,
                macro_f1: m.macro_f1,
                mcc: m.mcc,
                log_loss: m.log_loss,
                brier: m.brier,
                confusion: m.confusion,
                skill,
            }),
            TaskMetrics::Volatility(m) => Self::Volatility(VolatilityMetricsDoc {
                qlike: m.qlike,
                rmse: m.rmse,
                mae: m.mae,
                r2: m.r2,
                coverage: m.coverage,
                interval_width: m.interval_width,
                zero_variance: m.zero_variance,
                skill,
            }),
        }
    }
}

/// Metrics as JSON.
pub fn metrics_value(m: &ModelReport) -> Value {
    json(MetricsDoc::new(&m.metrics, m.skill))
}

fn json(document: impl Serialize) -> Value {
    serde_json::to_value(document).unwrap_or(Value::Null)
}

/// Name, in [`metrics_value`], of the figure that models of `task` are ranked by.
pub fn loss_key(task: &str) -> &'static str {
    match task {
        "direction" => "logLoss",
        "volatility" => "qlike",
        _ => "mae",
    }
}

/// Metrics as JSON with the rows they were scored on, so that later figures can be told to be of the same origins, the
/// verdict, and what is known of the confidence.
pub fn scored_metrics_value(m: &ModelReport, origins: usize) -> Value {
    let mut value = metrics_value(m);
    if let Some(object) = value.as_object_mut() {
        object.insert("origins".into(), origins.into());
        object.insert("scoredFrom".into(), m.forecasts.from.map_or(Value::Null, |t| t.ms().into()));
        object.insert("scoredTo".into(), m.forecasts.to.map_or(Value::Null, |t| t.ms().into()));
        object.insert("verdict".into(), m.vs_reference.verdict.clone().into());
        object.insert("verdictCode".into(), m.vs_reference.code.as_str().into());
        object.insert("recentDirection".into(), json(m.recent.map(HitRateDoc::from)));
        object.insert("selected".into(), json(m.selected.map(SelectedDoc::from)));
        object.insert("confidenceQuantiles".into(), m.confidence_quantiles.clone().into());
    }
    value
}

/// Metrics of every baseline as JSON, by name.
pub fn baselines_value(report: &Report) -> Value {
    Value::Object(report.models.iter().filter(|m| m.baseline).map(|m| (m.name.clone(), metrics_value(m))).collect())
}

/// Scores of one step.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepDoc {
    /// Candles ahead.
    pub step: usize,
    /// Mean absolute error of prices.
    pub mae: Option<f64>,
    /// Share of outcomes inside the interval.
    pub coverage: Option<f64>,
    /// Coverage by terciles of the volatility in its last year.
    pub coverage_by_volatility: CoverageByVolatilityDoc,
    /// Mean width of the interval in log returns.
    pub interval_width: Option<f64>,
    /// Mean interval score in log returns.
    pub interval_score: Option<f64>,
    /// Mean continuous ranked probability score in log returns.
    pub crps: Option<f64>,
    /// Mean factor on the forecasts, 0 to 2.
    pub factor: f64,
    /// 1 - MAE / MAE of naive at this step; `None` where it stands alone.
    pub skill: Option<f64>,
    /// Correlation of the forecasts before their factor with the log returns that came.
    pub information_coefficient: Option<f64>,
    /// Share of right directions.
    pub directional_accuracy: Option<f64>,
    /// Holm-corrected over the steps, times the number of looks.
    pub p_value: Option<f64>,
    /// The verdict on this step.
    pub verdict_code: VerdictCode,
}

/// A one-sided test.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestDoc {
    /// The statistic.
    pub statistic: f64,
    /// Its p-value.
    pub p_value: f64,
}

impl From<Test> for TestDoc {
    fn from(t: Test) -> Self {
        Self { statistic: t.statistic, p_value: t.p_value }
    }
}

/// What the forecast knows of the outcome, whatever its size.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SignalDoc {
    /// Clark and West's statistic.
    pub statistic: f64,
    /// Its p-value.
    pub p_value: f64,
    /// Holm-corrected over the models and the earlier tries.
    pub p_value_holm: f64,
}

/// A model against the reference of its task: the naive forecast of prices.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VsNaiveDoc {
    /// In words.
    pub verdict: String,
    /// The verdict.
    pub verdict_code: VerdictCode,
    /// Which test.
    pub test: &'static str,
    /// Its statistic.
    pub statistic: Option<f64>,
    /// Its p-value.
    pub p_value: Option<f64>,
    /// Holm-corrected over the models and the earlier tries.
    pub p_value_holm: Option<f64>,
    /// Origins scored.
    pub origins: usize,
    /// Outcomes that do not overlap.
    pub independent: usize,
    /// Configurations that the period has been looked at with, those of this report included.
    pub looks: usize,
    /// Name of the reference.
    pub against: String,
    /// Of price models.
    pub signal: Option<SignalDoc>,
    /// Other configurations that were tried on the period before.
    pub tries_in_ledger: usize,
    /// The test of the signal.
    pub clark_west: Option<TestDoc>,
}

impl VsNaiveDoc {
    /// The document of `vs` on `origins`.
    fn new(vs: &Comparison, origins: usize) -> Self {
        let signal = vs.signal.map(|signal| SignalDoc {
            statistic: signal.test.statistic,
            p_value: signal.test.p_value,
            p_value_holm: signal.corrected,
        });
        Self {
            verdict: vs.verdict.clone(),
            verdict_code: vs.code,
            test: "diebold-mariano-ewc",
            statistic: vs.test.map(|t| t.statistic),
            p_value: vs.test.map(|t| t.p_value),
            p_value_holm: vs.corrected,
            origins,
            independent: vs.independent,
            looks: vs.tries,
            against: vs.against.clone(),
            signal,
            tries_in_ledger: vs.earlier_tries,
            clark_west: vs.signal.map(|signal| signal.test.into()),
        }
    }
}

/// Direction against the better of a coin toss and the usual sign.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DirectionDoc {
    /// Accuracy of the reference.
    pub reference: f64,
    /// The statistic.
    pub statistic: Option<f64>,
    /// Its p-value.
    pub p_value: Option<f64>,
    /// 90 % interval of the accuracy less that of the reference, lower and upper bound.
    pub difference_interval: Option<(f64, f64)>,
}

/// Confidences of one tenth.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReliabilityBinDoc {
    /// Mean confidence.
    pub confidence: f64,
    /// Share right.
    pub right: f64,
    /// Forecasts.
    pub count: usize,
}

/// Calibration of the confidences.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReliabilityDoc {
    /// Expected calibration error.
    pub ece: Option<f64>,
    /// Brier score.
    pub brier: Option<f64>,
    /// By tenths of confidence that occur.
    pub table: Vec<ReliabilityBinDoc>,
}

/// How the fits went.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FitsDoc {
    /// Fits.
    pub count: usize,
    /// Mean steps behind the weights kept.
    pub mean_steps: f64,
    /// Mean training samples.
    pub mean_train_samples: f64,
    /// Features dropped as constant by any fit.
    pub dropped_features: Vec<String>,
}

/// One model of a report.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelReportDoc {
    /// Name.
    pub model: String,
    /// True for the baselines.
    pub baseline: bool,
    /// Over all origins and steps.
    pub metrics: MetricsDoc,
    /// By step; empty for tasks with one outcome.
    pub per_horizon: Vec<StepDoc>,
    /// Against the reference.
    pub vs_naive: VsNaiveDoc,
    /// Direction of price forecasts.
    pub direction: Option<DirectionDoc>,
    /// Calibration of the confidences.
    pub reliability: ReliabilityDoc,
    /// How often directions or classes were right in the last three months; `None` for forecasts without any.
    pub recent_direction: Option<HitRateDoc>,
    /// How often those were right whose confidence was high; `None` without calibrated confidences.
    pub selected: Option<SelectedDoc>,
    /// Outcomes by twentieth of the forecast distribution that they lay in; as many in each where it is right.
    pub pit: Vec<u32>,
    /// Scored origins from which it could not forecast, so that it said what is known without any model.
    pub abstained: usize,
    /// How the fits went.
    pub fits: FitsDoc,
    /// How an ensemble weighed its members; left out for other models.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ensemble: Option<WeighingDoc>,
    /// Time spent in fits.
    pub fit_seconds: f64,
}

impl From<&ModelReport> for ModelReportDoc {
    fn from(m: &ModelReport) -> Self {
        let n = m.fits.len().max(1) as f64;
        let mut dropped: Vec<String> = m.fits.iter().flat_map(|f| f.dropped.clone()).collect();
        dropped.sort();
        dropped.dedup();
        Self {
            model: m.name.clone(),
            baseline: m.baseline,
            metrics: MetricsDoc::new(&m.metrics, m.skill),
            abstained: m.abstained,
            per_horizon: m
                .per_horizon
                .iter()
                .map(|s| StepDoc {
                    step: s.step,
                    mae: s.mae,
                    coverage: s.coverage,
                    coverage_by_volatility: s.coverage_by_volatility.into(),
                    interval_width: s.interval_width,
                    interval_score: s.interval_score,
                    crps: s.crps,
                    factor: s.factor,
                    skill: None,
                    information_coefficient: s.information_coefficient,
                    directional_accuracy: s.directional_accuracy,
                    p_value: s.p_value,
                    verdict_code: s.verdict,
                })
                .collect(),
            vs_naive: VsNaiveDoc::new(&m.vs_reference, m.forecasts.rows.len()),
            direction: m.direction.map(|d| DirectionDoc {
                reference: d.reference,
                statistic: d.test.map(|t| t.statistic),
                p_value: d.test.map(|t| t.p_value),
                difference_interval: d.interval,
            }),
            reliability: ReliabilityDoc {
                ece: m.reliability.ece,
                brier: m.reliability.brier,
                table: m
                    .reliability
                    .table
                    .iter()
                    .map(|&(confidence, right, count)| ReliabilityBinDoc { confidence, right, count })
                    .collect(),
            },
            recent_direction: m.recent.map(Into::into),
            selected: m.selected.map(Into::into),
            fits: FitsDoc {
                count: m.fits.len(),
                mean_steps: m.fits.iter().map(|f| f.steps as f64).sum::<f64>() / n,
                mean_train_samples: m.fits.iter().map(|f| f.n_train as f64).sum::<f64>() / n,
                dropped_features: dropped,
            },
            ensemble: m.ensemble.as_ref().map(Into::into),
            pit: m.pit.clone(),
            fit_seconds: m.fit_seconds,
        }
    }
}

impl ModelReportDoc {
    /// Adds what needs the reference beside it.
    fn beside(mut self, reference: &ModelReport) -> Self {
        if let (MetricsDoc::Price(own), TaskMetrics::Price(theirs)) = (&mut self.metrics, &reference.metrics) {
            let ratio = own.interval_width.zip(theirs.interval_width).filter(|(_, theirs)| *theirs > 0.0);
            own.interval_width_ratio = ratio.map(|(own, theirs)| own / theirs);
        }
        for (own, theirs) in self.per_horizon.iter_mut().zip(&reference.per_horizon) {
            let maes = own.mae.zip(theirs.mae).filter(|(_, theirs)| *theirs > 0.0);
            own.skill = maes.map(|(own, theirs)| 1.0 - own / theirs);
        }
        self
    }
}

/// Models and baselines on the same origins.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportDoc {
    /// `price`, `direction` or `volatility`.
    pub task: &'static str,
    /// The baseline that verdicts compare with.
    pub reference: String,
    /// Steps ahead.
    pub horizon_steps: usize,
    /// Origins scored.
    pub origins: usize,
    /// Their outcomes that do not overlap.
    pub independent: usize,
    /// Configurations that the period has been looked at with, those of this report included.
    pub looks: usize,
    /// Candles that were no origins.
    pub left_out: usize,
    /// Share of outcomes that intervals are to cover.
    pub interval_level: f64,
    /// Known outcomes that calibration began with.
    pub calibration_outcomes: usize,
    /// What differs from what was asked.
    pub notes: Vec<String>,
    /// Which models cannot be told from the best one; null with too few independent outcomes.
    pub confidence_set: Option<ConfidenceSetDoc>,
    /// Every two models of which one was asked for; empty with too few independent outcomes.
    pub differences: Vec<DifferenceDoc>,
    /// What choosing the best of all that was tried is worth; null where there was nothing to choose from, or too few days.
    pub overfitting: Option<OverfittingDoc>,
    /// Models, the baselines first.
    pub models: Vec<ModelReportDoc>,
}

impl From<&Report> for ReportDoc {
    fn from(report: &Report) -> Self {
        Self {
            task: report.task.id(),
            reference: report.reference.clone(),
            horizon_steps: report.horizon,
            origins: report.origins,
            independent: report.independent,
            looks: report.tries,
            left_out: report.left_out,
            interval_level: report.level,
            calibration_outcomes: report.calibration_outcomes,
            notes: report.notes.clone(),
            confidence_set: report.confidence_set.as_ref().map(|set| ConfidenceSetDoc::new(set, report)),
            differences: report.differences.iter().map(|difference| DifferenceDoc::new(difference, report)).collect(),
            overfitting: report.hindsight.as_ref().map(|found| OverfittingDoc::new(found, report.tries)),
            models: report
                .models
                .iter()
                .map(|m| match report.models.iter().find(|r| r.name == report.reference) {
                    Some(reference) => ModelReportDoc::from(m).beside(reference),
                    None => m.into(),
                })
                .collect(),
        }
    }
}
