//! [`Confidences`]: how often directions were right whose confidence was high, and how confidences are spread.

use crate::metrics::{HitRate, OriginHits};
use crate::significance::Serial;

/// Equal parts between the quantiles of the confidence.
const PARTS: usize = 20;

/// The forecasts of a model whose confidence reaches a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Selected {
    /// The threshold, 0 to 1.
    pub threshold: f64,
    /// True for a threshold that was asked for, false for the one that the surest tenth reach.
    pub asked: bool,
    /// How many of the forecasts with a calibrated confidence reach it, every step counted; more than a tenth where many
    /// have the same confidence.
    pub count: usize,
    /// Their share, 0 to 1.
    pub share: f64,
    /// How often they were right; `None` where no outcome has a direction.
    pub hits: Option<HitRate>,
}

/// Calibrated confidences of one model's forecasts with what became of them.
#[derive(Debug, Default)]
pub(crate) struct Confidences {
    /// Number of the origin, confidence, and whether the direction or class was right; `None` where the outcome has none.
    told: Vec<(usize, f64, Option<bool>)>,
}

impl Confidences {
    /// Adds the confidence of one forecast from the `origin`-th origin.
    pub(crate) fn add(&mut self, origin: usize, confidence: f64, right: Option<bool>) {
        self.told.push((origin, confidence, right));
    }

    /// Those of at least `threshold`; without one, of at least the confidence that bounds the surest tenth. `origins` are
    /// all that the model was scored on, on candles of `candle_ms`. `None` without any calibrated confidence.
    pub(crate) fn selected(
        &self,
        threshold: Option<f64>,
        origins: &[OriginHits],
        candle_ms: i64,
        serial: Serial,
    ) -> Option<Selected> {
        let n = self.told.len();
        let bound = threshold.or_else(|| self.sorted().get(n - n.div_ceil(10)).copied())?;
        let mut count = 0;
        let mut by_origin: Vec<OriginHits> =
            origins.iter().map(|origin| OriginHits { hits: 0, directions: 0, ..*origin }).collect();
        for &(origin, _, right) in self.told.iter().filter(|(_, confidence, _)| *confidence >= bound) {
            count += 1;
            if let Some(right) = right {
                by_origin[origin].directions += 1;
                by_origin[origin].hits += usize::from(right);
            }
        }
        (n > 0).then(|| Selected {
            threshold: bound,
            asked: threshold.is_some(),
            count,
            share: count as f64 / n as f64,
            hits: HitRate::of(&by_origin, candle_ms, serial),
        })
    }

    /// The least confidence, those that 5 %, 10 % and so on lie below, and the greatest: 21 values, ascending, linear
    /// between the confidences beside them; none without any calibrated confidence.
    pub(crate) fn quantiles(&self) -> Vec<f64> {
        let sorted = self.sorted();
        let Some(last) = sorted.len().checked_sub(1) else { return vec![] };
        let quantile = |k: usize| {
            let at = (k * last) as f64 / PARTS as f64;
            let below = (k * last) / PARTS;
            sorted[below] + (at - below as f64) * (sorted[(below + 1).min(last)] - sorted[below])
        };
        (0..=PARTS).map(quantile).collect()
    }

    /// All confidences, ascending.
    fn sorted(&self) -> Vec<f64> {
        let mut sorted: Vec<f64> = self.told.iter().map(|&(_, confidence, _)| confidence).collect();
        sorted.sort_by(f64::total_cmp);
        sorted
    }
}

/// Share, 0 to 1, of the forecasts behind `quantiles` ([`ModelReport::confidence_quantiles`]) whose confidence is at
/// least `threshold`; linear between quantiles. `None` without at least two of them, or where they do not ascend.
///
/// [`ModelReport::confidence_quantiles`]: super::ModelReport::confidence_quantiles
pub fn pass_share(quantiles: &[f64], threshold: f64) -> Option<f64> {
    if quantiles.len() < 2 || !quantiles.is_sorted() {
        return None;
    }
    let parts = (quantiles.len() - 1) as f64;
    // The first quantile that passes.
    let above = quantiles.partition_point(|&q| q < threshold);
    let (Some(&upper), Some(k)) = (quantiles.get(above), above.checked_sub(1)) else {
        return Some(if above == 0 { 1.0 } else { 0.0 });
    };
    let lower = quantiles[k];
    Some(1.0 - (k as f64 + (threshold - lower) / (upper - lower)) / parts)
}

#[cfg(test)]
mod tests {
    use candlecast_core::Timestamp;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const SERIAL: Serial = Serial { horizon: 2, refit: 0 };

    fn origins(n: usize) -> Vec<OriginHits> {
        let opened = |i: usize| Timestamp::year_start(2024).plus_ms(i as i64 * HOUR_MS);
        (0..n).map(|i| OriginHits { opened: opened(i), hits: 9, directions: 9 }).collect()
    }

    /// Two forecasts from each of 100 origins, with confidences of 0.5 to 0.6 in turn that are right where `right` says
    /// so of the origin.
    fn of(right: impl Fn(usize) -> Option<bool>) -> Confidences {
        let mut confidences = Confidences::default();
        for i in 0..100 {
            confidences.add(i, 0.5 + 0.001 * i as f64, right(i));
            confidences.add(i, 0.5, Some(false));
        }
        confidences
    }

    #[test]
    fn a_threshold_selects_by_confidence_and_counts_by_origin() {
        let selected =
            of(|i| (i != 95).then_some(i % 3 == 0)).selected(Some(0.58), &origins(100), HOUR_MS, SERIAL).unwrap();
        assert_eq!((selected.threshold, selected.asked, selected.count, selected.share), (0.58, true, 20, 0.1));
        let hits = selected.hits.unwrap();
        // 81, 84, 87, 90, 93, 96 and 99 of 80 to 99 but 95, which has no direction.
        assert_eq!((hits.hits, hits.directions, hits.origins), (7, 19, 19));
        assert_eq!(hits.from, Timestamp::year_start(2024), "the dates are those of all that was scored");
        assert!(hits.interval.is_some_and(|(lower, upper)| lower < hits.rate && hits.rate < upper));
        let none = of(|_| None).selected(Some(0.9), &origins(100), HOUR_MS, SERIAL).unwrap();
        assert_eq!((none.count, none.share, none.hits), (0, 0.0, None));
    }

    #[test]
    fn without_a_threshold_the_surest_tenth_are_told_and_all_that_are_as_sure() {
        let tenth = of(|_| Some(true)).selected(None, &origins(100), HOUR_MS, SERIAL).unwrap();
        assert_eq!((tenth.asked, tenth.count, tenth.share), (false, 20, 0.1));
        assert_eq!((tenth.threshold, tenth.hits.unwrap().rate), (0.5 + 0.001 * 80.0, 1.0));
        let mut same = Confidences::default();
        (0..30).for_each(|i| same.add(i, 0.5, Some(i % 2 == 0)));
        let all = same.selected(None, &origins(30), HOUR_MS, SERIAL).unwrap();
        assert_eq!((all.threshold, all.count, all.share), (0.5, 30, 1.0));
        assert_eq!(Confidences::default().selected(None, &origins(3), HOUR_MS, SERIAL), None);
        assert_eq!(Confidences::default().selected(Some(0.5), &origins(3), HOUR_MS, SERIAL), None);
    }

    #[test]
    fn quantiles_are_those_of_numpy() {
        let mut confidences = Confidences::default();
        for (i, confidence) in [0.7, 0.5, 0.55, 0.5, 0.62].into_iter().enumerate() {
            confidences.add(i, confidence, None);
        }
        // numpy.quantile([0.7, 0.5, 0.55, 0.5, 0.62], [0, 0.25, 0.45, 0.5, 0.9, 1])
        let quantiles = confidences.quantiles();
        assert_eq!(quantiles.len(), 21);
        for (k, expected) in [(0, 0.5), (5, 0.5), (9, 0.54), (10, 0.55), (18, 0.668), (20, 0.7)] {
            assert!((quantiles[k] - expected).abs() < 1e-12, "{k}: {}", quantiles[k]);
        }
        assert!(Confidences::default().quantiles().is_empty());
    }

    #[test]
    fn the_share_that_passes_is_read_off_the_quantiles() {
        let quantiles = of(|_| Some(true)).quantiles();
        // A half of them are 0.5, the others go evenly up to 0.599.
        for (threshold, share) in [(0.4, 1.0), (0.5, 1.0), (0.55, 0.25), (0.58, 0.1), (0.599, 0.0), (0.7, 0.0)] {
            let found = pass_share(&quantiles, threshold).unwrap();
            assert!((found - share).abs() < 0.006, "{threshold}: {found} {share}");
        }
        assert_eq!(pass_share(&[0.5, 0.5, 0.5], 0.5), Some(1.0));
        assert_eq!(pass_share(&[0.5, 0.5, 0.5], 0.51), Some(0.0));
        let unsound: [&[f64]; 4] = [&[], &[0.5], &[0.6, 0.5], &[0.5, f64::NAN]];
        for quantiles in unsound {
            assert_eq!(pass_share(quantiles, 0.5), None, "{quantiles:?}");
        }
    }
}
