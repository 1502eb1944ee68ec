//! [`Adam`]: Adam and AdamW by PyTorch's formulas, and clipping by the global norm.
//!
//! Kingma and Ba 2015; decoupled decay by Loshchilov and Hutter 2019. With `g` the gradient, `t` the step from 1:
//! `m = b1 m + (1 - b1) g`, `v = b2 v + (1 - b2) g^2`,
//! `w -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps)`; coupled decay adds `decay * w` to `g`, decoupled
//! decay multiplies `w` by `1 - lr * decay` first. All weights decay, biases included, as PyTorch does by default.

use serde::{Deserialize, Serialize};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const EPSILON: f32 = 1e-8;
/// PyTorch's `clip_grad_norm_` adds this to the norm.
const CLIP_EPSILON: f64 = 1e-6;

/// How `weight_decay` acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Decoupled from the gradient.
    AdamW,
    /// Added to the gradient.
    Adam,
}

/// Parameters of the optimiser.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamConfig {
    /// How `weight_decay` acts.
    pub kind: OptimizerKind,
    /// Step size before the schedule.
    pub learning_rate: f64,
    /// Decay, decoupled or coupled.
    pub weight_decay: f64,
    /// More coupled decay.
    pub l2: f64,
    /// Bound on the norm of the whole gradient, above 0.
    pub clip: Option<f64>,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self { kind: OptimizerKind::AdamW, learning_rate: 1e-3, weight_decay: 0.0, l2: 0.0, clip: None }
    }
}

/// The numbers of one update, the same for every weight.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Update {
    clip: f32,
    keep: f32,
    coupled: f32,
    step_size: f32,
    root_correction: f32,
}

impl AdamConfig {
    /// The update of step `step` (from 1) at `factor` times the learning rate, for a gradient of norm `norm`.
    pub(crate) fn update(&self, step: u64, factor: f64, norm: f64) -> Update {
        let rate = self.learning_rate * factor;
        let (decoupled, coupled) = match self.kind {
            OptimizerKind::AdamW => (self.weight_decay, self.l2),
            OptimizerKind::Adam => (0.0, self.weight_decay + self.l2),
        };
        let step = step.min(i32::MAX as u64) as i32;
        Update {
            clip: self.clip.map_or(1.0, |bound| (bound / (norm + CLIP_EPSILON)).min(1.0)) as f32,
            keep: (1.0 - rate * decoupled) as f32,
            coupled: coupled as f32,
            step_size: (rate / (1.0 - BETA1.powi(step))) as f32,
            root_correction: (1.0 / (1.0 - BETA2.powi(step)).sqrt()) as f32,
        }
    }
}

impl Update {
    /// Moves `params` and the moments `m` and `v` by the gradient `grad`; all of one length.
    pub(crate) fn apply(&self, params: &mut [f32], m: &mut [f32], v: &mut [f32], grad: &[f32]) {
        let Self { clip, keep, coupled, step_size, root_correction } = *self;
        let (b1, b2, a1, a2) = (BETA1 as f32, BETA2 as f32, (1.0 - BETA1) as f32, (1.0 - BETA2) as f32);
        for (((w, m), v), &g) in params.iter_mut().zip(m).zip(v).zip(grad) {
            let g = g * clip + coupled * *w;
            *m = b1 * *m + a1 * g;
            *v = b2 * *v + a2 * (g * g);
            *w = *w * keep - step_size * *m / (v.sqrt() * root_correction + EPSILON);
        }
    }
}

/// Sum of squares in double precision, in a fixed order of eight running sums.
pub(crate) fn sum_of_squares(values: &[f32]) -> f64 {
    let mut sums = [0.0_f64; 8];
    let chunks = values.chunks_exact(8);
    let rest: f64 = chunks.remainder().iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    for chunk in chunks {
        for (sum, &x) in sums.iter_mut().zip(chunk) {
            *sum += f64::from(x) * f64::from(x);
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_bounds_the_norm_and_leaves_small_gradients() {
        let config = AdamConfig { clip: Some(1.0), ..AdamConfig::default() };
        let clip = |norm: f64| f64::from(config.update(1, 1.0, norm).clip);
        assert!((clip(4.0) * 4.0 - 1.0).abs() < 1e-5);
        assert_eq!(clip(0.5), 1.0);
        assert_eq!(AdamConfig::default().update(1, 1.0, 1e9).clip, 1.0);
    }

    #[test]
    fn the_first_step_has_the_size_of_the_learning_rate() {
        let config = AdamConfig { learning_rate: 0.01, ..AdamConfig::default() };
        let (mut w, mut m, mut v) = ([1.0, -2.0], [0.0; 2], [0.0; 2]);
        config.update(1, 1.0, 0.0).apply(&mut w, &mut m, &mut v, &[1e-4, -30.0]);
        assert!((w[0] - 0.99).abs() < 2e-6 && (w[1] + 1.99).abs() < 2e-6, "{w:?}");
        config.update(2, 0.0, 0.0).apply(&mut w.clone(), &mut m, &mut v, &[0.0; 2]);
        assert!(m[0] > 0.0 && v[1] > 0.0);
    }

    #[test]
    fn squares_are_summed_whole() {
        let values: Vec<f32> = (0..37).map(|i| i as f32).collect();
        assert_eq!(sum_of_squares(&values), (0..37).map(|i| f64::from(i * i)).sum::<f64>());
    }
}
