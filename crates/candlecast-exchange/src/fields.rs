//! Reading single fields of exchange answers; every value is checked before it is used.

use candlecast_core::{Interval, Symbol, Timestamp};
use serde_json::Value;

use crate::Misread;
use crate::error::brief;

pub(crate) fn json(body: &str) -> Result<Value, Misread> {
    serde_json::from_str(body).map_err(|e| Misread::Unreadable(format!("the answer is no JSON: {e}")))
}

/// The field `name` of an object.
pub(crate) fn field<'a>(object: &'a Value, name: &'static str) -> Result<&'a Value, Misread> {
    object.get(name).ok_or_else(|| Misread::Unreadable(format!("the answer has no field {name}")))
}

/// The element `i` of an array.
pub(crate) fn item(array: &Value, i: usize) -> Result<&Value, Misread> {
    array.get(i).ok_or_else(|| Misread::Unreadable(format!("a row has no element {i}")))
}

pub(crate) fn array(value: &Value) -> Result<&Vec<Value>, Misread> {
    value.as_array().ok_or_else(|| unexpected(value, "a list"))
}

pub(crate) fn text(value: &Value) -> Result<&str, Misread> {
    value.as_str().ok_or_else(|| unexpected(value, "a text"))
}

/// A finite number, written as number or text.
pub(crate) fn number(value: &Value) -> Result<f64, Misread> {
    let parsed = match value {
        Value::String(s) => s.parse::<f64>().ok(),
        Value::Number(n) => n.as_f64(),
        _ => None,
    };
    parsed.filter(|x| x.is_finite()).ok_or_else(|| unexpected(value, "a number"))
}

/// A whole number, written as number or text.
pub(crate) fn integer(value: &Value) -> Result<i64, Misread> {
    let parsed = match value {
        Value::String(s) => s.parse::<i64>().ok(),
        Value::Number(n) => n.as_i64(),
        _ => None,
    };
    parsed.ok_or_else(|| unexpected(value, "a whole number"))
}

/// An identifier that counts up from 0.
pub(crate) fn id(value: &Value) -> Result<u64, Misread> {
    value.as_u64().ok_or_else(|| unexpected(value, "an update id"))
}

/// Milliseconds since 1970, within the years that candlecast accepts.
pub(crate) fn time_ms(value: &Value) -> Result<Timestamp, Misread> {
    time(integer(value)?)
}

/// Seconds since 1970.
pub(crate) fn time_s(value: &Value) -> Result<Timestamp, Misread> {
    let seconds = integer(value)?;
    time(seconds.checked_mul(1_000).ok_or_else(|| unexpected(value, "a time in seconds"))?)
}

fn time(ms: i64) -> Result<Timestamp, Misread> {
    Timestamp::from_number(ms).map_err(|e| Misread::Unreadable(e.to_string()))
}

pub(crate) fn symbol(value: &Value) -> Result<Symbol, Misread> {
    Symbol::new(text(value)?).map_err(|e| Misread::Unreadable(e.to_string()))
}

pub(crate) fn interval(value: &Value) -> Result<Interval, Misread> {
    text(value)?.parse().map_err(|e: candlecast_core::KeyError| Misread::Unreadable(e.to_string()))
}

fn unexpected(value: &Value, wanted: &str) -> Misread {
    Misread::Unreadable(format!("{} is not {wanted}", brief(&value.to_string())))
}
