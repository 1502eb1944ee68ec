//! The registry as a program uses it: through its public functions, on a real folder.

mod crash;
mod damage;
mod format;
mod model;
mod save;
mod switch;
