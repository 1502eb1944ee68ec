//! [`FeatureSpec`]: what the catalog knows about a feature, and how it is built from its parameters.

use std::fmt;

use crate::error::FeatureError;
use crate::indicator::Indicator;

/// Families of features.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Returns, candle shapes, distances.
    Price,
    /// Moving averages and ratios to them.
    Average,
    /// Oscillators.
    Momentum,
    /// Direction and its strength.
    Trend,
    /// Ranges, bands, volatility estimates.
    Volatility,
    /// Volume and money flow.
    Volume,
    /// Spread and liquidity estimates from candles.
    Microstructure,
    /// Correlations and long memory.
    Correlation,
    /// Time of day and week.
    Calendar,
    /// The rule regime.
    Regime,
}

impl Group {
    /// All groups in the catalog's order.
    pub const ALL: [Self; 10] = [
        Self::Price,
        Self::Average,
        Self::Momentum,
        Self::Trend,
        Self::Volatility,
        Self::Volume,
        Self::Microstructure,
        Self::Correlation,
        Self::Calendar,
        Self::Regime,
    ];

    /// Name as in a feature set (`group:momentum`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Average => "average",
            Self::Momentum => "momentum",
            Self::Trend => "trend",
            Self::Volatility => "volatility",
            Self::Volume => "volume",
            Self::Microstructure => "microstructure",
            Self::Correlation => "correlation",
            Self::Calendar => "calendar",
            Self::Regime => "regime",
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How values answer to other units: with all prices times `a` and all volumes times `b`, a value becomes
/// `value * a^price * b^volume`. Quote volume scales as price times volume; trade counts do not scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    /// Power of price.
    pub price: i32,
    /// Power of volume.
    pub volume: i32,
}

impl Scale {
    /// Independent of the price level and of the unit of volume.
    pub const FREE: Self = Self { price: 0, volume: 0 };
    /// In quote units.
    pub const PRICE: Self = Self { price: 1, volume: 0 };
    /// In base units.
    pub const VOLUME: Self = Self { price: 0, volume: 1 };
    /// In quote units times base units, as traded value.
    pub const TURNOVER: Self = Self { price: 1, volume: 1 };
}

/// A whole-number parameter of a feature, part of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParamRange {
    /// What it is.
    pub name: &'static str,
    /// Least value.
    pub min: u32,
    /// Greatest value.
    pub max: u32,
}

impl ParamRange {
    /// A window in candles.
    pub(crate) const fn candles(name: &'static str, min: u32, max: u32) -> Self {
        Self { name, min, max }
    }
}

/// Builds an indicator of output ids and parameters that are within their bounds.
pub(crate) type Build = fn(Vec<String>, &[u32]) -> Result<Box<dyn Indicator>, FeatureError>;

/// A feature: one entry of the catalog.
#[derive(Clone, Copy)]
pub struct FeatureSpec {
    /// Stem of its id (`rsi`); with parameters it is an id (`rsi_7`).
    pub id: &'static str,
    /// Family.
    pub group: Group,
    /// One line for lists.
    pub summary: &'static str,
    /// Unit of the values.
    pub unit: &'static str,
    /// How values are computed; `n` and the other names are the parameters.
    pub formula: &'static str,
    /// Where the definition comes from.
    pub source: &'static str,
    /// Parameters, in the order of the id.
    pub params: &'static [ParamRange],
    /// Parameter values that the catalog lists; the first are those of the bare stem. One empty list where there
    /// are no parameters.
    pub listed: &'static [&'static [u32]],
    /// Stems of the outputs; with the parameters they are the output ids (`macd_line_12_26_9`).
    pub outputs: &'static [&'static str],
    /// Cost of one more candle, amortised: `O(1)`, `O(log n)` or `O(n)`.
    pub cost: &'static str,
    /// How values answer to other units.
    pub scale: Scale,
    /// Optional candle columns without which every value is NaN.
    pub requires: &'static [&'static str],
    /// Raised whenever values change.
    pub version: u32,
    pub(crate) build: Build,
}

impl fmt::Debug for FeatureSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FeatureSpec").field("id", &self.id).field("version", &self.version).finish_non_exhaustive()
    }
}

impl FeatureSpec {
    /// The feature with these parameters as an indicator.
    pub fn build(&self, params: &[u32]) -> Result<Box<dyn Indicator>, FeatureError> {
        self.check(params)?;
        (self.build)(self.output_ids(params), params)
    }

    /// Ids of the outputs with these parameters.
    pub fn output_ids(&self, params: &[u32]) -> Vec<String> {
        self.outputs.iter().map(|stem| id_of(stem, params)).collect()
    }

    /// Id of the feature with these parameters.
    pub fn id_with(&self, params: &[u32]) -> String {
        id_of(self.id, params)
    }

    fn check(&self, params: &[u32]) -> Result<(), FeatureError> {
        let refuse = |message: String| Err(FeatureError::Parameters { id: self.id_with(params), message });
        if params.len() != self.params.len() {
            let example = self.listed.first().map(|p| self.id_with(p)).unwrap_or_default();
            return refuse(format!("{} parameters given, {} needed: write {example}", params.len(), self.params.len()));
        }
        for (range, &value) in self.params.iter().zip(params) {
            if value < range.min || value > range.max {
                return refuse(format!("{} is {value}, allowed are {} to {}", range.name, range.min, range.max));
            }
        }
        Ok(())
    }
}

/// `stem` with parameters: `macd_line` and `[12, 26, 9]` make `macd_line_12_26_9`.
pub(crate) fn id_of(stem: &str, params: &[u32]) -> String {
    params.iter().fold(stem.to_owned(), |id, p| format!("{id}_{p}"))
}

/// Refuses parameters `a` and `b` unless `p[a] < p[b]`.
pub(crate) fn increasing(ids: &[String], p: &[u32], a: usize, b: usize, names: &str) -> Result<(), FeatureError> {
    if p[a] < p[b] {
        return Ok(());
    }
    let id = ids.first().cloned().unwrap_or_default();
    Err(FeatureError::Parameters { id, message: format!("{names}: {} is not less than {}", p[a], p[b]) })
}
