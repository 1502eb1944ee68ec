//! What changes which model serves, and what is kept. The files are changed first; the index follows.

use std::collections::BTreeSet;
use std::path::Path;

use candlecast_core::Problem;
use candlecast_host::{Host, blocking};
use candlecast_registry::{Change, Exported, Family, ModelManifest, ModelName, RegistryError, Slot};

use crate::models::index::index_follows;
use crate::models::parse_id;

/// A model that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// The model.
    pub name: ModelName,
    /// True when it was one that served.
    pub served: bool,
    /// What serves in its slot now, if anything does.
    pub serves: Option<ModelName>,
}

/// Lets a version serve in its slot, after its files were found whole. `by` goes on record as who did it.
pub async fn promote_model(host: &Host, id: &str, by: &str) -> Result<ModelManifest, Problem> {
    let name = parse_id(id)?;
    let (family, by) = (name.family.clone(), by.to_owned());
    let promoted = blocking(host, move |host| Ok(host.registry.promote(&name.family, name.version, now(host, &by))?));
    let manifest = promoted.await?;
    index_follows(host, &family).await;
    Ok(manifest)
}

/// Lets the version serve that served in `slot` before the active one.
pub async fn roll_back_model(host: &Host, slot: &Slot, by: &str) -> Result<ModelManifest, Problem> {
    let (of, by) = (slot.clone(), by.to_owned());
    let rolled_back = blocking(host, move |host| host.registry.rollback(&of, now(host, &by)).map_err(nothing_before));
    let manifest = rolled_back.await?;
    index_follows(host, &slot.family).await;
    Ok(manifest)
}

/// Deletes a version. One that serves only with `force`; then the one before it in its slot serves.
pub async fn delete_model(host: &Host, id: &str, force: bool, by: &str) -> Result<Deleted, Problem> {
    let name = parse_id(id)?;
    let (family, by) = (name.family.clone(), by.to_owned());
    let deleted = blocking(host, move |host| delete_now(host, name, force, &by)).await?;
    index_follows(host, &family).await;
    Ok(deleted)
}

fn delete_now(host: &Host, name: ModelName, force: bool, by: &str) -> Result<Deleted, Problem> {
    let family = &name.family;
    let served_in = slot_served_by(host, &name)?;
    let slot = served_in.clone().or_else(|| slot_of(host, &name));
    if force {
        host.registry.delete_even_active(family, name.version, now(host, by))?;
    } else {
        host.registry.delete(family, name.version).map_err(is_active)?;
    }
    // The slot of a damaged version is not known: then whatever serves longest is told.
    let serves = match slot.or_else(|| host.registry.reaching(family, None).ok()) {
        Some(slot) => host.registry.active(&slot)?,
        None => None,
    };
    let serves = serves.map(|version| family.at(version));
    Ok(Deleted { served: served_in.is_some(), serves, name })
}

/// The slot in which the version `name` serves, if it does.
fn slot_served_by(host: &Host, name: &ModelName) -> Result<Option<Slot>, Problem> {
    for slot in host.registry.slots(&name.family)? {
        if host.registry.active(&slot)? == Some(name.version) {
            return Ok(Some(slot));
        }
    }
    Ok(None)
}

/// The slot that the version `name` belongs to, if its manifest can be read.
fn slot_of(host: &Host, name: &ModelName) -> Option<Slot> {
    let manifest = host.registry.manifest(&name.family, name.version).ok()?;
    Some(name.family.slot(manifest.horizon_steps))
}

/// The versions beyond the newest `keep` of each slot, in the order in which they would go.
pub async fn surplus_models(host: &Host, keep: usize) -> Result<Vec<ModelName>, Problem> {
    blocking(host, move |host| {
        let mut surplus = Vec::new();
        for family in stored_families(host)? {
            surplus.extend(host.registry.surplus(&family, keep)?.into_iter().map(|version| family.at(version)));
        }
        Ok(surplus)
    })
    .await
}

/// Deletes the versions beyond `keep` of each slot, and says which. The active ones and the newest stay.
pub async fn keep_versions(host: &Host, keep: usize) -> Result<Vec<ModelName>, Problem> {
    let mut gone = Vec::new();
    for family in blocking(host, stored_families).await? {
        host.check_cancelled()?;
        let of = family.clone();
        let versions = blocking(host, move |host| Ok(host.registry.prune(&of, keep)?)).await?;
        if !versions.is_empty() {
            index_follows(host, &family).await;
        }
        gone.extend(versions.into_iter().map(|version| family.at(version)));
    }
    Ok(gone)
}

/// Copies the files of a model into `folder`, compared with their digests before and after.
pub async fn download_model(host: &Host, id: &str, folder: &Path) -> Result<Exported, Problem> {
    let (name, folder) = (parse_id(id)?, folder.to_owned());
    blocking(host, move |host| {
        host.registry.export(&name.family, name.version, &folder).map_err(|e| match e {
            RegistryError::Taken { .. } => Problem::data("file-exists", e.to_string()).with_field("dir"),
            e => e.into(),
        })
    })
    .await
}

fn stored_families(host: &Host) -> Result<BTreeSet<Family>, Problem> {
    Ok(host.registry.names()?.into_iter().map(|name| name.family).collect())
}

fn now<'a>(host: &Host, by: &'a str) -> Change<'a> {
    Change { at: host.now(), by }
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
