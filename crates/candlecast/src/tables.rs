//! Results as text for people. Every model stands beside the baselines.

use candlecast_app::Trained;
use candlecast_app::doc::{CheckDoc, CoverageDoc, ImportDoc, leak_name};
use candlecast_app::models::{Listed, Meta};
use candlecast_app::predict::Predicted;
use candlecast_core::{SeriesKey, TimeRange, Timestamp};
use candlecast_learn::{ModelReport, Report};
use candlecast_pipeline::{Audited, Evaluation, Ranking};
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, ContentArrangement, Table};

/// A table in Markdown, so that it can be pasted as it is; `numeric` columns are right-aligned.
fn table(header: &[&str], numeric: impl IntoIterator<Item = usize>) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    for i in numeric {
        if let Some(column) = table.column_mut(i) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// A number with as many decimals as its size asks for; `-` where undefined.
pub(crate) fn price(value: Option<f64>) -> String {
    value.map_or_else(
        || "-".into(),
        |v| match v.abs() {
            a if a >= 1_000.0 => format!("{v:.2}"),
            a if a >= 1.0 => format!("{v:.4}"),
            a if a > 0.0 => format!("{v:.8}"),
            _ => "0".into(),
        },
    )
}

/// A number of things: `1 step`, `24 steps`.
pub(crate) fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn fixed(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".into(), |v| format!("{v:.decimals$}"))
}

fn signed(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".into(), |v| format!("{v:+.decimals$}"))
}

fn percent(share: Option<f64>, decimals: usize) -> String {
    share.map_or_else(|| "-".into(), |v| format!("{:.decimals$} %", v * 100.0))
}

fn day(t: Timestamp) -> String {
    let text = t.to_string();
    text.get(..16).unwrap_or(&text).replace('T', " ")
}

fn span(range: Option<TimeRange>) -> String {
    range.map_or_else(|| "-".into(), |r| format!("{} to {}", day(r.from), day(r.to)))
}

fn synthetic(key: &SeriesKey) -> &'static str {
    if key.venue.is_synthetic() { " [synthetic market]" } else { "" }
}

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

/// The comparison table with what belongs beside it.
pub(crate) fn evaluation(e: &Evaluation) -> String {
    let mut text = format!(
        "{} {}, {} ahead, {}, {}{}\n",
        e.key.symbol,
        e.key.interval,
        count(e.report.horizon, "step"),
        count(e.report.origins, "origin"),
        span(e.scored),
        synthetic(&e.key),
    );
    text.push_str(&report(&e.report));
    text.push_str(&format!("\nfingerprint {}", e.fingerprint));
    text
}

/// The table of a report, with notes.
pub(crate) fn report(r: &Report) -> String {
    let level = format!("cover {:.0} %", 100.0 * r.level);
    let header = [
        "model",
        "MAE",
        "skill",
        "RMSE",
        "MAPE",
        "R2 ret.",
        "R2 price",
        "direct.",
        &level,
        "steps",
        "against naive",
        "fit s",
    ];
    let mut t = table(&header, [1, 2, 3, 4, 5, 6, 7, 8, 9, 11]);
    for m in &r.models {
        let x = &m.metrics;
        t.add_row([
            if m.baseline { format!("{} *", m.name) } else { m.name.clone() },
            price(x.mae),
            percent(x.skill, 2),
            price(x.rmse),
            x.mape.map_or_else(|| "-".into(), |v| format!("{v:.3} %")),
            signed(x.r2, 4),
            fixed(x.r2_price, 4),
            percent(x.directional_accuracy, 1),
            percent(x.coverage, 1),
            coverage_by_step(m),
            m.vs_naive.verdict.clone(),
            fixed(Some(m.fit_seconds), 1),
        ]);
    }
    let mut text = t.to_string();
    text.push_str(
        "\n* naive forecasts. skill = 1 - MAE / MAE of naive; `steps` = least and greatest coverage of one step.",
    );
    for m in &r.models {
        if let Some(line) = direction_line(m) {
            text.push('\n');
            text.push_str(&line);
        }
    }
    if r.left_out > 0 {
        text.push_str(&format!(
            "\n{} candles were no origins: missing or filled candles there or ahead, or an undefined feature.",
            r.left_out
        ));
    }
    if r.calibration_outcomes < 1_000 {
        text.push_str(&format!(
            "\nIntervals began with {} known outcomes only: early coverage is rough.",
            r.calibration_outcomes
        ));
    }
    for note in &r.notes {
        text.push('\n');
        text.push_str(note);
    }
    text
}

fn coverage_by_step(m: &ModelReport) -> String {
    let values = m.per_horizon.iter().filter_map(|s| s.coverage);
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(v), b.max(v)));
    if low > high { "-".into() } else { format!("{:.1}-{:.1} %", 100.0 * low, 100.0 * high) }
}

/// Direction and confidence of a model that is no baseline.
fn direction_line(m: &ModelReport) -> Option<String> {
    if m.baseline {
        return None;
    }
    let d = m.direction?;
    let accuracy = m.metrics.directional_accuracy?;
    let verdict = match d.test {
        Some(t) if t.p_value < 0.05 => format!("better ({})", candlecast_learn::significance::p_text(t.p_value)),
        Some(t) => format!("no evidence that it is better ({})", candlecast_learn::significance::p_text(t.p_value)),
        None => "cannot be told".into(),
    };
    let brier = m.reliability.brier.map_or_else(String::new, |b| {
        format!("; confidence: Brier {b:.4} (coin toss 0.25), ECE {}", fixed(m.reliability.ece, 3))
    });
    Some(format!(
        "{}: direction right {:.1} % against {:.1} % by always saying the usual: {verdict}{brier}",
        m.name,
        100.0 * accuracy,
        100.0 * d.reference
    ))
}

pub(crate) fn trained(t: &Trained, key: &SeriesKey) -> String {
    let mut text =
        format!("{} on {key}: forward chain over {}{}\n", t.meta.id, count(t.report.origins, "origin"), synthetic(key));
    text.push_str(&report(&t.report));
    text.push_str(&format!(
        "\nsaved {} ({} to learn from, {} to stop on, {}, {})",
        t.path.display(),
        count(t.fit.n_train, "sample"),
        t.fit.n_valid,
        count(t.fit.steps, "step"),
        match &t.candidate_because {
            None => "active".to_owned(),
            Some(why) => format!("candidate: {why}"),
        }
    ));
    if !t.fit.dropped.is_empty() {
        text.push_str(&format!("\nwarning: constant features were dropped: {}", t.fit.dropped.join(", ")));
    }
    text
}

pub(crate) fn forecast(p: &Predicted) -> String {
    let f = &p.forecast;
    let mut text = format!(
        "{} {} by {} {}, origin {} at {}{}\n",
        f.key.symbol,
        f.key.interval,
        p.meta.model_type.to_ascii_lowercase(),
        p.meta.version,
        day(f.origin),
        price(Some(f.origin_price)),
        synthetic(&f.key),
    );
    let level = format!("{:.0} % interval", 100.0 * f.level);
    let mut t = table(&["step", "time", "price", "change", &level, "confidence"], [0, 2, 3, 5]);
    for s in &f.steps {
        t.add_row([
            s.step.to_string(),
            day(s.target_time),
            price(Some(s.price)),
            format!("{:+.2} %", 100.0 * (s.price / f.origin_price - 1.0)),
            format!("{} .. {}", price(Some(s.lower)), price(Some(s.upper))),
            confidence(s, f.origin_price),
        ]);
    }
    text.push_str(&t.to_string());
    if let Some((name, confidence)) = &p.regime {
        text.push_str(&format!("\nregime: {name} ({:.0} %)", 100.0 * confidence));
    }
    for line in p.warnings() {
        text.push_str(&format!("\nwarning: {line}"));
    }
    text
}

/// The confidence, or why there is none.
fn confidence(s: &candlecast_core::ForecastStep, origin_price: f64) -> String {
    match (s.calibrated, s.price == origin_price) {
        (true, _) => format!("{:.2}", s.confidence),
        (false, true) => format!("{:.2}, no direction", s.confidence),
        (false, false) => format!("{:.2}, uncalibrated", s.confidence),
    }
}

/// One line a model, for `predict --all`.
pub(crate) fn forecast_line(p: &Predicted) -> String {
    let f = &p.forecast;
    let Some(last) = f.steps.last() else { return String::new() };
    let mut text = format!(
        "{} {} {}: {} -> {} ({:+.2} %) in {}, {:.0} % within {} .. {}, confidence {:.2}{}",
        f.key,
        p.meta.model_type.to_ascii_lowercase(),
        p.meta.version,
        price(Some(f.origin_price)),
        price(Some(last.price)),
        100.0 * (last.price / f.origin_price - 1.0),
        count(last.step, "step"),
        100.0 * f.level,
        price(Some(last.lower)),
        price(Some(last.upper)),
        last.confidence,
        synthetic(&f.key),
    );
    for line in p.warnings() {
        text.push_str(&format!("\n  warning: {line}"));
    }
    text
}

pub(crate) fn models(listed: &[Listed]) -> String {
    if listed.is_empty() {
        return "no model is saved yet: try `candlecast train`".into();
    }
    let mut t = table(&["id", "status", "trained", "horizon", "MAE", "skill", "direct."], [3, 4, 5, 6]);
    for l in listed {
        let metric = |name: &str| l.meta.as_ref().and_then(|m| m.metrics.get(name)).and_then(serde_json::Value::as_f64);
        t.add_row([
            l.name.to_string(),
            l.reason.as_ref().map_or_else(|| l.status.to_string(), |r| format!("{}: {r}", l.status)),
            l.meta.as_ref().map_or_else(|| "-".into(), |m| day(m.trained_at)),
            l.meta.as_ref().map_or_else(|| "-".into(), |m| m.horizon_steps.to_string()),
            price(metric("mae")),
            percent(metric("skill"), 2),
            percent(metric("directionalAccuracy"), 1),
        ]);
    }
    t.to_string()
}

pub(crate) fn model(m: &Meta, path: &std::path::Path) -> String {
    let pretty = |v: &serde_json::Value| serde_json::to_string_pretty(v).unwrap_or_default();
    format!(
        "{} ({}), {}\ntrained {} on {} candles, {}\nhorizon {}, seed {}, {}, {}\nfeatures: {}\nmetrics {}\nbaselines {}\nconfiguration {}\nsha256 {}\n{}",
        m.id,
        m.status,
        m.name,
        day(m.trained_at),
        m.data_points,
        span(Some(TimeRange { from: m.data_range.from, to: m.data_range.to })),
        count(m.horizon_steps, "step"),
        m.seed,
        m.program_version,
        m.instruction_set,
        if m.features.is_empty() {
            "closes only".into()
        } else {
            m.features.iter().map(|f| f.id.as_str()).collect::<Vec<_>>().join(", ")
        },
        pretty(&m.metrics),
        pretty(&m.baseline_metrics),
        pretty(&m.config),
        m.sha256,
        path.display(),
    )
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

/// A plain table of text cells.
pub(crate) fn plain(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut t = table(header, []);
    for row in rows {
        t.add_row(row);
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
        synthetic(&a.key)
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
        synthetic(&r.key),
        r.train.origins,
        span(Some(r.train.range)),
        r.valid.used,
        r.valid.origins,
        span(Some(r.valid.range)),
    );
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
        "\npermutation: rise of the squared error over the naive forecast's when the feature is shuffled, mean and deviation of {} shuffles.\n\
         MI: mutual information in nats with the return (sign and size together), and with its sign alone, {} bins; chance: the mean over {} circular shifts; p: share of shifts that reach the value.\n\
         Of {} features about {:.0} have p at or below 0.05 by chance alone.",
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
