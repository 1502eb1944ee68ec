//! Volume-weighted average price since 00:00 UTC, and the distance of the close from it.

use crate::formula::{Formula, own};
use crate::indicator::{Indicator, Memory, Observation};
use crate::session::{LONGEST_DAY, utc_day};
use crate::spec::{FeatureSpec, Group, Scale};

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "vwap_session",
    group: Group::Average,
    summary: "volume-weighted average price of the UTC day so far; missing while it has no volume",
    unit: "quote",
    formula: "sum(typical * volume) / sum(volume) since 00:00 UTC or the segment's start",
    source: "definition, session",
    params: &[],
    listed: &[&[]],
    outputs: &["vwap_session"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, _| Ok(build(ids, |_, vwap| vwap)),
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "vwap_session_ratio",
    group: Group::Average,
    summary: "distance of the close from the volume-weighted average price of the UTC day so far",
    unit: "share",
    formula: "close / vwap_session - 1",
    source: "definition, session",
    params: &[],
    listed: &[&[]],
    outputs: &["vwap_session_ratio"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, _| Ok(build(ids, |close, vwap| close / vwap - 1.0)),
};

fn build(ids: Vec<String>, of: fn(f64, f64) -> f64) -> Box<dyn Indicator> {
    own(ids, 0, Memory::Finite(LONGEST_DAY), SessionVwap { day: i64::MIN, value: 0.0, volume: 0.0, of })
}

#[derive(Debug, Clone)]
struct SessionVwap {
    day: i64,
    value: f64,
    volume: f64,
    of: fn(f64, f64) -> f64,
}

impl Formula<1> for SessionVwap {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let c = &o.candle;
        let day = utc_day(o);
        if day != self.day {
            (self.day, self.value, self.volume) = (day, 0.0, 0.0);
        }
        self.value += (c.high + c.low + c.close) / 3.0 * c.volume;
        self.volume += c.volume;
        [(self.of)(c.close, self.value / self.volume)]
    }
}
