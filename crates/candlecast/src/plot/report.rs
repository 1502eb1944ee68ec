//! What there is to see of a report, by task.

use candlecast_app::text::{count, share};
use candlecast_learn::{Market, ModelReport, Report, Task};

use super::axis::Axis;
use super::chart::{Chart, Curve, Line};
use super::past::{LAST_ORIGINS, volatility};
use super::x;

/// Charts of `report` in rows; `market` is where its origins lie, if that is known.
pub(super) fn rows(report: &Report, label: &str, market: Option<&Market>) -> Vec<Vec<Chart>> {
    match report.task {
        Task::Price { .. } => price(report, label),
        Task::Direction { .. } => vec![vec![reliability(report, label)]],
        Task::Volatility { .. } => {
            let mut rows = vec![vec![volatilities(report, label, market)]];
            rows.extend(places(report).map(|chart| vec![chart]));
            rows
        }
    }
}

/// Errors of all models; of those that were asked for, beside the reference, how their intervals and distributions fared
/// and how much of their forecasts was believed.
fn price(report: &Report, label: &str) -> Vec<Vec<Chart>> {
    let error = by_step(
        report,
        format!("{label}: mean absolute error by step"),
        "MAE, quote units",
        |_| true,
        |m, h| m.per_horizon[h].mae,
    );
    let (asked, compared) = (|m: &ModelReport| is_asked(report, m), |m: &ModelReport| is_compared(report, m));
    let title = format!("coverage of the {} interval by step (red: asked for)", share(report.level));
    let mut coverage = by_step(report, title, "share", compared, |m, h| m.per_horizon[h].coverage);
    coverage.level = Some(report.level);
    let title = "mean width of the interval by step".to_owned();
    let width = by_step(report, title, "log return", compared, |m, h| m.per_horizon[h].interval_width);
    let title = "mean factor on the forecast by step (0: no change)".to_owned();
    let factor = by_step(report, title, "factor", asked, |m, h| Some(m.per_horizon[h].factor));
    let last = places(report).into_iter().chain([factor]).collect();
    vec![vec![error], vec![coverage, width], last]
}

/// True of the models that were asked for; of all where these are baselines.
fn is_asked(report: &Report, model: &ModelReport) -> bool {
    !model.baseline || report.models.iter().all(|m| m.baseline)
}

/// The same, and of the reference.
fn is_compared(report: &Report, model: &ModelReport) -> bool {
    is_asked(report, model) || model.name == report.reference
}

/// How the model of place `k` is drawn, alike in every chart.
fn line_of(report: &Report, k: usize) -> Line {
    if report.models[k].name == report.reference { Line::Reference } else { Line::Solid(k) }
}

/// One curve for each model that is `shown`.
fn curves(
    report: &Report,
    shown: impl Fn(&ModelReport) -> bool,
    points: impl Fn(&ModelReport) -> Vec<(f64, f64)>,
) -> Vec<Curve> {
    let models = report.models.iter().enumerate().filter(|(_, m)| shown(m));
    models.map(|(k, m)| Curve::new(m.name.as_str(), points(m), line_of(report, k))).collect()
}

/// A value of each step.
fn by_step(
    report: &Report,
    title: String,
    y_label: &'static str,
    shown: impl Fn(&ModelReport) -> bool,
    value: impl Fn(&ModelReport, usize) -> Option<f64>,
) -> Chart {
    let points = |m: &ModelReport| {
        let at = |h: usize| value(m, h).map(|v| (m.per_horizon[h].step as f64, v));
        (0..m.per_horizon.len()).filter_map(at).collect::<Vec<_>>()
    };
    Chart::new(title, Axis::Steps, "steps ahead", y_label, curves(report, shown, points))
}

/// Where in their forecast distributions the outcomes lay (probability integral transform), as a density that is 1
/// everywhere where the distributions are right; `None` where nothing has one.
fn places(report: &Report) -> Option<Chart> {
    let of = |m: &ModelReport| density(&m.pit);
    let curves = curves(report, |m| is_compared(report, m) && !of(m).is_empty(), of);
    if curves.is_empty() {
        return None;
    }
    let title = "place of outcomes in the distribution (red: uniform)".to_owned();
    let mut chart = Chart::new(title, Axis::Number, "share of the distribution below (PIT)", "density", curves);
    chart.level = Some(1.0);
    Some(chart)
}

/// The steps of a histogram over 0 to 1 whose bins hold `counts`, with an area of 1; nothing without any.
fn density(counts: &[u32]) -> Vec<(f64, f64)> {
    let (n, sum) = (counts.len() as f64, counts.iter().map(|&c| f64::from(c)).sum::<f64>());
    if sum == 0.0 {
        return vec![];
    }
    let edges = |(k, &c): (usize, &u32)| {
        let height = n * f64::from(c) / sum;
        [(k as f64 / n, height), ((k + 1) as f64 / n, height)]
    };
    counts.iter().enumerate().flat_map(edges).collect()
}

/// How often forecasts of a confidence were right.
fn reliability(report: &Report, label: &str) -> Chart {
    let points = |m: &ModelReport| {
        m.reliability.table.iter().map(|&(confidence, right, _)| (confidence, right)).collect::<Vec<_>>()
    };
    let models = report.models.iter().enumerate();
    let mut curves: Vec<Curve> = models.map(|(k, m)| Curve::new(m.name.as_str(), points(m), Line::Solid(k))).collect();
    curves.push(Curve::new("as said", vec![(0.0, 0.0), (1.0, 1.0)], Line::Reference));
    let title = format!("{label}: share of right classes by confidence");
    Chart::new(title, Axis::Number, "confidence", "share right", curves)
}

/// Volatilities that the models forecast from the last origins.
fn volatilities(report: &Report, label: &str, market: Option<&Market>) -> Chart {
    let points = |m: &ModelReport| {
        let first = m.forecasts.rows.len().saturating_sub(LAST_ORIGINS);
        let at = |i: usize| match market {
            Some(market) => x(market.series().close_time(m.forecasts.rows[i] + report.horizon)),
            None => i as f64,
        };
        m.forecasts.means.iter().enumerate().skip(first).map(|(i, &mean)| (at(i), volatility(mean))).collect::<Vec<_>>()
    };
    let (axis, x_label) = match market {
        Some(_) => (Axis::Time, "close of the last candle that it is over, UTC"),
        None => (Axis::Steps, "origin"),
    };
    let title = format!("{label}: volatility forecast over {}", count(report.horizon, "step"));
    let mut chart = Chart::new(title, axis, x_label, "volatility", curves(report, |_| true, points));
    chart.clipped = true;
    chart
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_density_has_an_area_of_one_and_steps_at_the_edges_of_its_bins() {
        let steps = density(&[1, 3, 0, 0]);
        assert_eq!(steps[..4], [(0.0, 1.0), (0.25, 1.0), (0.25, 3.0), (0.5, 3.0)]);
        let area: f64 = steps.chunks(2).map(|bin| (bin[1].0 - bin[0].0) * bin[0].1).sum();
        assert_eq!((steps.len(), area), (8, 1.0));
        assert!(density(&[7; 20]).iter().all(|step| (step.1 - 1.0).abs() < 1e-12), "uniform");
        assert!(density(&[]).is_empty() && density(&[0; 20]).is_empty());
    }
}
