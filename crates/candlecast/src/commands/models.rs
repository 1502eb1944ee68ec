//! `candlecast models`.

use candlecast_app::doc::ModelDoc;
use candlecast_app::{App, AppError};
use clap::{Args, Subcommand};

use crate::output::Output;
use crate::tables;

/// Look after saved models
#[derive(Debug, Args)]
pub(crate) struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// What is saved, damaged files included
    List,
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
}

pub(crate) fn run(args: ModelsArgs, app: &App, output: Output) -> Result<(), AppError> {
    match args.command {
        ModelsCommand::List => {
            let listed = app.models()?;
            let docs: Vec<ModelDoc> = listed.iter().map(|l| ModelDoc::listed(l, &app.model_path(&l.name))).collect();
            output.result(&docs, || tables::models(&listed))
        }
        ModelsCommand::Show { id } => {
            let name = candlecast_app::models::parse_id(&id)?;
            let (meta, _) = app.model(&id)?;
            let path = app.model_path(&name);
            output.result(&ModelDoc::of(&meta, &path), || tables::model(&meta, &path))
        }
        ModelsCommand::Promote { id } => {
            let name = candlecast_app::models::parse_id(&id)?;
            let meta = app.registry.promote(&name.slot, name.version)?;
            let path = app.model_path(&name);
            output.result(&ModelDoc::of(&meta, &path), || format!("{} serves now", meta.id))
        }
    }
}
