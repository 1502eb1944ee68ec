//! What changes which model serves, and what is kept. The files are changed first; the index follows.

use std::collections::BTreeSet;
use std::path::Path;

use candlecast_core::Problem;
use candlecast_host::Host;
use candlecast_registry::{Exported, Meta, ModelName, RegistryError, Slot};

use crate::models::index::index_follows;
use crate::models::parse_id;

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

/// Lets a version serve, after its files were found whole.
pub async fn promote_model(host: &Host, id: &str) -> Result<Meta, Problem> {
    let name = parse_id(id)?;
    let meta = host.registry.promote(&name.slot, name.version)?;
    index_follows(host, &name.slot).await;
    Ok(meta)
}

/// Lets the version serve that served before the active one.
pub async fn roll_back_model(host: &Host, slot: &Slot) -> Result<Meta, Problem> {
    let meta = host.registry.rollback(slot).map_err(nothing_before)?;
    index_follows(host, slot).await;
    Ok(meta)
}

/// Deletes a version. The active one only with `force`; then the one before it serves.
pub async fn delete_model(host: &Host, id: &str, force: bool) -> Result<Deleted, Problem> {
    let name = parse_id(id)?;
    let slot = name.slot.clone();
    let active = host.registry.active(&slot)?;
    let serves = if force {
        host.registry.delete_even_active(&slot, name.version)?
    } else {
        host.registry.delete(&slot, name.version).map_err(is_active)?;
        host.registry.active(&slot)?
    };
    index_follows(host, &slot).await;
    let served = active == Some(name.version);
    Ok(Deleted { name, served, serves: serves.map(|version| slot.at(version)) })
}

/// The versions beyond the newest `keep` of each slot, in the order in which they would go.
pub fn surplus_models(host: &Host, keep: usize) -> Result<Vec<ModelName>, Problem> {
    let mut surplus = Vec::new();
    for slot in slots(host)? {
        surplus.extend(host.registry.surplus(&slot, keep)?.into_iter().map(|version| slot.at(version)));
    }
    Ok(surplus)
}

/// Deletes the versions beyond `keep` of each slot, and says which. The active ones and the newest stay.
pub async fn keep_versions(host: &Host, keep: usize) -> Result<Vec<ModelName>, Problem> {
    let mut gone = Vec::new();
    for slot in slots(host)? {
        host.check_cancelled()?;
        let versions = host.registry.prune(&slot, keep)?;
        if !versions.is_empty() {
            index_follows(host, &slot).await;
        }
        gone.extend(versions.into_iter().map(|version| slot.at(version)));
    }
    Ok(gone)
}

/// Copies the files of a model into `folder`, compared with their digests before and after.
pub fn download_model(host: &Host, id: &str, folder: &Path) -> Result<Exported, Problem> {
    let name = parse_id(id)?;
    host.registry.export(&name.slot, name.version, folder).map_err(|e| match e {
        RegistryError::Taken { .. } => Problem::data("file-exists", e.to_string()).with_field("dir"),
        e => e.into(),
    })
}

fn slots(host: &Host) -> Result<BTreeSet<Slot>, Problem> {
    Ok(host.registry.names()?.into_iter().map(|name| name.slot).collect())
}

fn is_active(e: RegistryError) -> Problem {
    match e {
        RegistryError::DeletesActive { .. } => Problem::data("model-active", e.to_string()).with_field("id"),
        e => e.into(),
    }
}

fn nothing_before(e: RegistryError) -> Problem {
    match e {
        RegistryError::NothingToRollBackTo { .. } => Problem::data("nothing-before", e.to_string()),
        e => e.into(),
    }
}
