//! The crate as others use it.
#![allow(clippy::unwrap_used)]

mod quality;
