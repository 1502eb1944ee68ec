//! Whether a new model may replace the one that serves: only if it is no worse on the same origins.

use candlecast_core::TimeRange;
use candlecast_learn::{FittedForecaster, ForecastRow, Market, ModelReport, Panel, TaskMetrics};

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
    /// The figure that models of the task are ranked by: MAE, log loss or QLIKE.
    pub loss: Option<f64>,
    /// From the first scored origin's open to the last one's close.
    pub scored: Option<TimeRange>,
}

impl SavedScores {
    /// Those of a report.
    pub fn of(report: &ModelReport) -> Self {
        let (from, to) = (report.forecasts.from, report.forecasts.to);
        let scored = from.zip(to).map(|(from, to)| TimeRange { from, to });
        Self { loss: report.metrics.loss(), scored }
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
        let old = &self.model.forecaster;
        if saved.forecaster.recipe().task() != Some(old.task()) {
            return Some(format!("what serves says other classes, so that they cannot be compared; {advice}"));
        }
        let panel = stable.panel(&old.features()).ok()?;
        let series = stable.market().series();
        let unseen: Vec<(usize, usize)> = (0..)
            .zip(new.forecasts.rows.iter().copied())
            .filter(|&(_, row)| series.close_time(row) >= trained_to && panel.is_origin(row, old.lookback()))
            .collect();
        if let Some(Compared { ours, theirs, n }) = compared(stable.market(), new, old, &panel, &unseen) {
            return (ours > theirs).then(|| {
                format!(
                    "its mean {} of {ours:.6} on {n} origins that neither had seen is above the {theirs:.6} of what serves; {advice}",
                    old.task().kind().loss()
                )
            });
        }
        let ours = SavedScores::of(new);
        if trained_to == saved.trained_to && ours.scored.is_some() && ours.scored == self.scores.scored {
            let (ours, theirs) = (ours.loss?, self.scores.loss?);
            return (ours > theirs).then(|| {
                format!(
                    "its {} of {ours:.6} on the same origins is above the {theirs:.6} of what serves; {advice}",
                    loss_name(new)
                )
            });
        }
        if trained_to > saved.trained_to {
            return Some(format!("what serves has learnt from newer candles, to {trained_to}; {advice}"));
        }
        Some(format!("there are too few origins that neither model had seen to tell which is better; {advice}"))
    }
}

/// What the loss of saved scores is called.
fn loss_name(report: &ModelReport) -> &'static str {
    match report.metrics {
        TaskMetrics::Price(_) => "MAE",
        TaskMetrics::Direction(_) => "log loss",
        TaskMetrics::Volatility(_) => "QLIKE",
    }
}

/// Mean losses of the new and of the serving model.
struct Compared {
    ours: f64,
    theirs: f64,
    /// Origins whose outcomes have a loss.
    n: usize,
}

/// The two models on `unseen`, (number in the report, row); both are of one task. `None` where fewer than
/// [`MIN_ORIGINS`] outcomes have a loss.
fn compared(
    market: &Market,
    new: &ModelReport,
    old: &FittedForecaster,
    panel: &Panel,
    unseen: &[(usize, usize)],
) -> Option<Compared> {
    let (task, rows) = (old.task(), unseen.iter().map(|&(_, row)| row).collect::<Vec<_>>());
    let theirs = old.predict(panel, &rows);
    let (width, horizon) = (task.width(), task.horizon());
    let (mut ours_sum, mut theirs_sum, mut n) = (0.0, 0.0, 0);
    for (k, &(i, row)) in unseen.iter().enumerate() {
        let borders = new.forecasts.borders.get(i).copied();
        let means = new.forecasts.means.get(i * width..(i + 1) * width)?;
        let ours = ForecastRow { means, scales: &[], borders };
        // Both are asked for the same classes.
        let theirs = ForecastRow { borders, ..theirs.row(k) };
        let loss = |forecast| task.kind().mean_loss(market, row, horizon, forecast);
        if let (Some(ours), Some(theirs)) = (loss(ours), loss(theirs)) {
            ours_sum += ours;
            theirs_sum += theirs;
            n += 1;
        }
    }
    (n >= MIN_ORIGINS).then(|| Compared { ours: ours_sum / n as f64, theirs: theirs_sum / n as f64, n })
}
