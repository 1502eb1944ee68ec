//! Laws that every network of the catalog obeys, on every instruction set of this processor.

use candlecast_nn::catalog;
use candlecast_testkit::{LearnerLaws, assert_learner_laws};
use serde_json::json;

use crate::world::{isas, small};

/// Sums in single precision are formed in another order for one row than for many.
const ROUNDING: f64 = 1e-4;

#[test]
fn every_network_keeps_the_laws_of_learners() {
    for isa in isas() {
        for entry in catalog() {
            let more = json!({ "instructionSet": isa.id(), "epochs": 4, "patience": 3, "learningRate": 0.01 });
            assert_learner_laws(&LearnerLaws { entry, params: small(&more), row_tolerance: ROUNDING });
        }
    }
}

/// Two layers with dropout, an annealed learning rate and other losses.
#[test]
fn deeper_networks_keep_them_too() {
    for entry in catalog() {
        let more = json!({
            "hiddenSizes": [10, 7],
            "dropout": 0.1,
            "schedule": "cosine",
            "warmupEpochs": 1,
            "loss": "huber",
            "classWeights": "balanced",
            "epochs": 4,
            "learningRate": 0.01,
            "batchSize": 24,
        });
        assert_learner_laws(&LearnerLaws { entry, params: small(&more), row_tolerance: ROUNDING });
    }
}
