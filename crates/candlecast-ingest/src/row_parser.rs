//! The hot loop of every text format: the fields of one line to one row, nothing allocated unless it is bad.

use crate::instant;
use crate::layout::{Layout, Role};
use crate::row::{FIRST_OPTIONAL, Problem, RawRow, VALUE_NAMES, snippet};

/// Parses lines of one layout.
#[derive(Debug)]
pub(crate) struct RowParser {
    roles: Vec<Role>,
    separator: u8,
    /// Symbol of the first row that has one.
    symbol: Option<Vec<u8>>,
}

impl RowParser {
    pub(crate) fn new(layout: Layout, separator: u8) -> Self {
        Self { roles: layout.roles, separator, symbol: None }
    }

    pub(crate) fn symbol(&self) -> Option<String> {
        self.symbol.as_ref().map(|s| String::from_utf8_lossy(s).into_owned())
    }

    /// Parses the fields of `bytes`, a line without its end.
    pub(crate) fn parse(&mut self, line: u64, bytes: &[u8]) -> Result<RawRow, Problem> {
        if !bytes.is_ascii() && std::str::from_utf8(bytes).is_err() {
            return Err(Problem::NotUtf8);
        }
        let mut row = RawRow { line, time: 0, values: [f64::NAN; 8] };
        let mut rest = Some(bytes);
        let mut n = 0;
        while let Some(text) = rest {
            let (field, after) = split_field(text, self.separator);
            rest = after;
            match self.roles.get(n) {
                Some(Role::Skip) => {}
                Some(Role::Time) => row.time = instant::parse(clean(field))?,
                Some(&Role::Value(k)) => row.values[k] = number(clean(field), k)?,
                Some(Role::Symbol) => check_symbol(&mut self.symbol, clean(field))?,
                // One empty field past the end is a trailing separator.
                None if n == self.roles.len() && after.is_none() && field.is_empty() => break,
                None => return Err(self.wrong_count(bytes)),
            }
            n += 1;
        }
        if n < self.roles.len() { Err(self.wrong_count(bytes)) } else { Ok(row) }
    }

    #[cold]
    fn wrong_count(&self, bytes: &[u8]) -> Problem {
        Problem::Fields { found: fields(bytes, self.separator).count(), expected: self.roles.len() }
    }
}

/// The fields of a line, unquoted and trimmed.
pub(crate) fn fields(bytes: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(bytes);
    std::iter::from_fn(move || {
        let (field, after) = split_field(rest?, separator);
        rest = after;
        Some(clean(field))
    })
}

/// A value of place `k` of `RawRow::values`; an empty optional one is NaN.
#[inline]
fn number(text: &[u8], k: usize) -> Result<f64, Problem> {
    match fast_float2::parse::<f64, _>(text) {
        Ok(x) if x.is_finite() => Ok(x),
        _ if text.is_empty() && k >= FIRST_OPTIONAL => Ok(f64::NAN),
        _ if text.is_empty() => Err(Problem::Missing(VALUE_NAMES[k])),
        _ => Err(Problem::Number { field: VALUE_NAMES[k], text: snippet(text) }),
    }
}

/// A file that holds several symbols keeps that of its first row; the rest is refused row by row.
fn check_symbol(first: &mut Option<Vec<u8>>, found: &[u8]) -> Result<(), Problem> {
    match first {
        None => {
            *first = Some(found.to_vec());
            Ok(())
        }
        Some(first) if first.as_slice() == found => Ok(()),
        Some(first) => Err(Problem::OtherSymbol { found: snippet(found), first: snippet(first) }),
    }
}

/// The first field of `text`, and what follows its separator.
#[inline]
fn split_field(text: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    let quoted = if text.first() == Some(&b'"') { memchr::memchr(b'"', &text[1..]).map_or(0, |n| n + 2) } else { 0 };
    match memchr::memchr(separator, &text[quoted..]) {
        Some(n) => (&text[..quoted + n], Some(&text[quoted + n + 1..])),
        None => (text, None),
    }
}

/// Without blanks around it and one pair of quotes.
#[inline]
fn clean(field: &[u8]) -> &[u8] {
    let field = field.trim_ascii();
    match field {
        [b'"', inner @ .., b'"'] => inner.trim_ascii(),
        _ => field,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{binance, ohlcv};

    fn parse(text: &str) -> Result<RawRow, Problem> {
        RowParser::new(ohlcv(), b',').parse(1, text.as_bytes())
    }

    #[test]
    fn fields_become_numbers() {
        let row = parse("1704067200000, \"1.5\",2e0,+1,1.75,\"0\"").unwrap();
        assert_eq!((row.time, &row.values[..5]), (1_704_067_200_000, &[1.5, 2.0, 1.0, 1.75, 0.0][..]));
        assert!(row.values[5..].iter().all(|v| v.is_nan()));
        assert!(parse("1704067200000,1,2,1,1,5,").is_ok());
    }

    #[test]
    fn bad_fields_are_named() {
        let field = |text: &str| match parse(text) {
            Err(Problem::Number { field, .. } | Problem::Missing(field)) => field,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(field("1704067200000,NaN,2,1,1,5"), "open");
        assert_eq!(field("1704067200000,1,inf,1,1,5"), "high");
        assert_eq!(field("1704067200000,1,2,1x,1,5"), "low");
        assert_eq!(field("1704067200000,1,2,1,1e999,5"), "close");
        assert_eq!(field("1704067200000,1,2,1,1,"), "volume");
        assert_eq!(parse("1704067200000,1,2,1"), Err(Problem::Fields { found: 4, expected: 6 }));
        assert_eq!(parse("1704067200000,1,2,1,1,5,7"), Err(Problem::Fields { found: 7, expected: 6 }));
        assert_eq!(parse("1704067200000,1,2,1,1,5,,"), Err(Problem::Fields { found: 8, expected: 6 }));
        assert!(matches!(parse("x,1,2,1,1,5"), Err(Problem::Time(_))));
        assert_eq!(RowParser::new(ohlcv(), b',').parse(1, b"\xff,1,2,1,1,5"), Err(Problem::NotUtf8));
    }

    #[test]
    fn optional_fields_may_be_empty() {
        let line = b"1704067200000,1,2,1,1,5,1704070799999,,17,,0,0";
        let row = RowParser::new(binance(), b',').parse(3, line).unwrap();
        assert!(row.values[5].is_nan() && row.values[7].is_nan());
        assert_eq!((row.values[6], row.line), (17.0, 3));
    }

    #[test]
    fn separators_inside_quotes_do_not_split() {
        let found: Vec<&[u8]> = fields(b"\"a,b\",c,\"\"", b',').collect();
        assert_eq!(found, [&b"a,b"[..], b"c", b""]);
    }
}
