//! `--plot`: curves and forecasts as SVG, PNG, or a page with the SVG in it.

use candlecast_app::text::count;
use std::path::Path;
use std::sync::Once;

use candlecast_app::Trained;
use candlecast_app::predict::Predicted;
use candlecast_core::{Forecast, Outlook, Problem};
use candlecast_learn::{ModelReport, Report, Task};
use candlecast_pipeline::Evaluation;
use plotters::coord::Shift;
use plotters::prelude::*;

/// Colours that stay apart for colour-blind readers (Okabe and Ito).
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 0, 0),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
    RGBColor(120, 120, 120),
];
const SIZE: (u32, u32) = (1_200, 900);

type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Refuses a file name that is no plot before the work begins.
pub(crate) fn check_path(path: Option<&Path>) -> Result<(), Problem> {
    match path.map(ending) {
        None => Ok(()),
        Some(e) if ["png", "svg", "html"].contains(&e.as_str()) => Ok(()),
        Some(_) => Err(Problem::usage("bad-plot", "plot", "end the plot's file name in .png, .svg or .html")),
    }
}

fn ending(path: &Path) -> String {
    path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

/// Draws `paint` into `path` by its ending.
fn draw(path: &Path, title: &str, paint: &dyn Fn(&Canvas<'_, '_>) -> Drawn) -> Result<(), Problem> {
    static FONT: Once = Once::new();
    FONT.call_once(|| {
        // Without the font, text is left out; the curves are still right.
        let _ = plotters::style::register_font("sans-serif", FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
    });
    let failed = |e: String| Problem::data("plot-failed", format!("{}: {e}", path.display()));
    if ending(path) == "png" {
        let root = BitMapBackend::new(path, SIZE).into_drawing_area();
        return paint(&Canvas::Bitmap(&root))
            .and_then(|()| root.present().map_err(Into::into))
            .map_err(|e| failed(e.to_string()));
    }
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        paint(&Canvas::Svg(&root))
            .and_then(|()| root.present().map_err(Into::into))
            .map_err(|e| failed(e.to_string()))?;
    }
    let text = if ending(path) == "html" {
        format!(
            "<!doctype html><meta charset=\"utf-8\"><title>{title}</title><body style=\"margin:0;background:#fff\">{svg}</body>"
        )
    } else {
        svg
    };
    std::fs::write(path, text).map_err(|e| failed(e.to_string()))
}

enum Canvas<'a, 'b> {
    Bitmap(&'a DrawingArea<BitMapBackend<'b>, Shift>),
    Svg(&'a DrawingArea<SVGBackend<'b>, Shift>),
}

/// A curve with its name.
struct Curve {
    name: String,
    points: Vec<(f64, f64)>,
}

/// Curves on common axes, with an optional band and a reference level.
struct Chart {
    title: String,
    x_label: &'static str,
    y_label: &'static str,
    curves: Vec<Curve>,
    band: Vec<(f64, f64, f64)>,
    level: Option<f64>,
}

impl Chart {
    fn bounds(&self) -> (std::ops::Range<f64>, std::ops::Range<f64>) {
        let points = self.curves.iter().flat_map(|c| c.points.iter().copied());
        let band = self.band.iter().flat_map(|&(x, a, b)| [(x, a), (x, b)]);
        let (mut x, mut y) = ((f64::MAX, f64::MIN), (f64::MAX, f64::MIN));
        for (px, py) in points.chain(band).filter(|p| p.1.is_finite()) {
            x = (x.0.min(px), x.1.max(px));
            y = (y.0.min(py), y.1.max(py));
        }
        if let Some(level) = self.level {
            y = (y.0.min(level), y.1.max(level));
        }
        if x.0 > x.1 {
            return (0.0..1.0, 0.0..1.0);
        }
        let pad = ((y.1 - y.0) * 0.06).max(y.1.abs() * 1e-6).max(1e-9);
        (x.0..x.1.max(x.0 + 1e-9), y.0 - pad..y.1 + pad)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn
    where
        B::ErrorType: 'static,
    {
        let (x, y) = self.bounds();
        let ends = x.clone();
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, ("sans-serif", 22))
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(80)
            .build_cartesian_2d(x, y)?;
        chart.configure_mesh().x_desc(self.x_label).y_desc(self.y_label).light_line_style(WHITE).draw()?;
        if !self.band.is_empty() {
            let upper = self.band.iter().map(|b| (b.0, b.2));
            let lower = self.band.iter().rev().map(|b| (b.0, b.1));
            let polygon: Vec<(f64, f64)> = upper.chain(lower).collect();
            chart.draw_series(std::iter::once(Polygon::new(polygon, RGBColor(150, 150, 150).mix(0.35))))?;
        }
        if let Some(level) = self.level {
            chart.draw_series(std::iter::once(PathElement::new(
                vec![(ends.start, level), (ends.end, level)],
                RED.mix(0.6),
            )))?;
        }
        for (k, curve) in self.curves.iter().enumerate() {
            let colour = COLOURS[k % COLOURS.len()];
            chart
                .draw_series(LineSeries::new(
                    curve.points.iter().copied().filter(|p| p.1.is_finite()),
                    colour.stroke_width(2),
                ))?
                .label(&curve.name)
                .legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(2)));
        }
        if self.curves.len() > 1 {
            chart
                .configure_series_labels()
                .background_style(WHITE.mix(0.85))
                .border_style(RGBColor(180, 180, 180))
                .position(SeriesLabelPosition::UpperLeft)
                .draw()?;
        }
        Ok(())
    }
}

/// Draws `charts` one below the other.
fn stack(charts: &[Chart], canvas: &Canvas<'_, '_>) -> Drawn {
    fn on<B: DrawingBackend>(charts: &[Chart], area: &DrawingArea<B, Shift>) -> Drawn
    where
        B::ErrorType: 'static,
    {
        area.fill(&WHITE)?;
        for (chart, part) in charts.iter().zip(area.split_evenly((charts.len(), 1))) {
            chart.draw(&part)?;
        }
        Ok(())
    }
    match canvas {
        Canvas::Bitmap(area) => on(charts, area),
        Canvas::Svg(area) => on(charts, area),
    }
}

fn by_step(
    report: &Report,
    title: &str,
    y_label: &'static str,
    value: impl Fn(&ModelReport, usize) -> Option<f64>,
) -> Chart {
    let curves = report
        .models
        .iter()
        .map(|m| Curve {
            name: m.name.clone(),
            points: (0..m.per_horizon.len())
                .filter_map(|h| value(m, h).map(|v| (m.per_horizon[h].step as f64, v)))
                .collect(),
        })
        .collect();
    Chart { title: title.into(), x_label: "steps ahead", y_label, curves, band: vec![], level: None }
}

/// What there is to see of a report, by task.
fn report_charts(report: &Report, label: &str) -> Vec<Chart> {
    match report.task {
        Task::Price { .. } => price_charts(report, label),
        Task::Direction { .. } => vec![reliability_chart(report, label)],
        Task::Volatility { .. } => vec![volatility_chart(report, label)],
    }
}

/// Errors and coverage by step.
fn price_charts(report: &Report, label: &str) -> Vec<Chart> {
    let error = by_step(report, &format!("{label}: mean absolute error by step"), "MAE, quote units", |m, h| {
        m.per_horizon[h].mae
    });
    let mut coverage =
        by_step(report, "coverage of the interval by step (red: asked for)", "share", |m, h| m.per_horizon[h].coverage);
    coverage.level = Some(report.level);
    vec![error, coverage]
}

/// How often forecasts of a confidence were right.
fn reliability_chart(report: &Report, label: &str) -> Chart {
    let curve = |m: &ModelReport| Curve {
        name: m.name.clone(),
        points: m.reliability.table.iter().map(|&(confidence, right, _)| (confidence, right)).collect(),
    };
    let mut curves: Vec<Curve> = report.models.iter().map(curve).collect();
    curves.push(Curve { name: "as said".into(), points: vec![(0.0, 0.0), (1.0, 1.0)] });
    Chart {
        title: format!("{label}: share of right classes by confidence"),
        x_label: "confidence",
        y_label: "share right",
        curves,
        band: vec![],
        level: None,
    }
}

/// Volatilities that the models forecast from the last origins.
fn volatility_chart(report: &Report, label: &str) -> Chart {
    let curve = |m: &ModelReport| {
        let first = m.forecasts.rows.len().saturating_sub(LAST_ORIGINS);
        let points = m.forecasts.means.iter().enumerate().skip(first);
        Curve { name: m.name.clone(), points: points.map(|(i, &mean)| (i as f64, volatility(mean))).collect() }
    };
    Chart {
        title: format!("{label}: volatility forecast over {}", count(report.horizon, "step")),
        x_label: "origin",
        y_label: "volatility",
        curves: report.models.iter().map(curve).collect(),
        band: vec![],
        level: None,
    }
}

/// Origins that charts over time show, at most.
const LAST_ORIGINS: usize = 500;

/// Of a log variance.
fn volatility(log_variance: f64) -> f64 {
    (0.5 * log_variance).exp()
}

/// What there is to see of the report, and the last forecasts of the first model that is no baseline.
pub(crate) fn evaluation(e: &Evaluation, path: &Path) -> Result<(), Problem> {
    let label = format!("{} {}", e.key.symbol, e.key.interval);
    let mut charts = report_charts(&e.report, &label);
    if let Some(m) = e.report.models.iter().find(|m| !m.baseline).or(e.report.models.first()) {
        charts.extend(past_forecasts(e, m));
    }
    draw(path, &label, &|canvas| stack(&charts, canvas))
}

/// What was forecast over the horizon against what happened; of classes nothing.
fn past_forecasts(e: &Evaluation, m: &ModelReport) -> Option<Chart> {
    let (horizon, n) = (e.report.horizon, m.forecasts.rows.len());
    let first = n.saturating_sub(LAST_ORIGINS);
    let (mut actual, mut forecast, mut band) = (vec![], vec![], vec![]);
    for i in first..n {
        let (row, x) = (m.forecasts.rows[i], i as f64);
        let [real, said, low, high] = outcome(e, m, i, row)?;
        actual.push((x, real));
        forecast.push((x, said));
        band.push((x, low, high));
    }
    let what = if e.report.task.id() == "price" { "price" } else { "volatility" };
    let over = if what == "price" { "after" } else { "over" };
    Some(Chart {
        title: format!(
            "{}: {what} {over} {} from each of the last {} origins",
            m.name,
            count(horizon, "step"),
            n - first
        ),
        x_label: "origin",
        y_label: what,
        curves: vec![
            Curve { name: what.into(), points: actual },
            Curve { name: format!("{} forecast", m.name), points: forecast },
        ],
        band,
        level: None,
    })
}

/// What came true of forecast `i` from `row`, what was said, and its interval.
fn outcome(e: &Evaluation, m: &ModelReport, i: usize, row: usize) -> Option<[f64; 4]> {
    let close = &e.market.series().columns().close;
    let horizon = e.report.horizon;
    let around = |at: usize, value: &dyn Fn(f64) -> f64| {
        let told = m.forecasts.calibrated[at];
        [value(told.mean), value(told.lower), value(told.upper)]
    };
    match e.report.task {
        Task::Price { .. } => {
            let [said, low, high] = around(i * horizon + horizon - 1, &|r| close[row] * r.exp());
            Some([close[row + horizon], said, low, high])
        }
        Task::Volatility { .. } => {
            let [said, low, high] = around(i, &volatility);
            let squares = close[row..=row + horizon].windows(2).map(|w| (w[1] / w[0]).ln().powi(2));
            Some([squares.sum::<f64>().sqrt(), said, low, high])
        }
        Task::Direction { .. } => None,
    }
}

/// The training curve, where there is one, above errors and coverage.
pub(crate) fn training(t: &Trained, path: &Path) -> Result<(), Problem> {
    let mut charts: Vec<Chart> =
        t.models.iter().flat_map(|model| report_charts(&model.report, &model.manifest.id)).collect();
    let id = t.models.iter().map(|model| model.manifest.id.as_str()).collect::<Vec<_>>().join(", ");
    let points = |losses: &[f64]| losses.iter().enumerate().map(|(i, &l)| (i as f64 + 1.0, l)).collect::<Vec<_>>();
    if !t.fit.curve.train.is_empty() {
        let mut curves = vec![Curve { name: "training".into(), points: points(&t.fit.curve.train) }];
        if !t.fit.curve.valid.is_empty() {
            curves.push(Curve { name: "validation".into(), points: points(&t.fit.curve.valid) });
        }
        let title = format!("{id}: loss by step (weights of step {} kept)", t.fit.steps);
        charts.insert(0, Chart { title, x_label: "step", y_label: "loss", curves, band: vec![], level: None });
    }
    draw(path, &id, &|canvas| stack(&charts, canvas))
}

/// The forecast after the last candles: prices with their interval, the borders of the classes, or one volatility either
/// way.
pub(crate) fn forecast(p: &Predicted, path: &Path) -> Result<(), Problem> {
    let f = &p.forecast;
    let close = &p.market.series().columns().close;
    let first = close.len().saturating_sub(4 * f.reach().max(24));
    let now = close.len() as f64 - 1.0;
    let past: Vec<(f64, f64)> = (first..close.len()).map(|i| (i as f64 - now, close[i])).collect();
    let (ahead, band) = after(f);
    let mut curves = vec![Curve { name: "price".into(), points: past }];
    curves.extend(ahead.into_iter().map(|(name, points)| Curve { name, points }));
    let chart = Chart {
        title: format!("{} {} by {}, origin {}, {}", f.key.symbol, f.key.interval, p.manifest.id, f.origin, legend(f)),
        x_label: "candles from the origin",
        y_label: "price",
        curves,
        band,
        level: None,
    };
    draw(path, &p.manifest.id, &|canvas| stack(std::slice::from_ref(&chart), canvas))
}

fn legend(f: &Forecast) -> String {
    match &f.outlook {
        Outlook::Price(_) => format!("{:.0} % interval", 100.0 * f.level),
        Outlook::Direction(d) => format!("{} {:.0} %", d.action, 100.0 * d.probabilities[d.action as usize]),
        Outlook::Volatility(v) => format!("volatility {:.3} %, drawn either way", 100.0 * v.volatility),
    }
}

/// Named curves and a band `(x, low, high)` after the origin.
type After = (Vec<(String, Vec<(f64, f64)>)>, Vec<(f64, f64, f64)>);

fn after(f: &Forecast) -> After {
    let start = (0.0, f.origin_price);
    match &f.outlook {
        Outlook::Price(steps) => {
            let ahead = std::iter::once(start).chain(steps.iter().map(|s| (s.step as f64, s.price))).collect();
            let band = std::iter::once((0.0, f.origin_price, f.origin_price));
            let band = band.chain(steps.iter().map(|s| (s.step as f64, s.lower, s.upper))).collect();
            (vec![("forecast".into(), ahead)], band)
        }
        Outlook::Direction(d) => {
            let line = |name: &str, price: f64| (name.to_owned(), vec![(0.0, price), (d.step as f64, price)]);
            (vec![line("SELL at or below", d.sell_at), line("BUY at or above", d.buy_at)], vec![])
        }
        Outlook::Volatility(v) => {
            let band = (0..=v.step).map(|step| {
                let size = v.volatility * (step as f64 / v.step.max(1) as f64).sqrt();
                (step as f64, f.origin_price * (-size).exp(), f.origin_price * size.exp())
            });
            (vec![], band.collect())
        }
    }
}
