//! Fingerprints: SHA-256 over what determines a result.

use candlecast_core::{Seed, hex};
use candlecast_learn::{Contender, Market};
use sha2::{Digest, Sha256};

/// What a result is the result of, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprints {
    /// Hash of the candles.
    pub data: String,
    /// Hash of the candles, every contender's configuration, how the data are split, and the seed.
    pub run: String,
}

impl Fingerprints {
    pub fn of(market: &Market, contenders: &[Contender], how: &str, seed: Seed) -> Self {
        let data = data_fingerprint(market);
        let mut hash = Sha256::new();
        hash.update(&data);
        for c in contenders {
            hash.update(c.name.as_bytes());
            hash.update(serde_json::to_vec(&c.config).unwrap_or_default());
            let engine = candlecast_features::Engine::new(&c.config.features);
            for (id, version) in engine.map(|e| e.versions()).unwrap_or_default() {
                hash.update(id.as_bytes());
                hash.update(version.to_le_bytes());
            }
        }
        hash.update(how.as_bytes());
        hash.update(seed.0.to_le_bytes());
        Self { data, run: hex(&hash.finalize()) }
    }
}

/// Hash of what determines the bits of a run: [`Fingerprints::run`], what is done with it, the program (its version and
/// what tells one build from another) and the instruction set. Forecasts kept by another build must not be taken for
/// those of this one.
pub fn run_fingerprint(fingerprint: &str, what: &str, program: &[String]) -> String {
    let mut hash = Sha256::new();
    for part in [fingerprint, what].into_iter().chain(program.iter().map(String::as_str)).chain([instruction_set()]) {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hex(&hash.finalize())
}

/// Hash of the candles, in hexadecimal.
fn data_fingerprint(market: &Market) -> String {
    let columns = market.series().columns();
    let mut hash = Sha256::new();
    hash.update(market.series().key().to_string().as_bytes());
    for time in &columns.open_time {
        hash.update(time.to_le_bytes());
    }
    let optional = [&columns.quote_volume, &columns.trades, &columns.taker_buy_base];
    let all = [&columns.open, &columns.high, &columns.low, &columns.close, &columns.volume];
    for column in all.into_iter().chain(optional.into_iter().flatten()) {
        for value in column {
            hash.update(value.to_le_bytes());
        }
    }
    for &filled in market.series().filled() {
        hash.update([u8::from(filled)]);
    }
    hex(&hash.finalize())
}

/// The vector instruction set in use; results are bit-exact on the same one.
pub fn instruction_set() -> &'static str {
    candlecast_nn::instruction_set()
}
