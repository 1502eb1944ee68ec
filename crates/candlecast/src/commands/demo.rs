//! `candlecast demo`.

use candlecast_app::text;
use std::path::PathBuf;
use std::sync::Arc;

use candlecast_app::data::store_series;
use candlecast_app::doc::{EvaluationDoc, ForecastDoc, TrainDoc};
use candlecast_app::{EvaluateJob, JOBS, TrainJob};
use candlecast_core::market::{MarketConfig, generate};
use candlecast_core::{ModelRequest, Problem, TimeRange, Timestamp};
use candlecast_host::Host;
use candlecast_jobs::{JobOptions, run_job};
use candlecast_learn::{ModelReport, Report};
use candlecast_monitor::family;
use candlecast_pipeline::catalog::supporting;
use candlecast_pipeline::{Method, PipelineOptions};
use clap::Args;
use serde_json::json;

use crate::output::Output;
use crate::plot;
use crate::progress::Bar;

/// The main job end to end on a generated market: candles, features, models beside naive forecasts, the best
/// saved, a forecast
#[derive(Debug, Args)]
#[command(after_help = "Needs no network and no data. The market is synthetic, marked so, and the same for a seed.")]
pub(crate) struct DemoArgs {
    /// Models, by comma [default: all of prices]
    #[arg(long, short, value_delimiter = ',')]
    models: Vec<String>,
    /// Days of origins that are scored
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(7..=365))]
    days: u16,
    /// Draw errors, coverage and forecasts into a .png, .svg or .html file
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

/// Candles a coin: one year to learn from, lead-in and scored origins.
const CANDLES: usize = 13_500;
/// Days between refits in the demonstration.
const RETRAIN_DAYS: u32 = 30;

pub(crate) async fn run(args: &DemoArgs, app: &Host, output: Output) -> Result<(), Problem> {
    plot::check_path(args.plot.as_deref())?;
    let config = MarketConfig { n_candles: CANDLES, seed: app.seed, ..MarketConfig::default() };
    let market = app.compute(move || Ok(generate(&config))).await?;
    for coin in &market {
        store_series(app, &coin.series).await?;
        output.remark(&format!(
            "market in: {} {} candles, {} planted events [synthetic market]",
            coin.series.key(),
            coin.series.len(),
            coin.planted.len()
        ));
    }
    let key = market[0].series.key().clone();
    let end = market[0].series.range().map_or(Timestamp(0), |r| r.to);
    let mut common = PipelineOptions::new(key.interval.horizon_steps("24h")?);
    common.retrain_days = RETRAIN_DAYS;
    let models: Vec<ModelRequest> = if args.models.is_empty() {
        let of_prices = supporting(&common.task()?);
        of_prices.into_iter().map(|id| ModelRequest { id: id.into(), params: json!({}) }).collect()
    } else {
        args.models.iter().map(|id| ModelRequest { id: id.clone(), params: json!({}) }).collect()
    };
    let range = TimeRange { from: end.plus_ms(-i64::from(args.days) * 86_400_000), to: end };
    output.remark(&format!(
        "walking {} models and the naive forecasts forward over {} days ...",
        models.len(),
        args.days
    ));
    let evaluation = {
        let (models, common, method) = (models.clone(), common.clone(), Method::walk_forward(range));
        let (series, seed) = (key.clone(), app.seed);
        let request = EvaluateJob {
            series,
            pool: vec![],
            models,
            common,
            method,
            candles: vec![],
            confidence_threshold: None,
            seed,
        };
        let bar = Arc::new(Bar::new(output));
        run_job(app, &JOBS, &request, &JobOptions::default(), bar).await?
    };
    if !output.is_json() {
        Output::line(&text::evaluation(&EvaluationDoc::new(&evaluation, app.seed.0)))?;
    }
    if let Some(path) = &args.plot {
        plot::evaluation(&evaluation, path)?;
        output.remark(&format!("plot: {}", path.display()));
    }
    let best = best_model(&evaluation.report)?;
    output.remark(&format!("\ntraining {best}, the model of least error, to be saved ..."));
    let model =
        models.into_iter().find(|m| m.id == best).unwrap_or(ModelRequest { id: best.clone(), params: json!({}) });
    let request = TrainJob::new(vec![key.clone()], model, common, app.seed);
    let trained = {
        let bar = Arc::new(Bar::new(output));
        run_job(app, &JOBS, &request, &JobOptions::default(), bar).await?
    };
    let predicted = candlecast_app::predict::predict(app, &family(&key, &best, "price")?, None).await?;
    if output.is_json() {
        let doc = json!({
            "evaluation": EvaluationDoc::new(&evaluation, app.seed.0),
            "trained": TrainDoc::from(&trained),
            "forecast": ForecastDoc::from(&predicted),
        });
        return output.result(&doc, String::new);
    }
    let folder = app.settings.data_dir.display();
    Output::line(&format!(
        "saved {}\n\n{}\n\neverything is in {folder}",
        trained.models[0].path.display(),
        text::forecast(&predicted)
    ))
}

/// The model of least error that is no baseline.
fn best_model(report: &Report) -> Result<String, Problem> {
    let loss = |m: &ModelReport| m.metrics.loss().unwrap_or(f64::MAX);
    let models = report.models.iter().filter(|m| !m.baseline);
    let best = models.min_by(|a, b| loss(a).total_cmp(&loss(b))).map(|m| m.name.clone());
    best.ok_or_else(|| Problem::usage("no-model", "models", "name at least one model that is no baseline"))
}
