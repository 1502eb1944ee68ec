//! [`Chart`]: curves and bands on common axes.

use std::ops::Range;

use candlecast_app::text::count;
use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;

use super::axis::{Axis, Ticked};
use super::canvas::Drawn;
use super::clip::{self, Point};

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
/// What the reference is drawn in.
const GREY: RGBColor = RGBColor(110, 110, 110);
/// Dashes and the gaps between them, in pixels.
const DASH: (i32, i32) = (6, 4);
/// Charts narrower than this, in pixels, have smaller titles.
const NARROW: u32 = 800;

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// In the colour of this number.
    Solid(usize),
    /// Grey and dashed: what others are compared with.
    Reference,
}

impl Line {
    fn style(self) -> ShapeStyle {
        match self {
            Self::Solid(colour) => COLOURS[colour % COLOURS.len()].stroke_width(2),
            Self::Reference => GREY.stroke_width(1),
        }
    }
}

/// A curve with its name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve {
    /// In the legend.
    pub(super) name: String,
    /// By ascending x; those whose y is not finite are left out.
    pub(super) points: Vec<Point>,
    /// How it is drawn.
    pub(super) line: Line,
}

impl Curve {
    /// A curve through `points`.
    pub(super) fn new(name: impl Into<String>, points: Vec<Point>, line: Line) -> Self {
        Self { name: name.into(), points, line }
    }
}

/// The area between two curves.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Band {
    /// In the legend, if it is to be there.
    pub(super) name: Option<String>,
    /// `(x, low, high)` by ascending x; those that are not finite are left out.
    pub(super) points: Vec<(f64, f64, f64)>,
    /// What it is filled with.
    pub(super) colour: RGBColor,
    /// 0 to 1; bands above one another add up.
    pub(super) opacity: f64,
}

impl Band {
    /// Along its upper edge and back along the lower one.
    fn outline(&self) -> Vec<Point> {
        let finite = || self.points.iter().filter(|(_, low, high)| low.is_finite() && high.is_finite());
        let upper = finite().map(|&(x, _, high)| (x, high));
        upper.chain(finite().rev().map(|&(x, low, _)| (x, low))).collect()
    }
}

/// Curves on common axes, above bands and with a reference level.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chart {
    /// Above it.
    pub(super) title: String,
    /// What lies on the horizontal axis.
    pub(super) axis: Axis,
    /// Below the horizontal axis.
    pub(super) x_label: &'static str,
    /// Beside the vertical axis.
    pub(super) y_label: &'static str,
    /// The first one lowest.
    pub(super) curves: Vec<Curve>,
    /// Below the curves, the first one lowest.
    pub(super) bands: Vec<Band>,
    /// Height of a red line.
    pub(super) level: Option<f64>,
    /// True where the frame leaves out the half percent of values at either end, so that a few spikes do not press all
    /// others flat. How many lie beyond is told in the title.
    pub(super) clipped: bool,
}

impl Chart {
    /// Curves and nothing else.
    pub(super) fn new(
        title: String,
        axis: Axis,
        x_label: &'static str,
        y_label: &'static str,
        curves: Vec<Curve>,
    ) -> Self {
        Self { title, axis, x_label, y_label, curves, bands: vec![], level: None, clipped: false }
    }

    /// Every finite point of curves and bands.
    fn points(&self) -> Vec<Point> {
        let curves = self.curves.iter().flat_map(|curve| curve.points.iter().copied());
        let bands = self.bands.iter().flat_map(Band::outline);
        curves.chain(bands).filter(|p| p.1.is_finite()).collect()
    }

    /// What the frame reaches over, and how many values lie beyond.
    fn frame(&self) -> (Range<f64>, Range<f64>, usize) {
        let points = self.points();
        let (first, last) = points.iter().fold((f64::MAX, f64::MIN), |(a, b), p| (a.min(p.0), b.max(p.0)));
        let heights: Vec<f64> = points.iter().map(|p| p.1).collect();
        let whole = || heights.iter().fold((f64::MAX, f64::MIN), |(a, b), &y| (a.min(y), b.max(y)));
        let usual = if self.clipped { clip::usual(heights.clone()) } else { None };
        if points.is_empty() {
            return (0.0..1.0, 0.0..1.0, 0);
        }
        let (mut low, mut high) = usual.unwrap_or_else(whole);
        if let Some(level) = self.level {
            (low, high) = (low.min(level), high.max(level));
        }
        let pad = ((high - low) * 0.06).max(high.abs() * 1e-6).max(1e-9);
        let y = low - pad..high + pad;
        let beyond = heights.iter().filter(|&height| !y.contains(height)).count();
        // A single instant has some width, too.
        (first..last.max(first + (first.abs() * 1e-9).max(1e-9)), y, beyond)
    }

    /// Draws it over the whole of `area`.
    pub(super) fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn
    where
        B::ErrorType: 'static,
    {
        let (x, y, beyond) = self.frame();
        let width = area.dim_in_pixel().0;
        let title = match beyond {
            0 => self.title.clone(),
            n => format!("{} ({} beyond the frame)", self.title, count(n, "value")),
        };
        let ticks = self.axis.ticks(&x, (width / self.axis.room()) as usize);
        let format = self.axis.format(&ticks);
        let label = |x: &f64| format.text(*x);
        let ends = (x.start, x.end);
        let mut chart = ChartBuilder::on(area)
            .caption(title, ("sans-serif", if width < NARROW { 16 } else { 20 }))
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(80)
            .build_cartesian_2d(Ticked::new(x, ticks), y.clone())?;
        chart
            .configure_mesh()
            .x_desc(self.x_label)
            .y_desc(self.y_label)
            .light_line_style(WHITE)
            .x_label_formatter(&label)
            .draw()?;
        for band in &self.bands {
            let outline = clip::area(&band.outline(), &y);
            if outline.len() < 3 {
                continue;
            }
            let fill = band.colour.mix(band.opacity);
            let series = chart.draw_series(std::iter::once(Polygon::new(outline, fill)))?;
            if let Some(name) = &band.name {
                series.label(name).legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 18, y + 5)], fill.filled()));
            }
        }
        if let Some(level) = self.level {
            let across = vec![(ends.0, level), (ends.1, level)];
            chart.draw_series(std::iter::once(PathElement::new(across, RED.mix(0.6))))?;
        }
        for curve in &self.curves {
            let style = curve.line.style();
            let pieces = clip::line(&curve.points, &y).into_iter();
            let series = match curve.line {
                Line::Solid(_) => chart.draw_series(pieces.map(|piece| PathElement::new(piece, style)))?,
                Line::Reference => {
                    chart.draw_series(pieces.map(|piece| DashedPathElement::new(piece, DASH.0, DASH.1, style)))?
                }
            };
            series.label(&curve.name).legend(move |(x, y)| PathElement::new(vec![(x, y), (x + 18, y)], style));
        }
        let named = self.curves.len() + self.bands.iter().filter(|band| band.name.is_some()).count();
        if named > 1 {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<Point>) -> Chart {
        Chart::new("a".into(), Axis::Number, "x", "y", vec![Curve::new("a", points, Line::Solid(0))])
    }

    #[test]
    fn a_frame_holds_every_point_the_band_and_the_level() {
        let mut chart = chart(vec![(0.0, 1.0), (10.0, 2.0), (4.0, f64::NAN)]);
        let band = vec![(0.0, 0.0, 3.0), (10.0, f64::NAN, 99.0)];
        chart.bands = vec![Band { name: None, points: band, colour: GREY, opacity: 0.3 }];
        chart.level = Some(4.0);
        let (x, y, beyond) = chart.frame();
        assert_eq!((x, beyond), (0.0..10.0, 0));
        assert!(y.start < 0.0 && y.start > -0.5 && 4.0 < y.end && y.end < 4.5, "{y:?}");
    }

    #[test]
    fn spikes_do_not_press_the_others_flat() {
        let mut points: Vec<Point> = (0..600).map(|i| (f64::from(i), f64::from(i % 10))).collect();
        (points[100].1, points[300].1) = (1e9, -1e9);
        let mut chart = chart(points);
        let (_, whole, beyond) = chart.frame();
        assert!(whole.end > 1e9 && beyond == 0);
        chart.clipped = true;
        let (x, y, beyond) = chart.frame();
        assert_eq!((x, beyond), (0.0..599.0, 2));
        assert!(y.start > -1.0 && y.end < 10.0, "{y:?}");
    }

    #[test]
    fn one_point_and_none_have_a_frame() {
        let (x, y, _) = chart(vec![(1.7e12, 5.0)]).frame();
        assert!(x.start < x.end && y.start < 5.0 && 5.0 < y.end, "{x:?} {y:?}");
        assert_eq!(chart(vec![]).frame(), (0.0..1.0, 0.0..1.0, 0));
    }

    #[test]
    fn a_band_is_gone_round_once() {
        let points = vec![(0.0, 1.0, 2.0), (1.0, 1.5, 2.5)];
        let band = Band { name: None, points, colour: GREY, opacity: 0.3 };
        assert_eq!(band.outline(), [(0.0, 2.0), (1.0, 2.5), (1.0, 1.5), (0.0, 1.0)]);
    }
}
