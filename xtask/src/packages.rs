//! Tools that come from the system's packages, Rust's own components and crates.io.

use std::process::Command;

use anyhow::{Result, anyhow};

use crate::sh;

/// True for the user who may install packages.
pub(crate) fn is_root() -> bool {
    sh::capture(Command::new("id").arg("-u")).is_ok_and(|id| id == "0")
}

/// Installs a package of the distribution. An error says in words why that cannot be.
pub(crate) fn install(package: &str) -> Result<(), String> {
    let has_apt = sh::succeeds(Command::new("apt-get").arg("--version"));
    if !is_root() || !has_apt {
        return Err(format!("it is not installed (apt-get install {package})"));
    }
    let apt = |words: &[&str]| {
        eprintln!("$ apt-get {}", words.join(" "));
        sh::succeeds(Command::new("apt-get").args(words).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let get = || apt(&["install", "-y", "--no-install-recommends", package]);
    // The list of packages may be missing or old.
    if get() || (apt(&["update"]) && get()) { Ok(()) } else { Err(format!("`apt-get install {package}` failed")) }
}

/// A program that tests run, and how it comes to be here.
struct Tool {
    name: &'static str,
    /// What succeeds where it is there.
    probe: &'static [&'static str],
    source: Source,
}

enum Source {
    /// A package of the distribution.
    Package(&'static str),
    /// A component of the Rust toolchain.
    Component(&'static str),
    /// A program on crates.io.
    Crate(&'static str),
}

static TOOLS: [Tool; 7] = [
    Tool { name: "rustfmt", probe: &["cargo", "fmt", "--version"], source: Source::Component("rustfmt") },
    Tool { name: "clippy", probe: &["cargo", "clippy", "--version"], source: Source::Component("clippy") },
    Tool { name: "nextest", probe: &["cargo", "nextest", "--version"], source: Source::Crate("cargo-nextest") },
    Tool { name: "strace", probe: &["strace", "--version"], source: Source::Package("strace") },
    Tool { name: "openssl", probe: &["openssl", "version"], source: Source::Package("openssl") },
    Tool { name: "setpriv", probe: &["setpriv", "--version"], source: Source::Package("util-linux") },
    Tool { name: "unshare", probe: &["unshare", "--version"], source: Source::Package("util-linux") },
];

/// What single long runs need, and no test.
static RUN_TOOLS: [Tool; 6] = [
    Tool { name: "faketime", probe: &["faketime", "--version"], source: Source::Package("faketime") },
    Tool { name: "ip", probe: &["ip", "-V"], source: Source::Package("iproute2") },
    Tool { name: "flock", probe: &["flock", "--version"], source: Source::Package("util-linux") },
    Tool { name: "tar", probe: &["tar", "--version"], source: Source::Package("tar") },
    Tool { name: "zstd", probe: &["zstd", "--version"], source: Source::Package("zstd") },
    Tool { name: "mutants", probe: &["cargo", "mutants", "--version"], source: Source::Crate("cargo-mutants") },
];

/// Makes sure that the tools called `names` are here. An error names the first that is not and cannot be installed.
pub(crate) fn require(names: &[&str]) -> Result<()> {
    for tool in TOOLS.iter().chain(&RUN_TOOLS).filter(|tool| names.contains(&tool.name) && !tool.is_there()) {
        tool.install().map_err(|reason| anyhow!("{}: {reason}", tool.name))?;
    }
    Ok(())
}

/// Installs what is not here; what could not be had, and why.
pub(crate) fn install_tools() -> Vec<String> {
    let absent = TOOLS.iter().filter(|tool| !tool.is_there());
    absent.filter_map(|tool| tool.install().err().map(|reason| format!("{}: {reason}", tool.name))).collect()
}

impl Tool {
    fn is_there(&self) -> bool {
        let (program, words) = self.probe.split_first().expect("each probe names a program");
        match *program {
            "cargo" => sh::succeeds(&mut sh::cargo(words)),
            program => sh::succeeds(Command::new(program).args(words)),
        }
    }

    fn install(&self) -> Result<(), String> {
        let done = match self.source {
            Source::Package(package) => return install(package),
            Source::Component(component) => sh::run(Command::new("rustup").args(["component", "add", component])),
            Source::Crate(name) => sh::run(&mut sh::cargo(&["install", "--locked", name])),
        };
        done.map_err(|error| format!("{error:#}"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn tools_have_names_of_their_own_and_those_of_runs_are_not_of_tests() {
        let names: BTreeSet<&str> = TOOLS.iter().chain(&RUN_TOOLS).map(|tool| tool.name).collect();
        assert_eq!(names.len(), TOOLS.len() + RUN_TOOLS.len());
        assert!(TOOLS.iter().all(|tool| !["faketime", "ip", "mutants"].contains(&tool.name)));
    }

    #[test]
    fn what_is_there_is_not_installed_again() {
        assert!(require(&["tar"]).is_ok() && require(&[]).is_ok());
    }
}
