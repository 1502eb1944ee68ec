//! Pages of the list of models, cut from the file names, what serves and served, and what lies in other folders.

use std::collections::BTreeSet;

use candlecast_core::{Interval, Problem, Symbol, Timestamp, Venue};
use candlecast_host::{Host, blocking, models_folder, shares_records};
use candlecast_meta::{MAX_PAGE, Model, ModelFilter, ModelStatus, PageRequest};
use candlecast_registry::{Family, Listed, ModelName, ServingChange, Status};

/// Versions whose small files are read at once.
const READ_AT_ONCE: usize = 1_000;

/// Which models are wanted; an empty filter wants all.
#[derive(Debug, Clone, Default)]
pub struct ModelQuery {
    /// Of this symbol.
    pub symbol: Option<Symbol>,
    /// Of this venue.
    pub venue: Option<Venue>,
    /// Of this candle length.
    pub interval: Option<Interval>,
    /// Of this type, by its id.
    pub model: Option<String>,
    /// Of this task.
    pub task: Option<String>,
    /// With this status.
    pub status: Option<Status>,
}

impl ModelQuery {
    /// What the name alone decides.
    fn selects(&self, name: &ModelName) -> bool {
        let (family, key) = (&name.family, name.family.key());
        self.symbol.as_ref().is_none_or(|symbol| *symbol == key.symbol)
            && self.venue.as_ref().is_none_or(|venue| *venue == key.venue)
            && self.interval.is_none_or(|interval| interval == key.interval)
            && self.model.as_deref().is_none_or(|model| model == family.model())
            && self.task.as_deref().is_none_or(|task| task == family.task())
    }

    fn selects_elsewhere(&self, model: &ElsewhereModel) -> bool {
        self.selects(&model.name) && self.status.is_none_or(|status| status.to_string() == model.status)
    }
}

/// The versions that `wanted` selects, by series, type and version: at most `limit` of those that come after
/// `after`. No payload is read, and without a wanted status the small files of the page alone.
pub async fn models_page(
    host: &Host,
    wanted: &ModelQuery,
    after: Option<&ModelName>,
    limit: Option<usize>,
) -> Result<Vec<Listed>, Problem> {
    let (wanted, after) = (wanted.clone(), after.cloned());
    blocking(host, move |host| page_now(host, &wanted, after.as_ref(), limit)).await
}

fn page_now(
    host: &Host,
    wanted: &ModelQuery,
    after: Option<&ModelName>,
    limit: Option<usize>,
) -> Result<Vec<Listed>, Problem> {
    let names = host.registry.names()?;
    let start = after.map_or(0, |after| names.partition_point(|name| name <= after));
    let selected: Vec<ModelName> = names[start..].iter().filter(|name| wanted.selects(name)).cloned().collect();
    let limit = limit.unwrap_or(usize::MAX);
    let mut page = Vec::new();
    for part in selected.chunks(limit.clamp(1, READ_AT_ONCE)) {
        let listed = host.registry.listed(part)?;
        page.extend(listed.into_iter().filter(|entry| wanted.status.is_none_or(|status| status == entry.status)));
        if page.len() >= limit {
            break;
        }
    }
    page.truncate(limit);
    Ok(page)
}

/// A model that lies in another folder, as the shared records know it: its files are not here.
#[derive(Debug, Clone, PartialEq)]
pub struct ElsewhereModel {
    /// Series, type, task and version.
    pub name: ModelName,
    /// What the folder is called; `None` where that is not on record.
    pub folder: Option<String>,
    /// Where it stands in that folder, as of its last change.
    pub status: String,
    /// Steps of its horizon.
    pub horizon_steps: u32,
    /// When it was trained.
    pub trained_at: Timestamp,
    /// Directional or class accuracy on the test part, 0 to 1.
    pub accuracy: Option<f64>,
    /// SHA-256 of its payload.
    pub sha256: Option<String>,
}

/// At most `limit` of the models in other folders that `wanted` selects, last trained first. A problem where the records
/// are this folder's alone.
pub async fn models_elsewhere(host: &Host, wanted: &ModelQuery, limit: usize) -> Result<Vec<ElsewhereModel>, Problem> {
    if !shares_records(host) {
        let detail = "there are no other folders: hosts share records in a PostgreSQL that DATABASE_URL names";
        return Err(Problem::usage("no-shared-records", "elsewhere", detail));
    }
    let here: BTreeSet<ModelName> = blocking(host, |host| Ok(host.registry.names()?)).await?.into_iter().collect();
    let filter = ModelFilter {
        not_folder: Some(models_folder(host).await?),
        model_type: wanted.model.clone(),
        task: wanted.task.clone(),
        ..ModelFilter::default()
    };
    let store = host.metadata().await?;
    let mut page = PageRequest::first(MAX_PAGE);
    let mut found = Vec::new();
    while found.len() < limit {
        let part = store.models(&filter, page).await?;
        let models = part.items.into_iter().filter(|row| row.status != ModelStatus::Created).filter_map(elsewhere);
        found.extend(models.filter(|model| wanted.selects_elsewhere(model) && !here.contains(&model.name)));
        match part.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    found.truncate(limit);
    Ok(found)
}

fn elsewhere(row: Model) -> Option<ElsewhereModel> {
    Some(ElsewhereModel {
        name: row.id.parse().ok()?,
        folder: Some(row.folder).filter(|folder| !folder.is_empty()),
        status: row.status.to_string(),
        horizon_steps: row.horizon_steps,
        trained_at: row.trained_at,
        accuracy: row.accuracy,
        sha256: row.sha256,
    })
}

/// The version that serves in each slot, damaged or not, and a problem for each series and type of which it cannot be
/// told.
pub async fn serving_models(host: &Host) -> Result<(Vec<ModelName>, Vec<Problem>), Problem> {
    blocking(host, serving_now).await
}

fn serving_now(host: &Host) -> Result<(Vec<ModelName>, Vec<Problem>), Problem> {
    let slots = host.registry.serving_slots()?;
    let mut serving = Vec::new();
    for slot in &slots {
        serving.extend(host.registry.active(slot)?.map(|version| slot.family.at(version)));
    }
    let told: BTreeSet<&Family> = slots.iter().map(|slot| &slot.family).collect();
    let mut problems = Vec::new();
    for family in host.registry.serving_families()?.iter().filter(|family| !told.contains(family)) {
        let problem = host.registry.reaching(family, None).err().map(Problem::from);
        problems.extend(problem.map(|problem| problem.context(family)));
    }
    Ok((serving, problems))
}

/// The changes of what serves in the slots of `family`, newest first; the newest hundred are kept.
pub async fn serving_history(host: &Host, family: &Family) -> Result<Vec<ServingChange>, Problem> {
    let family = family.clone();
    let mut changes = blocking(host, move |host| Ok(host.registry.history(&family)?)).await?;
    changes.reverse();
    Ok(changes)
}
