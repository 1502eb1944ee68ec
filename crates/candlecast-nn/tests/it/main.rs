//! Tests of the crate from outside.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod errors;
mod golden;
mod gradients;
mod laws;
mod learning;
mod naive;
mod repeatable;
mod stopping;
mod world;
