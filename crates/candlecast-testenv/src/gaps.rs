//! What is not tested on this machine, told to `cargo xtask test`.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Names the file that gaps are appended to: a line each, `missing` or `forbidden`, a tab, what and why.
pub const GAPS_VARIABLE: &str = "CANDLECAST_TEST_GAPS";

/// Something that could be installed or handed over is not there: a tool, a server, a set of data.
pub fn missing(what: &str) {
    tell("missing", what);
}

/// Something that the system does not let this user do, such as mounting a disk in a container.
pub fn forbidden(what: &str) {
    tell("forbidden", what);
}

fn tell(kind: &str, what: &str) {
    eprintln!("skipped: {what}");
    let Some(path) = std::env::var_os(GAPS_VARIABLE) else { return };
    // One write each: appended lines of several processes do not mix.
    let line = format!("{kind}\t{}\n", what.replace('\n', " "));
    let written =
        OpenOptions::new().append(true).create(true).open(&path).and_then(|mut f| f.write_all(line.as_bytes()));
    if let Err(error) = written {
        panic!("a gap cannot be told to {}: {error}", path.display());
    }
}
