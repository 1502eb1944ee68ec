//! `candlecast features`.

use candlecast_app::text;
use std::path::PathBuf;
use std::sync::Arc;

use candlecast_app::doc::RankingDoc;
use candlecast_app::export::{Table, write_table};
use candlecast_app::rank::rank_features;
use candlecast_app::{check_document_path, write_document};
use candlecast_core::{FeatureSet, NoProgress, Problem, Timestamp};
use candlecast_features::{Engine, FeatureSpec};
use candlecast_host::{Host, blocking};
use candlecast_pipeline::{MAX_FILL, RankOptions, default_rank_model, with_all};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::output::Output;
use crate::progress::Bar;
use crate::requests::{FitArgs, RangeArgs, SeriesArgs};
use crate::tables;

/// List, describe, compute and rank features
#[derive(Debug, Args)]
pub(crate) struct FeaturesArgs {
    #[command(subcommand)]
    command: FeaturesCommand,
}

#[derive(Debug, Subcommand)]
enum FeaturesCommand {
    /// Every feature of the catalog
    List {
        /// Only this group
        #[arg(long)]
        group: Option<String>,
        /// The reference in Markdown
        #[arg(long)]
        markdown: bool,
    },
    /// One feature: formula, unit, warm-up, cost, source
    Describe {
        /// Id, such as rsi_14
        id: String,
    },
    /// Compute features over a stored series
    #[command(
        after_help = "Example:\n  candlecast features compute --symbol BTCUSDT --features default --output features.parquet"
    )]
    Compute {
        #[command(flatten)]
        series: SeriesArgs,
        #[command(flatten)]
        range: RangeArgs,
        /// Ids, groups (group:momentum), sets (default, reversal, ohlcv) or all, by comma
        #[arg(long, value_delimiter = ',', default_value = "default")]
        features: Vec<String>,
        /// File that ends in .csv or .parquet; without it the last candles are printed
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Candles printed, the newest
        #[arg(long, default_value_t = 5)]
        last: usize,
    },
    /// What each feature tells about the return ahead, before the part that the next training is tested on
    #[command(
        after_help = "What a training on the same candles would calibrate and be tested on is not looked at, so that a choice of features leaves it untouched. With --to the range ends there instead: choose features on candles before those that you test on.\n\nThe window is that of train: the newest days, or, with --from, the range as a whole (expanding); --window or --train-days decide otherwise. --features all ranks the whole catalog.\n\nExample:\n  candlecast features rank --symbol BTCUSDT --horizon 24h --to 2023-01-01 --output ranks.json"
    )]
    Rank(RankArgs),
}

#[derive(Debug, Args)]
struct RankArgs {
    #[command(flatten)]
    series: SeriesArgs,
    /// Model whose importances are shown [default: gbdt]
    #[arg(long, short)]
    model: Option<String>,
    #[command(flatten)]
    range: RangeArgs,
    /// Of two features with a higher absolute rank correlation, the less informative one is marked as redundant
    #[arg(long, default_value_t = RankOptions::default().max_correlation, value_name = "SHARE")]
    max_correlation: f64,
    #[command(flatten)]
    fit: FitArgs,
    /// File that ends in .json; gets the whole result
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// `list` and `describe` need no data folder.
pub(crate) fn run_without_app(args: &FeaturesArgs, output: Output) -> Option<Result<(), Problem>> {
    match &args.command {
        FeaturesCommand::List { markdown: true, .. } => {
            Some(Output::line(candlecast_features::reference_markdown().trim_end()))
        }
        FeaturesCommand::List { group, .. } => Some(list(group.as_deref(), output)),
        FeaturesCommand::Describe { id } => Some(describe(id, output)),
        FeaturesCommand::Compute { .. } | FeaturesCommand::Rank(_) => None,
    }
}

pub(crate) async fn run(args: FeaturesArgs, app: &Host, output: Output) -> Result<(), Problem> {
    match args.command {
        FeaturesCommand::Rank(args) => rank(&args, app, output).await,
        command => compute(command, app, output).await,
    }
}

async fn rank(args: &RankArgs, app: &Host, output: Output) -> Result<(), Problem> {
    if let Some(path) = &args.output {
        check_document_path(path)?;
    }
    let key = app.find_series(&args.series.wanted()).await?;
    let model = args.model.clone().unwrap_or_else(|| default_rank_model().to_owned());
    let request = args.fit.models(&[model])?.remove(0);
    let common = args.fit.common(&key, args.range.from.is_some())?;
    let options = RankOptions { max_correlation: args.max_correlation, ..RankOptions::default() };
    let ranking = {
        let bar = Arc::new(Bar::new(output));
        rank_features(app, &key, request, common, args.range.range(), options, bar).await?
    };
    let doc = RankingDoc::new(&ranking, app.seed.0);
    if let Some(path) = &args.output {
        let (doc, to) = (doc.clone(), path.clone());
        blocking(app, move |_| write_document(&doc, &to)).await?;
        output.remark(&format!("written: {}", path.display()));
    }
    output.result(&doc, || tables::ranking(&ranking))
}

async fn compute(command: FeaturesCommand, app: &Host, output: Output) -> Result<(), Problem> {
    let FeaturesCommand::Compute { series, range, features, output: path, last } = command else {
        return Ok(());
    };
    let engine = Engine::new(&with_all(&FeatureSet(features)))?;
    let key = app.find_series(&series.wanted()).await?;
    let market = app.market(&key, MAX_FILL).await?;
    let computed = Arc::clone(&market);
    let (table, times) = app
        .compute_long(&NoProgress, move || {
            Ok((engine.compute(computed.series()), computed.series().columns().open_time.clone()))
        })
        .await?;
    let range = range.range();
    let (first, end) = (market.series().first_row_from(range.from), market.series().first_row_from(range.to));
    if first >= end {
        return Err(Problem::data("outside-data", format!("{key} has no candles {range}")).with_field("from"));
    }
    if let Some(path) = path {
        let to = path.clone();
        let written = blocking(app, move |_| {
            let columns = table.names.iter().zip(&table.columns).map(|(n, c)| (n.as_str(), &c[first..end])).collect();
            write_table(&Table { open_time: &times[first..end], columns }, &to)?;
            Ok(table)
        });
        let table = written.await?;
        let doc = json!({ "file": path, "rows": end - first, "features": table.names });
        return output.result(&doc, || {
            format!("{} features over {} candles of {key} -> {}", table.width(), end - first, path.display())
        });
    }
    let shown = if output.is_json() { first..end } else { end.saturating_sub(last.max(1)).max(first)..end };
    let rows: Vec<Vec<f64>> = shown.clone().map(|row| table.columns.iter().map(|c| c[row]).collect()).collect();
    let doc = document(&key, &table.names, &times[shown.clone()], &rows);
    output.result(&doc, || tables::feature_rows(&table.names, &times[shown], &rows))
}

fn document(key: &candlecast_core::SeriesKey, names: &[String], times: &[i64], rows: &[Vec<f64>]) -> Value {
    json!({
        "venue": key.venue, "symbol": key.symbol, "interval": key.interval, "features": names,
        "rows": times.iter().zip(rows).map(|(&t, r)| json!({
            "openTime": Timestamp(t),
            "values": r.iter().map(|v| if v.is_nan() { Value::Null } else { json!(v) }).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}

fn list(group: Option<&str>, output: Output) -> Result<(), Problem> {
    let specs: Vec<&FeatureSpec> = candlecast_features::catalog()
        .iter()
        .filter(|s| group.is_none_or(|g| s.group.name() == g.to_ascii_lowercase()))
        .collect();
    if let Some(group) = group.filter(|_| specs.is_empty()) {
        let names: Vec<&str> = candlecast_features::Group::ALL.iter().map(|g| g.name()).collect();
        return Err(Problem::usage(
            "unknown-group",
            "group",
            format!("group `{group}` is not known: there are {}", names.join(", ")),
        ));
    }
    let ids = |s: &FeatureSpec| s.listed.iter().flat_map(|p| s.output_ids(p)).collect::<Vec<_>>();
    let docs: Vec<Value> = specs.iter().map(|s| spec_value(s)).collect();
    output.result(&docs, || {
        let rows = specs
            .iter()
            .map(|s| vec![s.group.to_string(), ids(s).join(" "), s.summary.to_owned(), s.cost.to_owned()])
            .collect();
        let aliases = candlecast_features::aliases().iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        format!("{}\nother names and sets: {aliases}", text::plain(&["group", "features", "what", "cost"], rows))
    })
}

fn spec_value(s: &FeatureSpec) -> Value {
    json!({
        "id": s.id, "group": s.group.name(), "summary": s.summary, "unit": s.unit, "formula": s.formula,
        "source": s.source, "cost": s.cost, "version": s.version, "requires": s.requires,
        "params": s.params.iter().map(|p| json!({ "name": p.name, "min": p.min, "max": p.max })).collect::<Vec<_>>(),
        "outputs": s.listed.iter().flat_map(|p| s.output_ids(p)).collect::<Vec<_>>(),
    })
}

fn describe(id: &str, output: Output) -> Result<(), Problem> {
    let engine = Engine::new(&FeatureSet::of(&[id]))?;
    let outputs = engine.outputs().to_vec();
    let spec = candlecast_features::catalog()
        .iter()
        .filter(|s| {
            outputs.iter().any(|o| s.outputs.iter().any(|stem| o == stem || o.starts_with(&format!("{stem}_"))))
        })
        .max_by_key(|s| s.outputs.iter().map(|stem| stem.len()).max());
    let mut doc = spec.map_or_else(|| json!({}), spec_value);
    doc["outputs"] = json!(outputs);
    doc["warmup"] = json!(engine.warmup());
    output.result(&doc, || {
        let mut lines = vec![format!("{id}: {}", outputs.join(", "))];
        if let Some(s) = spec {
            lines.push(s.summary.to_owned());
            lines.push(format!("formula  {}", s.formula));
            lines.push(format!("unit     {}", s.unit));
            lines.push(format!("group    {}", s.group));
            lines.push(format!("cost     {} a candle", s.cost));
            lines.push(format!("source   {}", s.source));
        }
        lines.push(format!("warm-up  {} candles", engine.warmup()));
        lines.join("\n")
    })
}
