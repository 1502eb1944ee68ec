//! The intervals that the program gave before they followed a forecast of the volatility, for comparison.
//!
//! Symmetric around the mean; as wide as a quantile of the last 1,500 absolute errors in units of the exponentially
//! weighted volatility (half-life 48 candles) times the root of the step; the miss rate aimed at moves by 0.01 for each
//! known outcome, whatever its step (Gibbs and Candès 2021).

use std::collections::VecDeque;
use std::f64::consts::SQRT_2;

use candlecast_learn::Market;
use statrs::function::erf::erf_inv;

/// Step size of the adaptation.
const GAMMA: f64 = 0.01;
/// Known scores kept for the quantile.
const WINDOW: usize = 1_500;
/// Scores below which the interval is the normal one.
const MIN_SCORES: usize = 50;
/// How much wider than the widest score an interval is that must not miss.
const BEYOND_MAX: f64 = 1.25;
/// Floor of the volatility of one candle.
const MIN_VOLATILITY: f64 = 1e-8;

/// Standard deviation of the log return over `step` steps from `row`, by the volatility that is known there.
pub(crate) fn scale(market: &Market, row: usize, step: usize) -> f64 {
    market.volatility()[row].max(MIN_VOLATILITY) * (step as f64).sqrt()
}

/// Half-widths, in log returns, of the intervals around no change `step` steps after each of `origins` (ascending),
/// which are to cover the share `level`. Each has learnt from every outcome that is known at its origin and whose
/// candles are all real.
pub(crate) fn half_widths(market: &Market, origins: &[usize], step: usize, level: f64) -> Vec<f64> {
    let close = market.log_close();
    let mut state = State::new(level);
    let (mut next, mut out) = (0, Vec::with_capacity(origins.len()));
    for &row in origins {
        while next < out.len() && origins[next] + step <= row {
            let origin = origins[next];
            if market.has_targets(origin, step) {
                let error = (close[origin + step] - close[origin]).abs();
                state.absorb(error, out[next], scale(market, origin, step));
            }
            next += 1;
        }
        out.push(scale(market, row, step) * state.multiple());
    }
    out
}

/// What is known of one step.
#[derive(Debug)]
struct State {
    level: f64,
    /// Miss rate aimed at; may leave 0 to 1.
    alpha: f64,
    /// Oldest first.
    scores: VecDeque<f32>,
    /// The same in ascending order.
    sorted: Vec<f32>,
}

impl State {
    fn new(level: f64) -> Self {
        Self { level, alpha: 1.0 - level, scores: VecDeque::new(), sorted: vec![] }
    }

    /// Multiple of the scale that the interval reaches.
    fn multiple(&self) -> f64 {
        let n = self.sorted.len();
        if n < MIN_SCORES {
            return erf_inv(self.level) * SQRT_2;
        }
        let rank = ((n as f64 + 1.0) * (1.0 - self.alpha)).ceil();
        if rank < 1.0 {
            0.0
        } else if rank > n as f64 {
            f64::from(self.sorted[n - 1]) * BEYOND_MAX
        } else {
            f64::from(self.sorted[rank as usize - 1])
        }
    }

    fn absorb(&mut self, error: f64, half_width: f64, scale: f64) {
        if self.sorted.len() >= MIN_SCORES {
            let missed = f64::from(u8::from(error > half_width));
            self.alpha += GAMMA * ((1.0 - self.level) - missed);
        }
        let place = |sorted: &[f32], score: f32| sorted.partition_point(|s| s.total_cmp(&score).is_lt());
        if self.scores.len() == WINDOW
            && let Some(oldest) = self.scores.pop_front()
        {
            let at = place(&self.sorted, oldest);
            self.sorted.remove(at);
        }
        let score = (error / scale) as f32;
        self.scores.push_back(score);
        let at = place(&self.sorted, score);
        self.sorted.insert(at, score);
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;
    use candlecast_core::market::random_walk;
    use candlecast_pipeline::PipelineOptions;

    use super::*;
    use crate::walk;

    /// Half-widths by their definition, every quantile from all scores anew.
    fn by_definition(market: &Market, origins: &[usize], step: usize) -> Vec<f64> {
        let (mut out, mut alpha, mut scores) = (Vec::<f64>::new(), 0.1_f64, Vec::<f32>::new());
        for (i, &row) in origins.iter().enumerate() {
            let known: Vec<usize> = (0..i).filter(|&k| origins[k] + step <= row).collect();
            for &k in &known[scores.len()..] {
                let error = (market.log_close()[origins[k] + step] - market.log_close()[origins[k]]).abs();
                if scores.len() >= 50 {
                    alpha += 0.01 * (0.1 - if error > out[k] { 1.0 } else { 0.0 });
                }
                scores.push((error / scale(market, origins[k], step)) as f32);
            }
            let mut newest: Vec<f32> = scores.iter().rev().take(1_500).copied().collect();
            newest.sort_by(f32::total_cmp);
            let rank = ((newest.len() as f64 + 1.0) * (1.0 - alpha)).ceil();
            let multiple = if newest.len() < 50 {
                1.6448536269514722
            } else if rank > newest.len() as f64 {
                1.25 * f64::from(newest[newest.len() - 1])
            } else {
                f64::from(newest[rank as usize - 1])
            };
            out.push(scale(market, row, step) * multiple);
        }
        out
    }

    #[test]
    fn widths_are_those_of_the_definition_and_cover_what_they_promise() {
        let series = random_walk(3_000, Seed(6), 0.0);
        let market = walk::market(&series, &PipelineOptions::new(1));
        let origins: Vec<usize> = (40..2_900).collect();
        for step in [1, 24] {
            let widths = half_widths(&market, &origins, step, 0.9);
            for (found, expected) in widths.iter().zip(by_definition(&market, &origins, step)) {
                assert!((found - expected).abs() < 1e-9, "{step}: {found} {expected}");
            }
            let inside = |(&row, width): (&usize, &f64)| {
                (market.log_close()[row + step] - market.log_close()[row]).abs() <= *width
            };
            let share = origins.iter().zip(&widths).filter(|&pair| inside(pair)).count() as f64 / origins.len() as f64;
            assert!((0.87..0.94).contains(&share), "{step}: {share}");
        }
    }
}
