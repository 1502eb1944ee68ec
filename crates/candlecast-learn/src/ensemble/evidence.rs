//! [`Evidence`]: how members did on out-of-fold forecasts whose outcomes are known, and the weights that this speaks for.
//!
//! Since weights sum to 1 the error of a mixture is the mixture of the errors, `sum w_m e_m`, and its mean square is
//! `w'Sw` with the second moments `S` of the members' errors. So sums of products are all that has to be kept.

use super::learnt::{N_STATES, state_of};
use super::{Combine, Mixing};
use crate::confidence::MIN_OUTCOMES;
use crate::conformal::ForecastRow;
use crate::dataset::{Market, RELATIVE_BOUND};
use crate::target::{PriceTarget, TargetKind};
use crate::task::Task;
use crate::tasks::error_unit;

/// Second moments of errors, of several members on the same origins.
#[derive(Debug, Clone, PartialEq)]
struct Moments {
    /// Origins.
    count: f64,
    /// Sums of the errors, `[member]`.
    sums: Vec<f64>,
    /// Sums of their products, averaged over the values of a forecast, row-major `[member, member]`.
    products: Vec<f64>,
}

impl Moments {
    fn zero(n: usize) -> Self {
        Self { count: 0.0, sums: vec![0.0; n], products: vec![0.0; n * n] }
    }

    /// Adds the errors of one origin, `[value][member]`.
    fn add(&mut self, errors: &[Vec<f64>]) {
        let n = self.sums.len();
        self.count += 1.0;
        let share = 1.0 / errors.len() as f64;
        for of_value in errors {
            for (i, a) in of_value.iter().enumerate() {
                self.sums[i] += share * a;
                for (product, b) in self.products[i * n..].iter_mut().zip(of_value) {
                    *product += share * a * b;
                }
            }
        }
    }

    fn merge(&mut self, other: &Self) {
        let add = |sums: &mut [f64], others: &[f64]| sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
        self.count += other.count;
        add(&mut self.sums, &other.sums);
        add(&mut self.products, &other.products);
    }

    /// Mean products of the errors, row-major `[member, member]`; `centred` about the mean error of each.
    fn second(&self, centred: bool) -> Vec<f64> {
        let n = self.sums.len();
        let mean = |i: usize| if centred { self.sums[i] / self.count } else { 0.0 };
        (0..n * n).map(|k| self.products[k] / self.count - mean(k / n) * mean(k % n)).collect()
    }
}

/// How members did on out-of-fold forecasts whose outcomes are known.
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    task: Task,
    market: &'a Market,
    mixing: &'a Mixing,
    /// By state of the market at the origin.
    states: Vec<Moments>,
    /// Sums of the members' losses, the loss of verdicts on means before factors, `[member]`.
    losses: Vec<f64>,
    /// Origins summed.
    origins: usize,
}

impl<'a> Evidence<'a> {
    /// Nothing known of `n` members.
    pub(super) fn new(task: Task, market: &'a Market, mixing: &'a Mixing, n: usize) -> Self {
        let states = vec![Moments::zero(mixing.given.len()); N_STATES];
        Self { task, market, mixing, states, losses: vec![0.0; n], origins: 0 }
    }

    /// Adds the members' forecasts from `row`, all of whose targets are known real candles.
    pub(super) fn add(&mut self, row: usize, parts: &[ForecastRow<'_>]) {
        let (kind, horizon) = (self.task.kind(), self.task.horizon());
        let losses: Option<Vec<f64>> =
            parts.iter().map(|&part| kind.mean_loss(self.market, row, horizon, part)).collect();
        // An outcome without a loss, such as a volatility where no price moved, tells nothing of any.
        let Some(losses) = losses else { return };
        self.losses.iter_mut().zip(losses).for_each(|(sum, loss)| *sum += loss);
        self.origins += 1;
        if self.mixing.combine == Combine::Stacking {
            let neutral = self.mixing.has_neutral.then(|| kind.neutral(self.market, row, horizon));
            let errors = self.errors(row, parts, neutral.as_deref());
            self.states[state_of(self.market, row)].add(&errors);
        }
    }

    /// Errors of the members and of the neutral forecast behind them, `[value][member]`: of moves in units of `sigma_t
    /// sqrt(h)`, clipped as learners clip them; of probabilities of each class; of log variances, within -8 and 8.
    fn errors(&self, row: usize, parts: &[ForecastRow<'_>], neutral: Option<&[f64]>) -> Vec<Vec<f64>> {
        let log_close = self.market.log_close();
        let horizon = self.task.horizon();
        let of_value = |k: usize, error: &dyn Fn(f64) -> f64| -> Vec<f64> {
            let means = parts.iter().map(|part| part.means[k]).chain(neutral.map(|neutral| neutral[k]));
            means.map(error).collect()
        };
        match self.task {
            Task::Price { .. } => {
                let target = PriceTarget::new(TargetKind::Clipped, None);
                let of_step = |k: usize| {
                    let (unit, bound) = (error_unit(self.market, row, k + 1), target.bound(k + 1));
                    let actual = ((log_close[row + k + 1] - log_close[row]) / unit).clamp(-bound, bound);
                    of_value(k, &|mean| actual - mean / unit)
                };
                (0..horizon).map(of_step).collect()
            }
            Task::Direction { .. } => {
                let class = parts[0].borders.map(|b| b.class(log_close[row + horizon] - log_close[row]));
                let of_class = |k: usize| {
                    let actual = f64::from(u8::from(class == Some(k)));
                    of_value(k, &|probability| actual - probability)
                };
                (0..self.task.width()).map(of_class).collect()
            }
            Task::Volatility { .. } => {
                let actual = self.market.realised_variance(row, horizon).ln();
                vec![of_value(0, &|mean| (actual - mean).clamp(-RELATIVE_BOUND, RELATIVE_BOUND))]
            }
        }
    }

    /// Origins that [`Evidence::weights`] are learnt from: 0 where there are too few, or nothing is learnt.
    pub(super) fn origins(&self) -> usize {
        if self.mixing.combine.is_learnt() && self.origins >= MIN_OUTCOMES { self.origins } else { 0 }
    }

    /// Weights, `[state][member]`, each not negative and summing to 1: those given where nothing is learnt, or where fewer
    /// than 200 origins are known.
    pub(super) fn weights(&self) -> Vec<Vec<f64>> {
        let given = &self.mixing.given;
        if self.origins() == 0 {
            return vec![given.clone()];
        }
        match self.mixing.combine {
            Combine::Auto => vec![inverse(&self.losses)],
            Combine::Stacking => self.stacked(),
            Combine::Average | Combine::Weighted { .. } | Combine::Logarithmic { .. } | Combine::Voting { .. } => {
                vec![given.clone()]
            }
        }
    }

    /// Weights of each state, shrunk to those of all states together, which are shrunk to equal ones.
    fn stacked(&self) -> Vec<Vec<f64>> {
        // A level that all forecasts of log variances miss by is no one's fault: means of variances lie above it.
        let centred = matches!(self.task, Task::Volatility { .. });
        let independent = |moments: &Moments| moments.count / self.task.horizon() as f64;
        let mut all = Moments::zero(self.mixing.given.len());
        self.states.iter().for_each(|moments| all.merge(moments));
        let of_all = least_squares(&all.second(centred), independent(&all), &self.mixing.given);
        let of_state = |moments: &Moments| {
            if moments.count < 2.0 {
                return of_all.clone();
            }
            least_squares(&moments.second(centred), independent(moments), &of_all)
        };
        self.states.iter().map(of_state).collect()
    }
}

/// Weights in proportion to the inverses of `losses`.
fn inverse(losses: &[f64]) -> Vec<f64> {
    let least = f64::MIN_POSITIVE.sqrt();
    let inverses: Vec<f64> = losses.iter().map(|loss| 1.0 / loss.max(least)).collect();
    normalised(inverses)
}

fn normalised(weights: Vec<f64>) -> Vec<f64> {
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| weight / sum).collect()
}

/// Variance of a weight of `n` members that nothing is known of: that of weights spread evenly over all that sum to 1.
fn prior_variance(n: usize) -> f64 {
    let n = n as f64;
    (n - 1.0) / (n * n * (n + 1.0))
}

/// Steps of [`least_squares`] at most; a few dozen are usual.
const MAX_STEPS: usize = 100_000;

/// The weights, not negative and summing to 1, that minimise `n w'Sw / (p'Sp) + |w - p|^2 / v`: least squares on `n`
/// independent outcomes with the mean products `S` of the members' errors (`second`, row-major), whose noise is that of
/// the weights `p` (`prior`), and a normal prior about `p` with the variance `v` of [`prior_variance`]. So weights move away
/// from `p` as far as outcomes can tell members apart, and no farther.
///
/// By moving weight from the member with the steepest rise to the one with the steepest fall, as far as the minimum along
/// that line or the bound, until no move is left (sequential minimal optimisation, Platt 1998).
fn least_squares(second: &[f64], n: f64, prior: &[f64]) -> Vec<f64> {
    let m = prior.len();
    let noise: f64 = (0..m * m).map(|k| prior[k / m] * second[k] * prior[k % m]).sum();
    let is_known = noise > 0.0 && second.iter().all(|value| value.is_finite());
    if !is_known {
        return prior.to_vec();
    }
    let (data, pull) = (n / noise, 1.0 / prior_variance(m));
    let bend = |i: usize, j: usize| data * second[i * m + j] + if i == j { pull } else { 0.0 };
    let mut weights = prior.to_vec();
    // Half the gradient; that of the prior is 0 at the prior.
    let mut gradient: Vec<f64> =
        (0..m).map(|i| (0..m).map(|j| data * second[i * m + j] * weights[j]).sum::<f64>()).collect();
    for _ in 0..MAX_STEPS {
        let rise = |&i: &usize| weights[i] > 0.0;
        let Some(from) = (0..m).filter(rise).max_by(|&a, &b| gradient[a].total_cmp(&gradient[b])) else { break };
        let Some(to) = (0..m).min_by(|&a, &b| gradient[a].total_cmp(&gradient[b])) else { break };
        let slope = gradient[from] - gradient[to];
        if slope <= 1e-12 * (data + pull) {
            break;
        }
        let moved = (slope / (bend(from, from) + bend(to, to) - 2.0 * bend(from, to))).min(weights[from]);
        weights[from] -= moved;
        weights[to] += moved;
        for (i, slope) in gradient.iter_mut().enumerate() {
            *slope += moved * (bend(i, to) - bend(i, from));
        }
    }
    normalised(weights)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::Seed;
    use serde_json::Value;

    fn close(a: &[f64], b: &[f64], within: f64) {
        assert!(a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < within), "{a:?} {b:?}");
    }

    #[test]
    fn the_weights_of_two_are_those_found_by_hand() {
        // Uncorrelated errors of variance 1 and 4, noise (1 + 4) / 4 = 1.25, prior variance 1 / 12, 100 outcomes: the
        // derivative of 80 (w^2 + 4 (1 - w)^2) + 24 (w - 1/2)^2 is 0 at w = (320 + 12) / (400 + 24).
        let weights = least_squares(&[1.0, 0.0, 0.0, 4.0], 100.0, &[0.5, 0.5]);
        close(&weights, &[332.0 / 424.0, 92.0 / 424.0], 1e-9);
        // Without outcomes they are those of the prior, with very many those of least squares alone.
        close(&least_squares(&[1.0, 0.0, 0.0, 4.0], 0.0, &[0.5, 0.5]), &[0.5, 0.5], 1e-12);
        close(&least_squares(&[1.0, 0.0, 0.0, 4.0], 1e9, &[0.5, 0.5]), &[0.8, 0.2], 1e-6);
        // Errors that nearly agree: all on the better one, which the bound holds at 1.
        close(&least_squares(&[1.0, 1.5, 1.5, 4.0], 1e6, &[0.5, 0.5]), &[1.0, 0.0], 1e-12);
    }

    /// `tests/golden/stacking.py` solves the same by SciPy; what is left is where iterations stop.
    #[test]
    fn the_weights_of_several_are_those_of_scipy() {
        let golden: Value = serde_json::from_str(include_str!("../../tests/golden/stacking.json")).unwrap();
        let numbers = |value: &Value| -> Vec<f64> {
            value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
        };
        let cases = golden["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 6);
        for case in cases {
            let weights =
                least_squares(&numbers(&case["second"]), case["n"].as_f64().unwrap(), &numbers(&case["prior"]));
            close(&weights, &numbers(&case["weights"]), 1e-7);
        }
    }

    #[test]
    fn weights_are_never_negative_and_sum_to_one_and_no_move_is_better() {
        for seed in 0..200 {
            let mut rng = Seed(seed).derive("weights", 0).stream();
            let m = 2 + rng.below(7);
            let draws: Vec<Vec<f64>> = (0..m + 3)
                .map(|_| {
                    let common = rng.normal();
                    (0..m).map(|_| common + 0.3 * rng.normal()).collect()
                })
                .collect();
            let product = |i: usize, j: usize| draws.iter().map(|e| e[i] * e[j]).sum::<f64>() / draws.len() as f64;
            let second: Vec<f64> = (0..m * m).map(|k| product(k / m, k % m)).collect();
            let prior = vec![1.0 / m as f64; m];
            let n = 10.0_f64.powf(5.0 * rng.uniform());
            let weights = least_squares(&second, n, &prior);
            assert!(weights.iter().all(|&w| w >= 0.0) && (weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let square = |w: &[f64]| (0..m * m).map(|k| w[k / m] * second[k] * w[k % m]).sum::<f64>();
            let noise = square(&prior);
            let cost = |w: &[f64]| {
                let away: f64 = w.iter().zip(&prior).map(|(w, p)| (w - p).powi(2)).sum();
                n * square(w) / noise + away / prior_variance(m)
            };
            let least = cost(&weights);
            for (from, to) in (0..m * m).map(|k| (k / m, k % m)).filter(|&(from, to)| from != to) {
                let mut other = weights.clone();
                let moved = other[from].min(1e-4);
                other[from] -= moved;
                other[to] += moved;
                assert!(cost(&other) >= least - 1e-9 * least, "{seed}: {weights:?}");
            }
        }
    }

    #[test]
    fn weights_by_error_are_in_proportion_to_its_inverse() {
        close(&inverse(&[1.0, 2.0, 4.0]), &[4.0 / 7.0, 2.0 / 7.0, 1.0 / 7.0], 1e-12);
        let free = inverse(&[0.0, 1.0]);
        assert!(free.iter().all(|w| w.is_finite()) && free[0] > 0.999, "{free:?}");
    }

    #[test]
    fn second_moments_may_be_taken_about_the_mean() {
        let mut moments = Moments::zero(2);
        moments.add(&[vec![1.0, 2.0], vec![3.0, 0.0]]);
        let mut other = Moments::zero(2);
        other.add(&[vec![0.0, 1.0]]);
        moments.merge(&other);
        // Two origins: means over values of (1 + 9) / 2 and 0; (2 + 0) / 2 and 0; (4 + 0) / 2 and 1.
        close(&moments.second(false), &[2.5, 0.5, 0.5, 1.5], 1e-12);
        // Mean errors 1 and 1.
        close(&moments.second(true), &[1.5, -0.5, -0.5, 0.5], 1e-12);
    }
}
