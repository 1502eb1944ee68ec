//! `models list | show | promote | rollback | delete`.

use candlecast_registry::ModelName;
pub use candlecast_registry::{Listed, Meta};

use crate::train::SavedModel;
use crate::{App, AppError};

impl App {
    /// Every stored model, damaged ones included.
    pub fn models(&self) -> Result<Vec<Listed>, AppError> {
        Ok(self.registry.list()?)
    }

    /// Where the payload of a model lies.
    pub fn model_path(&self, name: &ModelName) -> std::path::PathBuf {
        self.registry.payload_path(name)
    }

    /// One model by its id (`BTCUSDT_LINEAR_1.0.0`), its files checked.
    pub fn model(&self, id: &str) -> Result<(Meta, SavedModel), AppError> {
        let name = parse_id(id)?;
        let loaded = self.registry.load::<SavedModel>(&name.slot, Some(name.version))?;
        Ok((loaded.meta, loaded.payload))
    }
}

/// Reads a model id.
pub fn parse_id(id: &str) -> Result<ModelName, AppError> {
    id.parse().map_err(|e: candlecast_registry::RegistryError| AppError::usage("bad-model-id", "id", e.to_string()))
}
