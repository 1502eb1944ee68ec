//! Integration tests of the developer commands.

mod kill_harness;
