//! `candlecast data`.

use std::path::PathBuf;

use candlecast_app::data::{check, compact, resample};
use candlecast_app::doc::{CheckDoc, CompactDoc, CoverageDoc};
use candlecast_core::{Interval, Problem, Symbol};
use candlecast_host::Host;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::output::Output;
use crate::requests::{RangeArgs, SeriesArgs};
use crate::tables;

/// Look after stored candles
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    /// What is stored
    List,
    /// Read every candle and report gaps, halts and damaged files
    Check {
        /// Only this symbol
        #[arg(long, short)]
        symbol: Option<Symbol>,
    },
    /// Write candles to a CSV or Parquet file
    Export {
        #[command(flatten)]
        series: SeriesArgs,
        #[command(flatten)]
        range: RangeArgs,
        /// File that ends in .csv or .parquet
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Make coarser candles and store them
    Resample {
        #[command(flatten)]
        series: SeriesArgs,
        /// Candle length wanted
        #[arg(long)]
        to: Interval,
    },
    /// Put the newest candles of streams into the Parquet files, where other programs find them
    Compact {
        /// Only this symbol
        #[arg(long, short)]
        symbol: Option<Symbol>,
    },
}

pub(crate) async fn run(args: DataArgs, app: &Host, output: Output) -> Result<(), Problem> {
    match args.command {
        DataCommand::List => {
            let docs: Vec<CoverageDoc> = candlecast_app::data::coverage(app).await?.iter().map(Into::into).collect();
            output.result(&docs, || tables::coverage(&docs))
        }
        DataCommand::Check { symbol } => {
            let mut docs = Vec::new();
            for coverage in candlecast_app::data::coverage(app).await? {
                if symbol.as_ref().is_none_or(|s| *s == coverage.key.symbol) {
                    docs.push(CheckDoc::from(&check(app, &coverage.key).await?));
                }
            }
            expect_some(symbol.as_ref(), docs.len())?;
            output.result(&docs, || tables::checks(&docs))?;
            match docs.iter().flat_map(|d| &d.damaged).next() {
                Some(reason) => Err(Problem::data("corrupt-file", reason.clone())),
                None => Ok(()),
            }
        }
        DataCommand::Export { series, range, output: path } => {
            let key = app.find_series(&series.wanted()).await?;
            let rows = candlecast_app::data::export(app, &key, range.range(), &path).await?;
            output.result(&json!({ "file": path, "rows": rows }), || {
                format!("{rows} candles of {key} -> {}", path.display())
            })
        }
        DataCommand::Resample { series, to } => {
            let key = app.find_series(&series.wanted()).await?;
            let (made, rows, incomplete) = resample(app, &key, to).await?;
            let doc = json!({
                "venue": made.venue, "symbol": made.symbol, "interval": made.interval, "rows": rows, "incomplete": incomplete
            });
            output.result(&doc, || format!("{rows} candles stored as {made}; {incomplete} incomplete ones left out"))
        }
        DataCommand::Compact { symbol } => compact_series(app, symbol.as_ref(), output).await,
    }
}

async fn compact_series(app: &Host, symbol: Option<&Symbol>, output: Output) -> Result<(), Problem> {
    let (mut docs, mut failures) = (Vec::new(), Vec::new());
    let all = compact(app, symbol).await?;
    expect_some(symbol, all.len())?;
    for series in all {
        match series.candles {
            Ok(candles) => docs.push(CompactDoc::new(&series.key, candles)),
            Err(e) => failures.push(e),
        }
    }
    output.result(&docs, || tables::compacted(&docs))?;
    Problem::joined(&failures, docs.len() + failures.len(), "series").map_or(Ok(()), Err)
}

/// An error where nothing is stored of a symbol that was named.
fn expect_some(symbol: Option<&Symbol>, n_series: usize) -> Result<(), Problem> {
    match symbol {
        Some(symbol) if n_series == 0 => {
            let detail = format!("nothing is stored for {symbol}: see `candlecast data list`");
            Err(Problem::data("unknown-series", detail))
        }
        _ => Ok(()),
    }
}
