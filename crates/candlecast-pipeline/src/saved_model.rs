//! [`SavedModel`]: what a model file holds.

use candlecast_core::Timestamp;
use candlecast_learn::{CalibrationState, PipelineState};
use serde::{Deserialize, Serialize};

/// What a model file holds besides its frame.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedModel {
    /// The fitted pipeline.
    pub pipeline: PipelineState,
    /// What calibration had learnt from the forward chain, never from residuals of data the fit saw.
    pub calibration: CalibrationState,
    /// Close of the last candle the fit saw; outcomes after it are learnt from by replay.
    pub trained_to: Timestamp,
}
