//! `models list | show | promote | rollback | delete`.

use std::collections::BTreeSet;

pub use candlecast_registry::{Listed, Meta};
use candlecast_registry::{ModelName, Slot};

use crate::train::SavedModel;
use crate::{App, AppError, Watch};

impl App {
    /// Every stored model, damaged ones included as far as the small files and the sizes tell.
    pub fn models(&self) -> Result<Vec<Listed>, AppError> {
        Ok(self.registry.list()?)
    }

    /// Reads every stored model whole and compares it with its digests: those that are damaged, each in words with
    /// the remedy, and how many models there are.
    pub fn verify_models(&self, watch: &dyn Watch) -> Result<(usize, Vec<String>), AppError> {
        let listed = self.models()?;
        let mut damaged: Vec<String> = Vec::new();
        for (done, model) in listed.iter().enumerate() {
            self.check_cancelled()?;
            watch.progress("models", done as u64, listed.len() as u64);
            let reason = match &model.reason {
                Some(reason) => Some(reason.clone()),
                None => self.registry.verify(&model.name.slot, model.name.version).err().map(|e| e.to_string()),
            };
            damaged.extend(reason.map(|reason| format!("{}: {reason}", model.name)));
        }
        // What serves hangs on one more file, which loading compares with its digest.
        let slots: BTreeSet<&Slot> = listed.iter().map(|model| &model.name.slot).collect();
        for slot in slots {
            let fell_back = self.registry.load::<SavedModel>(slot, None).ok().and_then(|loaded| loaded.fell_back);
            damaged.extend(fell_back.filter(|why| !damaged.iter().any(|known| known.contains(why.as_str()))));
        }
        Ok((listed.len(), damaged))
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
