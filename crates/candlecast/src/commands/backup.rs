//! `candlecast backup`.

use std::path::PathBuf;
use std::sync::Arc;

use candlecast_app::doc::BackupDoc;
use candlecast_backup::{BackedUp, BackupOptions, back_up};
use candlecast_core::Problem;
use candlecast_host::Host;
use clap::Args;

use crate::output::Output;
use crate::progress::Bar;

/// Write candles, models and records into one archive, while other programs go on working
#[derive(Debug, Args)]
#[command(
    after_help = "Records are read from the metadata database, SQLite or PostgreSQL, and `candlecast restore` reads them into either.\n\nExamples:\n  candlecast backup /mnt/backup/candlecast-2024-03-01.tar.zst\n  candlecast backup models-and-records.tar.zst --without-candles"
)]
pub(crate) struct BackupArgs {
    /// Archive to write, such as backup.tar.zst
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Leave candles out: they can be imported or fetched again
    #[arg(long)]
    without_candles: bool,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

pub(crate) async fn run(args: &BackupArgs, app: &Host, output: Output) -> Result<(), Problem> {
    let options = BackupOptions { candles: !args.without_candles, replace: args.force };
    let made = {
        let bar = Arc::new(Bar::new(output));
        back_up(app, &args.file, options, bar).await?
    };
    output.result(&BackupDoc::from(&made), || text(&made))
}

fn text(made: &BackedUp) -> String {
    let candles = if made.candles { format!("{} candle files", made.candle_files) } else { "no candles".into() };
    format!(
        "{}: {} ({} unpacked): {candles}, {} model files, {} records",
        made.file.display(),
        size(made.bytes),
        size(made.content_bytes),
        made.model_files,
        made.records
    )
}

/// A size in the unit that suits.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_the_unit_that_suits() {
        assert_eq!(
            [size(999), size(1_000), size(2_500_000), size(3 << 30)],
            ["999 bytes", "1.0 kB", "2.5 MB", "3.2 GB"]
        );
    }
}
