//! Catalogs: a part is one file (or folder) and one line in its kind's list; a part that nobody lists would be
//! compiled and never offered.

use std::collections::BTreeSet;

use super::code::{self, contains_word};
use super::{Finding, SourceFile};

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
    /// The file that lists the parts.
    list: &'static str,
    /// Files and folders that are no parts but code of theirs.
    shared: &'static [&'static str],
}

const fn features(folder: &'static str, shared: &'static [&'static str]) -> Catalog {
    Catalog { folder, part: Part::File, list: "crates/candlecast-features/src/catalog.rs", shared }
}

/// Every catalog. Folders that do not exist yet have no parts.
static CATALOGS: [Catalog; 14] = [
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
        folder: "crates/candlecast-ingest/src/formats/",
        part: Part::File,
        list: "crates/candlecast-ingest/src/formats/mod.rs",
        shared: &["arrow_blocks", "columnar", "delimited"],
    },
    Catalog {
        folder: "crates/candlecast-learn/src/baselines/",
        part: Part::File,
        list: "crates/candlecast-learn/src/baselines/mod.rs",
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
];

/// Checks every catalog against its list.
pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    CATALOGS.iter().flat_map(|catalog| check_catalog(catalog, files)).collect()
}

fn check_catalog(catalog: &Catalog, files: &[SourceFile]) -> Vec<Finding> {
    let parts = parts(catalog, files);
    let Some(list) = files.iter().find(|file| file.path == catalog.list) else {
        let remedy = format!("write the list of the parts in {}", catalog.folder);
        return if parts.is_empty() { Vec::new() } else { vec![Finding::new(catalog.list, 1, RULE, remedy)] };
    };
    let lines = code::lines(&list.text);
    let mentions: Vec<&str> = lines
        .iter()
        .filter(|line| !line.in_test && !declares_module(&line.text))
        .map(|line| line.text.as_str())
        .collect();
    parts
        .into_iter()
        .filter(|part| !mentions.iter().any(|line| contains_word(line, part)))
        .map(|part| {
            let remedy = format!("`{part}` in {} is not listed; add its line, or take it out", catalog.folder);
            Finding::new(catalog.list, 1, RULE, remedy)
        })
        .collect()
}

/// Names of the modules that are parts, in order.
fn parts<'a>(catalog: &Catalog, files: &'a [SourceFile]) -> BTreeSet<&'a str> {
    files
        .iter()
        .filter(|file| file.has_extension("rs") && file.path != catalog.list)
        .filter_map(|file| file.path.strip_prefix(catalog.folder))
        .filter_map(|below| match (below.split_once('/'), catalog.part) {
            (Some((folder, _)), _) => Some(folder),
            (None, Part::File) => below.strip_suffix(".rs"),
            (None, Part::Folder) => None,
        })
        .filter(|name| !matches!(*name, "mod" | "tests") && !catalog.shared.contains(name))
        .collect()
}

fn declares_module(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.last().is_some_and(|last| last.ends_with(';')) && words.iter().rev().nth(1) == Some(&"mod")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLDER: &str = "crates/candlecast-learn/src/baselines/";

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<SourceFile> =
            files.iter().map(|(path, text)| SourceFile { path: (*path).into(), text: (*text).into() }).collect();
        check(&files).iter().map(Finding::to_string).collect()
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
        let list = ("crates/candlecast-models/src/catalog.rs", "use crate::linear;\n");
        let linear = ("crates/candlecast-models/src/linear/mod.rs", "");
        let checks = ("crates/candlecast-models/src/checks.rs", "");
        let hybrid = ("crates/candlecast-models/src/hybrid/window.rs", "");
        assert!(found(&[list, linear, checks]).is_empty());
        assert_eq!(found(&[list, linear, hybrid]).len(), 1);
    }

    #[test]
    fn folders_that_do_not_exist_are_no_fault() {
        assert!(found(&[("README.md", "")]).is_empty());
    }
}
