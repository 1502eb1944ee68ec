//! SuperTrend line and direction, and the distance of the close from the line.

use candlecast_core::{Candle, Segment};
use ta_lib::{Core, OutRange, RetCode, SupertrendStream};

use crate::indicator::Observation;
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};
use crate::talib::{Always, Decay, Finish, Function, ta};

const PARAMS: &[ParamRange] = &[ParamRange::candles("n", 2, 10_000), ParamRange { name: "multiple", min: 1, max: 20 }];

pub(crate) const LEVEL: FeatureSpec = FeatureSpec {
    id: "supertrend",
    group: Group::Trend,
    summary: "SuperTrend line",
    unit: "quote",
    formula: "median price -/+ k * ATR(n), trailing, on the side that the close has not broken",
    source: "TA-Lib SUPERTREND; Seban",
    params: PARAMS,
    listed: &[&[10, 3]],
    outputs: &["supertrend"],
    cost: "O(1)",
    scale: Scale::PRICE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, supertrend(p), Always, Line, Decay::Never),
};

pub(crate) const RATIO: FeatureSpec = FeatureSpec {
    id: "supertrend_state",
    group: Group::Trend,
    summary: "distance of the close from the SuperTrend line, and its direction (1 up, -1 down)",
    unit: "share, state",
    formula: "close / line - 1, direction",
    source: "TA-Lib SUPERTREND; Seban",
    params: PARAMS,
    listed: &[&[10, 3]],
    outputs: &["supertrend_ratio", "supertrend_direction"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| ta(ids, supertrend(p), Always, Distance, Decay::Never),
};

fn supertrend(p: &[u32]) -> Supertrend {
    Supertrend { period: p[0] as i32, multiple: f64::from(p[1]) }
}

/// The line alone.
#[derive(Debug, Clone, Copy)]
struct Line;

impl Finish<2, 1> for Line {
    #[inline]
    fn step(&mut self, _: &Observation, [line, _]: [f64; 2]) -> [f64; 1] {
        [line]
    }
}

/// Distance of the close from the line, and the direction.
#[derive(Debug, Clone, Copy)]
struct Distance;

impl Finish<2, 2> for Distance {
    #[inline]
    fn step(&mut self, o: &Observation, [line, direction]: [f64; 2]) -> [f64; 2] {
        [o.candle.close / line - 1.0, direction]
    }
}

#[derive(Debug, Clone, Copy)]
struct Supertrend {
    period: i32,
    multiple: f64,
}

/// Written out, as TA-Lib gives the direction as an integer.
impl Function<2> for Supertrend {
    type Stream = SupertrendStream;

    fn lookback(&self, core: &Core) -> Result<usize, RetCode> {
        core.supertrend_lookback(self.period, self.multiple)
    }

    fn batch(&self, core: &Core, x: &Segment<'_>, out: [&mut [f64]; 2]) -> Result<OutRange, RetCode> {
        let [line, direction] = out;
        let mut trend = vec![0_i32; x.len()];
        let range =
            core.supertrend(0, x.len() - 1, x.high, x.low, x.close, self.period, self.multiple, line, &mut trend)?;
        for (to, from) in direction.iter_mut().zip(trend) {
            *to = f64::from(from);
        }
        Ok(range)
    }

    fn open(&self, core: &Core, x: &Segment<'_>) -> Result<(Self::Stream, [f64; 2]), RetCode> {
        let (stream, last) = core.supertrend_open(x.high, x.low, x.close, self.period, self.multiple)?;
        Ok((stream, floats(last)))
    }

    fn update(stream: &mut Self::Stream, c: &Candle) -> Result<[f64; 2], RetCode> {
        stream.update(c.high, c.low, c.close).map(floats)
    }

    fn peek(stream: &Self::Stream, c: &Candle) -> Result<[f64; 2], RetCode> {
        stream.peek(c.high, c.low, c.close).map(floats)
    }
}

fn floats((line, direction): (f64, i32)) -> [f64; 2] {
    [line, f64::from(direction)]
}
