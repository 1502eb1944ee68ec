//! [`check_address`]: which base URLs an exchange may be given without a word of consent, and [`shown`], how a URL is
//! told of.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

use crate::error::brief;

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
        Ok(address) => check_ip(address)?,
        Err(_) => check_name(&host)?,
    };
    if is_this_machine || matches!(parsed.scheme(), "https" | "wss") {
        return Ok(());
    }
    Err(format!("{} is not encrypted: anybody on the way could change the candles", parsed.scheme()))
}

/// Says why the host of `url` should not be connected to: one of the addresses that its name has now is of a private
/// network. A name that has none passes; what connects to it says so better.
pub(crate) async fn check_resolved(url: &str) -> Result<(), String> {
    let parsed = Url::parse(url).map_err(|e| e.to_string())?;
    let (Some(host), Some(port)) = (parsed.host_str(), parsed.port_or_known_default()) else { return Ok(()) };
    let host = host.trim_matches(['[', ']']);
    let Ok(found) = tokio::net::lookup_host((host, port)).await else { return Ok(()) };
    for address in found {
        check_ip(behind_translation(address.ip())).map_err(|reason| {
            format!("its name leads into a private network, {reason}: pass --allow-url if it is meant")
        })?;
    }
    Ok(())
}

/// The IPv4 address that a resolver behind a translator (DNS64, RFC 6147) has written as one of 64:ff9b::/96; any other as
/// it is.
fn behind_translation(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if v6.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0] => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        other => other,
    }
}

/// `url` for people to see: without user name, password, query and fragment, which may be secret.
pub(crate) fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or((String::new(), url), |(s, rest)| (format!("{s}://"), rest));
    let (authority, after) = rest.split_at(rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len()));
    if after.contains('@') {
        // A password that is not encoded may reach up to there.
        return brief(&format!("{scheme}..."));
    }
    let host = authority.rsplit('@').next().unwrap_or_default();
    let path = after.split(['?', '#']).next().unwrap_or_default();
    brief(&format!("{scheme}{host}{path}"))
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
    let address = match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    if address.is_loopback() {
        return Ok(true);
    }
    let is_special = match address {
        IpAddr::V4(v4) => is_special_v4(v4),
        IpAddr::V6(v6) => is_special_v6(v6),
    };
    if is_special { Err(format!("{address} is no public address")) } else { Ok(false) }
}

/// Private, shared (RFC 6598), link-local, for documentation, benchmarks (RFC 2544), protocols (RFC 6890) or multicast,
/// reserved.
fn is_special_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 198 && (b & 0xfe) == 18)
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
}

/// The same of IPv6, and prefixes that carry an IPv4 address behind which anything may lie: translated (RFC 6052, RFC
/// 8215), 6to4 (RFC 3056), Teredo (RFC 4380), compatible (RFC 4291).
fn is_special_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let carries_v4 = segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0]
        || segments[..3] == [0x64, 0xff9b, 1]
        || segments[0] == 0x2002
        || segments[..2] == [0x2001, 0]
        || segments[..6] == [0; 6];
    let for_documentation = segments[..2] == [0x2001, 0xdb8] || (segments[0] == 0x3fff && segments[1] < 0x1000);
    carries_v4
        || for_documentation
        || segments[0] & 0xffc0 == 0xfec0
        || segments[..4] == [0x100, 0, 0, 0]
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local()
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
            "https://198.17.0.1",
            "https://198.20.0.1",
            "https://192.0.1.1",
            "https://[2606:4700::1111]",
            "https://[2001:4860:4860::8888]",
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
            ("https://198.18.0.1", "no public address"),
            ("https://198.19.255.254", "no public address"),
            ("https://192.0.0.8", "no public address"),
            ("https://192.88.99.1", "no public address"),
            ("https://[64:ff9b::a00:1]", "no public address"),
            ("https://[64:ff9b:1::a00:1]", "no public address"),
            ("https://[2002:a00:1::1]", "no public address"),
            ("https://[2001:0:a00:1::1]", "no public address"),
            ("https://[2001:db8::1]", "no public address"),
            ("https://[::10.0.0.1]", "no public address"),
            ("https://[::]", "no public address"),
            ("https://[fec0::1]", "no public address"),
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

    #[test]
    fn what_is_shown_of_a_url_is_no_secret() {
        for (url, expected) in [
            ("https://me:secret@api.example.com:8443/path?key=secret#secret", "https://api.example.com:8443/path"),
            ("ftp://secret@api.example.com", "ftp://api.example.com"),
            ("me:secret@api.example.com/path", "api.example.com/path"),
            ("https://me:sec@secret@api.example.com", "https://api.example.com"),
            ("https://me:sec/secret@api.example.com", "https://..."),
            ("https://me:sec?secret@api.example.com", "https://..."),
            ("https://api.example.com", "https://api.example.com"),
            ("not a url", "not a url"),
            ("", ""),
        ] {
            let text = shown(url);
            assert!(!text.contains("secret"), "{url}: {text}");
            assert_eq!(text, expected, "{url}");
        }
    }

    #[tokio::test]
    async fn what_leads_into_a_private_network_is_told() {
        for fine in ["http://127.0.0.1:9", "ws://[::1]:9", "https://93.184.215.14", "https://[64:ff9b::5db8:d70e]"] {
            assert_eq!(check_resolved(fine).await, Ok(()), "{fine}");
        }
        for private in ["https://10.0.0.1", "wss://[64:ff9b::a00:1]:9443", "http://198.18.0.1"] {
            let reason = check_resolved(private).await.unwrap_err();
            assert!(reason.contains("no public address") && reason.contains("--allow-url"), "{reason}");
        }
    }
}
