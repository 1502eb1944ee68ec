//! [`ImportOptions`]: what the caller knows better than the file.

use std::fmt;
use std::str::FromStr;

use candlecast_core::{Interval, Symbol, Venue};

/// Unit of a file's `volume` column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VolumeUnit {
    /// Coins of the base asset, as exchanges write it.
    #[default]
    Base,
    /// Quote currency. Base volume is then quote volume / typical price, `(high + low + close) / 3`; taker-buy
    /// volume is converted likewise, and the file's figure is kept as quote volume.
    Quote,
}

impl fmt::Display for VolumeUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Base => "base",
            Self::Quote => "quote",
        })
    }
}

impl FromStr for VolumeUnit {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        match s.trim().to_ascii_lowercase().as_str() {
            "base" => Ok(Self::Base),
            "quote" => Ok(Self::Quote),
            _ => {
                Err(format!("volume unit `{}` is not known: use base or quote", s.chars().take(40).collect::<String>()))
            }
        }
    }
}

/// How to read a file. What is `None` is inferred from the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOptions {
    /// Symbol, over the one of the file name.
    pub symbol: Option<Symbol>,
    /// Venue, over the one of the file name; `binance` where nothing names one.
    pub venue: Option<Venue>,
    /// Interval, over the one of the file name; it must agree with the spacing of the rows.
    pub interval: Option<Interval>,
    /// Unit of the volume column.
    pub volume_unit: VolumeUnit,
    /// Ends the import with an error at the first bad row.
    pub strict: bool,
    /// Rows a chunk at most; 0 is taken as 1.
    pub chunk_rows: usize,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            symbol: None,
            venue: None,
            interval: None,
            volume_unit: VolumeUnit::Base,
            strict: false,
            chunk_rows: 131_072,
        }
    }
}
