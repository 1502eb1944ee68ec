//! Starting weights.

use candlecast_core::Seed;

use crate::shape::{Cell, Shape};

/// Starting bias of the LSTM's forget gate: remember by default (Jozefowicz et al. 2015).
const FORGET_BIAS: f32 = 1.0;
/// The head of a session and of raw targets starts this much smaller than the layers, so that an untrained network
/// predicts about zero.
const HEAD_SHARE: f64 = 0.1;

/// Starting parameters in canonical order: weights uniform within `1 / sqrt(hidden)` either way, as in PyTorch;
/// biases 0, but for the LSTM's forget gate 1; a small head.
pub(crate) fn starting_params(shape: &Shape, seed: Seed) -> Vec<f32> {
    let mut params = vec![0.0; shape.n_params()];
    for (k, layer) in shape.layers().iter().enumerate() {
        let mut rng = seed.derive("nn-init", k as u64).stream();
        let bound = 1.0 / (layer.hidden as f64).sqrt();
        let mut fill = |w: &mut [f32]| w.iter_mut().for_each(|w| *w = ((2.0 * rng.uniform() - 1.0) * bound) as f32);
        fill(&mut params[layer.weight_ih.clone()]);
        fill(&mut params[layer.weight_hh.clone()]);
        if shape.cell == Cell::Lstm {
            params[layer.bias.clone()][layer.hidden..2 * layer.hidden].fill(FORGET_BIAS);
        }
    }
    let mut rng = seed.derive("nn-init-head", 0).stream();
    let bound = HEAD_SHARE / (shape.last_hidden() as f64).sqrt();
    for w in &mut params[shape.head_weight()] {
        *w = ((2.0 * rng.uniform() - 1.0) * bound) as f32;
    }
    params
}

/// Puts a head into `params`, in canonical order, that says `outputs` whatever the inputs are.
pub(crate) fn set_constant_head(shape: &Shape, params: &mut [f32], outputs: &[f32]) {
    params[shape.head_weight()].fill(0.0);
    params[shape.head_bias()].copy_from_slice(outputs);
}
