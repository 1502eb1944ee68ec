//! `candlecast backtest`.

use std::path::PathBuf;

use candlecast_core::Problem;
use candlecast_host::Host;
use clap::Args;

use super::compare;
use super::compare::{CompareArgs, SplitArgs};
use super::jobs::JobArgs;
use crate::output::Output;
use crate::requests::{PipelineArgs, SeriesArgs};

/// Score one model on past origins beside the naive forecasts
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  candlecast backtest --symbol BTCUSDT --model linear --horizon 24h --from 2023-10-01 --to 2024-01-01\n  candlecast backtest --symbol BTCUSDT --model hybrid --method simple --train-start 2022-01-01 --train-end 2023-10-01 --from 2023-10-01 --to 2024-01-01"
)]
pub(crate) struct BacktestArgs {
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

pub(crate) async fn run(args: &BacktestArgs, app: &Host, output: Output) -> Result<(), Problem> {
    let args = CompareArgs {
        series: args.series.clone(),
        models: vec![args.model.clone()],
        split: args.split.clone(),
        pipeline: args.pipeline.clone(),
        pool: args.pool,
        plot: args.plot.clone(),
        job: args.job.clone(),
    };
    compare::run(&args, app, output).await
}
