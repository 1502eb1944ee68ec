//! `candlecast train`.

use candlecast_app::text;
use std::path::PathBuf;
use std::sync::Arc;

use candlecast_app::doc::TrainDoc;
use candlecast_app::{JOBS, TrainJob};
use candlecast_core::{Problem, TimeRange};
use candlecast_host::Host;
use candlecast_jobs::run_job;
use candlecast_pipeline::MIN_CANDLES;
use clap::Args;

use super::jobs;
use super::jobs::JobArgs;
use crate::output::Output;
use crate::plot;
use crate::progress::Bar;
use crate::requests::{PipelineArgs, RangeArgs, SeveralSeriesArgs, pool};

/// Train a model, say how far it can be trusted, and save it
#[derive(Debug, Args)]
#[command(
    after_help = "Of several symbols one model learns, and is scored, calibrated and saved for each.\n\nLearns from the newest days, 365 unless the model has a window of its own, or, with --days or --from, from the range as a whole (an expanding window); --window or --train-days decide otherwise.\n\nThe training is a job: `candlecast jobs` lists it, and goes on with it when it was interrupted.\n\nExamples:\n  candlecast train --symbol BTCUSDT --interval 1h --model linear --horizon 24h\n  candlecast train --symbols BTCUSDT,ETHUSDT --model gbdt --horizon 24h\n  candlecast train --symbol BTCUSDT --pool --model linear --horizon 24h\n  candlecast train --symbol BTCUSDT --task volatility --model linear --horizon 24h\n  candlecast train --symbol BTCUSDT --model ensemble --members lstm,hybrid --strategy stacking\n  candlecast train --symbol BTCUSDT --model lstm --queue --priority 5"
)]
pub(crate) struct TrainArgs {
    #[command(flatten)]
    series: SeveralSeriesArgs,
    /// Model
    #[arg(long, short)]
    model: String,
    #[command(flatten)]
    range: RangeArgs,
    /// Only the newest days of the data; lowers the fewest candles to 200
    #[arg(long, conflicts_with = "from")]
    days: Option<u32>,
    #[command(flatten)]
    pipeline: PipelineArgs,
    /// Learn from all other stored series of the same venue and interval too, which are neither scored nor saved for;
    /// `linear` half from all, half from its own
    #[arg(long)]
    pool: bool,
    /// Begin the saved fit with the weights of the version that serves; the forward chain does not
    #[arg(long)]
    warm_start: bool,
    /// Draw the training curve, errors and coverage into a .png, .svg or .html file
    #[arg(long, value_name = "FILE", conflicts_with = "queue")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    job: JobArgs,
}

pub(crate) async fn run(args: &TrainArgs, app: &Host, output: Output) -> Result<(), Problem> {
    plot::check_path(args.plot.as_deref())?;
    let mut series = Vec::with_capacity(args.series.symbols.len());
    for wanted in args.series.wanted() {
        series.push(app.find_series(&wanted).await?);
    }
    let key = series[0].clone();
    let request = args.pipeline.models(std::slice::from_ref(&args.model))?.remove(0);
    let mut common = args.pipeline.common(&key, args.days.is_some() || args.range.from.is_some())?;
    let mut range = args.range.range();
    if let Some(days) = args.days
        && let Some(stored) = app.store.coverage(&key).await?.range
    {
        common.min_candles = common.min_candles.min(MIN_CANDLES.1);
        let end = range.to.min(stored.to);
        range = TimeRange { from: end.plus_ms(-i64::from(days) * 86_400_000), to: range.to };
    }
    let (warm_start, confidence_threshold) = (args.warm_start, args.pipeline.confidence_threshold);
    let pool = pool(app, &series, args.pool, output).await?;
    let (model, seed) = (request, app.seed);
    let request = TrainJob { series, pool, model, common, range, warm_start, confidence_threshold, seed };
    if args.job.queue {
        return jobs::queue(&request, &args.job, app, output).await;
    }
    let trained = {
        let bar = Arc::new(Bar::new(output));
        run_job(app, &JOBS, &request, &args.job.options(), bar).await?
    };
    if let Some(path) = &args.plot {
        plot::training(&trained, path)?;
        output.remark(&format!("plot: {}", path.display()));
    }
    let document = TrainDoc::from(&trained);
    output.result(&document, || text::trained(&document))
}
