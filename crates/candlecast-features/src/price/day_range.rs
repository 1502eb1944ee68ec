//! Position of the close in the range of its UTC day so far.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::rolling::{Aggregate, Extremes};
use crate::session::{LONGEST_DAY, utc_day};
use crate::spec::{FeatureSpec, Group, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "day_range_position",
    group: Group::Price,
    summary: "where the close lies in the UTC day's range so far (0 low, 1 high); missing while the day has no range",
    unit: "share",
    formula: "(close - low_day) / (high_day - low_day), extremes since 00:00 UTC or the segment's start",
    source: "definition",
    params: &[],
    listed: &[&[]],
    outputs: &["day_range_position"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, _| Ok(own(ids, 0, Memory::Finite(LONGEST_DAY), DayRange { day: i64::MIN, extremes: Extremes::EMPTY })),
};

#[derive(Debug, Clone)]
struct DayRange {
    day: i64,
    extremes: Extremes,
}

impl Formula<1> for DayRange {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let day = utc_day(o);
        let before = if day == self.day { self.extremes } else { Extremes::EMPTY };
        self.day = day;
        self.extremes = before.join(Extremes::of(o.candle.high, o.candle.low));
        let Extremes { high, low } = self.extremes;
        [if high > low { (o.candle.close - low) / (high - low) } else { f64::NAN }]
    }
}
