//! `har-x`: the volatility ahead from squared ranges at six lags, the season of the week and the day, moves, volumes
//! and jumps (after Corsi 2009, with the ranges of Parkinson 1980).
//!
//! The regressors are a state machine that whole markets and live ones go through alike. Two things are fitted to them,
//! both by ridge regression of a log variance with smearing (Duan 1983): the model `har-x` of the volatility task, and
//! the scale of the errors of prices at every step, on which intervals are built. Other learners of the volatility read
//! them through [`HarXRows`].

mod fit;
mod learner;
mod regressors;
mod rows;
pub(crate) mod scale;
mod season;
#[cfg(test)]
mod tests;
mod window;

use candlecast_core::catalog::Entry;

use crate::Learner;

pub use regressors::{REGRESSORS, WARM_UP};
pub use rows::{HarXRows, ROW_BYTES, WINDOWS};

pub(crate) use regressors::{COLUMNS, HarXRow, HarXState, columns_of, push_columns};

/// The models that are fitted to these regressors.
pub fn catalog() -> &'static [Entry<dyn Learner>] {
    &[learner::ENTRY]
}
