//! Pages of the list of models, cut from the file names, and what serves and served.

use std::collections::BTreeSet;

use candlecast_core::{Interval, Problem, Symbol, Venue};
use candlecast_host::{Host, blocking};
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
