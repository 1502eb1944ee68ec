//! Integration tests of the developer commands.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod kill_harness;
