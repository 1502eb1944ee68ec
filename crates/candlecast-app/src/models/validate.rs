//! `models validate`: a saved model scored on candles that it has not learnt from, the naive forecasts beside it.

use candlecast_core::Problem;
use candlecast_host::Host;
use candlecast_monitor::identity;
use candlecast_pipeline::{LoadedModel, Validation, max_fill, validate};
use candlecast_registry::ModelManifest;

use crate::models::model;

/// A saved model on newer candles.
#[derive(Debug)]
pub struct Validated {
    /// The model.
    pub manifest: ModelManifest,
    /// How it did.
    pub validation: Validation,
}

/// Scores the saved model `id` on the newest `days` (1 to 3650) of its series, as far as it has not learnt from them.
pub async fn validate_model(host: &Host, id: &str, days: u32) -> Result<Validated, Problem> {
    if !(1..=3_650).contains(&days) {
        return Err(Problem::usage("bad-days", "days", format!("days {days} is not within 1 to 3650")));
    }
    let (manifest, saved) = model(host, id).await?;
    let market = host.market(&manifest.key(), max_fill(&saved)).await?;
    let (now, seed) = (host.now(), host.seed);
    host.compute(move || {
        let loaded = LoadedModel::restore(saved, &identity(&manifest))?;
        let validation = validate(loaded, manifest.data_range.from, &market, days, now, seed)?;
        Ok(Validated { manifest, validation })
    })
    .await
}
