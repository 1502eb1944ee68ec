//! `models`: listed, shown, switched, deleted, copied out, checked against newer candles.
//!
//! The files of the registry are the truth. The metadata database has an index of them ([`index`]) that follows each
//! change; what it misses is mended by the next change of the same model, or by `models reindex`.

use std::collections::BTreeSet;

use candlecast_core::{Interval, Symbol, Venue};
pub use candlecast_registry::{Exported, Listed, Meta, ModelName, Slot, Status};

pub use change::Deleted;
pub use index::Indexed;
pub use listing::ModelsWanted;
pub use stale::StaleModel;
pub use validate::Validation;

use crate::train::SavedModel;
use crate::{App, AppError, Watch};

pub mod index;

mod change;
mod listing;
mod stale;
mod validate;

impl App {
    /// Every stored model, damaged ones included as far as the small files and the sizes tell.
    pub fn models(&self) -> Result<Vec<Listed>, AppError> {
        Ok(self.registry.list()?)
    }

    /// Reads every stored model whole and compares it with its digests: those that are damaged, each in words with
    /// the remedy, and how many models there are.
    pub fn verify_models(&self, watch: &dyn Watch) -> Result<(usize, Vec<String>), AppError> {
        let listed = self.models()?;
        let mut damaged: Vec<String> = Vec::new();
        for (done, model) in listed.iter().enumerate() {
            self.check_cancelled()?;
            watch.progress("models", done as u64, listed.len() as u64);
            let reason = match &model.reason {
                Some(reason) => Some(reason.clone()),
                None => self.registry.verify(&model.name.slot, model.name.version).err().map(|e| e.to_string()),
            };
            damaged.extend(reason.map(|reason| format!("{}: {reason}", model.name)));
        }
        // What serves hangs on one more file, which loading compares with its digest.
        let slots: BTreeSet<&Slot> = listed.iter().map(|model| &model.name.slot).collect();
        for slot in slots {
            let fell_back = self.registry.load::<SavedModel>(slot, None).ok().and_then(|loaded| loaded.fell_back);
            damaged.extend(fell_back.filter(|why| !damaged.iter().any(|known| known.contains(why.as_str()))));
        }
        Ok((listed.len(), damaged))
    }

    /// Where the payload of a model lies.
    pub fn model_path(&self, name: &ModelName) -> std::path::PathBuf {
        self.registry.payload_path(name)
    }

    /// One model by its id (`BTCUSDT_LINEAR_1.0.0`), its files checked.
    pub fn model(&self, id: &str) -> Result<(Meta, SavedModel), AppError> {
        let name = parse_id(id)?;
        let loaded = self.registry.load::<SavedModel>(&name.slot, Some(name.version))?;
        Ok((loaded.meta, loaded.payload))
    }

    /// The one slot with saved versions that `wanted` names; what it leaves open must not matter.
    pub fn find_slot(&self, wanted: &SlotWanted) -> Result<Slot, AppError> {
        let model = crate::catalog::find(&wanted.model)?.id;
        let names = self.registry.names()?;
        let slots: BTreeSet<&Slot> =
            names.iter().map(|name| &name.slot).filter(|slot| wanted.fits(slot, model)).collect();
        let mut found = slots.iter();
        match (found.next(), found.next()) {
            (Some(&slot), None) => Ok(slot.clone()),
            (None, _) => Err(AppError::new(
                "model-not-trained",
                404,
                crate::Blame::Data,
                format!("no {model} model of {} is saved: see `candlecast models list`", wanted.symbol),
            )),
            _ => {
                let names: Vec<String> = slots.iter().map(|slot| format!("{slot} ({})", slot.key())).collect();
                Err(AppError::usage(
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
}

/// A slot as a request names it.
#[derive(Debug, Clone)]
pub struct SlotWanted {
    /// Symbol.
    pub symbol: Symbol,
    /// Model id or alias.
    pub model: String,
    /// Venue, where given.
    pub venue: Option<Venue>,
    /// Interval, where given.
    pub interval: Option<Interval>,
}

impl SlotWanted {
    /// Reads `SYMBOL/TYPE`, such as `BTCUSDT/linear`; a symbol may hold `/` too (`BTC/USDT/linear`).
    pub fn parse(text: &str) -> Result<Self, AppError> {
        let bad = || {
            let shown: String = text.chars().take(60).collect();
            AppError::usage(
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
pub fn parse_id(id: &str) -> Result<ModelName, AppError> {
    id.parse().map_err(|e: candlecast_registry::RegistryError| AppError::usage("bad-model-id", "id", e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_named_by_symbol_and_type() {
        for text in ["BTCUSDT/linear", "btc-usdt/linear", "BTC/USDT/linear"] {
            let wanted = SlotWanted::parse(text).unwrap();
            assert_eq!((wanted.symbol.as_str(), wanted.model.as_str()), ("BTCUSDT", "linear"), "{text}");
        }
        for text in ["", "BTCUSDT", "/linear", "BTC USDT/linear"] {
            let error = SlotWanted::parse(text).unwrap_err();
            assert_eq!((error.code, error.exit_code()), ("bad-model", 2), "{text}");
        }
    }
}
