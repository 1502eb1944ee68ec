//! `strace`, by which tests see in what order a program writes and syncs its files.

use std::process::Command;

use crate::sh;

/// Makes sure that it is there: where it is not and this is root, the distribution's package is installed. An error says
/// in words why it is missing.
pub(crate) fn find_or_install() -> Result<(), String> {
    if is_there() {
        return Ok(());
    }
    let is_root = sh::capture(Command::new("id").arg("-u")).is_ok_and(|id| id == "0");
    let has_apt = sh::succeeds(Command::new("apt-get").arg("--version"));
    if !is_root || !has_apt {
        return Err("strace is not installed (apt-get install strace)".into());
    }
    let apt = |words: &[&str]| {
        eprintln!("$ apt-get {}", words.join(" "));
        sh::succeeds(Command::new("apt-get").args(words).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let package = || apt(&["install", "-y", "--no-install-recommends", "strace"]);
    // The list of packages may be missing or old.
    if (package() || (apt(&["update"]) && package())) && is_there() {
        Ok(())
    } else {
        Err("`apt-get install strace` failed".into())
    }
}

fn is_there() -> bool {
    sh::succeeds(Command::new("strace").arg("-V"))
}
