//! Forecasts of an evaluation against what happened.

use candlecast_app::text::{count, share};
use candlecast_learn::{ModelReport, Task};
use candlecast_pipeline::Evaluation;
use plotters::prelude::RGBColor;

use super::axis::Axis;
use super::chart::{Band, Chart, Curve, Line};
use super::x;

/// Origins that charts over time show, at most.
pub(super) const LAST_ORIGINS: usize = 500;

/// Of a log variance.
pub(super) fn volatility(log_variance: f64) -> f64 {
    (0.5 * log_variance).exp()
}

/// What was forecast over the horizon against what happened and what the reference said, at the close of the last candle
/// of each horizon; of classes nothing.
pub(super) fn forecasts(e: &Evaluation, m: &ModelReport) -> Option<Chart> {
    let (horizon, n) = (e.report.horizon, m.forecasts.rows.len());
    let first = n.saturating_sub(LAST_ORIGINS);
    let reference = e.report.models.iter().find(|r| r.name == e.report.reference && r.name != m.name);
    let (mut actual, mut forecast, mut plain, mut band) = (vec![], vec![], vec![], vec![]);
    for (i, &row) in m.forecasts.rows.iter().enumerate().skip(first) {
        let at = x(e.market.series().close_time(row + horizon));
        let [said, low, high] = told(e, m, i, row)?;
        actual.push((at, came_true(e, row)));
        forecast.push((at, said));
        band.push((at, low, high));
        if let Some(r) = reference.filter(|r| r.forecasts.rows.get(i) == Some(&row)) {
            plain.extend(told(e, r, i, row).map(|[said, ..]| (at, said)));
        }
    }
    let is_price = matches!(e.report.task, Task::Price { .. });
    let (what, over) = if is_price { ("price", "after") } else { ("volatility", "over") };
    let mut curves = Vec::new();
    if let Some(r) = reference {
        let name = if is_price { format!("{} (the price at the origin)", r.name) } else { r.name.clone() };
        curves.push(Curve::new(name, plain, Line::Reference));
    }
    curves.push(Curve::new(what, actual, Line::Solid(0)));
    curves.push(Curve::new(format!("{} forecast", m.name), forecast, Line::Solid(4)));
    let steps = count(horizon, "step");
    let title = format!("{}: {what} {over} {steps} from each of the last {} origins", m.name, n - first);
    let name = Some(format!("{} interval", share(e.report.level)));
    let mut chart = Chart::new(title, Axis::Time, "close of the target candle, UTC", what, curves);
    chart.bands = vec![Band { name, points: band, colour: RGBColor(150, 150, 150), opacity: 0.35 }];
    chart.clipped = true;
    Some(chart)
}

/// What came true of a forecast of prices or volatilities from `row`: the price at the horizon, or the root of the sum of
/// the squared log returns up to it.
fn came_true(e: &Evaluation, row: usize) -> f64 {
    let (close, horizon) = (&e.market.series().columns().close, e.report.horizon);
    if matches!(e.report.task, Task::Price { .. }) {
        return close[row + horizon];
    }
    close[row..=row + horizon].windows(2).map(|w| (w[1] / w[0]).ln().powi(2)).sum::<f64>().sqrt()
}

/// What was said by forecast `i`, which is from `row`, of the horizon, and its interval.
fn told(e: &Evaluation, m: &ModelReport, i: usize, row: usize) -> Option<[f64; 3]> {
    let horizon = e.report.horizon;
    let at = match e.report.task {
        Task::Price { .. } => i * horizon + horizon - 1,
        Task::Volatility { .. } => i,
        Task::Direction { .. } => return None,
    };
    let (kind, price) = (e.report.task.kind(), e.market.series().columns().close[row]);
    let calibrated = m.forecasts.calibrated[at];
    Some([calibrated.mean, calibrated.lower, calibrated.upper].map(|value| kind.told(price, value)))
}
