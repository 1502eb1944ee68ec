//! The payload file: `{"format":2,"program":"…", …the model's own fields}`.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::manifest::{FORMAT, ModelManifest};
use crate::{RegistryError, finite};

const FORMAT_FIELD: &str = "format";
const PROGRAM_FIELD: &str = "program";

#[derive(Serialize)]
struct Written<'a, P> {
    format: u32,
    program: &'a str,
    #[serde(flatten)]
    payload: &'a P,
}

/// The bytes of a payload file. `payload` is a struct or map without fields `format` and `program`; every
/// number in it must be finite.
pub(crate) fn encode<P: Serialize>(program: &str, payload: &P) -> Result<Vec<u8>, RegistryError> {
    finite::check(payload)?;
    let written = Written { format: FORMAT, program, payload };
    serde_json::to_vec(&written).map_err(|e| RegistryError::NotJson { reason: e.to_string() })
}

/// Reads bytes whose digest has been checked against `manifest`.
pub(crate) fn decode<P: DeserializeOwned>(
    bytes: &[u8],
    file: &Path,
    manifest: &ModelManifest,
) -> Result<P, RegistryError> {
    let read: Read<P> = serde_json::from_slice(bytes).map_err(|e| unreadable(file, manifest, e.to_string()))?;
    if read.format == manifest.format {
        Ok(read.payload)
    } else {
        let reason = format!("it has format {}, its meta {}", read.format, manifest.format);
        Err(unreadable(file, manifest, reason))
    }
}

/// Like [`decode`], but the fields of a file of an older format go to `migrate` as they are, with the format.
pub(crate) fn decode_with<P: DeserializeOwned>(
    bytes: &[u8],
    file: &Path,
    manifest: &ModelManifest,
    migrate: &impl Fn(u32, Value) -> Result<P, String>,
) -> Result<P, RegistryError> {
    if manifest.format == FORMAT {
        return decode(bytes, file, manifest);
    }
    let fields = decode(bytes, file, manifest)?;
    migrate(manifest.format, fields).map_err(|reason| unreadable(file, manifest, reason))
}

fn unreadable(file: &Path, manifest: &ModelManifest, reason: String) -> RegistryError {
    RegistryError::Unreadable { file: file.to_owned(), program: manifest.program_version.clone(), reason }
}

/// The model's fields after the two of the file. Read by hand and not with `flatten`, which would keep a copy of
/// every value and let unknown fields pass.
struct Read<P> {
    format: u32,
    payload: P,
}

impl<'de, P: Deserialize<'de>> Deserialize<'de> for Read<P> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(ReadVisitor(PhantomData))
    }
}

struct ReadVisitor<P>(PhantomData<P>);

impl<'de, P: Deserialize<'de>> Visitor<'de> for ReadVisitor<P> {
    type Value = Read<P>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object that begins with `format` and `program`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let format: u32 = leading(&mut fields, FORMAT_FIELD)?;
        if !(1..=FORMAT).contains(&format) {
            return Err(A::Error::custom(format_args!("it has format {format}, {FORMAT} is the newest known")));
        }
        let _program: String = leading(&mut fields, PROGRAM_FIELD)?;
        P::deserialize(MapAccessDeserializer::new(fields)).map(|payload| Read { format, payload })
    }
}

fn leading<'de, A: MapAccess<'de>, T: Deserialize<'de>>(fields: &mut A, name: &'static str) -> Result<T, A::Error> {
    match fields.next_key::<String>()? {
        Some(key) if key == name => fields.next_value(),
        _ => Err(A::Error::missing_field(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Tiny {
        weights: Vec<f64>,
        clip: Option<f64>,
    }

    fn read<P: DeserializeOwned>(text: &str) -> Result<P, serde_json::Error> {
        serde_json::from_str::<Read<P>>(text).map(|r| r.payload)
    }

    #[test]
    fn the_file_begins_with_format_and_program() {
        let tiny = Tiny { weights: vec![0.1, 1e-300, -0.0], clip: None };
        let bytes = encode("candlecast 0.1.0", &tiny).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text, r#"{"format":2,"program":"candlecast 0.1.0","weights":[0.1,1e-300,-0.0],"clip":null}"#);
        assert_eq!(read::<Tiny>(&text).unwrap(), tiny);
        assert_eq!(read::<Value>(&text).unwrap()["weights"][0], json!(0.1));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for text in [
            r#"{"program":"p","weights":[],"clip":null}"#,
            r#"{"program":"p","format":1,"weights":[],"clip":null}"#,
            r#"{"format":0,"program":"p","weights":[],"clip":null}"#,
            r#"{"format":3,"program":"p","weights":[],"clip":null}"#,
            r#"{"format":1,"program":"p","weights":[null],"clip":null}"#,
            r#"{"format":1,"program":"p","weights":[NaN],"clip":null}"#,
            r#"{"format":1,"program":"p","weights":[1e999],"clip":null}"#,
            r#"{"format":1,"program":"p","weights":[],"clip":null,"more":1}"#,
            r#"{"format":1,"program":"p","weights":[],"clip":null,"format":1}"#,
            r#"{"format":1,"program":"p","clip":null}"#,
            r#"{"format":1,"program":"p","weights":[],"clip":null} {}"#,
            "[]",
            "",
        ] {
            assert!(read::<Tiny>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_older_format_is_read_as_it_is_or_migrated() {
        use crate::manifest::tests::manifest;
        let name: crate::ModelName = "BTCUSDT_LSTM_1.0.0".parse().unwrap();
        let in_format = |format| manifest(&name, format, 24, crate::Status::Candidate);
        let file = Path::new("model.json");
        let old = br#"{"format":1,"program":"p","weights":[0.5],"clip":null}"#;
        let tiny = Tiny { weights: vec![0.5], clip: None };
        assert_eq!(decode::<Tiny>(old, file, &in_format(1)).unwrap(), tiny);
        let doubled = |format: u32, fields: Value| -> Result<Tiny, String> {
            assert_eq!((format, &fields), (1, &json!({"weights": [0.5], "clip": null})));
            Ok(Tiny { weights: vec![1.0], clip: None })
        };
        assert_eq!(decode_with(old, file, &in_format(1), &doubled).unwrap().weights, [1.0]);
        let new = encode("p", &tiny).unwrap();
        assert_eq!(decode_with(&new, file, &in_format(FORMAT), &doubled).unwrap(), tiny, "today's needs no migration");
        let refused = decode_with::<Tiny>(old, file, &in_format(1), &|_, _| Err("no scaler".into())).unwrap_err();
        assert!(refused.to_string().contains("no scaler"), "{refused}");
        let refused = decode::<Tiny>(old, file, &in_format(FORMAT)).unwrap_err();
        assert!(matches!(refused, RegistryError::Unreadable { .. }), "{refused}");
    }

    #[test]
    fn only_objects_of_finite_numbers_are_written() {
        let nan = Tiny { weights: vec![0.0, f64::NAN], clip: None };
        assert!(matches!(encode("p", &nan), Err(RegistryError::NotFinite { field, .. }) if field == "weights.1"));
        assert!(matches!(encode("p", &[1.0, 2.0]), Err(RegistryError::NotJson { .. })));
    }
}
