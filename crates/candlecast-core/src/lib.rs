//! The vocabulary of candlecast: what every other crate speaks.
//!
//! No I/O, no clock, no environment, no global random numbers. Times are milliseconds UTC, candles are named
//! by their open time, ranges are half-open.

pub mod catalog;
pub mod market;
pub mod open_range;

mod candle;
mod features;
mod forecast;
mod gaps_doc;
mod hex;
mod interval;
mod key;
mod model_request;
mod problem;
mod progress;
mod resample;
mod seed;
mod segment;
mod sigma;
mod time;

pub use candle::{Candle, CandleError, CandleSeries, Columns, Gaps, SeriesError};
pub use features::{FeatureSet, FeatureTable};
pub use forecast::{Action, DirectionOutlook, Forecast, ForecastStep, Move, Outlook, Quantiles, VolatilityOutlook};
pub use gaps_doc::GapsDoc;
pub use hex::hex;
pub use interval::{HorizonError, Interval, MAX_HORIZON_STEPS};
pub use key::{KeyError, SeriesKey, Symbol, Venue};
pub use model_request::ModelRequest;
pub use problem::{Blame, Problem, file_problem, io_status};
pub use progress::{NoProgress, ProgressSink, Stage};
pub use resample::{ResampleError, Resampled, resample};
pub use seed::{Seed, Stream};
pub use segment::{FilledSeries, Segment};
pub use sigma::{Ewma, SIGMA_FLOOR, SigmaState};
pub use time::{TimeError, TimeRange, Timestamp};
