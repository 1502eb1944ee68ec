//! Which stored series come nearest to a name that is not stored.

use candlecast_core::SeriesKey;

const MOST: usize = 3;

/// Up to three of `stored`, by edit distance of the symbol, then of the whole name.
pub(crate) fn nearest(key: &SeriesKey, stored: impl IntoIterator<Item = SeriesKey>) -> Vec<SeriesKey> {
    let name = key.to_string();
    let mut ranked: Vec<(usize, usize, SeriesKey)> = stored
        .into_iter()
        .map(|s| (distance(key.symbol.as_str(), s.symbol.as_str()), distance(&name, &s.to_string()), s))
        .collect();
    ranked.sort();
    ranked.into_iter().take(MOST).map(|(_, _, s)| s).collect()
}

/// Levenshtein distance of two ASCII texts; O(a * b) time, O(b) space.
fn distance(a: &str, b: &str) -> usize {
    let b = b.as_bytes();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlecast_core::{Interval, Symbol, Venue};

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (a, b, d) in
            [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("same", "same", 0), ("flaw", "lawn", 2)]
        {
            assert_eq!(distance(a, b), d, "{a} {b}");
        }
    }

    #[test]
    fn the_same_symbol_comes_first() {
        let key = |symbol: &str, interval| SeriesKey::new(Venue::binance(), Symbol::new(symbol).unwrap(), interval);
        let stored = [
            key("ETHUSDT", Interval::H1),
            key("BTCUSDT", Interval::M1),
            key("XRPUSDT", Interval::H1),
            key("BTCUSD", Interval::H1),
        ];
        let found = nearest(&key("BTCUSDT", Interval::H1), stored);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0], key("BTCUSDT", Interval::M1));
        assert_eq!(found[1], key("BTCUSD", Interval::H1));
    }
}
