//! Cells and tables for people.

use candlecast_core::{TimeRange, Timestamp};
use candlecast_pipeline::doc::HitRateDoc;
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, ContentArrangement, Table};

/// Length of a day, ms.
const DAY_MS: i64 = 86_400_000;

/// A table in Markdown, so that it can be pasted as it is; `numeric` columns are right-aligned.
pub fn table(header: &[&str], numeric: impl IntoIterator<Item = usize>) -> Table {
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
pub fn price(value: Option<f64>) -> String {
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
pub fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// `decimals` decimals; `-` where undefined.
pub fn fixed(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".into(), |v| format!("{v:.decimals$}"))
}

/// The same with its sign.
pub fn signed(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".into(), |v| format!("{v:+.decimals$}"))
}

/// A share in percent; `-` where undefined.
pub fn percent(share: Option<f64>, decimals: usize) -> String {
    share.map_or_else(|| "-".into(), |v| format!("{:.decimals$} %", v * 100.0))
}

/// A share in percent, with the decimals that it needs: `5 %`, `97.5 %`.
pub fn share(share: f64) -> String {
    format!("{} %", (1e6 * share).round() / 1e4)
}

/// To the minute.
pub fn day(t: Timestamp) -> String {
    let text = t.to_string();
    text.get(..16).unwrap_or(&text).replace('T', " ")
}

/// How often what `what` names was right, and when: `direction of the last three months, 2023-10-01 to 2023-12-31: 55.6 %
/// (90 % interval 54.1 to 57.1 %)`. Where clearly less than three months were looked at, of all origins.
pub fn hit_rate(what: &str, h: &HitRateDoc) -> String {
    let whole = h.from <= h.to.months_before(3).plus_ms(3 * DAY_MS);
    let when = if whole { "the last three months" } else { "all origins" };
    // The day of the last instant, not the one that begins where the range ends.
    let [from, to] = [h.from, h.to.plus_ms(-1)].map(|t| t.to_string().chars().take(10).collect::<String>());
    let interval = interval(h.lower, h.upper);
    format!("{what} of {when}, {from} to {to}: {:.1} % ({interval})", 100.0 * h.rate)
}

/// The 90 % interval of a share, or that there is none.
pub fn interval(lower: Option<f64>, upper: Option<f64>) -> String {
    match lower.zip(upper) {
        Some((lower, upper)) => format!("90 % interval {:.1} to {:.1} %", 100.0 * lower, 100.0 * upper),
        None => "too few for an interval".into(),
    }
}

/// From when to when.
pub fn span(range: Option<TimeRange>) -> String {
    range.map_or_else(|| "-".into(), |r| format!("{} to {}", day(r.from), day(r.to)))
}

/// What marks generated markets wherever they are shown.
pub fn synthetic(is_synthetic: bool) -> &'static str {
    if is_synthetic { " [synthetic market]" } else { "" }
}

/// A plain table of text cells.
pub fn plain(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut t = table(header, []);
    for row in rows {
        t.add_row(row);
    }
    t.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_rate_is_told_with_its_days_and_its_interval() {
        let time = |text: &str| Timestamp::parse(text).unwrap();
        let year = HitRateDoc {
            from: time("2023-10-01"),
            to: time("2024-01-01"),
            rate: 0.5562,
            lower: Some(0.5413),
            upper: Some(0.5711),
            origins: 2_208,
        };
        assert_eq!(
            hit_rate("direction", &year),
            "direction of the last three months, 2023-10-01 to 2023-12-31: 55.6 % (90 % interval 54.1 to 57.1 %)"
        );
        let short = HitRateDoc { from: time("2023-12-31T22:00:00Z"), lower: None, upper: None, origins: 2, ..year };
        assert_eq!(
            hit_rate("class", &short),
            "class of all origins, 2023-12-31 to 2023-12-31: 55.6 % (too few for an interval)"
        );
    }

    #[test]
    fn shares_have_the_decimals_they_need() {
        assert_eq!([0.05, 0.9, 0.975, 0.29, 0.0125].map(share), ["5 %", "90 %", "97.5 %", "29 %", "1.25 %"]);
    }
}
