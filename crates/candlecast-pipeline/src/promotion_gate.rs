//! Whether a new model may replace the one that serves: only if it is no worse on the same origins.

use candlecast_core::TimeRange;
use candlecast_learn::{FittedPipeline, ModelReport};

use crate::frames::FeatureFrames;
use crate::loaded_model::LoadedModel;
use crate::saved_model::SavedModel;

/// Origins below which a comparison says nothing.
const MIN_ORIGINS: usize = 24;

/// The model that serves.
#[derive(Debug)]
pub struct Serving {
    /// The model, restored; `None` if it cannot be: then it does not serve, and there is nothing to be no worse than.
    pub model: LoadedModel,
    /// How it did when it was saved.
    pub scores: SavedScores,
}

/// The scores that a saved model came with.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SavedScores {
    /// Mean absolute error of prices.
    pub mae: Option<f64>,
    /// From the first scored origin's open to the last one's close.
    pub scored: Option<TimeRange>,
}

impl SavedScores {
    /// Those of a report.
    pub fn of(report: &ModelReport) -> Self {
        let (from, to) = (report.forecasts.from, report.forecasts.to);
        let scored = from.zip(to).map(|(from, to)| TimeRange { from, to });
        Self { mae: report.metrics.mae, scored }
    }
}

impl Serving {
    /// Why it goes on serving beside a new model with the scores `new`, `None` if the new one may replace it.
    ///
    /// Both are compared on scored origins that neither had seen: those after the serving model's last candle, the
    /// new model's forecasts there being those of its forward chain.
    pub fn keeps_serving(self, stable: &mut FeatureFrames, new: &ModelReport, saved: &SavedModel) -> Option<String> {
        let version = &self.model.version;
        let advice = format!("version {version} goes on serving; `candlecast models promote` overrides");
        let trained_to = self.model.trained_to;
        let old = &self.model.pipeline;
        let panel = stable.panel(&old.config.features).ok()?;
        let series = stable.market().series();
        let unseen: Vec<(usize, usize)> = (0..)
            .zip(new.forecasts.rows.iter().copied())
            .filter(|&(_, row)| series.close_time(row) >= trained_to && panel.is_origin(row, old.lookback()))
            .collect();
        if unseen.len() >= MIN_ORIGINS {
            let (ours, theirs) = errors(stable, new, old, &panel, &unseen);
            return (ours > theirs).then(|| {
                format!(
                    "its mean error of {ours:.6} (log return) on {} origins that neither had seen is above the {theirs:.6} of what serves; {advice}",
                    unseen.len()
                )
            });
        }
        let ours = SavedScores::of(new);
        if trained_to == saved.trained_to && ours.scored.is_some() && ours.scored == self.scores.scored {
            let (ours, theirs) = (ours.mae?, self.scores.mae?);
            return (ours > theirs).then(|| {
                format!("its MAE of {ours:.6} on the same origins is above the {theirs:.6} of what serves; {advice}")
            });
        }
        if trained_to > saved.trained_to {
            return Some(format!("what serves has learnt from newer candles, to {trained_to}; {advice}"));
        }
        Some(format!("there are too few origins that neither model had seen to tell which is better; {advice}"))
    }
}

/// Mean absolute log-return errors of the new and of the serving model over the steps that both forecast.
fn errors(
    stable: &FeatureFrames,
    new: &ModelReport,
    old: &FittedPipeline,
    panel: &candlecast_learn::Panel,
    unseen: &[(usize, usize)],
) -> (f64, f64) {
    let log_close = stable.market().log_close();
    let rows: Vec<usize> = unseen.iter().map(|&(_, row)| row).collect();
    let (old_means, _) = old.predict(panel, &rows);
    let (h_new, h_old) = (new.per_horizon.len(), old.config.task.horizon());
    let steps = h_new.min(h_old);
    let (mut ours, mut theirs) = (0.0, 0.0);
    for (k, &(i, row)) in unseen.iter().enumerate() {
        for h in 0..steps {
            let actual = log_close[row + h + 1] - log_close[row];
            ours += (new.forecasts.means[i * h_new + h] - actual).abs();
            theirs += (old_means[k * h_old + h] - actual).abs();
        }
    }
    let n = (unseen.len() * steps) as f64;
    (ours / n, theirs / n)
}
