//! The list of all models of this crate, in the order in which they are shown.

use candlecast_core::catalog::Entry;
use candlecast_learn::Learner;

use crate::{forest, gbdt, hybrid, linear};

/// All models of this crate.
pub fn catalog() -> &'static [Entry<dyn Learner>] {
    CATALOG
}

static CATALOG: &[Entry<dyn Learner>] = &[hybrid::ENTRY, linear::ENTRY, gbdt::ENTRY, forest::ENTRY];
