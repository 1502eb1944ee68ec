//! One version of the compiler: the root's `rust-version`. What the other places say agrees with it, and nothing pins
//! a version that would have to be downloaded first.

use toml::{Table, Value};

use super::{Finding, SourceFile};
use crate::compiler;

const RULE: &str = "toolchain";
const ROOT: &str = "Cargo.toml";
const README: &str = "README.md";
const PINS: [&str; 2] = ["rust-toolchain", "rust-toolchain.toml"];

/// Checks the files that name a version.
pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let pins = files.iter().filter(|file| PINS.iter().any(|pin| file.path.rsplit('/').next() == Some(*pin)));
    let remedy = "take it out; whoever has a new enough compiler would have to download another";
    let mut findings: Vec<Finding> = pins.map(|file| Finding::new(&file.path, 1, RULE, remedy)).collect();
    let Some(root) = files.iter().find(|file| file.path == ROOT) else { return findings };
    match compiler::needed(&root.text) {
        Ok(version) => {
            findings.extend(files.iter().filter_map(|file| check_manifest(file, &version)));
            findings.extend(files.iter().filter_map(|file| check_readme(file, &version)));
        }
        Err(error) => findings.push(Finding::new(ROOT, 1, RULE, format!("{error:#}"))),
    }
    findings
}

/// A crate takes the version from the workspace, or names the same.
fn check_manifest(file: &SourceFile, version: &str) -> Option<Finding> {
    if !(file.path.starts_with("crates/") && file.path.ends_with("/Cargo.toml")) {
        return None;
    }
    let manifest: Table = file.text.parse().ok()?;
    let own = manifest.get("package")?.get("rust-version").and_then(Value::as_str)?;
    let remedy = format!("{own} is not the root's {version}; write `rust-version.workspace = true`");
    (own != version).then(|| Finding::new(&file.path, 1, RULE, remedy))
}

/// The page that everybody begins with names the version.
fn check_readme(file: &SourceFile, version: &str) -> Option<Finding> {
    let wanted = format!("Rust {version} or newer");
    (file.path == README && !file.text.contains(&wanted))
        .then(|| Finding::new(README, 1, RULE, format!("say `{wanted}`, as the root's `rust-version` does")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[workspace.package]\nrust-version = \"1.94\"\n";

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<SourceFile> =
            files.iter().map(|(path, text)| SourceFile { path: (*path).into(), text: (*text).into() }).collect();
        check(&files).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_pinned_toolchain_is_found_wherever_it_lies() {
        for path in ["rust-toolchain.toml", "rust-toolchain", "crates/x/rust-toolchain.toml"] {
            assert_eq!(found(&[(path, "")]).len(), 1, "{path}");
        }
        assert!(found(&[("docs/rust-toolchain.md", "")]).is_empty());
    }

    #[test]
    fn the_readme_names_the_version_of_the_root() {
        let readme = |text| found(&[(ROOT, MANIFEST), (README, text)]);
        assert!(readme("You need Rust 1.94 or newer.").is_empty());
        for text in ["You need Rust 1.90 or newer.", "You need Rust.", "You need Rust 1.94.1 or newer."] {
            assert_eq!(readme(text).len(), 1, "{text}");
        }
        assert_eq!(found(&[(ROOT, "[workspace]\n")]).len(), 1, "a root without a version");
    }

    #[test]
    fn crates_name_no_other_version() {
        let of = |text| found(&[(ROOT, MANIFEST), ("crates/x/Cargo.toml", text)]);
        assert!(of("[package]\nrust-version.workspace = true\n").is_empty());
        assert!(of("[package]\nrust-version = \"1.94\"\n").is_empty());
        assert_eq!(of("[package]\nrust-version = \"1.93\"\n").len(), 1);
        let xtask = ("xtask/Cargo.toml", "[package]\nrust-version = \"1.85\"\n");
        assert!(found(&[(ROOT, MANIFEST), xtask]).is_empty());
    }
}
