//! `models`: listed, shown, switched, deleted, copied out, checked against newer candles.
//!
//! The files of the registry are the truth. The metadata database has an index of them ([`index`]) that follows each
//! change; what it misses is mended by the next change of the same model, or by `models reindex`.
//!
//! Files are read and written, and other writers waited for, within [`blocking`].

use std::collections::BTreeSet;
use std::sync::Arc;

use candlecast_core::{Blame, Interval, Problem, ProgressSink, Symbol, Venue};
use candlecast_host::{Host, blocking, briefly, shares_records};
use candlecast_learn::ForecasterState;
use candlecast_monitor::{identity, load_version, read_serving};
use candlecast_pipeline::catalog;
use candlecast_pipeline::doc::WeighingDoc;
use candlecast_pipeline::{LoadedModel, SavedModel};

pub use candlecast_registry::{Exported, Family, Listed, ModelManifest, ModelName, ServingChange, Slot, Status, Why};

pub use change::{
    Deleted, delete_model, download_model, keep_versions, promote_model, roll_back_model, surplus_models,
};
pub use configuration::config_and_pipeline;
pub use index::{Indexed, forget_folder, index_family, index_follows, reindex_models};
pub use listing::{ElsewhereModel, ModelQuery, models_elsewhere, models_page, serving_history, serving_models};
pub use stale::{StaleModel, is_stale, queue_retraining, stale_models};
pub use validate::{Validated, validate_model};

pub mod index;

pub(crate) mod configuration;

mod change;
mod listing;
mod stale;
mod validate;

/// Reads every stored model whole and compares it with its digests: those that are damaged, each in words with
/// the remedy, and how many models there are.
pub async fn verify_models(host: &Host, watch: Arc<dyn ProgressSink>) -> Result<(usize, Vec<String>), Problem> {
    blocking(host, move |host| verify_now(host, watch.as_ref())).await
}

fn verify_now(host: &Host, watch: &dyn ProgressSink) -> Result<(usize, Vec<String>), Problem> {
    let listed = host.registry.list()?;
    let mut damaged: Vec<String> = Vec::new();
    for (done, model) in listed.iter().enumerate() {
        host.check_cancelled()?;
        watch.progress("models", done as u64, listed.len() as u64);
        let reason = match &model.reason {
            Some(reason) => Some(reason.clone()),
            None => host.registry.verify(&model.name.family, model.name.version).err().map(|e| e.to_string()),
        };
        damaged.extend(reason.map(|reason| format!("{}: {reason}", model.name)));
    }
    // What serves hangs on one more file, which loading compares with its digest.
    let families: BTreeSet<&Family> = listed.iter().map(|model| &model.name.family).collect();
    for family in families {
        for slot in host.registry.slots(family)? {
            let fell_back = read_serving(&host.registry, &slot).ok().and_then(|loaded| loaded.fell_back);
            damaged.extend(fell_back.filter(|why| !damaged.iter().any(|known| known.contains(why.as_str()))));
        }
    }
    Ok((listed.len(), damaged))
}

/// Where the payload of a model lies.
pub fn model_path(host: &Host, name: &ModelName) -> std::path::PathBuf {
    host.registry.payload_path(name)
}

/// One model by its id (`BTCUSDT_LINEAR_1.0.0`), its files checked. The problem of one that is not here says in which other
/// folder it lies, where that is on record.
pub async fn model(host: &Host, id: &str) -> Result<(ModelManifest, SavedModel), Problem> {
    let name = parse_id(id)?;
    let loaded = blocking(host, move |host| {
        let loaded = load_version(&host.registry, &name.family, name.version)?;
        Ok((loaded.manifest, loaded.payload))
    });
    match loaded.await {
        Err(missing) if missing.status == 404 && shares_records(host) => Err(told_where(host, id, missing).await),
        loaded => loaded,
    }
}

/// `missing`, with the folder in which the model lies instead.
async fn told_where(host: &Host, id: &str, missing: Problem) -> Problem {
    let row = briefly(async { Ok(host.metadata().await?.model(id).await?) }).await;
    match row {
        Ok(row) if !row.folder.is_empty() => {
            let detail = format!(
                "{}: it lies in the folder {}, and its files have to be read there",
                missing.detail, row.folder
            );
            Problem { detail, ..missing }
        }
        _ => missing,
    }
}

/// How a saved ensemble weighs its members; `None` of other models, and of one that this program cannot restore.
pub fn weighing(manifest: &ModelManifest, saved: SavedModel) -> Option<WeighingDoc> {
    if !matches!(saved.forecaster, ForecasterState::Ensemble { .. }) {
        return None;
    }
    let model = LoadedModel::restore(saved, &identity(manifest)).ok()?;
    model.forecaster.as_ensemble().map(|ensemble| WeighingDoc::from(&ensemble.weighing()))
}

/// The one family that `wanted` names; what it leaves open must not matter. A family whose versions were all deleted
/// is meant only where there is no other.
pub async fn find_family(host: &Host, wanted: &FamilyQuery) -> Result<Family, Problem> {
    let wanted = wanted.clone();
    blocking(host, move |host| find_family_now(host, &wanted)).await
}

fn find_family_now(host: &Host, wanted: &FamilyQuery) -> Result<Family, Problem> {
    let model = catalog::canonical(&wanted.model)?;
    let mut families = host.registry.families()?;
    families.retain(|family| wanted.fits(family, model));
    if families.len() > 1 {
        let names = host.registry.names()?;
        let stored: BTreeSet<&Family> = names.iter().map(|name| &name.family).collect();
        if families.iter().any(|family| stored.contains(family)) {
            families.retain(|family| stored.contains(family));
        }
    }
    match families.as_slice() {
        [family] => Ok(family.clone()),
        [] => Err(not_saved(format!("no {model} model of {} is saved", wanted.symbol))),
        several => {
            let names: Vec<String> =
                several.iter().map(|family| format!("{family} ({}, {})", family.key(), family.task())).collect();
            Err(Problem::usage(
                "ambiguous-model",
                "model",
                format!(
                    "{} {model} is saved for several series or tasks: choose with --venue, --interval and --task among {}",
                    wanted.symbol,
                    names.join(", ")
                ),
            ))
        }
    }
}

/// The one slot of the family that `wanted` names, at `horizon` where that is given: a duration or a number of steps.
pub async fn find_slot(host: &Host, wanted: &FamilyQuery, horizon: Option<&str>) -> Result<Slot, Problem> {
    let family = find_family(host, wanted).await?;
    let asked = horizon.map(|text| family.key().interval.horizon_steps(text)).transpose()?;
    let of = family.clone();
    let mut slots = blocking(host, move |host| Ok(host.registry.slots(&of)?)).await?;
    let all: Vec<String> = slots.iter().map(|slot| slot.horizon.to_string()).collect();
    let all = all.join(", ");
    slots.retain(|slot| asked.is_none_or(|steps| steps == slot.horizon));
    match (slots.as_slice(), asked) {
        ([slot], _) => Ok(slot.clone()),
        ([], Some(steps)) if !all.is_empty() => Err(not_saved(format!(
            "no {} model of {} is saved for a horizon of {steps}, there are horizons of {all} steps",
            family.model(),
            family.key().label(),
        ))
        .with_field("horizon")),
        ([], _) => {
            Err(not_saved(format!("no {} model of {} is saved that can be read", family.model(), family.key().label())))
        }
        _ => Err(Problem::usage(
            "ambiguous-model",
            "horizon",
            format!(
                "{} {} is saved for several horizons: choose with --horizon among {all} steps",
                family.key().label(),
                family.model(),
            ),
        )),
    }
}

fn not_saved(what: String) -> Problem {
    Problem::new("model-not-trained", 404, Blame::Data, format!("{what}: see `candlecast models list`"))
}

/// A family as a request names it.
#[derive(Debug, Clone)]
pub struct FamilyQuery {
    /// Symbol.
    pub symbol: Symbol,
    /// Model id or alias.
    pub model: String,
    /// Venue, where given.
    pub venue: Option<Venue>,
    /// Interval, where given.
    pub interval: Option<Interval>,
    /// Task, where given.
    pub task: Option<String>,
}

impl FamilyQuery {
    /// Reads `SYMBOL/TYPE`, such as `BTCUSDT/linear`; a symbol may hold `/` too (`BTC/USDT/linear`).
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let bad = || {
            let shown: String = text.chars().take(60).collect();
            Problem::usage(
                "bad-model",
                "model",
                format!("`{shown}` names no model: write SYMBOL/TYPE, for example BTCUSDT/linear"),
            )
        };
        let (symbol, model) = text.rsplit_once('/').ok_or_else(bad)?;
        Ok(Self {
            symbol: Symbol::new(symbol).map_err(|_| bad())?,
            model: model.to_owned(),
            venue: None,
            interval: None,
            task: None,
        })
    }

    fn fits(&self, family: &Family, model: &str) -> bool {
        family.model() == model
            && family.key().symbol == self.symbol
            && self.venue.as_ref().is_none_or(|venue| *venue == family.key().venue)
            && self.interval.is_none_or(|interval| interval == family.key().interval)
            && self.task.as_deref().is_none_or(|task| task == family.task())
    }
}

/// Reads a model id.
pub fn parse_id(id: &str) -> Result<ModelName, Problem> {
    id.parse().map_err(|e: candlecast_registry::RegistryError| Problem::usage("bad-model-id", "id", e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_named_by_symbol_and_type() {
        for text in ["BTCUSDT/linear", "btc-usdt/linear", "BTC/USDT/linear"] {
            let wanted = FamilyQuery::parse(text).unwrap();
            assert_eq!((wanted.symbol.as_str(), wanted.model.as_str()), ("BTCUSDT", "linear"), "{text}");
        }
        for text in ["", "BTCUSDT", "/linear", "BTC USDT/linear"] {
            let error = FamilyQuery::parse(text).unwrap_err();
            assert_eq!((error.code, error.exit_code()), ("bad-model", 2), "{text}");
        }
    }
}
