//! [`Figure`] and [`Figures`]: what the sides measured, gathered over the rounds.

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};

/// Fields of a line that are not shown as notes.
const PLAIN_FIELDS: [&str; 4] = ["bench", "variant", "median_ms", "runs"];
/// Variants of another precision are shown, but are never a side's best.
const OTHER_PRECISION: &str = "bf16";

/// One time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figure {
    /// What was measured.
    pub(super) bench: String,
    /// With which setting; may be empty.
    pub(super) variant: String,
    /// Milliseconds.
    pub(super) median_ms: f64,
    /// Other fields, as text.
    pub(super) notes: String,
}

impl Figure {
    /// A whole process of `ms` milliseconds.
    pub(super) fn whole(bench: &str, ms: f64) -> Self {
        Self { bench: bench.to_owned(), variant: String::new(), median_ms: ms, notes: String::new() }
    }

    /// Reads a line of JSON.
    pub(super) fn parse(line: &str) -> Result<Self> {
        let fields: Map<String, Value> =
            serde_json::from_str(line).with_context(|| format!("not a JSON object: {line}"))?;
        let word = |name: &str| fields.get(name).and_then(Value::as_str).map(str::to_owned);
        let median_ms = fields.get("median_ms").and_then(Value::as_f64);
        let median_ms = median_ms.with_context(|| format!("no number `median_ms` in: {line}"))?;
        ensure!(median_ms > 0.0, "`median_ms` is not above 0 in: {line}");
        let notes = fields.iter().filter(|(name, _)| !PLAIN_FIELDS.contains(&name.as_str())).map(note);
        Ok(Self {
            bench: word("bench").with_context(|| format!("no `bench` in: {line}"))?,
            variant: word("variant").unwrap_or_default(),
            median_ms,
            notes: notes.collect::<Vec<_>>().join(", "),
        })
    }
}

fn note((name, value): (&String, &Value)) -> String {
    match value {
        Value::String(text) => format!("{name} {text}"),
        other => format!("{name} {other}"),
    }
}

/// All figures of a side, in the order in which they first came.
#[derive(Debug, Default)]
pub(super) struct Figures {
    gathered: Vec<(Figure, Vec<f64>)>,
}

impl Figures {
    /// Adds the figures of one run.
    pub(super) fn add(&mut self, figures: Vec<Figure>) {
        for figure in figures {
            let same =
                |(known, _): &&mut (Figure, Vec<f64>)| known.bench == figure.bench && known.variant == figure.variant;
            if let Some((_, times)) = self.gathered.iter_mut().find(same) {
                times.push(figure.median_ms);
            } else {
                let times = vec![figure.median_ms];
                self.gathered.push((figure, times));
            }
        }
    }

    /// Names of what was measured, in order.
    pub(super) fn benches(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (figure, _) in &self.gathered {
            if !names.contains(&figure.bench.as_str()) {
                names.push(&figure.bench);
            }
        }
        names
    }

    /// The variants of `bench`, each with the median over the rounds, the quickest first and those of another
    /// precision last.
    pub(super) fn variants(&self, bench: &str) -> Vec<Figure> {
        let mut found: Vec<Figure> = self
            .gathered
            .iter()
            .filter(|(figure, _)| figure.bench == bench)
            .map(|(figure, times)| Figure { median_ms: median(times), ..figure.clone() })
            .collect();
        let rank = |figure: &Figure| figure.variant.starts_with(OTHER_PRECISION);
        found.sort_by(|a, b| rank(a).cmp(&rank(b)).then(a.median_ms.total_cmp(&b.median_ms)));
        found
    }
}

/// Of values that are not empty; of an even count the mean of the middle two.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_their_notes_and_bad_ones_refused() {
        let line = r#"{"bench": "gbdt", "variant": "hist", "median_ms": 12.5, "runs": 3, "rmse": 0.5, "isa": "avx2"}"#;
        let figure = Figure::parse(line).unwrap();
        assert_eq!((figure.bench.as_str(), figure.variant.as_str(), figure.median_ms), ("gbdt", "hist", 12.5));
        assert_eq!(figure.notes, "rmse 0.5, isa avx2");
        for bad in ["{", r#"{"median_ms": 1}"#, r#"{"bench": "a"}"#, r#"{"bench": "a", "median_ms": 0}"#] {
            assert!(Figure::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rounds_give_medians_and_the_quickest_variant_of_full_precision_is_first() {
        let figure = |variant: &str, ms: f64| Figure { variant: variant.into(), ..Figure::whole("lstm", ms) };
        let mut figures = Figures::default();
        for (eager, fused) in [(3.0, 2.0), (9.0, 2.5), (4.0, 2.2)] {
            figures.add(vec![figure("eager", eager), figure("bf16", 0.1), figure("fused", fused)]);
        }
        let variants: Vec<(String, f64)> =
            figures.variants("lstm").into_iter().map(|f| (f.variant, f.median_ms)).collect();
        assert_eq!(variants, [("fused".to_owned(), 2.2), ("eager".to_owned(), 4.0), ("bf16".to_owned(), 0.1)]);
        assert_eq!(figures.benches(), ["lstm"]);
    }

    #[test]
    fn medians_of_even_counts_are_between() {
        assert_eq!(median(&[4.0, 1.0]), 2.5);
        assert_eq!(median(&[4.0, 1.0, 9.0]), 4.0);
    }
}
