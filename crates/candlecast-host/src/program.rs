//! What tells this program from another.

/// Program and version, as recorded with runs and models.
pub const PROGRAM: &str = concat!("candlecast ", env!("CARGO_PKG_VERSION"));

/// Who does what is asked for at the command line, in the record of what served.
pub const LOCAL: &str = "local";

/// What tells this build from another, for fingerprints: version, size and time of the program's file. Forecasts kept by
/// another build must not be taken for those of this one.
pub fn program_identity() -> Vec<String> {
    let mut parts = vec![env!("CARGO_PKG_VERSION").to_owned()];
    if let Ok(program) = std::env::current_exe().and_then(std::fs::metadata) {
        let written = program.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        parts.push(program.len().to_string());
        parts.push(written.map_or(0, |t| t.as_nanos()).to_string());
    }
    parts
}
