//! `volatility`: the realised volatility of the next steps.

use candlecast_core::{Outlook, VolatilityOutlook};

use super::{Borders, Claim, Known, OutlookOrigin, TaskKind};
use crate::conformal::{Calibrated, ForecastRow};
use crate::dataset::{Market, base_log_variance};
use crate::evaluate::{Facts, Scorer, VolatilityScorer};
use crate::task::{Labels, Task};

#[derive(Debug)]
pub(crate) struct Volatility;

impl TaskKind for Volatility {
    fn id(&self) -> &'static str {
        "volatility"
    }

    fn task(&self, horizon: usize, _: Labels) -> Task {
        Task::Volatility { horizon }
    }

    fn baselines(&self) -> &'static [&'static str] {
        &["ewma", "log-har"]
    }

    fn reference(&self) -> &'static str {
        "log-har"
    }

    fn loss(&self) -> &'static str {
        "QLIKE"
    }

    fn claims(&self, _: usize) -> usize {
        1
    }

    fn lag(&self, horizon: usize, _: usize) -> usize {
        horizon
    }

    fn chance(&self) -> f64 {
        0.5
    }

    fn claim(&self, forecast: ForecastRow<'_>, _: f64) -> Vec<Claim> {
        vec![Claim { mean: forecast.means[0], scale: forecast.scales[0], unit: None, size: None, borders: None }]
    }

    /// Where no price moved there is no log variance, and nothing to be learnt.
    fn outcome(&self, _: &Claim, closes: &[f64]) -> Known {
        let variance: f64 = closes.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum();
        Known { actual: (variance > 0.0).then(|| variance.ln()), right: None }
    }

    /// The volatility stays what it is.
    fn neutral(&self, market: &Market, row: usize, horizon: usize) -> Vec<f64> {
        vec![base_log_variance(market.volatility()[row], horizon)]
    }

    fn mean_loss(&self, market: &Market, row: usize, horizon: usize, forecast: ForecastRow<'_>) -> Option<f64> {
        let variance = market.realised_variance(row, horizon);
        let difference = (variance > 0.0).then(|| variance.ln() - forecast.means[0])?;
        Some(difference.exp_m1() - difference)
    }

    fn scorer<'a>(&self, facts: &'a Facts<'a>, task: Task, _: f64) -> Box<dyn Scorer + 'a> {
        Box::new(VolatilityScorer::new(facts, task.horizon()))
    }

    fn told(&self, _: f64, value: f64) -> f64 {
        (0.5 * value).exp()
    }

    fn outlook(&self, origin: OutlookOrigin, means: &[f64], issued: &[Calibrated], _: Option<Borders>) -> Outlook {
        let mean = means[0];
        let (lower, upper) = issued.first().map_or((mean, mean), |c| (c.lower, c.upper));
        Outlook::Volatility(VolatilityOutlook {
            step: origin.horizon,
            target_time: origin.time.plus_ms(origin.horizon as i64 * origin.step_ms),
            volatility: self.told(origin.price, mean),
            lower: self.told(origin.price, lower),
            upper: self.told(origin.price, upper),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outcome_is_the_log_of_the_summed_squares_and_a_standstill_has_none() {
        let forecast = ForecastRow { means: &[-8.0], scales: &[1.0], borders: None, confidences: &[] };
        let claim = Volatility.claim(forecast, 0.01)[0];
        let known = Volatility.outcome(&claim, &[0.0, 0.01, -0.01]);
        assert!((known.actual.unwrap() - 5e-4_f64.ln()).abs() < 1e-12 && known.right.is_none());
        assert_eq!(Volatility.outcome(&claim, &[1.0, 1.0]), Known { actual: None, right: None });
    }
}
