//! [`FactorState`]: how much of the forecasts of one step to believe, learnt from known out-of-fold outcomes.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Multiples of the forecast that are tried: 0, 0.2 .. 2.
const MULTIPLES: usize = 11;
/// Distance of neighbouring multiples.
const SPACING: f64 = 0.2;
/// Blocks kept at most; then two neighbours become one.
const MAX_BLOCKS: usize = 128;
/// Blocks below which there is no evidence yet: of fewer the variance is hardly known.
const MIN_BLOCKS: usize = 20;
/// Months whose outcomes count.
const MONTHS: f64 = 18.0;
const DAYS_A_MONTH: f64 = 30.4;
/// Least outcomes a block is begun with.
const LEAST_BLOCK: usize = 24;

/// Absolute errors, in units of `sigma_t sqrt(h)`, that each multiple of the forecasts would have made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Block {
    /// Outcomes.
    count: usize,
    /// Sum of the errors by multiple.
    errors: [f32; MULTIPLES],
}

impl Block {
    const EMPTY: Self = Self { count: 0, errors: [0.0; MULTIPLES] };

    fn add(&mut self, other: &Self) {
        self.count += other.count;
        for (sum, error) in self.errors.iter_mut().zip(other.errors) {
            *sum += error;
        }
    }
}

/// The factor on the means of one step: the multiple within 0 and 2 with the least mean absolute error of the known
/// outcomes of the last 18 months (of the last twenty blocks where these are longer), times `max(0, 1 - 1 / t^2)` with the t-value of its gain over the multiple 0, and 0
/// where `t <= 1`. Gains are compared by blocks of at least four horizons, so that overlapping outcomes do not count as
/// many. A forecast without evidence is that of no change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FactorState {
    factor: f64,
    /// Outcomes of a whole block.
    block: usize,
    /// Whole blocks, oldest first.
    blocks: VecDeque<Block>,
    /// The one under way.
    open: Block,
}

impl FactorState {
    /// Nothing known of step `step`.
    pub(super) fn new(step: usize) -> Self {
        Self::believing(0.0, step)
    }

    /// Says `factor` until there is evidence.
    pub(super) fn believing(factor: f64, step: usize) -> Self {
        Self { factor, block: LEAST_BLOCK.max(4 * step), blocks: VecDeque::new(), open: Block::EMPTY }
    }

    /// The factor, within 0 and 2.
    pub(super) fn factor(&self) -> f64 {
        self.factor
    }

    /// Learns that `forecast` came out as `actual`, both in units of `sigma_t sqrt(h)`; `per_day` is candles a day.
    pub(super) fn absorb(&mut self, forecast: f64, actual: f64, per_day: f64) {
        self.open.count += 1;
        for (k, sum) in self.open.errors.iter_mut().enumerate() {
            *sum += (actual - SPACING * k as f64 * forecast).abs() as f32;
        }
        if self.open.count < self.block {
            return;
        }
        self.blocks.push_back(std::mem::replace(&mut self.open, Block::EMPTY));
        if self.blocks.len() > MAX_BLOCKS {
            self.merge();
        }
        let window = (MONTHS * DAYS_A_MONTH * per_day) as usize;
        while self.blocks.len() > MIN_BLOCKS && self.blocks.iter().skip(1).map(|b| b.count).sum::<usize>() >= window {
            self.blocks.pop_front();
        }
        if self.blocks.len() >= MIN_BLOCKS {
            self.factor = self.fit();
        }
    }

    fn merge(&mut self) {
        self.block *= 2;
        let mut pairs = VecDeque::with_capacity(MAX_BLOCKS);
        let mut blocks = std::mem::take(&mut self.blocks).into_iter();
        while let Some(mut first) = blocks.next() {
            match blocks.next() {
                Some(second) => {
                    first.add(&second);
                    pairs.push_back(first);
                }
                // The newest one has no partner: it is not whole any more.
                None => self.open = first,
            }
        }
        self.blocks = pairs;
    }

    fn fit(&self) -> f64 {
        let mut total = [0.0_f64; MULTIPLES];
        for block in &self.blocks {
            total.iter_mut().zip(block.errors).for_each(|(sum, error)| *sum += f64::from(error));
        }
        let best = (0..MULTIPLES).min_by(|&a, &b| total[a].total_cmp(&total[b])).unwrap_or(0);
        if best == 0 {
            return 0.0;
        }
        let gains: Vec<f64> =
            self.blocks.iter().map(|b| f64::from(b.errors[0] - b.errors[best]) / b.count as f64).collect();
        let t = t_value(&gains);
        if t <= 1.0 {
            return 0.0;
        }
        (SPACING * (best as f64 + vertex(&total, best)) * (1.0 - 1.0 / (t * t))).clamp(0.0, 2.0)
    }

    /// False for a state that no outcomes can have given.
    pub(super) fn is_sound(&self) -> bool {
        let whole = |b: &Block| b.count > 0 && b.errors.iter().all(|e| e.is_finite() && *e >= 0.0);
        (0.0..=2.0).contains(&self.factor)
            && self.block >= LEAST_BLOCK
            && self.blocks.len() <= MAX_BLOCKS
            && self.blocks.iter().all(whole)
            && self.open.errors.iter().all(|e| e.is_finite() && *e >= 0.0)
    }
}

/// Where between its neighbours the least of three values lies, by the parabola through them: -0.5 to 0.5 spacings.
fn vertex(total: &[f64; MULTIPLES], best: usize) -> f64 {
    if best + 1 >= MULTIPLES {
        return 0.0;
    }
    let (left, middle, right) = (total[best - 1], total[best], total[best + 1]);
    let bend = left - 2.0 * middle + right;
    if bend > 0.0 { (0.5 * (left - right) / bend).clamp(-0.5, 0.5) } else { 0.0 }
}

/// t-value of the mean of successive blocks, of which neighbours may be related (Bartlett's kernel over one lag).
fn t_value(gains: &[f64]) -> f64 {
    let n = gains.len() as f64;
    let mean = gains.iter().sum::<f64>() / n;
    let square = gains.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let product = gains.windows(2).map(|g| (g[0] - mean) * (g[1] - mean)).sum::<f64>() / (n - 1.0);
    let variance = square + product.max(0.0);
    match variance {
        v if v > 0.0 => mean / (v / n).sqrt(),
        // Every block gains alike.
        _ if mean > 0.0 => f64::INFINITY,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::Seed;

    const HOURLY: f64 = 24.0;

    fn after(n: usize, step: usize, share: f64, noise: f64, seed: u64) -> f64 {
        let mut rng = Seed(seed).stream();
        let mut state = FactorState::new(step);
        for _ in 0..n {
            let forecast = 0.3 * rng.normal();
            state.absorb(forecast, share * forecast + noise * rng.normal(), HOURLY);
        }
        assert!(state.is_sound());
        state.factor()
    }

    #[test]
    fn without_evidence_nothing_is_believed() {
        assert_eq!(after(MIN_BLOCKS * 24 - 1, 1, 1.0, 0.1, 1), 0.0);
        assert!(after(MIN_BLOCKS * 24, 1, 1.0, 0.1, 1) > 0.9);
    }

    #[test]
    fn the_multiple_that_came_true_is_found() {
        for share in [0.5, 1.0, 1.6] {
            let found = after(8_000, 1, share, 1.0, 2);
            assert!((found - share).abs() < 0.2, "{share}: {found}");
        }
        assert_eq!(after(8_000, 1, -1.0, 1.0, 3), 0.0);
    }

    #[test]
    fn noise_is_mostly_not_believed() {
        let factors: Vec<f64> = (0..60).map(|seed| after(6_000, 4, 0.0, 1.0, 100 + seed)).collect();
        let none = factors.iter().filter(|&&f| f == 0.0).count();
        assert!(none >= 44, "{none} of 60");
        assert!(factors.iter().sum::<f64>() / 60.0 < 0.1, "{factors:?}");
    }

    #[test]
    fn blocks_are_merged_and_the_oldest_go_after_eighteen_months() {
        let mut state = FactorState::new(1);
        for i in 0..40_000 {
            let actual = if i < 20_000 { -1.0 } else { 1.0 };
            state.absorb(0.5, actual, HOURLY);
        }
        assert!(state.blocks.len() <= MAX_BLOCKS);
        let kept: usize = state.blocks.iter().map(|b| b.count).sum();
        assert!((13_000..14_000).contains(&kept), "{kept}");
        assert!(state.factor() > 1.9, "{}", state.factor());
    }
}
