//! `models`: listed, shown, switched, deleted, copied out, checked against newer candles.
//!
//! The files of the registry are the truth. The metadata database has an index of them ([`index`]) that follows each
//! change; what it misses is mended by the next change of the same model, or by `models reindex`.

use std::collections::BTreeSet;

use candlecast_core::{Blame, Interval, Symbol, Venue};
use candlecast_exchange::find;
pub use candlecast_registry::{Exported, Listed, Meta, ModelName, Slot, Status};

pub use change::{
    Deleted, delete_model, download_model, keep_versions, promote_model, roll_back_model, surplus_models,
};
pub use index::{Indexed, index_follows, index_slot, reindex_models};
pub use listing::{ModelQuery, models_page, serving_models};
pub use stale::{StaleModel, is_stale, queue_retraining, stale_models};
pub use validate::{Validated, validate_model};

use candlecast_core::Problem;
use candlecast_core::ProgressSink;
use candlecast_host::Host;
use candlecast_pipeline::SavedModel;

pub mod index;

mod change;
mod listing;
mod stale;
mod validate;

/// Every stored model, damaged ones included as far as the small files and the sizes tell.
pub fn models(host: &Host) -> Result<Vec<Listed>, Problem> {
    Ok(host.registry.list()?)
}

/// Reads every stored model whole and compares it with its digests: those that are damaged, each in words with
/// the remedy, and how many models there are.
pub fn verify_models(host: &Host, watch: &dyn ProgressSink) -> Result<(usize, Vec<String>), Problem> {
    let listed = models(host)?;
    let mut damaged: Vec<String> = Vec::new();
    for (done, model) in listed.iter().enumerate() {
        host.check_cancelled()?;
        watch.progress("models", done as u64, listed.len() as u64);
        let reason = match &model.reason {
            Some(reason) => Some(reason.clone()),
            None => host.registry.verify(&model.name.slot, model.name.version).err().map(|e| e.to_string()),
        };
        damaged.extend(reason.map(|reason| format!("{}: {reason}", model.name)));
    }
    // What serves hangs on one more file, which loading compares with its digest.
    let slots: BTreeSet<&Slot> = listed.iter().map(|model| &model.name.slot).collect();
    for slot in slots {
        let fell_back = host.registry.load::<SavedModel>(slot, None).ok().and_then(|loaded| loaded.fell_back);
        damaged.extend(fell_back.filter(|why| !damaged.iter().any(|known| known.contains(why.as_str()))));
    }
    Ok((listed.len(), damaged))
}

/// Where the payload of a model lies.
pub fn model_path(host: &Host, name: &ModelName) -> std::path::PathBuf {
    host.registry.payload_path(name)
}

/// One model by its id (`BTCUSDT_LINEAR_1.0.0`), its files checked.
pub fn model(host: &Host, id: &str) -> Result<(Meta, SavedModel), Problem> {
    let name = parse_id(id)?;
    let loaded = host.registry.load::<SavedModel>(&name.slot, Some(name.version))?;
    Ok((loaded.meta, loaded.payload))
}

/// The one slot with saved versions that `wanted` names; what it leaves open must not matter.
pub fn find_slot(host: &Host, wanted: &SlotQuery) -> Result<Slot, Problem> {
    let model = find(&wanted.model)?.id;
    let names = host.registry.names()?;
    let slots: BTreeSet<&Slot> = names.iter().map(|name| &name.slot).filter(|slot| wanted.fits(slot, model)).collect();
    let mut found = slots.iter();
    match (found.next(), found.next()) {
        (Some(&slot), None) => Ok(slot.clone()),
        (None, _) => Err(Problem::new(
            "model-not-trained",
            404,
            Blame::Data,
            format!("no {model} model of {} is saved: see `candlecast models list`", wanted.symbol),
        )),
        _ => {
            let names: Vec<String> = slots.iter().map(|slot| format!("{slot} ({})", slot.key())).collect();
            Err(Problem::usage(
                "ambiguous-model",
                "model",
                format!(
                    "{} {model} is saved for several series: choose with --venue and --interval among {}",
                    wanted.symbol,
                    names.join(", ")
                ),
            ))
        }
    }
}

/// A slot as a request names it.
#[derive(Debug, Clone)]
pub struct SlotQuery {
    /// Symbol.
    pub symbol: Symbol,
    /// Model id or alias.
    pub model: String,
    /// Venue, where given.
    pub venue: Option<Venue>,
    /// Interval, where given.
    pub interval: Option<Interval>,
}

impl SlotQuery {
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
        })
    }

    fn fits(&self, slot: &Slot, model: &str) -> bool {
        slot.model() == model
            && slot.key().symbol == self.symbol
            && self.venue.as_ref().is_none_or(|venue| *venue == slot.key().venue)
            && self.interval.is_none_or(|interval| interval == slot.key().interval)
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
    fn a_slot_is_named_by_symbol_and_type() {
        for text in ["BTCUSDT/linear", "btc-usdt/linear", "BTC/USDT/linear"] {
            let wanted = SlotQuery::parse(text).unwrap();
            assert_eq!((wanted.symbol.as_str(), wanted.model.as_str()), ("BTCUSDT", "linear"), "{text}");
        }
        for text in ["", "BTCUSDT", "/linear", "BTC USDT/linear"] {
            let error = SlotQuery::parse(text).unwrap_err();
            assert_eq!((error.code, error.exit_code()), ("bad-model", 2), "{text}");
        }
    }
}
