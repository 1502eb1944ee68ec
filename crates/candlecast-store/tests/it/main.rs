//! Integration tests of the candle stores.

mod crash;
mod damage;
mod fixtures;
mod lake_files;
mod laws;
mod real_data;
mod space;
