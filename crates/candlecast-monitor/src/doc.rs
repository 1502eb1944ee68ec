//! Documents of `predictions`.

use candlecast_core::{Action, Move, Timestamp};
use candlecast_learn::significance::VerdictCode;
use candlecast_learn::{CLASSES, Metrics};
use candlecast_meta::{DIRECTION_TASK, LoggedPrediction, Page, VOLATILITY_TASK};
use candlecast_pipeline::doc::HitRateDoc;
use candlecast_pipeline::{
    Accuracy, ConfidenceFigures, DirectionFigures, GroupAccuracy, ModelAccuracy, TaskAccuracy, TaskFigures,
    VolatilityFigures,
};
use serde::Serialize;

use crate::settle::Settlement;

/// A logged prediction. Prices in quote units. Of `price`, `action` and `volatility` the one of the task is there, with
/// the bounds in its unit.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PredictionDoc {
    model_id: String,
    task: String,
    venue: String,
    symbol: String,
    interval: String,
    origin: Timestamp,
    step: u32,
    target_time: Timestamp,
    made_at: Timestamp,
    origin_price: f64,
    price: Option<f64>,
    /// Of prices, where it was logged.
    direction: Option<&'static str>,
    action: Option<&'static str>,
    sell_at: Option<f64>,
    buy_at: Option<f64>,
    volatility: Option<f64>,
    lower_bound: Option<f64>,
    upper_bound: Option<f64>,
    interval_level: Option<f64>,
    confidence: Option<f64>,
    status: String,
    actual: Option<f64>,
    actual_action: Option<&'static str>,
    error: Option<f64>,
    validated_at: Option<Timestamp>,
    synthetic: bool,
}

impl From<&LoggedPrediction> for PredictionDoc {
    fn from(p: &LoggedPrediction) -> Self {
        let made = &p.made;
        let is_of = |task: &str| made.task == task;
        Self {
            model_id: made.model_id.clone(),
            task: made.task.clone(),
            venue: made.series.venue.to_string(),
            symbol: made.series.symbol.to_string(),
            interval: made.series.interval.to_string(),
            origin: made.origin,
            step: made.step,
            target_time: made.target_time,
            made_at: made.made_at,
            origin_price: made.base_price,
            price: (!is_of(DIRECTION_TASK) && !is_of(VOLATILITY_TASK)).then_some(made.prediction),
            direction: made.direction.map(Move::as_str),
            action: made.class().map(Action::as_str),
            sell_at: made.borders.map(|b| b.sell_at),
            buy_at: made.borders.map(|b| b.buy_at),
            volatility: is_of(VOLATILITY_TASK).then_some(made.prediction),
            lower_bound: made.interval.map(|i| i.lower),
            upper_bound: made.interval.map(|i| i.upper),
            interval_level: made.interval.map(|i| i.level),
            confidence: made.confidence,
            status: p.status.to_string(),
            actual: p.actual,
            actual_action: p.actual_class().map(Action::as_str),
            error: p.error,
            validated_at: p.validated_at,
            synthetic: made.series.venue.is_synthetic(),
        }
    }
}

/// A page of the prediction log.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PredictionsDoc {
    predictions: Vec<PredictionDoc>,
    /// What `--after` takes for the next page; null on the last.
    next: Option<String>,
}

impl From<&Page<LoggedPrediction>> for PredictionsDoc {
    fn from(page: &Page<LoggedPrediction>) -> Self {
        Self {
            predictions: page.items.iter().map(Into::into).collect(),
            next: page.next.map(|cursor| cursor.to_string()),
        }
    }
}

/// What became of predictions that were looked at.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SettlementDoc {
    validated: u64,
    unscorable: u64,
    unscorable_missing: u64,
    unscorable_halted: u64,
    pending: u64,
    problems: Vec<String>,
}

impl SettlementDoc {
    /// The document of `s`, after which `pending` predictions wait.
    pub fn new(s: &Settlement, pending: u64) -> Self {
        Self {
            validated: s.validated,
            unscorable: s.missing + s.halted,
            unscorable_missing: s.missing,
            unscorable_halted: s.halted,
            pending,
            problems: s.problems.clone(),
        }
    }
}

/// Rolling accuracy.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccuracyDoc {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    window_days: Option<u32>,
    /// True where only the newest predictions of the window were read.
    cut: bool,
    /// Predictions of which only sums by day are left.
    rolled_up: u64,
    /// How many of these have their target in a day of which candles changed afterwards.
    corrected: u64,
    models: Vec<ModelAccuracyDoc>,
}

impl AccuracyDoc {
    /// The document of `a` over the window that was asked for.
    pub fn new(a: &Accuracy, window_days: Option<u32>) -> Self {
        Self {
            from: a.range.map(|r| r.from),
            to: a.range.map(|r| r.to),
            window_days,
            cut: a.cut,
            rolled_up: a.rolled_up,
            corrected: a.corrected,
            models: a.models.iter().map(Into::into).collect(),
        }
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct ModelAccuracyDoc {
    model_id: String,
    venue: String,
    symbol: String,
    interval: String,
    synthetic: bool,
    task: &'static str,
    /// Of prices; empty for other tasks.
    groups: Vec<GroupAccuracyDoc>,
    direction: Option<DirectionAccuracyDoc>,
    volatility: Option<VolatilityAccuracyDoc>,
}

impl From<&ModelAccuracy> for ModelAccuracyDoc {
    fn from(m: &ModelAccuracy) -> Self {
        let (direction, volatility) = match m.whole.as_ref().map(|whole| (whole, &whole.figures)) {
            None => (None, None),
            Some((whole, TaskFigures::Direction(figures))) => (Some(DirectionAccuracyDoc::new(whole, figures)), None),
            Some((whole, TaskFigures::Volatility(figures))) => (None, Some(VolatilityAccuracyDoc::new(whole, figures))),
        };
        Self {
            model_id: m.model_id.clone(),
            venue: m.series.venue.to_string(),
            symbol: m.series.symbol.to_string(),
            interval: m.series.interval.to_string(),
            synthetic: m.series.venue.is_synthetic(),
            task: m.task(),
            groups: m.groups.iter().map(Into::into).collect(),
            direction,
            volatility,
        }
    }
}

/// Classes and confusions in the order SELL, HOLD, BUY.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct DirectionAccuracyDoc {
    step: u32,
    predictions: usize,
    independent: usize,
    accuracy: Option<f64>,
    balanced_accuracy: Option<f64>,
    macro_f1: Option<f64>,
    mcc: Option<f64>,
    /// `[actual class][predicted class]`.
    confusion: [[usize; CLASSES]; CLASSES],
    majority: &'static str,
    majority_share: f64,
    confidence: Option<ConfidenceDoc>,
    /// Share of right classes of the last three months.
    recent_direction: Option<HitRateDoc>,
    verdict: String,
    verdict_code: VerdictCode,
}

impl DirectionAccuracyDoc {
    fn new(whole: &TaskAccuracy, figures: &DirectionFigures) -> Self {
        Self {
            step: whole.step,
            predictions: whole.n,
            independent: whole.independent,
            accuracy: figures.metrics.accuracy,
            balanced_accuracy: figures.metrics.balanced_accuracy,
            macro_f1: figures.metrics.macro_f1,
            mcc: figures.metrics.mcc,
            confusion: figures.metrics.confusion,
            majority: figures.majority.as_str(),
            majority_share: figures.majority_share,
            confidence: figures.confidence.as_ref().map(Into::into),
            recent_direction: figures.recent.map(Into::into),
            verdict: whole.verdict.clone(),
            verdict_code: whole.code,
        }
    }
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfidenceDoc {
    predictions: usize,
    mean: f64,
    right: f64,
    brier: f64,
}

impl From<&ConfidenceFigures> for ConfidenceDoc {
    fn from(c: &ConfidenceFigures) -> Self {
        Self { predictions: c.n, mean: c.mean, right: c.right, brier: c.brier }
    }
}

/// Volatilities over the steps, not annualised.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct VolatilityAccuracyDoc {
    step: u32,
    predictions: usize,
    independent: usize,
    /// Outcomes at which no price moved, left out of all figures.
    zero_variance: usize,
    qlike: Option<f64>,
    rmse: Option<f64>,
    mae: Option<f64>,
    r2: Option<f64>,
    coverage: Option<f64>,
    interval_level: Option<f64>,
    intervals: usize,
    verdict: String,
    verdict_code: VerdictCode,
}

impl VolatilityAccuracyDoc {
    fn new(whole: &TaskAccuracy, figures: &VolatilityFigures) -> Self {
        Self {
            step: whole.step,
            predictions: whole.n,
            independent: whole.independent,
            zero_variance: figures.metrics.zero_variance,
            qlike: figures.metrics.qlike,
            rmse: figures.metrics.rmse,
            mae: figures.metrics.mae,
            r2: figures.metrics.r2,
            coverage: figures.coverage,
            interval_level: figures.level,
            intervals: figures.n_intervals,
            verdict: whole.verdict.clone(),
            verdict_code: whole.code,
        }
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct GroupAccuracyDoc {
    first_step: u32,
    last_step: u32,
    predictions: usize,
    origins: usize,
    independent: usize,
    mae: Option<f64>,
    rmse: Option<f64>,
    mape: Option<f64>,
    skill: Option<f64>,
    directional_accuracy: Option<f64>,
    directions: usize,
    /// Share of right directions of the last three months.
    recent_direction: Option<HitRateDoc>,
    coverage: Option<f64>,
    interval_level: Option<f64>,
    intervals: usize,
    naive: NaiveDoc,
    /// The test; it may be looked at as often as one likes, so that one look is counted.
    test: &'static str,
    against: &'static str,
    looks: usize,
    /// The e-value of the test.
    statistic: Option<f64>,
    p_value: Option<f64>,
    p_value_holm: Option<f64>,
    verdict: String,
    verdict_code: VerdictCode,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct NaiveDoc {
    mae: Option<f64>,
    rmse: Option<f64>,
    mape: Option<f64>,
}

impl From<&Metrics> for NaiveDoc {
    fn from(m: &Metrics) -> Self {
        Self { mae: m.mae, rmse: m.rmse, mape: m.mape }
    }
}

impl From<&GroupAccuracy> for GroupAccuracyDoc {
    fn from(g: &GroupAccuracy) -> Self {
        Self {
            first_step: g.steps.0,
            last_step: g.steps.1,
            predictions: g.n,
            origins: g.origins,
            independent: g.independent,
            mae: g.metrics.mae,
            rmse: g.metrics.rmse,
            mape: g.metrics.mape,
            skill: g.skill,
            directional_accuracy: g.metrics.directional_accuracy,
            directions: g.n_directional,
            recent_direction: g.recent.map(Into::into),
            coverage: g.coverage,
            interval_level: g.level,
            intervals: g.n_intervals,
            naive: (&g.naive).into(),
            test: "e-process",
            against: "naive",
            looks: 1,
            statistic: g.test.map(|t| t.e_value),
            p_value: g.test.map(|t| t.p_value),
            p_value_holm: g.corrected,
            verdict: g.verdict.clone(),
            verdict_code: g.code,
        }
    }
}

#[cfg(test)]
mod tests {
    use candlecast_meta::{ClassBorders, NewPrediction, PRICE_TASK, PredictionId, PredictionStatus, PriceInterval};

    use super::*;
    use crate::made::made;

    fn doc(made: NewPrediction, actual: f64) -> PredictionDoc {
        PredictionDoc::from(&LoggedPrediction {
            id: PredictionId(1),
            made,
            status: PredictionStatus::Validated,
            actual: Some(actual),
            error: None,
            validated_at: None,
        })
    }

    #[test]
    fn each_task_has_its_own_fields() {
        let price = doc(made(PRICE_TASK, 2, 101.0), 102.0);
        assert_eq!((price.task.as_str(), price.price, price.actual), ("price", Some(101.0), Some(102.0)));
        assert_eq!((price.action, price.actual_action, price.volatility, price.sell_at), (None, None, None, None));
        let direction = Some(Move::None);
        let stays = doc(NewPrediction { direction, ..made(PRICE_TASK, 2, 100.0) }, 102.0);
        assert_eq!((price.direction, stays.direction), (None, Some("NONE")));

        let borders = Some(ClassBorders { sell_at: 99.0, buy_at: 101.0 });
        let class = doc(NewPrediction { borders, ..made(DIRECTION_TASK, 6, -1.0) }, 101.0);
        assert_eq!((class.task.as_str(), class.action, class.actual_action), ("direction", Some("SELL"), Some("BUY")));
        assert_eq!((class.sell_at, class.buy_at, class.actual), (Some(99.0), Some(101.0), Some(101.0)));
        assert_eq!((class.price, class.volatility, class.lower_bound), (None, None, None));

        let interval = Some(PriceInterval { lower: 0.01, upper: 0.04, level: 0.9 });
        let volatility = doc(NewPrediction { interval, ..made(VOLATILITY_TASK, 6, 0.02) }, 0.03);
        assert_eq!((volatility.task.as_str(), volatility.volatility), ("volatility", Some(0.02)));
        assert_eq!((volatility.lower_bound, volatility.upper_bound), (Some(0.01), Some(0.04)));
        assert_eq!((volatility.price, volatility.action, volatility.actual), (None, None, Some(0.03)));
    }
}
