//! `candlecast compare`.

use candlecast_app::text;
use std::path::PathBuf;
use std::sync::Arc;

use candlecast_app::doc::EvaluationDoc;
use candlecast_app::{EvaluateJob, JOBS};
use candlecast_core::Problem;
use candlecast_host::Host;
use candlecast_jobs::run_job;
use candlecast_pipeline::PipelineOptions;
use candlecast_pipeline::catalog::compared;
use clap::Args;

use super::jobs;
use super::jobs::JobArgs;
use crate::output::Output;
use crate::plot;
use crate::progress::Bar;
use crate::requests::{PipelineArgs, SeriesArgs, pool};
use crate::splits::SplitArgs;

/// Walk models forward side by side, the naive forecasts among them
#[derive(Debug, Args)]
#[command(
    after_help = "How to read the table: docs/reading-the-table.md\n\nExample:\n  candlecast compare --symbol BTCUSDT --models hybrid,linear --horizon 24h --from 2023-01-01 --to 2024-01-01\n  candlecast compare --symbol BTCUSDT --task direction --models linear,gbdt --horizon 24h --from 2023-01-01 --to 2024-01-01\n  candlecast compare --symbol BTCUSDT --model gbdt\n  candlecast compare --symbol BTCUSDT --models ensemble,lstm,hybrid --strategy stacking --members lstm,hybrid"
)]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    pub(crate) series: SeriesArgs,
    /// Models, by comma; the baselines are always added [default: lstm,hybrid]
    #[arg(long, short, value_delimiter = ',')]
    pub(crate) models: Vec<String>,
    /// One model, beside lstm and hybrid as far as these can do the task
    #[arg(long, conflicts_with = "models")]
    pub(crate) model: Option<String>,
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

impl CompareArgs {
    /// Names of the models.
    fn names(&self, common: &PipelineOptions) -> Result<Vec<String>, Problem> {
        if !self.models.is_empty() {
            return Ok(self.models.clone());
        }
        let ids = compared(self.model.as_deref(), &common.task()?)?;
        Ok(ids.into_iter().map(str::to_owned).collect())
    }
}

pub(crate) async fn run(args: &CompareArgs, app: &Host, output: Output) -> Result<(), Problem> {
    plot::check_path(args.plot.as_deref())?;
    let key = app.find_series(&args.series.wanted()).await?;
    let common = args.pipeline.common(&key, false)?;
    let models = args.pipeline.models(&args.names(&common)?)?;
    let method = args.split.method(app, &key, &common).await?;
    // It has become a range.
    let common = PipelineOptions { test_share: None, ..common };
    let pool = pool(app, std::slice::from_ref(&key), args.pool, output).await?;
    let (confidence_threshold, seed) = (args.pipeline.confidence_threshold, app.seed);
    let (series, candles) = (key, vec![]);
    let request = EvaluateJob { series, pool, models, common, method, candles, confidence_threshold, seed };
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
