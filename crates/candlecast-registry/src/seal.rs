//! Sealed JSON: a small document that carries the SHA-256 of its own content.
//!
//! The seal is the last field, the hex digest of all fields before it as compact JSON in the order they stand in.
//! White space does not count; any other change shows.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::RegistryError;
use crate::meta::FORMAT;

const SEAL: &str = "seal";
const FORMAT_FIELD: &str = "format";

/// Lower-case hex SHA-256.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(bytes);
    digest.iter().fold(String::with_capacity(64), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes whatever is written to it");
        hex
    })
}

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

/// Reads what [`seal`] wrote to `file`: the format first, so that a later one is named as such, then the seal,
/// then the fields.
pub(crate) fn open<T: DeserializeOwned>(bytes: &[u8], file: &Path) -> Result<T, RegistryError> {
    let mut fields: Map<String, Value> =
        serde_json::from_slice(bytes).map_err(|e| RegistryError::corrupt(file, format!("no complete JSON: {e}")))?;
    let format = fields.get(FORMAT_FIELD).and_then(Value::as_u64);
    let format = format.ok_or_else(|| RegistryError::corrupt(file, "it names no format"))?;
    if format != u64::from(FORMAT) {
        return Err(RegistryError::UnknownFormat { file: file.to_owned(), format, known: FORMAT });
    }
    let sealed = fields.shift_remove(SEAL);
    let found = digest(&fields).map_err(|e| RegistryError::corrupt(file, e.to_string()))?;
    if sealed.as_ref().and_then(Value::as_str) != Some(found.as_str()) {
        return Err(RegistryError::corrupt(file, "its content does not agree with its seal"));
    }
    serde_json::from_value(Value::Object(fields)).map_err(|e| RegistryError::corrupt(file, e.to_string()))
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
    fn the_digest_is_sha_256() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
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
    fn truncation_is_refused_except_of_the_last_line_break() {
        let bytes = seal(&note()).unwrap();
        for len in 0..bytes.len() - 1 {
            assert!(matches!(read(&bytes[..len]), Err(RegistryError::Corrupt { .. })), "{len}");
        }
        assert_eq!(read(&bytes[..bytes.len() - 1]).unwrap(), note());
    }

    #[test]
    fn later_formats_and_unknown_fields_are_named() {
        let later = seal(&Note { format: 7, ..note() }).unwrap();
        assert!(matches!(read(&later), Err(RegistryError::UnknownFormat { format: 7, .. })));

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
