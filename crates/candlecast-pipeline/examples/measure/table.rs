//! [`Table`]: a Markdown table, and how its numbers are written.

use std::fmt;

/// A Markdown table; the first column stands left, all others right.
#[derive(Debug)]
pub(crate) struct Table {
    lines: Vec<String>,
}

impl Table {
    /// Only the heads of `columns` yet.
    pub(crate) fn new(columns: &[&str]) -> Self {
        let rules: Vec<&str> = (0..columns.len()).map(|k| if k == 0 { "---" } else { "---:" }).collect();
        Self { lines: vec![line(columns), line(&rules)] }
    }

    /// Adds a row with one cell a column.
    pub(crate) fn row(&mut self, cells: &[String]) {
        self.lines.push(line(cells));
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

fn line<T: AsRef<str>>(cells: &[T]) -> String {
    let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |", cells.join(" | "))
}

/// A share as a percentage, `-` where there is none.
pub(crate) fn percent(share: Option<f64>, decimals: usize) -> String {
    share.map_or_else(|| "-".into(), |v| format!("{:.decimals$} %", 100.0 * v))
}

/// The same with its sign.
pub(crate) fn signed(share: Option<f64>, decimals: usize) -> String {
    share.map_or_else(|| "-".into(), |v| format!("{:+.decimals$} %", 100.0 * v))
}

/// A number, `-` where there is none.
pub(crate) fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".into(), |v| format!("{v:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_markdown() {
        let mut table = Table::new(&["coin", "skill", "t"]);
        table.row(&["A".into(), signed(Some(0.00123), 2), number(None, 1)]);
        assert_eq!(table.to_string(), "| coin | skill | t |\n| --- | ---: | ---: |\n| A | +0.12 % | - |");
        assert_eq!((percent(Some(0.5), 1), number(Some(2.345), 2)), ("50.0 %".into(), "2.35".into()));
    }
}
