//! [`GoldenRun`]: what a run computed, set beside what is on record.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candlecast_learn::ModelReport;
use serde::{Deserialize, Serialize};

use crate::digests::Digests;

/// Environment variable that, set to `write`, has the records written instead of compared.
const VARIABLE: &str = "CANDLECAST_GOLDEN";

/// A few numbers by name, as people read them.
pub(crate) type Figures = BTreeMap<String, Option<f64>>;

/// A run to be compared with its record.
pub(crate) struct GoldenRun {
    name: &'static str,
    /// Difference of a figure that is allowed between instruction sets: relative, and absolute for figures below 1,
    /// since shares and p-values are of that size by nature.
    tolerance: f64,
    digests: Digests,
    figures: BTreeMap<String, Figures>,
}

/// What is on record of a run.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    /// By model, rounded to 12 significant digits.
    figures: BTreeMap<String, Figures>,
    /// By instruction set.
    digests: BTreeMap<String, Digests>,
}

impl GoldenRun {
    pub(crate) fn new(name: &'static str, tolerance: f64) -> Self {
        Self { name, tolerance, digests: Digests::new(), figures: BTreeMap::new() }
    }

    pub(crate) fn add_digest(&mut self, of: impl Into<String>, digest: String) {
        let of = of.into();
        assert!(!self.digests.contains_key(&of), "two digests are of `{of}`");
        self.digests.insert(of, digest);
    }

    pub(crate) fn add_digests(&mut self, digests: Digests) {
        for (of, digest) in digests {
            self.add_digest(of, digest);
        }
    }

    pub(crate) fn add_figures(&mut self, of: &str, figures: &[(&str, Option<f64>)]) {
        let rounded = figures.iter().map(|&(name, value)| (name.to_owned(), value.map(rounded))).collect();
        self.figures.insert(of.to_owned(), rounded);
    }

    pub(crate) fn add_scores(&mut self, model: &ModelReport) {
        let m = model.metrics.price().unwrap();
        self.add_figures(
            &model.name,
            &[
                ("mae", m.mae),
                ("skill", m.skill),
                ("skillScaled", m.skill_scaled),
                ("coverage", m.coverage),
                ("directionalAccuracy", m.directional_accuracy),
                ("pValue", model.vs_reference.test.map(|t| t.p_value)),
            ],
        );
    }

    /// Compares with the record, or writes it where the environment asks for that.
    pub(crate) fn check(&self) {
        let path = self.path();
        match std::env::var(VARIABLE).as_deref() {
            Ok("write") => return self.write(&path),
            Ok("") | Err(_) => {}
            Ok(other) => panic!("{VARIABLE} is `{other}`: set it to `write`, or unset it to compare"),
        }
        let record = read(&path).unwrap_or_else(|| {
            panic!("{} is missing: run this test once with {VARIABLE}=write and commit the file", path.display())
        });
        let isa = instruction_set();
        let other_figures = self.other_figures(&record);
        if let Some(on_record) = record.digests.get(isa) {
            let other_bits = differing(on_record, &self.digests);
            assert!(
                other_bits.is_empty(),
                "{}: on {isa} the bits have changed of: {}. Figures that have changed by more than {:e}: {}. If that \
                 is meant, run with {VARIABLE}=write",
                self.name,
                other_bits.join(", "),
                self.tolerance,
                if other_figures.is_empty() { "none".to_owned() } else { other_figures.join(", ") }
            );
        } else {
            eprintln!(
                "{}: no bits are on record for {isa}, only the figures are compared, within {:e}",
                self.name, self.tolerance
            );
        }
        assert!(other_figures.is_empty(), "{}: figures have changed: {}", self.name, other_figures.join(", "));
    }

    fn path(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/golden").join(format!("{}.json", self.name))
    }

    /// Writes the bits of this machine's instruction set. Those of other instruction sets stay if they can still hold.
    fn write(&self, path: &Path) {
        let mut record = read(path).unwrap_or_default();
        let isa = instruction_set();
        let unchanged = match record.digests.get(isa) {
            Some(on_record) => *on_record == self.digests,
            None => self.other_figures(&record).is_empty(),
        };
        if !unchanged {
            record.digests.clear();
        }
        record.digests.insert(isa.to_owned(), self.digests.clone());
        record.figures.clone_from(&self.figures);
        let text = serde_json::to_string_pretty(&record).unwrap() + "\n";
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        eprintln!("{}: written for {isa} to {}", self.name, path.display());
    }

    /// Figures that are not those on record, within the tolerance.
    fn other_figures(&self, record: &Record) -> Vec<String> {
        let flat = |figures: &BTreeMap<String, Figures>| -> BTreeMap<String, Option<f64>> {
            let of_one = |(of, figures): (&String, &Figures)| -> Vec<(String, Option<f64>)> {
                figures.iter().map(|(name, value)| (format!("{of} {name}"), *value)).collect()
            };
            figures.iter().flat_map(of_one).collect()
        };
        let (before, now) = (flat(&record.figures), flat(&self.figures));
        let missing = before.keys().filter(|name| !now.contains_key(*name)).map(|name| format!("{name} is gone"));
        let others = now.iter().filter_map(|(name, value)| match before.get(name) {
            Some(old) if is_close(*old, *value, self.tolerance) => None,
            Some(old) => Some(format!("{name} was {old:?} and is {value:?}")),
            None => Some(format!("{name} is new")),
        });
        missing.chain(others).collect()
    }
}

fn read(path: &Path) -> Option<Record> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

/// Names whose digests differ or stand on one side only.
fn differing(before: &Digests, now: &Digests) -> Vec<String> {
    let names: std::collections::BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    names.into_iter().filter(|name| before.get(*name) != now.get(*name)).cloned().collect()
}

/// To 12 significant digits.
fn rounded(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap()
}

fn is_close(before: Option<f64>, now: Option<f64>, tolerance: f64) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => (before - now).abs() <= tolerance * before.abs().max(1.0),
        (before, now) => before.is_none() && now.is_none(),
    }
}

/// The vector instruction set in use, as the application names it beside its results.
fn instruction_set() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512vl") {
            return "x86-64 avx512";
        }
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            return "x86-64 avx2";
        }
    }
    std::env::consts::ARCH
}

#[test]
fn figures_are_compared_with_a_tolerance_and_bits_without() {
    assert!(is_close(Some(200.0), Some(200.0001), 1e-6) && !is_close(Some(200.0), Some(200.001), 1e-6));
    assert!(is_close(Some(0.0), Some(1e-7), 1e-6) && !is_close(Some(0.0), Some(1e-5), 1e-6));
    assert!(is_close(None, None, 1e-6) && !is_close(None, Some(0.0), 1e-6) && !is_close(Some(0.0), None, 1e-6));
    let digests = |pairs: &[(&str, &str)]| -> Digests {
        pairs.iter().map(|&(name, digest)| (name.to_owned(), digest.to_owned())).collect()
    };
    let (before, now) =
        (digests(&[("a", "1"), ("b", "2"), ("c", "3")]), digests(&[("a", "1"), ("b", "4"), ("d", "3")]));
    assert_eq!(differing(&before, &now), ["b", "c", "d"]);
}
