//! One SQL statement with its values, in the dialect both databases share (`$1`, `$2`, ... and the four types).

use std::borrow::Cow;

use candlecast_core::Timestamp;

/// A value of a statement, `None` being NULL. The type goes along: PostgreSQL wants NULL typed, too.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Arg {
    Int(Option<i64>),
    Real(Option<f64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
}

/// SQL and its values in order. The SQL is built from constants of this crate only; everything from outside is
/// a value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    pub(crate) sql: Cow<'static, str>,
    pub(crate) args: Vec<Arg>,
}

impl Statement {
    pub(crate) fn new(sql: impl Into<Cow<'static, str>>) -> Self {
        Self { sql: sql.into(), args: Vec::new() }
    }

    /// The SQL with `?` in place of `$1`, `$2`, … where each stands once and in order, which leaves the meaning as it is.
    /// SQLite looks numbered places up in a list, again and again, so that a statement of thousands would take longer
    /// to bind than to run.
    pub(crate) fn with_anonymous_places(self) -> Self {
        let mut sql = String::with_capacity(self.sql.len());
        let mut rest = self.sql.as_ref();
        let mut places = 0;
        while let Some(at) = rest.find('$') {
            let after = &rest[at + 1..];
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            places += 1;
            if after[..digits].parse() != Ok(places) {
                return self;
            }
            sql.push_str(&rest[..at]);
            sql.push('?');
            rest = &after[digits..];
        }
        if places != self.args.len() {
            return self;
        }
        sql.push_str(rest);
        Self { sql: sql.into(), args: self.args }
    }

    /// Adds the next value.
    #[must_use]
    pub(crate) fn bind(mut self, value: impl Into<Arg>) -> Self {
        self.args.push(value.into());
        self
    }
}

impl From<i64> for Arg {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<u32> for Arg {
    fn from(value: u32) -> Self {
        Self::Int(Some(i64::from(value)))
    }
}

impl From<i32> for Arg {
    fn from(value: i32) -> Self {
        Self::Int(Some(i64::from(value)))
    }
}

impl From<bool> for Arg {
    fn from(value: bool) -> Self {
        Self::Int(Some(i64::from(value)))
    }
}

impl From<Timestamp> for Arg {
    fn from(value: Timestamp) -> Self {
        Self::Int(Some(value.ms()))
    }
}

impl From<f64> for Arg {
    fn from(value: f64) -> Self {
        Self::Real(Some(value))
    }
}

impl From<&str> for Arg {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}

impl From<String> for Arg {
    fn from(value: String) -> Self {
        Self::Text(Some(value))
    }
}

impl From<Vec<u8>> for Arg {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(Some(value))
    }
}

impl From<Option<i64>> for Arg {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}

impl From<Option<u32>> for Arg {
    fn from(value: Option<u32>) -> Self {
        Self::Int(value.map(i64::from))
    }
}

impl From<Option<Timestamp>> for Arg {
    fn from(value: Option<Timestamp>) -> Self {
        Self::Int(value.map(Timestamp::ms))
    }
}

impl From<Option<f64>> for Arg {
    fn from(value: Option<f64>) -> Self {
        Self::Real(value)
    }
}

impl From<Option<String>> for Arg {
    fn from(value: Option<String>) -> Self {
        Self::Text(value)
    }
}

impl From<Option<&str>> for Arg {
    fn from(value: Option<&str>) -> Self {
        Self::Text(value.map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_order_need_no_numbers() {
        let of = |sql: &'static str, n: usize| {
            let statement = (0..n).fold(Statement::new(sql), |statement, i| statement.bind(i as i64));
            statement.with_anonymous_places().sql
        };
        assert_eq!(of("INSERT INTO t VALUES ($1, $2), ($3, 'x')", 3), "INSERT INTO t VALUES (?, ?), (?, 'x')");
        assert_eq!(of("SELECT 1", 0), "SELECT 1");
        for kept in ["SELECT $2, $1", "SELECT $1, $1", "SELECT '$', $1", "SELECT $2"] {
            assert_eq!(of(kept, 2), kept);
        }
    }
}
