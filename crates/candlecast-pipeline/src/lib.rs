//! From a request to forecasts that can be trusted: everything between the parts (features, learners, splits) and the
//! use cases. Pure: no I/O, no async, no clock.
//!
//! [`FeatureFrames`] builds what a request names, [`PreparedEvaluation`] and [`Training`] do the work, [`SavedModel`] is
//! what a model file holds and [`LoadedModel::restore`] the one way back from it.

pub mod catalog;
pub mod doc;

mod accuracy;
mod composites;
mod evaluation;
mod feature_audit;
mod fingerprint;
mod forecast;
mod frames;
mod gap_filler;
mod hold_out;
mod live_forecaster;
mod loaded_model;
mod memory;
mod method;
mod options;
mod program;
mod promotion_gate;
mod rank;
mod saved_ensemble;
mod saved_model;
mod search;
mod training;
mod validate;
mod warm_start;

pub use accuracy::{
    Accuracy, ConfidenceFigures, DirectionFigures, GroupAccuracy, LiveTest, LogSums, ModelAccuracy, Scored,
    ScoredClass, ScoredLog, ScoredVolatility, TaskAccuracy, TaskFigures, VolatilityFigures, accuracy,
};
pub use evaluation::{
    CrossScores, Evaluation, PathScores, PreparedEvaluation, evaluate_series, plan_config, scored_range, warm_up,
    whole_range,
};
pub use feature_audit::{
    AuditFinding, AuditOptions, Audited, audit_features, check_audit_options, generated_market, with_all,
};
pub use fingerprint::{Fingerprints, data_fingerprint, feature_versions, instruction_set, run_fingerprint};
pub use forecast::{Detail, Newest, forecast_newest};
pub use frames::{FeatureFrames, task_ids};
pub use hold_out::HoldOut;
pub use live_forecaster::LiveForecaster;
pub use loaded_model::{LoadedModel, ModelIdentity, ModelLabel};
pub use memory::{MemoryNeed, SeriesSize, memory_need};
pub use method::Method;
pub use options::{MAX_FILL, MIN_CANDLES, PipelineOptions, check_confidence_threshold, options_of};
pub use program::program_identity;
pub use promotion_gate::{Decision, Serving};
pub use rank::{
    Permutation, PreparedRanking, RankOptions, RankedFeature, RankedPart, Ranking, check_rank_options,
    default_rank_model,
};
pub use saved_ensemble::{EnsembleKnowledge, SavedEnsemble};
pub use saved_model::{OutOfFold, SavedModel, max_fill, migrate_config, migrate_saved_model};
pub use search::{
    Candidate, CandidateScores, Search, SearchMetric, SearchRequest, TrialStop, configured, default_search_metric,
    search_metric, search_space,
};
pub use training::{Fitted, FittedMarket, Training, TrainingRequest};
pub use validate::{Validation, validate};
pub use warm_start::WarmStart;
