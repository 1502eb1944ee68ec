//! From a request to forecasts that can be trusted: everything between the parts (features, learners, splits) and the
//! use cases. Pure: no I/O, no async, no clock.
//!
//! [`FeatureFrames`] builds what a request names, [`PreparedEvaluation`] and [`Training`] do the work, [`SavedModel`] is
//! what a model file holds and [`LoadedModel::restore`] the one way back from it.

pub mod catalog;
pub mod doc;

mod accuracy;
mod evaluation;
mod feature_audit;
mod fingerprint;
mod forecast;
mod frames;
mod gap_filler;
mod live_forecaster;
mod loaded_model;
mod overlap;
mod promotion_gate;
mod rank;
mod saved_model;
mod training;
mod validate;

pub use accuracy::{Accuracy, GroupAccuracy, ModelAccuracy, Scored, accuracy};
pub use evaluation::{Evaluation, Method, PreparedEvaluation, evaluate_series, plan_config, scored_range, whole_range};
pub use feature_audit::{
    AuditFinding, AuditOptions, Audited, audit_features, check_audit_options, generated_market, with_all,
};
pub use fingerprint::{Fingerprints, instruction_set, run_fingerprint};
pub use forecast::{Newest, forecast_newest};
pub use frames::{FeatureFrames, MAX_FILL, MIN_CANDLES, PipelineOptions, check_memory, common_of};
pub use live_forecaster::LiveForecaster;
pub use loaded_model::{LoadedModel, ModelIdentity, ModelLabel};
pub use promotion_gate::{SavedScores, Serving};
pub use rank::{
    Permutation, PreparedRanking, RankOptions, RankedFeature, RankedPart, Ranking, check_rank_options,
    default_rank_model,
};
pub use saved_model::SavedModel;
pub use training::{Fitted, Training, TrainingRequest};
pub use validate::{Validation, validate};
