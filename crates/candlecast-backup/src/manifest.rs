//! What an archive says of itself: [`Header`] at its beginning, [`Manifest`] at its end.

use candlecast_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::member;
use crate::member::Part;

/// Format of the archives that this program writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 1;

/// The first member. Fields may be added to it, so that older programs can tell a newer format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Header {
    /// Format of the archive.
    pub(super) format: u32,
    /// Program that wrote it.
    pub(super) program: String,
    /// When.
    pub(super) created_at: Timestamp,
    /// False where candles were left out.
    pub(super) candles: bool,
}

/// The last member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Manifest {
    /// Every other member, in order.
    pub(super) members: Vec<Member>,
}

/// A member as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Member {
    /// Its name in the archive.
    pub(super) path: String,
    /// Its size.
    pub(super) bytes: u64,
    /// SHA-256 of its content, hexadecimal.
    pub(super) sha256: String,
}

/// How many of `members` belong to `part`.
pub(super) fn count(members: &[Member], part: Part) -> usize {
    members.iter().filter(|m| member::parse(&m.path).is_some_and(|(found, _)| found == part)).count()
}
