//! The vocabulary of candlecast: what every other crate speaks.
//!
//! No I/O, no clock, no environment, no global random numbers. Times are milliseconds UTC, candles are named
//! by their open time, ranges are half-open.

pub mod catalog;
pub mod market;

mod candle;
mod features;
mod forecast;
mod interval;
mod key;
mod resample;
mod seed;
mod segment;
mod time;

pub use candle::{Candle, CandleError, CandleSeries, Columns, Gaps, SeriesError};
pub use features::{FeatureSet, FeatureTable};
pub use forecast::{Forecast, ForecastStep};
pub use interval::{HorizonError, Interval, MAX_HORIZON_STEPS};
pub use key::{KeyError, SeriesKey, Symbol, Venue};
pub use resample::{ResampleError, Resampled, resample};
pub use seed::{Seed, Stream};
pub use segment::{FilledSeries, Segment};
pub use time::{TimeError, TimeRange, Timestamp};
