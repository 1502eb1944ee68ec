//! Names of series: [`Venue`], [`Symbol`] and [`SeriesKey`]; each is valid by construction.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Interval;

/// Why a name of a series was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The symbol does not normalise to `[A-Z0-9]{2,20}`.
    #[error(
        "symbol `{0}` is not valid: 2 to 20 letters A-Z and digits once `-`, `/`, `_` and `:` are taken out, for example BTCUSDT"
    )]
    Symbol(String),
    /// The venue is not `[a-z0-9-]{2,24}`.
    #[error(
        "venue `{0}` is not valid: 2 to 24 lower-case letters, digits and `-`, for example binance or binance-usdm"
    )]
    Venue(String),
    /// The interval is not one of the supported ones.
    #[error("interval `{0}` is not known: use one of 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 1w")]
    Interval(String),
    /// The text does not name a series.
    #[error("`{0}` names no series: write venue:symbol:interval, for example binance:BTCUSDT:1h")]
    Series(String),
}

/// A trading pair in exchange form, `[A-Z0-9]{2,20}` (`BTCUSDT`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Symbol(String);

impl Symbol {
    /// Normalises `text` (`btc-usdt`, `BTC/USDT`, `BTC_USDT`) to exchange form.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        let name: String = text
            .trim()
            .chars()
            .filter(|c| !matches!(c, '-' | '/' | '_' | ':'))
            .map(|c| c.to_ascii_uppercase())
            .collect();
        let fits = (2..=20).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        if fits { Ok(Self(name)) } else { Err(KeyError::Symbol(text.chars().take(40).collect())) }
    }

    /// The symbol as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where candles come from, `[a-z0-9-]{2,24}` (`binance`, `binance-usdm`, `synthetic`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Venue(String);

impl Venue {
    /// Checks `text`, ignoring case.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        let name = text.trim().to_ascii_lowercase();
        let fits = (2..=24).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits { Ok(Self(name)) } else { Err(KeyError::Venue(text.chars().take(40).collect())) }
    }

    /// `binance`, the venue of series whose source names none.
    pub fn binance() -> Self {
        Self("binance".into())
    }

    /// `synthetic`, the venue of the generated market.
    pub fn synthetic() -> Self {
        Self("synthetic".into())
    }

    /// True for the generated market, whose results are marked wherever they are shown.
    pub fn is_synthetic(&self) -> bool {
        self.0 == "synthetic"
    }

    /// The venue as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What names one series of candles.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeriesKey {
    /// Exchange or other source.
    pub venue: Venue,
    /// Trading pair.
    pub symbol: Symbol,
    /// Length of one candle.
    pub interval: Interval,
}

impl SeriesKey {
    /// For people: `BTCUSDT 1h`, with the venue where it is not binance.
    pub fn label(&self) -> String {
        if self.venue.as_str() == "binance" {
            format!("{} {}", self.symbol, self.interval)
        } else {
            format!("{} {} ({})", self.symbol, self.interval, self.venue)
        }
    }

    /// Joins the three parts.
    pub fn new(venue: Venue, symbol: Symbol, interval: Interval) -> Self {
        Self { venue, symbol, interval }
    }
}

impl fmt::Display for SeriesKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.venue, self.symbol, self.interval)
    }
}

impl FromStr for SeriesKey {
    type Err = KeyError;

    /// Reads `venue:symbol:interval`, such as `binance:BTCUSDT:1h`.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let wrong = || KeyError::Series(text.chars().take(60).collect());
        let mut parts = text.splitn(3, ':');
        let mut part = || parts.next().ok_or_else(wrong);
        let (venue, symbol) = (Venue::new(part()?)?, Symbol::new(part()?)?);
        Ok(Self { venue, symbol, interval: part()?.parse().map_err(|_| wrong())? })
    }
}

macro_rules! text_forms {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl FromStr for $type {
            type Err = KeyError;
            fn from_str(s: &str) -> Result<Self, KeyError> {
                Self::new(s)
            }
        }
        impl TryFrom<String> for $type {
            type Error = KeyError;
            fn try_from(s: String) -> Result<Self, KeyError> {
                Self::new(&s)
            }
        }
        impl From<$type> for String {
            fn from(v: $type) -> String {
                v.0
            }
        }
    };
}
text_forms!(Symbol);
text_forms!(Venue);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_normalise_to_exchange_form() {
        for text in ["BTC-USDT", "BTC/USDT", "btcusdt", "BTC_USDT", " btc:usdt "] {
            assert_eq!(Symbol::new(text).unwrap().as_str(), "BTCUSDT", "{text}");
        }
        assert_eq!(Symbol::new("BTC-USD").unwrap().as_str(), "BTCUSD");
    }

    #[test]
    fn a_series_is_read_as_it_is_written() {
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::H1);
        assert_eq!(key.to_string().parse(), Ok(key));
        for text in ["", "BTCUSDT", "binance:BTCUSDT", "binance:BTCUSDT:1x", "binance:BTCUSDT:1h:2"] {
            assert!(text.parse::<SeriesKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn all_else_is_refused() {
        for text in ["", "B", "../etc", "BTC USDT", "BTCÜ", "A".repeat(21).as_str(), "BTC\0"] {
            assert!(Symbol::new(text).is_err(), "{text}");
        }
        for text in ["", "x", "a/b", "..", "bin ance"] {
            assert!(Venue::new(text).is_err(), "{text}");
        }
    }
}
