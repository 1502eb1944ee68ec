//! Whatever is wrong, the answer names it and the way out, the exit code says whose turn it is (2: the command line,
//! 1: files and data), nothing panics and nothing that was stored is lost.

mod candles;
mod files;
mod folders;
mod models;
mod requests;
