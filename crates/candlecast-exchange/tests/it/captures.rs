//! Order books from recorded depth messages agree with the best prices and trades recorded beside them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use candlecast_core::Interval;
use candlecast_exchange::{Binance, BookStep, BookSync, Level, LiveProtocol, OrderBook, Protocol, Wire};
use serde_json::Value;

fn recorded(name: &str) -> Option<File> {
    let path = candlecast_testenv::real_data()?.join("raw").join(name);
    let file = File::open(&path).ok();
    if file.is_none() {
        candlecast_testenv::missing(&format!("the capture {}", path.display()));
    }
    file
}

/// The messages of a recording, each after its time.
fn capture(name: &str, separator: &str) -> Option<Vec<String>> {
    let lines = BufReader::new(flate2::read::GzDecoder::new(recorded(name)?)).lines();
    let message = |line: std::io::Result<String>| line.unwrap().split_once(separator).map(|(_, m)| m.to_owned());
    Some(lines.filter_map(message).collect())
}

fn level(data: &Value, price: &str, quantity: &str) -> Level {
    let number = |name: &str| data[name].as_str().unwrap().parse::<f64>().unwrap();
    Level::new(number(price), number(quantity)).unwrap()
}

/// The best prices by update number, from the messages that say them.
fn tickers(lines: &[String]) -> BTreeMap<u64, (Level, Level)> {
    let mut best = BTreeMap::new();
    for line in lines.iter().filter(|l| l.contains("@bookTicker")) {
        let message: Value = serde_json::from_str(line).unwrap();
        let data = &message["data"];
        best.insert(data["u"].as_u64().unwrap(), (level(data, "b", "B"), level(data, "a", "A")));
    }
    best
}

#[derive(Default)]
struct Outcome {
    applied: usize,
    resyncs: usize,
    compared: usize,
    same: usize,
    trades: usize,
    inside: usize,
}

fn run(market: Binance, lines: &[String]) -> Outcome {
    let best = tickers(lines);
    let mut sync = BookSync::new(market.book_rule());
    let mut out = Outcome::default();
    let (mut states, mut trades): (Vec<(i64, f64, f64)>, Vec<(i64, f64)>) = (Vec::new(), Vec::new());
    for line in lines {
        if line.starts_with("{\"lastUpdateId\"") {
            assert_eq!(sync.on_snapshot(&market.read_depth(line).unwrap()), BookStep::Applied);
            continue;
        }
        match market.read_message(line).unwrap_or_default() {
            Some(Wire::Depth(diff)) => {
                let (first, last, time) = (diff.first_id, diff.final_id, diff.time.ms());
                let had_book = sync.book().is_some();
                match sync.on_diff(diff) {
                    BookStep::Applied => out.applied += 1,
                    BookStep::Stale => continue,
                    BookStep::NeedsSnapshot => {
                        out.resyncs += usize::from(had_book);
                        continue;
                    }
                }
                let book: &OrderBook = sync.book().expect("a message was applied to it");
                assert!(book.is_uncrossed());
                let (bid, ask) = (book.best_bid().unwrap(), book.best_ask().unwrap());
                states.push((time, bid.price, ask.price));
                if let Some((_, said)) = best.range(first..=last).next_back() {
                    out.compared += 1;
                    out.same += usize::from(*said == (bid, ask));
                }
            }
            Some(Wire::Trade(trade)) => trades.push((trade.time.ms(), trade.price)),
            _ => {}
        }
    }
    for (time, price) in trades {
        let k = states.partition_point(|s| s.0 < time);
        if k == 0 || k == states.len() {
            continue;
        }
        let (before, after) = (states[k - 1], states[k]);
        out.trades += 1;
        out.inside += usize::from(before.1.min(after.1) <= price && price <= before.2.max(after.2));
    }
    out
}

fn agrees(market: Binance, name: &str, least_compared: usize, least_inside: f64) {
    let Some(lines) = capture(&format!("binance_ws/{name}"), " ") else { return };
    let out = run(market, &lines);
    let inside = out.inside as f64 / out.trades as f64;
    println!(
        "{name}: {} messages applied, {} of {} best prices and quantities equal, {:.1} % of {} trades between the \
         best prices around them",
        out.applied,
        out.same,
        out.compared,
        100.0 * inside,
        out.trades
    );
    assert_eq!(out.resyncs, 0, "the recording has no gap");
    assert!(out.compared >= least_compared, "{}", out.compared);
    assert_eq!(out.same, out.compared, "prices and quantities are equal without exception");
    assert!(inside > least_inside, "{inside}");
}

/// Between two messages, 100 ms apart, the market moves: a fifth of the trades is at prices of neither state.
#[test]
fn a_spot_book_agrees_with_its_best_prices_and_trades() {
    agrees(Binance::Spot, "spot_btcusdt_20240808.gz", 2_800, 0.80);
}

#[test]
fn a_futures_book_agrees_with_its_best_prices_and_trades() {
    agrees(Binance::UsdM, "usdm_btcusdt_20240808.gz", 5_600, 0.93);
}

#[test]
fn every_recorded_message_is_understood() {
    for (market, name) in [(Binance::Spot, "BINANCE.ws.1.0.gz"), (Binance::UsdM, "BINANCE_FUTURES.ws.1.0.gz")] {
        let Some(lines) = capture(&format!("cryptofeed/{name}"), ": ") else { return };
        let (mut klines, mut depths, mut trades, mut others) = (0, 0, 0, 0);
        for line in lines.iter().filter(|l| l.starts_with('{')) {
            match market.read_message(line).unwrap_or_else(|e| panic!("{e}: {line}")) {
                Some(Wire::Kline { interval, candle, .. }) => {
                    candle.check(interval).unwrap();
                    klines += 1;
                }
                Some(Wire::Depth(_)) => depths += 1,
                Some(Wire::Trade(_)) => trades += 1,
                None => {
                    assert!(line.contains("bookTicker"), "{line}");
                    others += 1;
                }
            }
        }
        println!("{name}: {klines} candles, {depths} book changes, {trades} trades, {others} best prices");
        assert!(klines > 0 && depths > 0 && trades > 0 && others > 0);
    }
}

#[test]
fn a_recorded_answer_is_a_run_of_minutes() {
    let Some(mut file) = recorded("binance_rest/klines_1m_2024-11.json") else { return };
    let mut body = String::new();
    file.read_to_string(&mut body).unwrap();
    let candles = Binance::Spot.read_klines(&body).unwrap();
    assert!(candles.len() >= 400, "{}", candles.len());
    assert!(candles.iter().all(|c| c.check(Interval::M1).is_ok()));
    assert!(candles.windows(2).all(|w| w[1].open_time.ms() - w[0].open_time.ms() == 60_000));
}
