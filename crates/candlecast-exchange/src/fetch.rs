//! [`Fetch`]: history of ranges, page by page.

use std::collections::VecDeque;

use candlecast_core::{CandleSeries, SeriesKey, TimeRange, Timestamp};

use crate::{Exchange, ExchangeError};

/// A fetch under way. Chunks come in order of time within each range.
///
/// To resume, begin the range where the stored candles end; to fill gaps, give the ranges of [`missing_ranges`].
#[derive(Debug)]
pub struct Fetch<'a> {
    exchange: &'a dyn Exchange,
    key: SeriesKey,
    ranges: VecDeque<TimeRange>,
    rejected: usize,
    checked_reach: bool,
    out_of_reach: Option<TimeRange>,
}

impl<'a> Fetch<'a> {
    /// Fetches the closed candles of `key` that open within `ranges`. A range may reach into the future: it then
    /// ends with the last closed candle.
    pub fn new(exchange: &'a dyn Exchange, key: SeriesKey, ranges: &[TimeRange]) -> Self {
        let ranges = ranges.iter().copied().filter(|r| !r.is_empty()).collect();
        Self { exchange, key, ranges, rejected: 0, checked_reach: false, out_of_reach: None }
    }

    /// The next candles; `None` when all ranges are through. After an error the same call goes on where it was.
    pub async fn next_chunk(&mut self) -> Result<Option<CandleSeries>, ExchangeError> {
        self.check_reach().await?;
        while let Some(&range) = self.ranges.front() {
            let page = self.exchange.klines(&self.key, range).await?;
            self.rejected += page.rejected;
            let next = page.next.filter(|&next| next > range.from);
            if next.is_none() {
                self.ranges.pop_front();
            }
            if let (Some(next), Some(front)) = (next, self.ranges.front_mut()) {
                front.from = next;
            }
            if !page.series.is_empty() {
                return Ok(Some(page.series));
            }
        }
        Ok(None)
    }

    /// Candles left out because they were not valid.
    pub fn rejected(&self) -> usize {
        self.rejected
    }

    /// What the exchange no longer hands out, as far as it was asked for; known after the first chunk.
    pub fn out_of_reach(&self) -> Option<TimeRange> {
        self.out_of_reach
    }

    /// Cuts off what lies before the candles that the exchange still has.
    async fn check_reach(&mut self) -> Result<(), ExchangeError> {
        let Some(candles) = self.exchange.history_candles().filter(|_| !self.checked_reach) else { return Ok(()) };
        let interval = self.key.interval;
        let now = self.exchange.now().await?;
        let oldest = interval.floor(now).plus_ms(-(candles as i64 - 1) * interval.ms());
        let first = self.ranges.iter().map(|r| r.from).min();
        self.out_of_reach = first.filter(|&from| from < oldest).map(|from| TimeRange { from, to: oldest });
        for range in &mut self.ranges {
            range.from = range.from.max(oldest);
        }
        self.ranges.retain(|r| !r.is_empty());
        self.checked_reach = true;
        Ok(())
    }
}

/// The gaps of a series: ranges between its candles where others should be.
pub fn missing_ranges(series: &CandleSeries) -> Vec<TimeRange> {
    let step = series.key().interval.ms();
    let gaps = series.open_time().windows(2).filter(|w| w[1] - w[0] > step);
    gaps.map(|w| TimeRange { from: Timestamp(w[0] + step), to: Timestamp(w[1]) }).collect()
}
