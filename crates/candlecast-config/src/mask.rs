//! Secrets made fit to be shown.

use crate::kind::Kind;

/// What stands in the place of a secret.
const MASK: &str = "***";

/// `text` without what is secret in it: the password of an address, all of anything else.
pub(crate) fn masked(kind: Kind, text: &str) -> String {
    if matches!(kind, Kind::Url { .. }) { without_password(text) } else { MASK.into() }
}

/// An address without its password. A password may hold `@`, `/` or `?` that should have been escaped, so everything
/// from the first `:` of the user part to the last `@` goes: rather too much than too little.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return MASK.into() };
    let (user, place) = match rest.rsplit_once('@') {
        Some((user, place)) => (Some(user), place),
        None => (None, rest),
    };
    let place = without_secret_parameters(place);
    match user {
        None => format!("{scheme}://{place}"),
        Some(user) => match user.split_once(':') {
            Some((name, _)) => format!("{scheme}://{name}:{MASK}@{place}"),
            // The `@` belongs to a parameter, and where that one ends cannot be told.
            None if user.contains('?') => format!("{scheme}://{MASK}"),
            None => format!("{scheme}://{user}@{place}"),
        },
    }
}

/// `?password=x&sslmode=require` becomes `?password=***&sslmode=require`.
fn without_secret_parameters(place: &str) -> String {
    let Some((host, query)) = place.split_once('?') else { return place.into() };
    let is_secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["pass", "secret", "token", "key"].iter().any(|word| name.contains(word))
    };
    let parts: Vec<String> = query
        .split('&')
        .map(|part| match part.split_once('=') {
            Some((name, _)) if is_secret(name) => format!("{name}={MASK}"),
            _ => part.into(),
        })
        .collect();
    format!("{host}?{}", parts.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: Kind = Kind::Url { schemes: &["postgres"], example: "" };

    #[test]
    fn passwords_never_show_however_they_are_written() {
        for (url, shown) in [
            ("postgres://ann:hunter2@db:5432/x", "postgres://ann:***@db:5432/x"),
            ("postgres://ann@db/x", "postgres://ann@db/x"),
            ("postgres://db/x?sslmode=require", "postgres://db/x?sslmode=require"),
            ("postgres://ann:hun@ter/2@db/x", "postgres://ann:***@db/x"),
            ("postgres://ann:hun?ter2@db/x", "postgres://ann:***@db/x"),
            ("postgres://db/x?user=ann&password=hunter2", "postgres://db/x?user=ann&password=***"),
            ("postgres://db/x?password=hun@ter2", "postgres://***"),
            ("redis://:hunter2@db", "redis://:***@db"),
            ("hunter2", "***"),
        ] {
            assert_eq!(masked(URL, url), shown);
        }
        assert_eq!(masked(Kind::Text, "hunter2"), "***");
    }
}
