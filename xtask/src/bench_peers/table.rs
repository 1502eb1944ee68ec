//! The two sides as a Markdown table.

use super::figures::{Figure, Figures, median};
use super::list::Pair;

/// One row for each of our figures; the best setting of each side counts, the others stand beside.
pub(super) fn markdown(pair: &Pair, ours: &Figures, theirs: &Figures) -> String {
    let benches = ours.benches();
    // Programs that measure one thing need not agree on its name.
    let single = benches.len() == 1 && theirs.benches().len() == 1;
    let peer = pair.peer.as_ref().map_or("peer", |peer| peer.label);
    let mut rows = vec![
        format!("| | {} | {peer} | ratio | other settings and notes |", pair.ours.label),
        "| --- | ---: | ---: | ---: | --- |".to_owned(),
    ];
    for bench in &benches {
        let their_name = if single { theirs.benches()[0] } else { *bench };
        rows.push(row(bench, &ours.variants(bench), &theirs.variants(their_name)));
    }
    let unmatched = theirs.benches().into_iter().filter(|name| !single && !benches.contains(name));
    rows.extend(unmatched.map(|name| row(name, &[], &theirs.variants(name))));
    rows.extend(pair.spread_without.and_then(|left_out| spread(left_out, ours, theirs)));
    rows.join("\n")
}

/// Median and worst ratio over the benches that both sides have, but for `left_out`.
fn spread(left_out: &str, ours: &Figures, theirs: &Figures) -> Option<String> {
    let ratio_of = |bench: &str| ratio(&ours.variants(bench), &theirs.variants(bench));
    let benches = ours.benches().into_iter().filter(|bench| *bench != left_out);
    let mut ratios: Vec<(f64, &str)> = benches.filter_map(|bench| Some((ratio_of(bench)?, bench))).collect();
    ratios.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (worst, bench) = *ratios.first()?;
    let n_slower = ratios.iter().filter(|(ratio, _)| *ratio < 1.0).count();
    let median = median(&ratios.iter().map(|(ratio, _)| *ratio).collect::<Vec<_>>());
    Some(format!(
        "\n{} ratios without {left_out}: median {median:.2}x, worst {worst:.2}x ({bench}), {n_slower} below 1.",
        ratios.len()
    ))
}

/// The peer's best time over ours.
fn ratio(ours: &[Figure], theirs: &[Figure]) -> Option<f64> {
    Some(theirs.first()?.median_ms / ours.first()?.median_ms)
}

fn row(bench: &str, ours: &[Figure], theirs: &[Figure]) -> String {
    let ratio = ratio(ours, theirs).map_or("-".to_owned(), |ratio| format!("{ratio:.2}x"));
    let notes: Vec<String> = [notes("", ours), notes("peer: ", theirs)].into_iter().flatten().collect();
    format!("| {bench} | {} | {} | {ratio} | {} |", best(ours), best(theirs), notes.join("; "))
}

fn best(variants: &[Figure]) -> String {
    variants.first().map_or("-".to_owned(), |figure| time(figure).trim_end().to_owned())
}

/// A side's notes in one text that begins with `whose`.
fn notes(whose: &str, variants: &[Figure]) -> Option<String> {
    let notes: Vec<String> = variants.iter().enumerate().filter_map(note).collect();
    (!notes.is_empty()).then(|| format!("{whose}{}", notes.join("; ")))
}

/// The best setting's notes only, every other setting with its time.
fn note((rank, figure): (usize, &Figure)) -> Option<String> {
    let text = match (rank, figure.notes.as_str()) {
        (0, notes) => notes.to_owned(),
        (_, "") => time(figure),
        (_, notes) => format!("{}, {notes}", time(figure)),
    };
    (!text.is_empty()).then_some(text)
}

/// Three significant digits, in the unit that suits.
fn time(figure: &Figure) -> String {
    let (value, unit) = match figure.median_ms {
        ms if ms < 1.0 => (ms * 1e3, "us"),
        ms if ms < 1e4 => (ms, "ms"),
        ms => (ms / 1e3, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    let variant = if figure.variant.is_empty() { String::new() } else { format!(" ({})", figure.variant) };
    format!("{value:.digits$} {unit}{variant}")
}

#[cfg(test)]
mod tests {
    use super::super::list::PAIRS;
    use super::*;

    fn figures(figures: &[(&str, &str, f64)]) -> Figures {
        let mut gathered = Figures::default();
        gathered.add(
            figures
                .iter()
                .map(|&(bench, variant, ms)| Figure { variant: variant.into(), ..Figure::whole(bench, ms) })
                .collect(),
        );
        gathered
    }

    fn pair(name: &str) -> &'static Pair {
        PAIRS.iter().find(|pair| pair.name == name).unwrap()
    }

    #[test]
    fn rows_compare_the_best_settings() {
        let ours = figures(&[("lstm", "avx512", 0.1), ("gru", "", 13.0)]);
        let theirs =
            figures(&[("lstm", "eager", 1.5), ("lstm", "fused", 1.2), ("lstm", "bf16", 0.9), ("svm", "", 2.0)]);
        let table = markdown(pair("nn-step"), &ours, &theirs);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(
            lines[2],
            "| lstm | 100 us (avx512) | 1.20 ms (fused) | 12.00x | peer: 1.50 ms (eager); 900 us (bf16) |"
        );
        assert_eq!(lines[3], "| gru | 13.0 ms | - | - |  |");
        assert!(lines[4].starts_with("| svm | - | 2.00 ms |"), "{table}");
    }

    #[test]
    fn functions_have_their_median_and_worst_ratio_below() {
        let ours = figures(&[("rsi", "", 2.0), ("sma", "", 1.0), ("ema", "", 1.0), ("default-set", "2 threads", 1.0)]);
        let theirs = figures(&[("rsi", "", 1.0), ("sma", "", 3.0), ("ema", "", 1.5), ("default-set", "", 9.0)]);
        let table = markdown(pair("features"), &ours, &theirs);
        let last = table.lines().last().unwrap();
        assert_eq!(last, "3 ratios without default-set: median 1.50x, worst 0.50x (rsi), 1 below 1.");
        assert!(!markdown(pair("trees"), &ours, &theirs).contains("ratios without"));
    }

    #[test]
    fn single_figures_are_compared_whatever_their_names() {
        let table =
            markdown(pair("import-csv"), &figures(&[("import-csv", "", 200.0)]), &figures(&[("x", "pandas", 900.0)]));
        assert!(table.contains("| import-csv | 200 ms | 900 ms (pandas) | 4.50x |"), "{table}");
        let alone = markdown(pair("version"), &figures(&[("version", "", 11_000.0)]), &Figures::default());
        assert!(alone.ends_with("| version | 11.0 s | - | - |  |"), "{alone}");
    }
}
