//! [`FittedNetwork`]: trained weights that predict.

use std::sync::Mutex;

use candlecast_learn::{FitError, Fitted, ModelState, Prediction, Samples, Smearing};
use serde::{Deserialize, Serialize};

use crate::buffer::Buffer;
use crate::network::{MICRO_BATCH, Network, Outputs, Weights, derive_all};
use crate::readout::Readout;
use crate::shape::{Cell, Shape};
use crate::train::{lock, put_samples};
use crate::weights::write_tensors;

/// Facts saved with the weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ModelFacts {
    pub(crate) cell: Cell,
    pub(crate) inputs: usize,
    pub(crate) hidden: Vec<usize>,
    pub(crate) outputs: usize,
    pub(crate) steps: usize,
    /// Raw target of prices: least volatility used, see [`crate::price_scale`].
    pub(crate) volatility_floor: Option<f64>,
}

impl ModelFacts {
    /// Facts of a network.
    pub(crate) fn new(shape: &Shape, volatility_floor: Option<f64>) -> Self {
        let Shape { cell, inputs, hidden, outputs, steps } = shape.clone();
        Self { cell, inputs, hidden, outputs, steps, volatility_floor }
    }

    /// Facts as JSON.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        serde_json::json!(self)
    }
}

/// A trained network.
#[derive(Debug)]
pub(crate) struct FittedNetwork<N: Network> {
    net: N,
    facts: ModelFacts,
    readout: Readout,
    /// Canonical parameters, as saved.
    canonical: Vec<f32>,
    params: Buffer,
    derived: Buffer,
    /// Rooms that no prediction uses just now: one row, and many.
    single: Mutex<Vec<N::State>>,
    many: Mutex<Vec<N::State>>,
}

impl<N: Network> FittedNetwork<N> {
    /// A trained network from canonical parameters.
    pub(crate) fn new(net: N, canonical: Vec<f32>, readout: Readout) -> Self {
        let mut params = Buffer::zeroed(net.n_params(), 0);
        let mut derived = Buffer::zeroed(net.derived_bounds().last().copied().unwrap_or(0), 1);
        net.pack(&canonical, &mut params);
        derive_all(&net, &params, &mut derived);
        let facts = ModelFacts::new(net.shape(), readout.volatility_floor());
        Self { net, facts, readout, canonical, params, derived, single: Mutex::default(), many: Mutex::default() }
    }

    /// Finds the smearing factor of a model of the volatility, which has none yet, on `samples`; others need none.
    pub(crate) fn find_smearing(&mut self, samples: &Samples<'_>) -> Result<(), FitError> {
        if let Readout::Variance(_) = self.readout {
            let mut plain = Prediction::default();
            self.predict_into(samples, &mut plain);
            self.readout = Readout::Variance(Smearing::fit(samples, &plain)?);
        }
        Ok(())
    }

    fn write_rows(&self, x: &Samples<'_>, order: &[u32], mut out: Outputs<'_>, to: &mut Prediction) {
        for (i, &sample) in order.iter().enumerate() {
            self.readout.write_row(x, sample as usize, out.row(i), to.row_mut(sample as usize));
        }
    }
}

impl<N: Network> Fitted for FittedNetwork<N> {
    fn predict_into(&self, x: &Samples<'_>, out: &mut Prediction) {
        out.reset(x.len(), self.net.shape().outputs);
        let (pool, room) = if x.len() == 1 { (&self.single, 1) } else { (&self.many, MICRO_BATCH) };
        let taken = lock(pool).pop();
        let mut state = taken.unwrap_or_else(|| self.net.state(room));
        let weights = Weights { params: &self.params, derived: &self.derived };
        let mut order = [0_u32; MICRO_BATCH];
        for first in (0..x.len()).step_by(room) {
            let n = room.min(x.len() - first);
            for (i, sample) in order[..n].iter_mut().enumerate() {
                *sample = (first + i) as u32;
            }
            put_samples(x, &order[..n], self.net.state_input(&mut state));
            self.net.infer(weights, &mut state, n);
            self.write_rows(x, &order[..n], self.net.state_output(&mut state), out);
        }
        lock(pool).push(state);
    }

    fn state(&self) -> ModelState {
        let mut state =
            ModelState { facts: serde_json::json!({ "network": self.facts.to_json() }), ..ModelState::default() };
        write_tensors(self.net.shape(), &self.canonical, "", &mut state.tensors);
        self.readout.write(&mut state);
        state
    }
}
