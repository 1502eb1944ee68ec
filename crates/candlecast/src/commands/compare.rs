//! `candlecast compare`.

use candlecast_app::text;
use std::path::PathBuf;
use std::sync::Arc;

use candlecast_app::doc::EvaluationDoc;
use candlecast_app::{EvaluateJob, JOBS};
use candlecast_core::{Problem, SeriesKey, TimeRange, Timestamp};
use candlecast_host::Host;
use candlecast_jobs::run_job;
use candlecast_pipeline::Method;
use clap::{Args, ValueEnum};

use super::jobs;
use super::jobs::JobArgs;
use crate::cli::time;
use crate::output::Output;
use crate::plot;
use crate::progress::Bar;
use crate::requests::{PipelineArgs, RangeArgs, SeriesArgs, pool};

/// Walk models forward side by side, the naive forecasts among them
#[derive(Debug, Args)]
#[command(
    after_help = "How to read the table: docs/reading-the-table.md\n\nExample:\n  candlecast compare --symbol BTCUSDT --models hybrid,linear --horizon 24h --from 2023-01-01 --to 2024-01-01\n  candlecast compare --symbol BTCUSDT --task direction --models linear,gbdt --horizon 24h --from 2023-01-01 --to 2024-01-01\n  candlecast compare --symbol BTCUSDT --models ensemble,lstm,hybrid --strategy stacking --members lstm,hybrid"
)]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    pub(crate) series: SeriesArgs,
    /// Models, by comma; the baselines are always added
    #[arg(long, short, value_delimiter = ',', required = true)]
    pub(crate) models: Vec<String>,
    #[command(flatten)]
    pub(crate) split: SplitArgs,
    #[command(flatten)]
    pub(crate) pipeline: PipelineArgs,
    /// Learn from all stored series of the same venue and interval too: `linear` half from all, half from its own
    #[arg(long)]
    pub(crate) pool: bool,
    /// Draw errors, coverage and forecasts into a .png, .svg or .html file
    #[arg(long, value_name = "FILE", conflicts_with = "queue")]
    pub(crate) plot: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) job: JobArgs,
}

/// How data are split in time.
#[derive(Debug, Clone, Args)]
pub(crate) struct SplitArgs {
    /// How data are split
    #[arg(long, value_enum, default_value = "walk-forward")]
    pub(crate) method: MethodArg,
    /// First instant of the origins (a date is 00:00 UTC) [default: the last 30 days, before --to if that is given]
    #[arg(long, value_parser = time, value_name = "TIME")]
    pub(crate) from: Option<Timestamp>,
    /// First instant after the origins [default: the end of the data]
    #[arg(long, value_parser = time, value_name = "TIME")]
    pub(crate) to: Option<Timestamp>,
    /// First instant of the training part (method simple)
    #[arg(long, value_parser = time, value_name = "TIME")]
    pub(crate) train_start: Option<Timestamp>,
    /// First instant after the training part (method simple)
    #[arg(long, value_parser = time, value_name = "TIME")]
    pub(crate) train_end: Option<Timestamp>,
}

/// How data are split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MethodArg {
    /// One fit, one test part
    Simple,
    /// Refit every `--retrain-days` over the range
    WalkForward,
}

/// Days of the default test range.
const DEFAULT_TEST_DAYS: i64 = 30;

impl SplitArgs {
    /// The method over a stored series; without `--from` the last 30 days are tested.
    pub(crate) async fn method(&self, app: &Host, key: &SeriesKey) -> Result<Method, Problem> {
        let mut range = RangeArgs { from: self.from, to: self.to }.range();
        if self.from.is_none()
            && let Some(stored) = app.store.coverage(key).await?.range
        {
            let end = range.to.min(stored.to);
            range.from = stored.from.max(end.plus_ms(-DEFAULT_TEST_DAYS * 86_400_000));
        }
        match self.method {
            MethodArg::WalkForward if self.train_start.is_some() || self.train_end.is_some() => Err(Problem::usage(
                "bad-range",
                "train-start",
                "--train-start and --train-end belong to --method simple; a walk-forward trains on what lies before each refit",
            )),
            MethodArg::WalkForward => Ok(Method::WalkForward { range }),
            MethodArg::Simple => {
                let from = self.train_start.unwrap_or(TimeRange::ALL.from);
                let to = self.train_end.unwrap_or(range.from);
                Ok(Method::Simple { train: TimeRange { from, to }, test: range })
            }
        }
    }
}

pub(crate) async fn run(args: &CompareArgs, app: &Host, output: Output) -> Result<(), Problem> {
    plot::check_path(args.plot.as_deref())?;
    let key = app.find_series(&args.series.wanted()).await?;
    let models = args.pipeline.models(&args.models)?;
    let common = args.pipeline.common(&key, false)?;
    let method = args.split.method(app, &key).await?;
    let pool = pool(app, std::slice::from_ref(&key), args.pool, output).await?;
    let (confidence_threshold, seed) = (args.pipeline.confidence_threshold, app.seed);
    let request = EvaluateJob { series: key, pool, models, common, method, confidence_threshold, seed };
    if args.job.queue {
        return jobs::queue(&request, &args.job, app, output).await;
    }
    let evaluation = {
        let bar = Arc::new(Bar::new(output));
        run_job(app, &JOBS, &request, &args.job.options(), bar).await?
    };
    if let Some(path) = &args.plot {
        plot::evaluation(&evaluation, path)?;
        output.remark(&format!("plot: {}", path.display()));
    }
    let document = EvaluationDoc::new(&evaluation, app.seed.0);
    output.result(&document, || text::evaluation(&document))
}
