//! Catalogs: a part is one file (or folder) and one line in its kind's list; a part that nobody lists would be
//! compiled and never offered.

use std::collections::BTreeSet;

use super::code::{CodeLine, contains_word};
use super::{Finding, Source};

const RULE: &str = "catalog";

/// What a part of a catalog is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A Rust file directly in the folder.
    File,
    /// A folder in the folder; files beside it are shared code.
    Folder,
}

struct Catalog {
    folder: &'static str,
    part: Part,
    /// The file that lists the parts. In place of `x/mod.rs` it may be `x.rs`.
    list: &'static str,
    /// Files and folders that are no parts but code of theirs.
    shared: &'static [&'static str],
}

const fn features(folder: &'static str, shared: &'static [&'static str]) -> Catalog {
    Catalog { folder, part: Part::File, list: "crates/candlecast-features/src/catalog.rs", shared }
}

/// Every catalog. Folders that do not exist yet have no parts.
static CATALOGS: &[Catalog] = &[
    features("crates/candlecast-features/src/average/", &[]),
    features("crates/candlecast-features/src/calendar/", &[]),
    features("crates/candlecast-features/src/correlation/", &[]),
    features("crates/candlecast-features/src/microstructure/", &[]),
    features("crates/candlecast-features/src/momentum/", &[]),
    features("crates/candlecast-features/src/price/", &[]),
    features("crates/candlecast-features/src/regime/", &["label"]),
    features("crates/candlecast-features/src/trend/", &[]),
    features("crates/candlecast-features/src/volatility/", &[]),
    features("crates/candlecast-features/src/volume/", &[]),
    Catalog {
        folder: "crates/candlecast/src/commands/",
        part: Part::File,
        list: "crates/candlecast/src/cli.rs",
        shared: &[],
    },
    Catalog {
        folder: "crates/candlecast-exchange/src/exchanges/",
        part: Part::File,
        list: "crates/candlecast-exchange/src/exchanges/mod.rs",
        shared: &[],
    },
    Catalog {
        folder: "crates/candlecast-ingest/src/formats/",
        part: Part::File,
        list: "crates/candlecast-ingest/src/formats/mod.rs",
        shared: &["arrow_blocks", "columnar", "delimited", "parquet_pages"],
    },
    Catalog {
        folder: "crates/candlecast-learn/src/baselines/",
        part: Part::File,
        list: "crates/candlecast-learn/src/baselines/mod.rs",
        shared: &[],
    },
    Catalog {
        folder: "crates/candlecast-learn/src/tasks/",
        part: Part::File,
        list: "crates/candlecast-learn/src/tasks/mod.rs",
        shared: &[],
    },
    Catalog {
        folder: "crates/candlecast-pipeline/src/composites/",
        part: Part::File,
        list: "crates/candlecast-pipeline/src/composites/mod.rs",
        shared: &[],
    },
    Catalog {
        folder: "crates/candlecast-models/src/",
        part: Part::Folder,
        list: "crates/candlecast-models/src/catalog.rs",
        shared: &["tree"],
    },
    Catalog {
        folder: "crates/candlecast-nn/src/models/",
        part: Part::File,
        list: "crates/candlecast-nn/src/models/mod.rs",
        shared: &[],
    },
    Catalog {
        folder: "crates/candlecast-tune/src/pruners/",
        part: Part::File,
        list: "crates/candlecast-tune/src/pruners/mod.rs",
        shared: &[],
    },
    Catalog {
        folder: "crates/candlecast-tune/src/samplers/",
        part: Part::File,
        list: "crates/candlecast-tune/src/samplers/mod.rs",
        shared: &[],
    },
];

/// Checks every catalog against its list.
pub(super) fn check(sources: &[Source<'_>]) -> Vec<Finding> {
    CATALOGS.iter().flat_map(|catalog| check_catalog(catalog, sources)).collect()
}

fn check_catalog(catalog: &Catalog, sources: &[Source<'_>]) -> Vec<Finding> {
    let parts = parts(catalog, sources);
    let Some(list) = sources.iter().find(|source| is_list(catalog, &source.file.path)) else {
        let remedy = format!("write the list of the parts in {}", catalog.folder);
        return if parts.is_empty() { Vec::new() } else { vec![Finding::new(catalog.list, 1, RULE, remedy)] };
    };
    let mentions = mentions(&list.lines);
    parts
        .into_iter()
        .filter(|part| !mentions.iter().any(|line| contains_word(line, part)))
        .map(|part| {
            let remedy = format!("`{part}` in {} is not listed; add its line, or take it out", catalog.folder);
            Finding::new(&list.file.path, 1, RULE, remedy)
        })
        .collect()
}

/// The lines that can list a part: outside tests, declaring no module and importing nothing.
pub(super) fn mentions(lines: &[CodeLine]) -> Vec<&str> {
    let mut in_import = false;
    let mut mentions = Vec::new();
    for line in lines.iter().filter(|line| !line.in_test) {
        in_import |= begins_import(&line.text);
        if !in_import && !declares_module(&line.text) {
            mentions.push(line.text.as_str());
        }
        in_import &= !line.text.contains(';');
    }
    mentions
}

/// Names of the modules that are parts, in order.
fn parts<'a>(catalog: &Catalog, sources: &[Source<'a>]) -> BTreeSet<&'a str> {
    sources
        .iter()
        .map(|source| source.file.path.as_str())
        .filter(|path| !is_list(catalog, path))
        .filter_map(|path| path.strip_prefix(catalog.folder))
        .filter_map(|below| match (below.split_once('/'), catalog.part) {
            (Some((folder, _)), _) => Some(folder),
            (None, Part::File) => below.strip_suffix(".rs"),
            (None, Part::Folder) => None,
        })
        .filter(|name| !matches!(*name, "mod" | "tests") && !catalog.shared.contains(name))
        .collect()
}

fn is_list(catalog: &Catalog, path: &str) -> bool {
    path == catalog.list
        || path.strip_suffix(".rs").is_some_and(|stem| catalog.list.strip_suffix("/mod.rs") == Some(stem))
}

fn begins_import(line: &str) -> bool {
    line.split_whitespace().find(|word| !word.starts_with("pub")) == Some("use")
}

fn declares_module(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.last().is_some_and(|last| last.ends_with(';')) && words.iter().rev().nth(1) == Some(&"mod")
}

#[cfg(test)]
mod tests {
    use super::super::SourceFile;
    use super::*;

    const FOLDER: &str = "crates/candlecast-learn/src/baselines/";

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<SourceFile> =
            files.iter().map(|(path, text)| SourceFile { path: (*path).into(), text: (*text).into() }).collect();
        check(&Source::all(&files)).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_part_that_is_declared_but_not_listed_is_found() {
        let (naive, list) = (format!("{FOLDER}naive.rs"), format!("{FOLDER}mod.rs"));
        let listed = "mod naive;\nstatic ALL: [Entry; 1] = [naive::ENTRY];\n";
        assert!(found(&[(naive.as_str(), ""), (list.as_str(), listed)]).is_empty());
        let forgotten = found(&[(naive.as_str(), ""), (list.as_str(), "pub(crate) mod naive;\n// naive::ENTRY\n")]);
        assert_eq!(forgotten.len(), 1);
        assert!(forgotten[0].starts_with(&list) && forgotten[0].contains("`naive`"), "{}", forgotten[0]);
    }

    #[test]
    fn mentions_in_tests_do_not_count_and_the_list_must_exist() {
        let (naive, list) = (format!("{FOLDER}naive.rs"), format!("{FOLDER}mod.rs"));
        let tested = "mod naive;\n#[cfg(test)]\nmod tests {\n use super::naive;\n}\n";
        assert_eq!(found(&[(naive.as_str(), ""), (list.as_str(), tested)]).len(), 1);
        assert_eq!(found(&[("crates/candlecast-features/src/price/gap.rs", "")]).len(), 1);
    }

    #[test]
    fn where_parts_are_folders_files_beside_them_are_shared() {
        let list = ("crates/candlecast-models/src/catalog.rs", "static MODELS: &[Entry] = &[linear::ENTRY];\n");
        let linear = ("crates/candlecast-models/src/linear/mod.rs", "");
        let checks = ("crates/candlecast-models/src/checks.rs", "");
        let hybrid = ("crates/candlecast-models/src/hybrid/window.rs", "");
        assert!(found(&[list, linear, checks]).is_empty());
        assert_eq!(found(&[list, linear, hybrid]).len(), 1);
    }

    #[test]
    fn an_import_lists_nothing() {
        let kraken = ("crates/candlecast-exchange/src/exchanges/kraken.rs", "");
        let imports = "mod kraken;\npub use kraken::Kraken;\npub(crate) use self::{\n    binance,\n    kraken,\n};\n";
        let list = "crates/candlecast-exchange/src/exchanges/mod.rs";
        assert_eq!(found(&[kraken, (list, imports)]).len(), 1);
        let listed = format!("{imports}static EXCHANGES: &[Entry] = &[kraken::ENTRY];\n");
        assert!(found(&[kraken, (list, listed.as_str())]).is_empty());
    }

    #[test]
    fn a_command_is_offered_by_its_variant() {
        let audit = ("crates/candlecast/src/commands/audit.rs", "");
        let dispatch = ("crates/candlecast/src/commands/mod.rs", "mod audit;\nfn run() { audit::run() }\n");
        let grammar = |text| ("crates/candlecast/src/cli.rs", text);
        assert!(found(&[audit, dispatch, grammar("enum Command {\n    Audit(audit::AuditArgs),\n}\n")]).is_empty());
        assert_eq!(found(&[audit, dispatch, grammar("use crate::commands::audit;\nenum Command {}\n")]).len(), 1);
    }

    #[test]
    fn a_list_may_stand_beside_its_folder() {
        let price = ("crates/candlecast-learn/src/tasks/price.rs", "");
        let list = "crates/candlecast-learn/src/tasks.rs";
        assert!(found(&[price, (list, "mod price;\nconst ALL: &[Entry] = &[price::ENTRY];\n")]).is_empty());
        let forgotten = found(&[price, (list, "mod price;\n")]);
        assert!(forgotten.len() == 1 && forgotten[0].starts_with(list), "{forgotten:?}");
    }

    #[test]
    fn folders_that_do_not_exist_are_no_fault() {
        assert!(found(&[("README.md", "")]).is_empty());
    }
}
