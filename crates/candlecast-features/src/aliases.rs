//! Names of other programs that are accepted for features.

/// Accepted names and the outputs that each stands for.
const ALIASES: &[(&str, &[&str])] = &[
    ("rsi", &["rsi_14"]),
    ("macd", &["macd_line_ratio_12_26_9", "macd_signal_ratio_12_26_9", "macd_hist_ratio_12_26_9"]),
    ("volume", &["volume_ratio_20"]),
    ("bb_upper", &["bb_upper_ratio_20_2"]),
    ("price_momentum_1h", &["log_return_1"]),
    ("volatility_metrics", &["realized_vol_24", "parkinson_24", "natr_14", "bb_width_20_2", "vol_of_vol_24"]),
    ("market_microstructure", &["corwin_schultz_24", "roll_spread_24", "amihud_24"]),
    ("default", &crate::default_set::DEFAULT),
    ("reversal", &crate::reversal_set::REVERSAL),
];

/// Accepted names and the outputs that each stands for, in a fixed order. They stand for scale-free forms: `macd` is
/// over the close, `volume` over its mean. `price_momentum_1h` is the return of one candle, an hour on hourly ones.
pub fn aliases() -> &'static [(&'static str, &'static [&'static str])] {
    ALIASES
}
