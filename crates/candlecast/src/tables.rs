//! Tables that the command line alone shows; those of jobs and models are in [`candlecast_app::text`].

use candlecast_app::doc::{CheckDoc, CompactDoc, CoverageDoc, ImportDoc, leak_name};
use candlecast_app::text::{count, day, fixed, percent, signed, span, synthetic, table};
use candlecast_core::Timestamp;
use candlecast_pipeline::{Audited, Ranking};

pub(crate) fn import(d: &ImportDoc) -> String {
    let mut text = format!(
        "{}: {} {} {} ({}), {} of {} rows kept{}\n  {} to {}\n  gaps {} (longest {}, missing {}), duplicates {}, out of order {}, rejected {}, zero volume {:.2} %, suspicious jumps {}",
        d.file,
        d.venue,
        d.symbol,
        d.interval,
        d.format,
        d.rows_kept,
        d.rows_read,
        if d.changed { "" } else { ", all stored already" },
        d.from.map(day).unwrap_or_default(),
        d.to.map(day).unwrap_or_default(),
        d.gaps.count,
        d.gaps.longest,
        d.gaps.missing,
        d.duplicates,
        d.out_of_order,
        d.rejected,
        100.0 * d.zero_volume_share.unwrap_or(0.0),
        d.jumps,
    );
    for row in &d.rejected_rows {
        text.push_str(&format!("\n  line {}: {}", row.line, row.reason));
    }
    for jump in d.jump_list.iter().take(5) {
        text.push_str(&format!("\n  jump at {}: {:+.2} %", day(jump.time), 100.0 * (jump.log_return.exp() - 1.0)));
    }
    text
}

pub(crate) fn coverage(docs: &[CoverageDoc]) -> String {
    if docs.is_empty() {
        return "nothing is stored yet: try `candlecast import FILE` or `candlecast demo`".into();
    }
    let mut t = table(&["series", "candles", "from", "to", "gaps", "missing", "size"], [1, 4, 5, 6]);
    for d in docs {
        let damaged = if d.damaged.is_empty() { "" } else { " DAMAGED, see data check" };
        t.add_row([
            format!("{} {} {}{damaged}", d.venue, d.symbol, d.interval),
            d.rows.to_string(),
            d.from.map(day).unwrap_or_default(),
            d.to.map(day).unwrap_or_default(),
            d.gaps.count.to_string(),
            d.gaps.missing.to_string(),
            format!("{:.1} MB", d.bytes as f64 / 1e6),
        ]);
    }
    t.to_string()
}

pub(crate) fn checks(docs: &[CheckDoc]) -> String {
    let mut lines = Vec::new();
    for d in docs {
        lines.push(format!(
            "{} {} {}: {} candles, gaps {} (longest {}, missing {}), zero volume {}, halts {}",
            d.venue, d.symbol, d.interval, d.rows, d.gaps.count, d.gaps.longest, d.gaps.missing, d.zero_volume, d.flat
        ));
        lines.extend(d.longest_gaps.iter().map(|(at, n)| format!("  {n} missing from {}", day(*at))));
        lines.extend(d.damaged.iter().map(|reason| format!("  DAMAGED: {reason}")));
    }
    if lines.is_empty() { "nothing is stored".into() } else { lines.join("\n") }
}

pub(crate) fn compacted(docs: &[CompactDoc]) -> String {
    let told = docs.iter().filter(|d| d.candles > 0);
    let lines: Vec<String> = told
        .map(|d| format!("{} {} {}: {} candles put into the Parquet files", d.venue, d.symbol, d.interval, d.candles))
        .collect();
    if lines.is_empty() { "no candles waited to be put into the Parquet files".into() } else { lines.join("\n") }
}

/// Last rows of a feature table: names down, candles across.
pub(crate) fn feature_rows(names: &[String], times: &[i64], rows: &[Vec<f64>]) -> String {
    let header: Vec<String> =
        std::iter::once("feature".to_owned()).chain(times.iter().map(|&t| day(Timestamp(t)))).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut t = table(&header, 1..header.len());
    for (k, name) in names.iter().enumerate() {
        let cells = rows.iter().map(|r| if r[k].is_nan() { "-".into() } else { format!("{:.6}", r[k]) });
        t.add_row(std::iter::once(name.clone()).chain(cells).collect::<Vec<_>>());
    }
    t.to_string()
}

/// What an audit of features found.
pub(crate) fn audit(a: &Audited) -> String {
    let what = format!(
        "{} features, {} cut points, {} candles of {}{}",
        a.features.len(),
        a.cuts,
        a.candles,
        a.key,
        synthetic(a.key.venue.is_synthetic())
    );
    let mut text = if a.passed() {
        format!("nothing found: {what}")
    } else {
        let mut t = table(&["feature", "leak", "row", "candle", "cut after", "whole", "without"], [2, 5, 6]);
        let number = |v: f64| if v.is_nan() { "-".to_owned() } else { format!("{v:.9e}") };
        for f in &a.findings {
            t.add_row([
                f.finding.output.clone(),
                leak_name(f.finding.leak).to_owned(),
                f.finding.row.to_string(),
                day(f.open_time),
                day(f.cut_time),
                number(f.finding.whole),
                number(f.finding.without),
            ]);
        }
        format!(
            "{what}\n{t}\n`whole` is the value with the candles after the cut, `without` the value without their truth."
        )
    };
    for note in &a.notes {
        text.push('\n');
        text.push_str(note);
    }
    text
}

/// Features in order of use.
pub(crate) fn ranking(r: &Ranking) -> String {
    let mut text = format!(
        "{} {}, return over {}, {}{}\nlearnt on {} origins, {}; permuted on {} of {} validation origins, {}\n",
        r.key.symbol,
        r.key.interval,
        count(r.horizon, "step"),
        r.model,
        synthetic(r.key.venue.is_synthetic()),
        r.train.origins,
        span(Some(r.train.range)),
        r.valid.used,
        r.valid.origins,
        span(Some(r.valid.range)),
    );
    text.push_str(&match r.test_from {
        Some(from) => format!(
            "ranked on candles up to {}; the test part of the next training, from {}, was not looked at\n",
            day(r.ranked_to),
            day(from),
        ),
        None => {
            format!("ranked on candles up to {}, where the range ends: test on later ones only\n", day(r.ranked_to))
        }
    });
    let header = [
        "",
        "feature",
        "permutation",
        "+-",
        "own",
        "MI",
        "chance",
        "p",
        "MI sign",
        "chance",
        "p",
        "|Spearman|",
        "chance",
        "p",
        "redundant with",
    ];
    let mut t = table(&header, [0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    for (k, f) in r.features.iter().enumerate() {
        let spearman = f.abs_spearman;
        t.add_row([
            (k + 1).to_string(),
            f.feature.clone(),
            signed(f.permutation.map(|p| p.mean), 5),
            fixed(f.permutation.and_then(|p| p.deviation), 5),
            percent(f.own, 1),
            fixed(Some(f.information.value), 4),
            fixed(f.information.chance, 4),
            fixed(f.information.p_value, 2),
            fixed(Some(f.sign_information.value), 4),
            fixed(f.sign_information.chance, 4),
            fixed(f.sign_information.p_value, 2),
            fixed(spearman.map(|s| s.value), 3),
            fixed(spearman.and_then(|s| s.chance), 3),
            fixed(spearman.and_then(|s| s.p_value), 2),
            f.redundant_with.as_ref().map_or_else(String::new, |(name, c)| format!("{name} ({c:+.3})")),
        ]);
    }
    text.push_str(&t.to_string());
    text.push_str(&ranking_notes(r));
    text
}

fn ranking_notes(r: &Ranking) -> String {
    let mut text = format!(
        "\npermutation: {} when the feature is shuffled, mean and deviation of {} shuffles.\n\
         MI: mutual information in nats with the return (sign and size together), and with its sign alone, {} bins; chance: the mean over {} circular shifts; p: share of shifts that reach the value.\n\
         Of {} features about {:.0} have p at or below 0.05 by chance alone.",
        match r.task {
            "direction" => "rise of the log loss of a forecast",
            "volatility" =>
                "rise of the squared error of the log variance over that of what is known without any model",
            _ => "rise of the squared error over the naive forecast's",
        },
        r.options.repeats,
        r.bins,
        r.options.shifts,
        r.features.len(),
        r.features.len() as f64 * 0.05,
    );
    let redundant = r.features.iter().filter(|f| f.redundant_with.is_some()).count();
    text.push_str(&format!(
        "\n{redundant} features repeat a more informative one (absolute rank correlation above {}); {} are left without them.",
        r.options.max_correlation,
        r.kept().count(),
    ));
    if !r.fit.dropped.is_empty() {
        text.push_str(&format!("\nconstant over the training part: {}", r.fit.dropped.join(", ")));
    }
    for (feature, share) in &r.left_out {
        text.push_str(&format!("\nleft out: {feature} has a value on {:.0} % of the candles", 100.0 * share));
    }
    text
}
