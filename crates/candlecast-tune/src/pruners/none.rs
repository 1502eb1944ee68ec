//! `none`: every trial to its end.

use candlecast_core::catalog::Entry;

use super::{PruneView, Pruner};
use crate::trial::Trial;

/// Gives no trial up.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeepAll;

/// The line in the catalog.
pub(crate) const ENTRY: Entry<dyn Pruner> = Entry {
    id: "none",
    aliases: &[],
    summary: "every trial to its end",
    params: &[],
    build: |_| Ok(Box::new(KeepAll)),
};

impl Pruner for KeepAll {
    fn judge(&self, _: &PruneView<'_>, _: &mut Trial) -> bool {
        false
    }
}
