//! The crate as others use it.

mod quality;
