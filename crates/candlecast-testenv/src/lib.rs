//! What tests need of the machine they run on: real data, servers, a user whom rights hold back, small disks. Where
//! something is missing, a test says so by [`missing`] or [`forbidden`] and ends; `cargo xtask test` lists what was said
//! and, with `--strict`, fails for what is missing. Development only.

mod gaps;
mod rights;
mod small_disk;

use std::path::PathBuf;

pub use gaps::{GAPS_VARIABLE, forbidden, missing};
pub use rights::obeys_rights;
pub use small_disk::{mount_words, on_small_disk};

/// Names the folder of real data.
pub const DATA_VARIABLE: &str = "CANDLECAST_TEST_DATA";
/// Names the server that tests share, as a URL.
pub const POSTGRES_VARIABLE: &str = "CANDLECAST_TEST_POSTGRES";

/// Folder of the real data: [`DATA_VARIABLE`], or else `../shared/data` beside the repository. `None`, said aloud, when
/// it is not there.
#[must_use]
pub fn real_data() -> Option<PathBuf> {
    let folder = std::env::var_os(DATA_VARIABLE)
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from);
    if folder.join("candles").is_dir() {
        return Some(folder);
    }
    missing(&format!("real candles: there is no {} (set {DATA_VARIABLE})", folder.display()));
    None
}

/// URL of the PostgreSQL server that tests share. `None`, said aloud, when there is none.
#[must_use]
pub fn postgres() -> Option<String> {
    let url = std::env::var(POSTGRES_VARIABLE).ok();
    if url.is_none() {
        missing(&format!("PostgreSQL: {POSTGRES_VARIABLE} names no server"));
    }
    url
}

/// Whether `program` is there, told by running it with `--version`; said aloud when it is not.
#[must_use]
pub fn has_program(program: &str) -> bool {
    let quiet = std::process::Stdio::null;
    let run = std::process::Command::new(program).arg("--version").stdout(quiet()).stderr(quiet()).status();
    if run.is_err() {
        missing(&format!("the program `{program}`"));
    }
    run.is_ok()
}
