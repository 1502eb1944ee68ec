//! What forecasts are worth on real candles, as Markdown tables. Data, features, fits, calibration and verdicts are
//! those of the program: the same crates, called in the same way.
//!
//! - `forecasts`: prices 1 to 24 candles ahead by `linear`: directions, correlations, skill and verdicts
//! - `intervals`: the intervals and distributions of `naive` beside those of the rule before and a normal distribution
//! - `volatility`: `har-x`, `gbdt` on its features and on the regressors of `har-x`, and means, beside `log-har`
//! - `placebo`: `linear` where the sign of every hour's move was drawn anew, so that there is nothing to be found
//! - `unseen-coin`: `linear` fitted to all coins but the one that is scored
//!
//! `cargo run --profile dist -p candlecast-pipeline --example measure -- forecasts --coins BTC,ETH --from 2023-01-01`
//! The flags are those of [`settings::FLAGS`]; `cargo xtask verify` takes them too.

#![allow(clippy::print_stdout, reason = "tables are what it is for")]

mod before;
mod candles;
mod figures;
mod forecasts;
mod intervals;
mod placebo;
mod settings;
mod statistics;
mod table;
mod unseen_coin;
mod volatility;
mod walk;

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use settings::Settings;

/// What went wrong, for people.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A measurement prints its tables.
type Measurement = fn(&Settings) -> Result<()>;

/// Names, the first day that is scored where none is given, and what is run.
static MEASUREMENTS: [(&str, &str, Measurement); 5] = [
    ("forecasts", "2021-01-01", forecasts::run),
    ("intervals", "2020-01-01", intervals::run),
    ("volatility", "2021-01-01", volatility::run),
    ("placebo", "2021-01-01", placebo::run),
    ("unseen-coin", "2021-01-01", unseen_coin::run),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("measure: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<()> {
    let named = |name: &String| MEASUREMENTS.iter().find(|(known, ..)| *known == name.as_str());
    let Some((name, from, measurement)) = words.first().and_then(named) else {
        let names: Vec<&str> = MEASUREMENTS.iter().map(|(known, ..)| *known).collect();
        return Err(format!("usage: measure {} [FLAGS]", names.join("|")).into());
    };
    let settings = Settings::parse(&words[1..], from)?;
    println!("{name} of {settings}\n");
    let began = Instant::now();
    measurement(&settings)?;
    println!("\nAll of it took {:.0} s.", began.elapsed().as_secs_f64());
    Ok(())
}
