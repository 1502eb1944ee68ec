//! One file a command.

pub(crate) mod audit;
pub(crate) mod backtest;
pub(crate) mod backup;
pub(crate) mod compare;
pub(crate) mod completions;
pub(crate) mod data;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod features;
pub(crate) mod fetch;
pub(crate) mod hpo;
pub(crate) mod import;
pub(crate) mod jobs;
pub(crate) mod models;
pub(crate) mod predict;
pub(crate) mod predictions;
pub(crate) mod restore;
pub(crate) mod stream;
pub(crate) mod train;
pub(crate) mod worker;

use candlecast_app::{forget_old_records, with_upkeep};
use candlecast_core::Problem;
use candlecast_host::Host;

use crate::cli::Command;
use crate::output::Output;

/// Commands that need no data folder.
pub(crate) fn without_app(command: &Command, output: &Output) -> Option<Result<(), Problem>> {
    match command {
        Command::Completions(args) => Some(completions::run(args)),
        Command::Features(args) => features::run_without_app(args, *output),
        _ => None,
    }
}

/// Runs a command, after what programs that are gone could not bring to its end was done. One that has added to the
/// records sees to it that they do not grow without end.
pub(crate) async fn run(command: Command, app: &Host, output: &Output) -> Result<(), Problem> {
    let adds_records = adds_records(&command);
    Box::pin(run_alone(command, app, output)).await?;
    if adds_records {
        forget_old_records(app).await;
    }
    Ok(())
}

/// True of commands that log predictions or record jobs and runs, and of those that bring candles, which settle
/// predictions. A worker does the upkeep itself.
fn adds_records(command: &Command) -> bool {
    matches!(
        command,
        Command::Import(_)
            | Command::Fetch(_)
            | Command::Stream(_)
            | Command::Train(_)
            | Command::Hpo(_)
            | Command::Predict(_)
            | Command::Backtest(_)
            | Command::Compare(_)
    )
}

async fn run_alone(command: Command, app: &Host, output: &Output) -> Result<(), Problem> {
    let output = *output;
    candlecast_app::catch_up(app).await;
    match command {
        Command::Demo(args) => demo::run(&args, app, output).await,
        Command::Import(args) => import::run(&args, app, output).await,
        Command::Fetch(args) => fetch::run(&args, app, output).await,
        Command::Stream(args) => with_upkeep(app, stream::run(&args, app, output)).await,
        Command::Data(args) => data::run(args, app, output).await,
        Command::Features(args) => features::run(args, app, output).await,
        Command::Audit(args) => audit::run(&args, app, output).await,
        Command::Train(args) => train::run(&args, app, output).await,
        Command::Hpo(args) => hpo::run(&args, app, output).await,
        Command::Predict(args) => predict::run(&args, app, output).await,
        Command::Predictions(args) => predictions::run(args, app, output).await,
        Command::Backtest(args) => backtest::run(&args, app, output).await,
        Command::Compare(args) => compare::run(&args, app, output).await,
        Command::Models(args) => models::run(args, app, output).await,
        Command::Backup(args) => backup::run(&args, app, output).await,
        Command::Restore(args) => restore::run(&args, &app.settings, app.now(), app.cancel(), output).await,
        Command::Jobs(args) => jobs::run(args, app, output).await,
        Command::Worker(args) => worker::run(&args, app, output).await,
        Command::Doctor(args) => doctor::run(&args, app, output).await,
        Command::Completions(args) => completions::run(&args),
    }
}
