//! `candlecast predictions`.

use candlecast_app::doc::{AccuracyDoc, PredictionsDoc, SettlementDoc};
use candlecast_app::models::parse_id;
use candlecast_core::{Interval, Problem, Symbol, Venue};
use candlecast_host::{Host, SeriesQuery};
use candlecast_jobs::Cursor;
use candlecast_monitor::{
    LoggedPrediction, MAX_PAGE, Page, PageRequest, PredictionFilter, PredictionStatus, PredictionsOf, Settlement,
    count_pending_predictions, prediction_accuracy, predictions, revalidate_predictions, validate_predictions,
};
use candlecast_pipeline::{Accuracy, GroupAccuracy};
use clap::{Args, Subcommand};

use crate::output::Output;
use crate::requests::RangeArgs;
use crate::tables;

/// Predictions settled before a list is shown; the rest with the next one.
const SETTLED_AT_ONCE: u64 = 10_000;

/// Look at logged forecasts and at what became of them
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  candlecast predictions list --symbol BTCUSDT --status validated\n  candlecast predictions accuracy --window 90"
)]
pub(crate) struct PredictionsArgs {
    #[command(subcommand)]
    command: PredictionsCommand,
}

#[derive(Debug, Subcommand)]
enum PredictionsCommand {
    /// Logged forecasts, a line a step, last target first
    List(ListArgs),
    /// Set every prediction beside its outcome whose candle is stored
    Validate(ValidateArgs),
    /// How the models did, by group of steps, beside the naive forecast on the same targets
    Accuracy(AccuracyArgs),
}

/// Whose predictions.
#[derive(Debug, Args)]
struct OfArgs {
    /// Only this model's: its id, such as BTCUSDT_LINEAR_1.0.0
    #[arg(long, short, value_name = "ID", conflicts_with = "symbol")]
    model: Option<String>,
    /// Only those on this symbol's series
    #[arg(long, short)]
    symbol: Option<Symbol>,
    /// Candle length of the series [default: 1h if stored, else the finest stored]
    #[arg(long, short, requires = "symbol")]
    interval: Option<Interval>,
    /// Venue of the series [default: binance, or the only one stored]
    #[arg(long, requires = "symbol")]
    venue: Option<Venue>,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    of: OfArgs,
    /// Only this status: pending, validated, unscorable
    #[arg(long)]
    status: Option<PredictionStatus>,
    // Of the target times.
    #[command(flatten)]
    range: RangeArgs,
    /// At most so many, 1 to 1000
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PAGE)))]
    limit: u32,
    /// Go on where the page before ended, with the cursor that it showed
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor>,
}

#[derive(Debug, Args)]
struct ValidateArgs {
    /// Those that have met their outcome, too: for candles that were corrected while the log could not follow
    #[arg(long)]
    again: bool,
}

#[derive(Debug, Args)]
struct AccuracyArgs {
    #[command(flatten)]
    of: OfArgs,
    /// Days before the newest validated prediction that count [default: all]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    window: Option<u32>,
}

impl OfArgs {
    async fn of(&self, app: &Host) -> Result<PredictionsOf, Problem> {
        if let Some(id) = &self.model {
            return Ok(PredictionsOf::Model(parse_id(id)?.to_string()));
        }
        let Some(symbol) = self.symbol.clone() else { return Ok(PredictionsOf::All) };
        let wanted = SeriesQuery { symbol, venue: self.venue.clone(), interval: self.interval };
        Ok(PredictionsOf::Series(app.find_series(&wanted).await?))
    }
}

pub(crate) async fn run(args: PredictionsArgs, app: &Host, output: Output) -> Result<(), Problem> {
    match args.command {
        PredictionsCommand::List(args) => list(&args, app, output).await,
        PredictionsCommand::Validate(args) => {
            let settled = if args.again {
                revalidate_predictions(&app).await?
            } else {
                validate_predictions(&app, u64::MAX).await?
            };
            let pending = count_pending_predictions(&app).await?;
            output.result(&SettlementDoc::new(&settled, pending), || settlement(&settled, pending))?;
            problems(&settled)
        }
        PredictionsCommand::Accuracy(args) => {
            settle_first(app, output).await;
            let accuracy = prediction_accuracy(&app, args.of.of(app).await?, args.window).await?;
            output.result(&AccuracyDoc::new(&accuracy, args.window), || accuracy_text(&accuracy))
        }
    }
}

async fn list(args: &ListArgs, app: &Host, output: Output) -> Result<(), Problem> {
    settle_first(app, output).await;
    let filter = PredictionFilter { of: args.of.of(app).await?, status: args.status, target: args.range.range() };
    let page = predictions(&app, &filter, PageRequest { after: args.after, limit: args.limit }).await?;
    output.result(&PredictionsDoc::from(&page), || list_text(&page))
}

/// Brings the log up to date before it is shown. Where that cannot be done it is shown as it is.
async fn settle_first(app: &Host, output: Output) {
    let problems = match validate_predictions(&app, SETTLED_AT_ONCE).await {
        Ok(settled) => settled.problems,
        Err(e) => vec![e.detail],
    };
    for problem in problems {
        output.remark(&format!("warning: predictions were not set beside their outcomes: {problem}"));
    }
}

/// What kept a series from being looked at, as one problem.
fn problems(settled: &Settlement) -> Result<(), Problem> {
    if settled.problems.is_empty() {
        return Ok(());
    }
    Err(Problem::data("not-validated", settled.problems.join("\n  ")))
}

fn settlement(s: &Settlement, pending: u64) -> String {
    let mut text = format!("{} validated, {} unscorable, {pending} pending", s.validated, s.missing + s.halted);
    if s.missing > 0 {
        text.push_str(&format!("\n{} unscorable: their candle is missing while later ones are stored", s.missing));
    }
    if s.halted > 0 {
        text.push_str(&format!("\n{} unscorable: their candle is flat and without volume", s.halted));
    }
    text
}

fn list_text(page: &Page<LoggedPrediction>) -> String {
    if page.items.is_empty() {
        return "no logged prediction is like that: `candlecast predict` logs its forecasts".into();
    }
    let rows = page.items.iter().map(row).collect();
    let header = ["model", "series", "origin", "step", "target", "price", "interval", "conf.", "actual", "error", ""];
    let mut text = tables::plain(&header, rows);
    if let Some(next) = page.next {
        text.push_str(&format!("\nthere are more: --after {next}"));
    }
    text
}

fn row(p: &LoggedPrediction) -> Vec<String> {
    let interval = p
        .made
        .interval
        .map_or_else(dash, |i| format!("{} .. {}", tables::price(Some(i.lower)), tables::price(Some(i.upper))));
    let error = p.error.map_or_else(dash, |error| {
        let sign = if error < 0.0 { "-" } else { "" };
        format!("{sign}{}", tables::price(Some(error.abs())))
    });
    vec![
        p.made.model_id.clone(),
        p.made.series.to_string(),
        p.made.origin.to_string(),
        p.made.step.to_string(),
        p.made.target_time.to_string(),
        tables::price(Some(p.made.prediction)),
        interval,
        p.made.confidence.map_or_else(dash, |c| format!("{c:.2}")),
        tables::price(p.actual),
        error,
        p.status.to_string(),
    ]
}

fn dash() -> String {
    "-".into()
}

fn accuracy_text(a: &Accuracy) -> String {
    let Some(range) = a.range else {
        return "no prediction has met its outcome yet: `candlecast predict` logs forecasts, `candlecast import` brings the candles that they are set beside".into();
    };
    let mut rows = Vec::new();
    let mut verdicts = Vec::new();
    for model in &a.models {
        for group in &model.groups {
            rows.push(group_row(&model.model_id, group));
            verdicts.push(format!("{} {}: {}", model.model_id, steps(group), group.verdict));
        }
    }
    let header = ["model", "steps", "n", "indep.", "MAE", "naive", "skill", "RMSE", "MAPE", "direct.", "cover", "of"];
    let cut =
        if a.cut { "\nonly the newest predictions were read: there are too many; take a shorter --window" } else { "" };
    format!(
        "targets {range}{cut}\n{}\n{}\nindep. = outcomes that do not overlap; naive = MAE of \"the price stays\" on the same targets; skill = 1 - MAE / that; p-values are corrected for the number of lines.",
        tables::plain(&header, rows),
        verdicts.join("\n")
    )
}

fn group_row(model_id: &str, g: &GroupAccuracy) -> Vec<String> {
    let percent = |share: Option<f64>| share.map_or_else(dash, |v| format!("{:.1} %", 100.0 * v));
    vec![
        model_id.to_owned(),
        steps(g),
        g.n.to_string(),
        g.independent.to_string(),
        tables::price(g.metrics.mae),
        tables::price(g.naive.mae),
        g.skill.map_or_else(dash, |v| format!("{:.2} %", 100.0 * v)),
        tables::price(g.metrics.rmse),
        g.metrics.mape.map_or_else(dash, |v| format!("{v:.3} %")),
        percent(g.metrics.directional_accuracy),
        percent(g.coverage),
        percent(g.level),
    ]
}

fn steps(g: &GroupAccuracy) -> String {
    match g.steps {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    }
}
