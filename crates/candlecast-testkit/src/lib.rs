//! Law suites: what every implementation of a trait must satisfy, as one function a trait. Development only.
//!
//! A suite panics at the first broken law and says which one.

mod learner_laws;
mod store_fixtures;
mod store_laws;
mod store_model;

pub use learner_laws::{LearnerLaws, assert_learner_laws};
pub use store_fixtures::{assert_same_candles, candle_at, series_of};
pub use store_laws::assert_store_laws;
