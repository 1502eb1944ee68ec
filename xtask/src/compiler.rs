//! The compiler that the workspace needs, looked at before anything is built: one that is too old is met with a remedy
//! instead of the errors of some dependency. This program asks for less, so that it gets as far as saying so.

use std::fs;

use anyhow::{Context, Result, bail};
use toml::{Table, Value};

use crate::sh;

const REMEDY: &str = "update it with `rustup update stable`, or install your distribution's package of a newer Rust";

/// Refuses a compiler that is older than the root's `rust-version`.
pub(crate) fn check() -> Result<()> {
    let manifest = fs::read_to_string(sh::root().join("Cargo.toml")).context("cannot read Cargo.toml")?;
    let needed = needed(&manifest)?;
    // The one that cargo will take.
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = sh::capture(sh::program(program).arg("--version"))
        .with_context(|| format!("candlecast needs rustc {needed} or newer: {REMEDY}"))?;
    judge(&said, &needed)
}

/// The `rust-version` of the workspace with this root manifest.
pub(crate) fn needed(manifest: &str) -> Result<String> {
    let manifest: Table = manifest.parse().context("Cargo.toml is not valid TOML")?;
    let package = manifest.get("workspace").and_then(|workspace| workspace.get("package"));
    let version = package.and_then(|package| package.get("rust-version")).and_then(Value::as_str);
    version.map(str::to_owned).context("Cargo.toml has no `rust-version` in [workspace.package]")
}

/// `said` is what `rustc --version` printed.
fn judge(said: &str, needed: &str) -> Result<()> {
    let found = said.split_whitespace().nth(1).unwrap_or_default();
    match (numbers(found), numbers(needed)) {
        (Some(have), Some(want)) if have >= want => Ok(()),
        (Some(_), Some(_)) => {
            bail!("rustc {found} is too old: candlecast needs rustc {needed} or newer; {REMEDY}")
        }
        _ => bail!("`rustc --version` says `{said}`: candlecast needs rustc {needed} or newer; {REMEDY}"),
    }
}

/// Major, minor and patch of `1.94`, `1.95.0` or `1.96.0-nightly`.
fn numbers(version: &str) -> Option<[u32; 3]> {
    let release = version.split('-').next()?;
    let mut numbers = [0; 3];
    for (number, part) in numbers.iter_mut().zip(release.split('.')) {
        *number = part.parse().ok()?;
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_older_compiler_is_refused_with_both_versions_and_the_remedy() {
        for (said, found) in [("rustc 1.93.1 (abc 2026-02-01)", "1.93.1"), ("rustc 1.9.0", "1.9.0")] {
            let error = judge(said, "1.94").unwrap_err().to_string();
            assert!(error.starts_with(&format!("rustc {found} is too old")), "{error}");
            assert!(error.contains("rustc 1.94 or newer") && error.contains("rustup update stable"), "{error}");
        }
    }

    #[test]
    fn the_needed_one_newer_ones_and_nightlies_pass() {
        for said in ["rustc 1.94.0 (abc 2026-03-01)", "rustc 1.95.0", "rustc 1.100.0-nightly (abc)", "rustc 2.0.0"] {
            assert!(judge(said, "1.94").is_ok(), "{said}");
        }
    }

    #[test]
    fn words_that_hold_no_version_are_shown() {
        for said in ["", "rustc", "rustc unknown"] {
            let error = judge(said, "1.94").unwrap_err().to_string();
            assert!(error.contains(&format!("says `{said}`")) && error.contains("1.94"), "{error}");
        }
    }

    #[test]
    fn the_needed_version_stands_in_the_root_manifest() {
        assert_eq!(needed("[workspace.package]\nrust-version = \"1.80\"\n").unwrap(), "1.80");
        assert!(needed("[workspace]\n").unwrap_err().to_string().contains("rust-version"));
        assert!(needed("[workspace").is_err());
        assert!(check().is_ok(), "these tests were built by a compiler that is new enough");
    }
}
