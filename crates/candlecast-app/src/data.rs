//! `data list | check | export | resample | compact`.

use std::path::Path;

use candlecast_core::{CandleSeries, Gaps, Interval, Problem, SeriesKey, Symbol, TimeRange, Timestamp};
use candlecast_host::{Host, compact_candles, upsert_candles};
use candlecast_monitor::after_candles;
use candlecast_store::Coverage;
use futures::StreamExt;

use crate::export::write;

/// What a check found in one series.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The series.
    pub key: SeriesKey,
    /// Candles.
    pub rows: usize,
    /// From the first open to the last close.
    pub range: Option<TimeRange>,
    /// Missing candles.
    pub gaps: Gaps,
    /// The ten longest gaps: first missing open time and length in candles.
    pub longest_gaps: Vec<(Timestamp, usize)>,
    /// Candles without volume.
    pub zero_volume: usize,
    /// Candles flat and without volume: halts.
    pub flat: usize,
    /// Files that cannot be read, in words.
    pub damaged: Vec<String>,
}

/// What is stored.
pub async fn coverage(host: &Host) -> Result<Vec<Coverage>, Problem> {
    Ok(host.store.list().await?)
}

/// Reads every candle of `key`, checksums included, and reports its state; damaged files are named and the others
/// read all the same.
pub async fn check(host: &Host, key: &SeriesKey) -> Result<Checked, Problem> {
    let coverage = host.store.coverage(key).await?;
    let mut checked = Checked {
        key: key.clone(),
        rows: 0,
        range: None,
        gaps: Gaps::default(),
        longest_gaps: vec![],
        zero_volume: 0,
        flat: 0,
        damaged: coverage.damaged,
    };
    let step = key.interval.ms();
    let mut last: Option<i64> = None;
    let mut pieces = host.store.scan_pieces(key, TimeRange::ALL);
    while let Some(piece) = pieces.next().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(e) => {
                let text = e.to_string();
                if !checked.damaged.contains(&text) {
                    checked.damaged.push(text);
                }
                // The years after it are read all the same; what lies in between is damage and no gap.
                last = None;
                continue;
            }
        };
        let c = piece.columns();
        for i in 0..c.len() {
            if let Some(missing) = last.map(|l| (c.open_time[i] - l) / step - 1).filter(|&m| m > 0) {
                let missing = missing as usize;
                checked.gaps.count += 1;
                checked.gaps.missing += missing;
                checked.gaps.longest = checked.gaps.longest.max(missing);
                checked.longest_gaps.push((Timestamp(c.open_time[i] - step * missing as i64), missing));
            }
            last = Some(c.open_time[i]);
            checked.zero_volume += usize::from(c.volume[i] == 0.0);
            checked.flat += usize::from(c.volume[i] == 0.0 && c.high[i] == c.low[i]);
        }
        checked.rows += c.len();
        checked.range = match (checked.range, piece.range()) {
            (Some(a), Some(b)) => Some(TimeRange { from: a.from, to: b.to }),
            (a, b) => a.or(b),
        };
    }
    checked.longest_gaps.sort_by_key(|&(at, n)| (std::cmp::Reverse(n), at));
    checked.longest_gaps.truncate(10);
    Ok(checked)
}

/// Resamples `key` to `to`, stores the result and returns its key, rows, and how many incomplete candles were
/// left out.
pub async fn resample(host: &Host, key: &SeriesKey, to: Interval) -> Result<(SeriesKey, usize, usize), Problem> {
    let series = host.series(key).await?;
    let resampled = host.compute(move || Ok(candlecast_core::resample(&series, to)?)).await?;
    if resampled.series.is_empty() {
        return Err(Problem::data(
            "nothing-complete",
            format!("no {to} candle is complete in {key}: nothing was stored"),
        ));
    }
    if upsert_candles(host, &resampled.series).await?.changed.is_some() {
        compact_candles(host, resampled.series.key()).await;
        after_candles(host, resampled.series.key()).await;
    }
    Ok((resampled.series.key().clone(), resampled.series.len(), resampled.incomplete))
}

/// What became of the candles of one series that were stored a few at a time.
#[derive(Debug)]
pub struct Compacted {
    /// The series.
    pub key: SeriesKey,
    /// How many candles were put into the files of their years; 0 when none waited.
    pub candles: Result<usize, Problem>,
}

/// Puts the candles that were stored a few at a time into the files of their years, where other programs find them: of
/// every series, or of those of `symbol`. A series that fails does not keep the others from it.
pub async fn compact(host: &Host, symbol: Option<&Symbol>) -> Result<Vec<Compacted>, Problem> {
    let mut all = Vec::new();
    for coverage in host.store.list().await? {
        if symbol.is_none_or(|symbol| *symbol == coverage.key.symbol) {
            let candles = host.store.compact(&coverage.key).await.map_err(Problem::from);
            all.push(Compacted { key: coverage.key, candles });
        }
    }
    Ok(all)
}

/// Writes the candles of `key` within `range` to `path`: CSV, or Parquet by its ending. Returns the rows.
pub async fn export(host: &Host, key: &SeriesKey, range: TimeRange, path: &Path) -> Result<usize, Problem> {
    let series = host.store.scan(key, range).await?;
    if series.is_empty() {
        return Err(Problem::data("outside-data", format!("{key} has no candles {range}")));
    }
    let (rows, path) = (series.len(), path.to_owned());
    host.compute(move || write(&series, &path)).await?;
    Ok(rows)
}

/// Stores a series, such as one of the generated market.
pub async fn store_series(host: &Host, series: &CandleSeries) -> Result<(), Problem> {
    upsert_candles(host, series).await?;
    Ok(())
}
