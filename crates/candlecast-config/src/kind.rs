//! [`Kind`]: which values a setting takes, how their text is read and how they are shown.

use std::net::SocketAddr;
use std::path::PathBuf;

/// A setting's value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// A word, an address, a secret.
    Text(String),
    /// A path.
    Folder(PathBuf),
    /// A whole number, in the kind's unit; sizes in bytes.
    Whole(i64),
    /// A number, in the kind's unit.
    Real(f64),
    /// True or false.
    Switch(bool),
}

/// What a setting takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// A folder, relative to the working directory.
    Folder,
    /// A whole number within bounds.
    Whole {
        /// Least.
        min: i64,
        /// Greatest.
        max: i64,
        /// `days`, `seconds`, `milliseconds`, or empty for a count.
        unit: &'static str,
    },
    /// Days for which something is kept, at least 1; `never` to forget is 0.
    Retention {
        /// Most.
        max: i64,
    },
    /// A number within bounds.
    Real {
        /// Least.
        min: f64,
        /// Greatest.
        max: f64,
    },
    /// A percentage within bounds, with or without the sign.
    Percent {
        /// Least.
        min: f64,
        /// Greatest.
        max: f64,
    },
    /// A number of bytes, at least 1, with or without `KB`, `MB`, `GB` (powers of 1,024).
    Size,
    /// True or false.
    Switch,
    /// One of some words, ignoring case.
    Choice {
        /// The words.
        words: &'static [&'static str],
        /// What others call them, and the word that is meant.
        also: &'static [(&'static str, &'static str)],
    },
    /// An address with one of some schemes.
    Url {
        /// The schemes.
        schemes: &'static [&'static str],
        /// One that is right.
        example: &'static str,
    },
    /// Name or number of a host, without scheme and port.
    Host,
    /// Number of a host, and port.
    Address,
    /// Any text.
    Text,
}

impl Kind {
    /// The value that `text` says; `None` if it says none that is allowed.
    pub(crate) fn read(self, text: &str) -> Option<Value> {
        let text = text.trim();
        match self {
            Self::Folder => Some(Value::Folder(text.into())),
            Self::Whole { min, max, .. } => {
                text.parse::<i64>().ok().filter(|n| (min..=max).contains(n)).map(Value::Whole)
            }
            Self::Retention { max } => retention(text, max).map(Value::Whole),
            Self::Real { min, max } => real(text, min, max),
            Self::Percent { min, max } => real(text.trim_end_matches('%').trim_end(), min, max),
            Self::Size => size(text).map(Value::Whole),
            Self::Switch => switch(text).map(Value::Switch),
            Self::Choice { words, also } => choice(text, words, also).map(|word| Value::Text(word.into())),
            Self::Url { schemes, .. } => is_url(text, schemes).then(|| Value::Text(text.into())),
            Self::Host => is_host(text).then(|| Value::Text(text.into())),
            Self::Address => text.parse::<SocketAddr>().ok().map(|address| Value::Text(address.to_string())),
            Self::Text => Some(Value::Text(text.into())),
        }
    }

    /// What is allowed, as the end of "write …".
    pub(crate) fn allowed(self) -> String {
        match self {
            Self::Folder => "a folder".into(),
            Self::Whole { min, max, unit: "" } => format!("a whole number from {min} to {max}"),
            Self::Whole { min, max, unit } => format!("a whole number of {unit} from {min} to {max}"),
            Self::Retention { max } => format!("a whole number of days from 1 to {max}, or `never` to keep everything"),
            Self::Real { min, max } => format!("a number from {min} to {max}"),
            Self::Percent { min, max } => format!("a percentage from {min} to {max}"),
            Self::Size => "a size such as 512MB or 4GB".into(),
            Self::Switch => "true or false".into(),
            Self::Choice { words, .. } => format!("one of {}", words.join(", ")),
            Self::Url { example, .. } => format!("an address such as {example}"),
            Self::Host => "the name of a host, without http:// and port".into(),
            Self::Address => "an address such as 127.0.0.1:8000".into(),
            Self::Text => "a text".into(),
        }
    }

    /// Unit of the numbers, if there is one.
    pub(crate) fn unit(self) -> Option<&'static str> {
        match self {
            Self::Whole { unit, .. } if !unit.is_empty() => Some(unit),
            Self::Retention { .. } => Some("days"),
            Self::Percent { .. } => Some("percent"),
            Self::Size => Some("bytes"),
            _ => None,
        }
    }

    /// A value of this kind for people, with its unit.
    pub(crate) fn show(self, value: &Value) -> String {
        match (self, value) {
            (Self::Size, Value::Whole(bytes)) => show_size(*bytes),
            (Self::Retention { .. }, Value::Whole(0)) => NEVER.into(),
            (Self::Percent { .. }, Value::Real(share)) => format!("{share} %"),
            (_, Value::Whole(n)) => self.unit().map_or_else(|| n.to_string(), |unit| format!("{n} {unit}")),
            (_, Value::Real(v)) => v.to_string(),
            (_, Value::Switch(on)) => on.to_string(),
            (_, Value::Folder(path)) => path.display().to_string(),
            (_, Value::Text(text)) => text.clone(),
        }
    }
}

/// What says that nothing is ever forgotten.
const NEVER: &str = "never";

fn retention(text: &str, max: i64) -> Option<i64> {
    if text.eq_ignore_ascii_case(NEVER) {
        return Some(0);
    }
    text.parse::<i64>().ok().filter(|days| (0..=max).contains(days))
}

fn real(text: &str, min: f64, max: f64) -> Option<Value> {
    text.parse::<f64>().ok().filter(|v| *v >= min && *v <= max).map(Value::Real)
}

fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn choice(text: &str, words: &[&'static str], also: &[(&'static str, &'static str)]) -> Option<&'static str> {
    let text = text.to_ascii_lowercase();
    let other = || also.iter().find(|(name, _)| *name == text).map(|&(_, word)| word);
    words.iter().copied().find(|word| *word == text).or_else(other)
}

fn is_url(text: &str, schemes: &[&str]) -> bool {
    text.split_once("://").is_some_and(|(scheme, rest)| schemes.contains(&scheme) && !rest.is_empty())
}

fn is_host(text: &str) -> bool {
    let is_number = text.parse::<std::net::IpAddr>().is_ok();
    is_number || (!text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')))
}

const UNITS: [(&str, i64); 4] = [("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10), ("B", 1)];

fn size(text: &str) -> Option<i64> {
    let text = text.to_ascii_uppercase();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = match text[split..].trim() {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        name => UNITS.iter().find(|(unit, _)| *unit == name)?.1,
    };
    text[..split].parse::<i64>().ok()?.checked_mul(unit).filter(|&bytes| bytes > 0)
}

/// In the largest unit that leaves a whole number.
fn show_size(bytes: i64) -> String {
    let (name, unit) = UNITS.into_iter().find(|(_, unit)| bytes % unit == 0).unwrap_or(("B", 1));
    format!("{} {name}", bytes / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_the_kind() {
        assert_eq!(Kind::Size.read("2GB"), Some(Value::Whole(2 << 30)));
        assert_eq!(Kind::Size.read("512 mb"), Some(Value::Whole(512 << 20)));
        assert_eq!(Kind::Size.read("1048576"), Some(Value::Whole(1 << 20)));
        for bad in ["", "0", "-1", "1.5GB", "5 apples", "GB", "9999999999GB"] {
            assert_eq!(Kind::Size.read(bad), None, "{bad}");
        }
        let percent = Kind::Percent { min: 0.0, max: 100.0 };
        assert_eq!(percent.read("30"), Some(Value::Real(30.0)));
        assert_eq!(percent.read("12.5 %"), Some(Value::Real(12.5)));
        for bad in ["101", "NaN", "-1", "%"] {
            assert_eq!(percent.read(bad), None, "{bad}");
        }
        let ttl = Kind::Whole { min: 0, max: 100_000, unit: "seconds" };
        assert_eq!(ttl.read("86400"), Some(Value::Whole(86_400)));
        assert_eq!(ttl.read("24h"), None);
        assert!(ttl.allowed().contains("seconds"));
    }

    #[test]
    fn what_is_kept_for_days_may_be_kept_for_ever() {
        let kept = Kind::Retention { max: 36_500 };
        assert_eq!(kept.read("365"), Some(Value::Whole(365)));
        for never in ["never", " Never ", "0"] {
            assert_eq!(kept.read(never), Some(Value::Whole(0)), "{never}");
        }
        for bad in ["", "-1", "36501", "1.5", "a year", "nev"] {
            assert_eq!(kept.read(bad), None, "{bad}");
        }
        assert_eq!(kept.show(&Value::Whole(365)), "365 days");
        assert_eq!(kept.show(&Value::Whole(0)), "never");
        assert!(kept.allowed().contains("`never`") && kept.unit() == Some("days"));
    }

    #[test]
    fn words_ignore_case_and_addresses_keep_their_scheme() {
        let level = Kind::Choice { words: &["warn", "info"], also: &[("warning", "warn")] };
        assert_eq!(level.read("INFO"), Some(Value::Text("info".into())));
        assert_eq!(level.read("Warning"), Some(Value::Text("warn".into())));
        assert_eq!(level.read("loud"), None);
        let url = Kind::Url { schemes: &["postgres"], example: "" };
        assert!(url.read("postgres://db/x").is_some());
        for bad in ["mysql://db/x", "postgres://", "db/x"] {
            assert_eq!(url.read(bad), None, "{bad}");
        }
        assert!(Kind::Host.read("10.0.0.7").is_some() && Kind::Host.read("::1").is_some());
        for bad in ["http://db", "db:8123", "a b"] {
            assert_eq!(Kind::Host.read(bad), None, "{bad}");
        }
        for (text, on) in [("Yes", true), ("1", true), ("off", false), ("FALSE", false)] {
            assert_eq!(Kind::Switch.read(text), Some(Value::Switch(on)));
        }
    }

    #[test]
    fn values_are_shown_with_their_units() {
        assert_eq!(Kind::Size.show(&Value::Whole(8 << 30)), "8 GB");
        assert_eq!(Kind::Size.show(&Value::Whole(1500)), "1500 B");
        assert_eq!(Kind::Percent { min: 0.0, max: 1.0 }.show(&Value::Real(12.5)), "12.5 %");
        assert_eq!(Kind::Whole { min: 0, max: 9, unit: "seconds" }.show(&Value::Whole(3)), "3 seconds");
    }
}
