//! Pages of the list of models, cut from the file names.

use candlecast_core::{Interval, Symbol, Venue};
use candlecast_registry::{Listed, ModelName, Status};

use crate::{App, AppError, Blame};

/// Versions whose small files are read at once.
const READ_AT_ONCE: usize = 1_000;

/// Which models are wanted; an empty filter wants all.
#[derive(Debug, Clone, Default)]
pub struct ModelsWanted {
    /// Of this symbol.
    pub symbol: Option<Symbol>,
    /// Of this venue.
    pub venue: Option<Venue>,
    /// Of this candle length.
    pub interval: Option<Interval>,
    /// Of this type, by its id.
    pub model: Option<String>,
    /// With this status.
    pub status: Option<Status>,
}

impl ModelsWanted {
    /// What the name alone decides.
    fn selects(&self, name: &ModelName) -> bool {
        let (slot, key) = (&name.slot, name.slot.key());
        self.symbol.as_ref().is_none_or(|symbol| *symbol == key.symbol)
            && self.venue.as_ref().is_none_or(|venue| *venue == key.venue)
            && self.interval.is_none_or(|interval| interval == key.interval)
            && self.model.as_deref().is_none_or(|model| model == slot.model())
    }
}

impl App {
    /// The versions that `wanted` selects, by series, type and version: at most `limit` of those that come after
    /// `after`. No payload is read, and without a wanted status the small files of the page alone.
    pub fn models_page(
        &self,
        wanted: &ModelsWanted,
        after: Option<&ModelName>,
        limit: Option<usize>,
    ) -> Result<Vec<Listed>, AppError> {
        let names = self.registry.names()?;
        let start = after.map_or(0, |after| names.partition_point(|name| name <= after));
        let selected: Vec<ModelName> = names[start..].iter().filter(|name| wanted.selects(name)).cloned().collect();
        let limit = limit.unwrap_or(usize::MAX);
        let mut page = Vec::new();
        for part in selected.chunks(limit.clamp(1, READ_AT_ONCE)) {
            let listed = self.registry.listed(part)?;
            page.extend(listed.into_iter().filter(|entry| wanted.status.is_none_or(|status| status == entry.status)));
            if page.len() >= limit {
                break;
            }
        }
        page.truncate(limit);
        Ok(page)
    }

    /// The version that serves in each slot, damaged or not, and a problem for each slot of which it cannot be told.
    pub fn serving_models(&self) -> Result<(Vec<ModelName>, Vec<AppError>), AppError> {
        let (mut serving, mut problems) = (Vec::new(), Vec::new());
        for slot in self.registry.serving_slots()? {
            match self.registry.active(&slot)? {
                Some(version) => serving.push(slot.at(version)),
                None => problems.push(AppError::new(
                    "corrupt-model",
                    500,
                    Blame::Data,
                    format!("{slot}: the file that names its active version is damaged: `candlecast models promote` one of its versions"),
                )),
            }
        }
        Ok((serving, problems))
    }
}
