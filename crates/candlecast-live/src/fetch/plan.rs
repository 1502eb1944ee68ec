//! [`Plan`]: which ranges a fetch asks for, given what is stored.

use candlecast_core::{Interval, Problem, TimeRange, Timestamp};

use crate::fetch::FetchRequest;

/// Most candles of a block before the stored ones.
const BLOCK_CANDLES: i64 = 50_000;
/// No market is older: 2009-01-03, the first block of Bitcoin.
const EARLIEST: Timestamp = Timestamp(1_230_940_800_000);

/// The ranges of a fetch, each half-open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// What was asked for, whether stored or not.
    pub(super) asked: TimeRange,
    /// Behind the stored candles.
    pub(super) tail: TimeRange,
    /// Before the stored candles, in blocks, newest first.
    pub(super) front: Vec<TimeRange>,
    /// Between stored candles.
    pub(super) gaps: Vec<TimeRange>,
}

impl Plan {
    /// The plan for `request` where `stored` is there already and the exchange's time is `now`.
    pub(super) fn new(request: &FetchRequest, stored: Option<TimeRange>, now: Timestamp) -> Result<Self, Problem> {
        let key = &request.key;
        let to = request.to.unwrap_or(now).min(now);
        let from = match (request.since, stored) {
            (Some(since), _) => since.max(EARLIEST),
            (None, Some(stored)) => stored.from,
            (None, None) => {
                return Err(Problem::usage(
                    "since-needed",
                    "since",
                    format!(
                        "nothing is stored of {key} to go on from: say where to begin, for example --since 2022-01-01"
                    ),
                ));
            }
        };
        if let Some(since) = request.since.filter(|&since| since >= to) {
            let end = if to == now { format!("the exchange's present ({now})") } else { format!("the end ({to})") };
            return Err(Problem::usage("bad-range", "since", format!("since {since} does not lie before {end}")));
        }
        let asked = TimeRange { from, to };
        let (tail, front) = match stored {
            // A front joins what is stored, wherever the end was set: a hole would never be asked for again.
            Some(stored) => (TimeRange { from: stored.to, to }, TimeRange { from, to: stored.from }),
            None => (asked, TimeRange { from, to: from }),
        };
        Ok(Self { asked, tail, front: blocks(front, key.interval), gaps: Vec::new() })
    }

    /// Candles that all ranges have room for.
    pub(super) fn slots(&self, interval: Interval) -> u64 {
        std::iter::once(&self.tail).chain(&self.front).chain(&self.gaps).map(|range| slots(*range, interval)).sum()
    }
}

/// Candles that `range` has room for.
pub(super) fn slots(range: TimeRange, interval: Interval) -> u64 {
    (range.to.ms().saturating_sub(range.from.ms()) / interval.ms()).max(0).unsigned_abs()
}

/// `range` cut into blocks, newest first, none over the turn of a year: years are stored one after another, so a block in
/// two of them could be stored by half.
fn blocks(range: TimeRange, interval: Interval) -> Vec<TimeRange> {
    let length = BLOCK_CANDLES * interval.ms();
    let mut blocks = Vec::new();
    let mut to = range.to;
    while range.from < to {
        let year = Timestamp::year_start(to.plus_ms(-1).year());
        let from = range.from.max(to.plus_ms(-length)).max(year);
        blocks.push(TimeRange { from, to });
        to = from;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::{SeriesKey, Symbol, Venue};

    const DAY_MS: i64 = 86_400_000;

    fn day(n: i64) -> Timestamp {
        Timestamp(1_704_067_200_000 + n * DAY_MS)
    }

    fn request(since: Option<i64>, to: Option<i64>) -> FetchRequest {
        let key = SeriesKey::new(Venue::binance(), Symbol::new("BTCUSDT").unwrap(), Interval::M1);
        FetchRequest { key, since: since.map(day), to: to.map(day), fill_gaps: false }
    }

    fn range(from: i64, to: i64) -> TimeRange {
        TimeRange { from: day(from), to: day(to) }
    }

    #[test]
    fn nothing_stored_needs_a_beginning() {
        let error = Plan::new(&request(None, None), None, day(9)).unwrap_err();
        assert_eq!((error.code, error.exit_code()), ("since-needed", 2));
        let plan = Plan::new(&request(Some(2), None), None, day(9)).unwrap();
        assert_eq!((plan.tail, plan.front.as_slice()), (range(2, 9), &[][..]));
        assert_eq!(plan.slots(Interval::M1), 7 * 1_440);
    }

    #[test]
    fn a_fetch_goes_on_where_the_stored_candles_end() {
        for since in [None, Some(3), Some(5)] {
            let plan = Plan::new(&request(since, None), Some(range(3, 6)), day(9)).unwrap();
            assert_eq!((plan.tail, plan.front), (range(6, 9), vec![]), "{since:?}");
        }
        let later = Plan::new(&request(Some(7), None), Some(range(3, 6)), day(9)).unwrap();
        assert_eq!(later.tail, range(6, 9), "no hole is left");
        let done = Plan::new(&request(Some(3), Some(5)), Some(range(3, 6)), day(9)).unwrap();
        assert_eq!(done.slots(Interval::M1), 0);
    }

    #[test]
    fn what_lies_before_comes_in_blocks_from_the_newest_back() {
        let plan = Plan::new(&request(Some(-100), None), Some(range(3, 6)), day(9)).unwrap();
        assert_eq!(plan.tail, range(6, 9));
        let ends: Vec<Timestamp> = plan.front.iter().map(|block| block.to).collect();
        assert!(plan.front.len() == 4 && ends.is_sorted_by(|a, b| a > b), "{ends:?}");
        assert_eq!((plan.front[0].to, plan.front[3].from), (day(3), day(-100)));
        assert!(plan.front.windows(2).all(|pair| pair[1].to == pair[0].from));
    }

    #[test]
    fn a_block_lies_within_one_year() {
        for interval in [Interval::M1, Interval::H1, Interval::D1] {
            let whole = range(-1_500, 40);
            let blocks = blocks(whole, interval);
            assert_eq!((blocks[0].to, blocks[blocks.len() - 1].from), (whole.to, whole.from), "{interval}");
            assert!(blocks.windows(2).all(|pair| pair[1].to == pair[0].from), "{interval}");
            for block in blocks {
                assert!(block.from < block.to && slots(block, interval) <= 50_000, "{interval} {block:?}");
                assert_eq!(block.from.year(), block.to.plus_ms(-1).year(), "{interval} {block:?}");
            }
        }
    }

    #[test]
    fn what_lies_before_joins_what_is_stored_wherever_the_end_is() {
        for to in [-5, 2, 4] {
            let plan = Plan::new(&request(Some(-10), Some(to)), Some(range(3, 6)), day(9)).unwrap();
            assert_eq!(plan.front, [range(0, 3), range(-10, 0)], "{to}");
            assert_eq!(plan.slots(Interval::M1), 13 * 1_440, "nothing behind is asked for");
        }
    }

    #[test]
    fn a_range_must_have_something_in_it() {
        for (since, to) in [(Some(9), None), (Some(12), None), (Some(5), Some(5)), (Some(5), Some(4))] {
            let error = Plan::new(&request(since, to), None, day(9)).unwrap_err();
            assert_eq!(error.code, "bad-range", "{since:?} {to:?}");
        }
    }
}
