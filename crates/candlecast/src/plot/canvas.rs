//! [`save`]: charts into a file.

use std::path::Path;
use std::sync::Once;

use candlecast_core::Problem;
use plotters::coord::Shift;
use plotters::prelude::*;

use super::chart::Chart;

/// Width of a picture, in pixels.
const WIDTH: u32 = 1_200;
/// Height of a row of charts, and least height of a picture.
const ROW: u32 = 340;
const LEAST: u32 = 700;

/// How drawing went; errors of the backends are of no common type.
pub(super) type Drawn = Result<(), Box<dyn std::error::Error>>;

/// What a file name ends in, in small letters.
pub(super) fn ending(path: &Path) -> String {
    path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

/// Draws `rows` of charts one below the other into `path`, by its ending.
pub(super) fn save(path: &Path, title: &str, rows: &[Vec<Chart>]) -> Result<(), Problem> {
    let failed = |e: String| Problem::data("plot-failed", format!("{}: {e}", path.display()));
    let size = (WIDTH, LEAST.max(ROW * u32::try_from(rows.len()).unwrap_or(1)));
    if ending(path) == "png" {
        register_font();
        let root = BitMapBackend::new(path, size).into_drawing_area();
        return stack(rows, &root).and_then(|()| root.present().map_err(Into::into)).map_err(|e| failed(e.to_string()));
    }
    let svg = svg(rows, size).map_err(|e| failed(e.to_string()))?;
    let text = if ending(path) == "html" {
        format!(
            "<!doctype html><meta charset=\"utf-8\"><title>{title}</title><body style=\"margin:0;background:#fff\">{svg}</body>"
        )
    } else {
        svg
    };
    std::fs::write(path, text).map_err(|e| failed(e.to_string()))
}

/// The picture as SVG.
fn svg(rows: &[Vec<Chart>], size: (u32, u32)) -> Result<String, Box<dyn std::error::Error>> {
    register_font();
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        stack(rows, &root)?;
        root.present()?;
    }
    Ok(svg)
}

fn register_font() {
    static FONT: Once = Once::new();
    FONT.call_once(|| {
        // Without the font, text is left out; the curves are still right.
        let _ = plotters::style::register_font("sans-serif", FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
    });
}

/// Draws `rows` one below the other, the charts of a row side by side.
fn stack<B: DrawingBackend>(rows: &[Vec<Chart>], area: &DrawingArea<B, Shift>) -> Drawn
where
    B::ErrorType: 'static,
{
    area.fill(&WHITE)?;
    for (row, strip) in rows.iter().zip(area.split_evenly((rows.len(), 1))) {
        for (chart, part) in row.iter().zip(strip.split_evenly((1, row.len()))) {
            chart.draw(&part)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plot::axis::Axis;
    use crate::plot::chart::{Band, Curve, Line};

    const HOUR: f64 = 3_600_000.0;
    /// 2024-01-01T00:00:00Z.
    const START: f64 = 1_704_067_200_000.0;

    /// Two days of a price that rises by the hour, with a spike.
    fn over_time() -> Chart {
        let price = |i: u32| if i == 20 { 1e6 } else { 100.0 + f64::from(i) };
        let points: Vec<(f64, f64)> = (0..400).map(|i| (START + HOUR * f64::from(i), price(i))).collect();
        let band = Band {
            name: Some("90 % interval".into()),
            points: points.iter().map(|&(x, y)| (x, y - 2.0, y + 2.0)).collect(),
            colour: RGBColor(150, 150, 150),
            opacity: 0.35,
        };
        let naive = Curve::new("naive", points.iter().map(|p| (p.0, 100.0)).collect(), Line::Reference);
        let curves = vec![Curve::new("price", points, Line::Solid(0)), naive];
        let mut chart = Chart::new("a price".into(), Axis::Time, "close of the candle, UTC", "price", curves);
        (chart.bands, chart.clipped) = (vec![band], true);
        chart
    }

    fn by_step() -> Chart {
        let curve = Curve::new("model", (1..=24).map(|h| (f64::from(h), 0.9)).collect(), Line::Solid(4));
        let mut chart = Chart::new("coverage".into(), Axis::Steps, "steps ahead", "share", vec![curve]);
        chart.level = Some(0.9);
        chart
    }

    #[test]
    fn a_picture_has_dates_names_and_what_was_left_out() {
        let picture = svg(&[vec![over_time()], vec![by_step(), by_step()]], (WIDTH, 700)).unwrap();
        for words in ["2024-01-08", "close of the candle, UTC", "90 % interval", "naive", "3 values beyond the frame"] {
            assert!(picture.contains(words), "no `{words}`");
        }
        assert_eq!(picture.matches("coverage").count(), 2, "two charts in a row");
        assert!(picture.contains("<polygon") && picture.contains("#FF0000"), "the band and the level");
    }

    #[test]
    fn every_ending_gives_its_kind_of_file() {
        let folder = tempfile::tempdir().unwrap();
        for (name, begins) in [("a.svg", &b"<svg"[..]), ("a.html", &b"<!doctype html>"[..]), ("a.png", &b"\x89PNG"[..])]
        {
            let path = folder.path().join(name);
            save(&path, "a", &[vec![over_time()]]).unwrap();
            assert!(std::fs::read(&path).unwrap().starts_with(begins), "{name}");
        }
    }

    #[test]
    fn a_chart_without_a_point_is_drawn_empty() {
        let nothing = Chart::new("nothing".into(), Axis::Time, "time", "price", vec![]);
        let undefined = Curve::new("none", vec![(START, f64::NAN)], Line::Solid(0));
        let undefined = Chart::new("undefined".into(), Axis::Number, "x", "y", vec![undefined]);
        assert!(svg(&[vec![nothing], vec![undefined]], (WIDTH, 700)).unwrap().contains("undefined"));
    }
}
