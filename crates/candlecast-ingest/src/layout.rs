//! [`Layout`]: what each column of a file means, by name or by position.

use crate::row::{CLOSE, HIGH, LOW, OPEN, QUOTE_VOLUME, TAKER_BUY_BASE, TRADES, VALUE_NAMES, VOLUME};
use crate::{IngestError, VolumeUnit};

/// Meaning of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Skip,
    Time,
    /// Place in `RawRow::values`.
    Value(usize),
    Symbol,
}

/// Meaning of all columns, in the file's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) roles: Vec<Role>,
}

/// Time columns, the surest first: a file may have a date beside its unix time.
const TIME: &[&str] = &[
    "opentime",
    "opentimems",
    "opentimestamp",
    "klineopentime",
    "timestamp",
    "timestampms",
    "unix",
    "unixtimestamp",
    "unixtime",
    "time",
    "datetime",
    "date",
    "starttime",
    "start",
    "ts",
    "t",
    "indexlevel0",
];
const BASE_VOLUME: &[&str] = &["volume", "vol", "basevolume", "volumebase", "v", "baseassetvolume", "volumefrom"];
const QUOTE: &[&str] = &[
    "quotevolume",
    "quoteassetvolume",
    "volumequote",
    "quotevol",
    "qav",
    "turnover",
    "volumecurrency",
    "volumeto",
    "quotecurrencyvolume",
];
const TRADE_COUNT: &[&str] = &[
    "trades",
    "count",
    "tradecount",
    "numberoftrades",
    "numberoftrade",
    "numtrades",
    "ntrades",
    "tradescount",
    "tradenum",
    "n",
];
const TAKER: &[&str] = &[
    "takerbuybase",
    "takerbuyvolume",
    "takerbuybaseassetvolume",
    "takerbuybasevolume",
    "takerbasevolume",
    "takerbuybasevol",
    "tbbav",
    "takerbuybaseasset",
];
const SYMBOL: &[&str] = &["symbol", "pair", "ticker", "tic"];
/// Currencies that mark `Volume USDT` as the quote volume.
const MONEY: &[&str] = &["usdt", "usdc", "usd", "busd", "tusd", "fdusd", "dai", "eur", "gbp", "jpy", "krw", "try"];

/// Columns by name; case, blanks and punctuation do not count.
pub(crate) fn by_names(names: &[String], unit: VolumeUnit) -> Result<Layout, IngestError> {
    let plain: Vec<String> = names.iter().map(|n| plain(n)).collect();
    let find = |known: &[&str]| known.iter().find_map(|k| plain.iter().position(|p| p == k));
    let (base, quote) = volumes(&plain, find(BASE_VOLUME), find(QUOTE), unit);
    let required = [
        ("open_time", Role::Time, find(TIME)),
        ("open", Role::Value(OPEN), find(&["open", "o", "openprice", "priceopen"])),
        ("high", Role::Value(HIGH), find(&["high", "h", "highprice", "pricehigh"])),
        ("low", Role::Value(LOW), find(&["low", "l", "lowprice", "pricelow"])),
        ("close", Role::Value(CLOSE), find(&["close", "c", "closeprice", "priceclose"])),
        (VALUE_NAMES[VOLUME], Role::Value(VOLUME), base),
    ];
    let missing: Vec<&str> = required.iter().filter(|(.., at)| at.is_none()).map(|&(name, ..)| name).collect();
    if !missing.is_empty() {
        let shown: Vec<String> = names.iter().take(30).map(|n| n.chars().take(40).collect()).collect();
        return Err(IngestError::MissingColumns { missing: missing.join(", "), found: shown.join(", ") });
    }
    let optional = [
        (Role::Value(QUOTE_VOLUME), quote),
        (Role::Value(TRADES), find(TRADE_COUNT)),
        (Role::Value(TAKER_BUY_BASE), find(TAKER)),
        (Role::Symbol, find(SYMBOL)),
    ];
    let mut roles = vec![Role::Skip; names.len()];
    let found = required.iter().map(|&(_, role, at)| (role, at)).chain(optional);
    for (role, at) in found {
        if let Some(at) = at {
            roles[at] = role;
        }
    }
    Ok(Layout { roles })
}

/// Places of base and quote volume. `Volume BTC, Volume USDT` (CryptoDataDownload) are told apart by the
/// currency; with quote as the declared unit a lone quote-volume column serves as the volume.
fn volumes(
    plain: &[String],
    base: Option<usize>,
    quote: Option<usize>,
    unit: VolumeUnit,
) -> (Option<usize>, Option<usize>) {
    let of_coin: Vec<(usize, &str)> = plain
        .iter()
        .enumerate()
        .filter(|(i, _)| Some(*i) != base && Some(*i) != quote)
        .filter_map(|(i, p)| Some((i, p.strip_prefix("volume").filter(|coin| !coin.is_empty())?)))
        .collect();
    let in_money = |&&(_, coin): &&(usize, &str)| MONEY.contains(&coin);
    let base = base.or_else(|| {
        let mut coins = of_coin.iter().filter(|c| !in_money(c));
        // `Volume USDC, Volume USDT`: both are money, the first is the base.
        coins.next().or_else(|| of_coin.first().filter(|_| of_coin.len() > 1)).map(|c| c.0)
    });
    let quote = quote.or_else(|| of_coin.iter().find(|c| Some(c.0) != base && in_money(c)).map(|c| c.0));
    match (unit, base, quote) {
        (VolumeUnit::Quote, None, quote) => (quote, None),
        _ => (base, quote),
    }
}

/// The 12 columns of Binance: open time, prices, volume, close time, quote volume, trades, taker buy base,
/// taker buy quote, unused.
pub(crate) fn binance() -> Layout {
    let mut roles = ohlcv().roles;
    roles.extend([
        Role::Skip,
        Role::Value(QUOTE_VOLUME),
        Role::Value(TRADES),
        Role::Value(TAKER_BUY_BASE),
        Role::Skip,
        Role::Skip,
    ]);
    Layout { roles }
}

/// Open time, prices, volume.
pub(crate) fn ohlcv() -> Layout {
    let values = [OPEN, HIGH, LOW, CLOSE, VOLUME].map(Role::Value);
    Layout { roles: std::iter::once(Role::Time).chain(values).collect() }
}

/// The layout of `n` columns without names, where one is known.
pub(crate) fn by_count(n: usize) -> Option<Layout> {
    match n {
        6 => Some(ohlcv()),
        12 => Some(binance()),
        _ => None,
    }
}

/// Lower-case letters and digits of a column's name.
pub(crate) fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(header: &str, unit: VolumeUnit) -> Result<Vec<Role>, IngestError> {
        let names: Vec<String> = header.split(',').map(str::to_string).collect();
        by_names(&names, unit).map(|l| l.roles)
    }

    #[test]
    fn usual_headers_are_known() {
        use Role::{Skip, Symbol, Time, Value};
        let prices = [Value(OPEN), Value(HIGH), Value(LOW), Value(CLOSE)];
        let roles = layout("unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT,tradecount", VolumeUnit::Base);
        let expected: Vec<Role> = [Time, Skip, Symbol]
            .into_iter()
            .chain(prices)
            .chain([Value(VOLUME), Value(QUOTE_VOLUME), Value(TRADES)])
            .collect();
        assert_eq!(roles.unwrap(), expected);
        let binance_header = "Open time,Open,High,Low,Close,Volume,Close time,Quote asset volume,Number of trades,\
            Taker buy base asset volume,Taker buy quote asset volume,Ignore";
        assert_eq!(layout(binance_header, VolumeUnit::Base).unwrap(), binance().roles);
        let mixed = layout("volume,close,low,high,open,Date", VolumeUnit::Base).unwrap();
        assert_eq!(mixed, [Value(VOLUME), Value(CLOSE), Value(LOW), Value(HIGH), Value(OPEN), Time]);
        let swapped = layout("date,open,high,low,close,Volume USDT,Volume ETH", VolumeUnit::Base).unwrap();
        assert_eq!(swapped[5..], [Value(QUOTE_VOLUME), Value(VOLUME)]);
    }

    #[test]
    fn a_lone_quote_volume_needs_the_unit() {
        let header = "time,open,high,low,close,quote_volume";
        assert!(matches!(
            layout(header, VolumeUnit::Base),
            Err(IngestError::MissingColumns { missing, .. }) if missing == "volume"
        ));
        assert_eq!(layout(header, VolumeUnit::Quote).unwrap()[5], Role::Value(VOLUME));
    }

    #[test]
    fn what_is_missing_is_named() {
        match layout("a,open,b", VolumeUnit::Base) {
            Err(IngestError::MissingColumns { missing, found }) => {
                assert_eq!(missing, "open_time, high, low, close, volume");
                assert_eq!(found, "a, open, b");
            }
            other => panic!("{other:?}"),
        }
    }
}
