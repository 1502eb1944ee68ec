//! [`Settings`]: defaults < `candlecast.toml` < `.env` < environment < flags.
//!
//! `table` says which settings there are; `layers` finds each one's value and remembers where it came from
//! (`resolved`). Whatever is wrong, in whichever layer, is collected (`faults`) and reported at once.

pub mod doc;

mod dot_env;
mod environment;
mod faults;
mod file;
mod kind;
mod layers;
mod mask;
mod misspelt;
mod model_catalog;
mod model_defaults;
mod resolved;
mod schedule;
mod setting;
mod settings;
mod table;

pub use environment::Environment;
pub use model_catalog::ModelCatalog;
pub use schedule::{ScheduledTraining, When};
pub use settings::{Flags, Settings};

#[cfg(test)]
mod tests;
