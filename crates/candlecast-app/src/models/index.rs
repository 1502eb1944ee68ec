//! The index of models in the metadata database, brought in line with the files, which are the truth.
//!
//! A family is always brought in line as a whole and at once, so doing it again changes nothing, and what a failure left
//! behind is mended by the next change. Where hosts with folders of their own share the database, each writes the rows of
//! its own folder. Rows of models that were only configured have no files and are left alone.

use std::collections::BTreeSet;

use candlecast_core::{Problem, ProgressSink, Seed};
use candlecast_host::{Host, blocking, models_folder};
use candlecast_meta::{FoundModel, MAX_PAGE, MetaError, Model, ModelFilter, ModelStatus, ModelsIn, PageRequest, Retry};
use candlecast_registry::{Family, Listed, ModelManifest, Status};

/// Looks at the files of one family at most, while others go on changing them: whoever does brings the index in line, too.
const MAX_LOOKS: usize = 5;
/// How long others that write the same rows are waited for, ms.
const INDEX_BUDGET_MS: u64 = 5_000;

/// What was done to the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Indexed {
    /// Models that were not in it.
    pub added: usize,
    /// Models whose row or status was not that of the files.
    pub changed: usize,
    /// Rows whose files are gone.
    pub removed: usize,
    /// Models that are not in it, since another folder has given their name to another model.
    pub taken: usize,
}

impl Indexed {
    fn add(&mut self, part: Self) {
        self.added += part.added;
        self.changed += part.changed;
        self.removed += part.removed;
        self.taken += part.taken;
    }
}

/// A model that was trained, and the run that trained it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TrainedBy<'a> {
    pub(crate) model_id: &'a str,
    pub(crate) run_id: &'a str,
}

/// Brings the index of one family in line with its files.
pub async fn index_family(host: &Host, family: &Family) -> Result<Indexed, Problem> {
    let seed = Seed::default().derive(&family.to_string(), 0);
    index(host, family, None, Retry { budget_ms: INDEX_BUDGET_MS, seed, ..Retry::default() }).await
}

/// [`index_family`], where `trained` puts on record who trained a model, tried as `retry` says.
///
/// Between the look at the files and the record another process may have changed them and recorded that, which this
/// record would undo. So the files are looked at once more afterwards: if they are still what was recorded, so is the
/// index, and whatever changes them from then on is recorded after it.
pub(crate) async fn index(
    host: &Host,
    family: &Family,
    trained: Option<TrainedBy<'_>>,
    retry: Retry,
) -> Result<Indexed, Problem> {
    let store = host.metadata().await?;
    let models = ModelsIn {
        folder: models_folder(host).await?,
        series: family.key().clone(),
        model_type: family.model().to_owned(),
        task: family.task().to_owned(),
    };
    // Whoever was in the way has changed something: each try looks at the files anew.
    let record = || async {
        let listed = match files_of(host, family).await {
            Ok(listed) => listed,
            Err(problem) => return Ok(Err(problem)),
        };
        let found: Vec<FoundModel> = listed.iter().map(|entry| found(entry, trained)).collect();
        let synced = store.sync_models(&models, &found, host.now()).await?;
        Ok::<_, MetaError>(Ok((listed, synced)))
    };
    let mut done = Indexed::default();
    for _ in 0..MAX_LOOKS {
        let (listed, synced) = retry.run(record).await??;
        for id in &synced.taken {
            tracing::warn!(model = %id, "another folder has given this name to another model: the index shows that one");
        }
        done = Indexed {
            added: done.added + synced.added,
            changed: done.changed + synced.changed,
            removed: done.removed + synced.removed,
            taken: synced.taken.len(),
        };
        if files_of(host, family).await? == listed {
            break;
        }
    }
    Ok(done)
}

async fn files_of(host: &Host, family: &Family) -> Result<Vec<Listed>, Problem> {
    let family = family.clone();
    blocking(host, move |host| Ok(host.registry.list_family(&family)?)).await
}

/// Brings the index in line with all files.
pub async fn reindex_models(host: &Host, watch: &dyn ProgressSink) -> Result<Indexed, Problem> {
    let mut families = indexed_families(host).await?;
    let names = blocking(host, |host| Ok(host.registry.names()?)).await?;
    families.extend(names.into_iter().map(|name| name.family));
    let mut done = Indexed::default();
    for (i, family) in families.iter().enumerate() {
        host.check_cancelled()?;
        watch.progress("models", i as u64, families.len() as u64);
        done.add(index_family(host, family).await?);
    }
    Ok(done)
}

/// Forgets what the shared records know of the models of `folder`, which is gone for good; returns how many there were.
/// This host's own folder is refused.
pub async fn forget_folder(host: &Host, folder: &str) -> Result<u64, Problem> {
    if models_folder(host).await? == folder {
        let detail = format!("{folder} is the folder of models that is in use here: its models are deleted one by one");
        return Err(Problem::usage("bad-folder", "forget-folder", detail));
    }
    Ok(host.metadata().await?.forget_folder(folder).await?)
}

/// [`index_family`] after a change of the files, which is done and stands: a failure is logged.
pub async fn index_follows(host: &Host, family: &Family) {
    if let Err(error) = index_family(host, family).await {
        tracing::warn!(%family, %error, "the index of models could not follow; `candlecast models reindex` mends it");
    }
}

/// Families of which the index has rows of this folder, or rows that are of no folder in particular.
async fn indexed_families(host: &Host) -> Result<BTreeSet<Family>, Problem> {
    let store = host.metadata().await?;
    let folder = models_folder(host).await?;
    let mut families = BTreeSet::new();
    let mut page = PageRequest::first(MAX_PAGE);
    loop {
        let part = store.models(&ModelFilter::default(), page).await?;
        let here = |row: &&Model| folder.is_empty() || row.folder.is_empty() || row.folder == folder;
        let trained = part.items.iter().filter(here).filter(|row| row.status != ModelStatus::Created);
        families.extend(trained.filter_map(|row| Family::new(row.series.clone(), &row.model_type, &row.task).ok()));
        match part.next {
            Some(next) => page.after = Some(next),
            None => return Ok(families),
        }
    }
}

/// What the index is to say of a version.
fn found(entry: &Listed, trained: Option<TrainedBy<'_>>) -> FoundModel {
    let Some(manifest) = &entry.manifest else { return FoundModel::Damaged(entry.name.to_string()) };
    let by = trained.filter(|trained| trained.model_id == manifest.id).map(|trained| trained.run_id.to_owned());
    FoundModel::Whole(Box::new(row_of(manifest, status_of(entry.status), by)))
}

fn row_of(manifest: &ModelManifest, status: ModelStatus, run_id: Option<String>) -> Model {
    let mut meta = serde_json::to_value(manifest).unwrap_or_default();
    // The status has a column of its own, and would be out of date here with every promotion.
    if let Some(fields) = meta.as_object_mut() {
        fields.shift_remove("status");
    }
    Model {
        id: manifest.id.clone(),
        folder: String::new(),
        name: manifest.name.clone(),
        series: manifest.key(),
        model_type: manifest.model_type.to_ascii_lowercase(),
        task: manifest.task.clone(),
        version: manifest.version.to_string(),
        status,
        horizon_steps: u32::try_from(manifest.horizon_steps).unwrap_or(u32::MAX),
        trained_at: manifest.trained_at,
        accuracy: manifest.accuracy,
        sha256: Some(manifest.sha256.clone()),
        run_id,
        meta,
        activated_at: None,
    }
}

fn status_of(status: Status) -> ModelStatus {
    match status {
        Status::Candidate => ModelStatus::Candidate,
        Status::Active => ModelStatus::Active,
        Status::Archived => ModelStatus::Archived,
        Status::Corrupt => ModelStatus::Corrupt,
    }
}
