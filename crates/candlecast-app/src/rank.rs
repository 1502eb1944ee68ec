//! `features rank`: what each feature tells about the return ahead, before the part that the next training is tested on.

use std::sync::Arc;

use candlecast_core::{ModelRequest, Problem, ProgressSink, SeriesKey, TimeRange};
use candlecast_host::Host;
use candlecast_pipeline::{PipelineOptions, PreparedRanking, RankOptions, Ranking, check_rank_options};

use crate::defaults::with_model_defaults;
use crate::memory::{Fits, reserve};

/// Ranks the features of `common` (the model's own where it names none) over the window that a training of `request`
/// would use, split as it would be. Of a `range` without an end what the forward chain of a training on it forecasts is
/// left out ([`PreparedRanking::new`]).
pub async fn rank_features(
    host: &Host,
    key: &SeriesKey,
    request: ModelRequest,
    common: PipelineOptions,
    range: TimeRange,
    options: RankOptions,
    watch: Arc<dyn ProgressSink>,
) -> Result<Ranking, Problem> {
    check_rank_options(options)?;
    common.check()?;
    let request = with_model_defaults(&host.settings, request);
    let (series, models) = (std::slice::from_ref(key), std::slice::from_ref(&request));
    let fits = Fits { series, pool: &[], models, common: &common, at_once: 1 };
    let memory = reserve(host, fits, watch.as_ref()).await?;
    let market = host.market(key, common.max_fill).await?;
    let hooks = host.hooks(Arc::clone(&watch));
    let (seed, threads, told) = (host.seed, host.threads(), Arc::clone(&watch));
    host.compute_long(watch.as_ref(), move || {
        let _held = memory;
        let prepared = PreparedRanking::new(market, &request, common, range)?;
        prepared.run(options, seed, threads, &hooks, told.as_ref())
    })
    .await
}
