//! Integration tests of the models: against scikit-learn and XGBoost, laws that every model obeys, skill on planted
//! signals and honesty on random walks, errors.

mod errors;
mod going_on;
mod golden;
mod laws;
mod skill;
mod world;
