//! Models: what the files in the registry are, searchable. The files are the truth; this index is written after
//! them and can be rebuilt from them.

use async_trait::async_trait;
use candlecast_core::{SeriesKey, Timestamp};
use serde_json::Value;

use crate::named::named;
use crate::{MetaError, Page, PageRequest};

named! {
    /// What a model is used for.
    ModelStatus, "status", "created, candidate, active, archived, corrupt" {
        /// Configured, not trained.
        Created = "created",
        /// Trained, does not serve.
        Candidate = "candidate",
        /// Serves; one for a series, type, task and horizon.
        Active = "active",
        /// Served before, or is kept for rolling back.
        Archived = "archived",
        /// Its file is damaged.
        Corrupt = "corrupt",
    }
}

/// A model.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// Identity, as in the registry (`BTCUSDT_LSTM_1.0.0`).
    pub id: String,
    /// Name given by the user.
    pub name: String,
    /// Series it was trained on.
    pub series: SeriesKey,
    /// Kebab-case id of its type.
    pub model_type: String,
    /// Such as `price`, `direction`.
    pub task: String,
    /// Version, `major.minor.patch`.
    pub version: String,
    /// What it is used for.
    pub status: ModelStatus,
    /// Steps of the trained horizon.
    pub horizon_steps: u32,
    /// When it was trained, or configured.
    pub trained_at: Timestamp,
    /// Directional or class accuracy on the test part, 0 to 1.
    pub accuracy: Option<f64>,
    /// SHA-256 of the weights, hexadecimal.
    pub sha256: Option<String>,
    /// Run that trained it.
    pub run_id: Option<String>,
    /// Everything else the registry records.
    pub meta: Value,
    /// When it last became active; ignored on writing.
    pub activated_at: Option<Timestamp>,
}

/// Which models are wanted; an empty filter wants all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelFilter {
    /// On this series.
    pub series: Option<SeriesKey>,
    /// Of this type.
    pub model_type: Option<String>,
    /// For this task.
    pub task: Option<String>,
    /// With this status.
    pub status: Option<ModelStatus>,
}

/// The index of models.
#[async_trait]
pub trait ModelStore: Send + Sync {
    /// Adds a model, or brings what is recorded of it up to date. A new model may be recorded as active (when the
    /// index is rebuilt); of a known one the status stays: [`promote_model`](Self::promote_model) and
    /// [`set_model_status`](Self::set_model_status) change it. Another active model there: conflict.
    async fn put_model(&self, model: &Model, now: Timestamp) -> Result<(), MetaError>;

    /// A model by its identity.
    async fn model(&self, model_id: &str) -> Result<Model, MetaError>;

    /// The model that serves at a horizon.
    async fn active_model(
        &self,
        series: &SeriesKey,
        model_type: &str,
        task: &str,
        horizon_steps: u32,
    ) -> Result<Option<Model>, MetaError>;

    /// Models, last trained first.
    async fn models(&self, filter: &ModelFilter, page: PageRequest) -> Result<Page<Model>, MetaError>;

    /// Makes a trained model the active one of its series, type, task and horizon; the one before is archived. At every
    /// moment one serves.
    async fn promote_model(&self, model_id: &str, now: Timestamp) -> Result<(), MetaError>;

    /// Sets any status but active.
    async fn set_model_status(&self, model_id: &str, status: ModelStatus, now: Timestamp) -> Result<(), MetaError>;

    /// Forgets a model that does not serve; its predictions stay. True when it was there.
    async fn delete_model(&self, model_id: &str) -> Result<bool, MetaError>;
}
