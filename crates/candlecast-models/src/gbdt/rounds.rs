//! The rounds of boosting: all boosters together, one round after another.

use std::ops::ControlFlow;

use candlecast_core::Seed;
use candlecast_learn::{Curve, FitError, Progress, Stop};
use rayon::prelude::*;

use super::Settings;
use super::booster::{Booster, TrainingData};
use crate::tree::{Grower, Workers};

/// Hears of each round and may stop the training.
pub(super) type Report<'r> = dyn FnMut(&[Booster], &Progress, &Curve) -> ControlFlow<Stop> + 'r;

/// What all rounds share.
pub(super) struct Rounds<'a> {
    pub(super) settings: &'a Settings,
    pub(super) data: &'a TrainingData<'a>,
    pub(super) seed: Seed,
    pub(super) workers: &'a Workers,
}

impl Rounds<'_> {
    /// Does rounds until every booster has stopped, or `report` says so. `curve` is that of rounds done before.
    ///
    /// Boosters run in parallel; a lone one searches its splits in parallel. Either way each sum is formed by one
    /// thread in one order, so that the number of threads changes nothing.
    pub(super) fn run(
        &self,
        boosters: &mut [Booster],
        mut curve: Curve,
        report: &mut Report<'_>,
    ) -> Result<(Stop, Curve), FitError> {
        let mut growers: Vec<Grower> = (0..self.workers.count()).map(|_| Grower::default()).collect();
        while boosters.iter().any(|b| !b.standing.stopped) {
            self.round(boosters, &mut growers);
            let progress = self.progress(boosters, &mut curve)?;
            if let ControlFlow::Break(stop) = report(boosters, &progress, &curve) {
                return Ok((stop, curve));
            }
        }
        let full = boosters.iter().any(|b| b.standing.best_rounds == b.standing.rounds);
        Ok((if full { Stop::Budget } else { Stop::Early }, curve))
    }

    fn round(&self, boosters: &mut [Booster], growers: &mut [Grower]) {
        let mut active: Vec<(Seed, &mut Booster)> = boosters
            .iter_mut()
            .enumerate()
            .filter(|(_, b)| !b.standing.stopped)
            .map(|(i, b)| (self.seed.derive("gbdt-booster", i as u64), b))
            .collect();
        let n_threads = growers.len();
        if active.len() < n_threads {
            let grower = &mut growers[0];
            self.workers.run(|| {
                for (seed, booster) in active {
                    booster.round(self.data, self.settings, seed, grower, true);
                }
            });
        } else {
            let share = active.len().div_ceil(n_threads);
            let run = |boosters: &mut [(Seed, &mut Booster)], grower: &mut Grower| {
                for (seed, booster) in boosters {
                    booster.round(self.data, self.settings, *seed, grower, false);
                }
            };
            if n_threads == 1 {
                run(&mut active, &mut growers[0]);
            } else {
                self.workers.run(|| {
                    active.par_chunks_mut(share).zip(growers.par_iter_mut()).for_each(|(b, grower)| run(b, grower));
                });
            }
        }
    }

    /// Mean losses over the boosters, noted in the curve.
    fn progress(&self, boosters: &[Booster], curve: &mut Curve) -> Result<Progress, FitError> {
        let n = boosters.len() as f64;
        let train_loss = boosters.iter().map(|b| b.train_loss).sum::<f64>() / n;
        let valid_loss = boosters.iter().map(|b| b.valid_loss).sum::<Option<f64>>().map(|sum| sum / n);
        curve.train.push(train_loss);
        curve.valid.extend(valid_loss);
        let step = curve.train.len();
        if !train_loss.is_finite() {
            return Err(FitError::NotFinite {
                what: "the training loss".into(),
                value: train_loss,
                step,
                remedy: "take a smaller learningRate or a greater lambda".into(),
            });
        }
        Ok(Progress {
            step,
            of: self.settings.rounds.max(step),
            train_loss: Some(train_loss),
            valid_loss,
            learning_rate: Some(self.settings.grow.learning_rate),
        })
    }
}
