//! [`Axis`]: where a horizontal axis is labelled, and how.

use std::ops::Range;

use candlecast_app::text::day;
use candlecast_core::Timestamp;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Distances of labels on an axis of time below a month.
const TIMES: [i64; 14] = [
    MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    14 * DAY,
];
/// A Monday, from which the distances are counted.
const MONDAY: i64 = 4 * DAY;
/// Months between labels beyond.
const MONTHS: [i32; 9] = [1, 2, 3, 6, 12, 24, 60, 120, 240];

/// What lies on a horizontal axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axis {
    /// Any number.
    Number,
    /// Steps, origins or other things that are counted.
    Steps,
    /// Instants, in milliseconds since 1970, labelled in UTC.
    Time,
}

/// How labels of an axis are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// With so many decimals.
    Decimals(usize),
    /// `2024-01-31`.
    Date,
    /// `2024-01-31 06:00`.
    Minute,
}

impl Axis {
    /// Pixels that a label takes.
    pub(super) fn room(self) -> u32 {
        match self {
            Self::Number | Self::Steps => 75,
            Self::Time => 140,
        }
    }

    /// Where within `x` it is labelled: at most at `most` places, at round numbers or times.
    pub(super) fn ticks(self, x: &Range<f64>, most: usize) -> Vec<f64> {
        match self {
            Self::Number => numbers(x, most.max(1), 0.0),
            Self::Steps => numbers(x, most.max(1), 1.0),
            Self::Time => times(x, most.max(1)),
        }
    }

    /// How the labels at `ticks` are written, so that no two are alike.
    pub(super) fn format(self, ticks: &[f64]) -> Format {
        let spacing = match ticks {
            [first, second, ..] => second - first,
            _ => 1.0,
        };
        match self {
            // The logarithm of a tenth may come out just below -1.
            Self::Number => Format::Decimals((-(spacing.log10() + 1e-9).floor()).clamp(0.0, 9.0) as usize),
            Self::Steps => Format::Decimals(0),
            Self::Time if ticks.iter().all(|&t| (t as i64).rem_euclid(DAY) == 0) => Format::Date,
            Self::Time => Format::Minute,
        }
    }
}

impl Format {
    /// The label at `x`.
    pub(super) fn text(self, x: f64) -> String {
        let minute = || day(Timestamp(x as i64));
        match self {
            Self::Decimals(decimals) => format!("{x:.decimals$}"),
            Self::Date => minute().chars().take(10).collect(),
            Self::Minute => minute(),
        }
    }
}

/// Multiples of 1, 2 or 5 times a power of ten, and of no less than `least`.
fn numbers(x: &Range<f64>, most: usize, least: f64) -> Vec<f64> {
    let width = x.end - x.start;
    if !width.is_finite() || width <= 0.0 {
        return vec![x.start];
    }
    let power = 10_f64.powf((width / most as f64).log10().floor());
    let within = |spacing: f64| ((x.start / spacing - 1e-9).ceil(), (x.end / spacing + 1e-9).floor());
    let fits = |&spacing: &f64| {
        let (first, last) = within(spacing);
        spacing >= least && last - first < most as f64
    };
    let spacing =
        [1.0, 2.0, 5.0, 10.0, 20.0, 50.0].map(|k| k * power).into_iter().find(fits).unwrap_or(least.max(power));
    let (first, last) = within(spacing);
    // Adding 0 makes a zero of -0.
    (0..=(last - first).max(-1.0) as i64).map(|k| (first + k as f64) * spacing + 0.0).filter(|t| *t <= x.end).collect()
}

/// Round times, the closest together of which there are at most `most`.
fn times(x: &Range<f64>, most: usize) -> Vec<f64> {
    let (from, to) = (x.start.ceil() as i64, x.end.floor() as i64);
    let first = |spacing: i64| from.saturating_add((MONDAY - from).rem_euclid(spacing));
    let fits = |&spacing: &i64| (to - first(spacing)).div_euclid(spacing) < most as i64;
    if let Some(spacing) = TIMES.into_iter().find(fits) {
        return (0..most as i64).map(|k| first(spacing) + k * spacing).filter(|t| *t <= to).map(|t| t as f64).collect();
    }
    let mut starts = MONTHS.into_iter().map(|months| month_starts(months, from, to));
    starts.find(|ticks| ticks.len() <= most).unwrap_or_default()
}

/// First instants of every `months`-th month from `from` to `to`, Januaries among them.
fn month_starts(months: i32, from: i64, to: i64) -> Vec<f64> {
    let years = Timestamp(from).year()..=Timestamp(to).year();
    let all = years.flat_map(|year| (0..12).map(move |month| (year, month)));
    all.filter(|(year, month)| (12 * year + month) % months == 0)
        .filter_map(|(year, month)| Timestamp::parse(&format!("{year:04}-{:02}-01", month + 1)).ok())
        .map(Timestamp::ms)
        .filter(|t| (from..=to).contains(t))
        .map(|t| t as f64)
        .collect()
}

/// The coordinate of a horizontal axis that is labelled at given places.
pub(super) struct Ticked {
    scale: RangedCoordf64,
    ticks: Vec<f64>,
}

impl Ticked {
    /// Over `x`, labelled at `ticks`.
    pub(super) fn new(x: Range<f64>, ticks: Vec<f64>) -> Self {
        Self { scale: x.into(), ticks }
    }
}

impl Ranged for Ticked {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.scale.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // There are no finer lines between the labelled ones.
        if hint.weight().allow_light_points() { vec![] } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.scale.range()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> f64 {
        Timestamp::parse(text).unwrap().ms() as f64
    }

    fn labels(axis: Axis, x: Range<f64>, most: usize) -> Vec<String> {
        let ticks = axis.ticks(&x, most);
        assert!(ticks.len() <= most && ticks.iter().all(|t| x.start <= *t && *t <= x.end), "{ticks:?}");
        assert!(ticks.windows(2).all(|w| w[0] < w[1]), "{ticks:?}");
        let format = axis.format(&ticks);
        ticks.into_iter().map(|t| format.text(t)).collect()
    }

    #[test]
    fn numbers_are_round_and_have_the_decimals_they_need() {
        assert_eq!(labels(Axis::Number, 0.0..1.0, 6), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(Axis::Number, 0.0..1.0, 11).len(), 11);
        assert_eq!(labels(Axis::Number, -0.06..0.05, 4), ["-0.05", "0.00", "0.05"]);
        assert_eq!(labels(Axis::Number, 40_000.0..61_000.0, 3), ["40000", "50000", "60000"]);
    }

    #[test]
    fn steps_are_whole() {
        assert_eq!(
            labels(Axis::Steps, 1.0..24.0, 12),
            ["2", "4", "6", "8", "10", "12", "14", "16", "18", "20", "22", "24"]
        );
        assert_eq!(labels(Axis::Steps, 1.0..3.0, 12), ["1", "2", "3"]);
        assert_eq!(labels(Axis::Steps, 1.0..1.000_001, 12), ["1"]);
        assert_eq!(labels(Axis::Steps, 1.0..288.0, 8), ["50", "100", "150", "200", "250"]);
    }

    #[test]
    fn times_are_dates_or_hours_by_how_far_they_reach() {
        let hours = labels(Axis::Time, time("2024-01-01T20:30:00Z")..time("2024-01-02T13:00:00Z"), 6);
        assert_eq!(
            hours,
            [
                "2024-01-01 21:00",
                "2024-01-02 00:00",
                "2024-01-02 03:00",
                "2024-01-02 06:00",
                "2024-01-02 09:00",
                "2024-01-02 12:00"
            ]
        );
        let days = labels(Axis::Time, time("2024-02-27T05:00:00Z")..time("2024-03-02T05:00:00Z"), 7);
        assert_eq!(days, ["2024-02-28", "2024-02-29", "2024-03-01", "2024-03-02"]);
        let weeks = labels(Axis::Time, time("2024-01-01")..time("2024-02-12"), 7);
        assert_eq!(weeks[..3], ["2024-01-01", "2024-01-08", "2024-01-15"], "Mondays");
        let months = labels(Axis::Time, time("2023-11-20")..time("2025-01-31"), 8);
        assert_eq!(
            months,
            ["2024-01-01", "2024-03-01", "2024-05-01", "2024-07-01", "2024-09-01", "2024-11-01", "2025-01-01"]
        );
        let years = labels(Axis::Time, time("2011-06-01")..time("2024-06-01"), 8);
        assert_eq!(years[..2], ["2012-01-01", "2014-01-01"]);
    }

    #[test]
    fn every_range_of_time_has_a_label_or_is_shorter_than_a_minute() {
        for hours in 1..2_000_u32 {
            let x = time("2020-02-29T13:37:00Z")..time("2020-02-29T13:37:00Z") + f64::from(hours) * HOUR as f64 * 11.0;
            let found = labels(Axis::Time, x, 8);
            assert!(found.len() >= 2, "{hours}: {found:?}");
        }
        assert!(labels(Axis::Time, time("2020-02-29T13:37:10Z")..time("2020-02-29T13:37:20Z"), 8).is_empty());
    }
}
