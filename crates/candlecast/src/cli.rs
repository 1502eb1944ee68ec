//! The command line's grammar.

use std::path::PathBuf;

use candlecast_core::{TimeError, Timestamp};
use clap::{Args, Parser, Subcommand};

use crate::commands::{
    audit, backtest, backup, compare, completions, data, demo, doctor, features, fetch, hpo, import, jobs, models,
    predict, predictions, restore, stream, train, worker,
};

/// Forecasts of crypto markets, honestly compared.
#[derive(Debug, Parser)]
#[command(
    name = "candlecast",
    version,
    about,
    long_about = "Forecasts of crypto markets, honestly compared.\n\nimport and fetch bring candles in, compare walks models forward beside naive forecasts, train saves one, predict uses it, stream follows the market with it, jobs shows long work.",
    after_help = "Examples:\n  candlecast demo\n  candlecast import BTCUSDT-1h.csv.gz\n  candlecast compare --symbol BTCUSDT --models hybrid,linear --horizon 24h --from 2023-01-01 --to 2024-01-01\n  candlecast train --symbol BTCUSDT --model linear --horizon 24h\n  candlecast predict --symbol BTCUSDT --model linear",
    max_term_width = 110
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Folder of candles, models and records [default: the platform's data folder; env CANDLECAST_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Configuration file [default: candlecast.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON document to standard output; problems as problem+json to standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Root of all randomness; equal seeds give equal results
    #[arg(long, global = true, default_value_t = 42, value_name = "N")]
    pub(crate) seed: u64,
    /// No progress bars, no remarks
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Computation threads; forecasts have half as many beside them. Results do not depend on them [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Take this time for "now" when judging ages; jobs and their leases go by the system's clock
    #[arg(long, global = true, value_name = "TIME", value_parser = time)]
    pub(crate) now: Option<Timestamp>,
}

/// One variant a command; each is a file in `commands`.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::DemoArgs),
    Import(import::ImportArgs),
    Fetch(fetch::FetchArgs),
    Stream(stream::StreamArgs),
    Data(data::DataArgs),
    Features(features::FeaturesArgs),
    Audit(audit::AuditArgs),
    Train(train::TrainArgs),
    Hpo(hpo::HpoArgs),
    Predict(predict::PredictArgs),
    Predictions(predictions::PredictionsArgs),
    Backtest(backtest::BacktestArgs),
    Compare(compare::CompareArgs),
    Models(models::ModelsArgs),
    Backup(backup::BackupArgs),
    Restore(restore::RestoreArgs),
    Jobs(jobs::JobsArgs),
    Worker(worker::WorkerArgs),
    Doctor(doctor::DoctorArgs),
    Completions(completions::CompletionsArgs),
}

/// Reads a time option.
pub(crate) fn time(text: &str) -> Result<Timestamp, TimeError> {
    Timestamp::parse(text)
}

fn threads(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| (1..=256).contains(n)).ok_or_else(|| "a whole number from 1 to 256".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_grammar_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
