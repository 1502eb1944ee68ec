//! [`TaskKind`]: what differs between tasks above the learners: what a forecast claims and when its outcome is known,
//! the baselines beside every model, what a verdict compares with and by which loss, and how a forecast is told.
//!
//! Everything else (splits, scaling, walk-forward, calibration, tests, saving, serving) is the same for all tasks.

mod direction;
mod price;
mod volatility;

use std::fmt::Debug;

use candlecast_core::Outlook;

use crate::conformal::{Calibrated, ForecastRow};
use crate::dataset::Market;
use crate::evaluate::{Facts, Scorer};
use crate::task::{Labels, Task};

pub(crate) use direction::{Direction, borders_of, most_probable};
pub(crate) use price::error_unit;
pub(crate) use volatility::Volatility;

/// A kind of task: one file in `tasks/` and one line in [`task_kinds`].
pub trait TaskKind: Debug + Send + Sync {
    /// `price`, `direction` or `volatility`.
    fn id(&self) -> &'static str;

    /// The task over `horizon` steps; `labels` are used where the task has classes.
    fn task(&self, horizon: usize, labels: Labels) -> Task;

    /// Catalog ids of the baselines that stand beside every model, in the order of tables.
    fn baselines(&self) -> &'static [&'static str];

    /// The baseline that verdicts compare with.
    fn reference(&self) -> &'static str;

    /// The loss that verdicts compare by, for people.
    fn loss(&self) -> &'static str;

    /// Claims of one forecast that have outcomes of their own: the steps of a price forecast, else one.
    fn claims(&self, horizon: usize) -> usize;

    /// Steps after the origin at which the outcome of claim `claim` is known.
    fn lag(&self, horizon: usize, claim: usize) -> usize;

    /// Confidence where nothing is known: that of a coin toss, or of one class among three.
    fn chance(&self) -> f64;

    /// What the forecast of one origin, where `sigma_t` is `sigma`, claims, `[claim]`.
    fn claim(&self, forecast: ForecastRow<'_>, sigma: f64) -> Vec<Claim>;

    /// What became of a claim: `closes` are the log closes from its origin to the step at which it is known.
    fn outcome(&self, claim: &Claim, closes: &[f64]) -> Known;

    /// The row of a model that cannot forecast from `row`: what is known without any model.
    fn neutral(&self, market: &Market, row: usize, horizon: usize) -> Vec<f64>;

    /// Loss of one forecast from `row`, whose outcomes are known, averaged over its steps; `None` where the outcome has
    /// none.
    fn mean_loss(&self, market: &Market, row: usize, horizon: usize, forecast: ForecastRow<'_>) -> Option<f64>;

    /// Scores forecasts of the scored origins, whose intervals are to cover `level`.
    fn scorer<'a>(&self, facts: &'a Facts<'a>, task: Task, level: f64) -> Box<dyn Scorer + 'a>;

    /// What a log return from `price` or a log variance (`value`) is told as: the price that it leads to in quote units,
    /// or the volatility. Ascending in `value`. A class is a number that is told as it is.
    fn told(&self, price: f64, value: f64) -> f64;

    /// What a forecast says, for whoever uses it.
    fn outlook(&self, origin: OutlookOrigin, means: &[f64], issued: &[Calibrated], borders: Option<Borders>)
    -> Outlook;
}

/// Where and when a forecast starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OutlookOrigin {
    /// Close of the origin.
    pub time: candlecast_core::Timestamp,
    /// Length of a candle, ms.
    pub step_ms: i64,
    /// Price there.
    pub price: f64,
    /// Steps ahead.
    pub horizon: usize,
}

/// Log returns over the horizon that separate the classes of one origin.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Borders {
    /// At or below: SELL.
    pub sell: f64,
    /// At or above: BUY.
    pub buy: f64,
}

/// What a forecast claims of one outcome.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Claim {
    /// Middle of the interval: a log return, a log variance, or the class as a number.
    pub mean: f64,
    /// Unit of its errors; above 0.
    pub scale: f64,
    /// `sigma_t sqrt(h)`, what its factor is learnt in; `None` for a claim whose mean is not shrunk.
    pub unit: Option<f64>,
    /// What confidence is calibrated on, the greater the surer; `None` for a claim that has no direction.
    pub size: Option<f64>,
    /// Borders of the classes, where there are classes.
    pub borders: Option<Borders>,
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Known {
    /// What an interval around the mean should have covered; `None` where there is no interval.
    pub actual: Option<f64>,
    /// True when the direction or class was right; `None` for ties and where there is none.
    pub right: Option<bool>,
}

/// Every kind of task, the default one first.
pub fn task_kinds() -> &'static [&'static dyn TaskKind] {
    &[&price::Price, &direction::Direction, &volatility::Volatility]
}

/// The kind of task called `id`, or an error that names those there are.
pub fn task_kind(id: &str) -> Result<&'static dyn TaskKind, String> {
    task_kinds().iter().find(|kind| kind.id() == id).copied().ok_or_else(|| {
        let known: Vec<&str> = task_kinds().iter().map(|kind| kind.id()).collect();
        format!("task `{id}` is not known: there are {}", known.join(", "))
    })
}

impl Task {
    /// What differs between tasks.
    pub fn kind(&self) -> &'static dyn TaskKind {
        match self {
            Self::Price { .. } => &price::Price,
            Self::Direction { .. } => &Direction,
            Self::Volatility { .. } => &Volatility,
        }
    }

    /// Claims of one forecast.
    pub fn claims(&self) -> usize {
        self.kind().claims(self.horizon())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_id_and_by_its_task() {
        let labels = Labels::Adaptive { low: 0.25, high: 0.75 };
        for kind in task_kinds() {
            let task = kind.task(5, labels);
            assert_eq!((task.id(), task.horizon(), task.kind().id()), (kind.id(), 5, kind.id()));
            assert_eq!(task_kind(kind.id()).unwrap().id(), kind.id());
            assert!(kind.baselines().contains(&kind.reference()));
            assert!((0..kind.claims(5)).all(|claim| (1..=5).contains(&kind.lag(5, claim))));
            assert_eq!(kind.lag(5, kind.claims(5) - 1), 5, "the last outcome is known at the horizon");
        }
        assert!(task_kind("prize").unwrap_err().contains("price, direction, volatility"));
    }
}
