//! [`Replay`]: files of candles, played as if they were live.

mod control;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use candlecast_core::catalog::{Entry, read_config};
use candlecast_core::{CandleSeries, SeriesKey, Symbol, TimeRange, Timestamp, Venue};
use candlecast_ingest::ImportOptions;
use control::Pace;
use tokio::sync::watch;

use crate::{
    Clock, Exchange, ExchangeError, ExchangeRecipe, Live, LiveEvent, OrderBook, Origin, Page, Setting, Subscription,
};

pub use control::ReplayControl;

pub(super) const ENTRY: Entry<dyn ExchangeRecipe> = Entry {
    id: "replay",
    aliases: &[],
    summary: "files of candles of any format that can be imported, played as if live",
    params: ReplayConfig::PARAMS,
    build: |config| Ok(Box::new(read_config::<ReplayConfig>("replay", config)?)),
};

const PAGE: usize = 10_000;

candlecast_core::params! {
    /// Recipe of a replay.
    #[derive(Copy)]
    struct ReplayConfig {
        "speed" => speed: f64 = 1, float(0.0..=1e9), "market seconds a second; 0 is as fast as possible";
        "warmup" => warmup: usize = 0, int(0..=100_000_000),
            "first candles of each file that are history when the replay begins";
    }
}

impl ExchangeRecipe for ReplayConfig {
    fn connect(&self, setting: &Setting) -> Result<Box<dyn Exchange>, ExchangeError> {
        let control = setting.control.clone().unwrap_or_else(|| ReplayControl::new(self.speed));
        let series = read(&setting.files)?;
        Ok(Box::new(Replay::new(series, self.warmup, control, Arc::clone(&setting.clock))?))
    }
}

/// Candles played as if they were live: history ends at the market's present time, which advances with the
/// candles handed out. The same files give the same events at any speed.
#[derive(Debug)]
pub struct Replay {
    series: Arc<BTreeMap<SeriesKey, CandleSeries>>,
    control: ReplayControl,
    clock: Arc<dyn Clock>,
    /// Market time in ms: the close of the last candle handed out.
    present: Arc<AtomicI64>,
}

impl Replay {
    /// Plays `series`; several of one key are laid over each other. The market's present time begins when the
    /// first of them has `warmup` candles behind it.
    pub fn new(
        series: Vec<CandleSeries>,
        warmup: usize,
        control: ReplayControl,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ExchangeError> {
        let mut by_key: BTreeMap<SeriesKey, CandleSeries> = BTreeMap::new();
        for part in series.into_iter().filter(|s| !s.is_empty()) {
            let key = part.key().clone();
            let whole = match by_key.remove(&key) {
                Some(before) => before.merged(&part).expect("both have the same key"),
                None => part,
            };
            by_key.insert(key, whole);
        }
        let start = |s: &CandleSeries| s.candle(warmup.min(s.len() - 1)).open_time;
        let present = by_key.values().map(start).min().ok_or(ExchangeError::NoFiles)?;
        Ok(Self { series: Arc::new(by_key), control, clock, present: Arc::new(AtomicI64::new(present.ms())) })
    }

    /// The series that are played.
    pub fn keys(&self) -> impl Iterator<Item = &SeriesKey> {
        self.series.keys()
    }

    /// Speed and pause.
    pub fn control(&self) -> &ReplayControl {
        &self.control
    }

    fn find(&self, key: &SeriesKey) -> Result<&CandleSeries, ExchangeError> {
        self.series.get(key).ok_or_else(|| {
            let known = self.series.keys().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            ExchangeError::NotReplayed { key: key.clone(), known }
        })
    }
}

/// The candles of `files`.
fn read(files: &[PathBuf]) -> Result<Vec<CandleSeries>, ExchangeError> {
    let mut all = Vec::new();
    for path in files {
        let failed = |source| ExchangeError::File { file: path.display().to_string(), source };
        let mut import = candlecast_ingest::open(path, &ImportOptions::default()).map_err(failed)?;
        while let Some(chunk) = import.next_chunk().map_err(failed)? {
            all.push(chunk);
        }
    }
    Ok(all)
}

#[async_trait]
impl Exchange for Replay {
    /// `replay`; the series keep the venues of their files.
    fn venue(&self) -> Venue {
        Venue::new("replay").expect("the name has the form of a venue")
    }

    async fn now(&self) -> Result<Timestamp, ExchangeError> {
        Ok(Timestamp(self.present.load(Ordering::SeqCst)))
    }

    async fn klines(&self, key: &SeriesKey, range: TimeRange) -> Result<Page, ExchangeError> {
        let series = self.find(key)?;
        let present = self.present.load(Ordering::SeqCst);
        let end = range.to.ms().min(present - key.interval.ms() + 1);
        let times = series.open_time();
        let a = times.partition_point(|&t| t < range.from.ms());
        let b = times.partition_point(|&t| t < end).max(a);
        let cut = b.min(a + PAGE);
        let next = (cut < b).then(|| Timestamp(times[cut]));
        let series = if a == cut {
            CandleSeries::empty(key.clone())
        } else {
            series.between(TimeRange { from: Timestamp(times[a]), to: Timestamp(times[cut - 1] + 1) })
        };
        Ok(Page { series, rejected: 0, next })
    }

    async fn wait_ms(&self, ms: u64) {
        self.clock.sleep_ms(ms).await;
    }

    /// Plays the candles of the subscription, all series if it names none.
    async fn live(&self, subscription: Subscription) -> Result<Box<dyn Live>, ExchangeError> {
        if !subscription.books.is_empty() || !subscription.trades.is_empty() {
            let (what, remedy) = ("books and trades".to_owned(), "subscribe to candles only".to_owned());
            return Err(ExchangeError::Unsupported { venue: self.venue(), what, remedy });
        }
        let present = self.present.load(Ordering::SeqCst);
        let mut feeds: Vec<(SeriesKey, Option<Timestamp>)> =
            subscription.candles.into_iter().map(|feed| (feed.key, feed.since)).collect();
        if feeds.is_empty() {
            feeds = self.series.keys().map(|key| (key.clone(), None)).collect();
        }
        let mut cursors = Vec::with_capacity(feeds.len());
        for (key, since) in feeds {
            let times = self.find(&key)?.open_time();
            let first_unclosed = present - key.interval.ms() + 1;
            let row = times.partition_point(|&t| t < since.map_or(first_unclosed, Timestamp::ms));
            cursors.push(Cursor { key, row });
        }
        cursors.sort_by(|a, b| a.key.cmp(&b.key));
        let mut pace = self.control.watch();
        let seen = *pace.borrow_and_update();
        Ok(Box::new(ReplayLive {
            series: Arc::clone(&self.series),
            cursors,
            clock: Arc::clone(&self.clock),
            present: Arc::clone(&self.present),
            start: present,
            _control: self.control.clone(),
            anchor: Anchor { elapsed_ms: self.clock.elapsed_ms(), market_ms: present as f64 },
            pace,
            seen,
        }))
    }
}

/// The next row of one series.
#[derive(Debug)]
struct Cursor {
    key: SeriesKey,
    row: usize,
}

/// Market time at one instant of our clock; both run on from there at the pace seen last.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    elapsed_ms: u64,
    market_ms: f64,
}

/// A replay under way.
#[derive(Debug)]
struct ReplayLive {
    series: Arc<BTreeMap<SeriesKey, CandleSeries>>,
    cursors: Vec<Cursor>,
    clock: Arc<dyn Clock>,
    present: Arc<AtomicI64>,
    /// Market time at which playing began: what closed before comes as back-fill.
    start: i64,
    /// Keeps the sender of `pace` alive.
    _control: ReplayControl,
    pace: watch::Receiver<Pace>,
    seen: Pace,
    anchor: Anchor,
}

impl ReplayLive {
    /// Close and cursor of the candle that closes next.
    fn due(&self) -> Option<(i64, usize)> {
        let close = |(i, cursor): (usize, &Cursor)| {
            let open = *self.series.get(&cursor.key)?.open_time().get(cursor.row)?;
            Some((open + cursor.key.interval.ms(), i))
        };
        self.cursors.iter().enumerate().filter_map(close).min()
    }

    fn market_ms(&self) -> f64 {
        if self.seen.paused {
            return self.anchor.market_ms;
        }
        let passed_ms = self.clock.elapsed_ms().saturating_sub(self.anchor.elapsed_ms);
        self.anchor.market_ms + passed_ms as f64 * self.seen.speed
    }

    /// Waits until market time reaches `due`.
    async fn wait_until(&mut self, due: i64) {
        loop {
            let pace = *self.pace.borrow_and_update();
            if pace != self.seen {
                let market_ms = self.market_ms().min(due as f64);
                self.anchor = Anchor { elapsed_ms: self.clock.elapsed_ms(), market_ms };
                self.seen = pace;
            }
            if pace.paused {
                if self.pace.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let left_ms = due as f64 - self.market_ms();
            if pace.speed == 0.0 || left_ms <= 0.0 {
                return;
            }
            let wait_ms = (left_ms / pace.speed).ceil() as u64;
            tokio::select! {
                () = self.clock.sleep_ms(wait_ms) => {}
                changed = self.pace.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

#[async_trait]
impl Live for ReplayLive {
    async fn next(&mut self) -> Result<Option<LiveEvent>, ExchangeError> {
        let Some((close, i)) = self.due() else { return Ok(None) };
        self.wait_until(close).await;
        let cursor = &mut self.cursors[i];
        let key = cursor.key.clone();
        let Some(series) = self.series.get(&key) else { return Ok(None) };
        let candle = series.candle(cursor.row);
        cursor.row += 1;
        self.present.fetch_max(close, Ordering::SeqCst);
        let origin = if close <= self.start { Origin::Backfill } else { Origin::Stream };
        Ok(Some(LiveEvent::Closed { key, candle, origin }))
    }

    fn book(&self, _symbol: &Symbol) -> Option<&OrderBook> {
        None
    }
}
