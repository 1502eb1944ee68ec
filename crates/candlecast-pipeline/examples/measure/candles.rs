//! Candles from files, and candles whose moves are mirrored.

use std::fs;
use std::path::{Path, PathBuf};

use candlecast_core::{Candle, CandleSeries, Columns};
use candlecast_ingest::ImportOptions;

use crate::Result;
use crate::settings::Settings;

/// Hourly candles of `symbol` from every folder that has a file of them, later ones laid over earlier ones.
pub(crate) fn series(settings: &Settings, symbol: &str) -> Result<CandleSeries> {
    let mut all: Option<CandleSeries> = None;
    for folder in &settings.data {
        for path in files(folder, symbol)? {
            let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
            let newer = read(&path).map_err(|error| named(&error))?;
            all = Some(match all {
                Some(older) => older.merged(&newer).map_err(|error| named(&error))?,
                None => newer,
            });
        }
    }
    let folders: Vec<String> = settings.data.iter().map(|folder| folder.display().to_string()).collect();
    all.ok_or_else(|| format!("no file {symbol}-1h.csv.gz in {}: see --data", folders.join(" or ")).into())
}

/// The files of `symbol` in `folder` or its folder `candles`, by name.
fn files(folder: &Path, symbol: &str) -> Result<Vec<PathBuf>> {
    let within = folder.join("candles");
    let folder = if within.is_dir() { within } else { folder.to_owned() };
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let start = format!("{symbol}-1h.");
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&start)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(path: &Path) -> Result<CandleSeries> {
    let mut import = candlecast_ingest::open(path, &ImportOptions::default())?;
    let mut whole = CandleSeries::empty(import.key().clone());
    while let Some(chunk) = import.next_chunk()? {
        whole = whole.merged(&chunk)?;
    }
    Ok(whole)
}

/// `series` with the moves of those candles mirrored of whose open time (ms) `is_mirrored` is true: every price is
/// reflected, in logarithms, about the close before it, so that the return changes its sign and the high becomes the
/// low. Ranges, volumes, numbers of trades and gaps stay; what takers bought becomes what they sold.
pub(crate) fn mirrored(series: &CandleSeries, is_mirrored: impl Fn(i64) -> bool) -> Result<CandleSeries> {
    let mut columns = Columns::default();
    // Log closes before the candle: the real one, and that of what is made.
    let mut before = series.columns().open.first().map_or(0.0, |open| open.ln());
    let mut made_before = before;
    for i in 0..series.len() {
        let candle = series.candle(i);
        let is_turned = is_mirrored(candle.open_time.ms());
        let sign = if is_turned { -1.0 } else { 1.0 };
        let moved = |price: f64| (made_before + sign * (price.ln() - before)).exp();
        let (open, close) = (moved(candle.open), moved(candle.close));
        let (one, other) = (moved(candle.high), moved(candle.low));
        let bought = |bought: f64| if is_turned { (candle.volume - bought).max(0.0) } else { bought };
        columns.push(&Candle {
            open,
            // Roundings must not put a close beyond its range.
            high: one.max(other).max(open).max(close),
            low: one.min(other).min(open).min(close),
            close,
            quote_volume: candle.quote_volume.map(|volume| volume * close / candle.close),
            taker_buy_base: candle.taker_buy_base.map(bought),
            ..candle
        });
        made_before += sign * (candle.close.ln() - before);
        before = candle.close.ln();
    }
    Ok(CandleSeries::new(series.key().clone(), columns)?)
}

#[cfg(test)]
mod tests {
    use candlecast_core::Seed;
    use candlecast_core::market::random_walk;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    #[test]
    fn mirrored_candles_have_the_returns_negated_and_the_ranges_kept() {
        let series = random_walk(400, Seed(4), 0.0);
        let is_third = |time: i64| (time / HOUR_MS) % 3 == 0;
        let made = mirrored(&series, is_third).unwrap();
        for i in 1..series.len() {
            let (old, new) = (series.candle(i), made.candle(i));
            let (old_before, new_before) = (series.close()[i - 1].ln(), made.close()[i - 1].ln());
            let turned = is_third(old.open_time.ms());
            let sign = if turned { -1.0 } else { 1.0 };
            let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{i}: {a} {b}");
            close(new.close.ln() - new_before, sign * (old.close.ln() - old_before));
            close(new.open.ln() - new_before, sign * (old.open.ln() - old_before));
            close((new.high / new.low).ln(), (old.high / old.low).ln());
            let upper = if turned { old_before - old.low.ln() } else { old.high.ln() - old_before };
            close(new.high.ln() - new_before, upper);
            assert_eq!((new.volume, new.open_time), (old.volume, old.open_time));
        }
    }

    #[test]
    fn without_a_mirror_candles_stay_what_they_are() {
        let series = random_walk(200, Seed(4), 0.0);
        let made = mirrored(&series, |_| false).unwrap();
        for (a, b) in series.close().iter().zip(made.close()) {
            assert!((a / b - 1.0).abs() < 1e-12, "{a} {b}");
        }
    }
}
