//! Where the close lies in the candle's range, plain and with the ends compressed.

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::spec::{FeatureSpec, Group, Scale};

pub(crate) const SPEC: FeatureSpec = FeatureSpec {
    id: "close_location_value",
    group: Group::Price,
    summary: "where the close lies in the candle's range (-1 low, 1 high; 0 on a candle without range), and its hyperbolic tangent",
    unit: "-1 to 1",
    formula: "v = ((close - low) - (high - close)) / (high - low), tanh(3 v)",
    source: "close location value of Chaikin's accumulation/distribution line",
    params: &[],
    listed: &[&[]],
    outputs: &["close_location", "close_location_tanh"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, _| Ok(own(ids, 0, Memory::Finite(1), Location)),
};

#[derive(Debug, Clone)]
struct Location;

impl Formula<2> for Location {
    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 2] {
        let c = &o.candle;
        let range = c.high - c.low;
        // Differences of near prices are exact, those of their multiples are not.
        let location = if range > 0.0 { ((c.close - c.low) - (c.high - c.close)) / range } else { 0.0 };
        [location, (3.0 * location).tanh()]
    }
}
