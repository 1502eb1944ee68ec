//! Everything here runs against a local server with faults, recorded messages, or files; nothing needs a network.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on has failed")]

mod books;
mod captures;
mod fetch;
mod limits;
mod renewal;
mod replay;
mod scene;
mod silence;
mod stream;
