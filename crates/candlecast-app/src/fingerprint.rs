//! Fingerprints: SHA-256 over what determines a result.

use candlecast_core::Seed;
use candlecast_learn::{Contender, Market};
use sha2::{Digest, Sha256};

/// What a result is the result of, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprints {
    /// Hash of the candles.
    pub(crate) data: String,
    /// Hash of the candles, every contender's configuration, how the data are split, and the seed.
    pub(crate) run: String,
}

impl Fingerprints {
    pub(crate) fn of(market: &Market, contenders: &[Contender], how: &str, seed: Seed) -> Self {
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

/// Hash of what determines the bits of a run: [`Fingerprints::run`], what is done with it, the program itself and the
/// instruction set. Forecasts kept by another build must not be taken for those of this one.
pub(crate) fn run_fingerprint(fingerprint: &str, what: &str) -> String {
    let mut hash = Sha256::new();
    for part in [fingerprint, what, env!("CARGO_PKG_VERSION"), instruction_set()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let program = std::env::current_exe().and_then(std::fs::metadata);
    if let Ok(program) = &program {
        hash.update(program.len().to_le_bytes());
        let written = program.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        hash.update(written.map_or(0, |t| t.as_nanos()).to_le_bytes());
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

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The vector instruction set in use; results are bit-exact on the same one.
pub fn instruction_set() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512vl") {
            return "x86-64 avx512";
        }
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            return "x86-64 avx2";
        }
    }
    std::env::consts::ARCH
}
