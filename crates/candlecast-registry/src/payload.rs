//! The payload file: `{"format":1,"program":"…", …the model's own fields}`.

use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::meta::{FORMAT, Meta};
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

/// Reads bytes whose digest has been checked against `meta`.
pub(crate) fn decode<P: DeserializeOwned>(bytes: &[u8], file: &Path, meta: &Meta) -> Result<P, RegistryError> {
    serde_json::from_slice::<Read<P>>(bytes).map(|read| read.payload).map_err(|e| RegistryError::Unreadable {
        file: file.to_owned(),
        program: meta.program_version.clone(),
        reason: e.to_string(),
    })
}

/// The model's fields after the two of the file. Read by hand and not with `flatten`, which would keep a copy of
/// every value and let unknown fields pass.
struct Read<P> {
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
        if format != FORMAT {
            return Err(A::Error::custom(format_args!("it has format {format}, not {FORMAT}")));
        }
        let _program: String = leading(&mut fields, PROGRAM_FIELD)?;
        P::deserialize(MapAccessDeserializer::new(fields)).map(|payload| Read { payload })
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
    use serde_json::{Value, json};

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
        assert_eq!(text, r#"{"format":1,"program":"candlecast 0.1.0","weights":[0.1,1e-300,-0.0],"clip":null}"#);
        assert_eq!(read::<Tiny>(&text).unwrap(), tiny);
        assert_eq!(read::<Value>(&text).unwrap()["weights"][0], json!(0.1));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for text in [
            r#"{"program":"p","weights":[],"clip":null}"#,
            r#"{"program":"p","format":1,"weights":[],"clip":null}"#,
            r#"{"format":2,"program":"p","weights":[],"clip":null}"#,
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
    fn only_objects_of_finite_numbers_are_written() {
        let nan = Tiny { weights: vec![0.0, f64::NAN], clip: None };
        assert!(matches!(encode("p", &nan), Err(RegistryError::NotFinite { field, .. }) if field == "weights.1"));
        assert!(matches!(encode("p", &[1.0, 2.0]), Err(RegistryError::NotJson { .. })));
    }
}
