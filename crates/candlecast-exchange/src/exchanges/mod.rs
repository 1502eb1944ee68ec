//! The exchanges, each a file and a line in the list.

mod binance;
mod bybit;
mod coinbase;
mod kraken;
mod replay;

use candlecast_core::catalog::{Entry, nearest};

pub use binance::Binance;
pub use bybit::Bybit;
pub use coinbase::Coinbase;
pub use kraken::Kraken;
pub use replay::{Replay, ReplayControl};

use crate::{ExchangeError, ExchangeRecipe};

static EXCHANGES: [Entry<dyn ExchangeRecipe>; 6] =
    [binance::SPOT, binance::USDM, bybit::ENTRY, kraken::ENTRY, coinbase::ENTRY, replay::ENTRY];

/// All exchanges, in the order in which they are shown.
pub fn catalog() -> &'static [Entry<dyn ExchangeRecipe>] {
    &EXCHANGES
}

/// The exchange of this name or alias.
pub fn find(name: &str) -> Result<&'static Entry<dyn ExchangeRecipe>, ExchangeError> {
    if let Some(entry) = EXCHANGES.iter().find(|e| e.answers_to(name)) {
        return Ok(entry);
    }
    let names: Vec<&str> = EXCHANGES.iter().map(|e| e.id).collect();
    let hint = nearest(name, &names).map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
    Err(ExchangeError::UnknownExchange { name: name.chars().take(40).collect(), hint, known: names.join(", ") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, Value};

    #[test]
    fn every_default_is_accepted_by_its_own_check() {
        for entry in catalog() {
            let config: Map<String, Value> = entry
                .params
                .iter()
                .map(|p| (p.name.to_owned(), serde_json::from_str(p.default).expect("defaults are JSON")))
                .collect();
            let built = entry.build(&Value::Object(config)).unwrap_or_else(|e| panic!("{e}"));
            let plain = entry.build(&Value::Null).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(format!("{built:?}"), format!("{plain:?}"), "{} has other defaults than it says", entry.id);
        }
    }

    #[test]
    fn names_are_found_and_misspellings_answered() {
        assert_eq!(find("Binance_USDM").unwrap().id, "binance-usdm");
        let error = find("krakne").unwrap_err().to_string();
        assert!(error.contains("did you mean `kraken`?") && error.contains("coinbase"), "{error}");
    }
}
