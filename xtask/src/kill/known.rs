//! [`Known`]: what a data folder answers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::kinds::NOW;
use crate::dump::Dump;
use crate::program::Program;

/// Candles, models, jobs and records of a data folder, by identity.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// By venue, symbol and interval.
    pub(super) candles: BTreeMap<String, Value>,
    pub(super) models: BTreeMap<String, Value>,
    /// States.
    pub(super) jobs: BTreeMap<String, String>,
    pub(super) records: Dump,
}

impl Known {
    /// Asks `program`. An error if anything of it does not open, or is not whole.
    pub(super) fn of(program: &Program) -> Result<Self> {
        let ask = |command: &[&str]| program.json(&[&["--now", NOW][..], command].concat());
        // First of all: it ends the leases of processes that are gone.
        let listed = ask(&["jobs", "list", "--limit", "100"])?;
        let mut jobs = BTreeMap::new();
        for (id, job) in by_id(&listed["jobs"], &[])? {
            let state = job["state"].as_str().with_context(|| format!("a job without a state: {job}"))?;
            jobs.insert(id, state.to_owned());
        }
        let models = by_id(&ask(&["models", "list"])?, &["status", "path"])?;
        for (id, model) in &models {
            ensure!(model["sha256"].is_string(), "model {id} is not whole: {model}");
        }
        let candles = by_series(&ask(&["data", "list"])?)?;
        program.complete(&["--now", NOW, "data", "check"])?;
        check_documents(&program.data_dir)?;
        Ok(Self { candles, models, jobs, records: Dump::of(program)? })
    }

    /// An error that names what of `before` is gone or has changed. A series that `grows` may have more candles.
    pub(super) fn holds(&self, before: &Self, grows: Option<&str>) -> Result<()> {
        for (series, known) in &before.candles {
            let found = self.candles.get(series);
            let found = found.with_context(|| format!("the acknowledged candles of {series} are gone"))?;
            if grows == Some(series.as_str()) {
                let (now, then) = (rows(found)?, rows(known)?);
                ensure!(now >= then, "{now} candles of {series}, acknowledged were {then}");
            } else {
                ensure!(found == known, "the candles of {series} changed: {found}, before {known}");
            }
        }
        for (id, known) in &before.models {
            let found = self.models.get(id).with_context(|| format!("the acknowledged model {id} is gone"))?;
            ensure!(found == known, "the acknowledged model {id} changed: {found}, before {known}");
        }
        for (id, known) in &before.jobs {
            let found = self.jobs.get(id).with_context(|| format!("the acknowledged job {id} is gone"))?;
            ensure!(found == known, "the acknowledged job {id} is {found}, was {known}");
        }
        self.records.holds(&before.records)
    }

    /// Candles of a series; none where it is not there.
    pub(super) fn rows(&self, series: &str) -> Result<usize> {
        self.candles.get(series).map_or(Ok(0), rows)
    }

    /// The jobs that `before` has not, oldest first, each with its state.
    pub(super) fn new_jobs(&self, before: &Self) -> Vec<(&str, &str)> {
        // Ids begin with the time.
        let jobs = self.jobs.iter().filter(|(id, _)| !before.jobs.contains_key(*id));
        jobs.map(|(id, state)| (id.as_str(), state.as_str())).collect()
    }
}

fn rows(series: &Value) -> Result<usize> {
    let rows = series["rows"].as_u64().with_context(|| format!("a series without a count: {series}"))?;
    Ok(usize::try_from(rows)?)
}

/// The series of a list, without the sizes of their files, which depend on how the candles came.
fn by_series(list: &Value) -> Result<BTreeMap<String, Value>> {
    let mut found = BTreeMap::new();
    for item in list.as_array().with_context(|| format!("no list: {list}"))? {
        let word = |name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let mut kept = serde_json::Map::new();
        for field in ["rows", "from", "to", "gaps"] {
            kept.insert(field.to_owned(), item[field].clone());
        }
        found.insert([word("venue"), word("symbol"), word("interval")].join(" "), Value::Object(kept));
    }
    Ok(found)
}

/// The objects of a list by their ids, without the fields that change as time and other models come.
fn by_id(list: &Value, without: &[&str]) -> Result<BTreeMap<String, Value>> {
    let items = list.as_array().with_context(|| format!("no list: {list}"))?;
    let mut found = BTreeMap::new();
    for item in items {
        let id = item["id"].as_str().with_context(|| format!("an object without an id: {item}"))?.to_owned();
        let mut item = item.clone();
        if let Some(fields) = item.as_object_mut() {
            fields.retain(|name, _| !without.contains(&name.as_str()));
        }
        found.insert(id, item);
    }
    Ok(found)
}

/// Every JSON file under its final name is whole: the old one or the new one.
fn check_documents(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if is_hidden {
            continue;
        }
        if path.is_dir() {
            check_documents(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            serde_json::from_str::<Value>(&text).with_context(|| format!("{} is no whole document", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn known() -> Known {
        let series = json!([{"venue": "binance", "symbol": "A", "interval": "1m", "rows": 5, "bytes": 9}]);
        Known {
            candles: by_series(&series).unwrap(),
            models: by_id(&json!([{"id": "M", "sha256": "ab"}]), &[]).unwrap(),
            jobs: BTreeMap::from([("j".to_owned(), "succeeded".to_owned())]),
            records: Dump::default(),
        }
    }

    #[test]
    fn objects_are_found_by_their_ids() {
        let list = json!([{"id": "a", "state": "running", "ageMs": 5}, {"id": "b"}]);
        let found = by_id(&list, &["ageMs"]).unwrap();
        assert_eq!(found["a"], json!({"id": "a", "state": "running"}));
        assert!(by_id(&json!({}), &[]).is_err() && by_id(&json!([{}]), &[]).is_err());
    }

    #[test]
    fn what_is_gone_or_changed_is_named() {
        let before = known();
        assert!(known().holds(&before, None).is_ok());
        let lost = |change: fn(&mut Known)| {
            let mut after = known();
            change(&mut after);
            after.holds(&before, None).unwrap_err().to_string()
        };
        assert!(lost(|after| after.candles.clear()).contains("binance A 1m are gone"));
        assert!(lost(|after| after.models.clear()).contains("model M is gone"));
        assert!(lost(|after| after.jobs.clear()).contains("job j is gone"));
        assert!(lost(|after| after.models.get_mut("M").unwrap()["sha256"] = json!("cd")).contains("M changed"));
    }

    #[test]
    fn a_series_that_grows_may_have_more_candles_and_never_fewer() {
        let (before, mut after) = (known(), known());
        after.candles.get_mut("binance A 1m").unwrap()["rows"] = json!(7);
        assert_eq!((after.rows("binance A 1m").unwrap(), after.rows("binance B 1m").unwrap()), (7, 0));
        assert!(after.holds(&before, Some("binance A 1m")).is_ok());
        assert!(after.holds(&before, None).unwrap_err().to_string().contains("changed"));
        assert!(before.holds(&after, Some("binance A 1m")).unwrap_err().to_string().contains("acknowledged were 7"));
    }

    #[test]
    fn new_jobs_are_those_that_were_not_known() {
        let (before, mut after) = (known(), known());
        after.jobs.insert("k".into(), "interrupted".into());
        assert_eq!(after.new_jobs(&before), [("k", "interrupted")]);
        assert!(before.new_jobs(&before).is_empty());
    }

    #[test]
    fn half_a_document_is_found_and_hidden_ones_are_not_looked_at() {
        let folder = std::env::temp_dir().join(format!("xtask-documents-{}", std::process::id()));
        fs::create_dir_all(folder.join("models")).unwrap();
        fs::write(folder.join("models/a.json"), "{}").unwrap();
        fs::write(folder.join("models/.b.json"), "{").unwrap();
        assert!(check_documents(&folder).is_ok());
        fs::write(folder.join("models/c.json"), "{").unwrap();
        assert!(check_documents(&folder).unwrap_err().to_string().contains("c.json is no whole document"));
        fs::remove_dir_all(folder).unwrap();
    }
}
