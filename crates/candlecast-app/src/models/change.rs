//! What changes which model serves, and what is kept. The files are changed first; the index follows.

use std::collections::BTreeSet;
use std::path::Path;

use candlecast_registry::{Exported, Meta, ModelName, RegistryError, Slot};

use super::parse_id;
use crate::{App, AppError};

/// A model that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// The model.
    pub name: ModelName,
    /// True when it was the one that served.
    pub served: bool,
    /// What serves now, if anything does.
    pub serves: Option<ModelName>,
}

impl App {
    /// Lets a version serve, after its files were found whole.
    pub async fn promote_model(&self, id: &str) -> Result<Meta, AppError> {
        let name = parse_id(id)?;
        let meta = self.registry.promote(&name.slot, name.version)?;
        self.index_follows(&name.slot).await;
        Ok(meta)
    }

    /// Lets the version serve that served before the active one.
    pub async fn roll_back_model(&self, slot: &Slot) -> Result<Meta, AppError> {
        let meta = self.registry.rollback(slot).map_err(nothing_before)?;
        self.index_follows(slot).await;
        Ok(meta)
    }

    /// Deletes a version. The active one only with `force`; then the one before it serves.
    pub async fn delete_model(&self, id: &str, force: bool) -> Result<Deleted, AppError> {
        let name = parse_id(id)?;
        let slot = name.slot.clone();
        let active = self.registry.active(&slot)?;
        let serves = if force {
            self.registry.delete_even_active(&slot, name.version)?
        } else {
            self.registry.delete(&slot, name.version).map_err(is_active)?;
            self.registry.active(&slot)?
        };
        self.index_follows(&slot).await;
        let served = active == Some(name.version);
        Ok(Deleted { name, served, serves: serves.map(|version| slot.at(version)) })
    }

    /// The versions beyond the newest `keep` of each slot, in the order in which they would go.
    pub fn surplus_models(&self, keep: usize) -> Result<Vec<ModelName>, AppError> {
        let mut surplus = Vec::new();
        for slot in self.slots()? {
            surplus.extend(self.registry.surplus(&slot, keep)?.into_iter().map(|version| slot.at(version)));
        }
        Ok(surplus)
    }

    /// Deletes the versions beyond `keep` of each slot, and says which. The active ones and the newest stay.
    pub async fn keep_versions(&self, keep: usize) -> Result<Vec<ModelName>, AppError> {
        let mut gone = Vec::new();
        for slot in self.slots()? {
            self.check_cancelled()?;
            let versions = self.registry.prune(&slot, keep)?;
            if !versions.is_empty() {
                self.index_follows(&slot).await;
            }
            gone.extend(versions.into_iter().map(|version| slot.at(version)));
        }
        Ok(gone)
    }

    /// Copies the files of a model into `folder`, compared with their digests before and after.
    pub fn download_model(&self, id: &str, folder: &Path) -> Result<Exported, AppError> {
        let name = parse_id(id)?;
        self.registry.export(&name.slot, name.version, folder).map_err(|e| match e {
            RegistryError::Taken { .. } => AppError::data("file-exists", e.to_string()).with_field("dir"),
            e => e.into(),
        })
    }

    fn slots(&self) -> Result<BTreeSet<Slot>, AppError> {
        Ok(self.registry.names()?.into_iter().map(|name| name.slot).collect())
    }
}

fn is_active(e: RegistryError) -> AppError {
    match e {
        RegistryError::DeletesActive { .. } => AppError::data("model-active", e.to_string()).with_field("id"),
        e => e.into(),
    }
}

fn nothing_before(e: RegistryError) -> AppError {
    match e {
        RegistryError::NothingToRollBackTo { .. } => AppError::data("nothing-before", e.to_string()),
        e => e.into(),
    }
}
