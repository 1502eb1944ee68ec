//! `candlecast stream`.

use candlecast_app::text;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use candlecast_app::doc::StreamDoc;
use candlecast_core::{ForecastStep, Interval, Outlook, Problem, ProgressSink, Symbol, Timestamp, Venue};
use candlecast_host::Host;
use candlecast_live::{
    ExchangeOptions, Listener, LiveForecast, LogSteps, ReplayRequest, StreamEvent, StreamOpened, StreamRequest,
    StreamSource, StreamSummary, StreamedCandle, stream,
};
use clap::Args;

use crate::cli::time;
use crate::commands::fetch::ExchangeArgs;
use crate::output::Output;
use crate::progress::Bar;

/// Follow a market: store candles as they close, forecast from each, and set forecasts beside what came true
#[derive(Debug, Args)]
#[command(
    after_help = "Goes on until Ctrl-C, which is a good end. With --json every line is a document.\n\nExamples:\n  candlecast stream BTCUSDT 1m\n  candlecast stream BTCUSDT 1h --model linear,lstm --log-steps 1,24\n  candlecast stream BTCUSDT 1m --model linear --replay BTCUSDT-1m-2024-03.csv --speed 3600"
)]
pub(crate) struct StreamArgs {
    /// Symbol, such as BTCUSDT
    symbol: Symbol,
    /// Candle length
    interval: Interval,
    #[command(flatten)]
    exchange: ExchangeArgs,
    /// Address of the exchange's WebSocket side instead of the public one, such as `wss://proxy.example.com`
    #[arg(long, value_name = "URL")]
    stream_url: Option<String>,
    /// Tell the best prices of the order book too, once a second
    #[arg(long, conflicts_with = "replay")]
    book: bool,
    /// Models whose active versions forecast, by comma; all for every active one
    #[arg(long, short, value_delimiter = ',', value_name = "LIST")]
    model: Vec<String>,
    /// Task of the models named: price, direction or volatility
    #[arg(long, requires = "model", default_value = "price")]
    task: String,
    /// Venue of the series that the models were trained on [default: that of the candles]
    #[arg(long, requires = "model")]
    model_venue: Option<Venue>,
    /// Tell and log forecasts at every so many candles [default: 1]
    #[arg(long, value_name = "N", requires = "model", value_parser = clap::value_parser!(u32).range(1..))]
    predict_every: Option<u32>,
    /// Steps of each forecast that are logged: all, none, or steps by comma, such as 1,24 [default: all]
    #[arg(long, value_name = "STEPS", requires = "model")]
    log_steps: Option<LogSteps>,
    /// End after this time, such as 30s, 15m, 6h or 2d; in a replay it is the market's time
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// Play these files as if they were live, instead of asking an exchange; stored as replay-VENUE
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["rest_url", "stream_url", "allow_url", "retries"])]
    replay: Vec<PathBuf>,
    /// Seconds of the market a second, or max [default: 1]
    #[arg(long, value_name = "X", requires = "replay", value_parser = speed)]
    speed: Option<f64>,
    /// Begin to play here; what the files hold before it is history
    #[arg(long, value_name = "TIME", requires = "replay", value_parser = time)]
    since: Option<Timestamp>,
    /// Venue to store replayed candles under: replay or replay-NAME [default: replay- and the files' venue]
    #[arg(long, value_name = "VENUE", requires = "replay")]
    store_as: Option<Venue>,
}

impl StreamArgs {
    fn request(&self, app: &Host) -> Result<StreamRequest, Problem> {
        let source = if self.replay.is_empty() {
            let options = ExchangeOptions { stream_url: self.stream_url.clone(), ..self.exchange.options() };
            StreamSource::Exchange { exchange: candlecast_live::exchange(app, &options)?, book: self.book }
        } else {
            StreamSource::Replay(ReplayRequest {
                files: self.replay.clone(),
                venue: self.exchange.venue.as_deref().map(Venue::new).transpose()?,
                speed: self.speed.unwrap_or(1.0),
                since: self.since,
                store_as: self.store_as.clone(),
            })
        };
        Ok(StreamRequest {
            symbol: self.symbol.clone(),
            interval: self.interval,
            source,
            models: self.model.clone(),
            task: self.task.clone(),
            model_venue: self.model_venue.clone(),
            predict_every: self.predict_every.unwrap_or(1),
            log: self.log_steps.clone().unwrap_or_default(),
            duration: self.duration,
        })
    }
}

pub(crate) async fn run(args: &StreamArgs, app: &Host, output: Output) -> Result<(), Problem> {
    let request = args.request(app)?;
    let catch_up = Arc::new(CatchUp { bar: Mutex::new(Some(Bar::new(output))) });
    let printer = Arc::new(Printer { output, catch_up: Arc::clone(&catch_up) });
    let summary = stream(app, request, printer, &*catch_up).await?;
    if output.is_json() {
        return json_line(&StreamDoc::from(&summary));
    }
    Output::line(&summary_text(&summary))
}

/// Market seconds a second; 0 stands for as fast as possible.
fn speed(text: &str) -> Result<f64, String> {
    if text.eq_ignore_ascii_case("max") {
        return Ok(0.0);
    }
    let number = text.parse::<f64>().ok().filter(|x| x.is_finite() && *x > 0.0);
    number.ok_or_else(|| "write a number above 0, such as 3600, or max".to_owned())
}

/// A whole number of seconds, minutes, hours or days.
fn duration(text: &str) -> Result<Duration, String> {
    let refused = || "write a whole number with a unit, such as 30s, 15m, 6h or 2d".to_owned();
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(refused)?;
    let count: u64 = text[..split].parse().map_err(|_| refused())?;
    let unit: u64 = match &text[split..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(refused()),
    };
    let seconds = count.checked_mul(unit).filter(|&s| s > 0 && s <= 36_500 * 86_400).ok_or_else(refused)?;
    Ok(Duration::from_secs(seconds))
}

fn json_line(doc: &StreamDoc) -> Result<(), Problem> {
    let line = serde_json::to_string(doc).map_err(|e| Problem::data("output-failed", e.to_string()))?;
    Output::line(&line)
}

/// A progress bar that goes away when the stream begins.
struct CatchUp {
    bar: Mutex<Option<Bar>>,
}

impl CatchUp {
    fn with(&self, act: impl FnOnce(&Bar)) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
            act(bar);
        }
    }

    fn clear(&self) {
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl ProgressSink for CatchUp {
    fn progress(&self, what: &str, done: u64, of: u64) {
        self.with(|bar| bar.progress(what, done, of));
    }

    fn note(&self, text: &str) {
        self.with(|bar| bar.note(text));
    }
}

/// Prints what a stream tells.
struct Printer {
    output: Output,
    catch_up: Arc<CatchUp>,
}

impl Listener for Printer {
    fn hear(&self, event: &StreamEvent) -> Result<(), Problem> {
        if matches!(event, StreamEvent::Opened(_)) {
            self.catch_up.clear();
        }
        if self.output.is_json() {
            return json_line(&StreamDoc::from(event));
        }
        match event {
            StreamEvent::Opened(opened) => self.remark_opened(opened),
            StreamEvent::Candle(candle) => return Output::line(&candle_text(candle)),
            StreamEvent::Forecast(forecast) => return Output::line(&forecast_text(forecast)),
            StreamEvent::Settled { validated, unscorable } => {
                return Output::line(&format!("  {validated} predictions validated, {unscorable} without an outcome"));
            }
            StreamEvent::Book(top) => {
                let side = |level: Option<(f64, f64)>| {
                    level.map_or_else(|| "-".to_owned(), |(price, n)| format!("{} x {n}", text::price(Some(price))))
                };
                let (bid, ask) = (top.bid.map(|l| (l.price, l.quantity)), top.ask.map(|l| (l.price, l.quantity)));
                return Output::line(&format!("  bid {}, ask {}", side(bid), side(ask)));
            }
            StreamEvent::Connected => self.output.remark("connected"),
            StreamEvent::Disconnected { reason } => self.output.remark(&format!("connection lost: {reason}")),
            StreamEvent::Missing { .. }
            | StreamEvent::Retrying { .. }
            | StreamEvent::Healed { .. }
            | StreamEvent::Unlogged { .. } => self.output.remark(&trouble_text(event)),
        }
        Ok(())
    }
}

impl Printer {
    fn remark_opened(&self, opened: &StreamOpened) {
        let models: Vec<String> = opened.models.iter().map(|m| format!("{} {}", m.model, m.version)).collect();
        let with = if models.is_empty() { "no models".to_owned() } else { models.join(", ") };
        let history = text::count(opened.history, "candle");
        self.output.remark(&format!("{}: {with}, {history} of history", opened.key));
        opened.remarks.iter().for_each(|remark| self.output.remark(remark));
    }
}

/// What went wrong, and what became of it; nothing of other events.
fn trouble_text(event: &StreamEvent) -> String {
    match event {
        StreamEvent::Missing { range, candles } => {
            let n = text::count(usize::try_from(*candles).unwrap_or(usize::MAX), "candle");
            format!("{n} from {} missing: the exchange has none", minute(range.from))
        }
        StreamEvent::Retrying { part, reason } => format!("{}: {reason}; trying again", part.as_str()),
        StreamEvent::Healed { part, tries, seconds } => {
            format!("{} works again after {seconds:.0} s, {tries} attempts had failed", part.as_str())
        }
        StreamEvent::Unlogged { forecasts, reason } => format!("{forecasts} forecasts are not logged: {reason}"),
        _ => String::new(),
    }
}

fn minute(time: Timestamp) -> String {
    let text = time.to_string();
    text.get(..16).unwrap_or(&text).replace('T', " ")
}

fn candle_text(streamed: &StreamedCandle) -> String {
    let candle = &streamed.candle;
    let close_time = candle.open_time.plus_ms(streamed.key.interval.ms());
    let late = if streamed.backfilled { "  (back-filled)" } else { "" };
    format!("{}  close {}  volume {}{late}", minute(close_time), text::price(Some(candle.close)), candle.volume)
}

fn forecast_text(live: &LiveForecast) -> String {
    let why = match (live.has_seen_future(), live.in_time) {
        (true, _) => "  (not logged: the model has seen the future)",
        (false, false) => "  (not logged: too late)",
        (false, true) => "",
    };
    format!("  {} {}  {}{why}", live.model.model, live.model.version, outlook_text(&live.forecast.outlook))
}

/// Of a price the first and the last step.
fn outlook_text(outlook: &Outlook) -> String {
    match outlook {
        Outlook::Price(steps) => {
            let ends = steps.first().into_iter().chain(steps.last().filter(|_| steps.len() > 1));
            ends.map(step_text).collect::<Vec<_>>().join("  ")
        }
        Outlook::Direction(d) => format!("+{} {} {:.0} %", d.step, d.action, 100.0 * d.confidence),
        Outlook::Volatility(v) => {
            let [volatility, lower, upper] = [v.volatility, v.lower, v.upper].map(|x| 100.0 * x);
            format!("+{} volatility {volatility:.3} % [{lower:.3} to {upper:.3}]", v.step)
        }
    }
}

fn step_text(step: &ForecastStep) -> String {
    let price = |value: f64| text::price(Some(value));
    let confidence = if step.calibrated { format!(" {:.0} %", 100.0 * step.confidence) } else { String::new() };
    let [middle, lower, upper] = [step.price, step.lower, step.upper].map(price);
    format!("+{} {} {middle} [{lower} to {upper}]{confidence}", step.step, step.direction)
}

fn summary_text(s: &StreamSummary) -> String {
    let mut text =
        format!("{}: {} candles stored, {} of them back-filled, in {:.1} s", s.key, s.candles, s.backfilled, s.seconds);
    if s.forecasts > 0 {
        text.push_str(&format!(
            "\n  {} forecasts, {} predictions newly logged, {} validated, {} without an outcome",
            s.forecasts, s.logged, s.validated, s.unscorable
        ));
    }
    if s.seen_future > 0 {
        text.push_str(&format!("\n  {} forecasts not logged: the model has seen their future", s.seen_future));
    }
    if s.too_late > 0 {
        text.push_str(&format!("\n  {} forecasts not logged: made when their first target was known", s.too_late));
    }
    if s.unlogged > 0 {
        text.push_str(&format!("\n  {} forecasts not logged: the log failed", s.unlogged));
    }
    if s.missing > 0 {
        text.push_str(&format!("\n  {} candles missing: the exchange has none", s.missing));
    }
    if s.disconnects > 0 {
        text.push_str(&format!("\n  the connection was lost {} times", s.disconnects));
    }
    if s.retries > 0 {
        text.push_str(&format!("\n  {} attempts failed and were made again", s.retries));
    }
    if s.validated > 0 {
        text.push_str("\n  how good they were: candlecast predictions accuracy");
    }
    text
}

#[cfg(test)]
mod tests {
    use candlecast_core::{Move, TimeRange};
    use candlecast_live::Part;

    use super::*;

    #[test]
    fn a_step_is_told_with_its_direction() {
        let step = ForecastStep {
            step: 24,
            target_time: Timestamp(0),
            price: 100.0,
            lower: 98.0,
            upper: 102.0,
            direction: Move::Down,
            factor: 0.0,
            confidence: 0.56,
            calibrated: true,
        };
        assert_eq!(step_text(&step), "+24 DOWN 100.0000 [98.0000 to 102.0000] 56 %");
    }

    #[test]
    fn trouble_is_told_with_what_became_of_it() {
        let told = |event: StreamEvent| trouble_text(&event);
        let range = TimeRange { from: Timestamp(1_704_067_200_000), to: Timestamp(1_704_067_320_000) };
        let missing = told(StreamEvent::Missing { range, candles: 2 });
        assert_eq!(missing, "2 candles from 2024-01-01 00:00 missing: the exchange has none");
        let retrying = told(StreamEvent::Retrying { part: Part::Store, reason: "no space is left".into() });
        assert_eq!(retrying, "store: no space is left; trying again");
        let healed = told(StreamEvent::Healed { part: Part::Log, tries: 3, seconds: 7.4 });
        assert_eq!(healed, "log works again after 7 s, 3 attempts had failed");
        let unlogged = told(StreamEvent::Unlogged { forecasts: 5, reason: "the stream ended".into() });
        assert_eq!(unlogged, "5 forecasts are not logged: the stream ended");
    }

    #[test]
    fn speeds_and_durations_are_read() {
        assert_eq!((speed("3600"), speed("MAX"), speed("0.5")), (Ok(3_600.0), Ok(0.0), Ok(0.5)));
        for bad in ["0", "-1", "fast", "inf", "NaN", ""] {
            assert!(speed(bad).is_err(), "{bad}");
        }
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2d"), Ok(Duration::from_secs(172_800)));
        for bad in ["", "5", "0s", "-1m", "1.5h", "2 weeks", "99999999999999999999d", "18446744073709551615d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
