//! Trainings at set times: `[[schedule]]` in the configuration.

mod read;
mod when;

use std::collections::BTreeMap;
use std::fmt;

use candlecast_core::{Interval, ModelRequest, Symbol, Venue};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

pub(crate) use self::read::read_schedule;
pub use self::when::When;

/// A model that is trained again at set times.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduledTraining {
    /// Catalog id of the model.
    pub model: String,
    /// Parameters that differ from the defaults.
    pub params: Map<String, Value>,
    /// Symbol.
    pub symbol: Symbol,
    /// Venue, where given.
    pub venue: Option<Venue>,
    /// Interval, where given.
    pub interval: Option<Interval>,
    /// How far ahead, such as `24h`.
    pub horizon: String,
    /// True where it learns from all other stored series of the venue and interval, too.
    pub pool: bool,
    /// Higher goes first in the queue.
    pub priority: i32,
    /// When.
    pub when: When,
}

impl ScheduledTraining {
    /// What tells it from the others: the same at every start, whenever it is due. At most 80 visible characters.
    pub fn key(&self) -> String {
        format!("schedule:{}:{}:{:016x}", self.symbol, self.model, self.hash())
    }

    /// Hash of everything but the times and the priority.
    pub fn hash(&self) -> u64 {
        // The order in which parameters are written says nothing.
        let params: BTreeMap<&String, &Value> = self.params.iter().collect();
        let mut what = json!([self.symbol, self.model, self.venue, self.interval, self.horizon, params]);
        // Left out otherwise, so that what was queued by programs without pools is known.
        if let Some(list) = what.as_array_mut().filter(|_| self.pool) {
            list.push("pool".into());
        }
        let digest = Sha256::digest(what.to_string().as_bytes());
        digest.iter().take(8).fold(0, |n, &byte| (n << 8) | u64::from(byte))
    }

    /// The model as a request.
    pub fn request(&self) -> ModelRequest {
        ModelRequest { id: self.model.clone(), params: Value::Object(self.params.clone()) }
    }
}

impl fmt::Display for ScheduledTraining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scheduled training of {} for {}", self.model, self.symbol)
    }
}
