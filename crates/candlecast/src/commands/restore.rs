//! `candlecast restore`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use candlecast_app::doc::RestoreDoc;
use candlecast_backup::{RestoreOptions, Restored, restore};
use candlecast_config::Settings;
use candlecast_core::{Problem, Timestamp};
use clap::Args;

use super::backup::size;
use crate::output::Output;
use crate::progress::Bar;

/// Put what a backup holds in the place of the data folder, once every digest agrees
#[derive(Debug, Args)]
#[command(
    after_help = "Stop other programs on the data folder first. Records go into the restored folder, or into DATABASE_URL, which must hold none.\n\nExamples:\n  candlecast restore backup.tar.zst\n  candlecast restore backup.tar.zst --data-dir /srv/candlecast\n  candlecast restore backup.tar.zst --force"
)]
pub(crate) struct RestoreArgs {
    /// Archive that `candlecast backup` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Set a data folder that holds something aside; it is not deleted
    #[arg(long)]
    force: bool,
}

/// Works on a folder that is not opened: it is about to be replaced, and may be damaged.
pub(crate) async fn run(
    args: &RestoreArgs,
    settings: &Settings,
    now: Timestamp,
    cancel: &Arc<AtomicBool>,
    output: Output,
) -> Result<(), Problem> {
    let options = RestoreOptions { replace: args.force };
    let restored = {
        let bar = Arc::new(Bar::new(output));
        restore(settings, &args.file, options, now, Arc::clone(cancel), bar).await?
    };
    output.result(&RestoreDoc::from(&restored), || text(&restored))
}

fn text(restored: &Restored) -> String {
    let candles =
        if restored.candles { format!("{} candle files", restored.candle_files) } else { "no candles".into() };
    let mut lines = vec![format!(
        "{}: {candles}, {} model files, {} records ({}), as they were on {} ({})",
        restored.data_dir.display(),
        restored.model_files,
        restored.records,
        size(restored.content_bytes),
        restored.created_at,
        restored.program
    )];
    lines.extend(restored.set_aside.iter().map(|folder| format!("what was there is in {}", folder.display())));
    lines.join("\n")
}
