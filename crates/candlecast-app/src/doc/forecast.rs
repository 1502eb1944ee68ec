//! The document of `predict`: the seeds' response with the fields of the rules.

use candlecast_core::{Action, Timestamp};
use candlecast_pipeline::doc::{EnsembleDoc, OutlookDoc};
use serde::Serialize;

use crate::doc::EvidenceDoc;
use crate::predict::Predicted;

/// A forecast.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_excessive_bools, reason = "each is a field of the document")]
pub struct ForecastDoc {
    #[serde(flatten)]
    outlook: OutlookDoc,
    model: String,
    /// Null of an ensemble of saved models that is not saved itself.
    model_version: Option<String>,
    model_id: Option<String>,
    venue: String,
    symbol: String,
    interval: String,
    horizon_steps: usize,
    origin: Timestamp,
    origin_price: f64,
    interval_level: f64,
    trained_at: Timestamp,
    /// `BUY`, `SELL` or `HOLD` by the direction at the last step; null for a volatility.
    action: Option<&'static str>,
    /// Confidence below which the action is `HOLD`.
    confidence_threshold: f64,
    /// Share of the forecasts scored at training whose confidence is not below it.
    pass_share: Option<f64>,
    /// Of ensembles: strategy, members and how far they agree.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    ensemble: Option<EnsembleDoc>,
    regime: Option<String>,
    regime_confidence: Option<f64>,
    stale: bool,
    age_seconds: i64,
    data_age_seconds: i64,
    stale_data: bool,
    seen_future: bool,
    too_late: bool,
    synthetic: bool,
    /// What the test part said of the model that answered.
    test: Option<EvidenceDoc>,
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fell_back: Option<String>,
}

impl From<&Predicted> for ForecastDoc {
    fn from(p: &Predicted) -> Self {
        let f = &p.forecast;
        Self {
            outlook: OutlookDoc::from(f),
            model: p.model.clone(),
            model_version: p.manifest.as_ref().map(|manifest| manifest.version.to_string()),
            model_id: p.manifest.as_ref().map(|manifest| manifest.id.clone()),
            venue: f.key.venue.to_string(),
            symbol: f.key.symbol.to_string(),
            interval: f.key.interval.to_string(),
            horizon_steps: f.reach(),
            origin: f.origin,
            origin_price: f.origin_price,
            interval_level: f.level,
            trained_at: p.trained_at,
            action: p.action().map(Action::as_str),
            confidence_threshold: p.confidence_threshold,
            pass_share: p.pass_share(),
            ensemble: p.ensemble.clone(),
            regime: p.regime.as_ref().map(|r| r.0.clone()),
            regime_confidence: p.regime.as_ref().map(|r| r.1),
            stale: p.stale,
            // Nothing is kept from earlier calls, so an answer is as old as the newest closed candle.
            age_seconds: p.data_age_s,
            data_age_seconds: p.data_age_s,
            stale_data: p.stale_data,
            seen_future: p.has_seen_future(),
            too_late: p.is_too_late(),
            synthetic: f.key.venue.is_synthetic(),
            test: p.test(),
            warnings: p.warnings(),
            fell_back: p.fell_back.clone(),
        }
    }
}
