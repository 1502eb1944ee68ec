//! [`reference_markdown`]: the feature reference, written from the catalog.

use std::fmt::Write;

use crate::aliases::aliases;
use crate::catalog::catalog;
use crate::default_set::DEFAULT;
use crate::indicator::Memory;
use crate::spec::{FeatureSpec, Group};

/// The feature reference as Markdown: how names work, the aliases, and a table a group with every feature's
/// listed ids, outputs, formula, unit, warm-up, memory, cost and source.
pub fn reference_markdown() -> String {
    let mut text = String::from(INTRODUCTION);
    write_names(&mut text);
    for group in Group::ALL {
        write_group(&mut text, group);
    }
    text
}

const INTRODUCTION: &str = "# Features

Every value at a candle uses candles up to and including that one. Values are missing in the warm-up (that many
leading candles of a segment) and where a formula divides nothing by nothing; they are never infinite. Recursive
features start where the segment starts. Memory is how many candles must be replayed for the value that the whole
segment would give: exactly, or (`settles`) to 1e-9 of the value's scale; `whole segment` where there is no such
number. Cost is that of one more candle, whatever the window, where it says O(1).

A name in a feature set is an output id (`macd_hist_ratio_12_26_9`), a feature id for all of its outputs
(`macd_ratio_12_26_9`), either with other parameters within their bounds (`rsi_7`) or without (`rsi`, the first
listed ones), an alias, or `group:NAME` for everything listed in a group.

";

fn write_names(text: &mut String) {
    text.push_str("| alias | stands for |\n| --- | --- |\n");
    for (alias, ids) in aliases() {
        let meaning =
            if *alias == "default" { format!("the {} outputs marked * below", ids.len()) } else { ids.join(", ") };
        row(text, &[alias, &meaning]);
    }
    text.push('\n');
}

fn write_group(text: &mut String, group: Group) {
    let name = group.name();
    line(text, &format!("## {}{}\n", name[..1].to_uppercase(), &name[1..]));
    text.push_str(
        "| listed | outputs | what | formula | unit | parameters | warm-up | memory | cost | version | source |\n",
    );
    text.push_str("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for spec in catalog().iter().filter(|s| s.group == group) {
        write_feature(text, spec);
    }
    text.push('\n');
}

fn write_feature(text: &mut String, spec: &FeatureSpec) {
    let listed: Vec<String> = spec.listed.iter().map(|p| format!("`{}`", spec.id_with(p))).collect();
    let outputs: Vec<String> = spec.listed.iter().flat_map(|p| spec.output_ids(p)).map(|id| marked(&id)).collect();
    let params: Vec<String> = spec.params.iter().map(|p| format!("{} {} to {}", p.name, p.min, p.max)).collect();
    let (warmup, memory) = extents(spec);
    row(
        text,
        &[
            &listed.join(", "),
            &outputs.join(", "),
            &requirement(spec),
            spec.formula,
            spec.unit,
            &params.join(", "),
            &warmup,
            &memory,
            spec.cost,
            &spec.version.to_string(),
            spec.source,
        ],
    );
}

fn marked(id: &str) -> String {
    if DEFAULT.contains(&id) { format!("`{id}` *") } else { format!("`{id}`") }
}

fn requirement(spec: &FeatureSpec) -> String {
    if spec.requires.is_empty() {
        return spec.summary.to_owned();
    }
    format!("{} (needs {})", spec.summary, spec.requires.join(", "))
}

/// Warm-up and memory of the listed parameters, in their order.
fn extents(spec: &FeatureSpec) -> (String, String) {
    let built: Vec<_> = spec.listed.iter().filter_map(|p| spec.build(p).ok()).collect();
    let warmups: Vec<String> = built.iter().map(|b| b.warmup().to_string()).collect();
    let memories: Vec<String> = built.iter().map(|b| memory_text(b.memory())).collect();
    (warmups.join(", "), memories.join(", "))
}

fn memory_text(memory: Memory) -> String {
    match memory {
        Memory::Finite(n) => n.to_string(),
        Memory::Settles(n) => format!("settles {n}"),
        Memory::Unbounded => "whole segment".to_owned(),
    }
}

fn row(text: &mut String, cells: &[&str]) {
    let escaped: Vec<String> = cells.iter().map(|c| c.replace('|', "\\|")).collect();
    line(text, &format!("| {} |", escaped.join(" | ")));
}

fn line(text: &mut String, content: &str) {
    writeln!(text, "{content}").expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_id_and_every_output_is_in_the_reference() {
        let text = reference_markdown();
        for spec in catalog() {
            for params in spec.listed {
                assert!(text.contains(&format!("`{}`", spec.id_with(params))), "{}", spec.id_with(params));
                for output in spec.output_ids(params) {
                    assert!(text.contains(&format!("`{output}`")), "{output}");
                }
            }
        }
        assert_eq!(text.matches("` *").count(), DEFAULT.len());
        let widths: Vec<usize> =
            text.lines().filter(|l| l.starts_with("| `")).map(|l| l.matches(" | ").count()).collect();
        assert!(widths.iter().all(|&w| w == 10), "every row has eleven cells");
    }
}
