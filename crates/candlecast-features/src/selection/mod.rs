//! Which features are worth keeping: what they tell about an outcome, how that compares with chance, and which of
//! them repeat each other.
//!
//! Pure functions over columns `[sample]`, in order of time. Nothing here splits data: the caller passes the training
//! part, or says that it did not.

mod chance;
mod classes;
mod correlation_filter;
mod mutual_information;
mod ranks;

pub use chance::{AgainstChance, circular_shifts};
pub use classes::{Classes, MAX_CLASSES, equal_count_bins};
pub use correlation_filter::{Redundant, correlation_filter};
pub use mutual_information::mutual_information;
pub use ranks::Ranks;
