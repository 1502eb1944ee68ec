//! [`regime_label`]: the name of a regime and how sure it is.

use std::fmt;

/// A market regime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Regime {
    /// Prices trend upwards.
    Bull,
    /// Prices trend downwards.
    Bear,
    /// No trend.
    Sideways,
}

impl fmt::Display for Regime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bull => "BULL",
            Self::Bear => "BEAR",
            Self::Sideways => "SIDEWAYS",
        })
    }
}

/// A regime with the confidence in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RegimeLabel {
    /// The regime of greatest membership.
    pub regime: Regime,
    /// Its membership, lowered while volatility is above its usual level; 0-1.
    pub confidence: f64,
}

/// Names the regime from the four outputs of a `regime` feature: memberships in bull, bear and sideways, and
/// volatility over its usual level. The memberships alone decide the name; the confidence is the winning
/// membership, divided by the volatility ratio where that is above 1. `None` where a value is missing.
pub fn regime_label([bull, bear, sideways, volatility]: [f64; 4]) -> Option<RegimeLabel> {
    if [bull, bear, sideways, volatility].iter().any(|v| v.is_nan()) {
        return None;
    }
    let (regime, membership) = if bull >= sideways && bull >= bear {
        (Regime::Bull, bull)
    } else if bear >= sideways {
        (Regime::Bear, bear)
    } else {
        (Regime::Sideways, sideways)
    };
    Some(RegimeLabel { regime, confidence: (membership / volatility.max(1.0)).clamp(0.0, 1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volatility_moves_the_confidence_and_never_the_name() {
        let calm = regime_label([0.7, 0.0, 0.3, 0.8]).expect("complete");
        let wild = regime_label([0.7, 0.0, 0.3, 3.5]).expect("complete");
        assert_eq!((calm.regime, calm.confidence), (Regime::Bull, 0.7));
        assert_eq!(wild.regime, Regime::Bull);
        assert!((wild.confidence - 0.2).abs() < 1e-12);
        assert_eq!(regime_label([0.1, 0.6, 0.3, 1.0]).expect("complete").regime, Regime::Bear);
        assert_eq!(regime_label([0.2, 0.2, 0.6, 1.0]).expect("complete").regime, Regime::Sideways);
        assert_eq!(regime_label([0.2, 0.2, f64::NAN, 1.0]), None);
    }
}
