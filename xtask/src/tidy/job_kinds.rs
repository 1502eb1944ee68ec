//! Kinds of jobs: each lies beside the use case it starts, so no folder shows them all; the list of kinds must.

use super::code::{contains_word, is_part};
use super::{Finding, Source, catalogs};

const RULE: &str = "catalog";

/// Where the list of kinds may be.
const LISTS: [&str; 3] = [
    "crates/candlecast-app/src/kinds.rs",
    "crates/candlecast-app/src/kinds/mod.rs",
    "crates/candlecast-app/src/jobs/kinds/mod.rs",
];

/// Finds types that are a `JobKind` and in no list: their jobs could be written and never be taken.
pub(super) fn check(sources: &[Source<'_>]) -> Vec<Finding> {
    let list = LISTS.iter().find_map(|path| sources.iter().find(|source| source.file.path == *path));
    let mentions = list.map_or_else(Vec::new, |list| catalogs::mentions(&list.lines));
    let place = list.map_or(LISTS[0], |list| list.file.path.as_str());
    let kinds = sources.iter().filter(|source| !source.file.is_test()).flat_map(kinds);
    kinds
        .filter(|(_, _, name)| !mentions.iter().any(|line| contains_word(line, name)))
        .map(|(path, line, name)| {
            Finding::new(path, line, RULE, format!("the kind of job `{name}` is not listed in {place}; add its line"))
        })
        .collect()
}

/// The kinds of a file: path, line, type.
fn kinds<'s>(source: &'s Source<'_>) -> Vec<(&'s str, usize, &'s str)> {
    let lines = (1..).zip(&source.lines).filter(|(_, line)| !line.in_test);
    lines.filter_map(|(number, line)| Some((source.file.path.as_str(), number, kind(&line.text)?))).collect()
}

/// The type in `impl JobKind for Type`.
fn kind(line: &str) -> Option<&str> {
    let (before, after) = line.trim_start().strip_prefix("impl")?.split_once(" for ")?;
    let name_of_trait = before.rsplit(|c: char| !is_part(c)).next()?;
    let path = after.split(|c: char| !is_part(c) && c != ':').next()?;
    if name_of_trait == "JobKind" { path.rsplit("::").next() } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::SourceFile;
    use super::*;

    const TRAIN: (&str, &str) = ("crates/candlecast-app/src/train.rs", "use x;\nimpl JobKind for TrainJob {\n}\n");

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let files: Vec<SourceFile> =
            files.iter().map(|(path, text)| SourceFile { path: (*path).into(), text: (*text).into() }).collect();
        check(&Source::all(&files)).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn a_kind_must_be_in_the_list_wherever_it_lies() {
        for list in LISTS {
            let imports = "use crate::train::TrainJob;\n";
            let listed = "static KINDS: &[Kind] = &[Kind::of::<TrainJob>()];\n";
            assert!(found(&[TRAIN, (list, listed)]).is_empty(), "{list}");
            let forgotten = found(&[TRAIN, (list, imports)]);
            assert_eq!(forgotten.len(), 1, "{list}");
            assert!(forgotten[0].starts_with("crates/candlecast-app/src/train.rs:2: catalog: "), "{}", forgotten[0]);
            assert!(forgotten[0].contains("`TrainJob`") && forgotten[0].contains(list), "{}", forgotten[0]);
        }
        assert_eq!(found(&[TRAIN]).len(), 1, "there has to be a list");
    }

    #[test]
    fn paths_and_generics_do_not_hide_a_kind() {
        assert_eq!(kind("impl candlecast_jobs::JobKind for crate::train::TrainJob<'_> {"), Some("TrainJob"));
        assert_eq!(kind("impl<M: Model> JobKind for Fit<M>"), Some("Fit"));
        for other in ["impl AnyJobKind for A {", "impl<J: JobKind> AnyJob for J {", "fn f(a: impl JobKind) for A"] {
            assert_eq!(kind(other), None, "{other}");
        }
    }

    #[test]
    fn kinds_of_tests_need_no_line() {
        let inner = ("crates/candlecast-jobs/src/worker.rs", "#[cfg(test)]\nmod tests {\nimpl JobKind for Nap {}\n}\n");
        let outer = ("crates/candlecast-jobs/tests/it/main.rs", "impl JobKind for Nap {}\n");
        assert!(found(&[inner, outer]).is_empty());
        assert!(found(&[("README.md", "impl JobKind for Nap {}")]).is_empty());
    }
}
