//! [`Pull`]: a fetch under way.

use candlecast_core::{CandleSeries, Columns, Problem, ProgressSink, SeriesKey, TimeRange};
use candlecast_exchange::{Exchange, Fetch};
use candlecast_host::{Host, upsert_candles};

use crate::cancel::{cancelled, with_grace};
use crate::connect::exchange_error;
use crate::fetch::plan::{Plan, slots};

/// Candles stored at once where what was fetched before them is stored already.
const STORE_CANDLES: usize = 10_000;

/// What was brought so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Pulled {
    pub(super) received: usize,
    pub(super) rejected: usize,
    pub(super) out_of_reach: Option<TimeRange>,
    pub(super) changed: Option<TimeRange>,
}

/// When candles are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// As they come.
    AsTheyCome,
    /// All together, or none: they lie before the stored ones, which would have a hole otherwise.
    Together,
}

/// Fetches the ranges of a plan.
pub(super) struct Pull<'a> {
    app: &'a Host,
    exchange: &'a dyn Exchange,
    key: &'a SeriesKey,
    watch: &'a dyn ProgressSink,
    label: String,
    /// Candles that there is room for, in all and in the ranges that are through.
    room: u64,
    through: u64,
    pulled: Pulled,
}

impl<'a> Pull<'a> {
    pub(super) fn new(
        app: &'a Host,
        exchange: &'a dyn Exchange,
        key: &'a SeriesKey,
        watch: &'a dyn ProgressSink,
        room: u64,
    ) -> Self {
        let label = format!("{} {}", key.symbol, key.interval);
        Self { app, exchange, key, watch, label, room, through: 0, pulled: Pulled::default() }
    }

    /// The newest first: what is cut off is the oldest.
    pub(super) async fn all(&mut self, plan: &Plan) -> Result<(), Problem> {
        self.ranges(std::slice::from_ref(&plan.tail), Keep::AsTheyCome).await?;
        for block in &plan.front {
            self.ranges(std::slice::from_ref(block), Keep::Together).await?;
        }
        self.ranges(&plan.gaps, Keep::AsTheyCome).await
    }

    pub(super) fn finish(self) -> Pulled {
        self.pulled
    }

    async fn ranges(&mut self, ranges: &[TimeRange], keep: Keep) -> Result<(), Problem> {
        let mut fetch = Fetch::new(self.exchange, self.key.clone(), ranges);
        let mut waiting = Columns::default();
        let outcome = self.chunks(&mut fetch, ranges, keep, &mut waiting).await;
        self.pulled.rejected += fetch.rejected();
        self.pulled.out_of_reach = joined(self.pulled.out_of_reach, fetch.out_of_reach());
        if outcome.is_ok() || keep == Keep::AsTheyCome {
            self.store(&mut waiting).await?;
        }
        self.through += ranges.iter().map(|range| slots(*range, self.key.interval)).sum::<u64>();
        outcome
    }

    /// Takes chunk after chunk; what is not stored yet is left in `waiting`.
    async fn chunks(
        &mut self,
        fetch: &mut Fetch<'_>,
        ranges: &[TimeRange],
        keep: Keep,
        waiting: &mut Columns,
    ) -> Result<(), Problem> {
        loop {
            let chunk = tokio::select! {
                biased;
                () = cancelled(self.app) => return Err(Problem::cancelled()),
                chunk = fetch.next_chunk() => chunk.map_err(exchange_error)?,
            };
            let Some(chunk) = chunk else { return Ok(()) };
            for i in 0..chunk.len() {
                waiting.push(&chunk.candle(i));
            }
            self.report(ranges, &chunk);
            if keep == Keep::AsTheyCome && waiting.len() >= STORE_CANDLES {
                self.store(waiting).await?;
            }
        }
    }

    async fn store(&mut self, waiting: &mut Columns) -> Result<(), Problem> {
        if waiting.is_empty() {
            return Ok(());
        }
        let series = CandleSeries::from_unsorted(self.key.clone(), waiting)
            .map_err(|e| Problem::data("exchange-failed", format!("{}: {e}", self.key)))?;
        let stored = with_grace(self.app, upsert_candles(self.app, &series)).await;
        let changed = stored.ok_or_else(Problem::cancelled)??.changed;
        self.pulled.received += series.len();
        self.pulled.changed = joined(self.pulled.changed, changed);
        *waiting = Columns::default();
        Ok(())
    }

    fn report(&self, ranges: &[TimeRange], chunk: &CandleSeries) {
        let Some(reached) = chunk.range().map(|range| range.to) else { return };
        let part =
            |range: &TimeRange| slots(TimeRange { from: range.from, to: range.to.min(reached) }, self.key.interval);
        let done = self.through + ranges.iter().map(part).sum::<u64>();
        self.watch.progress(&self.label, done.min(self.room), self.room);
    }
}

fn joined(a: Option<TimeRange>, b: Option<TimeRange>) -> Option<TimeRange> {
    match (a, b) {
        (Some(a), Some(b)) => Some(TimeRange { from: a.from.min(b.from), to: a.to.max(b.to) }),
        (a, b) => a.or(b),
    }
}
