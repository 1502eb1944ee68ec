//! Tests over the crate as a whole.

mod golden;
mod properties;
