//! `candlecast hpo`.

use std::sync::Arc;

use candlecast_app::doc::SearchDoc;
use candlecast_app::{
    JOBS, MAX_TRIALS, SearchJob, export_search, find_search, list_searches, search_dates, show_search, text,
};
use candlecast_core::{ModelRequest, Problem, TimeRange, Timestamp};
use candlecast_host::Host;
use candlecast_jobs::{Cursor, PageRequest, retry_job_here, run_job};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::jobs;
use super::jobs::JobArgs;
use crate::cli::time;
use crate::output::Output;
use crate::progress::Bar;
use crate::requests::{FitArgs, SeriesArgs, pool};

/// Search the configurations of a model
#[derive(Debug, Args)]
#[command(
    after_help = "Trials are scored on the newest half of the candles before the hold-out, in a few stretches. The hold-out is scored once, for the configuration that was chosen and for the default one; then what was chosen is trained on the candles of the trials, and saved.\n\nThe first characters of an id, as many as tell it from others, stand for it.\n\nExamples:\n  candlecast hpo run --symbol BTCUSDT --model lstm --horizon 24h --trials 30\n  candlecast hpo run --symbol BTCUSDT --model gbdt --method random --search maxDepth=2,4,6 --search learningRate='{\"min\":0.01,\"max\":0.3}'\n  candlecast hpo show hpo_01jd8x3k"
)]
pub(crate) struct HpoArgs {
    #[command(subcommand)]
    command: HpoCommand,
}

#[derive(Debug, Subcommand)]
enum HpoCommand {
    /// Search
    #[command(
        after_help = "Without --space and --search the parameters and values of the catalog are searched (`default`). `wide` is a larger space of lstm and gru. A space that is named is searched as given: what it does not name keeps its default, or what --set says. Beside the parameters of the model retrainInterval, trainDays, window, scaler and features may be searched.\n\nThe search is a job: `candlecast hpo resume` goes on with it when it was interrupted.\n\nExamples:\n  candlecast hpo run --symbol BTCUSDT --model hybrid --method grid\n  candlecast hpo run --symbol BTCUSDT --model lstm --space wide --trials 50 --pruner hyperband\n  candlecast hpo run --symbol BTCUSDT --model lstm --search hiddenSize=16,32 --search retrainInterval=7,14 --metric mae,direction"
    )]
    Run(Box<RunArgs>),
    /// Searches that have begun, newest first
    #[command(after_help = "Example:\n  candlecast hpo list --limit 50")]
    List {
        /// Most searches shown
        #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
        /// Go on behind this page, as the end of the last one says
        #[arg(long, value_name = "CURSOR")]
        after: Option<Cursor>,
    },
    /// What came of a search, or what its trials tell so far
    #[command(after_help = "Example:\n  candlecast hpo show hpo_01jd8x3k")]
    Show {
        /// Id, or its beginning
        id: String,
    },
    /// Go on with a search that was interrupted, cancelled or has failed; finished trials are not repeated
    #[command(after_help = "Example:\n  candlecast hpo resume hpo_01jd8x3k")]
    Resume {
        /// Id, or its beginning
        id: String,
    },
    /// All trials as CSV, with --json as a list
    #[command(after_help = "Example:\n  candlecast hpo export hpo_01jd8x3k > trials.csv")]
    Export {
        /// Id, or its beginning
        id: String,
    },
    /// How much each parameter matters for being among the best tenth of the trials
    #[command(after_help = "Example:\n  candlecast hpo importances hpo_01jd8x3k")]
    Importances {
        /// Id, or its beginning
        id: String,
    },
}

/// What is searched, and how.
#[derive(Debug, Args)]
struct RunArgs {
    #[command(flatten)]
    series: SeriesArgs,
    /// Model
    #[arg(long, short, default_value = "lstm")]
    model: String,
    /// Way to search: tpe, random or grid
    #[arg(long, default_value = "tpe", value_name = "METHOD")]
    method: String,
    /// What trials are compared by; several, by comma, for a Pareto front [default: mae, logLoss for classes, qlike]
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    metric: Vec<String>,
    /// Trials, 500 at most [default: 50; all points of a grid]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_TRIALS)))]
    trials: Option<u32>,
    /// Trials side by side; with another number other trials are made [default: 2]
    #[arg(long, value_name = "N")]
    parallel: Option<u32>,
    /// Stretches that a trial is scored on, 2 to 10
    #[arg(long, default_value_t = 3, value_name = "N")]
    folds: u32,
    /// Begin no further trial after so many seconds
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// What gives trials up early: median, percentile, halving, hyperband, wilcoxon or none
    #[arg(long, default_value = "median", value_name = "PRUNER")]
    pruner: String,
    /// default, wide, or an object of parameters and their values in JSON [default: default]
    #[arg(long, value_name = "SPACE", conflicts_with = "search")]
    space: Option<String>,
    /// A parameter to search: values by comma, or a range in JSON with min, max, step and log; several times if need be
    #[arg(long, value_name = "NAME=VALUES")]
    search: Vec<String>,
    /// First origin of the hold-out [default: the newest 15 % of the candles, 90 days at most]
    #[arg(long, value_parser = time, value_name = "TIME")]
    from: Option<Timestamp>,
    /// First instant after the hold-out
    #[arg(long, value_parser = time, value_name = "TIME")]
    to: Option<Timestamp>,
    /// First candle that trials may see
    #[arg(long, value_parser = time, value_name = "TIME")]
    train_start: Option<Timestamp>,
    /// First instant after the candles that trials may see [default: where the hold-out begins]
    #[arg(long, value_parser = time, value_name = "TIME")]
    train_end: Option<Timestamp>,
    #[command(flatten)]
    fit: FitArgs,
    /// Share of outcomes that intervals are to cover
    #[arg(long, default_value_t = 0.9)]
    level: f64,
    /// Days between refits on the hold-out
    #[arg(long, visible_alias = "retrain-interval", default_value_t = 7, value_name = "DAYS")]
    retrain_days: u32,
    /// Learn from all other stored series of the same venue and interval too
    #[arg(long)]
    pool: bool,
    /// Save no model
    #[arg(long)]
    no_save: bool,
    #[command(flatten)]
    job: JobArgs,
}

pub(crate) async fn run(args: &HpoArgs, app: &Host, output: Output) -> Result<(), Problem> {
    match &args.command {
        HpoCommand::Run(args) => search(args, app, output).await,
        HpoCommand::List { limit, after } => {
            let page = list_searches(app, PageRequest { after: *after, limit: *limit }).await?;
            output.result(&page, || text::searches(&page))
        }
        HpoCommand::Show { id } => {
            let document = show_search(app, id).await?;
            output.result(&document, || text::search_of(&document))
        }
        HpoCommand::Resume { id } => {
            let job = find_search(app, id).await?;
            let done = {
                let bar = Arc::new(Bar::new(output));
                retry_job_here(app, &JOBS, &job.id, bar).await?
            };
            output.result(&done.document, || done.text.clone())
        }
        HpoCommand::Export { id } => {
            let table = export_search(app, id).await?;
            let trials = if output.is_json() { show_search(app, id).await?["trials"].take() } else { Value::Null };
            output.result(&trials, || table)
        }
        HpoCommand::Importances { id } => {
            let document = show_search(app, id).await?;
            output.result(&document["importances"], || match text::importances(&document) {
                few if few.is_empty() => "too few trials have come to their end to tell".into(),
                told => told,
            })
        }
    }
}

async fn search(args: &RunArgs, app: &Host, output: Output) -> Result<(), Problem> {
    let request = request(args, app, output).await?;
    if args.job.queue {
        return jobs::queue(&request, &args.job, app, output).await;
    }
    let found: SearchDoc = {
        let bar = Arc::new(Bar::new(output));
        run_job(app, &JOBS, &request, &args.job.options(), bar).await?
    };
    output.result(&found, || text::search(&found))
}

async fn request(args: &RunArgs, app: &Host, output: Output) -> Result<SearchJob, Problem> {
    let key = app.find_series(&args.series.wanted()).await?;
    let model = args.fit.models(std::slice::from_ref(&args.model))?.remove(0);
    let mut common = args.fit.common(&key, false)?;
    (common.level, common.retrain_days) = (args.level, args.retrain_days);
    // Of a search it is the share of the candles that is held out, which the dates say.
    let test_share = common.test_share.take();
    if test_share.is_some() && args.from.is_some() {
        let why = "--test-share stands in the place of --from: give one of them";
        return Err(Problem::usage("bad-test-share", "test-share", why));
    }
    let no_candles = || Problem::data("too-few-candles", format!("{key} has no candles"));
    let stored = app.store.coverage(&key).await?.range.ok_or_else(no_candles)?;
    let between = |from: Option<Timestamp>, to: Option<Timestamp>| TimeRange {
        from: from.unwrap_or(TimeRange::ALL.from),
        to: to.unwrap_or(TimeRange::ALL.to),
    };
    let (train, test) = (between(args.train_start, args.train_end), between(args.from, args.to));
    let dates = search_dates(stored, key.interval, train, test, test_share)?;
    let pool = pool(app, std::slice::from_ref(&key), args.pool, output).await?;
    let part = |id: &str| ModelRequest { id: id.into(), params: json!({}) };
    let plain = SearchJob::new(key, model, common, dates, app.seed)?;
    Ok(SearchJob {
        pool,
        parameter_space: space(args.space.as_deref(), &args.search)?,
        method: part(&args.method),
        pruner: part(&args.pruner),
        metrics: if args.metric.is_empty() { plain.metrics.clone() } else { args.metric.clone() },
        trials: args.trials,
        parallel: args.parallel.unwrap_or(plain.parallel),
        folds: args.folds,
        timeout: args.timeout,
        save: !args.no_save,
        ..plain
    })
}

/// The space that `--space` or `--search` names; null for the default one.
fn space(named: Option<&str>, searched: &[String]) -> Result<Value, Problem> {
    let bad = |field: &str, why: String| Problem::usage("bad-value", field, why);
    if let Some(text) = named.map(str::trim) {
        if !text.starts_with('{') {
            return Ok(Value::String(text.into()));
        }
        return serde_json::from_str(text).map_err(|e| bad("space", format!("--space is no JSON: {e}")));
    }
    let mut space = Map::new();
    for assignment in searched {
        let (name, text) = assignment.split_once('=').ok_or_else(|| {
            bad("search", format!("--search {assignment}: write NAME=VALUES, for example hiddenSize=16,32"))
        })?;
        let (name, text) = (name.trim(), text.trim());
        let values = if text.starts_with(['{', '[']) {
            serde_json::from_str(text).map_err(|e| bad("search", format!("--search {name}: no JSON: {e}")))?
        } else {
            let value = |word: &str| serde_json::from_str(word).unwrap_or_else(|_| Value::String(word.into()));
            text.split(',').map(|word| value(word.trim())).collect()
        };
        if space.insert(name.to_owned(), values).is_some() {
            return Err(bad("search", format!("--search {name}: named twice")));
        }
    }
    Ok(if space.is_empty() { Value::Null } else { Value::Object(space) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn searched(assignments: &[&str]) -> Result<Value, String> {
        let assignments: Vec<String> = assignments.iter().map(|&text| text.to_owned()).collect();
        space(None, &assignments).map_err(|problem| problem.detail)
    }

    #[test]
    fn spaces_are_words_json_or_lists_of_values() {
        assert_eq!(space(None, &[]).unwrap(), Value::Null);
        assert_eq!(space(Some("wide"), &[]).unwrap(), json!("wide"));
        assert_eq!(space(Some(" {\"a\": [1]}"), &[]).unwrap(), json!({ "a": [1] }));
        let several =
            ["hiddenSize=16, 32", "hiddenSizes=[null,[32,16]]", "rate={\"min\":0.1,\"max\":1}", "scaler=none"];
        let expected = json!({
            "hiddenSize": [16, 32], "hiddenSizes": [null, [32, 16]], "rate": { "min": 0.1, "max": 1 }, "scaler": ["none"],
        });
        assert_eq!(searched(&several), Ok(expected));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        assert!(searched(&["hiddenSize"]).unwrap_err().contains("write NAME=VALUES"));
        assert!(searched(&["a=1", "a=2"]).unwrap_err().contains("named twice"));
        assert!(searched(&["a=[1"]).unwrap_err().contains("no JSON"));
        assert!(space(Some("{1"), &[]).unwrap_err().detail.contains("--space is no JSON"));
    }
}
