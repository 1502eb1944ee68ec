//! What of curves and bands lies within the frame. Nothing is drawn outside of it, so what is beyond has to be cut off.

use std::ops::Range;

/// A place in a chart.
pub(super) type Point = (f64, f64);

/// Share of values at either end that a frame may leave out.
const RARE: f64 = 0.005;

/// From the 0.5 % to the 99.5 % percentile of `values`, which are finite; of fewer than 200 from the least to the
/// greatest. `None` without any.
pub(super) fn usual(mut values: Vec<f64>) -> Option<(f64, f64)> {
    values.sort_by(f64::total_cmp);
    let rare = (RARE * values.len() as f64) as usize;
    let greatest = values.len().checked_sub(rare + 1)?;
    Some((values[rare], values[greatest]))
}

/// The parts of the line through `points` within the heights `y`. Points that are not finite are left out.
pub(super) fn line(points: &[Point], y: &Range<f64>) -> Vec<Vec<Point>> {
    let finite: Vec<Point> = points.iter().copied().filter(|p| p.1.is_finite()).collect();
    let (mut pieces, mut open) = (Vec::new(), Vec::<Point>::new());
    for pair in finite.windows(2) {
        let within = within(pair[0], pair[1], y);
        if within.is_none_or(|(from, _)| open.last() != Some(&from)) && !open.is_empty() {
            pieces.push(std::mem::take(&mut open));
        }
        if let Some((from, to)) = within {
            if open.is_empty() {
                open.push(from);
            }
            open.push(to);
        }
    }
    if !open.is_empty() {
        pieces.push(open);
    }
    pieces
}

/// The part of the line from `a` to `b` within the heights `y`.
fn within(a: Point, b: Point, y: &Range<f64>) -> Option<(Point, Point)> {
    let rise = b.1 - a.1;
    if rise == 0.0 {
        return (y.start <= a.1 && a.1 <= y.end).then_some((a, b));
    }
    let crossings = ((y.start - a.1) / rise, (y.end - a.1) / rise);
    let from = crossings.0.min(crossings.1).max(0.0);
    let to = crossings.0.max(crossings.1).min(1.0);
    let at = |share: f64| (a.0 + share * (b.0 - a.0), a.1 + share * rise);
    let first = if from == 0.0 { a } else { at(from) };
    let last = if to == 1.0 { b } else { at(to) };
    (from < to).then_some((first, last))
}

/// The part of the area that `outline` goes round within the heights `y` (Sutherland and Hodgman 1974).
pub(super) fn area(outline: &[Point], y: &Range<f64>) -> Vec<Point> {
    let below = half(outline, |p| y.end - p.1);
    half(&below, |p| p.1 - y.start)
}

/// The part of an area where `depth` is at least 0.
fn half(outline: &[Point], depth: impl Fn(Point) -> f64) -> Vec<Point> {
    let mut kept = Vec::with_capacity(outline.len());
    let Some(&last) = outline.last() else { return kept };
    let mut previous = last;
    for &point in outline {
        let (a, b) = (depth(previous), depth(point));
        if (a < 0.0) != (b < 0.0) {
            let share = a / (a - b);
            kept.push((previous.0 + share * (point.0 - previous.0), previous.1 + share * (point.1 - previous.1)));
        }
        if b >= 0.0 {
            kept.push(point);
        }
        previous = point;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_values_are_those_between_the_outer_half_percents() {
        assert_eq!(usual(vec![]), None);
        assert_eq!(usual(vec![3.0]), Some((3.0, 3.0)));
        assert_eq!(usual((0..199).map(f64::from).collect()), Some((0.0, 198.0)));
        let mut values: Vec<f64> = (0..1_000).map(f64::from).collect();
        assert_eq!(usual(values.clone()), Some((5.0, 994.0)));
        values[7] = 1e12;
        assert_eq!(usual(values).unwrap().1, 995.0, "a spike moves the frame by a value");
    }

    #[test]
    fn a_line_that_leaves_the_frame_and_comes_back_is_in_two_pieces() {
        let points = [(0.0, 0.0), (1.0, 1.0), (2.0, 4.0), (3.0, 0.0), (4.0, f64::NAN), (5.0, 1.0)];
        let pieces = line(&points, &(0.0..2.0));
        assert_eq!(pieces.len(), 2);
        assert_eq!(pieces[0][..2], [(0.0, 0.0), (1.0, 1.0)]);
        let (out, back) = (pieces[0][2], pieces[1][0]);
        assert!((out.0 - 4.0 / 3.0).abs() < 1e-12 && (out.1 - 2.0).abs() < 1e-12, "{out:?}");
        assert!((back.0 - 2.5).abs() < 1e-12 && (back.1 - 2.0).abs() < 1e-12, "{back:?}");
        assert_eq!(pieces[1][1..], [(3.0, 0.0), (5.0, 1.0)], "the undefined point is passed over");
    }

    #[test]
    fn what_is_within_stays_and_what_is_beyond_goes() {
        let points = [(0.0, 0.5), (1.0, 0.5), (2.0, 1.0)];
        assert_eq!(line(&points, &(0.0..1.0)), [points.to_vec()]);
        assert!(line(&points, &(2.0..3.0)).is_empty());
        assert!(line(&points[..1], &(0.0..1.0)).is_empty() && line(&[], &(0.0..1.0)).is_empty());
        // Through the whole frame in one stride.
        let through = line(&[(0.0, -1.0), (1.0, 3.0)], &(0.0..1.0));
        assert_eq!(through, [vec![(0.25, 0.0), (0.5, 1.0)]]);
    }

    #[test]
    fn areas_keep_their_size_within_the_frame() {
        let size = |outline: &[Point]| {
            let next = outline.iter().cycle().skip(1);
            let sum: f64 = outline.iter().zip(next).map(|(a, b)| a.0 * b.1 - b.0 * a.1).sum();
            0.5 * sum.abs()
        };
        let square = [(0.0, 0.0), (4.0, 0.0), (4.0, 4.0), (0.0, 4.0)];
        assert_eq!(size(&area(&square, &(-1.0..5.0))), 16.0);
        assert_eq!(size(&area(&square, &(1.0..3.0))), 8.0);
        let peak = [(0.0, 0.0), (2.0, 0.0), (1.0, 2.0)];
        assert!((size(&area(&peak, &(0.0..1.0))) - 1.5).abs() < 1e-12);
        assert!(area(&square, &(9.0..10.0)).is_empty() && area(&[], &(0.0..1.0)).is_empty());
    }
}
