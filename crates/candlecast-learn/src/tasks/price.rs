//! `price`: the price at every step.

use candlecast_core::{ForecastStep, Move, Outlook};

use super::{Borders, Claim, Known, OutlookOrigin, TaskKind};
use crate::conformal::{Calibrated, ForecastRow, size_of_confidence};
use crate::dataset::Market;
use crate::evaluate::{Facts, PriceScorer, Scorer};
use crate::task::{Labels, Task};

#[derive(Debug)]
pub(super) struct Price;

/// Size that the log return over `step` steps from `row` may be expected to have: `sigma_t sqrt(step)`, the unit of
/// errors in verdicts. Above 0 at origins.
pub(crate) fn error_unit(market: &Market, row: usize, step: usize) -> f64 {
    market.sigma()[row] * (step as f64).sqrt()
}

impl TaskKind for Price {
    fn id(&self) -> &'static str {
        "price"
    }

    fn task(&self, horizon: usize, _: Labels) -> Task {
        Task::Price { horizon }
    }

    fn baselines(&self) -> &'static [&'static str] {
        &["naive", "drift", "seasonal-naive", "ewma"]
    }

    fn reference(&self) -> &'static str {
        "naive"
    }

    fn loss(&self) -> &'static str {
        "absolute error in units of sigma sqrt h"
    }

    fn claims(&self, horizon: usize) -> usize {
        horizon
    }

    fn lag(&self, _: usize, claim: usize) -> usize {
        claim + 1
    }

    fn chance(&self) -> f64 {
        0.5
    }

    fn claim(&self, forecast: ForecastRow<'_>, sigma: f64) -> Vec<Claim> {
        let claim = |(h, (&mean, &scale)): (usize, (&f64, &f64))| {
            let unit = sigma * ((h + 1) as f64).sqrt();
            Claim {
                mean,
                scale,
                unit: Some(unit),
                // A forecast of no change has no direction.
                size: (mean != 0.0).then(|| {
                    let raw = forecast.confidences.get(h).copied();
                    raw.map_or(mean.abs() / unit, size_of_confidence)
                }),
                borders: None,
            }
        };
        forecast.means.iter().zip(forecast.scales).enumerate().map(claim).collect()
    }

    fn outcome(&self, claim: &Claim, closes: &[f64]) -> Known {
        let actual = closes[closes.len() - 1] - closes[0];
        let right = (claim.mean != 0.0 && actual != 0.0).then_some((claim.mean > 0.0) == (actual > 0.0));
        Known { actual: Some(actual), right }
    }

    /// The price stays.
    fn neutral(&self, _: &Market, _: usize, horizon: usize) -> Vec<f64> {
        vec![0.0; horizon]
    }

    fn mean_loss(&self, market: &Market, row: usize, horizon: usize, forecast: ForecastRow<'_>) -> Option<f64> {
        let close = market.log_close();
        let error = |(h, mean): (usize, &f64)| {
            (mean - (close[row + h + 1] - close[row])).abs() / error_unit(market, row, h + 1)
        };
        Some(forecast.means.iter().enumerate().map(error).sum::<f64>() / horizon as f64)
    }

    fn scorer<'a>(&self, facts: &'a Facts<'a>, task: Task, level: f64) -> Box<dyn Scorer + 'a> {
        Box::new(PriceScorer::new(facts, task.horizon(), level))
    }

    fn told(&self, price: f64, value: f64) -> f64 {
        price * value.exp()
    }

    fn outlook(&self, origin: OutlookOrigin, means: &[f64], issued: &[Calibrated], _: Option<Borders>) -> Outlook {
        let step = |(h, (c, &mean)): (usize, (&Calibrated, &f64))| ForecastStep {
            step: h + 1,
            target_time: origin.time.plus_ms((h as i64 + 1) * origin.step_ms),
            price: self.told(origin.price, c.mean),
            lower: self.told(origin.price, c.lower),
            upper: self.told(origin.price, c.upper),
            direction: Move::of(mean),
            factor: c.factor,
            confidence: c.confidence,
            calibrated: c.calibrated,
        };
        Outlook::Price(issued.iter().zip(means).enumerate().map(step).collect())
    }
}
