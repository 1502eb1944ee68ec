//! Models: what the files in the registry are, searchable. The files are the truth; this index is written after
//! them and can be rebuilt from them.
//!
//! Hosts with folders of their own may share the records. A row says which folder holds the model, and ids are unique
//! among all of them ([`ModelStore::claim_model`]); in each folder one model of a series, type, task and horizon serves.
//! Records that are of one folder alone call it `""`.

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
        /// Serves; one for a folder, series, type, task and horizon.
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
    /// Folder that holds its files; set by what it is synchronised with.
    pub folder: String,
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
    /// Run that trained it; what is on record stays where a newer record does not say it.
    pub run_id: Option<String>,
    /// Everything else the registry records.
    pub meta: Value,
    /// When it last became active; ignored on writing.
    pub activated_at: Option<Timestamp>,
}

/// The models of one series, type and task in one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelsIn {
    /// The folder; empty where the records are of one folder alone, which is then all that there is.
    pub folder: String,
    /// Series.
    pub series: SeriesKey,
    /// Kebab-case id of the type.
    pub model_type: String,
    /// Task.
    pub task: String,
}

/// What was found of a model in a folder.
#[derive(Debug, Clone, PartialEq)]
pub enum FoundModel {
    /// Its files are whole. The row becomes this, in the folder in which it was found.
    Whole(Box<Model>),
    /// Its files, of the model with this id, are damaged. Without a row it gets none, since nothing is known of it.
    Damaged(String),
}

impl FoundModel {
    /// The model's identity.
    pub fn id(&self) -> &str {
        match self {
            Self::Whole(model) => &model.id,
            Self::Damaged(id) => id,
        }
    }
}

/// What bringing the index in line did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SyncedModels {
    /// Models that were not in it.
    pub added: usize,
    /// Models whose row or status was another.
    pub changed: usize,
    /// Rows whose files are gone.
    pub removed: usize,
    /// Ids that another folder has given to another model: their rows stay as they are.
    pub taken: Vec<String>,
}

/// Which models are wanted; an empty filter wants all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelFilter {
    /// In this folder.
    pub folder: Option<String>,
    /// In any folder but this.
    pub not_folder: Option<String>,
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
    /// Brings the rows of `models` in line with what was `found` of them in their folder, all at once: whoever reads sees
    /// the one state or the other. Rows that were only configured stay.
    ///
    /// Of two calls at once one comes after the other. So whoever looked at the files, and finds that they have changed
    /// since when the call is done, calls again: otherwise a look from before a change could be recorded after it.
    ///
    /// A row of another folder is taken over where the files are the very same, by their digest, as after a restore
    /// elsewhere; otherwise it stays, and the id is told.
    async fn sync_models(
        &self,
        models: &ModelsIn,
        found: &[FoundModel],
        now: Timestamp,
    ) -> Result<SyncedModels, MetaError>;

    /// Claims the name `model_id` for `folder`: true where it is that folder's from now on, false where another has given
    /// it, or claimed it before. Repeating is no error.
    async fn claim_model(&self, model_id: &str, folder: &str, now: Timestamp) -> Result<bool, MetaError>;

    /// Forgets the rows of a folder that is gone for good; returns how many. Their predictions stay, and their names stay
    /// claimed.
    async fn forget_folder(&self, folder: &str) -> Result<u64, MetaError>;

    /// A model by its identity.
    async fn model(&self, model_id: &str) -> Result<Model, MetaError>;

    /// Models, last trained first.
    async fn models(&self, filter: &ModelFilter, page: PageRequest) -> Result<Page<Model>, MetaError>;
}
