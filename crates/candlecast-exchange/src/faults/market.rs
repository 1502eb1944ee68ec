//! [`Market`]: what the server serves.

use candlecast_core::{Candle, CandleSeries, Columns, Seed, SeriesKey, Timestamp};

use crate::{DepthDiff, DepthSnapshot, Level};

/// For so long after its end a candle is shown unfinished.
pub(super) const UNSETTLED_MS: i64 = 1_500;

/// An order book as it changes.
#[derive(Debug, Clone, PartialEq)]
pub struct BookScript {
    /// At the beginning.
    pub snapshot: DepthSnapshot,
    /// In order of time.
    pub diffs: Vec<DepthDiff>,
}

/// A series and, where wanted, an order book.
#[derive(Debug, Clone)]
pub struct Market {
    /// Candles; the last is under way when everything has been streamed, and never closes.
    pub series: CandleSeries,
    /// Market time when the clock is at 0.
    pub start: Timestamp,
    /// The book, if there is one.
    pub book: Option<BookScript>,
}

impl Market {
    /// A random walk of `candles` candles from 2024-01-01, a tenth of them missing, and of `changes` changes of an
    /// order book. The stream begins after `history` candles.
    pub fn generated(key: SeriesKey, seed: Seed, candles: usize, history: usize, changes: usize) -> Self {
        let series = walk(key, seed, candles);
        let start = series.candle(history.min(series.len() - 1)).open_time;
        let book = (changes > 0).then(|| script(&series, start, seed, changes));
        Self { series, start, book }
    }

    /// Candles without those that are still open or unsettled when the market's time is `now`.
    pub fn closed(&self, now: Timestamp) -> CandleSeries {
        let step = self.series.key().interval.ms();
        let mut columns = Columns::default();
        for i in 0..self.series.len() {
            let candle = self.series.candle(i);
            if candle.open_time.ms() + step <= now.ms() {
                columns.push(&candle);
            }
        }
        CandleSeries::new(self.series.key().clone(), columns).expect("a part of a series is one")
    }
}

fn walk(key: SeriesKey, seed: Seed, candles: usize) -> CandleSeries {
    let mut stream = seed.derive("fault-market", 0).stream();
    let (step, begin) = (key.interval.ms(), key.interval.floor(Timestamp(1_704_067_200_000)));
    let cents = |x: f64| (x * 100.0).round() / 100.0;
    let mut columns = Columns::default();
    let mut price = 30_000.0;
    let mut slot = 0;
    while columns.len() < candles.max(2) {
        // Exchanges have maintenance; a gap may be up to 12 candles long.
        slot += if stream.uniform() < 0.02 { 1 + stream.below(12) as i64 } else { 1 };
        let open = price;
        let close = cents((open + 20.0 * stream.normal()).max(100.0));
        let volume = cents(10.0 * stream.uniform());
        columns.push(&Candle {
            open_time: begin.plus_ms(slot * step),
            open,
            high: cents(open.max(close) + 5.0 * stream.uniform()),
            low: cents(open.min(close) - 5.0 * stream.uniform()),
            close,
            volume,
            quote_volume: Some(cents(volume * close)),
            trades: Some(stream.below(500) as f64),
            taker_buy_base: Some(cents(volume / 2.0)),
        });
        price = close;
    }
    CandleSeries::new(key, columns).expect("the walk keeps to the grid and its lows below its highs")
}

/// Changes near a wandering middle, a tenth of a second apart.
fn script(series: &CandleSeries, start: Timestamp, seed: Seed, changes: usize) -> BookScript {
    let mut stream = seed.derive("fault-book", 0).stream();
    let level = |ticks: i64, quantity: f64| Level { price: ticks as f64 / 100.0, quantity };
    let mut middle = 3_000_000_i64;
    let side = |sign: i64| (1..=50).map(|k| level(middle + sign * k, 1.0)).collect();
    let mut last_id = 1_000_u64;
    let snapshot = DepthSnapshot { last_id, bids: side(-1), asks: side(1) };
    let mut diffs = Vec::with_capacity(changes);
    for k in 0..changes {
        let before = middle;
        middle += stream.below(7) as i64 - 3;
        let final_id = last_id + 1 + stream.below(30) as u64;
        let mut diff = DepthDiff {
            symbol: series.key().symbol.clone(),
            time: start.plus_ms(100 * (k as i64 + 1)),
            first_id: last_id + 1,
            final_id,
            previous_id: Some(last_id),
            bids: Vec::new(),
            asks: Vec::new(),
        };
        // What the middle has passed over is gone, so that the book never crosses.
        for ticks in before.min(middle)..=before.max(middle) {
            diff.bids.push(level(ticks, 0.0));
            diff.asks.push(level(ticks, 0.0));
        }
        for sign in [-1, 1] {
            let ticks = middle + sign * (1 + stream.below(20) as i64);
            let quantity = stream.below(4) as f64;
            let changed = if sign < 0 { &mut diff.bids } else { &mut diff.asks };
            changed.push(level(ticks, quantity));
        }
        diffs.push(diff);
        last_id = final_id;
    }
    BookScript { snapshot, diffs }
}
