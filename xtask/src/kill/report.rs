//! [`Report`]: what the crash harness did.

use std::fmt;
use std::time::Duration;

/// What was done; there is a report only if nothing was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// As planned.
    pub seed: u64,
    /// A row for each kind of work on each database.
    pub rows: Vec<Row>,
}

/// One kind of work on one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What was killed.
    pub kind: &'static str,
    /// Where the records lay.
    pub records: &'static str,
    /// Runs that were to be killed.
    pub runs: usize,
    /// Those that the kill cut short.
    pub landed: usize,
    /// Rounds after which something acknowledged was not there.
    pub lost: usize,
    /// Time of all its rounds, with what was looked at after each.
    pub took: Duration,
}

impl Report {
    /// Kills that came before the program's own end.
    pub fn n_landed(&self) -> usize {
        self.rows.iter().map(|row| row.landed).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_runs: usize = self.rows.iter().map(|row| row.runs).sum();
        writeln!(
            f,
            "kill -9 at {n_runs} random moments (seed {}), {} of them before the program's own end\n",
            self.seed,
            self.n_landed()
        )?;
        writeln!(f, "| killed | records in | runs | landed | lost | took |")?;
        writeln!(f, "| --- | --- | ---: | ---: | ---: | ---: |")?;
        for Row { kind, records, runs, landed, lost, took } in &self.rows {
            writeln!(f, "| {kind} | {records} | {runs} | {landed} | {lost} | {:.0} s |", took.as_secs_f64())?;
        }
        write!(
            f,
            "\nAfter each, every database opened and every partition and document was whole; no acknowledged candle, model, \
             job, line of the ledger, run or prediction was missing or had changed; and the work was brought to the end \
             that it has undisturbed: the same rows, the same results, models and tries bit for bit, the same predictions, \
             and a backup that restores all of it."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_row_a_kind_and_database() {
        let row = |records, landed| Row {
            kind: "import",
            records,
            runs: 12,
            landed,
            lost: 0,
            took: Duration::from_millis(30_400),
        };
        let report = Report { seed: 9, rows: vec![row("SQLite", 10), row("PostgreSQL", 11)] };
        let text = report.to_string();
        assert_eq!(report.n_landed(), 21);
        assert!(text.starts_with("kill -9 at 24 random moments (seed 9), 21 of them"), "{text}");
        assert!(text.contains("\n| import | PostgreSQL | 12 | 11 | 0 | 30 s |\n"), "{text}");
    }
}
