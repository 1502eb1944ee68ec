//! Shapes of documents: which fields an object must have, and of what type.

use serde_json::Value;

/// True for values of the type.
pub(crate) type Is = fn(&Value) -> bool;

pub(crate) fn text(v: &Value) -> bool {
    v.as_str().is_some_and(|s| !s.is_empty())
}

pub(crate) fn text_or_null(v: &Value) -> bool {
    v.is_null() || text(v)
}

pub(crate) fn flag(v: &Value) -> bool {
    v.is_boolean()
}

pub(crate) fn count(v: &Value) -> bool {
    v.is_u64()
}

pub(crate) fn number(v: &Value) -> bool {
    v.is_number()
}

pub(crate) fn number_or_null(v: &Value) -> bool {
    v.is_null() || v.is_number()
}

pub(crate) fn share(v: &Value) -> bool {
    v.as_f64().is_some_and(|x| (0.0..=1.0).contains(&x))
}

pub(crate) fn share_or_null(v: &Value) -> bool {
    v.is_null() || share(v)
}

pub(crate) fn list(v: &Value) -> bool {
    v.is_array()
}

pub(crate) fn object(v: &Value) -> bool {
    v.is_object()
}

pub(crate) fn object_or_null(v: &Value) -> bool {
    v.is_null() || object(v)
}

/// RFC 3339 in UTC: `2024-01-01T00:00:00Z`, with a fraction where there is one.
pub(crate) fn instant(v: &Value) -> bool {
    let Some(text) = v.as_str().and_then(|s| s.strip_suffix('Z')) else { return false };
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let fits = |(found, pattern): (char, char)| if pattern == '9' { found.is_ascii_digit() } else { found == pattern };
    let pattern = "9999-99-99T99:99:99";
    seconds.len() == pattern.len()
        && seconds.chars().zip(pattern.chars()).all(fits)
        && !fraction.is_empty()
        && fraction.chars().all(|c| c.is_ascii_digit())
}

/// Every one of `fields` is there with its type, and all names, to any depth, are camelCase.
pub(crate) fn assert_fields(what: &str, document: &Value, fields: &[(&str, Is)]) {
    let found = document.as_object().unwrap_or_else(|| panic!("{what} is no object: {document}"));
    for (name, is) in fields {
        let value = found.get(*name).unwrap_or_else(|| panic!("{what} lacks `{name}`: {document}"));
        assert!(is(value), "{what}: `{name}` is {value}");
    }
    assert_camel_case(what, document);
}

/// The elements of a list that is not empty.
pub(crate) fn elements<'a>(what: &str, document: &'a Value) -> &'a [Value] {
    let found = document.as_array().unwrap_or_else(|| panic!("{what} is no list: {document}"));
    assert!(!found.is_empty(), "{what} is empty");
    found
}

fn assert_camel_case(what: &str, value: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let camel = name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.contains('_');
                assert!(camel, "{what}: the name `{name}` is not in camelCase");
                assert_camel_case(what, value);
            }
        }
        Value::Array(values) => values.iter().for_each(|v| assert_camel_case(what, v)),
        _ => {}
    }
}
