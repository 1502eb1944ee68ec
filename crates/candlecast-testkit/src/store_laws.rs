//! The laws of [`CandleStore`].

use candlecast_core::{CandleSeries, Gaps, Interval, SeriesKey, TimeRange};
use candlecast_store::{CandleStore, StoreError};
use futures::TryStreamExt;
use futures::future::join_all;
use tokio::runtime::Runtime;

use crate::store_fixtures::{HOUR_MS, assert_same_candles, border, key, range, run, series_of};
use crate::store_model::random_histories_equal_the_model;

/// Asserts that a store keeps the contract of [`CandleStore`]. `make` gives an empty store of its own at each call,
/// with a guard that is dropped after it (a temporary folder).
///
/// # Panics
/// At the first broken law.
pub fn assert_store_laws<G>(make: impl Fn() -> (Box<dyn CandleStore>, G)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .expect("threads of the test runtime can be started");
    run_laws(&runtime, &make);
    random_histories_equal_the_model(&runtime, &make);
}

fn run_laws<G>(runtime: &Runtime, make: &impl Fn() -> (Box<dyn CandleStore>, G)) {
    runtime.block_on(async {
        what_goes_in_comes_out(&*make().0).await;
        the_same_again_changes_nothing(&*make().0).await;
        the_newer_wins_and_the_change_is_exact(&*make().0).await;
        an_overlay_replaces_whole_candles(&*make().0).await;
        order_does_not_matter(&*make().0, &*make().0).await;
        candles_one_by_one_are_a_series(&*make().0).await;
        ranges_are_half_open(&*make().0).await;
        years_join_without_a_seam(&*make().0).await;
        coverage_agrees_with_a_scan(&*make().0).await;
        gaps_are_counted_across_years(&*make().0).await;
        pieces_are_the_scan(&*make().0).await;
        what_is_deleted_is_gone(&*make().0).await;
        unknown_series_are_named(&*make().0).await;
        weeks_are_kept_in_the_year_they_open(&*make().0).await;
        many_series_do_not_mix(&*make().0).await;
        concurrent_writers_lose_nothing(&*make().0).await;
        impossible_times_are_refused(&*make().0).await;
        long_series_survive_edits_in_the_middle(&*make().0).await;
    });
}

async fn upsert(store: &dyn CandleStore, series: &CandleSeries) -> Option<TimeRange> {
    store.upsert(series).await.expect("an upsert succeeds")
}

async fn all(store: &dyn CandleStore, key: &SeriesKey) -> CandleSeries {
    store.scan(key, TimeRange::ALL).await.expect("a stored series can be scanned")
}

async fn what_goes_in_comes_out(store: &dyn CandleStore) {
    let key = key("BTCUSDT", "1h");
    let series = series_of(&key, run(Interval::H1, border(), 100, 20_000.0));
    assert_eq!(upsert(store, &series).await, series.range(), "the whole series changed");
    assert_same_candles(&all(store, &key).await, &series);
    assert_eq!(upsert(store, &CandleSeries::empty(key.clone())).await, None, "nothing laid over changes nothing");
    assert_same_candles(&all(store, &key).await, &series);
}

async fn the_same_again_changes_nothing(store: &dyn CandleStore) {
    let key = key("BTCUSDT", "1h");
    let series = series_of(&key, run(Interval::H1, border() - 50 * HOUR_MS, 100, 20_000.0));
    upsert(store, &series).await;
    let before = store.coverage(&key).await.expect("it is stored");
    assert_eq!(upsert(store, &series).await, None, "the same again");
    let part = series.between(range(border() - 3 * HOUR_MS, border() + 2 * HOUR_MS));
    assert_eq!(upsert(store, &part).await, None, "a part of the same again");
    assert_eq!(store.coverage(&key).await.expect("it is stored"), before);
    assert_same_candles(&all(store, &key).await, &series);
}

async fn the_newer_wins_and_the_change_is_exact(store: &dyn CandleStore) {
    let key = key("BTCUSDT", "1h");
    let start = border();
    upsert(store, &series_of(&key, run(Interval::H1, start, 20, 100.0))).await;
    // Hours 3 to 9 again, of which 5 and 7 differ.
    let newer = run(Interval::H1, start, 20, 100.0).skip(3).take(7).map(|(t, p)| {
        let differs = t == start + 5 * HOUR_MS || t == start + 7 * HOUR_MS;
        (t, if differs { p + 0.5 } else { p })
    });
    let changed = upsert(store, &series_of(&key, newer)).await;
    assert_eq!(changed, Some(range(start + 5 * HOUR_MS, start + 8 * HOUR_MS)), "the exact range of changes");
    let found = all(store, &key).await;
    assert_eq!((found.close()[5], found.close()[6], found.close()[7]), (105.5, 106.0, 107.5));
    assert_eq!(found.len(), 20);
}

async fn an_overlay_replaces_whole_candles(store: &dyn CandleStore) {
    let key = key("BTCUSDT", "1h");
    let full = series_of(&key, run(Interval::H1, border(), 6, 100.0));
    upsert(store, &full).await;
    let mut bare = full.columns().clone();
    (bare.quote_volume, bare.trades, bare.taker_buy_base) = (None, None, None);
    let bare = CandleSeries::new(key.clone(), bare).expect("optional columns may be missing");
    assert_eq!(upsert(store, &bare).await, full.range(), "losing optional values is a change");
    assert_same_candles(&all(store, &key).await, &bare);
}

async fn order_does_not_matter(one: &dyn CandleStore, other: &dyn CandleStore) {
    let key = key("BTCUSDT", "1h");
    let start = border() - 30 * HOUR_MS;
    let chunks: Vec<CandleSeries> =
        (0..6i64).map(|k| series_of(&key, run(Interval::H1, start + k * 10 * HOUR_MS, 10, 100.0 + k as f64))).collect();
    for chunk in &chunks {
        upsert(one, chunk).await;
    }
    for k in [3, 0, 5, 1, 4, 2] {
        assert_eq!(upsert(other, &chunks[k]).await, chunks[k].range(), "chunk {k} is all new");
    }
    assert_same_candles(&all(other, &key).await, &all(one, &key).await);
}

/// As a live stream brings them: from before new year until the third day after it, some again, some corrected, one
/// late.
async fn candles_one_by_one_are_a_series(store: &dyn CandleStore) {
    let key = key("BTCUSDT", "15m");
    let step = key.interval.ms();
    let start = border() - 10 * step;
    let one = |i: i64, price: f64| series_of(&key, [(start + i * step, price)]);
    let mut expected = series_of(&key, run(key.interval, start, 5, 100.0));
    assert_eq!(upsert(store, &expected).await, expected.range());
    for i in (5..230).filter(|&i| i != 40) {
        let candle = one(i, 100.0 + i as f64);
        assert_eq!(upsert(store, &candle).await, candle.range(), "candle {i} is new");
        assert_eq!(upsert(store, &candle).await, None, "candle {i} again");
        expected = expected.merged(&candle).expect("one key");
        if i % 16 == 9 {
            let corrected = one(i - 3, 50.0);
            assert_eq!(upsert(store, &corrected).await, corrected.range(), "candle {i} - 3 is corrected");
            expected = expected.merged(&corrected).expect("one key");
        }
        if i % 50 == 0 {
            assert_same_candles(&all(store, &key).await, &expected);
        }
    }
    let coverage = store.coverage(&key).await.expect("it is stored");
    assert_eq!((coverage.rows, coverage.range), (expected.len(), expected.range()));
    assert_eq!(coverage.gaps, Gaps { count: 1, longest: 1, missing: 1 });
    let late = one(40, 7.0);
    assert_eq!(upsert(store, &late).await, late.range(), "a late candle");
    expected = expected.merged(&late).expect("one key");
    store.compact(&key).await.expect("a stored series can be compacted");
    assert_same_candles(&all(store, &key).await, &expected);
    assert_eq!(store.coverage(&key).await.expect("it is stored").gaps, Gaps::default());
    assert_eq!(store.compact(&key).await.expect("a stored series can be compacted"), 0, "nothing is left");
}

async fn ranges_are_half_open(store: &dyn CandleStore) {
    let key = key("BTCUSDT", "1h");
    let start = border();
    let series = series_of(&key, run(Interval::H1, start, 10, 100.0));
    upsert(store, &series).await;
    for (from, to) in [
        (start, start),
        (start, start + 1),
        (start + 1, start + HOUR_MS),
        (start + HOUR_MS, start + 4 * HOUR_MS),
        (start - HOUR_MS, start + HOUR_MS + 1),
        (start + 9 * HOUR_MS, i64::MAX),
        (i64::MIN, start + 2 * HOUR_MS),
        (start + 10 * HOUR_MS, i64::MAX),
        (start + 5 * HOUR_MS, start + 2 * HOUR_MS),
    ] {
        let found = store.scan(&key, range(from, to)).await.expect("any range can be scanned");
        assert_same_candles(&found, &series.between(range(from, to)));
    }
}

async fn years_join_without_a_seam(store: &dyn CandleStore) {
    let key = key("BTCUSDT", "1h");
    let series = series_of(&key, run(Interval::H1, border() - 8_760 * HOUR_MS - 48 * HOUR_MS, 8_760 + 96, 100.0));
    upsert(store, &series).await;
    assert_same_candles(&all(store, &key).await, &series);
    let around = range(border() - 2 * HOUR_MS, border() + HOUR_MS);
    let found = store.scan(&key, around).await.expect("it is stored");
    assert_eq!(found.len(), 3);
    assert_same_candles(&found, &series.between(around));
    let edited = series_of(&key, [(border() - HOUR_MS, 5.0), (border(), 6.0)]);
    assert_eq!(upsert(store, &edited).await, edited.range(), "a change on both sides of new year");
    assert_same_candles(&all(store, &key).await, &series.merged(&edited).expect("one key"));
}

async fn coverage_agrees_with_a_scan(store: &dyn CandleStore) {
    let times: Vec<i64> = [0, 1, 2, 5, 6, 9, 30].iter().map(|h| border() + h * HOUR_MS).collect();
    for symbol in ["ETHUSDT", "BTCUSDT"] {
        upsert(store, &series_of(&key(symbol, "1h"), times.iter().map(|&t| (t, 10.0)))).await;
    }
    let list = store.list().await.expect("a store can be listed");
    let keys: Vec<SeriesKey> = list.iter().map(|c| c.key.clone()).collect();
    assert_eq!(keys, [key("BTCUSDT", "1h"), key("ETHUSDT", "1h")], "sorted by key");
    for coverage in &list {
        let series = all(store, &coverage.key).await;
        assert_eq!(coverage.rows, series.len());
        assert_eq!(coverage.range, series.range());
        assert_eq!(coverage.gaps, Gaps { count: 3, longest: 20, missing: 24 });
        assert!(coverage.bytes > 0 && coverage.damaged.is_empty());
        assert_eq!(&store.coverage(&coverage.key).await.expect("it is listed"), coverage);
    }
}

async fn gaps_are_counted_across_years(store: &dyn CandleStore) {
    let key = key("BTCUSDT", "1h");
    // Two hours are missing on each side of new year: one gap of four.
    let series = series_of(&key, [(border() - 3 * HOUR_MS, 1.0), (border() + 2 * HOUR_MS, 1.0)]);
    upsert(store, &series).await;
    let gaps = store.coverage(&key).await.expect("it is stored").gaps;
    assert_eq!(gaps, Gaps { count: 1, longest: 4, missing: 4 });
}

async fn pieces_are_the_scan(store: &dyn CandleStore) {
    let key = key("BTCUSDT", "1d");
    let day = Interval::D1.ms();
    let series = series_of(&key, run(Interval::D1, border() - 500 * day, 1_000, 100.0));
    upsert(store, &series).await;
    for window in [TimeRange::ALL, range(border() - 10 * day, border() + 10 * day), range(border(), border() + day)] {
        let pieces: Vec<CandleSeries> =
            store.scan_pieces(&key, window).try_collect().await.expect("pieces can be read");
        assert!(pieces.iter().all(|p| !p.is_empty() && p.len() <= 366), "pieces are bounded and not empty");
        let joined = pieces.iter().fold(CandleSeries::empty(key.clone()), |all, p| {
            assert!(all.open_time().last() < p.open_time().first(), "pieces come oldest first");
            all.merged(p).expect("one key")
        });
        assert_same_candles(&joined, &series.between(window));
    }
    let none: Vec<CandleSeries> =
        store.scan_pieces(&key, range(0, 1)).try_collect().await.expect("a range without candles has no pieces");
    assert!(none.is_empty());
    let unknown: Result<Vec<CandleSeries>, _> =
        store.scan_pieces(&self::key("XRPUSDT", "1d"), TimeRange::ALL).try_collect().await;
    assert!(matches!(unknown, Err(StoreError::UnknownSeries { .. })));
}

async fn what_is_deleted_is_gone(store: &dyn CandleStore) {
    let key = key("BTCUSDT", "1h");
    let start = border() - 10 * HOUR_MS;
    let series = series_of(&key, run(Interval::H1, start, 20, 100.0));
    upsert(store, &series).await;
    let delete = |from: i64, to: i64| store.delete(&key, range(from, to));
    assert_eq!(delete(start + 5, start + HOUR_MS).await.expect("nothing in it"), 0);
    assert_eq!(delete(border() - 2 * HOUR_MS, border() + 3 * HOUR_MS).await.expect("five candles"), 5);
    let rest = series_of(
        &key,
        run(Interval::H1, start, 20, 100.0)
            .filter(|(t, _)| !(border() - 2 * HOUR_MS..border() + 3 * HOUR_MS).contains(t)),
    );
    assert_same_candles(&all(store, &key).await, &rest);
    assert_eq!(upsert(store, &series).await, Some(range(border() - 2 * HOUR_MS, border() + 3 * HOUR_MS)));
    assert_same_candles(&all(store, &key).await, &series);
    assert_eq!(delete(start, border()).await.expect("a whole year"), 10);
    assert_eq!(store.delete(&key, TimeRange::ALL).await.expect("the rest"), 10);
    assert!(matches!(store.scan(&key, TimeRange::ALL).await, Err(StoreError::UnknownSeries { .. })));
    assert!(store.list().await.expect("an empty store can be listed").is_empty());
    upsert(store, &series).await;
    assert_same_candles(&all(store, &key).await, &series);
}

async fn unknown_series_are_named(store: &dyn CandleStore) {
    let known = key("BTCUSDT", "1h");
    let asked = key("BTCUSDT", "1m");
    assert_eq!(upsert(store, &CandleSeries::empty(asked.clone())).await, None);
    upsert(store, &series_of(&known, [(border(), 1.0)])).await;
    let errors = [
        store.scan(&asked, TimeRange::ALL).await.err(),
        store.coverage(&asked).await.err(),
        store.delete(&asked, TimeRange::ALL).await.err(),
        store.compact(&asked).await.err(),
    ];
    for error in errors {
        match error {
            Some(StoreError::UnknownSeries { key, nearest }) => {
                assert_eq!((&key, nearest.as_slice()), (&asked, std::slice::from_ref(&known)));
            }
            other => panic!("an unknown series must be an error, got {other:?}"),
        }
    }
}

async fn weeks_are_kept_in_the_year_they_open(store: &dyn CandleStore) {
    let key = key("BTCUSDT", "1w");
    let week = key.interval;
    let monday = week.floor(candlecast_core::Timestamp(border())).ms();
    assert!(monday < border(), "the week of new year 2023 opened in 2022");
    let series = series_of(&key, run(week, monday - 60 * week.ms(), 120, 100.0));
    upsert(store, &series).await;
    assert_same_candles(&all(store, &key).await, &series);
    let first = store.scan(&key, range(monday, border())).await.expect("it is stored");
    assert_eq!(first.open_time(), [monday]);
    assert_eq!(store.coverage(&key).await.expect("it is stored").gaps, Gaps::default());
}

async fn many_series_do_not_mix(store: &dyn CandleStore) {
    let mut expected = Vec::new();
    for (i, symbol) in ["BTCUSDT", "BTCUSD", "BTCUSDC", "ETHUSDT", "1INCHUSDT"].iter().enumerate() {
        for interval in ["1m", "5m", "1h", "1d"] {
            let key = key(symbol, interval);
            let series = series_of(&key, run(key.interval, border(), 5 + i as i64, 100.0 + i as f64));
            upsert(store, &series).await;
            expected.push(series);
        }
    }
    expected.sort_by(|a, b| a.key().cmp(b.key()));
    let list = store.list().await.expect("a store can be listed");
    assert_eq!(list.len(), expected.len());
    for (coverage, series) in list.iter().zip(&expected) {
        assert_eq!((&coverage.key, coverage.rows), (series.key(), series.len()));
        assert_same_candles(&all(store, series.key()).await, series);
    }
}

async fn concurrent_writers_lose_nothing(store: &dyn CandleStore) {
    let keys = [key("BTCUSDT", "1h"), key("ETHUSDT", "1h")];
    let chunks: Vec<CandleSeries> = (0..24i64)
        .map(|k| {
            let start = border() + (k / 2 - 6) * 7 * HOUR_MS;
            series_of(&keys[k as usize % 2], run(Interval::H1, start, 7, 100.0 + k as f64))
        })
        .collect();
    let changes = join_all(chunks.iter().map(|chunk| store.upsert(chunk))).await;
    for (chunk, changed) in chunks.iter().zip(changes) {
        assert_eq!(changed.expect("a concurrent upsert succeeds"), chunk.range());
    }
    for key in &keys {
        let expected = chunks
            .iter()
            .filter(|c| c.key() == key)
            .fold(CandleSeries::empty(key.clone()), |all, c| all.merged(c).expect("one key"));
        assert_same_candles(&all(store, key).await, &expected);
    }
}

async fn impossible_times_are_refused(store: &dyn CandleStore) {
    let key = key("BTCUSDT", "1m");
    // Microseconds taken for milliseconds: the year 55,000.
    let far = key.interval.floor(candlecast_core::Timestamp(border() * 1_000)).ms();
    let error = store.upsert(&series_of(&key, [(border(), 1.0), (far, 1.0)])).await.err();
    assert!(matches!(error, Some(StoreError::OutsideYears { .. })), "{error:?}");
    assert!(matches!(store.scan(&key, TimeRange::ALL).await, Err(StoreError::UnknownSeries { .. })));
}

/// Long enough for several row groups or pages of any store.
async fn long_series_survive_edits_in_the_middle(store: &dyn CandleStore) {
    let key = key("BTCUSDT", "1m");
    let minute = Interval::M1.ms();
    let n = 150_000;
    let whole = series_of(&key, run(Interval::M1, border(), n, 100.0));
    let hole = range(border() + 70_000 * minute, border() + 70_010 * minute);
    let outside = |t: i64| !(hole.from.ms()..hole.to.ms()).contains(&t);
    upsert(store, &series_of(&key, run(Interval::M1, border(), n - 3, 100.0).filter(|(t, _)| outside(*t)))).await;
    let gaps = store.coverage(&key).await.expect("it is stored").gaps;
    assert_eq!(gaps, Gaps { count: 1, longest: 10, missing: 10 });
    let filled = upsert(store, &whole.between(hole)).await;
    assert_eq!(filled, Some(hole), "the hole was filled");
    let tail = whole.between(range(border() + (n - 5) * minute, i64::MAX));
    let grown = upsert(store, &tail).await;
    assert_eq!(grown, Some(range(border() + (n - 3) * minute, border() + n * minute)), "three candles are new");
    assert_same_candles(&all(store, &key).await, &whole);
    assert_eq!(store.delete(&key, hole).await.expect("the hole again"), 10);
    assert_eq!(store.coverage(&key).await.expect("it is stored").gaps, gaps);
    let last = store.scan(&key, range(border() + (n - 100) * minute, i64::MAX)).await.expect("it is stored");
    assert_same_candles(&last, &whole.between(range(border() + (n - 100) * minute, i64::MAX)));
}
