//! [`Schedule`]: the learning rate over time.

use serde::{Deserialize, Serialize};

/// Factor of the learning rate at a plateau.
const PLATEAU_FACTOR: f64 = 0.5;
/// Epochs without a better loss that count as a plateau.
const PLATEAU_EPOCHS: usize = 5;
/// A loss is better when it is lower by this share (PyTorch's `ReduceLROnPlateau` default).
const PLATEAU_SHARE: f64 = 1e-4;

/// Course of the learning rate after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ScheduleKind {
    /// As it is.
    Constant,
    /// Half a cosine wave from the full rate down to 0 at the last step (Loshchilov and Hutter 2017, one cycle).
    Cosine,
    /// Halved whenever the watched loss has not fallen for five epochs.
    ReduceOnPlateau,
}

/// What a schedule remembers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Plateau {
    /// Factor reached.
    factor: f64,
    /// Best loss so far, if there was one.
    best: Option<f64>,
    /// Epochs since.
    waited: usize,
}

/// The learning rate as a factor of its configured value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Schedule {
    kind: ScheduleKind,
    warmup_steps: u64,
    all_steps: u64,
    plateau: Plateau,
}

impl Schedule {
    /// A schedule over `epochs` epochs of `epoch_steps` steps.
    pub(crate) fn new(kind: ScheduleKind, warmup_epochs: usize, epochs: usize, epoch_steps: usize) -> Self {
        Self {
            kind,
            warmup_steps: (warmup_epochs * epoch_steps) as u64,
            all_steps: (epochs * epoch_steps) as u64,
            plateau: Plateau { factor: 1.0, best: None, waited: 0 },
        }
    }

    /// Factor of step `step`, counted from 0 over the whole fit.
    pub(crate) fn factor(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return (step + 1) as f64 / self.warmup_steps as f64;
        }
        match self.kind {
            ScheduleKind::Constant => 1.0,
            ScheduleKind::ReduceOnPlateau => self.plateau.factor,
            ScheduleKind::Cosine => {
                let rest = self.all_steps.saturating_sub(self.warmup_steps).max(1) as f64;
                let share = ((step - self.warmup_steps) as f64 / rest).min(1.0);
                0.5 * (1.0 + (std::f64::consts::PI * share).cos())
            }
        }
    }

    /// Hears the loss that is watched: of the validation part, or of the training part where there is none.
    pub(crate) fn end_epoch(&mut self, loss: f64) {
        let plateau = &mut self.plateau;
        if plateau.best.is_none_or(|best| loss < best * (1.0 - PLATEAU_SHARE)) {
            (plateau.best, plateau.waited) = (Some(loss), 0);
            return;
        }
        plateau.waited += 1;
        if plateau.waited > PLATEAU_EPOCHS {
            (plateau.factor, plateau.waited) = (plateau.factor * PLATEAU_FACTOR, 0);
        }
    }

    /// What a checkpoint must keep.
    pub(crate) fn memory(&self) -> Plateau {
        self.plateau
    }

    /// Goes on from a checkpoint.
    pub(crate) fn recall(&mut self, memory: Plateau) {
        self.plateau = memory;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up_rises_and_the_cosine_falls() {
        let s = Schedule::new(ScheduleKind::Cosine, 2, 12, 10);
        assert_eq!(s.factor(0), 1.0 / 20.0);
        assert_eq!(s.factor(19), 1.0);
        assert_eq!(s.factor(20), 1.0);
        assert!((s.factor(70) - 0.5).abs() < 1e-12);
        assert!(s.factor(119) < 1e-3 && s.factor(119) > 0.0);
        assert_eq!(Schedule::new(ScheduleKind::Constant, 0, 5, 10).factor(49), 1.0);
    }

    #[test]
    fn a_plateau_halves_the_rate() {
        let mut s = Schedule::new(ScheduleKind::ReduceOnPlateau, 0, 100, 1);
        for loss in [1.0, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9] {
            s.end_epoch(loss);
        }
        assert_eq!(s.factor(50), 1.0);
        s.end_epoch(0.899_99);
        assert_eq!(s.factor(50), 0.5);
        s.end_epoch(0.5);
        assert_eq!((s.factor(50), s.memory().best), (0.5, Some(0.5)));
    }
}
