//! `cargo xtask demo`: the release binary's demonstration.

use anyhow::Result;

use crate::sh;

/// Builds the binary and runs `candlecast demo` with `args` (a leading `--` is dropped).
pub(crate) fn run(args: &[String]) -> Result<()> {
    let binary = sh::build_candlecast()?;
    let args = args.strip_prefix(&["--".to_owned()]).unwrap_or(args);
    sh::run(sh::program(binary).arg("demo").args(args))
}
