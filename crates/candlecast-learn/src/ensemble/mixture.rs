//! [`Mixture`]: one forecast from those of several members.

use super::learnt::Learnt;
use super::tally::{Tally, side};
use super::{Combine, Mixing, Votes};
use crate::conformal::{ForecastRow, MemberClaim};
use crate::dataset::Market;
use crate::task::Task;
use crate::walk_forward::Forecasts;

/// Combines forecasts of `task` from the same origin: of log returns, of class probabilities, of variances (whose logarithms
/// the rows hold), or of these logarithms, without a factor. Scales are weighed alike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mixture<'a> {
    /// How.
    pub(crate) mixing: &'a Mixing,
    /// What is forecast.
    pub(crate) task: Task,
    /// What was learnt by the fit; without it weights are those given and there is no raw confidence.
    pub(crate) learnt: Option<&'a Learnt>,
}

/// The forecasts of `members` in position `i`, without raw confidences of their own: a member is taken by what it says,
/// whatever it is made of.
pub(super) fn parts<'f>(members: &[&'f Forecasts], i: usize) -> Vec<ForecastRow<'f>> {
    members.iter().map(|member| ForecastRow { confidences: &[], ..member.row(i) }).collect()
}

impl Mixture<'_> {
    /// Forecasts from `rows` of `market` by those of `members`, one a row.
    pub(crate) fn combine(&self, market: &Market, rows: &[usize], members: &[&Forecasts]) -> Forecasts {
        let mut out = Forecasts::empty(self.task.width());
        for (i, &row) in rows.iter().enumerate() {
            self.add(market, row, &parts(members, i), &mut out);
        }
        out
    }

    /// Adds to `out` the forecast from `row` of `market` by `parts`, one a member.
    pub(super) fn add(&self, market: &Market, row: usize, parts: &[ForecastRow<'_>], out: &mut Forecasts) {
        let tallies = match self.task {
            Task::Price { .. } | Task::Direction { .. } => {
                self.tallies(parts, self.told(market, row, parts).as_deref())
            }
            Task::Volatility { .. } => vec![],
        };
        match self.mixing.combine {
            Combine::Voting { .. } => self.vote(parts, &tallies, out),
            Combine::Average
            | Combine::Weighted { .. }
            | Combine::Logarithmic { .. }
            | Combine::Auto
            | Combine::Stacking => self.mean(market, row, parts, out),
        }
        out.borders.extend(parts[0].borders);
        if self.learnt.is_some() {
            out.confidences.extend(tallies.iter().map(|tally| self.raw_confidence(tally)));
        }
    }

    /// Weights at `row` of `market`, `[member]`, of the neutral forecast last where it takes part.
    pub(super) fn weights(&self, market: &Market, row: usize) -> &[f64] {
        self.learnt.map_or(self.mixing.given.as_slice(), |learnt| learnt.weights_at(market, row))
    }

    /// What the members say, told by their calibration, `[member][claim]`.
    pub(super) fn told(&self, market: &Market, row: usize, parts: &[ForecastRow<'_>]) -> Option<Vec<Vec<MemberClaim>>> {
        self.learnt.map(|learnt| learnt.told(self.task, market.origin(row), parts))
    }

    /// Votes on each claim.
    pub(super) fn tallies(&self, parts: &[ForecastRow<'_>], told: Option<&[Vec<MemberClaim>]>) -> Vec<Tally> {
        let votes = self.mixing.combine.votes().unwrap_or(Votes::Equal);
        (0..self.task.claims()).map(|claim| Tally::of_claim(votes, self.task, parts, told, claim)).collect()
    }

    /// The raw confidence of a claim with these votes.
    pub(super) fn raw_confidence(&self, tally: &Tally) -> f64 {
        tally.raw_confidence(self.mixing.combine.votes().is_some(), self.task.kind().chance())
    }

    fn mean(&self, market: &Market, row: usize, parts: &[ForecastRow<'_>], out: &mut Forecasts) {
        let weights = self.weights(market, row);
        let own = self.mixing.own(weights);
        let neutral = self.mixing.has_neutral.then(|| self.task.kind().neutral(market, row, self.task.horizon()));
        for k in 0..self.task.width() {
            let values = || parts.iter().map(|part| part.means[k]).chain(neutral.as_ref().map(|neutral| neutral[k]));
            out.means.push(match self.task {
                Task::Volatility { .. } if !self.mixing.combine.is_of_logarithms() => {
                    // From the greatest, so that no exponential overflows.
                    let top = values().fold(f64::NEG_INFINITY, f64::max);
                    top + values().zip(weights).map(|(value, weight)| weight * (value - top).exp()).sum::<f64>().ln()
                }
                Task::Price { .. } | Task::Direction { .. } | Task::Volatility { .. } => {
                    values().zip(weights).map(|(value, weight)| weight * value).sum()
                }
            });
            out.scales.push(parts.iter().zip(&own).map(|(part, weight)| weight * part.scales[k]).sum());
        }
    }

    /// The mean of the members on the side of the majority. Without a majority a price stays, and classes are as probable
    /// as they are on the mean of all members.
    fn vote(&self, parts: &[ForecastRow<'_>], tallies: &[Tally], out: &mut Forecasts) {
        let is_price = matches!(self.task, Task::Price { .. });
        let n = parts.len() as f64;
        for k in 0..self.task.width() {
            let claim = if is_price { k } else { 0 };
            let majority = tallies[claim].majority();
            let on_side = |part: ForecastRow<'_>| majority.is_none() || side(self.task, part, claim) == majority;
            let told: Vec<f64> = parts.iter().filter(|&&part| on_side(part)).map(|part| part.means[k]).collect();
            let mean = told.iter().sum::<f64>() / told.len() as f64;
            out.means.push(if is_price && majority.is_none() { 0.0 } else { mean });
            out.scales.push(parts.iter().map(|part| part.scales[k] / n).sum());
        }
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;

    use super::*;
    use crate::Labels;
    use crate::conformal::{CalibrationState, Calibrator, FrozenCalibration};
    use crate::made::market_of;
    use crate::tasks::Borders;

    fn forecasts(width: usize, means: &[f64]) -> Forecasts {
        Forecasts { means: means.to_vec(), scales: vec![1.0; means.len()], ..Forecasts::empty(width) }
    }

    fn mixing(combine: Combine, n: usize) -> Mixing {
        let given = combine.weights(n).unwrap();
        Mixing { combine, given, has_neutral: false }
    }

    fn market() -> std::sync::Arc<Market> {
        let mut rng = Seed(5).stream();
        market_of(&(0..60).map(|_| 0.01 * rng.normal()).collect::<Vec<f64>>())
    }

    /// The forecast from row 50 by `members`.
    fn mixed(mixing: &Mixing, task: Task, learnt: Option<&Learnt>, members: &[Forecasts]) -> Forecasts {
        let members: Vec<&Forecasts> = members.iter().collect();
        Mixture { mixing, task, learnt }.combine(&market(), &[50], &members)
    }

    fn fresh(task: Task) -> FrozenCalibration {
        Calibrator::new(task, CalibrationState::new(0.9, &task, 24.0)).frozen()
    }

    fn close(found: &[f64], expected: &[f64]) {
        let same = found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(same, "{found:?} {expected:?}");
    }

    const PRICE: Task = Task::Price { horizon: 2 };
    const VOLATILITY: Task = Task::Volatility { horizon: 2 };
    const DIRECTION: Task = Task::Direction { horizon: 2, labels: Labels::Fixed { threshold: 0.01 } };

    #[test]
    fn returns_and_probabilities_are_averaged_and_variances_before_their_logarithm() {
        let weighted = mixing(Combine::Weighted { weights: vec![3.0, 1.0] }, 2);
        let price = mixed(&weighted, PRICE, None, &[forecasts(2, &[0.01, 0.03]), forecasts(2, &[0.03, -0.01])]);
        close(&price.means, &[0.015, 0.02]);
        assert!(price.confidences.is_empty(), "nothing was learnt of the members");
        let (calm, wild) = (forecasts(1, &[(1e-4_f64).ln()]), forecasts(1, &[(3e-4_f64).ln()]));
        let volatility = mixed(&mixing(Combine::Average, 2), VOLATILITY, None, &[calm, wild]);
        close(&volatility.means, &[(2e-4_f64).ln()]);
    }

    #[test]
    fn a_mean_of_logarithms_is_a_geometric_mean() {
        let members = [forecasts(1, &[(1e-4_f64).ln()]), forecasts(1, &[(16e-4_f64).ln()])];
        for (weights, expected) in [(None, 4e-4_f64), (Some(vec![3.0, 1.0]), 2e-4)] {
            let mean = mixed(&mixing(Combine::Logarithmic { weights }, 2), VOLATILITY, None, &members);
            assert!((mean.means[0].exp() / expected - 1.0).abs() < 1e-12);
            assert_eq!(mean.scales, [1.0]);
        }
    }

    #[test]
    fn a_price_is_the_mean_of_the_majority_and_stays_without_one() {
        let voting = mixing(Combine::Voting { votes: Votes::Equal }, 4);
        // Step 1: two up, one down, one silent. Step 2: one up, one down, two silent.
        let members = [
            forecasts(2, &[0.01, 0.02]),
            forecasts(2, &[0.03, -0.05]),
            forecasts(2, &[-0.09, 0.0]),
            forecasts(2, &[0.0, 0.0]),
        ];
        close(&mixed(&voting, PRICE, None, &members).means, &[0.02, 0.0]);
        // What votes weigh decides the tie of the second step: nobody is surer than chance here.
        let learnt = Learnt { weights: vec![vec![0.25; 4]], origins: 0, members: vec![fresh(PRICE); 4] };
        let by_confidence = mixing(Combine::Voting { votes: Votes::Confidence }, 4);
        let told = mixed(&by_confidence, PRICE, Some(&learnt), &members);
        close(&told.means, &[0.02, 0.0]);
        // Coin tosses of which two in three agree, and one in two.
        close(&told.confidences, &[0.5 * 2.0 / 3.0, 0.25]);
        let agreeing = [forecasts(2, &[0.01, -0.02]), forecasts(2, &[0.03, -0.05])];
        let learnt = Learnt { weights: vec![vec![0.5; 2]], origins: 0, members: vec![fresh(PRICE); 2] };
        let voting = mixing(Combine::Voting { votes: Votes::Equal }, 2);
        close(&mixed(&voting, PRICE, Some(&learnt), &agreeing).confidences, &[0.55, 0.55]);
        let average = mixing(Combine::Average, 2);
        close(&mixed(&average, PRICE, Some(&learnt), &agreeing).confidences, &[0.5, 0.5]);
    }

    #[test]
    fn classes_are_the_mean_of_those_that_say_the_class_of_the_majority() {
        let voting = mixing(Combine::Voting { votes: Votes::Equal }, 3);
        let borders = vec![Borders { sell: -0.01, buy: 0.01 }];
        let member = |means: [f64; 3]| Forecasts { borders: borders.clone(), ..forecasts(3, &means) };
        let members = [member([0.5, 0.3, 0.2]), member([0.4, 0.3, 0.3]), member([0.0, 0.1, 0.9])];
        let told = mixed(&voting, DIRECTION, None, &members);
        close(&told.means, &[0.45, 0.3, 0.25]);
        assert_eq!(told.borders, borders);
        let undecided = mixing(Combine::Voting { votes: Votes::Equal }, 2);
        let members = [member([0.6, 0.2, 0.2]), member([0.1, 0.1, 0.8])];
        close(&mixed(&undecided, DIRECTION, None, &members).means, &[0.35, 0.15, 0.5]);
    }

    #[test]
    fn weights_are_those_of_the_state_and_the_neutral_forecast_takes_its_share() {
        let market = market();
        let state = super::super::learnt::state_of(&market, 50);
        let mut weights = vec![vec![1.0, 0.0, 0.0]; 6];
        weights[state] = vec![0.2, 0.3, 0.5];
        let learnt = Learnt { weights, origins: 300, members: vec![fresh(PRICE); 2] };
        let stacking = Mixing { combine: Combine::Stacking, given: vec![1.0 / 3.0; 3], has_neutral: true };
        let mut members = [forecasts(2, &[0.01, 0.03]), forecasts(2, &[0.02, -0.01])];
        members[1].scales = vec![2.0; 2];
        let told = mixed(&stacking, PRICE, Some(&learnt), &members);
        close(&told.means, &[0.2 * 0.01 + 0.3 * 0.02, 0.2 * 0.03 - 0.3 * 0.01]);
        // The naive forecast has no opinion of its errors: 0.4 and 0.6 of those that have.
        close(&told.scales, &[1.6, 1.6]);
        let before = mixed(&stacking, PRICE, None, &members);
        close(&before.means, &[0.01, 0.02 / 3.0]);
    }
}
