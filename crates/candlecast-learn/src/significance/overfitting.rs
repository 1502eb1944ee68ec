//! Probability of backtest overfitting by combinatorially symmetric cross-validation, CSCV (Bailey, Borwein, Lopez de
//! Prado and Zhu 2017, "The probability of backtest overfitting", Journal of Computational Finance 20).
//!
//! The observations are cut into an even number of blocks of equal length. For every way to take half of the blocks, the
//! trial that did best on them is looked up on the other half. Where the best of one half is below the middle of all on
//! the other, it was chosen by luck.

/// What trials are ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Performance {
    /// The mean: of losses that were saved.
    Mean,
    /// The mean over the standard deviation with divisor n - 1: of returns. That of values that are all the same is 0.
    Sharpe,
}

/// Most blocks: 20 of them have 184,756 splits.
pub const MOST_BLOCKS: usize = 20;

/// The best trial of one half of the blocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Which trial, from 0; of equal ones the first.
    pub trial: usize,
    /// Its performance on the half that it was chosen on.
    pub in_sample: f64,
    /// Its performance on the other half.
    pub out_of_sample: f64,
    /// `ln(w / (1 - w))` with `w` its rank on the other half (1 is worst, equal ones share their mean rank) over the
    /// number of trials plus 1. 0 is the middle.
    pub logit: f64,
}

/// Every choice of a CSCV, in the order of the halves as binary numbers (block 0 being 1).
#[derive(Debug, Clone, PartialEq)]
pub struct Overfitting {
    /// One a split, at least 2.
    pub choices: Vec<Choice>,
}

/// Line by least squares of the performance on the other half on that of the half that was chosen on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Degradation {
    /// Below 0: what looks better in sample is worse out of sample.
    pub slope: f64,
    /// Performance out of sample of what has 0 in sample.
    pub intercept: f64,
}

impl Overfitting {
    /// CSCV over `trials`, each a series of the same length where more is better, in time order, in `blocks` blocks.
    /// What does not fit into blocks of equal length is left out at the beginning. `None` with fewer than two trials, an
    /// odd number of blocks or one outside 2 to [`MOST_BLOCKS`], fewer than two observations a half, series of different
    /// lengths, or values that are not finite.
    ///
    /// Halves are summed from sums over blocks: `splits * trials * blocks` additions, without any allocation on the way.
    pub fn of(trials: &[&[f64]], blocks: usize, performance: Performance) -> Option<Self> {
        let length = trials.first()?.len() / blocks.max(1);
        let even = blocks >= 2 && blocks.is_multiple_of(2) && blocks <= MOST_BLOCKS;
        let ragged = trials.iter().any(|trial| trial.len() != trials[0].len());
        if trials.len() < 2 || !even || length * blocks < 4 || ragged || length == 0 {
            return None;
        }
        if trials.iter().any(|trial| trial.iter().any(|x| !x.is_finite())) {
            return None;
        }
        let sums = BlockMoments::of(trials, blocks, length);
        let mut halves = [Half::new(trials.len()), Half::new(trials.len())];
        let mut choices = Vec::with_capacity(binomial(blocks, blocks / 2));
        // All numbers with as many bits set as half of the blocks, ascending (Gosper's hack).
        let (mut half, end) = ((1_u32 << (blocks / 2)) - 1, 1_u32 << blocks);
        while half < end {
            for (side, taken) in halves.iter_mut().zip([half, !half]) {
                side.fill(&sums, taken, performance);
            }
            choices.push(choose(&halves[0].performance, &halves[1].performance));
            let lowest = half & half.wrapping_neg();
            let next = half + lowest;
            half = next | (((half ^ next) >> 2) / lowest);
        }
        Some(Self { choices })
    }

    /// Probability of backtest overfitting: share of splits in which the choice is not above the middle of all trials on
    /// the other half. Of trials without any skill it is one half.
    pub fn probability(&self) -> f64 {
        self.share(|choice| choice.logit <= 0.0)
    }

    /// Share of splits in which the choice loses on the other half: its performance there is below 0.
    pub fn probability_of_loss(&self) -> f64 {
        self.share(|choice| choice.out_of_sample < 0.0)
    }

    fn share(&self, counts: impl Fn(&Choice) -> bool) -> f64 {
        self.choices.iter().filter(|choice| counts(choice)).count() as f64 / self.choices.len() as f64
    }

    /// Median of the logits.
    pub fn median_logit(&self) -> f64 {
        let mut logits: Vec<f64> = self.choices.iter().map(|choice| choice.logit).collect();
        logits.sort_by(f64::total_cmp);
        let middle = logits.len() / 2;
        if logits.len().is_multiple_of(2) { 0.5 * (logits[middle - 1] + logits[middle]) } else { logits[middle] }
    }

    /// Mean performance of the choices on the half that they were chosen on, and on the other.
    pub fn mean_performance(&self) -> (f64, f64) {
        let mean = |of: fn(&Choice) -> f64| self.choices.iter().map(of).sum::<f64>() / self.choices.len() as f64;
        (mean(|choice| choice.in_sample), mean(|choice| choice.out_of_sample))
    }

    /// How performance out of sample goes with that in sample, over the choices; `None` where all look the same in
    /// sample.
    pub fn degradation(&self) -> Option<Degradation> {
        let (x, y) = self.mean_performance();
        let (mut both, mut own) = (0.0, 0.0);
        for choice in &self.choices {
            both += (choice.in_sample - x) * (choice.out_of_sample - y);
            own += (choice.in_sample - x).powi(2);
        }
        let slope = both / own;
        (own > 0.0).then_some(Degradation { slope, intercept: y - slope * x })
    }
}

/// Sums of values and of their squares by block and trial, `[block, trial]`, of values less the trial's mean: squares of
/// the values themselves would lose digits where the mean is large.
struct BlockMoments {
    trials: usize,
    length: usize,
    means: Vec<f64>,
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl BlockMoments {
    fn of(trials: &[&[f64]], blocks: usize, length: usize) -> Self {
        let surplus = trials[0].len() - blocks * length;
        let used: Vec<&[f64]> = trials.iter().map(|trial| &trial[surplus..]).collect();
        let means: Vec<f64> = used.iter().map(|x| x.iter().sum::<f64>() / x.len() as f64).collect();
        let sum = |power: i32| -> Vec<f64> {
            let of_block = |block: usize| {
                let rows = block * length..(block + 1) * length;
                let of_trial = move |(x, mean): (&&[f64], &f64)| -> f64 {
                    x[rows.clone()].iter().map(|value| (value - mean).powi(power)).sum()
                };
                used.iter().zip(&means).map(of_trial).collect::<Vec<f64>>()
            };
            (0..blocks).flat_map(of_block).collect()
        };
        Self { trials: trials.len(), length, sums: sum(1), squares: sum(2), means }
    }
}

/// What is known of one half of the blocks, by trial.
struct Half {
    sums: Vec<f64>,
    squares: Vec<f64>,
    performance: Vec<f64>,
}

impl Half {
    fn new(trials: usize) -> Self {
        Self { sums: vec![0.0; trials], squares: vec![0.0; trials], performance: vec![0.0; trials] }
    }

    /// Fills it with the blocks whose bits are set in `taken`.
    fn fill(&mut self, all: &BlockMoments, taken: u32, performance: Performance) {
        self.sums.fill(0.0);
        self.squares.fill(0.0);
        let mut blocks = 0;
        let of_block = all.sums.chunks_exact(all.trials).zip(all.squares.chunks_exact(all.trials));
        for (_, (sums, squares)) in of_block.enumerate().filter(|(block, _)| (taken >> block) & 1 == 1) {
            blocks += 1;
            self.sums.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
            self.squares.iter_mut().zip(squares).for_each(|(total, sum)| *total += sum);
        }
        let n = (blocks * all.length) as f64;
        let moments = self.sums.iter().zip(&self.squares).zip(&all.means);
        for (found, ((sum, squares), mean)) in self.performance.iter_mut().zip(moments) {
            let mean = mean + sum / n;
            *found = match performance {
                Performance::Mean => mean,
                Performance::Sharpe => {
                    let variance = (squares - sum * sum / n) / (n - 1.0);
                    // What is left of rounding where all values are the same.
                    if variance <= mean * mean * 1e-24 || variance <= 0.0 { 0.0 } else { mean / variance.sqrt() }
                }
            };
        }
    }
}

/// The best trial by `inside`, and where it stands by `outside`.
fn choose(inside: &[f64], outside: &[f64]) -> Choice {
    let mut trial = 0;
    for (i, value) in inside.iter().enumerate() {
        if *value > inside[trial] {
            trial = i;
        }
    }
    let (mut below, mut equal) = (0_u32, 0_u32);
    for value in outside {
        below += u32::from(*value < outside[trial]);
        equal += u32::from(*value == outside[trial]);
    }
    let rank = f64::from(below) + 0.5 * f64::from(equal + 1);
    let share = rank / (outside.len() + 1) as f64;
    let logit = (share / (1.0 - share)).ln();
    Choice { trial, in_sample: inside[trial], out_of_sample: outside[trial], logit }
}

/// `n` over `k`, of numbers as small as those of blocks.
fn binomial(n: usize, k: usize) -> usize {
    (0..k).fold(1, |product, i| product * (n - i) / (i + 1))
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;
    use proptest::prelude::*;

    use super::*;

    fn noise(trials: usize, n: usize, run: u64) -> Vec<Vec<f64>> {
        let mut rng = Seed(11).derive("overfitting", run).stream();
        (0..trials).map(|_| (0..n).map(|_| rng.normal()).collect()).collect()
    }

    fn columns(matrix: &[Vec<f64>]) -> Vec<&[f64]> {
        matrix.iter().map(Vec::as_slice).collect()
    }

    #[test]
    fn two_blocks_by_hand() {
        // On the first half b is best, on the second it is worst of three, and the other way round for c.
        let (a, b, c) = ([9.0, 1.0, 1.0, 1.0, 1.0], [9.0, 2.0, 2.0, 0.0, -1.0], [9.0, 0.0, 0.0, 4.0, 4.0]);
        let found = Overfitting::of(&[&a, &b, &c], 2, Performance::Mean).unwrap();
        let chosen: Vec<(usize, f64, f64)> =
            found.choices.iter().map(|choice| (choice.trial, choice.in_sample, choice.out_of_sample)).collect();
        assert_eq!(chosen, [(1, 2.0, -0.5), (2, 4.0, 0.0)]);
        let worst = (1.0_f64 / 3.0).ln();
        assert!(found.choices.iter().all(|choice| (choice.logit - worst).abs() < 1e-12), "{found:?}");
        assert_eq!((found.probability(), found.probability_of_loss()), (1.0, 0.5));
        let line = found.degradation().unwrap();
        assert!((line.slope - 0.25).abs() < 1e-12 && (line.intercept + 1.0).abs() < 1e-12, "{line:?}");
        assert!((found.median_logit() - worst).abs() < 1e-12);
    }

    #[test]
    fn who_is_best_everywhere_is_no_luck_and_equal_ones_share_their_rank() {
        let mut matrix = noise(5, 64, 1);
        matrix[3].iter_mut().for_each(|x| *x += 10.0);
        let found = Overfitting::of(&columns(&matrix), 8, Performance::Sharpe).unwrap();
        assert_eq!((found.choices.len(), found.probability(), found.probability_of_loss()), (70, 0.0, 0.0));
        assert!(found.choices.iter().all(|choice| choice.trial == 3));
        let same = vec![matrix[0].clone(); 4];
        let found = Overfitting::of(&columns(&same), 4, Performance::Mean).unwrap();
        assert!(found.choices.iter().all(|choice| choice.trial == 0 && choice.logit == 0.0), "{found:?}");
    }

    #[test]
    fn returns_that_never_move_have_no_sharpe_ratio() {
        let flat = [0.1; 16];
        let moving: Vec<f64> = (0..16).map(|i| if i % 2 == 0 { 0.3 } else { -0.1 }).collect();
        let found = Overfitting::of(&[&flat, &moving], 4, Performance::Sharpe).unwrap();
        assert!(found.choices.iter().all(|choice| choice.trial == 1 && choice.out_of_sample > 0.0), "{found:?}");
    }

    #[test]
    fn what_cannot_be_split_is_refused() {
        let matrix = noise(3, 40, 2);
        let of = |blocks| Overfitting::of(&columns(&matrix), blocks, Performance::Mean);
        for blocks in [0, 1, 3, 22, 80] {
            assert_eq!(of(blocks), None, "{blocks}");
        }
        assert!(of(2).is_some() && of(10).is_some());
        assert_eq!(Overfitting::of(&columns(&matrix[..1]), 4, Performance::Mean), None);
        assert_eq!(Overfitting::of(&[&matrix[0], &matrix[1][1..]], 4, Performance::Mean), None);
        assert_eq!(Overfitting::of(&[&[1.0, 2.0], &[2.0, 1.0]], 2, Performance::Mean), None);
        assert_eq!(Overfitting::of(&[&[f64::NAN; 8], &[1.0; 8]], 2, Performance::Mean), None);
        assert_eq!(Overfitting::of(&[], 2, Performance::Mean), None);
    }

    #[test]
    fn every_half_is_taken_once() {
        assert_eq!([binomial(4, 2), binomial(16, 8), binomial(20, 10)], [6, 12_870, 184_756]);
        let matrix = noise(2, 40, 3);
        for blocks in [2, 4, 6, 10] {
            let found = Overfitting::of(&columns(&matrix), blocks, Performance::Mean).unwrap();
            assert_eq!(found.choices.len(), binomial(blocks, blocks / 2));
            // Each half is chosen on once and looked up once, so that choices cannot be better where they are looked up.
            let (inside, outside) = found.mean_performance();
            assert!(inside >= outside - 1e-12, "{inside} {outside}");
        }
    }

    #[test]
    fn of_trials_without_skill_the_best_of_one_half_is_anywhere_on_the_other() {
        for (trials, performance) in [(2, Performance::Mean), (10, Performance::Sharpe), (50, Performance::Sharpe)] {
            let probability = |run| {
                let matrix = noise(trials, 400, run);
                Overfitting::of(&columns(&matrix), 8, performance).unwrap().probability()
            };
            let mean = (0..400).map(probability).sum::<f64>() / 400.0;
            assert!((mean - 0.5).abs() < 0.06, "{trials} {performance:?}: {mean}");
        }
    }

    proptest! {
        /// A ratio of means and deviations that is added up from blocks is that of the values.
        #[test]
        fn halves_are_those_of_the_values(matrix in prop::collection::vec(
            prop::collection::vec(-1.0..1.0_f64, 23), 2..5,
        )) {
            let found = Overfitting::of(&columns(&matrix), 4, Performance::Sharpe).unwrap();
            // The first split takes blocks 0 and 1; three rows are left out at the beginning.
            let sharpe = |x: &[f64]| {
                let n = x.len() as f64;
                let mean = x.iter().sum::<f64>() / n;
                mean / (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
            };
            let inside: Vec<f64> = matrix.iter().map(|x| sharpe(&x[3..13])).collect();
            let first = found.choices[0];
            prop_assert!(inside.iter().all(|value| *value <= first.in_sample + 1e-9));
            prop_assert!((first.in_sample - inside[first.trial]).abs() < 1e-9);
            prop_assert!((first.out_of_sample - sharpe(&matrix[first.trial][13..])).abs() < 1e-9);
        }
    }
}
