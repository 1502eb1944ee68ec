//! Time of day and of the week on circles, with their harmonics, and the time to the next funding.

use candlecast_core::Interval;

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::session::DAY_MS;
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

pub(crate) const HOUR: FeatureSpec = FeatureSpec {
    id: "hour",
    group: Group::Calendar,
    summary: "time of day of the close, on a circle",
    unit: "-1 to 1",
    formula: "sin(2 pi h), cos(2 pi h), h the share of the UTC day at the close",
    source: "definition",
    params: &[],
    listed: &[&[]],
    outputs: &["hour_sin", "hour_cos"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, _| Ok(own(ids, 0, Memory::Finite(1), Circle::new(DAY_MS, 0, 1))),
};

pub(crate) const WEEKDAY: FeatureSpec = FeatureSpec {
    id: "weekday",
    group: Group::Calendar,
    summary: "time of week of the close, on a circle that starts on Monday",
    unit: "-1 to 1",
    formula: "sin(2 pi w), cos(2 pi w), w the share of the UTC week at the close",
    source: "definition",
    params: &[],
    listed: &[&[]],
    outputs: &["weekday_sin", "weekday_cos"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, _| Ok(own(ids, 0, Memory::Finite(1), Circle::new(7 * DAY_MS, MONDAY_MS, 1))),
};

pub(crate) const HOUR_HARMONIC: FeatureSpec = FeatureSpec {
    id: "hour_harmonic",
    group: Group::Calendar,
    summary: "time of day of the close, on a circle that turns k times a day",
    unit: "-1 to 1",
    formula: "sin(2 pi k h), cos(2 pi k h), h the share of the UTC day at the close",
    source: "definition",
    params: HARMONIC,
    listed: &[&[2], &[3], &[4]],
    outputs: &["hour_harmonic_sin", "hour_harmonic_cos"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| Ok(own(ids, 0, Memory::Finite(1), Circle::new(DAY_MS, 0, i64::from(p[0])))),
};

pub(crate) const WEEK_HARMONIC: FeatureSpec = FeatureSpec {
    id: "week_harmonic",
    group: Group::Calendar,
    summary: "time of week of the close, on a circle that turns k times a week, from Monday on",
    unit: "-1 to 1",
    formula: "sin(2 pi k w), cos(2 pi k w), w the share of the UTC week at the close",
    source: "definition",
    params: HARMONIC,
    listed: &[&[2]],
    outputs: &["week_harmonic_sin", "week_harmonic_cos"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| Ok(own(ids, 0, Memory::Finite(1), Circle::new(7 * DAY_MS, MONDAY_MS, i64::from(p[0])))),
};

pub(crate) const FUNDING: FeatureSpec = FeatureSpec {
    id: "minutes_to_funding",
    group: Group::Calendar,
    summary: "minutes from the close to the next funding of perpetual swaps (0 when it is then)",
    unit: "minutes",
    formula: "time to the next 00:00, 08:00 or 16:00 UTC",
    source: "Binance USD-M funding schedule",
    params: &[],
    listed: &[&[]],
    outputs: &["minutes_to_funding"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, _| Ok(own(ids, 0, Memory::Finite(1), Funding { step_ms: 0 })),
};

const HARMONIC: &[ParamRange] = &[ParamRange { name: "k", min: 1, max: 12 }];

/// 1970-01-05, a Monday.
const MONDAY_MS: i64 = 4 * DAY_MS;
const FUNDING_MS: i64 = 8 * 3_600_000;

/// Most places of a period that are worked out beforehand.
const MAX_PLACES: i64 = 1_440;

/// Place of the close instant in a period, as sine and cosine.
#[derive(Debug, Clone)]
struct Circle {
    period_ms: i64,
    start_ms: i64,
    /// Turns in a period.
    turns: i64,
    step_ms: i64,
    /// The values of each place, where there are few: a lookup takes a fifth of the time of a sine and a cosine.
    places: Vec<[f64; 2]>,
}

impl Circle {
    fn new(period_ms: i64, start_ms: i64, turns: i64) -> Self {
        Self { period_ms, start_ms, turns, step_ms: 0, places: Vec::new() }
    }

    fn at(&self, place_ms: i64) -> [f64; 2] {
        // Whole turns are taken off first, exactly.
        let turned_ms = (place_ms * self.turns).rem_euclid(self.period_ms);
        let (sin, cos) = (std::f64::consts::TAU * (turned_ms as f64 / self.period_ms as f64)).sin_cos();
        [sin, cos]
    }
}

impl Formula<2> for Circle {
    fn begin(&mut self, interval: Interval) {
        self.step_ms = interval.ms();
        let places = self.period_ms / self.step_ms;
        if places <= MAX_PLACES {
            self.places = (0..places).map(|place| self.at(place * self.step_ms)).collect();
        }
    }

    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 2] {
        let close = o.candle.open_time.0 + self.step_ms - self.start_ms;
        let place_ms = close.rem_euclid(self.period_ms);
        // Exact: candles open on the grid of their interval, from which weeks start on Monday.
        match self.places.get((place_ms / self.step_ms) as usize) {
            Some(values) if place_ms % self.step_ms == 0 => *values,
            _ => self.at(place_ms),
        }
    }
}

#[derive(Debug, Clone)]
struct Funding {
    step_ms: i64,
}

impl Formula<1> for Funding {
    fn begin(&mut self, interval: Interval) {
        self.step_ms = interval.ms();
    }

    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let close = o.candle.open_time.0 + self.step_ms;
        [(-close).rem_euclid(FUNDING_MS) as f64 / 60_000.0]
    }
}
