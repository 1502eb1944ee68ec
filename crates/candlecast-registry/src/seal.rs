//! Sealed JSON: a small document that carries the SHA-256 of its own content.
//!
//! The seal is the last field, the hex digest of all fields before it as compact JSON in the order they stand in.
//! White space does not count; any other change shows.

use std::path::Path;

pub(crate) use candlecast_files::sha256_hex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::RegistryError;
use crate::manifest::FORMAT;

const SEAL: &str = "seal";
const FORMAT_FIELD: &str = "format";

fn digest(fields: &Map<String, Value>) -> Result<String, serde_json::Error> {
    Ok(sha256_hex(&serde_json::to_vec(fields)?))
}

/// `document` as indented, sealed JSON. It must be a struct with a numeric field `format`.
pub(crate) fn seal<T: Serialize>(document: &T) -> Result<Vec<u8>, RegistryError> {
    let not_json = |e: serde_json::Error| RegistryError::NotJson { reason: e.to_string() };
    let Value::Object(mut fields) = serde_json::to_value(document).map_err(not_json)? else {
        return Err(RegistryError::NotJson { reason: "the document is no object".into() });
    };
    let seal = digest(&fields).map_err(not_json)?;
    fields.insert(SEAL.into(), seal.into());
    let mut bytes = serde_json::to_vec_pretty(&fields).map_err(not_json)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads what [`seal`] wrote to `file`, in any format known here.
pub(crate) fn open<T: DeserializeOwned>(bytes: &[u8], file: &Path) -> Result<T, RegistryError> {
    open_any(bytes, file).and_then(|(_, document)| parse(document, file))
}

/// Format and fields of what was sealed: the format first, so that a later one is named as such, then the seal. The
/// seal is of the fields as they stand in the file, so fields that a document of an older format does not have change
/// nothing.
pub(crate) fn open_any(bytes: &[u8], file: &Path) -> Result<(u32, Value), RegistryError> {
    let mut fields: Map<String, Value> =
        serde_json::from_slice(bytes).map_err(|e| RegistryError::corrupt(file, format!("no complete JSON: {e}")))?;
    let format = fields.get(FORMAT_FIELD).and_then(Value::as_u64);
    let format = format.ok_or_else(|| RegistryError::corrupt(file, "it names no format"))?;
    let known = u32::try_from(format).ok().filter(|format| (1..=FORMAT).contains(format));
    let known = known.ok_or_else(|| RegistryError::UnknownFormat { file: file.to_owned(), format, known: FORMAT })?;
    let sealed = fields.shift_remove(SEAL);
    let found = digest(&fields).map_err(|e| RegistryError::corrupt(file, e.to_string()))?;
    if sealed.as_ref().and_then(Value::as_str) != Some(found.as_str()) {
        return Err(RegistryError::corrupt(file, "its content does not agree with its seal"));
    }
    Ok((known, Value::Object(fields)))
}

/// The document `fields` of `file`.
pub(crate) fn parse<T: DeserializeOwned>(fields: Value, file: &Path) -> Result<T, RegistryError> {
    serde_json::from_value(fields).map_err(|e| RegistryError::corrupt(file, e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Note {
        format: u32,
        text: String,
        number: f64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        more: Option<u32>,
    }

    fn note() -> Note {
        Note { format: FORMAT, text: "a\"b\u{e9}\n".into(), number: 0.1 + 0.2, more: None }
    }

    fn read(bytes: &[u8]) -> Result<Note, RegistryError> {
        open(bytes, Path::new("note.json"))
    }

    #[test]
    fn every_altered_byte_is_refused_or_harmless() {
        let bytes = seal(&note()).unwrap();
        assert_eq!(read(&bytes).unwrap(), note());
        for at in 0..bytes.len() {
            for flip in [0x01, 0x02, 0x10, 0x20, 0x80] {
                let mut altered = bytes.clone();
                altered[at] ^= flip;
                if let Ok(found) = read(&altered) {
                    assert_eq!(found, note(), "byte {at}");
                }
            }
        }
    }

    #[test]
    fn older_formats_are_read_and_their_number_is_sealed_too() {
        let older = Note { format: 1, ..note() };
        let bytes = seal(&older).unwrap();
        assert_eq!(read(&bytes).unwrap(), older);
        let renumbered = String::from_utf8(bytes).unwrap().replace("\"format\": 1", "\"format\": 2");
        assert!(matches!(read(renumbered.as_bytes()), Err(RegistryError::Corrupt { .. })));
    }

    #[test]
    fn truncation_is_refused_except_of_the_last_line_break() {
        let bytes = seal(&note()).unwrap();
        for len in 0..bytes.len() - 1 {
            assert!(matches!(read(&bytes[..len]), Err(RegistryError::Corrupt { .. })), "{len}");
        }
        assert_eq!(read(&bytes[..bytes.len() - 1]).unwrap(), note());
    }

    #[test]
    fn later_formats_and_unknown_fields_are_named() {
        for format in [0, FORMAT + 1, 7] {
            let other = seal(&Note { format, ..note() }).unwrap();
            let refused = read(&other).unwrap_err();
            let named = matches!(refused, RegistryError::UnknownFormat { format: f, .. } if f == u64::from(format));
            assert!(named, "{refused}");
        }

        #[derive(Serialize)]
        struct Other {
            format: u32,
            text: &'static str,
            number: Option<f64>,
            surprise: u32,
        }
        let mut other = Other { format: FORMAT, text: "", number: Some(1.0), surprise: 1 };
        let text = read(&seal(&other).unwrap()).unwrap_err().to_string();
        assert!(text.contains("unknown field `surprise`"), "{text}");
        // NaN becomes null in JSON; a number that is null is refused.
        other.number = None;
        assert!(read(&seal(&other).unwrap()).is_err());
    }
}
