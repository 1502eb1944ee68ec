//! Tests of the crate from outside.

mod errors;
mod golden;
mod gradients;
mod learning;
mod repeatable;
mod stopping;
mod world;
