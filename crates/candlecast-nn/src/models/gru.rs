//! `gru`: a network of gated recurrent units with a direct head for all steps of the horizon.

use candlecast_core::catalog::Entry;
use candlecast_learn::Learner;

use crate::config::PARAMS;
use crate::learner::Recurrent;
use crate::shape::Cell;

/// The catalog's entry.
pub(super) const ENTRY: Entry<dyn Learner> = Entry {
    id: "gru",
    aliases: &[],
    summary: "GRU network over a window of candles, trained by back-propagation through time",
    params: PARAMS,
    build: |config| Recurrent::build(Cell::Gru, config),
};
