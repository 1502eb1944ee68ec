//! Microstructure, as far as candles tell: estimates of spread and illiquidity.

pub(crate) mod amihud;
pub(crate) mod corwin_schultz;
pub(crate) mod roll;
