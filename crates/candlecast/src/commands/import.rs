//! `candlecast import`.

use std::path::PathBuf;

use candlecast_app::doc::ImportDoc;
use candlecast_app::{CHUNK_ROWS, import_file};
use candlecast_core::{Interval, Problem, Symbol, Venue};
use candlecast_host::Host;
use candlecast_ingest::{ImportOptions, VolumeUnit};
use clap::Args;

use crate::output::Output;
use crate::progress::Bar;
use crate::tables;

/// Bring candles in from files
#[derive(Debug, Args)]
#[command(
    after_help = "Reads CSV, Binance archives, CryptoDataDownload, Binance REST JSON, Parquet and Arrow/Feather, plain, gzip or zip.\n\nExamples:\n  candlecast import BTCUSDT-1h.csv.gz\n  candlecast import 'archive/ETHUSDT-1m-*.zip' --venue binance-usdm\n  candlecast import klines.json --symbol BTCUSDT --interval 1m"
)]
pub(crate) struct ImportArgs {
    /// Files or globs
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Symbol, where the file name does not tell it
    #[arg(long, short)]
    symbol: Option<Symbol>,
    /// Venue, where the file name does not tell it [default: binance]
    #[arg(long)]
    venue: Option<Venue>,
    /// Candle length, where neither name nor spacing tell it
    #[arg(long, short)]
    interval: Option<Interval>,
    /// Unit of the volume column: base or quote
    #[arg(long, default_value = "base")]
    volume_unit: VolumeUnit,
    /// End at the first bad row
    #[arg(long)]
    strict: bool,
}

pub(crate) async fn run(args: &ImportArgs, app: &Host, output: Output) -> Result<(), Problem> {
    let files = expand(&args.files)?;
    let options = ImportOptions {
        symbol: args.symbol.clone(),
        venue: args.venue.clone(),
        interval: args.interval,
        volume_unit: args.volume_unit,
        strict: args.strict,
        chunk_rows: CHUNK_ROWS,
    };
    let (mut docs, mut failures) = (Vec::new(), Vec::new());
    for file in &files {
        let imported = {
            let bar = Bar::new(output);
            import_file(app, file, &options, &bar).await
        };
        match imported {
            Ok(imported) => docs.push(ImportDoc::from(&imported)),
            Err(e) if e.code == "cancelled" => return Err(e),
            Err(e) => failures.push(e),
        }
    }
    // What was imported is reported even if other files failed.
    if !docs.is_empty() || failures.is_empty() {
        output.result(&docs, || docs.iter().map(tables::import).collect::<Vec<_>>().join("\n"))?;
    }
    Problem::joined(&failures, files.len(), "files").map_or(Ok(()), Err)
}

/// Files as named; globs in alphabetical order.
fn expand(patterns: &[String]) -> Result<Vec<PathBuf>, Problem> {
    let mut files = Vec::new();
    for pattern in patterns {
        let path = PathBuf::from(pattern);
        if path.exists() || !pattern.contains(['*', '?', '[']) {
            files.push(path);
            continue;
        }
        let found = glob::glob(pattern).map_err(|e| Problem::usage("bad-glob", "files", format!("{pattern}: {e}")))?;
        let before = files.len();
        files.extend(found.filter_map(Result::ok).filter(|p| p.is_file()));
        if files.len() == before {
            return Err(Problem::usage("no-such-file", "files", format!("{pattern}: no file matches")));
        }
    }
    Ok(files)
}
