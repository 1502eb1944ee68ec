//! What a fitted model makes of the features: permutation importance, and its own measure.

use std::sync::atomic::{AtomicU64, Ordering};

use candlecast_core::Problem;
use candlecast_learn::{
    Dataset, FitObserver, FitSummary, FittedPipeline, Fold, Forecaster, Panel, PipelineState, Progress, SampleId,
    Samples, Start, Stop, TrainState,
};
use candlecast_models::permutation_importance;
use rayon::prelude::*;

use crate::rank::Run;

/// A permutation importance over several shuffles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Permutation {
    /// Mean.
    pub mean: f64,
    /// Standard deviation of one shuffle (n - 1); `None` with a single one.
    pub deviation: Option<f64>,
}

/// The model's side of a feature.
#[derive(Clone, Default)]
pub(super) struct Importance {
    pub(super) permutation: Option<Permutation>,
    pub(super) own: Option<f64>,
}

impl Run<'_> {
    /// Importances by the model fitted on the fold, `[feature]`.
    pub(super) fn importances(
        &self,
        forecaster: &Forecaster,
        fold: &Fold,
        valid: &[SampleId],
    ) -> Result<(Vec<Importance>, FitSummary), Problem> {
        // The seed of the fit that a training saves.
        let seed = self.seed.derive(&forecaster.name, u64::MAX);
        let (fitted, fit) = forecaster.fit(fold, seed, self.threads, Start::default(), &mut Steps(self))?;
        if fit.stopped == Stop::Cancelled {
            return Err(Problem::cancelled());
        }
        let Some((unfitted, pipeline)) = forecaster.as_pipeline().zip(fitted.as_pipeline()) else {
            return Ok((vec![], fit));
        };
        let state = pipeline.state();
        let panel = &unfitted.data.panels()[0];
        let mut importances = vec![Importance::default(); panel.width()];
        let own = pipeline.model().importances();
        for (k, &j) in state.scaler.keep.iter().enumerate() {
            importances[j].own = own.as_ref().and_then(|own| own.get(k).copied());
        }
        let rises = self.permuted(panel, pipeline, &state, valid)?;
        for (k, &j) in state.scaler.keep.iter().enumerate() {
            let shuffles: Vec<f64> = rises.iter().filter_map(|r| r.get(k).copied()).collect();
            importances[j].permutation = Permutation::of(&shuffles);
        }
        Ok((importances, fit))
    }

    /// Rises of the loss, `[repeat][feature that is kept]`; repeats run in parallel.
    fn permuted(
        &self,
        panel: &Panel,
        pipeline: &FittedPipeline,
        state: &PipelineState,
        valid: &[SampleId],
    ) -> Result<Vec<Vec<f64>>, Problem> {
        let (Some(first), Some(last)) = (valid.first(), valid.last()) else { return Ok(vec![]) };
        let rows = first.row as usize + 1 - pipeline.lookback()..last.row as usize + 1;
        let data = Dataset::single(state.scaler.apply_panel(panel, rows));
        let samples = Samples::new(&data, valid, pipeline.lookback(), pipeline.config.task, state.thresholds);
        let (done, n) = (AtomicU64::new(0), self.options.repeats);
        (0..n)
            .into_par_iter()
            .with_max_len(1)
            .map(|repeat| {
                self.check_cancelled()?;
                let seed = self.seed.derive("rank-permutation", repeat as u64);
                let rises = permutation_importance(pipeline.model(), &samples, seed, 1);
                self.watch.progress("permutation importance", done.fetch_add(1, Ordering::Relaxed) + 1, n as u64);
                Ok(rises)
            })
            .collect()
    }
}

impl Permutation {
    /// Mean and deviation of single shuffles; `None` without any.
    fn of(shuffles: &[f64]) -> Option<Self> {
        let n = shuffles.len() as f64;
        if shuffles.is_empty() {
            return None;
        }
        let mean = shuffles.iter().sum::<f64>() / n;
        let squares: f64 = shuffles.iter().map(|v| (v - mean).powi(2)).sum();
        Some(Self { mean, deviation: (n > 1.0).then(|| (squares / (n - 1.0)).sqrt()) })
    }
}

/// Reports the steps of the fit and cancels it when asked.
struct Steps<'a>(&'a Run<'a>);

impl FitObserver for Steps<'_> {
    fn on_step(&mut self, p: &Progress, _: &dyn Fn() -> TrainState) -> std::ops::ControlFlow<Stop> {
        if self.0.check_cancelled().is_err() {
            return std::ops::ControlFlow::Break(Stop::Cancelled);
        }
        self.0.watch.progress("fit", p.step as u64, p.of as u64);
        std::ops::ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_is_a_mean_with_its_deviation() {
        assert_eq!(Permutation::of(&[1.0, 3.0]), Some(Permutation { mean: 2.0, deviation: Some(2.0_f64.sqrt()) }));
        assert_eq!(Permutation::of(&[1.5]), Some(Permutation { mean: 1.5, deviation: None }));
        assert_eq!(Permutation::of(&[]), None);
    }
}
