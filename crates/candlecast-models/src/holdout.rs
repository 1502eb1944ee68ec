//! The validation part of a fit: what stands in for it where none is given, and what it is joined with to learn from.

use candlecast_learn::{SampleId, Samples};

/// Share of the training samples that is held out.
const SHARE: f64 = 0.15;
/// With fewer held-out samples than this nothing can be chosen by them.
const LEAST: usize = 30;

/// Splits training samples, which are in order of time, into an earlier part to fit on and the newest 15 % to
/// choose by; as many samples as the horizon has steps are left out between them, so that no target of the first
/// part is seen in the second. `None` when either would be too small.
pub(crate) fn holdout<'a>(train: &Samples<'a>) -> Option<(Samples<'a>, Samples<'a>)> {
    let n_held = (train.len() as f64 * SHARE) as usize;
    let cut = train.len() - n_held;
    let fitted = cut.checked_sub(train.task().horizon())?;
    (n_held >= LEAST && fitted >= LEAST).then(|| (train.slice(0..fitted), train.slice(cut..train.len())))
}

/// The origins of `train` and of the later `valid`, in order of time; `None` if they are views of different data.
pub(crate) fn joined(train: &Samples<'_>, valid: &Samples<'_>) -> Option<Vec<SampleId>> {
    std::ptr::eq(train.data(), valid.data()).then(|| [train.ids(), valid.ids()].concat())
}
