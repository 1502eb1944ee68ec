//! `--plot`: curves and forecasts as SVG, PNG, or a page with the SVG in it.

mod axis;
mod canvas;
mod chart;
mod clip;
mod forecast;
mod past;
mod report;

use std::path::Path;

use candlecast_app::Trained;
use candlecast_app::predict::Predicted;
use candlecast_core::{Problem, Timestamp};
use candlecast_pipeline::Evaluation;

use axis::Axis;
use canvas::{ending, save};
use chart::{Chart, Curve, Line};

/// Refuses a file name that is no plot before the work begins.
pub(crate) fn check_path(path: Option<&Path>) -> Result<(), Problem> {
    match path.map(ending) {
        None => Ok(()),
        Some(e) if ["png", "svg", "html"].contains(&e.as_str()) => Ok(()),
        Some(_) => Err(Problem::usage("bad-plot", "plot", "end the plot's file name in .png, .svg or .html")),
    }
}

/// Where an instant lies on an axis of time: milliseconds since 1970, which a number holds exactly.
fn x(time: Timestamp) -> f64 {
    time.ms() as f64
}

/// What there is to see of the report, and the last forecasts of the first model that is no baseline.
pub(crate) fn evaluation(e: &Evaluation, path: &Path) -> Result<(), Problem> {
    let label = format!("{} {}", e.key.symbol, e.key.interval);
    let mut rows = report::rows(&e.report, &label, Some(&e.market));
    if let Some(m) = e.report.models.iter().find(|m| !m.baseline).or(e.report.models.first()) {
        rows.extend(past::forecasts(e, m).map(|chart| vec![chart]));
    }
    save(path, &label, &rows)
}

/// The training curve, where there is one, above what there is to see of the reports.
pub(crate) fn training(t: &Trained, path: &Path) -> Result<(), Problem> {
    let mut rows: Vec<Vec<Chart>> =
        t.models.iter().flat_map(|model| report::rows(&model.report, &model.manifest.id, None)).collect();
    let id = t.models.iter().map(|model| model.manifest.id.as_str()).collect::<Vec<_>>().join(", ");
    let points = |losses: &[f64]| losses.iter().enumerate().map(|(i, &l)| (i as f64 + 1.0, l)).collect::<Vec<_>>();
    if !t.fit.curve.train.is_empty() {
        let mut curves = vec![Curve::new("training", points(&t.fit.curve.train), Line::Solid(0))];
        if !t.fit.curve.valid.is_empty() {
            curves.push(Curve::new("validation", points(&t.fit.curve.valid), Line::Solid(1)));
        }
        let title = format!("{id}: loss by step (weights of step {} kept)", t.fit.steps);
        rows.insert(0, vec![Chart::new(title, Axis::Steps, "step", "loss", curves)]);
    }
    save(path, &id, &rows)
}

/// The forecast after the last candles, beside that of no change: prices with their interval, the borders of the
/// classes, or one volatility either way; and a fan, where quantiles were asked for.
pub(crate) fn forecast(p: &Predicted, path: &Path) -> Result<(), Problem> {
    let label = p.manifest.as_ref().map_or_else(|| p.label(), |manifest| manifest.id.clone());
    let chart = forecast::chart(&p.forecast, p.market.series(), &label);
    save(path, &label, &[vec![chart]])
}
