//! [`Network`]: two hosts on this machine, each with a network, a name and process numbers of its own, joined with the
//! machine by a cable each. Where that is not allowed, two addresses of the loopback stand for it.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{packages, sh};

const NAMES: [&str; 2] = ["alpha", "beta"];
/// Addresses for measurements, which lead nowhere else (RFC 2544).
const BENCHMARK: &str = "198.18.0.0/15";
const LOOPBACK: &str = "127.0.0.0/8";

/// A host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) name: &'static str,
    /// Words before a program that runs there.
    pub(super) before: Vec<String>,
    /// Where it finds this machine.
    pub(super) gateway: String,
    /// True where its processes say its name when they are asked who they are.
    pub(super) has_name: bool,
}

/// The hosts. What was made for them goes when this is dropped.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) hosts: Vec<Host>,
    /// The network that they come from.
    pub(super) clients: &'static str,
    /// Named network namespaces.
    namespaces: Vec<String>,
}

impl Network {
    /// Namespaces where they are allowed. The second value says why there are none.
    pub(super) fn make() -> (Self, Option<String>) {
        let mut network = Self { hosts: Vec::new(), clients: BENCHMARK, namespaces: Vec::new() };
        match network.add_namespaces() {
            Ok(()) => (network, None),
            Err(error) => {
                drop(network);
                let hosts = NAMES.into_iter().zip(["127.0.0.2", "127.0.0.3"]).map(|(name, address)| Host {
                    name,
                    before: Vec::new(),
                    gateway: address.to_owned(),
                    has_name: false,
                });
                let network = Self { hosts: hosts.collect(), clients: LOOPBACK, namespaces: Vec::new() };
                (network, Some(format!("{error:#}")))
            }
        }
    }

    fn add_namespaces(&mut self) -> Result<()> {
        packages::require(&["ip", "unshare"])?;
        let id = std::process::id();
        for (k, name) in (0..).zip(NAMES) {
            let namespace = format!("candlecast-{id}-{name}");
            ip(&["netns", "add", &namespace])?;
            self.namespaces.push(namespace.clone());
            let cable = Cable::of(id, k);
            for line in cable.lines(&namespace) {
                ip(&line.split(' ').collect::<Vec<_>>())?;
            }
            let before = words(&namespace, name);
            let said = sh::capture(Command::new(&before[0]).args(&before[1..]).arg("hostname"))
                .with_context(|| format!("no program runs on {name}"))?;
            ensure!(said == name, "the host {name} is called {said}");
            self.hosts.push(Host { name, before, gateway: cable.outer_address, has_name: true });
        }
        Ok(())
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in &self.namespaces {
            // With it go its end of the cable, and the other one. What cannot go now goes with the machine.
            let _ = ip(&["netns", "del", namespace]);
        }
    }
}

fn ip(words: &[&str]) -> Result<()> {
    sh::capture(Command::new("ip").args(words)).map(drop)
}

/// Words before a program in a network namespace, with a host name and process numbers of its own. Whoever kills the
/// first process kills all.
fn words(namespace: &str, name: &str) -> Vec<String> {
    let unshare = ["unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let script = format!("hostname {name} && exec \"$@\"");
    let shell = ["sh", "-c", &script, "sh"];
    ["ip", "netns", "exec", namespace].iter().chain(&unshare).chain(&shell).map(|word| (*word).to_owned()).collect()
}

/// A cable: its ends and their addresses.
#[derive(Debug, PartialEq, Eq)]
struct Cable {
    outer: String,
    inner: String,
    outer_address: String,
    inner_address: String,
}

impl Cable {
    /// The cable of host `k` of the process `id`. Names of interfaces have at most fifteen characters.
    fn of(id: u32, k: u32) -> Self {
        let outer = format!("cc{id}{k}");
        let address = |last: u32| format!("198.18.{}.{}", id % 250, 4 * k + last);
        Self { inner: format!("{outer}i"), outer, outer_address: address(1), inner_address: address(2) }
    }

    /// What lays it, in the words of `ip`.
    fn lines(&self, namespace: &str) -> [String; 6] {
        let Self { outer, inner, outer_address, inner_address } = self;
        [
            format!("link add {outer} type veth peer name {inner} netns {namespace}"),
            format!("addr add {outer_address}/30 dev {outer}"),
            format!("link set {outer} up"),
            format!("-n {namespace} addr add {inner_address}/30 dev {inner}"),
            format!("-n {namespace} link set {inner} up"),
            format!("-n {namespace} link set lo up"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cables_have_ends_and_addresses_of_their_own() {
        let (a, b) = (Cable::of(4_194_304, 0), Cable::of(4_194_304, 1));
        assert!(a.inner.len() <= 15 && a.outer != b.outer && a.inner != b.inner);
        assert_eq!((a.outer_address.as_str(), a.inner_address.as_str()), ("198.18.54.1", "198.18.54.2"));
        assert_eq!((b.outer_address.as_str(), b.inner_address.as_str()), ("198.18.54.5", "198.18.54.6"));
        assert!(a.lines("x")[0].ends_with("peer name cc41943040i netns x"), "{:?}", a.lines("x"));
    }

    #[test]
    fn programs_run_behind_the_name_of_their_host() {
        let words = words("candlecast-1-alpha", "alpha").join(" ");
        assert!(words.starts_with("ip netns exec candlecast-1-alpha unshare --uts --pid"), "{words}");
        assert!(words.ends_with("sh -c hostname alpha && exec \"$@\" sh"), "{words}");
    }
}
