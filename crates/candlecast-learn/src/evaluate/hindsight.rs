//! What choosing the best of all that was tried on a period is worth: the probability of backtest overfitting.

use std::collections::BTreeSet;

use crate::significance::{Degradation, EffectiveTrials, Overfitting, Performance};

use super::DailyLosses;

/// Blocks of days, where there are enough days.
const MOST_BLOCKS: usize = 16;
/// Fewer blocks are not worth splitting.
const FEWEST_BLOCKS: usize = 4;
/// Days of a block for each day of the horizon: outcomes reach over the border to the next block, and halves that share
/// many of them would agree too well.
const DAYS_PER_HORIZON: f64 = 3.0;
/// Share of the days that another try must have been scored on to be set beside those of a report.
const COVERED: f64 = 0.9;

/// What choosing the best of the tries on a period by their mean loss is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hindsight {
    /// Configurations that were set side by side: those of the report and earlier ones.
    pub tries: usize,
    /// How many independent ones would differ as much, by the correlations of their days
    /// ([`EffectiveTrials::without_chance`]).
    pub effective_tries: f64,
    /// Earlier configurations that were not scored on these days, or whose days are not on record.
    pub left_out: usize,
    /// Days that all were scored on.
    pub days: usize,
    /// Blocks that these were cut into.
    pub blocks: usize,
    /// Ways to take half of the blocks.
    pub splits: usize,
    /// Probability of backtest overfitting ([`Overfitting::probability`]): share of splits in which the best on one half
    /// is not above the middle of all on the other. One half where nobody knows anything.
    pub probability: f64,
    /// Share of splits in which the best on one half is worse than the reference on the other.
    pub probability_of_loss: f64,
    /// Median of the logits of its rank there; 0 is the middle.
    pub median_logit: f64,
    /// How what it saves on the other half goes with what it saves on the half that it was chosen on.
    pub degradation: Option<Degradation>,
}

impl Hindsight {
    /// That of the models of a report, whose days are `own`, and of `earlier` tries, one a configuration; `candles_a_day`
    /// and `horizon` (in candles) say how far outcomes reach. `unknown` earlier configurations have no days on record.
    /// Those that say the same on every day count as tries, but are one choice. `None` with fewer than two choices, or
    /// too few days: four blocks of three horizons each, and at least four days.
    pub fn of(
        own: &[&DailyLosses],
        earlier: &[DailyLosses],
        unknown: usize,
        horizon: usize,
        candles_a_day: f64,
    ) -> Option<Self> {
        let wanted: Vec<i64> = own.first()?.days().collect();
        let covers = |tried: &&DailyLosses| {
            let covered = wanted.iter().filter(|day| tried.on(**day).is_some()).count();
            covered as f64 >= COVERED * wanted.len() as f64
        };
        let others: Vec<&DailyLosses> = earlier.iter().filter(covers).collect();
        let tried: Vec<&DailyLosses> = own.iter().copied().chain(others.iter().copied()).collect();
        let days: Vec<i64> =
            wanted.into_iter().filter(|day| tried.iter().all(|tried| tried.on(*day).is_some())).collect();
        let choices = distinct(&tried, &days);
        let blocks = blocks(days.len(), horizon as f64 / candles_a_day)?;
        let choices: Vec<&[f64]> = choices.iter().map(Vec::as_slice).collect();
        let found = Overfitting::of(&choices, blocks, Performance::Mean)?;
        Some(Self {
            tries: tried.len(),
            effective_tries: EffectiveTrials::of(&choices)?.without_chance,
            left_out: unknown + earlier.len() - others.len(),
            days: days.len(),
            blocks,
            splits: found.choices.len(),
            probability: found.probability(),
            probability_of_loss: found.probability_of_loss(),
            median_logit: found.median_logit(),
            degradation: found.degradation(),
        })
    }
}

/// What the tries saved on `days`, all of which they have, each series once, in their order.
fn distinct(tried: &[&DailyLosses], days: &[i64]) -> Vec<Vec<f64>> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for tried in tried {
        let saved: Vec<f32> = days.iter().filter_map(|day| tried.on(*day)).collect();
        // 0 and -0 are the same.
        let bits: Vec<u32> = saved.iter().map(|x| (x + 0.0).to_bits()).collect();
        if seen.insert(bits) {
            found.push(saved.into_iter().map(f64::from).collect());
        }
    }
    found
}

/// Even number of blocks for `days` where outcomes reach over `reach` days: as many as leave out no more than an eighth of
/// the days, or else as few as possible. `None` where too few blocks are possible.
fn blocks(days: usize, reach: f64) -> Option<usize> {
    let least = (DAYS_PER_HORIZON * reach).ceil().max(1.0) as usize;
    let most = (days / least).min(MOST_BLOCKS);
    let used = |blocks: usize| (days / blocks * blocks).min(days * 7 / 8);
    (FEWEST_BLOCKS..=most).step_by(2).max_by_key(|&blocks| (used(blocks), blocks))
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;

    use super::*;

    /// Days of a model that saves `edge` a day on average, from day 100 on.
    fn days(n: usize, edge: f64, seed: u64) -> DailyLosses {
        let mut rng = Seed(seed).derive("hindsight", 0).stream();
        DailyLosses { first_day: 100, values: (0..n).map(|_| Some((edge + rng.normal()) as f32)).collect() }
    }

    fn of(own: &[&DailyLosses], earlier: &[DailyLosses]) -> Option<Hindsight> {
        Hindsight::of(own, earlier, 0, 24, 24.0)
    }

    #[test]
    fn blocks_are_three_horizons_long_and_at_most_sixteen_and_leave_little_out() {
        for (days, reach, expected) in [
            (365, 1.0, Some(16)),
            (48, 1.0, Some(16)),
            (47, 1.0, Some(14)),
            (30, 1.0, Some(10)),
            (12, 1.0, Some(4)),
            (11, 1.0, None),
            (365, 12.0, Some(10)),
            // Sixteen would leave out 14 of 30 days, and 7 of 23.
            (30, 0.01, Some(14)),
            (23, 0.01, Some(10)),
            (4, 0.01, Some(4)),
            (3, 0.01, None),
            (0, 1.0, None),
        ] {
            assert_eq!(blocks(days, reach), expected, "{days} {reach}");
        }
    }

    #[test]
    fn who_is_better_throughout_is_no_luck_and_noise_is_a_coin_toss() {
        let good = days(200, 1.0, 1);
        let noise: Vec<DailyLosses> = (0..9).map(|k| days(200, 0.0, 10 + k)).collect();
        let found = of(&[&good], &noise).unwrap();
        assert_eq!((found.tries, found.left_out, found.days, found.blocks, found.splits), (10, 0, 200, 16, 12_870));
        assert_eq!((found.probability, found.probability_of_loss), (0.0, 0.0));
        assert!(found.median_logit > 2.0 && found.effective_tries > 9.0, "{found:?}");
        let probability = |run: u64| {
            // An even number: of an odd one the middle rank counts as overfitted, so that five tries have 3 ranks of 5.
            let noise: Vec<DailyLosses> = (0..6).map(|k| days(60, 0.0, 100 * run + k)).collect();
            of(&[&noise[0]], &noise[1..]).unwrap().probability
        };
        let mean = (0..100).map(probability).sum::<f64>() / 100.0;
        assert!((mean - 0.5).abs() < 0.1, "{mean}");
    }

    #[test]
    fn tries_on_other_days_are_left_out_and_days_that_one_lacks_too() {
        let own = days(100, 0.0, 1);
        let mut gappy = days(100, 0.0, 2);
        gappy.values[10..20].fill(None);
        let mut short = days(100, 0.0, 3);
        short.values.truncate(85);
        let longer = DailyLosses { first_day: 90, ..days(150, 0.0, 4) };
        let found = Hindsight::of(&[&own], &[gappy, short.clone(), longer], 5, 24, 24.0).unwrap();
        assert_eq!((found.tries, found.left_out, found.days), (3, 6, 90));
        assert_eq!(of(&[&own], &[short]), None, "there is nothing to choose from");
    }

    #[test]
    fn the_same_forecasts_are_one_choice() {
        let (one, other) = (days(100, 0.0, 1), days(100, 0.0, 2));
        assert_eq!(of(&[&one, &one], std::slice::from_ref(&one)), None);
        let found = of(&[&one, &one], std::slice::from_ref(&other)).unwrap();
        assert_eq!(found.tries, 3);
        let alone = of(&[&one], &[other]).unwrap();
        assert_eq!(Hindsight { tries: 3, ..alone }, found);
        let still = |zero: f32| DailyLosses { first_day: 100, values: vec![Some(zero); 100] };
        assert_eq!(of(&[&still(0.0), &still(-0.0)], &[]), None);
    }

    #[test]
    fn too_few_days_tell_nothing() {
        assert!(of(&[&days(12, 0.0, 1), &days(12, 0.0, 2)], &[]).is_some());
        assert_eq!(of(&[&days(11, 0.0, 1), &days(11, 0.0, 2)], &[]), None);
        assert_eq!(of(&[&DailyLosses::default(), &DailyLosses::default()], &[]), None);
        assert_eq!(of(&[], &[days(50, 0.0, 1)]), None);
    }
}
