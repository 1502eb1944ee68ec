//! [`ExchangeRecipe`]: the form of the catalog's entries, and their common parameters.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use candlecast_core::Seed;
use candlecast_core::catalog::{RecipeError, read_config};
use serde_json::Value;

use crate::network::NetworkExchange;
use crate::{Clock, Exchange, ExchangeError, Protocol, ReplayControl, SystemClock};

/// What an exchange needs of its surroundings; everything that is not a number of its recipe.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Base URL of the REST side in place of the public one, as `https://api.example.com`.
    pub rest_url: Option<String>,
    /// Base URL of the WebSocket side, as `wss://stream.example.com:9443`.
    pub stream_url: Option<String>,
    /// Names of these two URLs must not lead into a private network: they are resolved, and refused where they do.
    pub public_only: bool,
    /// Files of a replay.
    pub files: Vec<PathBuf>,
    /// Speed and pause of a replay, in place of the recipe's `speed`; keep a clone to steer it.
    pub control: Option<ReplayControl>,
    /// Time and waiting.
    pub clock: Arc<dyn Clock>,
    /// Seed of the jitter.
    pub seed: Seed,
}

impl Default for Setting {
    /// Public addresses, the machine's clock, no files.
    fn default() -> Self {
        Self {
            rest_url: None,
            stream_url: None,
            public_only: false,
            files: Vec::new(),
            control: None,
            clock: Arc::new(SystemClock::new()),
            seed: Seed::default(),
        }
    }
}

/// A configured exchange, not yet connected.
pub trait ExchangeRecipe: Send + Sync + Debug {
    /// Sets the exchange up. Needs no network; a replay reads its files.
    fn connect(&self, setting: &Setting) -> Result<Box<dyn Exchange>, ExchangeError>;
}

candlecast_core::params! {
    /// Parameters of every exchange on the network.
    #[derive(Copy)]
    pub struct Tuning {
        /// For a request or a connection.
        "retries" => retries: u32 = 8, int(0..=100), "attempts after the first";
        /// Also the longest that the opening of a connection may take.
        "timeoutMs" => timeout_ms: u64 = 10000, int(50..=600_000), "longest a request may take, in ms";
        "idleMs" => idle_ms: u64 = 60000, int(50..=3_600_000), "a stream silent for so many ms is connected anew";
        "weightShare" => weight_share: f64 = 0.8, float(0.01..=1.0),
            "share of the exchange's rate limit that is used";
        /// Late trades may change it until then.
        "settleMs" => settle_ms: u64 = 2000, int(0..=60_000), "ms after its end until a candle counts as closed";
        "maxWaitMs" => max_wait_ms: u64 = 300000, int(0..=86_400_000),
            "longest wait in ms that the exchange may impose before it is an error";
    }
}

/// An exchange on the network: its protocol and how hard to try.
#[derive(Debug)]
struct NetworkRecipe<P> {
    protocol: P,
    tuning: Tuning,
}

impl<P: Protocol + Clone + 'static> ExchangeRecipe for NetworkRecipe<P> {
    fn connect(&self, setting: &Setting) -> Result<Box<dyn Exchange>, ExchangeError> {
        Ok(Box::new(NetworkExchange::new(Arc::new(self.protocol.clone()), self.tuning, setting)?))
    }
}

/// The recipe of an exchange on the network, from parameters already checked.
pub(crate) fn network<P: Protocol + Clone + 'static>(
    id: &str,
    protocol: P,
    config: &Value,
) -> Result<Box<dyn ExchangeRecipe>, RecipeError> {
    Ok(Box::new(NetworkRecipe { protocol, tuning: read_config(id, config)? }))
}
