//! [`reference_markdown`]: the feature reference, written from the catalog.

use std::fmt::Write;

use crate::aliases::aliases;
use crate::catalog::catalog;
use crate::default_set::DEFAULT;
use crate::indicator::Memory;
use crate::reversal_set::REVERSAL;
use crate::spec::{FeatureSpec, Group};

/// The feature reference as Markdown: how names work, the aliases, the sets, and a table a group with every feature's
/// listed ids, outputs, formula, unit, warm-up, memory, cost and source.
pub fn reference_markdown() -> String {
    let mut text = String::from(INTRODUCTION);
    write_names(&mut text);
    text.push_str(SETS);
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

const SETS: &str = "## Sets

A set is a name for a list of outputs. `default` is what models train on unless told otherwise, with two exceptions: the
small networks take `ohlcv`, the candle itself over the last close, and `linear` and `gbdt` take `reversal` for prices on
candles of 15 minutes to 4 hours.

`reversal` is for the price of the next candles. Prices of coins tend to take back a part of small and middling moves
within the next hours and little or nothing of large ones, so what a move means depends on its size. It was so on hourly
candles of 2021 to 2025; it need not stay so. Three things let a linear model learn it:

- Moves are measured in units of their volatility `sigma`: the root of the mean of squared returns whose weights halve
  in 72 candles, at least 0.0001. A move of 1 is a usual one on a quiet day and on a wild one, of one coin and of
  another. Values are cut at 4 on either side, so that no single candle decides a fit.
- Beside a move z stands tanh(2 z). It rises as z does up to about half a sigma and is nearly flat beyond one, so the
  two weights make one slope for small moves and another for large ones. `return_sign_ema` does the same to the newest
  candles: how one-sided they were, whatever their size.
- Products of moves with volume and with the change of volatility say in which circumstances a move is another one.
  Beside them: where the close lies in its range, relative volume, the time of day and of the week of the next candle,
  and the mean return at that time of day on the days before.

Lags, windows and half-lives count candles, whatever the interval; times of day and of the week and the days of
`seasonal_return` are times. The set was chosen on hourly candles. It needs 199 candles before its first complete row,
and every value is defined and bounded on every candle after them, on those without range or volume too. Its calendar
is that of the close, which is when the next candle opens.

";

fn write_names(text: &mut String) {
    text.push_str("| alias | stands for |\n| --- | --- |\n");
    for (alias, ids) in aliases() {
        let meaning = match *alias {
            "default" => format!("the {} outputs marked * below", ids.len()),
            "reversal" => format!("the {} outputs marked + below", ids.len()),
            _ => ids.join(", "),
        };
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
    let default = if DEFAULT.contains(&id) { " *" } else { "" };
    let reversal = if REVERSAL.contains(&id) { " +" } else { "" };
    format!("`{id}`{default}{reversal}")
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
        assert_eq!(text.matches("` +").count() + text.matches("` * +").count(), REVERSAL.len());
        let widths: Vec<usize> =
            text.lines().filter(|l| l.starts_with("| `")).map(|l| l.matches(" | ").count()).collect();
        assert!(widths.iter().all(|&w| w == 10), "every row has eleven cells");
    }
}
