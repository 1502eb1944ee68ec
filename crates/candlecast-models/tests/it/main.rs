//! Integration tests of the models: against scikit-learn and XGBoost, laws that every model obeys, skill on planted
//! signals and honesty on random walks, errors.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod errors;
mod going_on;
mod golden;
mod har_x_inputs;
mod laws;
mod linear;
mod skill;
mod world;
