//! What a file name says about its series.
//!
//! `BTCUSDT-1h.csv.gz`, `FILUSDT_PERP-1m.2023-08_2023-11.csv.gz`, `BINANCEUS_BTCUSD-1m.csv`,
//! `BTC_USDT-1h.feather`, `BTC_USDT_USDT-1h-futures.feather`, `Binance_BTCUSDT_1h.csv`, `BTCUSDT-1h-2023-01.zip`.

use candlecast_core::{Interval, Symbol, Venue};

/// The parts of a key that a name gives away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NamedKey {
    pub(crate) venue: Option<Venue>,
    pub(crate) symbol: Option<Symbol>,
    pub(crate) interval: Option<Interval>,
}

const VENUES: [&str; 16] = [
    "binance",
    "binanceus",
    "bitfinex",
    "bitmex",
    "bitstamp",
    "bybit",
    "cexio",
    "coinbase",
    "ftx",
    "gateio",
    "gemini",
    "huobi",
    "kraken",
    "kucoin",
    "okx",
    "poloniex",
];
/// Quote assets that end a symbol in any case, since hardly a word ends in them.
const PLAIN_QUOTES: [&str; 6] = ["USDT", "USDC", "BUSD", "USD", "BTC", "DAI"];
/// Quote assets trusted only in upper case.
const UPPER_QUOTES: [&str; 11] = ["ETH", "BNB", "EUR", "GBP", "TRY", "JPY", "BRL", "AUD", "KRW", "FDUSD", "TUSD"];
const USDM: &str = "binance-usdm";

/// Reads the last component of `path`.
pub(crate) fn key_of(path: &str) -> NamedKey {
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let mut dotted = file.split('.');
    let stem = dotted.next().unwrap_or_default();
    let tokens: Vec<&str> = stem.split(['-', '_', ' ']).filter(|t| !t.is_empty()).collect();
    let at = (1..tokens.len()).find(|&i| interval_of(tokens[i]).is_some());
    let mut names = &tokens[..at.unwrap_or(tokens.len())];
    if let Some(date) = names.iter().position(|t| is_date(t)) {
        names = &names[..date];
    }
    let after = tokens.iter().skip(at.map_or(tokens.len(), |i| i + 1)).copied();
    let mut futures = after.chain(dotted).any(|t| t.eq_ignore_ascii_case("futures"));
    let mut venue = None;
    if let [first, rest @ ..] = names
        && !rest.is_empty()
        && VENUES.iter().any(|v| v.eq_ignore_ascii_case(first))
    {
        venue = Venue::new(first).ok();
        names = rest;
    }
    let mut any_quote = false;
    if let [rest @ .., last] = names
        && !rest.is_empty()
        && last.eq_ignore_ascii_case("PERP")
    {
        (futures, any_quote) = (true, true);
        names = rest;
    }
    futures |= matches!(names, [_, quote, settle] if quote == settle);
    if futures && venue.as_ref().is_none_or(|v| *v == Venue::binance()) {
        venue = Venue::new(USDM).ok();
    }
    NamedKey { venue, symbol: symbol_of(names, any_quote), interval: at.and_then(|i| interval_of(tokens[i])) }
}

fn symbol_of(names: &[&str], any_quote: bool) -> Option<Symbol> {
    match names {
        [one] if any_quote || ends_with_quote(one) => Symbol::new(one).ok(),
        [base, quote] if any_quote || is_quote(quote) => upper_pair(base, quote),
        [base, quote, settle] if quote == settle && is_quote(quote) => upper_pair(base, quote),
        _ => None,
    }
}

/// Two tokens are a pair only in upper case: `my_btc.csv` names no symbol.
fn upper_pair(base: &str, quote: &str) -> Option<Symbol> {
    let upper = !base.bytes().chain(quote.bytes()).any(|b| b.is_ascii_lowercase());
    if upper { Symbol::new(&format!("{base}{quote}")).ok() } else { None }
}

fn is_quote(token: &str) -> bool {
    PLAIN_QUOTES.iter().chain(&UPPER_QUOTES).any(|q| *q == token)
}

fn ends_with_quote(token: &str) -> bool {
    let upper = token.to_ascii_uppercase();
    let ends = |text: &str, quotes: &[&str]| quotes.iter().any(|q| text.len() > q.len() && text.ends_with(q));
    ends(&upper, &PLAIN_QUOTES) || ends(token, &UPPER_QUOTES)
}

fn is_date(token: &str) -> bool {
    matches!(token.len(), 4 | 8) && token.bytes().all(|b| b.is_ascii_digit())
}

/// Interval names, also those of CryptoDataDownload. `1M` is a month, which is no interval here.
fn interval_of(token: &str) -> Option<Interval> {
    if token.ends_with('M') {
        return None;
    }
    match token.to_ascii_lowercase().as_str() {
        "d" | "day" | "daily" => Some(Interval::D1),
        "hour" | "hourly" => Some(Interval::H1),
        "minute" | "1min" => Some(Interval::M1),
        "5min" => Some(Interval::M5),
        other => other.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> (Option<String>, Option<String>, Option<String>) {
        let key = key_of(name);
        (key.venue.map(|v| v.to_string()), key.symbol.map(|s| s.to_string()), key.interval.map(|i| i.to_string()))
    }

    #[test]
    fn usual_names_are_read() {
        let cases = [
            ("BTCUSDT-1h.csv.gz", "", "BTCUSDT", "1h"),
            ("BTCUSDT-1m.2021-04-20_2021-05-20.csv.gz", "", "BTCUSDT", "1m"),
            ("FILUSDT_PERP-1m.2023-08_2023-11.csv.gz", "binance-usdm", "FILUSDT", "1m"),
            ("BTC_PERP-1m.2021-12-31_2022-02-01.csv.gz", "binance-usdm", "BTC", "1m"),
            ("BINANCEUS_BTCUSD-1m.2023-03-01_2023-03-21.csv.gz", "binanceus", "BTCUSD", "1m"),
            ("user_data/BTC_USDT-1h.feather", "", "BTCUSDT", "1h"),
            ("BTC_USDT_USDT-1h-futures.feather", "binance-usdm", "BTCUSDT", "1h"),
            ("Binance_BTCUSDT_1h.csv", "binance", "BTCUSDT", "1h"),
            ("Bitstamp_BTCUSD_d.csv", "bitstamp", "BTCUSD", "1d"),
            ("BTCUSDT-1h-2023-01.zip", "", "BTCUSDT", "1h"),
            ("BTCUSDT-1h-2024-12.tail48.csv", "", "BTCUSDT", "1h"),
            ("FILUSDT-1m-2023-09.futures.head1441.csv", "binance-usdm", "FILUSDT", "1m"),
            ("btcusdt_5m.csv", "", "BTCUSDT", "5m"),
            ("SNGLSBTC-1m.csv", "", "SNGLSBTC", "1m"),
            ("1000SHIBUSDT-15m-2024-01-01.csv", "", "1000SHIBUSDT", "15m"),
            ("ETH-USDT.csv", "", "ETHUSDT", ""),
        ];
        for (name, venue, symbol, interval) in cases {
            let text = |s: &str| (!s.is_empty()).then(|| s.to_string());
            assert_eq!(read(name), (text(venue), text(symbol), text(interval)), "{name}");
        }
    }

    #[test]
    fn words_are_no_symbols() {
        for name in
            ["klines_1m_2024-11.json", "data.csv", "my_btc_1h.csv", "entry-1h.csv", "", "1h.csv", "../x", "BTC-1h.csv"]
        {
            assert_eq!(key_of(name).symbol, None, "{name}");
        }
        assert_eq!(key_of("BTCUSDT-1M.csv").interval, None);
    }
}
