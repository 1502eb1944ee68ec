//! Candles that arrive by themselves: streams of exchanges and replays of files, stored as they close, forecasts from
//! each of them, and forecasts met by their outcomes.
//!
//! [`App::stream`](crate::App::stream) is the use case. One loop hears the exchange and lets every [`LiveForecaster`]
//! go along; a second task writes. It takes whatever is waiting at once, so that a slow stream is written candle by
//! candle and a fast one in large pieces, and tells the [`Listener`] of a candle only once it is stored.

mod cancel;
mod connect;
mod event;
mod forecaster;
mod grid;
mod model;
mod prediction_log;
mod replay;
mod request;
mod session;
mod stream;
mod writer;

pub use connect::ExchangeOptions;
pub use event::{Ended, Listener, LiveForecast, ModelLabel, StreamEvent, StreamOpened, StreamSummary, StreamedCandle};
pub use forecaster::LiveForecaster;
pub use model::LiveModel;
pub use replay::{REPLAY_PREFIX, ReplayRequest};
pub use request::{LogSteps, StreamRequest, StreamSource};

pub(crate) use cancel::cancelled;
pub(crate) use connect::exchange_error;
