//! [`Mutant`]: a change of one place of the code, as `cargo mutants` lists them, and the sample that is tested.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::candle_file::SplitMix64;

/// A place in a file: line and column, both from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
}

/// A change of one place of the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mutant {
    pub(super) package: String,
    /// Path from the root.
    pub(super) file: String,
    /// What is changed, without the place: the same as long as that code is the same.
    pub(super) change: String,
    start: Place,
    end: Place,
    replacement: String,
}

impl Mutant {
    /// Reads the list that `cargo mutants --list --json` prints.
    pub(super) fn list(text: &str) -> Result<Vec<Self>> {
        let list: Value = serde_json::from_str(text).context("`cargo mutants` printed no JSON document")?;
        let items = list.as_array().context("`cargo mutants` printed no list")?;
        items.iter().map(|item| Self::of(item).with_context(|| format!("cannot read the mutant {item}"))).collect()
    }

    fn of(item: &Value) -> Result<Self> {
        let word = |value: &Value| value.as_str().map(str::to_owned);
        let place = |name: &str| {
            let number = |field: &str| usize::try_from(item["span"][name][field].as_u64()?).ok();
            Some(Place { line: number("line")?, column: number("column")? })
        };
        let package = word(&item["package"]).or_else(|| word(&item["package"]["name"])).context("no package")?;
        let file = word(&item["file"]).context("no file")?;
        let (start, end) = place("start").zip(place("end")).context("no span")?;
        let replacement = word(&item["replacement"]).context("no replacement")?;
        let told = item["name"].as_str().and_then(|name| name.strip_prefix(&place_of(&file, start)));
        let change = told.map_or_else(|| described(item, &replacement), str::to_owned);
        Ok(Self { package, file, change, start, end, replacement })
    }

    /// Place and change; no other mutant has the same.
    pub(super) fn name(&self) -> String {
        format!("{}{}", place_of(&self.file, self.start), self.change)
    }

    /// The file's text with the change; `None` if the text has no such place.
    pub(super) fn applied(&self, text: &str) -> Option<String> {
        let (from, to) = (offset(text, self.start)?, offset(text, self.end)?);
        let (before, after) = (text.get(..from)?, text.get(to..)?);
        (from <= to).then(|| format!("{before}{}{after}", self.replacement))
    }
}

fn place_of(file: &str, start: Place) -> String {
    format!("{file}:{}:{}: ", start.line, start.column)
}

/// What older versions do not say themselves.
fn described(item: &Value, replacement: &str) -> String {
    let genre = item["genre"].as_str().unwrap_or("change");
    let function = item["function"]["function_name"].as_str().unwrap_or_default();
    format!("{genre} in {function}: `{replacement}`")
}

/// The byte at which a place begins; the end of a line is one.
fn offset(text: &str, place: Place) -> Option<usize> {
    let line_start = match place.line.checked_sub(2) {
        None => 0,
        Some(n) => text.match_indices('\n').nth(n)?.0 + 1,
    };
    let rest = text.get(line_start..)?;
    let line = rest.split('\n').next()?;
    let column = place.column.checked_sub(1)?;
    let within = line.char_indices().map(|(at, _)| at).chain([line.len()]).nth(column)?;
    Some(line_start + within)
}

/// `n` of the mutants, all if there are fewer, in an order that the seed alone decides.
pub(super) fn sample(mut mutants: Vec<Mutant>, n: usize, seed: u64) -> Vec<Mutant> {
    mutants.sort_by_cached_key(Mutant::name);
    mutants.dedup_by(|a, b| a.name() == b.name());
    let mut random = SplitMix64(seed);
    let len = mutants.len();
    for at in 0..n.min(len) {
        let other = at + ((len - at) as f64 * random.uniform()) as usize;
        mutants.swap(at, other.min(len - 1));
    }
    mutants.truncate(n);
    mutants
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"[
        {"name": "crates/a/src/x.rs:2:9: replace < with == in f", "package": "a", "file": "crates/a/src/x.rs",
         "function": {"function_name": "f"}, "genre": "BinaryOperator", "replacement": "==",
         "span": {"start": {"line": 2, "column": 9}, "end": {"line": 2, "column": 10}}},
        {"package": "a", "file": "crates/a/src/x.rs", "function": {"function_name": "f"}, "genre": "FnValue",
         "replacement": "true", "span": {"start": {"line": 2, "column": 5}, "end": {"line": 2, "column": 14}}}
    ]"#;
    const TEXT: &str = "fn f(ä: u8, b: u8) -> bool {\n    ä + 1 < b\n}\n";

    #[test]
    fn the_list_is_read_with_names_of_its_own_or_without() {
        let mutants = Mutant::list(LIST).unwrap();
        assert_eq!(mutants[0].name(), "crates/a/src/x.rs:2:9: replace < with == in f");
        assert_eq!(mutants[0].change, "replace < with == in f");
        assert_eq!(mutants[1].name(), "crates/a/src/x.rs:2:5: FnValue in f: `true`");
        assert!(Mutant::list("{}").is_err() && Mutant::list("[{}]").is_err() && Mutant::list("no").is_err());
    }

    #[test]
    fn changes_are_applied_at_their_place_in_characters() {
        let mutants = Mutant::list(LIST).unwrap();
        assert_eq!(mutants[1].applied(TEXT).unwrap(), "fn f(ä: u8, b: u8) -> bool {\n    true\n}\n");
        let plus =
            Mutant { start: Place { line: 2, column: 11 }, end: Place { line: 2, column: 12 }, ..mutants[0].clone() };
        assert_eq!(plus.applied(TEXT).unwrap(), "fn f(ä: u8, b: u8) -> bool {\n    ä + 1 == b\n}\n");
        let gone = Mutant { start: Place { line: 9, column: 1 }, ..mutants[0].clone() };
        assert_eq!(gone.applied(TEXT), None);
    }

    #[test]
    fn places_are_counted_from_one_and_lines_have_ends() {
        let at = |line, column| offset("ab\n\ncd", Place { line, column });
        assert_eq!([at(1, 1), at(1, 3), at(2, 1), at(3, 2), at(3, 3)], [Some(0), Some(2), Some(3), Some(5), Some(6)]);
        assert_eq!([at(1, 4), at(2, 2), at(4, 1), at(1, 0)], [None; 4]);
    }

    #[test]
    fn a_seed_chooses_the_same_in_any_order_of_the_list() {
        let mutant = |line| Mutant { start: Place { line, column: 1 }, ..Mutant::list(LIST).unwrap()[0].clone() };
        let all: Vec<Mutant> = (1..=50).map(mutant).collect();
        let backwards: Vec<Mutant> = all.iter().rev().cloned().collect();
        let chosen = sample(all.clone(), 10, 7);
        assert_eq!(chosen, sample(backwards, 10, 7));
        assert_ne!(chosen, sample(all.clone(), 10, 8));
        assert_eq!(chosen, sample(all.clone(), 20, 7)[..10], "a larger sample holds the smaller one");
        let names: std::collections::BTreeSet<String> = sample(all.clone(), 99, 7).iter().map(Mutant::name).collect();
        assert_eq!(names.len(), 50);
    }
}
