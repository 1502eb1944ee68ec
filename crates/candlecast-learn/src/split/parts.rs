//! [`split`]: which origins of a fold's window train and which validate.

use candlecast_core::Timestamp;

use super::{Fold, is_within};
use crate::dataset::{Dataset, SampleId};

/// The rows of a fold as samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// Origins to learn from.
    pub train: Vec<SampleId>,
    /// Later origins for early stopping and selection.
    pub valid: Vec<SampleId>,
}

/// Splits the windows of `fold` in all panels of `data`, without what is set apart ([`Fold::apart`]): the last
/// `valid_share` of its origins validate. Every label is complete before the fit; between training and validation lie a
/// purge of one horizon (no training label reaches into the validation part) and an embargo of another. Samples of several
/// markets stand in time order, so that what validates is later than what trains in every one of them.
pub fn split(fold: &Fold, data: &Dataset, lookback: usize, horizon: usize, valid_share: f64) -> Parts {
    let mut origins: Vec<(i64, SampleId)> = Vec::new();
    for (index, panel) in data.panels().iter().enumerate() {
        let (market, rows, apart) = (panel.market(), fold.rows(panel.market()), fold.apart_in(panel.market()));
        let open_time = &market.series().columns().open_time;
        origins.extend(
            (rows.window_start..rows.fit_row.saturating_sub(horizon))
                .filter(|&row| !is_within(&apart, row))
                .filter(|&row| panel.is_origin(row, lookback) && market.has_targets(row, horizon))
                .map(|row| (open_time[row], SampleId { panel: index as u32, row: row as u32 })),
        );
    }
    // Of one panel they are in order already.
    origins.sort_unstable();
    let ids: Vec<SampleId> = origins.iter().map(|&(_, id)| id).collect();
    let n_valid = (ids.len() as f64 * valid_share).round() as usize;
    let Some(&(first_valid, _)) = origins.get(ids.len() - n_valid).filter(|_| n_valid > 0) else {
        return Parts { train: ids, valid: vec![] };
    };
    let ends: Vec<usize> = data
        .panels()
        .iter()
        .map(|p| p.market().series().first_row_from(Timestamp(first_valid)).saturating_sub(2 * horizon))
        .collect();
    let trains = |id: &&SampleId| (id.row as usize) < ends[id.panel as usize];
    let train = ids[..ids.len() - n_valid].iter().filter(trains).copied().collect();
    Parts { train, valid: ids[ids.len() - n_valid..].to_vec() }
}
