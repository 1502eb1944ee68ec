//! The registry as a program uses it: through its public functions, on a real folder.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod crash;
mod damage;
mod export;
mod format;
mod history;
mod listing;
mod model;
mod promotion;
mod save;
mod slots;
