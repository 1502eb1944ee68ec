//! `candlecast predict`.

use candlecast_app::text;
use std::path::PathBuf;

use candlecast_app::doc::ForecastDoc;
use candlecast_app::models::Family;
use candlecast_app::predict::{CONFIDENCE_THRESHOLD, Predicted, predict_in_detail, predict_with};
use candlecast_core::{Interval, Problem, Symbol, Venue};
use candlecast_host::Host;
use candlecast_learn::task_kind;
use candlecast_monitor::active_models;
use candlecast_pipeline::Detail;
use candlecast_pipeline::catalog::canonical;
use clap::Args;
use serde_json::Value;

use crate::output::Output;
use crate::plot;
use crate::requests::{EnsembleArgs, SeriesArgs, confidence_threshold};

/// Forecast from the last stored candle with a saved model
#[derive(Debug, Args)]
#[command(
    after_help = "Each forecast is kept in the prediction log, unless its model has seen the future of the origin or its first target has closed already; see `candlecast predictions`.\n\nExamples:\n  candlecast predict --symbol BTCUSDT --model linear --horizon 24h\n  candlecast predict --symbol BTCUSDT --model linear --task volatility\n  candlecast predict --symbol BTCUSDT --model linear --quantiles 0.05,0.25,0.5,0.75,0.95 --plot fan.svg\n  candlecast predict --symbol BTCUSDT --model ensemble --members lstm,hybrid --strategy stacking\n  candlecast predict --all --json"
)]
pub(crate) struct PredictArgs {
    /// Symbol, such as BTCUSDT
    #[arg(long, short, required_unless_present = "all")]
    symbol: Option<Symbol>,
    /// Candle length [default: 1h if stored, else the finest stored]
    #[arg(long, short, visible_alias = "timeframe")]
    interval: Option<Interval>,
    /// Venue [default: binance, or the only one stored]
    #[arg(long)]
    venue: Option<Venue>,
    /// Model
    #[arg(long, short, required_unless_present = "all")]
    model: Option<String>,
    /// What is forecast: price, direction or volatility [default: price; with --all every task]
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// With every active model (of the symbol, interval, venue and model given)
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    ensemble: EnsembleArgs,
    /// How far ahead; the active model of the shortest horizon that reaches it answers [default: as far as any reaches]
    #[arg(long)]
    horizon: Option<String>,
    /// Confidence below which the answer is HOLD
    #[arg(long, value_name = "SHARE", default_value_t = CONFIDENCE_THRESHOLD, value_parser = confidence_threshold)]
    confidence_threshold: f64,
    /// Share of outcomes that the interval is to cover, 0.5 to 0.99 [default: the model's own, whose misses steer it]
    #[arg(long, value_name = "SHARE")]
    level: Option<f64>,
    /// Also the prices, or the volatilities, that these shares of outcomes are expected at or below: 0.01 to 0.99, by
    /// comma
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    quantiles: Vec<f64>,
    /// Draw the forecast into a .png, .svg or .html file
    #[arg(long, value_name = "FILE", conflicts_with = "all")]
    plot: Option<PathBuf>,
    /// Do not keep the forecast in the prediction log
    #[arg(long)]
    no_log: bool,
}

impl PredictArgs {
    fn task(&self) -> &str {
        self.task.as_deref().unwrap_or("price")
    }

    fn detail(&self) -> Result<Detail, Problem> {
        Detail::new(self.level, &self.quantiles)
    }
}

pub(crate) async fn run(args: &PredictArgs, app: &Host, output: Output) -> Result<(), Problem> {
    plot::check_path(args.plot.as_deref())?;
    args.detail()?.check(args.task())?;
    if args.all {
        if let Some((name, _)) = args.ensemble.params().iter().next() {
            let told = format!("--{name} is of one ensemble: leave it out, or --all");
            return Err(Problem::usage("bad-usage", name, told));
        }
        return all(args, app, output).await;
    }
    let (Some(symbol), Some(model)) = (args.symbol.clone(), args.model.as_deref()) else {
        return Err(Problem::usage("bad-usage", "symbol", "pass --symbol and --model, or --all"));
    };
    let series = SeriesArgs { symbol, interval: args.interval, venue: args.venue.clone() };
    let key = app.find_series(&series.wanted()).await?;
    let horizon = args.horizon.as_deref().map(|h| key.interval.horizon_steps(h)).transpose()?;
    let params = Value::Object(args.ensemble.params());
    let predicted = predict_with(app, &key, (model, args.task()), &params, horizon, &args.detail()?).await?;
    let predicted = predicted.with_confidence_threshold(args.confidence_threshold);
    if let Some(path) = &args.plot {
        plot::forecast(&predicted, path)?;
        output.remark(&format!("plot: {}", path.display()));
    }
    output.result(&ForecastDoc::from(&predicted), || text::forecast(&predicted))?;
    log(args, std::slice::from_ref(&predicted), app, output).await;
    Ok(())
}

/// Logs what has been answered already, so that nobody waits for the log, and no trouble with it costs a forecast.
async fn log(args: &PredictArgs, predicted: &[Predicted], app: &Host, output: Output) {
    if args.no_log {
        return;
    }
    if predicted.iter().any(|p| p.manifest.is_none()) {
        output.remark(
            "not in the prediction log: an ensemble of saved models has no version there; `candlecast train --model ensemble` saves one",
        );
    }
    let too_late = predicted.iter().filter(|p| p.is_too_late() && !p.has_seen_future()).count();
    if too_late > 0 {
        output.remark(&format!(
            "not in the prediction log: {too_late} of {} forecasts, since candles after the origin had closed when they were made; bring newer candles in first",
            predicted.len()
        ));
    }
    if let Err(e) = candlecast_app::predict::log_predicted(app, predicted).await {
        let text = format!("the forecast is not in the prediction log: {}", e.detail);
        if output.is_json() {
            tracing::warn!("{text}");
        } else {
            output.remark(&format!("warning: {text}"));
        }
    }
}

/// Every active model; one that fails does not keep the others from answering.
async fn all(args: &PredictArgs, app: &Host, output: Output) -> Result<(), Problem> {
    let model = args.model.as_deref().map(canonical).transpose()?;
    if let Some(task) = &args.task {
        task_kind(task).map_err(|e| Problem::usage("unknown-task", "task", e))?;
    }
    let mut active = active_models(app).await?;
    active.retain(|family| {
        let key = family.key();
        args.symbol.as_ref().is_none_or(|s| *s == key.symbol)
            && args.interval.is_none_or(|i| i == key.interval)
            && args.venue.as_ref().is_none_or(|v| *v == key.venue)
    });
    // A class has no distribution: among others it is told as it is.
    let (detail, plain) = (args.detail()?, Detail::default());
    let (mut predicted, mut failures): (Vec<Predicted>, Vec<Problem>) = (vec![], vec![]);
    let asked = |family: &Family| {
        model.is_none_or(|model| model == family.model())
            && args.task.as_deref().is_none_or(|task| task == family.task())
    };
    for family in active.into_iter().filter(asked) {
        let key = family.key();
        let answer = match args.horizon.as_deref().map(|h| key.interval.horizon_steps(h)).transpose() {
            Ok(horizon) => {
                let detail = if family.task() == "direction" { &plain } else { &detail };
                predict_in_detail(app, &family, horizon, detail).await
            }
            Err(e) => Err(e.into()),
        };
        match answer {
            Ok(p) => predicted.push(p.with_confidence_threshold(args.confidence_threshold)),
            Err(e) => failures.push(e.context(format!("{key} {} {}", family.model(), family.task()))),
        }
    }
    if predicted.is_empty() && failures.is_empty() {
        return Err(Problem::data("model-not-trained", "no model is active: run `candlecast train` first"));
    }
    let docs: Vec<ForecastDoc> = predicted.iter().map(Into::into).collect();
    output.result(&docs, || predicted.iter().map(text::forecast_line).collect::<Vec<_>>().join("\n"))?;
    log(args, &predicted, app, output).await;
    Problem::joined(&failures, predicted.len() + failures.len(), "forecasts").map_or(Ok(()), Err)
}
