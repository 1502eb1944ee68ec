//! `candlecast audit`.

use std::sync::Arc;

use candlecast_app::audit::audit_features;
use candlecast_app::doc::AuditDoc;
use candlecast_core::{FeatureSet, Interval, Problem, Symbol, Venue};
use candlecast_host::{Host, SeriesQuery};
use candlecast_pipeline::AuditOptions;
use clap::{Args, Subcommand};

use crate::output::Output;
use crate::progress::Bar;
use crate::tables;

/// Look for values that depend on the future
#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Compute every feature again without the future and with a false one; none may change
    #[command(
        after_help = "Ends with exit code 1 when a feature depends on the future.\n\nExamples:\n  candlecast audit features --features all\n  candlecast audit features --symbol BTCUSDT --features default --cuts 50"
    )]
    Features(FeaturesArgs),
}

#[derive(Debug, Args)]
struct FeaturesArgs {
    /// Symbol, such as BTCUSDT [default: the generated market]
    #[arg(long, short)]
    symbol: Option<Symbol>,
    /// Candle length [default: 1h if stored, else the finest stored]
    #[arg(long, short, visible_alias = "timeframe", requires = "symbol")]
    interval: Option<Interval>,
    /// Venue [default: binance, or the only one stored]
    #[arg(long, requires = "symbol")]
    venue: Option<Venue>,
    /// Ids, groups (group:momentum), sets (default, reversal, ohlcv) or all, by comma
    #[arg(long, value_delimiter = ',', default_value = "default")]
    features: Vec<String>,
    /// Random cut points in each of the three longest runs without a gap
    #[arg(long, default_value_t = AuditOptions::default().cuts, value_name = "N")]
    cuts: usize,
    /// Candles audited, the newest
    #[arg(long, default_value_t = AuditOptions::default().candles, value_name = "N")]
    candles: usize,
}

pub(crate) async fn run(args: &AuditArgs, app: &Host, output: Output) -> Result<(), Problem> {
    let AuditCommand::Features(args) = &args.command;
    let key = match &args.symbol {
        Some(symbol) => {
            let wanted = SeriesQuery { symbol: symbol.clone(), venue: args.venue.clone(), interval: args.interval };
            Some(app.find_series(&wanted).await?)
        }
        None => None,
    };
    let options = AuditOptions { cuts: args.cuts, candles: args.candles };
    let audited = {
        let bar = Arc::new(Bar::new(output));
        audit_features(app, key.as_ref(), &FeatureSet(args.features.clone()), options, bar).await?
    };
    output.result(&AuditDoc::new(&audited, app.seed.0), || tables::audit(&audited))?;
    audited.verdict()
}
