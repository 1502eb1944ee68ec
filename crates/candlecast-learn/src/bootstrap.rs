//! [`resampled`]: training origins drawn again, in blocks of time.

use candlecast_core::Seed;

use crate::dataset::SampleId;

/// Days of a block, and horizons that it has at least, so that outcomes which overlap are drawn together.
const BLOCK_DAYS: f64 = 7.0;
const BLOCK_HORIZONS: usize = 4;
/// Blocks that there are at least: fewer would hardly differ from one draw to the next.
const LEAST_BLOCKS: usize = 10;

/// Samples of one block of `n` training samples over `horizon` steps in `n_markets` markets with `per_day` candles a day.
pub(crate) fn block_length(n: usize, horizon: usize, n_markets: usize, per_day: f64) -> usize {
    let days = (BLOCK_DAYS * per_day).round() as usize;
    let wanted = days.max(BLOCK_HORIZONS * horizon) * n_markets;
    wanted.min(n / LEAST_BLOCKS).max(1)
}

/// As many origins as `ids` has, drawn from them with replacement in blocks of `block` (Künsch 1989; blocks wrap around at
/// the end, so that every origin is as likely as any other). The order of time stays: an origin that is drawn twice
/// stands twice, side by side.
pub(crate) fn resampled(ids: &[SampleId], block: usize, seed: Seed) -> Vec<SampleId> {
    let n = ids.len();
    let mut rng = seed.stream();
    let mut drawn: Vec<usize> = Vec::with_capacity(n);
    while drawn.len() < n {
        let start = rng.below(n);
        let rest = n - drawn.len();
        drawn.extend((start..start + block.clamp(1, rest)).map(|i| i % n));
    }
    drawn.sort_unstable();
    drawn.into_iter().map(|i| ids[i]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(n: u32) -> Vec<SampleId> {
        (0..n).map(|row| SampleId { panel: 0, row: 2 * row }).collect()
    }

    #[test]
    fn blocks_are_a_week_or_four_horizons_and_there_are_ten_at_least() {
        assert_eq!(block_length(8_760, 24, 1, 24.0), 168);
        assert_eq!(block_length(8_760, 60, 1, 24.0), 240);
        assert_eq!(block_length(50_000, 24, 3, 24.0), 504);
        assert_eq!((block_length(500, 24, 1, 24.0), block_length(3, 24, 1, 24.0)), (50, 1));
    }

    #[test]
    fn as_many_are_drawn_in_order_and_the_same_for_the_same_seed() {
        let ids = ids(5_000);
        let drawn = resampled(&ids, 168, Seed(3));
        assert_eq!((drawn.len(), &drawn), (ids.len(), &resampled(&ids, 168, Seed(3))));
        assert_ne!(drawn, resampled(&ids, 168, Seed(4)));
        assert!(drawn.is_sorted() && drawn.iter().all(|id| id.row % 2 == 0 && id.row < 10_000));
        // A neighbour in the original is nearly always a neighbour in the draw: blocks are drawn, not single origins.
        let rows: std::collections::BTreeSet<u32> = drawn.iter().map(|id| id.row).collect();
        let alone = rows.iter().filter(|&&row| !rows.contains(&(row + 2))).count();
        assert!(alone < 60, "{alone}");
        // About 1 - 1/e of all are drawn at least once.
        let share = rows.len() as f64 / ids.len() as f64;
        assert!((0.45..0.8).contains(&share), "{share}");
    }

    #[test]
    fn every_origin_is_as_likely_as_any_other() {
        let ids = ids(300);
        let mut counts = vec![0_u32; 300];
        for seed in 0..2_000 {
            resampled(&ids, 30, Seed(seed)).iter().for_each(|id| counts[id.row as usize / 2] += 1);
        }
        assert!(counts.iter().all(|&count| (1_750..2_250).contains(&count)), "{counts:?}");
        assert!(resampled(&[], 5, Seed(1)).is_empty());
    }
}
