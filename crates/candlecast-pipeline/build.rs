//! Tells the crate what it is built from: a hash of the sources that decide the bits of a result, the compiler and the
//! target. Two builds of one version with other sources are two programs, wherever they were built.
//!
//! Only the crates below `candlecast-pipeline` and itself are looked at, so it runs where this crate is compiled anew
//! anyway. Tests are no part of it. The hash is written here, since a dependency of this script would be one more crate
//! to build before all others.

#![allow(clippy::print_stdout, reason = "how a build script speaks to Cargo")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// The crates whose sources decide the bits.
const CRATES: [&str; 6] = ["core", "features", "learn", "models", "nn", "pipeline"];

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let crates = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default().join("..");
    let mut hash = Fnv::default();
    for name in CRATES {
        let folder = crates.join(format!("candlecast-{name}")).join("src");
        watched(&folder);
        add_folder(&mut hash, &folder, name).map_err(|e| at(&folder, &e))?;
    }
    // Which dependencies; packaged elsewhere there is none.
    let lock = crates.join("../Cargo.lock");
    if lock.exists() {
        watched(&lock);
        add_file(&mut hash, &lock, "Cargo.lock").map_err(|e| at(&lock, &e))?;
    }
    println!("cargo::rustc-env=CANDLECAST_SOURCES={:016x}", hash.0);
    println!("cargo::rustc-env=CANDLECAST_COMPILER={}", compiler());
    println!("cargo::rustc-env=CANDLECAST_TARGET={}", target());
    Ok(())
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn watched(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

/// Version of the compiler in one line, such as `rustc 1.94.0 (4a4ef493e 2026-03-02)`.
fn compiler() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(rustc).arg("--version").output().ok();
    let said = said.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    said.lines().next().unwrap_or("unknown").trim().to_owned()
}

/// The target with the processor features that are compiled for and the features of the crate that are enabled.
fn target() -> String {
    let of = |name: &str| env::var(name).unwrap_or_default();
    let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut features: Vec<String> =
        names.filter_map(|name| name.strip_prefix("CARGO_FEATURE_").map(str::to_owned)).collect();
    features.sort_unstable();
    format!("{} {} {}", of("TARGET"), of("CARGO_CFG_TARGET_FEATURE"), features.join(",")).trim().to_owned()
}

/// Adds the Rust files of a folder and the folders in it, in the order of their names.
fn add_folder(hash: &mut Fnv, folder: &Path, name: &str) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), format!("{name}/{}", entry.file_name().to_string_lossy()));
        if path.is_dir() {
            add_folder(hash, &path, &name)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            add_file(hash, &path, &name)?;
        }
    }
    Ok(())
}

/// Adds a file under the name that it has on every machine. Line ends, which a checkout may change, do not count.
fn add_file(hash: &mut Fnv, path: &Path, name: &str) -> io::Result<()> {
    let content = fs::read(path)?;
    hash.add(name.as_bytes());
    hash.add(&[0]);
    content.split(|&byte| byte == b'\r').for_each(|part| hash.add(part));
    hash.add(&[0]);
    Ok(())
}

/// The hash FNV-1a of 64 bits (Fowler, Noll and Vo): it tells apart what differs by chance.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
