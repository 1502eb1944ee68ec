//! Ranges of time in requests: an open end is left out. For `#[serde(with = "candlecast_core::open_range")]`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::{TimeRange, Timestamp};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<Timestamp>,
}

impl From<TimeRange> for Span {
    fn from(range: TimeRange) -> Self {
        Self {
            from: Some(range.from).filter(|t| *t != TimeRange::ALL.from),
            to: Some(range.to).filter(|t| *t != TimeRange::ALL.to),
        }
    }
}

/// Writes a range without its open ends.
pub fn serialize<S: Serializer>(range: &TimeRange, serializer: S) -> Result<S::Ok, S::Error> {
    Span::from(*range).serialize(serializer)
}

/// Reads a range; an end that is left out is open.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimeRange, D::Error> {
    let span = Span::deserialize(deserializer)?;
    Ok(TimeRange { from: span.from.unwrap_or(TimeRange::ALL.from), to: span.to.unwrap_or(TimeRange::ALL.to) })
}

/// A range as JSON.
pub fn value(range: TimeRange) -> Value {
    serde_json::to_value(Span::from(range)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_ends_are_left_out_and_come_back() {
        let at = |ms| Timestamp(ms);
        for (range, text) in [
            (TimeRange::ALL, "{}"),
            (TimeRange { from: at(1_704_067_200_000), ..TimeRange::ALL }, r#"{"from":"2024-01-01T00:00:00Z"}"#),
            (
                TimeRange { from: at(1_704_067_200_000), to: at(1_704_067_200_001) },
                r#"{"from":"2024-01-01T00:00:00Z","to":"2024-01-01T00:00:00.001Z"}"#,
            ),
        ] {
            assert_eq!(value(range).to_string(), text);
            assert_eq!(deserialize(value(range)).unwrap(), range);
        }
        assert!(deserialize(serde_json::json!({ "form": "2024-01-01" })).is_err());
    }
}
