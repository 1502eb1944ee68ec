//! What may be stored, checked before anything is sent.

use serde_json::Value;

use crate::MetaError;

/// Longest identifier, bytes.
const MAX_ID: usize = 200;
/// Longest free text, bytes: an error, a log line.
const MAX_TEXT: usize = 64 * 1024;
/// Longest JSON document, bytes.
const MAX_JSON: usize = 16 * 1024 * 1024;

/// An identifier: 1 to 200 visible ASCII characters.
pub(crate) fn id<'a>(field: &'static str, text: &'a str) -> Result<&'a str, MetaError> {
    let fits = (1..=MAX_ID).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(text) } else { Err(MetaError::invalid(field, text, "use 1 to 200 visible ASCII characters")) }
}

/// Free text made storable: NUL, which PostgreSQL refuses, is replaced, and what is too long is cut. A message
/// that explains a failure must never be the cause of another.
pub(crate) fn free_text(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].replace('\0', "\u{fffd}")
}

/// A JSON document as text.
pub(crate) fn json(field: &'static str, value: &Value) -> Result<String, MetaError> {
    let text = value.to_string();
    if text.len() <= MAX_JSON {
        Ok(text)
    } else {
        Err(MetaError::invalid(field, &text, "keep the document below 16 MB and put the rest into a file"))
    }
}

/// A finite number; undefined is `None`, never NaN.
pub(crate) fn finite(field: &'static str, value: f64) -> Result<f64, MetaError> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(MetaError::invalid(field, &value.to_string(), "give a finite number, or leave it out"))
    }
}

/// A finite number, if any.
pub(crate) fn finite_if_any(field: &'static str, value: Option<f64>) -> Result<Option<f64>, MetaError> {
    value.map(|v| finite(field, v)).transpose()
}

/// A number that fits the database's signed 64 bits.
pub(crate) fn whole(field: &'static str, value: u64) -> Result<i64, MetaError> {
    i64::try_from(value).map_err(|_| MetaError::invalid(field, &value.to_string(), "give a number below 2^63"))
}

/// A number that fits, if any.
pub(crate) fn whole_if_any(field: &'static str, value: Option<u64>) -> Result<Option<i64>, MetaError> {
    value.map(|v| whole(field, v)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_short_visible_ascii() {
        assert!(id("id", "BTCUSDT_LSTM_1.0.0").is_ok());
        for bad in ["", " ", "a b", "a\0", "ü", &"x".repeat(201)] {
            assert!(id("id", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn texts_are_cut_between_characters_and_lose_nul() {
        assert_eq!(free_text("a\0b"), "a\u{fffd}b");
        let long = "ü".repeat(MAX_TEXT);
        assert_eq!(free_text(&format!("x{long}")).len(), MAX_TEXT - 1);
    }

    #[test]
    fn only_finite_numbers_pass() {
        assert!(finite("x", 1.0).is_ok() && finite("x", f64::NAN).is_err());
        assert_eq!(finite_if_any("x", None), Ok(None));
        assert!(whole("x", u64::MAX).is_err());
    }
}
