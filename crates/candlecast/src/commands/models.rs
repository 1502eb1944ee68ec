//! `candlecast models`.

use candlecast_app::text;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use candlecast_app::doc::{
    DeletedDoc, DownloadDoc, ElsewhereModelDoc, IndexedDoc, ModelDoc, ServingChangeDoc, ValidationDoc,
};
use candlecast_app::models::{
    FamilyQuery, Indexed, ModelQuery, Status, Validated, delete_model, download_model, find_family, find_slot,
    forget_folder, model, model_path, models_elsewhere, models_page, parse_id, promote_model, reindex_models,
    roll_back_model, serving_history, serving_models, surplus_models, validate_model, weighing,
};
use candlecast_core::{Interval, Problem, Symbol, Venue};
use candlecast_host::{Host, LOCAL};
use candlecast_pipeline::catalog::canonical;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::output::Output;
use crate::progress::Bar;

/// Models in other folders that are listed unless told otherwise.
const ELSEWHERE: usize = 100;

/// Look after saved models
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  candlecast models list --symbol BTCUSDT --status active\n  candlecast models rollback BTCUSDT/linear --horizon 24h\n  candlecast models history BTCUSDT/linear\n  candlecast models validate --all --days 30\n  candlecast models download BTCUSDT_LINEAR_1.0.0 copies"
)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// What is saved, damaged files included
    List(ListArgs),
    /// One model: figures, configuration, data
    Show {
        /// Id, such as BTCUSDT_LINEAR_1.0.0
        id: String,
    },
    /// Let a version serve
    Promote {
        /// Id, such as BTCUSDT_LINEAR_1.0.0
        id: String,
    },
    /// Let the version serve that served before
    Rollback(RollbackArgs),
    /// What served when, why it changed and who changed it, newest first
    #[command(
        after_help = "Examples:\n  candlecast models history BTCUSDT/linear\n  candlecast models history BTCUSDT/lstm --interval 4h --json"
    )]
    History(FamilyArgs),
    /// Delete a version
    Delete {
        /// Id, such as BTCUSDT_LINEAR_1.0.0
        id: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// Delete it even if it serves; the version that served before it serves then
        #[arg(long)]
        force: bool,
    },
    /// Score a saved model, without training, on candles it has not learnt from; the naive forecasts beside it
    Validate(ValidateArgs),
    /// Copy a model's files to a folder, compared with their digests
    Download {
        /// Id, such as BTCUSDT_LINEAR_1.0.0
        id: String,
        /// Folder; made if it is missing, nothing in it is replaced
        dir: PathBuf,
    },
    /// Delete all but the newest versions of each model; those that serve stay
    KeepVersions {
        /// How many to keep [default: keep_versions of the configuration]
        #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
        n: Option<u32>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Bring the metadata database's index of models in line with the files
    Reindex {
        /// Also forget the models of this folder, which is gone for good, where hosts share the database
        #[arg(long, value_name = "FOLDER", value_parser = clap::builder::NonEmptyStringValueParser::new())]
        forget_folder: Option<String>,
    },
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only this symbol
    #[arg(long, short)]
    symbol: Option<Symbol>,
    /// Only this candle length
    #[arg(long, short)]
    interval: Option<Interval>,
    /// Only this venue
    #[arg(long)]
    venue: Option<Venue>,
    /// Only this type of model
    #[arg(long, short)]
    model: Option<String>,
    /// Only this task: price, direction or volatility
    #[arg(long)]
    task: Option<String>,
    /// Only this status: candidate, active, archived, corrupt
    #[arg(long)]
    status: Option<Status>,
    /// At most so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
    /// Go on after this id, the last of the page before
    #[arg(long, value_name = "ID")]
    after: Option<String>,
    /// Those that lie in other folders, where hosts with folders of their own share a database
    #[arg(long, conflicts_with = "after")]
    elsewhere: bool,
}

#[derive(Debug, Args)]
struct RollbackArgs {
    #[command(flatten)]
    family: FamilyArgs,
    /// Horizon of the model: a duration (24h) or a number of steps [default: the only one there is]
    #[arg(long)]
    horizon: Option<String>,
}

/// Models of one type on one series.
#[derive(Debug, Args)]
struct FamilyArgs {
    /// Model, such as BTCUSDT/linear
    #[arg(value_name = "SYMBOL/TYPE", required_unless_present = "symbol", conflicts_with_all = ["symbol", "model"])]
    family: Option<String>,
    /// Symbol
    #[arg(long, short, requires = "model")]
    symbol: Option<Symbol>,
    /// Type of model
    #[arg(long, short, requires = "symbol")]
    model: Option<String>,
    /// Candle length [default: the only one there is]
    #[arg(long, short)]
    interval: Option<Interval>,
    /// Venue [default: the only one there is]
    #[arg(long)]
    venue: Option<Venue>,
    /// Task: price, direction or volatility [default: the only one there is]
    #[arg(long)]
    task: Option<String>,
}

#[derive(Debug, Args)]
struct ValidateArgs {
    /// Id, such as BTCUSDT_LINEAR_1.0.0
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    id: Option<String>,
    /// Every active model
    #[arg(long)]
    all: bool,
    /// Newest days of candles that are looked at
    #[arg(long, default_value_t = 7, value_name = "DAYS")]
    days: u32,
}

pub(crate) async fn run(args: ModelsArgs, app: &Host, output: Output) -> Result<(), Problem> {
    match args.command {
        ModelsCommand::List(args) => list(&args, app, output).await,
        ModelsCommand::Show { id } => {
            let name = parse_id(&id)?;
            let (manifest, saved) = model(app, &id).await?;
            let (path, weighing) = (model_path(app, &name), weighing(&manifest, saved));
            let document = ModelDoc::of(&manifest, &path).with_weighing(weighing.clone());
            output.result(&document, || {
                let lines = weighing.as_ref().map_or_else(Vec::new, text::weights_lines);
                [vec![text::model(&manifest, &path)], lines].concat().join("\n")
            })
        }
        ModelsCommand::Promote { id } => {
            let manifest = promote_model(app, &id, LOCAL).await?;
            let path = model_path(app, &parse_id(&id)?);
            output.result(&ModelDoc::of(&manifest, &path), || format!("{} serves now", manifest.id))
        }
        ModelsCommand::Rollback(args) => rollback(args, app, output).await,
        ModelsCommand::History(args) => {
            let family = find_family(app, &args.wanted()?).await?;
            let changes = serving_history(app, &family).await?;
            let docs: Vec<ServingChangeDoc> = changes.iter().map(Into::into).collect();
            output.result(&docs, || text::serving_history(&changes))
        }
        ModelsCommand::Delete { id, yes, force } => delete(&id, yes, force, app, output).await,
        ModelsCommand::Validate(args) => validate(&args, app, output).await,
        ModelsCommand::Download { id, dir } => {
            let copied = download_model(app, &id, &dir).await?;
            output.result(&DownloadDoc::from(&copied), || {
                format!("{}\n{}", copied.payload_path.display(), copied.meta_path.display())
            })
        }
        ModelsCommand::KeepVersions { n, yes } => keep_versions(n, yes, app, output).await,
        ModelsCommand::Reindex { forget_folder: gone } => reindex(gone.as_deref(), app, output).await,
    }
}

async fn reindex(gone: Option<&str>, app: &Host, output: Output) -> Result<(), Problem> {
    let forgotten = match gone {
        Some(folder) => usize::try_from(forget_folder(app, folder).await?).unwrap_or(usize::MAX),
        None => 0,
    };
    let done = reindex_models(app, &Bar::new(output)).await?;
    let done = Indexed { removed: done.removed + forgotten, ..done };
    output.result(&IndexedDoc::from(&done), || {
        let taken = if done.taken == 0 {
            String::new()
        } else {
            format!(", {} left out: another folder has given their names to other models", done.taken)
        };
        format!("{} added, {} changed, {} removed{taken}", done.added, done.changed, done.removed)
    })
}

async fn list_elsewhere(wanted: &ModelQuery, limit: usize, app: &Host, output: Output) -> Result<(), Problem> {
    let found = models_elsewhere(app, wanted, limit).await?;
    let docs: Vec<ElsewhereModelDoc> = found.iter().map(Into::into).collect();
    output.result(&docs, || {
        let mut text = text::models_elsewhere(&found);
        if found.len() == limit {
            text.push_str("\nthere may be more: pass a higher --limit");
        }
        text
    })
}

async fn list(args: &ListArgs, app: &Host, output: Output) -> Result<(), Problem> {
    let model = args.model.as_deref().map(canonical).transpose()?.map(str::to_owned);
    let wanted = ModelQuery {
        symbol: args.symbol.clone(),
        venue: args.venue.clone(),
        interval: args.interval,
        model,
        task: args.task.clone(),
        status: args.status,
    };
    if args.elsewhere {
        return list_elsewhere(&wanted, args.limit.map_or(ELSEWHERE, |limit| limit as usize), app, output).await;
    }
    let after = args.after.as_deref().map(parse_id).transpose()?;
    let limit = args.limit.map(|limit| limit as usize);
    let listed = models_page(app, &wanted, after.as_ref(), limit).await?;
    let docs: Vec<ModelDoc> = listed.iter().map(|l| ModelDoc::listed(l, &model_path(app, &l.name))).collect();
    output.result(&docs, || {
        if listed.is_empty() && (args.is_filtered() || after.is_some()) {
            return "no saved model is like that: see `candlecast models list`".into();
        }
        let mut text = text::models(&listed);
        if let Some(last) = listed.last().filter(|_| Some(listed.len()) == limit) {
            text.push_str(&format!("\nthere may be more: --after {}", last.name));
        }
        text
    })
}

impl ListArgs {
    fn is_filtered(&self) -> bool {
        let by_series = self.symbol.is_some() || self.interval.is_some() || self.venue.is_some();
        by_series || self.model.is_some() || self.task.is_some() || self.status.is_some()
    }
}

impl FamilyArgs {
    fn wanted(self) -> Result<FamilyQuery, Problem> {
        let Self { family, symbol, model, interval, venue, task } = self;
        match (family, symbol, model) {
            (Some(text), _, _) => Ok(FamilyQuery { interval, venue, task, ..FamilyQuery::parse(&text)? }),
            (None, Some(symbol), Some(model)) => Ok(FamilyQuery { symbol, model, interval, venue, task }),
            _ => Err(Problem::usage("bad-usage", "symbol", "pass SYMBOL/TYPE, or --symbol and --model")),
        }
    }
}

async fn rollback(args: RollbackArgs, app: &Host, output: Output) -> Result<(), Problem> {
    let slot = find_slot(app, &args.family.wanted()?, args.horizon.as_deref()).await?;
    let manifest = roll_back_model(app, &slot, LOCAL).await?;
    let path = model_path(app, &slot.family.at(manifest.version));
    output.result(&ModelDoc::of(&manifest, &path), || format!("{} serves now", manifest.id))
}

async fn delete(id: &str, yes: bool, force: bool, app: &Host, output: Output) -> Result<(), Problem> {
    let name = parse_id(id)?;
    if !confirmed(yes, output, &format!("delete {name}"))? {
        return Ok(());
    }
    let deleted = delete_model(app, id, force, LOCAL).await?;
    output.result(&DeletedDoc::from(&deleted), || {
        let serves = deleted.serves.as_ref().map_or_else(
            || "nothing serves there: promote a version or train again".to_owned(),
            |name| format!("{name} serves"),
        );
        format!("{name} is deleted; {serves}")
    })
}

async fn keep_versions(n: Option<u32>, yes: bool, app: &Host, output: Output) -> Result<(), Problem> {
    let keep = n.map_or(app.settings.keep_versions, |n| n as usize);
    let surplus: Vec<String> = surplus_models(app, keep).await?.iter().map(ToString::to_string).collect();
    if !surplus.is_empty() && !confirmed(yes, output, &format!("delete {}", surplus.join(", ")))? {
        return Ok(());
    }
    let gone: Vec<String> =
        candlecast_app::models::keep_versions(app, keep).await?.iter().map(ToString::to_string).collect();
    output.result(&json!({ "keep": keep, "deleted": gone }), || match gone.as_slice() {
        [] => format!("no model has more than {keep} versions that may go"),
        gone => format!("deleted: {}", gone.join(", ")),
    })
}

/// Asks on the terminal whether to do `what`. Where nobody can be asked, only `--yes` will do.
fn confirmed(yes: bool, output: Output, what: &str) -> Result<bool, Problem> {
    if yes {
        return Ok(true);
    }
    if output.is_json() || !std::io::stdin().is_terminal() {
        return Err(Problem::usage("not-confirmed", "yes", format!("{what}: not done without --yes")));
    }
    let mut terminal = std::io::stderr().lock();
    // Whoever does not see the question gives no answer, and that is no.
    let _ = write!(terminal, "{what}? [y/N] ").and_then(|()| terminal.flush());
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    let agreed = read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes");
    if !agreed {
        output.remark("nothing was deleted");
    }
    Ok(agreed)
}

/// One model, or every active one; one that fails does not keep the others from being scored.
async fn validate(args: &ValidateArgs, app: &Host, output: Output) -> Result<(), Problem> {
    let Some(id) = args.id.as_deref() else { return validate_all(args.days, app, output).await };
    let validation = validate_model(app, id, args.days).await?;
    output.result(&ValidationDoc::from(&validation), || validation_text(&validation))
}

async fn validate_all(days: u32, app: &Host, output: Output) -> Result<(), Problem> {
    let (serving, mut failures) = serving_models(app).await?;
    let of = serving.len() + failures.len();
    let mut validations = Vec::new();
    for name in serving {
        app.check_cancelled()?;
        match validate_model(app, &name.to_string(), days).await {
            Ok(validation) => validations.push(validation),
            Err(e) => failures.push(e.context(name)),
        }
    }
    if of == 0 {
        return Err(Problem::data("model-not-trained", "no model is active: run `candlecast train` first"));
    }
    let docs: Vec<ValidationDoc> = validations.iter().map(Into::into).collect();
    output.result(&docs, || validations.iter().map(validation_text).collect::<Vec<_>>().join("\n\n"))?;
    Problem::joined(&failures, of, "validations").map_or(Ok(()), Err)
}

fn validation_text(validated: &Validated) -> String {
    let (manifest, v) = (&validated.manifest, &validated.validation);
    let synthetic = if manifest.venue.is_synthetic() { " [synthetic market]" } else { "" };
    let mut text = format!(
        "{} on the newest {} of {}{synthetic}; learnt up to {}",
        manifest.id,
        text::count(v.days as usize, "day"),
        manifest.key(),
        v.trained_to
    );
    if v.seen > 0 {
        text.push_str(&format!("; {} that it has learnt from left out", text::count(v.seen, "candle")));
    }
    if let Some(report) = &v.report {
        text.push('\n');
        text.push_str(&text::report(&report.into()));
    }
    text.push('\n');
    text.push_str(&v.remark);
    text
}
