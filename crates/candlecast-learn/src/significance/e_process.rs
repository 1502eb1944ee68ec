//! An anytime-valid test of live forecasts: whoever looks every day at a test of fixed length is wrong far more often
//! than its level says; an e-process may be looked at as often as one likes.
//!
//! The differences of losses are `d = |y| - |y - f|`, of naive's error and the model's, so by the triangle inequality
//! `-|f| <= d <= |f|`: a bound that is known when the forecast is made. `x = d / |f|` lies within -1 and 1. A gambler
//! who stakes the share `b` of his wealth on each outcome has `prod (1 + b x)`, which is expected not to grow as long
//! as the model is no better than naive. Wealth of 20 is as improbable then as 1 in 20 (Ville's inequality), whenever
//! one stops (Henzi and Ziegel 2022; Choe and Ramdas 2023). The mean over fixed stakes needs no guess of how good the
//! model is, and in simulations finds as much as stakes that are fitted on the way.

use super::overlap::overlap;

/// Shares of the wealth that are staked, side by side. The best one is about the mean of `x` over its mean square;
/// where forecasts of prices are any good that is a few hundredths to a few tenths.
const STAKES: [f64; 5] = [1.0 / 32.0, 1.0 / 16.0, 0.125, 0.25, 0.5];

/// Wealth beyond which nothing is counted, so that it stays finite.
const MOST: f64 = 1e300;

/// Evidence that a model is better than a reference, from outcomes that do not overlap. Tests the hypothesis that for
/// each outcome the expected difference of the losses, given everything before the forecast, is at most 0. All outcomes
/// weigh alike, however large the forecast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EProcess {
    /// By stake.
    wealth: [f64; STAKES.len()],
    largest: f64,
}

impl Default for EProcess {
    fn default() -> Self {
        Self { wealth: [1.0; STAKES.len()], largest: 1.0 }
    }
}

impl EProcess {
    /// Takes the next outcome, the reference's loss minus the model's, which lies within `-bound` and `bound`; `bound`
    /// was known when the forecast was made. Where it is 0, as that of a forecast of no change, or not a number there
    /// is nothing to learn: false.
    pub fn push(&mut self, difference: f64, bound: f64) -> bool {
        if !(difference.is_finite() && bound.is_finite() && bound > 0.0) {
            return false;
        }
        // Beyond 1 by rounding only.
        let x = (difference / bound).clamp(-1.0, 1.0);
        for (wealth, stake) in self.wealth.iter_mut().zip(STAKES) {
            *wealth = (*wealth * (1.0 + stake * x)).min(MOST);
        }
        self.largest = self.largest.max(self.e_value());
        true
    }

    /// The e-value now: expected to be at most 1 if the model is no better.
    pub fn e_value(&self) -> f64 {
        self.wealth.iter().sum::<f64>() / STAKES.len() as f64
    }

    /// The p-value over all outcomes so far, valid whenever one looks: 1 over the largest e-value, at most 1.
    pub fn p_value(&self) -> f64 {
        1.0 / self.largest
    }

    /// The e-value where the outcome under way goes as badly as it can.
    fn least(&self) -> f64 {
        let lost = self.wealth.iter().zip(STAKES).map(|(wealth, stake)| wealth * (1.0 - stake));
        lost.sum::<f64>() / STAKES.len() as f64
    }
}

/// Evidence from outcomes that may overlap.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EValue {
    /// After the last outcome; expected to be at most 1 if the model is no better.
    pub e_value: f64,
    /// The largest on the way.
    pub largest: f64,
    /// Outcomes that counted: those of forecasts of no change do not.
    pub outcomes: usize,
}

impl EValue {
    /// The p-value, valid whenever one looks; `None` without any outcome that counts.
    pub fn p_value(&self) -> Option<f64> {
        (self.outcomes > 0).then(|| (1.0 / self.largest).min(1.0))
    }
}

/// [`EProcess`] over outcomes that reach `horizon` ahead of `origins` (ascending, in candles); `differences` and
/// `bounds` are theirs. Each outcome goes to the first of as many streams as overlap at most in which none is under
/// way, and the e-value is the mean over the streams. While an outcome is under way its end can be guessed from its
/// beginning, so that whoever looks then could pick his moment: over more than one step the next outcome of each stream
/// counts as lost. When forecasts are made must not depend on how earlier ones did.
pub fn interleaved(origins: &[i64], differences: &[f64], bounds: &[f64], horizon: usize) -> EValue {
    let reach = horizon as i64;
    let mut streams = vec![EProcess::default(); overlap(origins, reach)];
    let mut free_from = vec![i64::MIN; streams.len()];
    let mut found = EValue { e_value: 1.0, largest: 1.0, outcomes: 0 };
    for ((&origin, &difference), &bound) in origins.iter().zip(differences).zip(bounds) {
        let Some(k) = free_from.iter().position(|&free| free <= origin) else { continue };
        free_from[k] = origin.saturating_add(reach);
        if !streams[k].push(difference, bound) {
            continue;
        }
        let of_stream = |stream: &EProcess| if horizon > 1 { stream.least() } else { stream.e_value() };
        found.e_value = streams.iter().map(of_stream).sum::<f64>() / streams.len() as f64;
        found.largest = found.largest.max(found.e_value);
        found.outcomes += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;

    use super::*;

    /// Losses of naive and a model on a random walk with `n` origins: differences and bounds, averaged over the steps
    /// in units of the root of the step. `edge` is the share of the next return's scale that is known.
    fn walk(run: u64, n: usize, horizon: usize, edge: f64) -> (Vec<f64>, Vec<f64>) {
        let mut rng = Seed(31).derive("e-process", run).stream();
        let mut known = 0.0;
        let (mut returns, mut forecasts) = (Vec::new(), Vec::new());
        for _ in 0..n + horizon {
            returns.push(edge * known + rng.normal());
            known = 0.9 * known + 0.436 * rng.normal();
            forecasts.push(if edge > 0.0 { edge * known } else { 0.1 * rng.normal() });
        }
        let of_origin = |i: usize| {
            let (mut outcome, mut forecast, mut sums) = (0.0, 0.0, (0.0, 0.0));
            for k in 1..=horizon {
                outcome += returns[i + k];
                forecast += forecasts[i] * 0.9_f64.powi(k as i32 - 1);
                let unit = (k as f64).sqrt() * horizon as f64;
                sums.0 += (outcome.abs() - (outcome - forecast).abs()) / unit;
                sums.1 += forecast.abs() / unit;
            }
            sums
        };
        (0..n).map(of_origin).unzip()
    }

    /// Share of `runs` walks on which the model was called better at some time.
    fn called_better(runs: u64, n: usize, horizon: usize, edge: f64) -> f64 {
        let origins: Vec<i64> = (0..n as i64).collect();
        let better = |run| {
            let (differences, bounds) = walk(run, n, horizon, edge);
            interleaved(&origins, &differences, &bounds, horizon).p_value().unwrap() <= 0.05
        };
        (0..runs).filter(|&run| better(run)).count() as f64 / runs as f64
    }

    #[test]
    fn wealth_by_hand() {
        let mut process = EProcess::default();
        assert!(process.push(0.02, 0.02) && process.push(-0.01, 0.02));
        let by_hand = STAKES.iter().map(|b| (1.0 + b) * (1.0 - 0.5 * b)).sum::<f64>() / 5.0;
        let after_one = STAKES.iter().map(|b| 1.0 + b).sum::<f64>() / 5.0;
        assert!((process.e_value() - by_hand).abs() < 1e-12);
        assert!((process.p_value() - 1.0 / after_one).abs() < 1e-12, "the largest e-value counts");
        let before = process;
        assert!(!process.push(0.0, 0.0) && !process.push(f64::NAN, 1.0) && !process.push(0.1, f64::NAN));
        assert_eq!(process, before);
        (0..10_000).for_each(|_| assert!(process.push(1.0, 1.0)));
        assert!(process.e_value().is_finite() && process.p_value() > 0.0);
    }

    #[test]
    fn streams_hold_outcomes_that_do_not_overlap() {
        // Two streams: origins 0, 3, 6 and 1, 4.
        let (differences, bounds) = ([1.0, -1.0, 1.0, 0.5, 0.0], [1.0; 5]);
        let found = interleaved(&[0, 1, 3, 4, 6], &differences, &bounds, 3);
        let least = |stream: &[f64]| {
            let of = |b: &f64| stream.iter().map(|x| 1.0 + b * x).product::<f64>() * (1.0 - b);
            STAKES.iter().map(of).sum::<f64>() / 5.0
        };
        let by_hand = 0.5 * (least(&[1.0, 1.0, 0.0]) + least(&[-1.0, 0.5]));
        assert!((found.e_value - by_hand).abs() < 1e-12, "{found:?} {by_hand}");
        assert_eq!((found.largest, found.outcomes), (1.0, 5));
        // Once a day a forecast of the next day: one stream.
        let daily = interleaved(&[0, 24, 48], &[1.0; 3], &[1.0; 3], 24);
        assert!((daily.e_value - least(&[1.0, 1.0, 1.0])).abs() < 1e-12 && daily.largest > 1.0);
        // Forecasts of no change are no evidence.
        let still = interleaved(&[0, 1], &[0.0; 2], &[0.0; 2], 1);
        assert_eq!((still.outcomes, still.p_value()), (0, None));
    }

    #[test]
    fn looking_after_every_outcome_calls_noise_better_in_at_most_one_of_twenty_walks() {
        for horizon in [1, 6] {
            let share = called_better(400, 800, horizon, 0.0);
            assert!(share <= 0.05, "{horizon} steps: {share}");
        }
    }

    #[test]
    fn looking_at_fair_coins_after_every_throw_finds_an_edge_in_at_most_one_of_twenty() {
        let runs = 400;
        let fooled = (0..runs).filter(|&run| {
            let mut rng = Seed(32).derive("coins", run).stream();
            let mut process = EProcess::default();
            (0..800).for_each(|_| assert!(process.push(if rng.uniform() < 0.5 { 1.0 } else { -1.0 }, 1.0)));
            process.p_value() <= 0.05
        });
        let share = fooled.count() as f64 / runs as f64;
        assert!(share <= 0.05, "{share}");
    }

    #[test]
    fn what_is_known_of_the_next_return_is_found() {
        // Of 60 runs of the same design in numpy: 93 % over one step, 87 % over six.
        for horizon in [1, 6] {
            let share = called_better(60, 2_000, horizon, 0.3);
            assert!(share > 0.7, "{horizon} steps: {share}");
        }
    }
}
