//! `candlecast fetch`.

use candlecast_app::doc::FetchDoc;
use candlecast_app::text;
use candlecast_core::{Blame, Interval, KeyError, Problem, SeriesKey, Symbol, Timestamp};
use candlecast_host::Host;
use candlecast_live::{ExchangeOptions, FetchRequest, fetch};
use clap::Args;

use crate::cli::time;
use crate::output::Output;
use crate::progress::Bar;

/// Fetch candles from an exchange; the same command again goes on where they end
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  candlecast fetch BTCUSDT 1h --since 2022-01-01\n  candlecast fetch BTCUSDT,ETHUSDT 1m --venue binance-usdm --since 2024-01-01\n  candlecast fetch BTCUSDT 1h --fill-gaps"
)]
pub(crate) struct FetchArgs {
    /// Symbols by comma, such as BTCUSDT,ETHUSDT
    #[arg(value_name = "SYMBOLS", value_parser = symbols)]
    symbols: Symbols,
    /// Candle length
    interval: Interval,
    #[command(flatten)]
    exchange: ExchangeArgs,
    /// First instant (a date is 00:00 UTC) [default: where the stored candles end]
    #[arg(long, value_parser = time, value_name = "TIME")]
    since: Option<Timestamp>,
    /// First instant not to be fetched [default: now]
    #[arg(long, value_parser = time, value_name = "TIME")]
    to: Option<Timestamp>,
    /// Ask again for what is missing between stored candles
    #[arg(long)]
    fill_gaps: bool,
}

/// Which exchange, and how it is reached.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExchangeArgs {
    /// Exchange: binance, binance-usdm, bybit, kraken, coinbase [default: binance]
    #[arg(long)]
    pub(crate) venue: Option<String>,
    /// Address of its REST side instead of the public one, such as `https://proxy.example.com`
    #[arg(long, value_name = "URL")]
    rest_url: Option<String>,
    /// Take addresses as they are, also in a private network or without encryption
    #[arg(long)]
    allow_url: bool,
    /// Attempts after the first, for a request or a connection, 0 to 100 [default: 8]
    #[arg(long, value_name = "N")]
    retries: Option<u32>,
}

impl ExchangeArgs {
    pub(crate) fn options(&self) -> ExchangeOptions {
        ExchangeOptions {
            venue: self.venue.clone(),
            rest_url: self.rest_url.clone(),
            stream_url: None,
            allow_url: self.allow_url,
            retries: self.retries,
        }
    }
}

/// Symbols as one argument.
#[derive(Debug, Clone)]
struct Symbols(Vec<Symbol>);

fn symbols(text: &str) -> Result<Symbols, KeyError> {
    let mut symbols: Vec<Symbol> = Vec::new();
    for name in text.split(',') {
        let symbol = Symbol::new(name)?;
        if !symbols.contains(&symbol) {
            symbols.push(symbol);
        }
    }
    Ok(Symbols(symbols))
}

pub(crate) async fn run(args: &FetchArgs, app: &Host, output: Output) -> Result<(), Problem> {
    let exchange = candlecast_live::exchange(app, &args.exchange.options())?;
    let (mut docs, mut failures) = (Vec::new(), Vec::new());
    for symbol in &args.symbols.0 {
        let key = SeriesKey::new(exchange.venue(), symbol.clone(), args.interval);
        let request = FetchRequest { key, since: args.since, to: args.to, fill_gaps: args.fill_gaps };
        let fetched = {
            let bar = Bar::new(output);
            fetch(app, exchange.as_ref(), &request, &bar).await
        };
        match fetched {
            Ok(fetched) => docs.push(FetchDoc::from(&fetched)),
            Err(e) => {
                let stops = e.blame == Blame::Cancelled;
                failures.push(e);
                if stops {
                    break;
                }
            }
        }
    }
    // What was fetched is reported even if other symbols failed.
    if !docs.is_empty() {
        output.result(&docs, || docs.iter().map(text).collect::<Vec<_>>().join("\n"))?;
    }
    // An interrupt is told as such, whatever failed before it.
    if let Some(stopped) = failures.iter().find(|e| e.blame == Blame::Cancelled) {
        return Err(stopped.clone());
    }
    Problem::joined(&failures, args.symbols.0.len(), "symbols").map_or(Ok(()), Err)
}

fn text(doc: &FetchDoc) -> String {
    let span = match (doc.from, doc.to) {
        (Some(from), Some(to)) => format!("{from} to {to}"),
        _ => "nothing".to_owned(),
    };
    let mut text = format!(
        "{} {} {}: {} fetched, {} new, {}\n  stored {}, {span}, gaps {} (longest {}, missing {})",
        doc.venue,
        doc.symbol,
        doc.interval,
        text::count(doc.received, "candle"),
        doc.added,
        text::count(usize::try_from(doc.requests).unwrap_or(usize::MAX), "request"),
        doc.rows,
        doc.gaps.count,
        doc.gaps.longest,
        doc.gaps.missing,
    );
    if doc.rejected > 0 {
        text.push_str(&format!("\n  {} not valid and left out", text::count(doc.rejected, "candle")));
    }
    if let (Some(from), Some(to)) = (doc.out_of_reach_from, doc.out_of_reach_to) {
        text.push_str(&format!("\n  {} does not hand out candles from {from} to {to}", doc.venue));
    }
    if doc.gaps.count > 0 {
        text.push_str("\n  gaps may be the exchange's own; --fill-gaps asks for them again");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_come_by_comma_and_once() {
        let read = symbols("BTCUSDT,eth-usdt,BTC/USDT").unwrap();
        assert_eq!(read.0.iter().map(Symbol::as_str).collect::<Vec<_>>(), ["BTCUSDT", "ETHUSDT"]);
        assert!(symbols("BTCUSDT,").is_err() && symbols("").is_err());
    }
}
