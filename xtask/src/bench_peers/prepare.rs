//! [`Inputs`]: what a pair reads, made once and kept in `target/bench`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::list::{Input, Pair};
use crate::candle_file::{CandleFile, YEAR_2020_MS};
use crate::sh::Profile;
use crate::{peers, sh};

/// One-minute candles of a year of 365 days.
const YEAR_ROWS: usize = 525_600;
const DAY_MS: i64 = 86_400_000;

/// What the placeholders of a pair stand for.
#[derive(Debug)]
pub(super) struct Inputs {
    scratch: PathBuf,
    csv: Option<PathBuf>,
    lake: Option<PathBuf>,
}

impl Inputs {
    /// Builds the programs, makes the peers' environment, the scratch folder and the inputs.
    pub(super) fn prepare(pair: &Pair) -> Result<Self> {
        for side in std::iter::once(&pair.ours).chain(&pair.peer).filter(|side| !side.build.is_empty()) {
            sh::run(sh::cargo(&["build", "--profile", Profile::Dist.name()]).args(side.build))?;
        }
        if !pair.requirements.is_empty() {
            peers::python(pair.requirements)?;
        }
        let bench = sh::target_dir().join("bench");
        let scratch = bench.join(pair.name);
        fs::create_dir_all(&scratch).with_context(|| format!("cannot make {}", scratch.display()))?;
        let csv = if pair.input == Input::Nothing { None } else { Some(year_csv(&bench)?) };
        let lake = match &csv {
            Some(csv) if pair.input == Input::YearLake => Some(year_lake(&bench, csv)?),
            _ => None,
        };
        Ok(Self { scratch, csv, lake })
    }

    /// `word` with its placeholders replaced.
    pub(super) fn resolve(&self, word: &str) -> Result<String> {
        let mut text = word
            .replace("{scratch}", &shown(&self.scratch))
            .replace("{dist}", &shown(&Profile::Dist.folder()))
            .replace("{python}", &shown(&sh::root().join(peers::PYTHON)))
            .replace("{cargo}", &std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
        for (placeholder, path) in [("{csv}", &self.csv), ("{lake}", &self.lake)] {
            if text.contains(placeholder) {
                let path = path.as_ref().with_context(|| format!("the pair uses {placeholder} without its input"))?;
                text = text.replace(placeholder, &shown(path));
            }
        }
        Ok(text)
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Two thirds of the year lie in 2020 and one in 2021, so that a load joins two partitions.
fn year_csv(bench: &Path) -> Result<PathBuf> {
    let zipped = bench.join("BTCUSDT-1m.csv.gz");
    if !zipped.exists() {
        let plain = bench.join("BTCUSDT-1m.csv");
        let start_ms = YEAR_2020_MS + 122 * DAY_MS;
        CandleFile { start_ms, interval_ms: 60_000, n_rows: YEAR_ROWS, seed: 1, extra_volume: 0.0 }.write(&plain)?;
        sh::run(sh::program("gzip").args(["-n", "-f"]).arg(&plain))?;
    }
    Ok(zipped)
}

/// The lake is made anew each time: its format may have changed.
fn year_lake(bench: &Path, csv: &Path) -> Result<PathBuf> {
    let store = bench.join("store");
    if store.exists() {
        fs::remove_dir_all(&store).with_context(|| format!("cannot empty {}", store.display()))?;
    }
    let binary = sh::build_candlecast(Profile::Dist)?;
    sh::run(sh::program(binary).arg("--data-dir").arg(&store).args(["--quiet", "import"]).arg(csv))?;
    lake_root(&store)?.with_context(|| format!("no folder `venue=…` below {}", store.display()))
}

/// The folder that holds the partitions by venue, wherever the data folder keeps it.
fn lake_root(folder: &Path) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        if entry.file_name().to_string_lossy().starts_with("venue=") {
            return Ok(Some(folder.to_owned()));
        }
        if let Some(found) = lake_root(&entry.path())? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_replaced_and_missing_inputs_named() {
        let inputs = Inputs { scratch: "s".into(), csv: Some("c.gz".into()), lake: None };
        assert_eq!(inputs.resolve("{scratch}/x {csv}").unwrap(), "s/x c.gz");
        assert!(inputs.resolve("{dist}/candlecast").unwrap().ends_with("dist/candlecast"));
        assert!(inputs.resolve("{lake}").unwrap_err().to_string().contains("{lake}"));
    }

    #[test]
    fn the_lake_is_found_at_any_depth() {
        let folder = std::env::temp_dir().join(format!("xtask-lake-{}", std::process::id()));
        fs::create_dir_all(folder.join("models")).unwrap();
        assert_eq!(lake_root(&folder).unwrap(), None);
        fs::create_dir_all(folder.join("a/lake/venue=binance/symbol=X")).unwrap();
        assert_eq!(lake_root(&folder).unwrap(), Some(folder.join("a/lake")));
        fs::remove_dir_all(folder).unwrap();
    }
}
