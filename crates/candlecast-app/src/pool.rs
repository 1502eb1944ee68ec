//! Series that models learn from beside those that they forecast.

use std::sync::Arc;

use candlecast_core::{FilledSeries, Problem, SeriesKey, TimeRange};
use candlecast_host::Host;
use candlecast_learn::Market;

/// The other stored series of the venue and interval of `keys`, in the order of their symbols: what models may learn from
/// beside them. None where nothing else is stored.
pub async fn pool_of(host: &Host, keys: &[SeriesKey]) -> Result<Vec<SeriesKey>, Problem> {
    let listed = host.store.list().await?;
    let beside = |other: &SeriesKey| {
        !keys.contains(other) && keys.iter().any(|key| other.venue == key.venue && other.interval == key.interval)
    };
    let mut pool: Vec<SeriesKey> = listed.into_iter().map(|stored| stored.key).filter(beside).collect();
    pool.sort_by_key(|other| (other.symbol.to_string(), other.venue.to_string()));
    Ok(pool)
}

/// The market of each of `keys`, in their order, with gaps of up to `max_fill` candles filled.
pub(crate) async fn markets_of(host: &Host, keys: &[SeriesKey], max_fill: usize) -> Result<Vec<Arc<Market>>, Problem> {
    let mut markets = Vec::with_capacity(keys.len());
    for key in keys {
        markets.push(host.market(key, max_fill).await?);
    }
    Ok(markets)
}

/// As [`markets_of`], of the candles within `ranges` alone, in the order of `keys`; of keys that have none there of all.
pub(crate) async fn markets_within(
    host: &Host,
    keys: &[SeriesKey],
    ranges: &[TimeRange],
    max_fill: usize,
) -> Result<Vec<Arc<Market>>, Problem> {
    let mut markets = Vec::with_capacity(keys.len());
    for (k, key) in keys.iter().enumerate() {
        let range = ranges.get(k).copied().unwrap_or(TimeRange::ALL);
        let series = host.store.scan(key, range).await?;
        let market = host.compute(move || Ok(Arc::new(Market::new(FilledSeries::new(&series, max_fill)))));
        markets.push(market.await?);
    }
    Ok(markets)
}

/// What a job does, such as `24 steps`, with the size of its pool if it has one.
pub(crate) fn with_pool(what: String, pool: &[SeriesKey]) -> String {
    if pool.is_empty() { what } else { format!("{what}, pool of {}", pool.len()) }
}
