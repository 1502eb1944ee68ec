//! Hour of the day and day of the week on circles, and the time to the next funding.

use candlecast_core::Interval;

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::spec::{FeatureSpec, Group, Scale};

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
    build: |ids, _| Ok(own(ids, 0, Memory::Finite(1), Circle { period_ms: DAY_MS, start_ms: 0, step_ms: 0 })),
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
    build: |ids, _| {
        Ok(own(ids, 0, Memory::Finite(1), Circle { period_ms: 7 * DAY_MS, start_ms: MONDAY_MS, step_ms: 0 }))
    },
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

const DAY_MS: i64 = 86_400_000;
/// 1970-01-05, a Monday.
const MONDAY_MS: i64 = 4 * DAY_MS;
const FUNDING_MS: i64 = 8 * 3_600_000;

/// Place of the close instant in a period, as sine and cosine.
#[derive(Debug, Clone)]
struct Circle {
    period_ms: i64,
    start_ms: i64,
    step_ms: i64,
}

impl Formula<2> for Circle {
    fn begin(&mut self, interval: Interval) {
        self.step_ms = interval.ms();
    }

    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 2] {
        let close = o.candle.open_time.0 + self.step_ms - self.start_ms;
        let share = close.rem_euclid(self.period_ms) as f64 / self.period_ms as f64;
        let (sin, cos) = (std::f64::consts::TAU * share).sin_cos();
        [sin, cos]
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
