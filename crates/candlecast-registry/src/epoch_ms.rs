//! Timestamps in model files are numbers of milliseconds, unlike those on the wire.

use candlecast_core::Timestamp;
use serde::{Deserialize, Deserializer, Serializer};

// By reference because that is how serde calls it.
#[allow(clippy::trivially_copy_pass_by_ref)]
pub(crate) fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_i64(time.ms())
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
    i64::deserialize(from).map(Timestamp)
}
