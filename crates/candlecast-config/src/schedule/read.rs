//! From `[[schedule]]` to [`ScheduledTraining`]s, one for each model that an entry names.

use std::fmt::Display;
use std::str::FromStr;

use candlecast_core::catalog::nearest;
use candlecast_core::{Interval, Symbol, Venue};
use serde_json::{Map, Value as Json};
use toml::{Table, Value};

use crate::model_catalog::ModelCatalog;
use crate::schedule::ScheduledTraining;
use crate::schedule::when::When;

const KEYS: [&str; 10] =
    ["models", "symbol", "venue", "interval", "horizon", "pool", "every", "cron", "priority", "set"];
const DEFAULT_HORIZON: &str = "24h";

/// The trainings of the entries, and what is wrong with the entries, each message with the entry's number.
pub(crate) fn read_schedule(value: &Value, catalog: &ModelCatalog) -> (Vec<ScheduledTraining>, Vec<String>) {
    let entries = value.as_array().filter(|list| list.iter().all(Value::is_table));
    let Some(entries) = entries else {
        return (Vec::new(), vec!["schedule is no list of entries: head each with [[schedule]]".into()]);
    };
    let (mut schedule, mut bad) = (Vec::<ScheduledTraining>::new(), Vec::new());
    for (i, table) in entries.iter().filter_map(Value::as_table).enumerate() {
        let mut entry = Entry { table, number: i + 1, catalog, bad: &mut bad };
        for training in entry.trainings() {
            if schedule.iter().any(|other| other.key() == training.key()) {
                entry.fault(format!("{} is trained twice alike: keep one entry", training.model));
            } else {
                schedule.push(training);
            }
        }
    }
    (schedule, bad)
}

struct Entry<'a> {
    table: &'a Table,
    number: usize,
    catalog: &'a ModelCatalog,
    bad: &'a mut Vec<String>,
}

impl<'a> Entry<'a> {
    fn fault(&mut self, message: impl Display) {
        self.bad.push(format!("schedule entry {}: {message}", self.number));
    }

    /// One training for each model; none if anything is wrong with the entry.
    fn trainings(&mut self) -> Vec<ScheduledTraining> {
        let before = self.bad.len();
        self.check_keys();
        let models = self.models();
        let symbol = self.symbol();
        let venue = self.parsed::<Venue>("venue");
        let interval = self.parsed::<Interval>("interval");
        let horizon = self.horizon(interval);
        let pool = self.pool();
        let when = self.when();
        let priority = self.priority();
        let params = self.params(&models);
        let (Some(symbol), Some(when), true) = (symbol, when, self.bad.len() == before) else { return Vec::new() };
        let one = |(model, params): (&&'static str, Map<String, Json>)| ScheduledTraining {
            model: (*model).into(),
            params,
            symbol: symbol.clone(),
            venue: venue.clone(),
            interval,
            horizon: horizon.clone(),
            pool,
            priority,
            when: when.clone(),
        };
        models.iter().zip(params).map(one).collect()
    }

    fn check_keys(&mut self) {
        let table = self.table;
        for key in table.keys().filter(|key| !KEYS.contains(&key.as_str())) {
            let hint = nearest(key, &KEYS)
                .map_or_else(|| format!("known are {}", KEYS.join(", ")), |near| format!("did you mean `{near}`?"));
            self.fault(format!("unknown key `{key}`: {hint}"));
        }
    }

    /// Ids of the models, as the catalog has them.
    fn models(&mut self) -> Vec<&'static str> {
        let table = self.table;
        let names: Option<Vec<&str>> = match table.get("models") {
            Some(Value::String(name)) => Some(vec![name.as_str()]),
            Some(Value::Array(list)) => list.iter().map(Value::as_str).collect(),
            _ => None,
        };
        let Some(names) = names.filter(|names| !names.is_empty()) else {
            self.fault("models is missing or no list of names: write models = [\"lstm\", \"linear\"]");
            return Vec::new();
        };
        let mut ids = Vec::new();
        for name in names {
            match (self.catalog.find)(name) {
                Ok(id) if (self.catalog.is_baseline)(id) => {
                    self.fault(format!("{id} is a naive forecast, which needs no training: leave it out"));
                }
                Ok(id) if ids.contains(&id) => self.fault(format!("model {id} is named twice")),
                Ok(id) => ids.push(id),
                Err(e) => self.fault(e.detail),
            }
        }
        ids
    }

    fn symbol(&mut self) -> Option<Symbol> {
        if !self.table.contains_key("symbol") {
            self.fault("symbol is missing: write symbol = \"BTCUSDT\"");
        }
        self.parsed("symbol")
    }

    /// The horizon without blanks. Where the interval is left open, one that fits some interval is taken.
    fn horizon(&mut self, interval: Option<Interval>) -> String {
        let text = self.text("horizon").unwrap_or(DEFAULT_HORIZON);
        let fits_some = || Interval::all().any(|i| i.horizon_steps(text).is_ok());
        if let Err(e) = interval.unwrap_or(Interval::H1).horizon_steps(text)
            && (interval.is_some() || !fits_some())
        {
            self.fault(e);
        }
        text.split_whitespace().collect()
    }

    fn pool(&mut self) -> bool {
        let table = self.table;
        let Some(value) = table.get("pool") else { return false };
        value.as_bool().unwrap_or_else(|| {
            self.fault(format!("pool is {value}: write true or false"));
            false
        })
    }

    fn when(&mut self) -> Option<When> {
        let (every, cron) = (self.text("every"), self.text("cron"));
        let when = match (every, cron) {
            (Some(every), None) => When::every(every),
            (None, Some(cron)) => When::cron(cron),
            (None, None) if self.table.contains_key("every") || self.table.contains_key("cron") => return None,
            _ => Err("one of every and cron says when: write every = \"7d\" or cron = \"0 3 * * 1\"".into()),
        };
        when.map_err(|message| self.fault(message)).ok()
    }

    fn priority(&mut self) -> i32 {
        let table = self.table;
        let Some(value) = table.get("priority") else { return 0 };
        value.as_integer().and_then(|n| i32::try_from(n).ok()).unwrap_or_else(|| {
            self.fault(format!("priority is {value}: write a whole number within 32 bits"));
            0
        })
    }

    /// The parameters of each of `models`, accepted by the catalog.
    fn params(&mut self, models: &[&'static str]) -> Vec<Map<String, Json>> {
        let mut params = vec![Map::new(); models.len()];
        let table = self.table;
        match table.get("set") {
            None => {}
            Some(Value::Table(set)) => {
                for (name, value) in set {
                    self.assign(name, value, models, &mut params);
                }
            }
            Some(other) => self.fault(format!("set is {other}: write set = {{ epochs = 50 }}")),
        }
        for (id, params) in models.iter().zip(&params) {
            if let Err(e) = (self.catalog.check)(id, &Json::Object(params.clone())) {
                self.fault(e.detail);
            }
        }
        params
    }

    /// `epochs = 50` where there is one model, `lstm.epochs = 50` where there are several.
    fn assign(&mut self, name: &str, value: &Value, models: &[&'static str], params: &mut [Map<String, Json>]) {
        let id = (self.catalog.find)(name).ok();
        let at = models.iter().position(|model| Some(*model) == id);
        match (at, value, params) {
            (Some(at), Value::Table(section), params) => {
                params[at].extend(section.iter().map(|(name, value)| (name.clone(), json(value))));
            }
            (None, _, [only]) => {
                only.insert(name.to_owned(), json(value));
            }
            (_, _, []) => {}
            _ => {
                let model = models.first().unwrap_or(&"lstm");
                self.fault(format!("set.{name} names no model: write for example set = {{ {model}.{name} = … }}"));
            }
        }
    }

    /// The text under `key`, if there is one.
    fn text(&mut self, key: &str) -> Option<&'a str> {
        let table = self.table;
        let value = table.get(key)?;
        if value.as_str().is_none() {
            self.fault(format!("{key} is of the type {}: write a text", value.type_str()));
        }
        value.as_str()
    }

    /// The text under `key` as what it says.
    fn parsed<T: FromStr<Err: Display>>(&mut self, key: &str) -> Option<T> {
        self.text(key)?.parse().map_err(|e: T::Err| self.fault(e)).ok()
    }
}

fn json(value: &Value) -> Json {
    serde_json::to_value(value).unwrap_or(Json::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<ScheduledTraining>, Vec<String>) {
        read_schedule(&text.parse::<Table>().unwrap()["schedule"], &crate::tests::MODELS)
    }

    #[test]
    fn an_entry_is_one_training_a_model() {
        let (schedule, bad) = read(
            r#"
            [[schedule]]
            models = ["lstm", "linear"]
            symbol = "btc-usdt"
            interval = "1h"
            venue = "binance"
            horizon = "12 h"
            every = "7d"
            priority = 5
            set = { lstm.epochs = 50, lstm.learningRate = 1e-3 }

            [[schedule]]
            models = "hybrid"
            symbol = "ETHUSDT"
            cron = "0 3 * * 1"
            pool = true
            "#,
        );
        assert!(bad.is_empty(), "{bad:?}");
        assert_eq!(schedule.iter().map(|t| t.pool).collect::<Vec<_>>(), [false, false, true]);
        let models: Vec<&str> = schedule.iter().map(|t| t.model.as_str()).collect();
        assert_eq!(models, ["lstm", "linear", "hybrid"]);
        assert_eq!(schedule[0].params, *serde_json::json!({"epochs": 50, "learningRate": 1e-3}).as_object().unwrap());
        assert!(schedule[1].params.is_empty());
        assert_eq!((schedule[1].symbol.as_str(), schedule[1].priority), ("BTCUSDT", 5));
        assert_eq!((schedule[0].horizon.as_str(), schedule[2].horizon.as_str()), ("12h", "24h"));
        assert_eq!(schedule[2].when.to_string(), "cron 0 3 * * 1");
        assert_ne!(schedule[0].key(), schedule[1].key());
    }

    #[test]
    fn the_only_model_needs_no_name_in_set() {
        let (schedule, bad) =
            read("[[schedule]]\nmodels = ['lstm']\nsymbol = 'BTCUSDT'\nevery = '1d'\nset = { epochs = 3 }\n");
        assert!(bad.is_empty(), "{bad:?}");
        assert_eq!(schedule[0].params["epochs"], 3);
    }

    #[test]
    fn every_fault_is_named_with_its_entry() {
        let (schedule, bad) = read(
            r#"
            [[schedule]]
            models = ["lstm", "naive", "lsmt"]
            interval = "5h"
            every = "7 days"
            prioritty = 1
            pool = "all"
            set = { lstm.epoch = 3 }

            [[schedule]]
            models = ["lstm", "gru"]
            symbol = "BTCUSDT"
            horizon = "soon"
            set = { epochs = 3 }
            "#,
        );
        assert!(schedule.is_empty());
        let all = bad.join("\n");
        for part in [
            "entry 1: unknown key `prioritty`: did you mean `priority`?",
            "entry 1: naive is a naive forecast",
            "did you mean `lstm`",
            "entry 1: symbol is missing",
            "interval `5h` is not known",
            "every is `7 days`",
            "entry 1: pool is \"all\": write true or false",
            "did you mean `epochs`",
            "entry 2: horizon `soon` is not a duration",
            "entry 2: one of every and cron",
            "entry 2: set.epochs names no model",
        ] {
            assert!(all.contains(part), "no `{part}` in {all}");
        }
    }

    #[test]
    fn alike_entries_and_other_shapes_are_refused() {
        let entry = "[[schedule]]\nmodels = ['linear']\nsymbol = 'BTCUSDT'\nevery = '1d'\n";
        let (schedule, bad) = read(&format!("{entry}{entry}"));
        assert_eq!((schedule.len(), bad.len()), (1, 1));
        assert!(bad[0].contains("entry 2") && bad[0].contains("twice"), "{bad:?}");
        let (schedule, bad) = read(&format!("{entry}{entry}pool = true\n"));
        assert_eq!((schedule.len(), bad), (2, vec![]), "with a pool it is another training");
        let (plain, _) = read(&format!("{entry}pool = false\n"));
        assert_eq!(plain[0].key(), schedule[0].key());
        for other in ["[schedule]\nmodels = ['linear']", "schedule = 3", "schedule = [1]"] {
            assert!(read(other).1[0].contains("[[schedule]]"), "{other}");
        }
    }
}
