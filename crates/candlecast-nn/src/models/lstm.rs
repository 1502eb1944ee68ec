//! `lstm`: a network of long short-term memory with a direct head for all steps of the horizon.

use candlecast_core::catalog::Entry;
use candlecast_learn::Learner;

use crate::config::PARAMS;
use crate::learner::Recurrent;
use crate::shape::Cell;

/// The catalog's entry.
pub(super) const ENTRY: Entry<dyn Learner> = Entry {
    id: "lstm",
    aliases: &[],
    summary: "LSTM network over a window of candles, trained by back-propagation through time",
    params: PARAMS,
    build: |config| Recurrent::build(Cell::Lstm, config),
};
