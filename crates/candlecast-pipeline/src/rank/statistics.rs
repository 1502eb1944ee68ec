//! What the values of a feature tell about the return ahead, model or no model.

use std::sync::atomic::{AtomicU64, Ordering};

use candlecast_core::Problem;
use candlecast_features::{AgainstChance, Classes, Ranks, circular_shifts, equal_count_bins, mutual_information};
use candlecast_learn::{Pipeline, SampleId, Samples};
use rayon::prelude::*;

use crate::rank::Run;

/// A feature over the training part.
pub(super) struct Column {
    pub(super) information: AgainstChance,
    pub(super) sign_information: AgainstChance,
    pub(super) spearman: Option<f64>,
    pub(super) abs_spearman: Option<AgainstChance>,
    pub(super) ranks: Option<Ranks>,
}

impl Run<'_> {
    /// Statistics of every feature over the origins `ids`, `[feature]`.
    pub(super) fn columns(
        &self,
        pipeline: &Pipeline,
        ids: &[SampleId],
        overlap: usize,
    ) -> Result<Vec<Column>, Problem> {
        let data = pipeline.data.clone();
        let samples = Samples::new(&data, ids, pipeline.learner.lookback(), pipeline.config.task, None);
        let returns: Vec<f64> = (0..samples.len()).map(|i| samples.return_over_horizon(i)).collect();
        let mut rng = self.seed.derive("rank-shifts", 0).stream();
        let bins = equal_count_bins(returns.len());
        let target = Target {
            bins,
            classes: Classes::equal_count(&returns, bins),
            signs: Classes::signs(&returns),
            ranks: Ranks::of(&returns),
            // Beyond the overlap of returns, and far enough for slow features to have moved on.
            shifts: circular_shifts(
                returns.len(),
                self.options.shifts,
                (2 * overlap).max(returns.len() / 20),
                &mut rng,
            ),
        };
        let (done, n) = (AtomicU64::new(0), samples.width());
        (0..n)
            .into_par_iter()
            .with_max_len(1)
            .map(|j| {
                self.check_cancelled()?;
                let values: Vec<f64> = (0..samples.len()).map(|i| f64::from(samples.last(i)[j])).collect();
                let column = target.of(&values);
                self.watch.progress("mutual information", done.fetch_add(1, Ordering::Relaxed) + 1, n as u64);
                Ok(column)
            })
            .collect()
    }
}

/// What features are held against.
struct Target {
    bins: usize,
    classes: Classes,
    signs: Classes,
    ranks: Option<Ranks>,
    shifts: Vec<usize>,
}

impl Target {
    fn of(&self, values: &[f64]) -> Column {
        let classes = Classes::equal_count(values, self.bins);
        let against = |y: &Classes| AgainstChance::of(&self.shifts, |shift| mutual_information(&classes, y, shift));
        let ranks = Ranks::of(values);
        let both = ranks.as_ref().zip(self.ranks.as_ref());
        Column {
            information: against(&self.classes),
            sign_information: against(&self.signs),
            spearman: both.map(|(x, y)| x.correlation(y, 0)),
            abs_spearman: both.map(|(x, y)| AgainstChance::of(&self.shifts, |shift| x.correlation(y, shift).abs())),
            ranks,
        }
    }
}
