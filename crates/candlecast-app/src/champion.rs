//! Whether a new model may replace the one that serves: only if it is no worse on the same origins.

use candlecast_core::catalog::Entry;
use candlecast_learn::{FittedPipeline, Learner, ModelReport};
use candlecast_registry::Meta;

use crate::contender::Stable;
use crate::train::SavedModel;

/// Origins below which a comparison says nothing.
const MIN_ORIGINS: usize = 24;

/// The model that serves.
pub(crate) struct Serving {
    pub(crate) meta: Meta,
    pub(crate) model: SavedModel,
    pub(crate) entry: &'static Entry<dyn Learner>,
}

impl Serving {
    /// Why it goes on serving beside a new model with the scores `new`, `None` if the new one may replace it.
    ///
    /// Both are compared on scored origins that neither had seen: those after the serving model's last candle, the
    /// new model's forecasts there being those of its forward chain.
    pub(crate) fn keeps_serving(self, stable: &mut Stable, new: &ModelReport, saved: &SavedModel) -> Option<String> {
        let version = self.meta.version;
        let advice = format!("version {version} goes on serving; `candlecast models promote` overrides");
        let trained_to = self.model.trained_to;
        // A model that cannot be restored cannot serve.
        let learner = self.entry.build(&self.model.pipeline.config.params).ok()?;
        let old = FittedPipeline::restore(self.model.pipeline, learner.as_ref()).ok()?;
        let panel = stable.panel(&old.config.features).ok()?;
        let series = stable.market().series();
        let unseen: Vec<(usize, usize)> = (0..)
            .zip(new.forecasts.rows.iter().copied())
            .filter(|&(_, row)| series.close_time(row) >= trained_to && panel.is_origin(row, old.lookback()))
            .collect();
        if unseen.len() >= MIN_ORIGINS {
            let (ours, theirs) = errors(stable, new, &old, &panel, &unseen);
            return (ours > theirs).then(|| {
                format!(
                    "its mean error of {ours:.6} (log return) on {} origins that neither had seen is above the {theirs:.6} of what serves; {advice}",
                    unseen.len()
                )
            });
        }
        let scored = |m: &serde_json::Value| Some((m.get("scoredFrom")?.clone(), m.get("scoredTo")?.clone()));
        let new_metrics = crate::doc::scored_metrics_value(new, new.forecasts.rows.len());
        if trained_to == saved.trained_to
            && scored(&self.meta.metrics) == scored(&new_metrics)
            && scored(&new_metrics).is_some()
        {
            let (ours, theirs) = (new.metrics.mae?, self.meta.metrics.get("mae")?.as_f64()?);
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
    stable: &Stable,
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
