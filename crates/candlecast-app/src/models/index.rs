//! The index of models in the metadata database, brought in line with the files, which are the truth.
//!
//! A family is always brought in line as a whole, so doing it again changes nothing, and what a failure left behind is
//! mended by the next change. Rows of models that were only configured have no files and are left alone.

use std::collections::{BTreeMap, BTreeSet};

use candlecast_core::{Problem, ProgressSink, Timestamp};
use candlecast_host::{Host, blocking};
use candlecast_meta::{MAX_PAGE, MetaError, MetadataStore, Model, ModelFilter, ModelStatus, PageRequest};
use candlecast_registry::{Family, Listed, ModelManifest, Status};

/// What was done to the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Indexed {
    /// Models that were not in it.
    pub added: usize,
    /// Models whose row or status was not that of the files.
    pub changed: usize,
    /// Rows whose files are gone.
    pub removed: usize,
}

/// Brings the index of one family in line with its files.
pub async fn index_family(host: &Host, family: &Family) -> Result<Indexed, Problem> {
    let of = family.clone();
    let listed = blocking(host, move |host| Ok(host.registry.list_family(&of)?)).await?;
    let store = host.metadata().await?;
    let filter = ModelFilter {
        series: Some(family.key().clone()),
        model_type: Some(family.model().to_owned()),
        task: Some(family.task().to_owned()),
        status: None,
    };
    let rows = rows(store.as_ref(), &filter).await?;
    Ok(FamilySync::new(store.as_ref(), host.now(), rows).run(&listed).await?)
}

/// Brings the index in line with all files.
pub async fn reindex_models(host: &Host, watch: &dyn ProgressSink) -> Result<Indexed, Problem> {
    let store = host.metadata().await?;
    let rows = rows(store.as_ref(), &ModelFilter::default()).await?;
    let names = blocking(host, |host| Ok(host.registry.names()?)).await?;
    let mut families: BTreeSet<Family> = names.into_iter().map(|name| name.family).collect();
    let trained = rows.values().filter(|row| row.status != ModelStatus::Created);
    families.extend(trained.filter_map(|row| Family::new(row.series.clone(), &row.model_type, &row.task).ok()));
    let mut done = Indexed::default();
    for (i, family) in families.iter().enumerate() {
        host.check_cancelled()?;
        watch.progress("models", i as u64, families.len() as u64);
        let part = index_family(host, family).await?;
        done.added += part.added;
        done.changed += part.changed;
        done.removed += part.removed;
    }
    Ok(done)
}

/// [`index_family`] after a change of the files, which is done and stands: a failure is logged.
pub async fn index_follows(host: &Host, family: &Family) {
    if let Err(error) = index_family(host, family).await {
        tracing::warn!(%family, %error, "the index of models could not follow; `candlecast models reindex` mends it");
    }
}

/// The row of a model whose files are whole, as long as its status is not set.
pub(crate) fn row_of(manifest: &ModelManifest, run_id: Option<String>) -> Model {
    without_status(Model {
        id: manifest.id.clone(),
        name: manifest.name.clone(),
        series: manifest.key(),
        model_type: manifest.model_type.to_ascii_lowercase(),
        task: manifest.task.clone(),
        version: manifest.version.to_string(),
        status: ModelStatus::Candidate,
        horizon_steps: u32::try_from(manifest.horizon_steps).unwrap_or(u32::MAX),
        trained_at: manifest.trained_at,
        accuracy: manifest.accuracy,
        sha256: Some(manifest.sha256.clone()),
        run_id,
        meta: serde_json::to_value(manifest).unwrap_or_default(),
        activated_at: None,
    })
}

/// Without the status in the manifest: it has a column of its own, and would be out of date with every promotion.
fn without_status(mut model: Model) -> Model {
    if let Some(fields) = model.meta.as_object_mut() {
        fields.shift_remove("status");
    }
    model
}

fn status_of(status: Status) -> ModelStatus {
    match status {
        Status::Candidate => ModelStatus::Candidate,
        Status::Active => ModelStatus::Active,
        Status::Archived => ModelStatus::Archived,
        Status::Corrupt => ModelStatus::Corrupt,
    }
}

/// All rows that `filter` selects, by id.
async fn rows(store: &dyn MetadataStore, filter: &ModelFilter) -> Result<BTreeMap<String, Model>, MetaError> {
    let mut found = BTreeMap::new();
    let mut page = PageRequest::first(MAX_PAGE);
    loop {
        let part = store.models(filter, page).await?;
        found.extend(part.items.into_iter().map(|model| (model.id.clone(), model)));
        match part.next {
            Some(next) => page.after = Some(next),
            None => return Ok(found),
        }
    }
}

/// One family being brought in line.
struct FamilySync<'a> {
    store: &'a dyn MetadataStore,
    now: Timestamp,
    rows: BTreeMap<String, Model>,
    added: BTreeSet<String>,
    changed: BTreeSet<String>,
    removed: usize,
}

impl<'a> FamilySync<'a> {
    fn new(store: &'a dyn MetadataStore, now: Timestamp, rows: BTreeMap<String, Model>) -> Self {
        Self { store, now, rows, added: BTreeSet::new(), changed: BTreeSet::new(), removed: 0 }
    }

    async fn run(mut self, listed: &[Listed]) -> Result<Indexed, MetaError> {
        for manifest in listed.iter().filter_map(|entry| entry.manifest.as_ref()) {
            self.put(manifest).await?;
        }
        // Promoting archives the one before of the same horizon in the same breath, so one serves at every moment.
        for entry in listed.iter().filter(|entry| entry.status == Status::Active) {
            self.promote(&entry.name.to_string()).await?;
        }
        for entry in listed.iter().filter(|entry| entry.status != Status::Active) {
            self.set_status(&entry.name.to_string(), status_of(entry.status)).await?;
        }
        let kept: BTreeSet<String> = listed.iter().map(|entry| entry.name.to_string()).collect();
        self.remove_others(&kept).await?;
        let changed = self.changed.difference(&self.added).count();
        Ok(Indexed { added: self.added.len(), changed, removed: self.removed })
    }

    /// Adds or updates the row of a model whose files are whole.
    async fn put(&mut self, manifest: &ModelManifest) -> Result<(), MetaError> {
        let known = self.rows.get(&manifest.id);
        let run_id = known.and_then(|row| row.run_id.clone());
        let wanted = row_of(manifest, run_id);
        // Of a known model the status stays as it is until it is set.
        let status = known.map_or(wanted.status, |row| row.status);
        let activated_at = known.and_then(|row| row.activated_at);
        let becomes = Model { status, activated_at, ..wanted.clone() };
        if known.is_some_and(|row| without_status(row.clone()) == becomes) {
            return Ok(());
        }
        let kind = if known.is_some() { &mut self.changed } else { &mut self.added };
        kind.insert(manifest.id.clone());
        self.store.put_model(&wanted, self.now).await?;
        self.rows.insert(manifest.id.clone(), becomes);
        Ok(())
    }

    async fn promote(&mut self, id: &str) -> Result<(), MetaError> {
        let Some((status, horizon)) = self.rows.get(id).map(|row| (row.status, row.horizon_steps)) else {
            return Ok(());
        };
        if status == ModelStatus::Active {
            return Ok(());
        }
        if matches!(status, ModelStatus::Corrupt | ModelStatus::Created) {
            self.store.set_model_status(id, ModelStatus::Archived, self.now).await?;
        }
        self.store.promote_model(id, self.now).await?;
        for (other, row) in &mut self.rows {
            if other == id {
                row.status = ModelStatus::Active;
            } else if row.status == ModelStatus::Active && row.horizon_steps == horizon {
                row.status = ModelStatus::Archived;
            }
        }
        self.changed.insert(id.to_owned());
        Ok(())
    }

    /// Sets any status but active. A damaged model without a row stays without one: nothing is known of it.
    async fn set_status(&mut self, id: &str, status: ModelStatus) -> Result<(), MetaError> {
        let Some(row) = self.rows.get_mut(id).filter(|row| row.status != status) else { return Ok(()) };
        self.store.set_model_status(id, status, self.now).await?;
        row.status = status;
        self.changed.insert(id.to_owned());
        Ok(())
    }

    /// Removes the rows of models whose files are gone.
    async fn remove_others(&mut self, kept: &BTreeSet<String>) -> Result<(), MetaError> {
        let gone = self.rows.values().filter(|row| !kept.contains(&row.id) && row.status != ModelStatus::Created);
        for row in gone {
            if row.status == ModelStatus::Active {
                self.store.set_model_status(&row.id, ModelStatus::Archived, self.now).await?;
            }
            self.store.delete_model(&row.id).await?;
            self.removed += 1;
        }
        Ok(())
    }
}
