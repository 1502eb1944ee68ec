//! Candles that arrive by themselves: streams of exchanges and replays of files, stored as they close, forecasts from
//! each of them, and forecasts met by their outcomes.
//!
//! [`stream()`] is the use case. One loop hears the exchange and lets every [`LiveForecaster`](candlecast_pipeline::LiveForecaster)
//! go along; a second task writes. It takes whatever is waiting at once, so that a slow stream is written candle by
//! candle and a fast one in large pieces, and tells the [`Listener`] of a candle only once it is stored.

pub mod doc;

mod cancel;
mod connect;
mod event;
mod fetch;
mod log_keeper;
mod outage;
mod prediction_log;
mod replay;
mod request;
mod session;
mod stream;
mod writer;

pub use connect::{ExchangeOptions, exchange};
pub use event::{Ended, Listener, LiveForecast, Part, StreamEvent, StreamOpened, StreamSummary, StreamedCandle};
pub use fetch::{FetchRequest, Fetched, fetch};
pub use replay::{REPLAY_PREFIX, ReplayRequest};
pub use request::{LogSteps, StreamRequest, StreamSource};
pub use stream::stream;
