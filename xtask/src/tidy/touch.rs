//! Touch counts: what it takes to add a part of each kind, told by a part that is there. Its own files are counted,
//! and the lines elsewhere that name it. `ARCHITECTURE.md` records the counts; one that rises is a finding, since every
//! later part of that kind would pay for it.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use super::code::{CodeLine, contains_word};
use super::{Finding, Source, SourceFile};
use crate::{sections, sh};

const RULE: &str = "touch-counts";

/// The flag of `tidy` that records the counts as they are.
pub(super) const WRITE: &str = "--write-touch-counts";

const DOCUMENT: &str = "ARCHITECTURE.md";
const OPEN: &str = "<!-- touch-counts -->";
const CLOSE: &str = "<!-- /touch-counts -->";
const HEAD: &str = "| part | example | files created | lines edited |\n| --- | --- | ---: | ---: |\n";

/// Which files are a part's own.
#[derive(Debug)]
enum Own {
    /// None: it is an entry in a table.
    Nothing,
    /// Files and folders of this name.
    Named(&'static str),
    /// The file that holds this code.
    Holding(&'static str),
}

/// A kind of part, and one that stands for all.
#[derive(Debug)]
struct Part {
    kind: &'static str,
    example: &'static str,
    own: Own,
    /// What names it elsewhere: its module, constant or type; within quotes, its id as a literal.
    needles: &'static [&'static str],
    /// Only paths that begin so are looked at.
    within: &'static str,
}

const CRATES: &str = "crates/";

/// Every kind, with an example that little else depends on.
static PARTS: &[Part] = &[
    Part { kind: "indicator", example: "cmo", own: Own::Named("cmo"), needles: &["cmo", "\"cmo\""], within: CRATES },
    Part {
        kind: "model",
        example: "hybrid",
        own: Own::Named("hybrid"),
        needles: &["hybrid", "HybridConfig", "\"hybrid\""],
        within: CRATES,
    },
    Part {
        kind: "network",
        example: "gru",
        own: Own::Named("gru"),
        needles: &["gru", "Gru", "\"gru\""],
        within: CRATES,
    },
    Part {
        kind: "baseline",
        example: "drift",
        own: Own::Named("drift"),
        // The word alone is also a parameter of models and of the generated market.
        needles: &["mod drift", "drift::ENTRY", "\"drift\""],
        within: CRATES,
    },
    Part {
        kind: "composite model",
        example: "bagging",
        own: Own::Named("bagging"),
        needles: &["mod bagging", "bagging::ENTRY", "\"bagging\""],
        within: CRATES,
    },
    Part {
        kind: "import format",
        example: "kline-json",
        own: Own::Named("kline_json"),
        needles: &["kline_json", "KlineJson", "\"kline-json\""],
        within: CRATES,
    },
    Part {
        kind: "exchange",
        example: "kraken",
        own: Own::Named("kraken"),
        needles: &["kraken", "Kraken", "\"kraken\""],
        within: CRATES,
    },
    Part {
        kind: "job kind",
        example: "evaluate",
        own: Own::Holding("JobKind for EvaluateJob"),
        needles: &["EvaluateJob"],
        within: CRATES,
    },
    Part {
        kind: "command",
        example: "audit",
        own: Own::Named("audit"),
        needles: &["audit", "Audit", "AuditArgs"],
        // Other crates call what the command starts by the same name.
        within: "crates/candlecast/src/",
    },
    Part {
        kind: "setting",
        example: "inference_timeout_ms",
        own: Own::Nothing,
        needles: &["inference_timeout_ms", "\"inference_timeout_ms\""],
        within: CRATES,
    },
    Part {
        kind: "document",
        example: "AuditDoc",
        own: Own::Holding("struct AuditDoc"),
        needles: &["AuditDoc"],
        within: CRATES,
    },
];

/// What a part takes.
#[derive(Debug, PartialEq, Eq)]
struct Count<'s> {
    /// Its own files.
    own: Vec<&'s str>,
    /// Files that name it, with the number of lines.
    naming: Vec<(&'s str, usize)>,
}

impl Count<'_> {
    /// Files created, lines edited.
    fn cost(&self) -> (usize, usize) {
        (self.own.len(), self.naming.iter().map(|(_, n_lines)| n_lines).sum())
    }
}

/// Compares the record with the sources. Without the document there is nothing to compare.
pub(super) fn check(files: &[SourceFile], sources: &[Source<'_>]) -> Vec<Finding> {
    check_parts(PARTS, files, sources)
}

fn check_parts(parts: &[Part], files: &[SourceFile], sources: &[Source<'_>]) -> Vec<Finding> {
    let Some(document) = files.iter().find(|file| file.path == DOCUMENT) else { return Vec::new() };
    let Some((start, end)) = body(&document.text) else {
        let remedy = format!("put {OPEN} and {CLOSE} where the table belongs; `cargo xtask tidy {WRITE}` fills it in");
        return vec![Finding::new(DOCUMENT, 1, RULE, remedy)];
    };
    let (recorded, line) = (&document.text[start..end], document.text[..start].lines().count());
    let risen: Vec<Finding> = parts.iter().filter_map(|part| check_part(part, sources, recorded, line)).collect();
    if risen.is_empty() && recorded.trim() != table(parts, sources).trim() {
        let remedy = format!("the table is not what the sources give; run `cargo xtask tidy {WRITE}`");
        return vec![Finding::new(DOCUMENT, line, RULE, remedy)];
    }
    risen
}

/// A finding if the part takes more than is recorded.
fn check_part(part: &Part, sources: &[Source<'_>], recorded: &str, line: usize) -> Option<Finding> {
    let count = count(part, sources)?;
    let (row, (n_files, n_lines)) =
        recorded.lines().enumerate().find_map(|(at, row)| Some((at, cost_in(part, row)?)))?;
    let (files_now, lines_now) = count.cost();
    if files_now <= n_files && lines_now <= n_lines {
        return None;
    }
    let naming: Vec<String> = count.naming.iter().map(|(path, n_lines)| format!("{path} ({n_lines})")).collect();
    let remedy = format!(
        "a new {} takes more than it did: `{}` has {files_now} files of its own ({n_files} recorded: now {}) and \
         {lines_now} lines elsewhere name it ({n_lines} recorded: now {}); let its list suffice, or record the cost \
         with `cargo xtask tidy {WRITE}`",
        part.kind,
        part.example,
        count.own.join(", "),
        naming.join(", "),
    );
    Some(Finding::new(DOCUMENT, line + row, RULE, remedy))
}

/// Puts the counts as they are into the document.
pub(super) fn write(files: &[SourceFile]) -> Result<()> {
    let document =
        files.iter().find(|file| file.path == DOCUMENT).with_context(|| format!("there is no {DOCUMENT}"))?;
    let table = table(PARTS, &Source::all(files));
    let text = replaced(&document.text, &table).with_context(|| format!("{DOCUMENT} has no {OPEN} and {CLOSE}"))?;
    sections::replace_file(&sh::root().join(DOCUMENT), &text)
}

/// First and last byte of what stands between the marks.
fn body(document: &str) -> Option<(usize, usize)> {
    let start = document.find(OPEN)? + OPEN.len();
    let length = document[start..].find(CLOSE)?;
    Some((start, start + length))
}

fn replaced(document: &str, table: &str) -> Option<String> {
    let (start, end) = body(document)?;
    Some(format!("{}\n{table}{}", &document[..start], &document[end..]))
}

fn table(parts: &[Part], sources: &[Source<'_>]) -> String {
    let mut table = HEAD.to_owned();
    for part in parts {
        let (n_files, n_lines) = match count(part, sources).map(|count| count.cost()) {
            Some((n_files, n_lines)) => (n_files.to_string(), n_lines.to_string()),
            None => ("-".to_owned(), "-".to_owned()),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| {} | `{}` | {n_files} | {n_lines} |", part.kind, part.example);
    }
    table
}

/// Files and lines in the row of `part`; `None` for other rows, and where there was none of the kind yet.
fn cost_in(part: &Part, row: &str) -> Option<(usize, usize)> {
    let cells: Vec<&str> = row.trim().trim_matches('|').split('|').map(str::trim).collect();
    match cells.as_slice() {
        [kind, example, n_files, n_lines] if *kind == part.kind && example.trim_matches('`') == part.example => {
            Some((n_files.parse().ok()?, n_lines.parse().ok()?))
        }
        _ => None,
    }
}

/// What `part` takes, tests and comments left out; `None` where there is no such part.
fn count<'s>(part: &Part, sources: &'s [Source<'_>]) -> Option<Count<'s>> {
    let mut count = Count { own: Vec::new(), naming: Vec::new() };
    for source in sources.iter().filter(|source| is_counted(part, source.file)) {
        let code = || source.lines.iter().filter(|line| !line.in_test);
        let n_lines = code().filter(|line| is_named(part, line)).count();
        if is_own(&part.own, &source.file.path, code()) {
            count.own.push(source.file.path.as_str());
        } else if n_lines > 0 {
            count.naming.push((source.file.path.as_str(), n_lines));
        }
    }
    let is_there = if matches!(part.own, Own::Nothing) { !count.naming.is_empty() } else { !count.own.is_empty() };
    is_there.then_some(count)
}

fn is_counted(part: &Part, file: &SourceFile) -> bool {
    file.path.starts_with(part.within) && file.path.contains("/src/") && !file.is_test()
}

fn is_own<'s>(own: &Own, path: &str, mut code: impl Iterator<Item = &'s CodeLine>) -> bool {
    match own {
        Own::Nothing => false,
        Own::Named(name) => path.ends_with(&format!("/{name}.rs")) || path.contains(&format!("/{name}/")),
        Own::Holding(text) => code.any(|line| contains_word(&line.text, text)),
    }
}

fn is_named(part: &Part, line: &CodeLine) -> bool {
    part.needles.iter().any(|needle| {
        let text = if needle.starts_with('"') { &line.with_literals } else { &line.text };
        contains_word(text, needle)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const KRAKEN: Part = Part {
        kind: "exchange",
        example: "kraken",
        own: Own::Named("kraken"),
        needles: &["kraken", "Kraken", "\"kraken\""],
        within: CRATES,
    };
    const TRAIN: Part = Part {
        kind: "job kind",
        example: "train",
        own: Own::Holding("JobKind for TrainJob"),
        needles: &["TrainJob"],
        within: "crates/a/",
    };
    const TIMEOUT: Part = Part {
        kind: "setting",
        example: "timeout_ms",
        own: Own::Nothing,
        needles: &["timeout_ms", "\"timeout_ms\""],
        within: CRATES,
    };

    const LIST: (&str, &str) = (
        "crates/a/src/list.rs",
        "mod kraken; // kraken\npub use kraken::Kraken;\n/// Kraken\nconst IDS: &[&str] = &[\"kraken\", \"krakens\"];\n\
         #[cfg(test)]\nmod tests {\n    use super::kraken;\n}\n",
    );
    const OWN: (&str, &str) = ("crates/a/src/exchanges/kraken.rs", "const KRAKEN: Kraken = Kraken;\n");

    fn files(files: &[(&str, &str)]) -> Vec<SourceFile> {
        files.iter().map(|(path, text)| SourceFile { path: (*path).into(), text: (*text).into() }).collect()
    }

    fn cost(part: &Part, of: &[(&str, &str)]) -> Option<(usize, usize)> {
        let files = files(of);
        count(part, &Source::all(&files)).map(|count| count.cost())
    }

    /// What is found where `rows` are recorded of Kraken.
    fn found(rows: &str, sources: &[(&str, &str)]) -> Vec<String> {
        let document = format!("# A\n\n{OPEN}\n{HEAD}{rows}{CLOSE}\n");
        let files = files(&[sources, &[(DOCUMENT, document.as_str())][..]].concat());
        check_parts(&[KRAKEN], &files, &Source::all(&files)).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn own_files_and_naming_lines_are_counted_without_tests_and_comments() {
        let elsewhere = [
            ("crates/a/tests/it/main.rs", "use kraken;\n"),
            ("crates/a/benches/b.rs", "use kraken;\n"),
            ("xtask/src/a.rs", "use kraken;\n"),
            ("crates/b/src/kraken/book.rs", "use kraken;\n"),
            ("crates/b/src/krakens.rs", "use krakens;\n"),
        ];
        assert_eq!(cost(&KRAKEN, &[LIST, OWN]), Some((1, 3)));
        assert_eq!(cost(&KRAKEN, &[&[LIST, OWN][..], &elsewhere[..]].concat()), Some((2, 3)));
        assert_eq!(cost(&KRAKEN, &[LIST]), None, "no example, no count");
    }

    #[test]
    fn a_part_may_be_told_by_its_code_or_have_no_file() {
        let own = ("crates/a/src/train.rs", "struct TrainJob;\nimpl JobKind for TrainJob {}\n");
        let list = ("crates/a/src/kinds.rs", "static KINDS: &[Kind] = &[Kind::of::<TrainJob>()];\n");
        let outside = ("crates/b/src/main.rs", "use a::TrainJob;\n");
        assert_eq!(cost(&TRAIN, &[own, list, outside]), Some((1, 1)));
        assert_eq!(cost(&TRAIN, &[list]), None);
        let table = ("crates/a/src/table.rs", "Setting::new(\n    \"timeout_ms\",\n);\nlet a = s.timeout_ms;\n");
        assert_eq!(cost(&TIMEOUT, &[table]), Some((0, 2)));
        assert_eq!(cost(&TIMEOUT, &[list]), None);
    }

    #[test]
    fn a_table_that_agrees_passes_and_a_count_that_rises_names_the_files() {
        let rows = "| exchange | `kraken` | 1 | 3 |\n";
        assert_eq!(found(rows, &[LIST, OWN]), Vec::<String>::new());
        let name = ("crates/b/src/name.rs", "const VENUES: [&str; 1] = [\n    \"kraken\",\n];\n");
        let risen = found(rows, &[LIST, OWN, name]);
        assert_eq!(risen.len(), 1);
        assert!(risen[0].starts_with("ARCHITECTURE.md:6: touch-counts: a new exchange"), "{}", risen[0]);
        for part in ["4 lines", "3 recorded", "crates/a/src/list.rs (3)", "crates/b/src/name.rs (1)", WRITE] {
            assert!(risen[0].contains(part), "{part}: {}", risen[0]);
        }
        let another = ("crates/a/src/faults/kraken.rs", "");
        let risen = found(rows, &[LIST, OWN, another]);
        assert!(risen.len() == 1 && risen[0].contains("crates/a/src/faults/kraken.rs"), "{risen:?}");
    }

    #[test]
    fn a_table_that_says_too_much_or_other_things_is_to_be_written_anew() {
        for rows in ["| exchange | `kraken` | 1 | 4 |\n", "| exchange | `bybit` | 1 | 3 |\n", "", "by hand\n"] {
            let stale = found(rows, &[LIST, OWN]);
            assert!(stale.len() == 1 && stale[0].contains(WRITE), "{rows}: {stale:?}");
        }
        assert_eq!(found("| exchange | `kraken` | - | - |\n", &[LIST]), Vec::<String>::new());
        assert_eq!(found("| exchange | `kraken` | - | - |\n", &[LIST, OWN]).len(), 1, "the first of its kind");
        assert_eq!(found("| exchange | `kraken` | 1 | 3 |\n", &[LIST]).len(), 1, "the example is gone");
    }

    #[test]
    fn a_document_without_marks_is_found_and_what_is_written_agrees() {
        let sources = files(&[LIST, OWN, (DOCUMENT, "# A\n")]);
        let unmarked = check_parts(&[KRAKEN], &sources, &Source::all(&sources));
        assert!(unmarked.len() == 1 && unmarked[0].to_string().contains(OPEN), "{unmarked:?}");
        assert_eq!(replaced("# A\n", "table\n"), None);
        let table = table(&[KRAKEN], &Source::all(&sources));
        let text = replaced(&format!("# A\n{OPEN}{CLOSE}\n# B\n"), &table).unwrap();
        assert_eq!(text, format!("# A\n{OPEN}\n{HEAD}| exchange | `kraken` | 1 | 3 |\n{CLOSE}\n# B\n"));
        assert_eq!(replaced(&text, &table), Some(text.clone()));
        let again = files(&[LIST, OWN, (DOCUMENT, text.as_str())]);
        assert_eq!(check_parts(&[KRAKEN], &again, &Source::all(&again)), Vec::new());
    }

    #[test]
    fn every_kind_has_one_row() {
        let kinds: BTreeSet<&str> = PARTS.iter().map(|part| part.kind).collect();
        assert_eq!(kinds.len(), PARTS.len());
        let table = table(PARTS, &[]);
        assert_eq!(table.lines().count(), 2 + PARTS.len());
        for part in PARTS {
            assert!(table.contains(&format!("| {} | `{}` | - | - |\n", part.kind, part.example)), "{}", part.kind);
        }
    }
}
