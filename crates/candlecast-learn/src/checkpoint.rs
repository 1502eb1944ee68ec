//! Work that survives an interruption: finished fits and checkpoints of unfinished ones, kept by whoever runs it.

use std::ops::ControlFlow;

use crate::learner::{FitObserver, Progress, Stop, TrainState};
use crate::walk_forward::Hooks;

/// Seconds of a fit between two checkpoints. What a kill can cost at most; a checkpoint takes milliseconds.
pub const CHECKPOINT_SECONDS: f64 = 10.0;

/// The checkpoint that an interrupted run of the very same fit left behind.
pub fn recall_fit(hooks: &dyn Hooks, fit: &str) -> Option<TrainState> {
    serde_json::from_slice(&hooks.recall(&format!("{fit}.fit"))?).ok()
}

/// Keeps checkpoints of one fit, every [`CHECKPOINT_SECONDS`] and when the run is cancelled, and cancels it.
pub struct Checkpointed<'a, O> {
    hooks: &'a dyn Hooks,
    fit: &'a str,
    kept: f64,
    inner: O,
}

impl<O> std::fmt::Debug for Checkpointed<'_, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checkpointed").field("fit", &self.fit).field("kept", &self.kept).finish_non_exhaustive()
    }
}

impl<'a, O: FitObserver> Checkpointed<'a, O> {
    /// Around `inner`, which hears of every step, too. `fit` names the fit within the run.
    pub fn new(hooks: &'a dyn Hooks, fit: &'a str, inner: O) -> Self {
        Self { hooks, fit, kept: hooks.seconds(), inner }
    }

    fn keep(&self, state: &TrainState) {
        if let Ok(bytes) = serde_json::to_vec(state) {
            self.hooks.keep(&format!("{}.fit", self.fit), &bytes);
        }
    }
}

impl<O: FitObserver> FitObserver for Checkpointed<'_, O> {
    fn on_step(&mut self, progress: &Progress, snapshot: &dyn Fn() -> TrainState) -> ControlFlow<Stop> {
        let now = self.hooks.seconds();
        if self.hooks.cancelled() {
            self.keep(&snapshot());
            return ControlFlow::Break(Stop::Cancelled);
        }
        if now - self.kept >= CHECKPOINT_SECONDS {
            self.keep(&snapshot());
            self.kept = self.hooks.seconds();
        }
        self.inner.on_step(progress, snapshot)
    }
}
