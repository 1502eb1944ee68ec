//! What the next candles' times of day brought on the days before.

use candlecast_core::{Ewma, Interval};

use crate::formula::{Formula, own};
use crate::indicator::{Memory, Observation};
use crate::scaled::{SCALED_WARMUP, Scaled};
use crate::session::DAY_MS;
use crate::spec::{FeatureSpec, Group, ParamRange, Scale};

/// Days in which the weights of a time of day halve.
const HALF_LIFE_DAYS: f64 = 20.0;
/// Days of a time of day before its mean counts.
const MIN_DAYS: usize = 10;
/// What makes the mean of one time of day about as wide as other features.
const NEXT_SCALE: f64 = 3.0;

pub(crate) const NEXT: FeatureSpec = FeatureSpec {
    id: "seasonal_return",
    group: Group::Calendar,
    summary: "mean scaled return, on the days before, of the candles at the next candle's UTC time of day; 0 before ten days are known, and on candles of a day or longer",
    unit: "thirds of a standard deviation, -12 to 12",
    formula: "3 m[next], m of a time of day = ewma(scaled_return_1) over its days, weights that halve in 20 days and sum to 1",
    source: "definition",
    params: &[],
    listed: &[&[]],
    outputs: &["seasonal_return"],
    cost: "O(1)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, _| Ok(build(ids, 1, NEXT_SCALE)),
};

pub(crate) const SUM: FeatureSpec = FeatureSpec {
    id: "seasonal_return_sum",
    group: Group::Calendar,
    summary: "sum over the next n candles of the mean scaled return at their UTC times of day on the days before; a time of day counts as 0 before ten days are known, all do on candles of a day or longer",
    unit: "standard deviations, -4 n to 4 n",
    formula: "m[next] + ... + m[next n], m as in seasonal_return",
    source: "definition",
    params: &[ParamRange::candles("n", 1, 24)],
    listed: &[&[4]],
    outputs: &["seasonal_return_sum"],
    cost: "O(n)",
    scale: Scale::FREE,
    requires: &[],
    version: 1,
    build: |ids, p| Ok(build(ids, p[0] as usize, 1.0)),
};

fn build(ids: Vec<String>, n: usize, factor: f64) -> Box<dyn crate::Indicator> {
    let start = Seasonal { scaled: Scaled::default(), times: Vec::new(), step_ms: 0, n, factor };
    // How many candles make twenty days is not known before the interval is.
    own(ids, SCALED_WARMUP, Memory::Unbounded, start)
}

#[derive(Debug, Clone)]
struct Seasonal {
    scaled: Scaled,
    /// Mean scaled return at each time of day at which a candle opens; empty where a day is no whole number of candles,
    /// two or more.
    times: Vec<Ewma>,
    step_ms: i64,
    n: usize,
    factor: f64,
}

impl Seasonal {
    /// The mean `ahead` candles after the time of day `place`.
    fn expected(&self, place: usize, ahead: usize) -> f64 {
        let time = &self.times[(place + ahead) % self.times.len()];
        if time.count() < MIN_DAYS { 0.0 } else { time.mean() }
    }
}

impl Formula<1> for Seasonal {
    fn begin(&mut self, interval: Interval) {
        self.step_ms = interval.ms();
        let divides = DAY_MS % self.step_ms == 0 && self.step_ms < DAY_MS;
        let n_times = if divides { (DAY_MS / self.step_ms) as usize } else { 0 };
        self.times = vec![Ewma::new(HALF_LIFE_DAYS); n_times];
    }

    #[inline]
    fn step(&mut self, o: &Observation) -> [f64; 1] {
        let Some(step) = self.scaled.push(o.candle.close) else { return [f64::NAN] };
        if self.times.is_empty() {
            return [0.0];
        }
        let place = (o.candle.open_time.0.rem_euclid(DAY_MS) / self.step_ms) as usize;
        self.times[place].push(step.z);
        [self.factor * (1..=self.n).map(|ahead| self.expected(place, ahead)).sum::<f64>()]
    }
}
