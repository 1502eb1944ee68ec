//! Law suites: what every implementation of a trait must satisfy, as one function a trait; the made data that they and
//! other tests run on; and traces of system calls, which tell in what order a program synced its files. Development
//! only.
//!
//! A suite panics at the first broken law and says which one.

mod learner_laws;
mod lease_laws;
mod store_fixtures;
mod store_laws;
mod store_model;
mod sync_trace;
mod world;

pub use learner_laws::{LearnerLaws, assert_learner_laws};
pub use lease_laws::assert_lease_laws;
pub use store_fixtures::{assert_same_candles, candle_at, series_of};
pub use store_laws::assert_store_laws;
pub use sync_trace::{SyncTrace, strace};
pub use world::{World, lagged_percent, normals, reverting_returns};
