//! Memory that a training or an evaluation takes from what all of them in this process may use.

use candlecast_core::{ModelRequest, Problem, ProgressSink, SeriesKey};
use candlecast_host::{Host, ReservedMemory};
use candlecast_pipeline::{PipelineOptions, SeriesSize, memory_need};

/// What is to be fitted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fits<'a> {
    /// Series that are forecast.
    pub(crate) series: &'a [SeriesKey],
    /// Series that are only learnt from.
    pub(crate) pool: &'a [SeriesKey],
    pub(crate) models: &'a [ModelRequest],
    pub(crate) common: &'a PipelineOptions,
    /// Fits at once.
    pub(crate) at_once: usize,
}

/// Reserves what `fits` need at most, to be held from before their candles are read until they have ended. Waits while
/// others hold it; a problem at once where it is more than all that there is.
pub(crate) async fn reserve(host: &Host, fits: Fits<'_>, watch: &dyn ProgressSink) -> Result<ReservedMemory, Problem> {
    let Fits { series, pool, models, common, at_once } = fits;
    let (own, pool) = (sizes(host, series).await?, sizes(host, pool).await?);
    let need = memory_need(&own, &pool, models, common, at_once)?;
    if !host.memory().could_hold(need.bytes) {
        return Err(need.refused(host.memory().total_bytes()));
    }
    host.reserve_memory(need.bytes, watch).await
}

/// How large each of `keys` is, as the store tells without reading their candles.
pub(crate) async fn sizes(host: &Host, keys: &[SeriesKey]) -> Result<Vec<SeriesSize>, Problem> {
    let mut sizes = Vec::with_capacity(keys.len());
    for key in keys {
        let coverage = host.store.coverage(key).await?;
        // Short gaps will be filled. Which ones is not known yet, so all of them count.
        let spanned = coverage.range.map_or(0, |range| (range.to.ms() - range.from.ms()) / key.interval.ms());
        let candles = usize::try_from(spanned).unwrap_or(0).max(coverage.rows);
        sizes.push(SeriesSize { interval: key.interval, candles });
    }
    Ok(sizes)
}
