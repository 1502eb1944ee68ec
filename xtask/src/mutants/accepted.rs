//! [`Accepted`]: mutants that no test has to notice, with reasons, from a checked-in list.

use anyhow::{Context, Result, bail, ensure};
use toml::{Table, Value};

use super::list::Mutant;

/// One entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    file: String,
    change: String,
}

/// The list.
#[derive(Debug, Default)]
pub(super) struct Accepted {
    entries: Vec<Entry>,
}

impl Accepted {
    /// Reads the list: `[[mutant]]` with `file`, `change` (as the report words it) and `reason`.
    pub(super) fn read(text: &str) -> Result<Self> {
        let table: Table = text.parse().context("the list of accepted mutants is not valid TOML")?;
        if let Some(other) = table.keys().find(|key| *key != "mutant") {
            bail!("unknown `{other}` in the list of accepted mutants: it holds [[mutant]] only");
        }
        let items: &[Value] = match table.get("mutant") {
            None => &[],
            Some(list) => list.as_array().context("`mutant` is no list of tables: write [[mutant]]")?.as_slice(),
        };
        Ok(Self { entries: items.iter().map(entry).collect::<Result<_>>()? })
    }

    /// True where the list has `mutant`, wherever in its file that change is.
    pub(super) fn has(&self, mutant: &Mutant) -> bool {
        self.entries.iter().any(|entry| entry.is_of(mutant))
    }

    /// An error that names an entry which is of none of `mutants`: its code has changed.
    pub(super) fn check(&self, mutants: &[Mutant]) -> Result<()> {
        let stale = self.entries.iter().find(|entry| !mutants.iter().any(|mutant| entry.is_of(mutant)));
        match stale {
            Some(Entry { file, change }) => {
                bail!("the list of accepted mutants has `{change}` in {file}, which is not there: take it out")
            }
            None => Ok(()),
        }
    }
}

impl Entry {
    fn is_of(&self, mutant: &Mutant) -> bool {
        self.file == mutant.file && self.change == mutant.change
    }
}

fn entry(item: &Value) -> Result<Entry> {
    let word = |name: &str| {
        let word = item.get(name).and_then(Value::as_str).unwrap_or_default().trim();
        ensure!(!word.is_empty(), "an accepted mutant has no `{name}`: {item}");
        Ok(word.to_owned())
    };
    word("reason")?;
    Ok(Entry { file: word("file")?, change: word("change")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "# why\n[[mutant]]\nfile = \"a.rs\"\nchange = \"replace < with <= in f\"\nreason = \"equal\"\n";

    fn mutant(file: &str, change: &str) -> Mutant {
        let text = format!(
            r#"[{{"name":"{file}:1:1: {change}","package":"a","file":"{file}","replacement":"<=","span":{{"start":
            {{"line":1,"column":1}},"end":{{"line":1,"column":2}}}}}}]"#
        );
        Mutant::list(&text).unwrap().remove(0)
    }

    #[test]
    fn entries_name_file_and_change() {
        let accepted = Accepted::read(LIST).unwrap();
        let same = mutant("a.rs", "replace < with <= in f");
        assert!(accepted.has(&same) && accepted.check(&[same]).is_ok());
        assert!(!accepted.has(&mutant("b.rs", "replace < with <= in f")));
        assert!(!Accepted::read("# none\n").unwrap().has(&mutant("a.rs", "x")));
    }

    #[test]
    fn entries_without_reason_and_those_of_changed_code_are_refused() {
        let without = LIST.replace("reason = \"equal\"", "reason = \" \"");
        assert!(Accepted::read(&without).unwrap_err().to_string().contains("no `reason`"));
        assert!(Accepted::read("[other]\n").unwrap_err().to_string().contains("other"));
        assert!(Accepted::read("[[mutant").is_err());
        let error = Accepted::read(LIST).unwrap().check(&[mutant("a.rs", "x")]).unwrap_err().to_string();
        assert!(error.contains("replace < with <= in f") && error.contains("take it out"), "{error}");
    }

    #[test]
    fn the_checked_in_list_can_be_read() {
        let text = std::fs::read_to_string(crate::sh::root().join(super::super::ACCEPTED)).unwrap();
        Accepted::read(&text).unwrap();
    }
}
