//! [`Assembler`]: rows to valid candles, candles to sorted chunks.

use candlecast_core::{Candle, CandleError, CandleSeries, Columns, SeriesKey, Timestamp};

use crate::quality::Quality;
use crate::row::{CLOSE, HIGH, Item, LOW, OPEN, Problem, QUOTE_VOLUME, RawRow, TAKER_BUY_BASE, TRADES, VOLUME};
use crate::{ImportOptions, IngestError, QualityReport, VolumeUnit};

/// Collects candles until a chunk is full.
#[derive(Debug)]
pub(crate) struct Assembler {
    key: SeriesKey,
    unit: VolumeUnit,
    strict: bool,
    columns: Columns,
    /// True while `columns` strictly increase in time.
    sorted: bool,
    quality: Quality,
    /// Archive member under way, named in reasons once there is a second.
    part: Option<String>,
}

impl Assembler {
    pub(crate) fn new(key: SeriesKey, options: &ImportOptions, newest_first: bool) -> Self {
        let quality = Quality::new(key.interval, newest_first);
        let (unit, strict) = (options.volume_unit, options.strict);
        Self { key, unit, strict, columns: Columns::default(), sorted: true, quality, part: None }
    }

    pub(crate) fn key(&self) -> &SeriesKey {
        &self.key
    }

    /// Candles waiting for their chunk.
    pub(crate) fn pending(&self) -> usize {
        self.columns.len()
    }

    /// Valid candles so far.
    pub(crate) fn kept(&self) -> u64 {
        self.quality.kept()
    }

    pub(crate) fn rejected(&self) -> u64 {
        self.quality.rejected()
    }

    pub(crate) fn report(&self) -> QualityReport {
        self.quality.report()
    }

    /// Takes an item; an error only under `strict`.
    #[inline]
    pub(crate) fn absorb(&mut self, item: &Item) -> Result<(), IngestError> {
        match item {
            Item::Row(row) => match self.candle(row) {
                Ok(candle) => {
                    self.push(&candle);
                    Ok(())
                }
                Err(error) => self.refuse(row.line, &Problem::Candle(error)),
            },
            Item::Bad { line, problem } => self.refuse(*line, problem),
            Item::Part(name) => {
                self.part = Some(name.clone());
                Ok(())
            }
        }
    }

    /// The candles collected so far as a series; `None` when there are none.
    pub(crate) fn take_chunk(&mut self) -> Result<Option<CandleSeries>, IngestError> {
        if self.columns.is_empty() {
            return Ok(None);
        }
        let columns = std::mem::take(&mut self.columns);
        let sorted = std::mem::replace(&mut self.sorted, true);
        let key = self.key.clone();
        let series = if sorted { CandleSeries::new(key, columns) } else { CandleSeries::from_unsorted(key, &columns) };
        let series = series.map_err(|error| IngestError::damaged("chunk", error))?;
        self.quality.chunk(series.open_time(), series.close());
        Ok(Some(series))
    }

    fn candle(&self, row: &RawRow) -> Result<Candle, CandleError> {
        let v = &row.values;
        let optional = |k: usize| if v[k].is_nan() { None } else { Some(v[k]) };
        let mut candle = Candle {
            open_time: Timestamp(row.time),
            open: v[OPEN],
            high: v[HIGH],
            low: v[LOW],
            close: v[CLOSE],
            volume: v[VOLUME],
            quote_volume: optional(QUOTE_VOLUME),
            trades: optional(TRADES),
            taker_buy_base: optional(TAKER_BUY_BASE),
        };
        if self.unit == VolumeUnit::Quote {
            let typical = (candle.high + candle.low + candle.close) / 3.0;
            candle.quote_volume = candle.quote_volume.or(Some(candle.volume));
            candle.taker_buy_base = candle.taker_buy_base.map(|x| x / typical);
            candle.volume /= typical;
        }
        candle.check(self.key.interval)?;
        Ok(candle)
    }

    fn push(&mut self, candle: &Candle) {
        let t = candle.open_time.ms();
        let zero_volume = candle.volume == 0.0;
        let flat = candle.high == candle.low;
        self.quality.row(t, zero_volume, zero_volume && flat);
        self.sorted &= self.columns.open_time.last().is_none_or(|&last| last < t);
        self.columns.push(candle);
    }

    #[cold]
    fn refuse(&mut self, line: u64, problem: &Problem) -> Result<(), IngestError> {
        let reason = || match &self.part {
            Some(part) => format!("{part}: {problem}"),
            None => problem.to_string(),
        };
        if self.strict {
            return Err(IngestError::BadRow { line, reason: reason() });
        }
        self.quality.reject(line, reason);
        Ok(())
    }
}
