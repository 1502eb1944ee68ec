//! Whether a new model may replace the one that serves.
//!
//! Both are compared on origins that neither has learnt from: those after the last candle of the serving model, the new
//! model's forecasts there being those of its forward chain. Scores of other candles say nothing about which is better,
//! and the candles that the serving model has learnt from would flatter it.

use candlecast_learn::significance::{
    MIN_INDEPENDENT, Serial, Test, VERDICT_LEVEL, diebold_mariano, independent, p_text,
};
use candlecast_learn::{Calibrated, Calibrator, ForecastRow, Market, ModelReport, Panel, Task};

use crate::frames::FeatureFrames;
use crate::loaded_model::LoadedModel;
use crate::saved_model::SavedModel;

/// The model that serves.
#[derive(Debug)]
pub struct Serving {
    /// The model, restored. One that cannot be restored does not serve, and there is nothing to be no worse than.
    pub model: LoadedModel,
    /// True if it has learnt from a pool of other markets.
    pub pooled: bool,
}

/// Whether a new model is to serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// True if it is.
    pub serves: bool,
    /// Why, in words.
    pub why: String,
}

impl Decision {
    fn serves(why: String) -> Self {
        Self { serves: true, why }
    }

    fn candidate(why: String) -> Self {
        Self { serves: false, why }
    }

    /// Where there is no model to be compared with.
    pub(crate) fn unopposed() -> Self {
        Self::serves("nothing served at its horizon that could be loaded".into())
    }
}

impl Serving {
    /// Whether a new model with the scores `new` takes its place; `pooled` if that one has learnt from a pool, which makes
    /// it another configuration than one that has not. Which markets are in the pool is no part of a configuration.
    ///
    /// Another configuration does if its mean loss is no higher on origins that neither has learnt from, at least thirty
    /// of them independent: with fewer, chance decides. A refit of the same configuration does unless it is worse beyond
    /// luck on the origins there are: it is the same model on newer candles, and what is asked is only whether something
    /// went wrong.
    pub fn decide(self, frames: &mut FeatureFrames, new: &ModelReport, saved: &SavedModel, pooled: bool) -> Decision {
        let (version, trained_to) = (&self.model.version, self.model.trained_to);
        let advice = format!("version {version} goes on serving; `candlecast models promote` overrides");
        let (old, recipe) = (&self.model.forecaster, saved.forecaster.recipe());
        if recipe.task() != Some(old.task()) {
            return Decision::candidate(format!(
                "what serves says other classes, so that they cannot be compared; {advice}"
            ));
        }
        if trained_to > saved.trained_to {
            return Decision::candidate(format!(
                "what serves has learnt from newer candles, to {trained_to}; {advice}"
            ));
        }
        let Ok(panel) = frames.panel(&old.features()) else { return Decision::unopposed() };
        let series = frames.market().series();
        let unseen: Vec<(usize, usize)> = (0..)
            .zip(new.forecasts.rows.iter().copied())
            .filter(|&(_, row)| series.close_time(row) >= trained_to && panel.is_origin(row, old.lookback()))
            .collect();
        let paired = Paired::of(frames.market(), new, &self.model, &panel, &unseen);
        let duel = Duel {
            paired: &paired,
            horizon: old.task().horizon(),
            loss: old.task().kind().loss(),
            version,
            advice: &advice,
        };
        let is_refit = old.recipe() == recipe && self.pooled == pooled;
        if is_refit { duel.of_a_refit() } else { duel.of_another_configuration() }
    }
}

/// Losses of the new and of the serving model on the same origins.
#[derive(Debug, Default)]
struct Paired {
    /// Rows of the origins, ascending.
    rows: Vec<i64>,
    new: Vec<f64>,
    serving: Vec<f64>,
}

impl Paired {
    /// The two models on `unseen`, (number in the report, row); both are of one task. Prices are compared as they are told:
    /// times the factor that each model's earlier forecasts have earned.
    fn of(market: &Market, new: &ModelReport, serving: &LoadedModel, panel: &Panel, unseen: &[(usize, usize)]) -> Self {
        let old = &serving.forecaster;
        let mut calibrator = Calibrator::new(old.task(), serving.calibration.clone());
        let (task, rows) = (old.task(), unseen.iter().map(|&(_, row)| row).collect::<Vec<_>>());
        let theirs = old.predict(panel, &rows);
        let (width, horizon) = (task.width(), task.horizon());
        let mut paired = Self::default();
        for (k, &(i, row)) in unseen.iter().enumerate() {
            let borders = new.forecasts.borders.get(i).copied();
            let Some(means) = new.forecasts.means.get(i * width..(i + 1) * width) else { continue };
            calibrator.advance(row, market.log_close());
            let issued = calibrator.issue(market.origin(row), theirs.row(k), true);
            let claims = task.claims();
            let told = |means: &[f64], issued: &[Calibrated]| match task {
                Task::Price { .. } => issued.iter().map(|c| c.mean).collect(),
                Task::Direction { .. } | Task::Volatility { .. } => means.to_vec(),
            };
            let ours: Vec<f64> = told(means, &new.forecasts.calibrated[i * claims..(i + 1) * claims]);
            let served: Vec<f64> = told(theirs.row(k).means, &issued);
            // Both are asked for the same classes.
            let (ours, theirs) = (
                ForecastRow { means: &ours, scales: &[], borders, confidences: &[] },
                ForecastRow { means: &served, scales: &[], borders, confidences: &[] },
            );
            let loss = |forecast| task.kind().mean_loss(market, row, horizon, forecast);
            if let (Some(ours), Some(theirs)) = (loss(ours), loss(theirs)) {
                paired.rows.push(row as i64);
                paired.new.push(ours);
                paired.serving.push(theirs);
            }
        }
        paired
    }

    fn means(&self) -> (f64, f64) {
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len().max(1) as f64;
        (mean(&self.new), mean(&self.serving))
    }

    fn independent(&self, horizon: usize) -> usize {
        independent(&self.rows, horizon as i64)
    }

    /// One-sided: is the new model worse? `None` with too few origins for a test, or where both lose alike.
    fn worse(&self, horizon: usize) -> Option<Test> {
        diebold_mariano(&self.serving, &self.new, Serial { horizon, refit: 0 })
    }
}

/// A new model against the one that serves.
struct Duel<'a> {
    paired: &'a Paired,
    horizon: usize,
    /// What the loss is called.
    loss: &'a str,
    /// Version that serves.
    version: &'a str,
    /// What is said to a candidate.
    advice: &'a str,
}

impl Duel<'_> {
    fn of_a_refit(&self) -> Decision {
        let Self { version, advice, .. } = self;
        match self.paired.worse(self.horizon) {
            Some(test) if test.p_value < VERDICT_LEVEL => Decision::candidate(format!(
                "it is the same configuration as version {version}, fitted again, and worse by more than luck explains: {}; {advice}",
                self.figures()
            )),
            Some(_) => Decision::serves(format!(
                "it is the same configuration as version {version}, fitted again, and not worse by more than luck explains: {}",
                self.figures()
            )),
            None => Decision::serves(format!(
                "it is the same configuration as version {version}, fitted again, and too few origins are new to tell whether it is worse"
            )),
        }
    }

    fn of_another_configuration(&self) -> Decision {
        let Self { version, advice, .. } = self;
        let independent = self.paired.independent(self.horizon);
        if independent < MIN_INDEPENDENT {
            return Decision::candidate(format!(
                "its configuration is another one, and {independent} independent origins that neither has learnt from are too few to tell which is better, {MIN_INDEPENDENT} are needed; {advice}"
            ));
        }
        let (new, serving) = self.paired.means();
        if new > serving {
            return Decision::candidate(format!(
                "it does not do as well as version {version}: {}; {advice}",
                self.figures()
            ));
        }
        Decision::serves(format!("it does at least as well as version {version}: {}", self.figures()))
    }

    /// What was compared, and how sure it is.
    fn figures(&self) -> String {
        let (new, serving) = self.paired.means();
        let test = self.paired.worse(self.horizon);
        let test = test.map_or_else(String::new, |test| format!(", test for being worse: {}", p_text(test.p_value)));
        format!(
            "mean {} {new:.6} against {serving:.6} on {} origins that neither has learnt from, {} of them independent{test}",
            self.loss,
            self.paired.rows.len(),
            self.paired.independent(self.horizon),
        )
    }
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;

    use super::*;

    const HORIZON: usize = 4;

    /// `n` origins in a row, where the new model's loss is higher by `excess` on average, with noise of size `noise`.
    fn paired(n: usize, excess: f64, noise: f64) -> Paired {
        let mut rng = Seed(7).derive("duel", n as u64).stream();
        let serving: Vec<f64> = (0..n).map(|_| 1.0 + 0.1 * rng.uniform()).collect();
        let normal: Vec<f64> = (0..n).map(|_| rng.normal()).collect();
        let mean = normal.iter().sum::<f64>() / n.max(1) as f64;
        let new = serving.iter().zip(&normal).map(|(loss, z)| loss + excess + noise * (z - mean)).collect();
        Paired { rows: (0..n as i64).collect(), new, serving }
    }

    fn duel(paired: &Paired) -> Duel<'_> {
        Duel { paired, horizon: HORIZON, loss: "log loss", version: "1.2.0", advice: "version 1.2.0 goes on serving" }
    }

    #[test]
    fn a_refit_serves_unless_it_is_worse_beyond_luck() {
        for (n, excess, noise) in [(0, 0.0, 0.0), (5, 9.0, 0.1), (40, 0.01, 0.2), (200, -0.1, 0.2), (200, 0.0, 0.0)] {
            let decision = duel(&paired(n, excess, noise)).of_a_refit();
            assert!(decision.serves && decision.why.contains("1.2.0"), "{n} {excess}: {}", decision.why);
        }
        let decision = duel(&paired(200, 0.1, 0.2)).of_a_refit();
        assert!(!decision.serves, "{}", decision.why);
        for part in ["worse by more than luck explains", "200 origins", "50 of them independent", "goes on serving"] {
            assert!(decision.why.contains(part), "{part}: {}", decision.why);
        }
    }

    #[test]
    fn another_configuration_needs_thirty_independent_origins_and_no_higher_loss() {
        // 117 origins in a row that look four steps ahead are 30 independent ones, one fewer are 29.
        let few = paired(116, -0.5, 0.1);
        assert_eq!((few.independent(HORIZON), paired(117, 0.0, 0.1).independent(HORIZON)), (29, 30));
        let decision = duel(&few).of_another_configuration();
        assert!(!decision.serves && decision.why.contains("29 independent origins"), "{}", decision.why);
        let decision = duel(&paired(117, -0.5, 0.1)).of_another_configuration();
        assert!(decision.serves && decision.why.contains("at least as well as version 1.2.0"), "{}", decision.why);
        assert!(duel(&paired(400, 0.0, 0.0)).of_another_configuration().serves, "equal losses are no worse");
    }

    #[test]
    fn a_higher_mean_loss_keeps_another_configuration_out_whatever_luck_could_explain() {
        let noisy = paired(400, 0.05, 1.0);
        let (new, serving) = noisy.means();
        let p = noisy.worse(HORIZON).unwrap().p_value;
        assert!(new > serving && p > VERDICT_LEVEL, "{new} {serving} {p}");
        let decision = duel(&noisy).of_another_configuration();
        assert!(!decision.serves && decision.why.contains(&p_text(p)), "{}", decision.why);
        assert!(duel(&noisy).of_a_refit().serves, "luck is enough for a refit");
    }
}
