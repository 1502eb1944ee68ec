//! `audit features`: every feature is computed again without the future and with a false one.

use std::sync::Arc;

use candlecast_core::{FeatureSet, Problem, ProgressSink, SeriesKey};
use candlecast_host::Host;
use candlecast_pipeline::{AuditOptions, Audited, check_audit_options, generated_market};

/// Audits `features` (ids, groups, sets, or `all` for the whole catalog) on the stored series `key`, or on the generated
/// market when there is none.
pub async fn audit_features(
    host: &Host,
    key: Option<&SeriesKey>,
    features: &FeatureSet,
    options: AuditOptions,
    watch: Arc<dyn ProgressSink>,
) -> Result<Audited, Problem> {
    check_audit_options(options)?;
    let series = match key {
        Some(key) => host.series(key).await?,
        None => generated_market(host.seed, options.candles)?,
    };
    let (hooks, seed, features) = (host.hooks(Arc::clone(&watch)), host.seed, features.clone());
    let told = Arc::clone(&watch);
    host.compute_long(watch.as_ref(), move || {
        candlecast_pipeline::audit_features(&series, &features, options, seed, &hooks, told.as_ref())
    })
    .await
}
