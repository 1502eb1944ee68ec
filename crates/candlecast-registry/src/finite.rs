//! Looks through a model before it is written: JSON has no NaN, and a reader stops at deep nesting.
//!
//! `serde_json` writes NaN and infinities as `null` without a word, so this serialiser, which writes nothing,
//! visits every number first and names the place of the first one that is not finite.

use std::fmt;

use serde::Serialize;
use serde::ser::{self, Serializer};

use crate::RegistryError;

/// `serde_json` reads at most 128 levels.
const MAX_DEPTH: usize = 100;

/// Refuses values that JSON cannot give back.
pub(crate) fn check<T: Serialize>(value: &T) -> Result<(), RegistryError> {
    let mut visitor = Visitor { path: Vec::new() };
    value.serialize(&mut visitor).map_err(|Refused(cause)| match cause {
        Cause::NotFinite(value) => RegistryError::NotFinite { field: visitor.dotted(), value },
        Cause::Other(reason) => RegistryError::NotJson { reason },
    })
}

enum Step {
    Name(&'static str),
    Key(String),
    Index(usize),
}

struct Visitor {
    path: Vec<Step>,
}

#[derive(Debug)]
struct Refused(Cause);

#[derive(Debug)]
enum Cause {
    NotFinite(f64),
    Other(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::NotFinite(value) => write!(f, "{value} is not finite"),
            Cause::Other(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(Cause::Other(message.to_string()))
    }
}

impl Visitor {
    fn dotted(&self) -> String {
        let steps = self.path.iter().map(|step| match step {
            Step::Name(name) => (*name).to_owned(),
            Step::Key(key) => key.clone(),
            Step::Index(i) => i.to_string(),
        });
        steps.collect::<Vec<_>>().join(".")
    }

    fn enter(&mut self, step: Step) -> Result<(), Refused> {
        self.path.push(step);
        if self.path.len() > MAX_DEPTH {
            return Err(ser::Error::custom(format!("nested deeper than {MAX_DEPTH} levels at `{}`", self.dotted())));
        }
        Ok(())
    }

    /// Leaves the path as it is when `value` is refused: that is the place to report.
    fn inside<T: Serialize + ?Sized>(&mut self, step: Step, value: &T) -> Result<(), Refused> {
        self.enter(step)?;
        value.serialize(&mut *self)?;
        self.path.pop();
        Ok(())
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        value.serialize(&mut *self)?;
        if let Some(Step::Index(i)) = self.path.last_mut() {
            *i += 1;
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.path.pop();
    }

    fn number(value: f64) -> Result<(), Refused> {
        if value.is_finite() { Ok(()) } else { Err(Refused(Cause::NotFinite(value))) }
    }
}

macro_rules! nothing_to_check {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, _: $type) -> Result<(), Refused> {
            Ok(())
        })*
    };
}

impl Serializer for &mut Visitor {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Variant<Self>;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Variant<Self>;

    nothing_to_check! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_char: char,
        serialize_str: &str, serialize_bytes: &[u8], serialize_unit_struct: &'static str
    }

    fn serialize_f32(self, value: f32) -> Result<(), Refused> {
        Visitor::number(f64::from(value))
    }

    fn serialize_f64(self, value: f64) -> Result<(), Refused> {
        Visitor::number(value)
    }

    fn serialize_none(self) -> Result<(), Refused> {
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), Refused> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Refused> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        self.inside(Step::Name(variant), value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Refused> {
        self.enter(Step::Index(0))?;
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Refused> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Refused> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Variant<Self>, Refused> {
        self.enter(Step::Name(variant))?;
        self.enter(Step::Index(0))?;
        Ok(Variant(self))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self, Refused> {
        self.enter(Step::Key(String::new()))?;
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Refused> {
        self.enter(Step::Name(""))?;
        Ok(self)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Variant<Self>, Refused> {
        self.enter(Step::Name(variant))?;
        self.enter(Step::Name(""))?;
        Ok(Variant(self))
    }
}

/// Inside an enum variant: two steps on the path instead of one.
struct Variant<V>(V);

macro_rules! elements {
    ($($trait:ident $method:ident),*) => {
        $(impl ser::$trait for &mut Visitor {
            type Ok = ();
            type Error = Refused;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
                self.element(value)
            }
            fn end(self) -> Result<(), Refused> {
                self.leave();
                Ok(())
            }
        })*
    };
}
elements!(SerializeSeq serialize_element, SerializeTuple serialize_element, SerializeTupleStruct serialize_field);

impl ser::SerializeMap for &mut Visitor {
    type Ok = ();
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        let key = serde_json::to_string(key).map_err(<Refused as ser::Error>::custom)?;
        if let Some(step) = self.path.last_mut() {
            *step = Step::Key(key.trim_matches('"').to_owned());
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Refused> {
        self.leave();
        Ok(())
    }
}

impl ser::SerializeStruct for &mut Visitor {
    type Ok = ();
    type Error = Refused;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Refused> {
        if let Some(step) = self.path.last_mut() {
            *step = Step::Name(name);
        }
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Refused> {
        self.leave();
        Ok(())
    }
}

impl ser::SerializeTupleVariant for Variant<&mut Visitor> {
    type Ok = ();
    type Error = Refused;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.0.element(value)
    }

    fn end(self) -> Result<(), Refused> {
        self.0.leave();
        self.0.leave();
        Ok(())
    }
}

impl ser::SerializeStructVariant for Variant<&mut Visitor> {
    type Ok = ();
    type Error = Refused;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Refused> {
        ser::SerializeStruct::serialize_field(&mut self.0, name, value)
    }

    fn end(self) -> Result<(), Refused> {
        self.0.leave();
        self.0.leave();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    enum Kind {
        Plain,
        One(f64),
        Two(f64, f64),
        Named { x: f64 },
    }

    #[derive(Serialize)]
    struct Model {
        name: &'static str,
        bias: Option<f64>,
        tensors: BTreeMap<String, Vec<f32>>,
        kinds: Vec<Kind>,
        pair: (u8, f64),
    }

    fn model() -> Model {
        Model {
            name: "m",
            bias: Some(1.0),
            tensors: BTreeMap::from([("a".into(), vec![1.0, 2.0]), ("w".into(), vec![1.0, 2.0, 3.0])]),
            kinds: vec![Kind::Plain, Kind::One(1.0), Kind::Two(1.0, 2.0), Kind::Named { x: 0.0 }],
            pair: (1, 2.0),
        }
    }

    fn place(change: impl FnOnce(&mut Model)) -> String {
        let mut model = model();
        change(&mut model);
        match check(&model) {
            Err(RegistryError::NotFinite { field, .. }) => field,
            other => panic!("expected a number that is not finite, got {other:?}"),
        }
    }

    #[test]
    fn the_place_of_a_number_that_is_not_finite_is_named() {
        assert!(check(&model()).is_ok());
        assert_eq!(place(|m| m.bias = Some(f64::NAN)), "bias");
        assert_eq!(place(|m| m.tensors.get_mut("w").unwrap()[2] = f32::INFINITY), "tensors.w.2");
        assert_eq!(place(|m| m.kinds[1] = Kind::One(f64::NEG_INFINITY)), "kinds.1.One");
        assert_eq!(place(|m| m.kinds[2] = Kind::Two(0.0, f64::NAN)), "kinds.2.Two.1");
        assert_eq!(place(|m| m.kinds[3] = Kind::Named { x: f64::NAN }), "kinds.3.Named.x");
        assert_eq!(place(|m| m.pair.1 = f64::NAN), "pair.1");
    }

    #[test]
    fn nesting_beyond_what_a_reader_takes_is_refused() {
        let nested = |depth: usize| (0..depth).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
        assert!(check(&nested(MAX_DEPTH)).is_ok());
        assert!(matches!(check(&nested(MAX_DEPTH + 1)), Err(RegistryError::NotJson { .. })));
        let text = nested(MAX_DEPTH).to_string();
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "the limit is below that of the reader");
    }
}
