//! Integration tests of the importer.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad_input;
mod formats;
mod laws;
mod real_data;
mod samples;
