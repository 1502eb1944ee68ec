//! [`check_address`]: which base URLs an exchange may be given without a word of consent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

/// Endings of names that only a private network resolves.
const PRIVATE_ENDINGS: [&str; 6] = [".local", ".localdomain", ".internal", ".intranet", ".lan", ".home.arpa"];

/// Says why `url` should not be used as the address of an exchange unless the user has allowed it: it leads into a
/// private network, crosses a network in the clear, or carries more than an address. This machine itself is fine. Names
/// are judged as they are written; nothing is resolved.
pub fn check_address(url: &str) -> Result<(), String> {
    let parsed = Url::parse(url).map_err(|e| e.to_string())?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("it carries a user name or a password".to_owned());
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err("it has a query or a fragment, where only an address belongs".to_owned());
    }
    let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']).trim_end_matches('.').to_owned();
    let is_this_machine = match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => check_ip(address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4))?,
        Ok(address) => check_ip(address)?,
        Err(_) => check_name(&host)?,
    };
    if is_this_machine || matches!(parsed.scheme(), "https" | "wss") {
        return Ok(());
    }
    Err(format!("{} is not encrypted: anybody on the way could change the candles", parsed.scheme()))
}

/// True for this machine.
fn check_name(host: &str) -> Result<bool, String> {
    if host == "localhost" {
        return Ok(true);
    }
    if host.is_empty() {
        return Err("it names no host".to_owned());
    }
    if !host.contains('.') || PRIVATE_ENDINGS.iter().any(|ending| host.ends_with(ending)) {
        return Err(format!("{host} is a name of a private network"));
    }
    Ok(false)
}

/// True for this machine.
fn check_ip(address: IpAddr) -> Result<bool, String> {
    if address.is_loopback() {
        return Ok(true);
    }
    let is_special = match address {
        IpAddr::V4(v4) => is_special_v4(v4),
        IpAddr::V6(v6) => is_special_v6(v6),
    };
    if is_special { Err(format!("{address} is no public address")) } else { Ok(false) }
}

/// Private, shared (RFC 6598), link-local, for documentation or multicast, reserved.
fn is_special_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    address.is_private()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
}

fn is_special_v6(address: Ipv6Addr) -> bool {
    address.is_unspecified() || address.is_multicast() || address.is_unique_local() || address.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_and_this_machine_pass() {
        for url in [
            "https://api.binance.com",
            "wss://stream.binance.com:9443",
            "https://proxy.example.com/binance",
            "https://93.184.215.14",
            "http://localhost:8080",
            "http://127.0.0.1:9",
            "ws://[::1]:9",
        ] {
            assert_eq!(check_address(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn private_networks_plain_text_and_extras_do_not() {
        for (url, word) in [
            ("https://10.0.0.1", "no public address"),
            ("https://192.168.1.1", "no public address"),
            ("https://172.20.0.1", "no public address"),
            ("http://169.254.169.254", "no public address"),
            ("https://100.64.1.1", "no public address"),
            ("https://0.0.0.0", "no public address"),
            ("https://3232235777", "no public address"),
            ("https://[fe80::1]", "no public address"),
            ("https://[fd00::1]", "no public address"),
            ("https://[::ffff:10.0.0.1]", "no public address"),
            ("https://router", "private network"),
            ("https://nas.local", "private network"),
            ("https://metadata.google.internal.", "private network"),
            ("http://api.binance.com", "not encrypted"),
            ("ws://stream.binance.com", "not encrypted"),
            ("https://me:secret@api.binance.com", "password"),
            ("https://api.binance.com?x=1", "query"),
            ("not a url", "relative URL"),
        ] {
            let reason = check_address(url).unwrap_err();
            assert!(reason.contains(word) && !reason.contains("secret"), "{url}: {reason}");
        }
    }
}
