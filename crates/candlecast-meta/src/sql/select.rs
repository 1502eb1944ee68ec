//! Lists: conditions joined by AND, newest first, continued by keyset, so that page 10,000 costs what page 1 does.

use candlecast_core::SeriesKey;

use crate::db::{Arg, Database, Record, Statement};
use crate::{Cursor, MetaError, Page, PageRequest};

/// A list of one table, filtered and paged. All SQL text comes from constants.
pub(crate) struct Select {
    sql: String,
    args: Vec<Arg>,
    time_column: &'static str,
    conditions: usize,
    oldest_first: bool,
}

impl Select {
    /// Reads `columns` of `table`, ordered by `time_column` and `seq`.
    pub(crate) fn new(columns: &str, table: &str, time_column: &'static str) -> Self {
        Self {
            sql: format!("SELECT seq, {columns} FROM {table}"),
            args: Vec::new(),
            time_column,
            conditions: 0,
            oldest_first: false,
        }
    }

    /// Reads expressions over groups of `table`; ends with [`grouped`](Self::grouped).
    pub(crate) fn aggregate(expressions: &str, table: &str) -> Self {
        Self { sql: format!("SELECT {expressions} FROM {table}"), ..Self::new("", table, "seq") }
    }

    /// The statement of an aggregate, one record a group, in the order of the groups.
    pub(crate) fn grouped(mut self, columns: &str) -> Statement {
        self.sql.push_str(&format!(" GROUP BY {columns} ORDER BY {columns}"));
        Statement { sql: self.sql.into(), args: self.args }
    }

    /// The statement of an aggregate that has one record for each of `table`, the newest by `time_column` first, at most
    /// `limit`.
    pub(crate) fn newest(mut self, time_column: &str, limit: u32) -> Statement {
        let limit = self.placeholder(limit.into());
        self.sql.push_str(&format!(" ORDER BY {time_column} DESC, seq DESC LIMIT {limit}"));
        Statement { sql: self.sql.into(), args: self.args }
    }

    /// Turns the order round.
    pub(crate) fn oldest_first(&mut self) {
        self.oldest_first = true;
    }

    /// Adds a condition without values.
    pub(crate) fn literal(&mut self, condition: &str) {
        self.sql.push_str(if self.conditions == 0 { " WHERE " } else { " AND " });
        self.sql.push_str(condition);
        self.conditions += 1;
    }

    /// Adds a condition on one value: `column`, then the operator.
    pub(crate) fn compare(&mut self, column_and_operator: &str, value: impl Into<Arg>) {
        let placeholder = self.placeholder(value.into());
        self.literal(&format!("{column_and_operator} {placeholder}"));
    }

    /// Adds `column IN (values)`; nothing for no values.
    pub(crate) fn any_of<V: Into<Arg>>(&mut self, column: &str, values: impl IntoIterator<Item = V>) {
        let placeholders: Vec<String> = values.into_iter().map(|value| self.placeholder(value.into())).collect();
        match placeholders.as_slice() {
            [] => {}
            [only] => self.literal(&format!("{column} = {only}")),
            several => self.literal(&format!("{column} IN ({})", several.join(", "))),
        }
    }

    /// Adds the three columns of a series.
    pub(crate) fn series(&mut self, series: &SeriesKey) {
        self.compare("venue =", series.venue.as_str());
        self.compare("symbol =", series.symbol.as_str());
        self.compare("\"interval\" =", series.interval.to_string());
    }

    fn placeholder(&mut self, value: Arg) -> String {
        self.args.push(value);
        format!("${}", self.args.len())
    }

    fn statement(mut self, page: PageRequest, limit: u32) -> Statement {
        let (time, oldest) = (self.time_column, self.oldest_first);
        if let Some(after) = page.after {
            let (at, seq) = (self.placeholder(after.time_ms.into()), self.placeholder(after.seq.into()));
            self.literal(&format!("({time}, seq) {} ({at}, {seq})", if oldest { ">" } else { "<" }));
        }
        let order = if oldest { "ASC" } else { "DESC" };
        let limit = self.placeholder(limit.into());
        self.sql.push_str(&format!(" ORDER BY {time} {order}, seq {order} LIMIT {limit}"));
        Statement { sql: self.sql.into(), args: self.args }
    }

    /// Reads a page.
    pub(crate) async fn page<T>(
        self,
        db: &Database,
        page: PageRequest,
        read: fn(&Record) -> Result<T, MetaError>,
    ) -> Result<Page<T>, MetaError> {
        let limit = page.checked_limit()?;
        let time_column = self.time_column;
        // One more than asked for tells whether there is a next page.
        let mut rows = db.rows(self.statement(page, limit + 1)).await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = match rows.last() {
            Some(last) if more => Some(Cursor { time_ms: last.int(time_column)?, seq: last.int("seq")? }),
            _ => None,
        };
        let items = rows.iter().map(read).collect::<Result<Vec<T>, MetaError>>()?;
        Ok(Page { items, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_an_aggregate_are_limited() {
        let mut select = Select::aggregate("id, body", "ml_ledger JOIN ml_ledger_days ON try_id = id");
        select.compare("measure =", "m");
        let statement = select.newest("tried_at", 7);
        assert_eq!(
            statement.sql,
            "SELECT id, body FROM ml_ledger JOIN ml_ledger_days ON try_id = id WHERE measure = $1 \
             ORDER BY tried_at DESC, seq DESC LIMIT $2"
        );
        assert_eq!(statement.args[1], Arg::Int(Some(7)));
    }

    #[test]
    fn conditions_number_their_values_in_order() {
        let mut select = Select::new("id", "ml_runs", "started_at");
        select.any_of("kind", ["train", "check"]);
        select.any_of("state", Vec::<String>::new());
        select.compare("started_at >=", 5_i64);
        let page = PageRequest { after: Some(Cursor { time_ms: 9, seq: 4 }), limit: 10 };
        let statement = select.statement(page, 11);
        assert_eq!(
            statement.sql,
            "SELECT seq, id FROM ml_runs WHERE kind IN ($1, $2) AND started_at >= $3 \
             AND (started_at, seq) < ($4, $5) ORDER BY started_at DESC, seq DESC LIMIT $6"
        );
        assert_eq!(statement.args.len(), 6);
        assert_eq!(statement.args[5], Arg::Int(Some(11)));
    }
}
