//! [`ExchangeRecipe`]: the form of the catalog's entries, and their common parameters.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use candlecast_core::Seed;
use candlecast_core::catalog::{Param, ParamKind, RecipeError};
use serde::Deserialize;
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

/// Parameters of every exchange on the network.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Tuning {
    /// Attempts after the first, for a request or a connection.
    pub retries: u32,
    /// Longest a request or the opening of a connection may take, in ms.
    pub timeout_ms: u64,
    /// A stream silent for so many ms is taken for dead.
    pub idle_ms: u64,
    /// Share of the exchange's rate limit that is used, (0-1].
    pub weight_share: f64,
    /// A candle counts as closed so many ms after its end: late trades may change it until then.
    pub settle_ms: u64,
    /// Longest wait in ms that the exchange may impose before it becomes an error.
    pub max_wait_ms: u64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            retries: 8,
            timeout_ms: 10_000,
            idle_ms: 60_000,
            weight_share: 0.8,
            settle_ms: 2_000,
            max_wait_ms: 300_000,
        }
    }
}

/// The same as [`Tuning`], as the catalog shows them.
pub(crate) const PARAMS: &[Param] = &[
    Param {
        name: "retries",
        kind: ParamKind::Int { min: 0, max: 100 },
        default: "8",
        summary: "attempts after the first",
    },
    Param {
        name: "timeoutMs",
        kind: ParamKind::Int { min: 50, max: 600_000 },
        default: "10000",
        summary: "longest a request may take, in ms",
    },
    Param {
        name: "idleMs",
        kind: ParamKind::Int { min: 50, max: 3_600_000 },
        default: "60000",
        summary: "a stream silent for so many ms is connected anew",
    },
    Param {
        name: "weightShare",
        kind: ParamKind::Float { min: 0.01, max: 1.0, log: false },
        default: "0.8",
        summary: "share of the exchange's rate limit that is used",
    },
    Param {
        name: "settleMs",
        kind: ParamKind::Int { min: 0, max: 60_000 },
        default: "2000",
        summary: "ms after its end until a candle counts as closed",
    },
    Param {
        name: "maxWaitMs",
        kind: ParamKind::Int { min: 0, max: 86_400_000 },
        default: "300000",
        summary: "longest wait in ms that the exchange may impose before it is an error",
    },
];

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
    let tuning = serde_json::from_value(config.clone()).map_err(|e| RecipeError::one(id, "config", e.to_string()))?;
    Ok(Box::new(NetworkRecipe { protocol, tuning }))
}
