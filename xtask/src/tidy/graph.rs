//! The crate graph: which crate may use which, at run time. What a crate uses in its tests is free.

use toml::{Table, Value};

use super::{Finding, SourceFile};

const RULE: &str = "crate-graph";

/// Every crate of parts, and what tests need of the machine: what law suites may use.
const ALL_PARTS: &[&str] = &[
    "core", "files", "features", "learn", "models", "nn", "detect", "trading", "tune", "store", "ingest", "meta",
    "exchange", "registry", "testenv",
];

/// The crate of the use cases joins all parts with what was built from them.
const ALL_BELOW_APP: &[&str] = &[
    "core", "files", "features", "learn", "models", "nn", "detect", "trading", "tune", "store", "ingest", "meta",
    "exchange", "registry", "pipeline", "config", "host", "jobs", "monitor", "live", "backup",
];

/// The binary speaks the words of requests and tables (windows, feature sets, import options, jobs, settings); stores,
/// models and records it reaches through others only.
const BINARY: &[&str] = &[
    "core", "features", "learn", "ingest", "pipeline", "config", "host", "jobs", "monitor", "live", "backup", "app",
    "server",
];

/// Crate and the crates it may depend on, without the prefix `candlecast-`; `candlecast` is the binary.
static MAY_USE: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("testenv", &[]),
    ("files", &["core"]),
    ("features", &["core"]),
    ("learn", &["core"]),
    ("models", &["core", "learn"]),
    ("nn", &["core", "learn"]),
    ("detect", &["core", "features", "learn", "models"]),
    ("trading", &["core", "features", "learn"]),
    ("tune", &["core"]),
    ("store", &["core", "files"]),
    ("ingest", &["core"]),
    ("meta", &["core"]),
    ("exchange", &["core", "ingest"]),
    ("registry", &["core", "files", "learn"]),
    ("pipeline", &["core", "features", "learn", "models", "nn", "tune"]),
    ("config", &["core"]),
    ("host", &["core", "files", "store", "registry", "meta", "config", "learn"]),
    ("jobs", &["core", "host", "meta", "config"]),
    ("monitor", &["core", "learn", "host", "meta", "pipeline", "registry", "store"]),
    ("live", &["core", "ingest", "learn", "host", "exchange", "meta", "monitor", "pipeline", "registry", "store"]),
    ("backup", &["core", "files", "config", "host", "meta", "registry"]),
    ("app", ALL_BELOW_APP),
    ("server", &["core", "app", "jobs"]),
    ("candlecast", BINARY),
    ("testkit", ALL_PARTS),
    ("xtask", &[]),
];

/// Checks the manifest of one crate.
pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    let manifest: Table = match file.text.parse() {
        Ok(table) => table,
        Err(error) => return vec![Finding::new(&file.path, 1, RULE, format!("make it valid TOML: {error}"))],
    };
    let folder = file.path.trim_end_matches("/Cargo.toml").rsplit('/').next().unwrap_or_default();
    let name = manifest.get("package").and_then(|p| p.get("name")).and_then(Value::as_str).unwrap_or_default();
    if name != folder {
        let remedy = format!("the crate `{name}` lies in the folder `{folder}`; give both the same name");
        return vec![Finding::new(&file.path, line_of(&file.text, "name"), RULE, remedy)];
    }
    let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| *known == short(name)) else {
        let remedy = format!("give `{name}` a row in xtask/src/tidy/graph.rs and in ARCHITECTURE.md");
        return vec![Finding::new(&file.path, 1, RULE, remedy)];
    };
    own_dependencies(&manifest)
        .into_iter()
        .filter(|dependency| !allowed.contains(&short(dependency)))
        .map(|dependency| {
            let may = if allowed.is_empty() { "nothing of ours".to_owned() } else { allowed.join(", ") };
            let remedy = format!("`{name}` must not use `{dependency}`; it may use {may} (dev-dependencies are free)");
            Finding::new(&file.path, line_of(&file.text, &dependency), RULE, remedy)
        })
        .collect()
}

fn short(name: &str) -> &str {
    name.strip_prefix("candlecast-").unwrap_or(name)
}

fn line_of(text: &str, wanted: &str) -> usize {
    text.lines().position(|line| line.contains(wanted)).map_or(1, |at| at + 1)
}

/// Our crates among the dependencies for running and building, those of one platform too.
fn own_dependencies(manifest: &Table) -> Vec<String> {
    let platforms = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let mut found: Vec<String> = std::iter::once(manifest)
        .chain(platforms.filter_map(Value::as_table))
        .flat_map(|table| ["dependencies", "build-dependencies"].map(|key| table.get(key)))
        .flatten()
        .filter_map(Value::as_table)
        .flat_map(Table::iter)
        .map(|(key, value)| value.get("package").and_then(Value::as_str).unwrap_or(key).to_owned())
        .filter(|name| name.starts_with("candlecast") || name == "xtask")
        .collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(folder: &str, text: &str) -> Vec<String> {
        let file = SourceFile { path: format!("crates/{folder}/Cargo.toml"), text: text.into() };
        check(&file).iter().map(Finding::to_string).collect()
    }

    #[test]
    fn allowed_and_development_dependencies_pass() {
        let text = "[package]\nname = \"candlecast-models\"\n[dependencies]\ncandlecast-core.workspace = true\n\
                    candlecast-learn = { workspace = true }\nserde = \"1\"\n\
                    [dev-dependencies]\ncandlecast-testkit.workspace = true\n";
        assert_eq!(findings("candlecast-models", text), Vec::<String>::new());
    }

    #[test]
    fn a_forbidden_edge_is_found_with_its_line_however_it_is_written() {
        let text = "[package]\nname = \"candlecast-models\"\n[dependencies]\ncandlecast-store.workspace = true\n";
        let found = findings("candlecast-models", text);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("crates/candlecast-models/Cargo.toml:4: crate-graph: "), "{}", found[0]);
        let renamed = "[package]\nname = \"candlecast-core\"\n[target.'cfg(unix)'.dependencies]\n\
                       x = { package = \"candlecast-app\", path = \"../a\" }\n";
        assert_eq!(findings("candlecast-core", renamed).len(), 1);
        let testkit = "[package]\nname = \"candlecast-app\"\n[dependencies]\ncandlecast-testkit.workspace = true\n";
        assert_eq!(findings("candlecast-app", testkit).len(), 1);
    }

    #[test]
    fn every_row_names_crates_that_have_a_row_above_it() {
        for (at, (name, allowed)) in MAY_USE.iter().enumerate() {
            for used in *allowed {
                let row = MAY_USE.iter().position(|(known, _)| known == used);
                assert!(row.is_some_and(|row| row < at), "{name} uses {used}");
            }
        }
    }

    #[test]
    fn the_binary_reaches_stores_models_and_records_through_others_only() {
        let uses = |used: &str| {
            let text =
                format!("[package]\nname = \"candlecast\"\n[dependencies]\ncandlecast-{used}.workspace = true\n");
            findings("candlecast", &text).len()
        };
        for used in ["store", "registry", "meta"] {
            assert_eq!(uses(used), 1, "{used}");
        }
        for used in ["config", "pipeline", "jobs", "monitor", "live", "backup", "host", "app"] {
            assert_eq!(uses(used), 0, "{used}");
        }
    }

    #[test]
    fn what_was_built_from_parts_may_use_its_row_and_no_more() {
        let n_found = |name: &str, used: &str| {
            let text = format!(
                "[package]\nname = \"candlecast-{name}\"\n[dependencies]\ncandlecast-{used}.workspace = true\n"
            );
            findings(&format!("candlecast-{name}"), &text).len()
        };
        for (name, used) in [("pipeline", "nn"), ("host", "store"), ("live", "monitor"), ("server", "jobs")] {
            assert_eq!(n_found(name, used), 0, "{name} uses {used}");
        }
        for (name, used) in [("pipeline", "store"), ("files", "store"), ("host", "jobs"), ("jobs", "app")] {
            assert_eq!(n_found(name, used), 1, "{name} uses {used}");
        }
    }

    #[test]
    fn unknown_crates_other_folders_and_broken_manifests_are_found() {
        assert!(findings("candlecast-new", "[package]\nname = \"candlecast-new\"\n")[0].contains("graph.rs"));
        assert!(findings("nn", "[package]\nname = \"candlecast-nn\"\n")[0].contains("folder"));
        assert!(findings("candlecast-nn", "[package\n")[0].contains("TOML"));
    }
}
