//! `candlecast backtest`: one model on past origins, and the backtests and comparisons on record.

use std::path::PathBuf;
use std::sync::Arc;

use candlecast_app::{BacktestFilter, backtest, backtests_page, rerun_backtest, text};
use candlecast_core::{Interval, Problem, Symbol, Venue};
use candlecast_host::{Host, SeriesQuery};
use candlecast_jobs::{Cursor, JobOptions, PageRequest};
use candlecast_pipeline::catalog::canonical;
use clap::{ArgMatches, Args, Command, FromArgMatches, Subcommand};

use super::compare;
use super::compare::CompareArgs;
use super::jobs::JobArgs;
use crate::output::Output;
use crate::progress::Bar;
use crate::requests::{PipelineArgs, SeriesArgs};
use crate::splits::SplitArgs;

/// A backtest, or what is asked of those on record. Either has its own arguments: with a subcommand the model and the
/// symbol need not be named.
#[derive(Debug)]
pub(crate) enum BacktestArgs {
    Run(Box<RunArgs>),
    Record(RecordCommand),
}

/// Score one model on past origins beside the naive forecasts
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  candlecast backtest --symbol BTCUSDT --model linear --horizon 24h --from 2023-10-01 --to 2024-01-01\n  candlecast backtest --symbol BTCUSDT --model hybrid --method simple --train-start 2022-01-01 --train-end 2023-10-01 --test-start 2023-10-01 --test-end 2024-01-01\n  candlecast backtest --symbol BTCUSDT --model gbdt --method combinatorial --groups 6 --test-groups 2\n  candlecast backtest list --symbol BTCUSDT\n  candlecast backtest rerun 01jd8x3k"
)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    series: SeriesArgs,
    /// Model
    #[arg(long, short)]
    model: String,
    #[command(flatten)]
    split: SplitArgs,
    #[command(flatten)]
    pipeline: PipelineArgs,
    /// Learn from all stored series of the same venue and interval too: `linear` half from all, half from its own
    #[arg(long)]
    pool: bool,
    /// Draw errors, coverage and forecasts into a .png, .svg or .html file
    #[arg(long, value_name = "FILE", conflicts_with = "queue")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    job: JobArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RecordCommand {
    /// Backtests and comparisons that have ended, newest first
    #[command(after_help = "Example:\n  candlecast backtest list --symbol BTCUSDT --model linear --limit 50")]
    List(ListArgs),
    /// The report of a backtest or a comparison, as it was made
    #[command(
        after_help = "The first characters of an id, four at least, stand for it.\n\nExample:\n  candlecast backtest show 01jd8x3k"
    )]
    Show {
        /// Id, or its beginning
        id: String,
    },
    /// Do a backtest or a comparison again on the candles that it was made of, and compare
    #[command(
        after_help = "Exit code 1 where its forecasts are not the same: bit for bit on the same instruction set, else within a stated tolerance. Where the candles have changed since, it is not done again.\n\nExample:\n  candlecast backtest rerun 01jd8x3k"
    )]
    Rerun {
        /// Id, or its beginning
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only of this symbol
    #[arg(long, short)]
    symbol: Option<Symbol>,
    /// Candle length [default: 1h if stored, else the finest stored]
    #[arg(long, short, visible_alias = "timeframe", requires = "symbol")]
    interval: Option<Interval>,
    /// Venue [default: binance, or the only one stored]
    #[arg(long, requires = "symbol")]
    venue: Option<Venue>,
    /// Only those of this model alone
    #[arg(long, short)]
    model: Option<String>,
    /// Most backtests shown
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    /// Go on behind this page, as the end of the last one says
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor>,
}

impl FromArgMatches for BacktestArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        if matches.subcommand_name().is_some() {
            return RecordCommand::from_arg_matches(matches).map(Self::Record);
        }
        RunArgs::from_arg_matches(matches).map(|args| Self::Run(Box::new(args)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for BacktestArgs {
    fn augment_args(command: Command) -> Command {
        // What is said of the command is that of a run, which therefore comes last.
        RunArgs::augment_args(RecordCommand::augment_subcommands(command))
            .subcommand_required(false)
            .arg_required_else_help(false)
            .subcommand_negates_reqs(true)
            .args_conflicts_with_subcommands(true)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

pub(crate) async fn run(args: &BacktestArgs, app: &Host, output: Output) -> Result<(), Problem> {
    match args {
        BacktestArgs::Run(args) => score(args, app, output).await,
        BacktestArgs::Record(RecordCommand::List(args)) => list(args, app, output).await,
        BacktestArgs::Record(RecordCommand::Show { id }) => {
            let shown = backtest(app, id).await?;
            output.result(&shown.document, || shown.text.clone())
        }
        BacktestArgs::Record(RecordCommand::Rerun { id }) => {
            let done = {
                let bar = Arc::new(Bar::new(output));
                rerun_backtest(app, id, &JobOptions::default(), bar).await?
            };
            output.result(&done, || text::rerun(&done))?;
            done.verdict()
        }
    }
}

async fn score(args: &RunArgs, app: &Host, output: Output) -> Result<(), Problem> {
    let args = CompareArgs {
        series: args.series.clone(),
        models: vec![args.model.clone()],
        model: None,
        split: args.split.clone(),
        pipeline: args.pipeline.clone(),
        pool: args.pool,
        plot: args.plot.clone(),
        job: args.job.clone(),
    };
    compare::run(&args, app, output).await
}

async fn list(args: &ListArgs, app: &Host, output: Output) -> Result<(), Problem> {
    let series = match &args.symbol {
        Some(symbol) => {
            let wanted = SeriesQuery { symbol: symbol.clone(), venue: args.venue.clone(), interval: args.interval };
            Some(app.find_series(&wanted).await?)
        }
        None => None,
    };
    let model = args.model.as_deref().map(canonical).transpose()?.map(str::to_owned);
    let page = PageRequest { after: args.after, limit: args.limit };
    let page = backtests_page(app, &BacktestFilter { series, model }, page).await?;
    output.result(&page, || text::backtests(&page))
}
