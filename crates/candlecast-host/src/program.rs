//! What records call this program and who uses it.

/// Program and version, as recorded with runs and models.
pub const PROGRAM: &str = concat!("candlecast ", env!("CARGO_PKG_VERSION"));

/// Who does what is asked for at the command line, in the record of what served.
pub const LOCAL: &str = "local";
