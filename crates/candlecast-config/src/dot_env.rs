//! [`DotEnv`]: the variables of a `.env` file. The process's own environment is neither read nor changed, `$` is an
//! ordinary character (passwords hold it), and messages name lines, never what stands there.

use std::path::{Path, PathBuf};

use candlecast_core::{Problem, file_problem};

use crate::faults::Faults;

/// A `.env` file; without variables if there is none.
#[derive(Default)]
pub(crate) struct DotEnv {
    /// The file, if there is one.
    pub(crate) path: Option<PathBuf>,
    variables: Vec<Variable>,
}

/// An assignment.
#[derive(PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Line on which it begins, from 1.
    pub(crate) line: usize,
}

impl DotEnv {
    /// Reads `.env` in `folder`. A folder of that name, as Python's environments have, is none.
    pub(crate) fn read(folder: &Path, faults: &mut Faults) -> Result<Self, Problem> {
        let path = folder.join(".env");
        if !path.is_file() {
            return Ok(Self::default());
        }
        let text = std::fs::read_to_string(&path).map_err(|e| file_problem(&path, &e))?;
        let (variables, bad) = parse(&text);
        for (line, why) in bad {
            faults.add("env", format!("{} line {line}: {why}", path.display()));
        }
        Ok(Self { path: Some(path), variables })
    }

    /// The last assignment to `name`, as a shell has it; one of nothing counts as none.
    pub(crate) fn get(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().rfind(|v| v.name == name).filter(|v| !v.value.is_empty())
    }

    /// The assignments that are not of nothing.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.variables.iter().filter(|v| !v.value.is_empty())
    }
}

/// Every assignment, and every line that is none, with the reason.
fn parse(text: &str) -> (Vec<Variable>, Vec<(usize, &'static str)>) {
    let (mut variables, mut bad) = (Vec::new(), Vec::new());
    let mut cursor = Cursor { rest: text.trim_start_matches('\u{feff}'), line: 1 };
    while !cursor.rest.is_empty() {
        let start = cursor;
        match cursor.assignment() {
            Ok(Some((name, value))) => variables.push(Variable { name, value, line: start.line }),
            Ok(None) => {}
            Err(why) => {
                bad.push((start.line, why));
                cursor = start;
                cursor.take_line();
            }
        }
    }
    (variables, bad)
}

const NOT_ASSIGNED: &str = "write NAME=value";
const NOT_CLOSED: &str = "close the quote";
const AFTER_QUOTE: &str = "only a comment may follow the closing quote";

/// What is left of the text. Every call ends at the beginning of a line, or with an error.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Cursor<'a> {
    /// One line, or several where a quoted value holds line breaks.
    fn assignment(&mut self) -> Result<Option<(String, String)>, &'static str> {
        self.skip_blanks();
        let exported = self.skip_export();
        if self.is_line_done() {
            self.take_line();
            return Ok(None);
        }
        let name = self.take_name();
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(NOT_ASSIGNED);
        }
        self.skip_blanks();
        let Some(rest) = self.rest.strip_prefix('=') else {
            // `export NAME` hands on a variable of the shell and assigns nothing.
            return if exported && self.is_line_done() {
                self.take_line();
                Ok(None)
            } else {
                Err(NOT_ASSIGNED)
            };
        };
        self.rest = rest;
        let value = match rest.trim_start_matches([' ', '\t']).chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote)?,
            _ => without_comment(self.take_line()).to_owned(),
        };
        Ok(Some((name.to_owned(), value)))
    }

    /// A quoted value and the rest of its line. Between single quotes everything stands for itself.
    fn quoted(&mut self, quote: char) -> Result<String, &'static str> {
        self.skip_blanks();
        let mut value = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        let end = loop {
            match chars.next().ok_or(NOT_CLOSED)? {
                (at, c) if c == quote => break at + quote.len_utf8(),
                (_, '\\') if quote == '"' => push_escaped(&mut value, chars.next().ok_or(NOT_CLOSED)?.1),
                (_, c) => value.push(c),
            }
        };
        let (inside, rest) = self.rest.split_at(end);
        self.line += inside.matches('\n').count();
        self.rest = rest;
        self.skip_blanks();
        if !self.is_line_done() {
            return Err(AFTER_QUOTE);
        }
        self.take_line();
        Ok(value)
    }

    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn skip_export(&mut self) -> bool {
        let Some(rest) = self.rest.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t'])) else {
            return false;
        };
        // `export = x` assigns to a variable of that name.
        if rest.trim_start_matches([' ', '\t']).starts_with('=') {
            return false;
        }
        self.rest = rest;
        self.skip_blanks();
        true
    }

    /// True where nothing but a comment follows on this line.
    fn is_line_done(self) -> bool {
        self.rest.is_empty() || self.rest.starts_with(['#', '\n', '\r'])
    }

    fn take_name(&mut self) -> &'a str {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        let end = self.rest.find(|c: char| !is_part(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        name
    }

    /// The rest of this line.
    fn take_line(&mut self) -> &'a str {
        let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
        self.rest = rest;
        self.line += 1;
        line
    }
}

/// A comment begins with `#` after a blank: `a#b` has none.
fn without_comment(line: &str) -> &str {
    let begins = |&(at, _): &(usize, &str)| line[..at].ends_with([' ', '\t']);
    let end = line.match_indices('#').find(begins).map_or(line.len(), |(at, _)| at);
    line[..end].trim()
}

/// What follows a backslash. One that means nothing stands for itself, as in paths of Windows.
fn push_escaped(value: &mut String, c: char) {
    match c {
        'n' => value.push('\n'),
        'r' => value.push('\r'),
        't' => value.push('\t'),
        '"' | '\\' | '$' => value.push(c),
        other => value.extend(['\\', other]),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let (variables, bad) = parse(text);
        assert!(bad.is_empty(), "{text}: {bad:?}");
        variables.into_iter().map(|v| (v.name, v.value)).collect()
    }

    fn value(text: &str) -> String {
        let read = read(text);
        assert_eq!(read.len(), 1, "{text}");
        read[0].1.clone()
    }

    #[test]
    fn comments_quotes_and_export_are_understood() {
        assert_eq!(value("ML_MODEL_CACHE_TTL=86400  # 24h"), "86400");
        assert_eq!(value("A=100\t# %"), "100");
        assert_eq!(value("A=b#c"), "b#c");
        assert_eq!(value("A=#b"), "#b");
        assert_eq!(value("A= # nothing"), "");
        assert_eq!(value("A="), "");
        assert_eq!(value("  export  A = b c  # d"), "b c");
        assert_eq!(value("A=\"b # c\" # d"), "b # c");
        assert_eq!(value("A='b \"#\" \\n $c'"), "b \"#\" \\n $c");
        assert_eq!(value(r#"A="say \"b\"\n\$c \d""#), "say \"b\"\n$c \\d");
        assert_eq!(value("A=p$word${x}"), "p$word${x}");
        assert_eq!(value("A=it's"), "it's");
        assert_eq!(value("\u{feff}A=b\r\n"), "b");
        assert!(read("# first\n\n   # second\nexport A\nexport A # third\n").is_empty());
    }

    #[test]
    fn a_quoted_value_may_span_lines_and_lines_go_on_being_counted() {
        let (variables, bad) = parse("A='x\ny'\n\nB=1\noops\nC=2\nD=\"open\nE=3\n");
        assert_eq!(bad, [(5, NOT_ASSIGNED), (7, NOT_CLOSED)]);
        let found: Vec<_> = variables.iter().map(|v| (v.name.as_str(), v.value.as_str(), v.line)).collect();
        assert_eq!(found, [("A", "x\ny", 1), ("B", "1", 4), ("C", "2", 6), ("E", "3", 8)]);
        assert_eq!(parse("A='b' c").1, [(1, AFTER_QUOTE)]);
        assert_eq!(parse("1A=b").1, [(1, NOT_ASSIGNED)]);
    }

    #[test]
    fn the_last_assignment_counts_and_one_of_nothing_is_none() {
        let of = |text: &str| DotEnv { path: None, variables: parse(text).0 };
        assert_eq!(of("A=1\nA=2").get("A").map(|v| v.value.as_str()), Some("2"));
        assert!(of("A=1\nA=").get("A").is_none());
        assert_eq!(of("A=\nB=1").variables().count(), 1);
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "[A-C=#'\" \\\\\n\r$xé]{0,60}") {
            let (variables, bad) = parse(&text);
            let lines = text.matches('\n').count() + 1;
            prop_assert!(variables.iter().map(|v| v.line).chain(bad.iter().map(|b| b.0)).all(|line| line <= lines));
        }

        #[test]
        fn what_is_quoted_comes_back(value in "[^'\r]{0,40}") {
            let (variables, bad) = parse(&format!("A='{value}' # comment\nB=1"));
            prop_assert!(bad.is_empty());
            prop_assert_eq!(&variables[0].value, &value);
            prop_assert_eq!(variables[1].line, 2 + value.matches('\n').count());
        }
    }
}
