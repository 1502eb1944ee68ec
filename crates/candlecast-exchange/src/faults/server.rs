//! [`FaultServer`]: HTTP and WebSocket on one port of the loopback interface.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use candlecast_core::Timestamp;
use futures::SinkExt;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::answers::{Answer, Scene, Target};
use super::feed::{Asked, Feed, Step};
use super::http::{read_head, request_line, write_answer};
use super::market::Market;
use super::plan::{Dice, FaultPlan, RestFault, StreamFault};
use crate::rest::locked;
use crate::{Clock, VirtualClock};

/// A stalled answer is never given; the client should have given up by then.
const STALL: Duration = Duration::from_secs(5);
/// Messages between two breaths, so that a client hears some of the stream before history has it all.
const BREATH_MESSAGES: u64 = 4;
const BREATH: Duration = Duration::from_millis(1);

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FaultReport {
    /// REST requests answered, faults included.
    pub requests: u64,
    /// WebSocket connections accepted.
    pub connections: u64,
    /// Faults by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// Requests before the end of a `Retry-After`.
    pub too_early: u64,
    /// Requests beyond the weight limit of the exchange's minute.
    pub overweight: u64,
}

/// An answer that is given whatever the plan says.
#[derive(Debug)]
struct Scripted {
    /// Part of the path and query that it answers.
    path: String,
    status: u16,
    retry_after: Option<String>,
}

#[derive(Debug)]
struct State {
    dice: Dice,
    feed: Feed,
    report: FaultReport,
    scripted: VecDeque<Scripted>,
    /// Streams bring pings only.
    mute: bool,
    /// Counts up when all streams are to be cut.
    cuts: u64,
    /// No request before, in ms of the clock.
    closed_until_ms: u64,
    /// Minute of the exchange and what was used in it.
    minute: (i64, u32),
}

#[derive(Debug)]
struct Shared {
    market: Market,
    clock: Arc<VirtualClock>,
    weight_limit: u32,
    state: Mutex<State>,
}

/// A running server; it stops when dropped.
#[derive(Debug)]
pub struct FaultServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl FaultServer {
    /// Serves `market` by the time of `clock`, with the faults of `plan`; `weight_limit` is that of a minute.
    pub async fn start(
        market: Market,
        plan: FaultPlan,
        clock: Arc<VirtualClock>,
        weight_limit: u32,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (dice, feed, report) = (Dice::new(plan), Feed::new(&market), FaultReport::default());
        let (scripted, minute) = (VecDeque::new(), (0, 0));
        let state = State { dice, feed, report, scripted, mute: false, cuts: 0, closed_until_ms: 0, minute };
        let state = Mutex::new(state);
        let shared = Arc::new(Shared { market, clock, weight_limit, state });
        let task = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, task })
    }

    /// Base URL of the REST side.
    pub fn rest_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Base URL of the WebSocket side.
    pub fn stream_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// What is served.
    pub fn market(&self) -> &Market {
        &self.shared.market
    }

    /// Market time now.
    pub fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// Answers the next request whose path and query contain `path` with `status`, and `retry_after` where there is one:
    /// as the exchange does it for 400, 404 and 422, else as a firewall does.
    pub fn answer_next(&self, path: &str, status: u16, retry_after: Option<&str>) {
        let (path, retry_after) = (path.to_owned(), retry_after.map(str::to_owned));
        locked(&self.shared.state).scripted.push_back(Scripted { path, status, retry_after });
    }

    /// All streams ignore what they were opened for, and send pings only, until it is taken back.
    pub fn set_mute(&self, mute: bool) {
        locked(&self.shared.state).mute = mute;
    }

    /// Cuts all streams; the next `messages` of each kind are lost.
    pub fn cut_streams(&self, messages: usize) {
        let shared = &self.shared;
        for asked in [Asked { klines: true, depth: false }, Asked { klines: false, depth: true }] {
            for _ in 0..messages {
                let _ = shared.advance(asked);
            }
        }
        locked(&shared.state).cuts += 1;
    }

    /// What has happened so far.
    pub fn report(&self) -> FaultReport {
        locked(&self.shared.state).report.clone()
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            // The other side may hang up at any moment; that is its right, and no matter here.
            let _ = shared.serve(stream).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// What to do with a request, decided under the lock.
enum Reply {
    Whole(Answer, Vec<(&'static str, String)>),
    Cut(Answer),
    HangUp,
    Stall,
}

impl Shared {
    fn now(&self) -> Timestamp {
        self.market.start.plus_ms(self.clock.elapsed_ms() as i64)
    }

    async fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let line = request_line(&stream).await?;
        let target = line.split(' ').nth(1).unwrap_or("/").to_owned();
        if target.contains("/stream?streams=") {
            return self.serve_stream(stream, &target).await;
        }
        self.serve_rest(stream, &target).await
    }

    async fn serve_rest(&self, mut stream: TcpStream, target: &str) -> io::Result<()> {
        read_head(&mut stream).await?;
        match self.reply(target) {
            Reply::Whole(answer, headers) => write_answer(&mut stream, &answer, &headers, answer.body.len()).await?,
            Reply::Cut(answer) => write_answer(&mut stream, &answer, &[], answer.body.len() / 2).await?,
            Reply::HangUp => {}
            Reply::Stall => tokio::time::sleep(STALL).await,
        }
        stream.shutdown().await
    }

    fn reply(&self, target: &str) -> Reply {
        let elapsed_ms = self.clock.elapsed_ms();
        let now = self.now();
        let mut guard = locked(&self.state);
        let state = &mut *guard;
        state.report.requests += 1;
        state.report.too_early += u64::from(elapsed_ms < state.closed_until_ms);
        let is_asked = |scripted: &Scripted| target.contains(&scripted.path);
        if let Some(scripted) = state.scripted.iter().position(is_asked).and_then(|at| state.scripted.remove(at)) {
            *state.report.faults.entry("scripted").or_default() += 1;
            let headers = scripted.retry_after.map(|after| ("retry-after", after)).into_iter().collect();
            return Reply::Whole(refusal(scripted.status), headers);
        }
        let fault = state.dice.rest();
        if let Some(fault) = fault {
            *state.report.faults.entry(fault.name()).or_default() += 1;
        }
        let disorder = (fault == Some(RestFault::Shuffled)).then_some(&mut state.dice);
        let mut scene = Scene { market: &self.market, book: state.feed.book(), now, disorder };
        let mut answer = scene.answer(&Target::new(target));
        let minute = now.ms().div_euclid(60_000);
        let used = if state.minute.0 == minute { state.minute.1 + answer.weight } else { answer.weight };
        state.minute = (minute, used);
        state.report.overweight += u64::from(used > self.weight_limit);
        let mut headers = vec![("x-mbx-used-weight-1m", used.to_string())];
        match fault {
            None | Some(RestFault::Shuffled) => {}
            Some(RestFault::HangUp) => return Reply::HangUp,
            Some(RestFault::Stall) => return Reply::Stall,
            Some(RestFault::CutBody) => return Reply::Cut(answer),
            Some(RestFault::CutJson) => answer.body.truncate(answer.body.len() / 2),
            Some(RestFault::ServerError(status)) => answer = failure(status),
            Some(RestFault::TooMany { retry_s }) => {
                answer = failure(429);
                state.closed_until_ms = elapsed_ms + 1_000 * retry_s;
                headers.push(("retry-after", retry_s.to_string()));
            }
            Some(RestFault::Banned { retry_s }) => {
                answer = failure(418);
                state.closed_until_ms = elapsed_ms + 1_000 * retry_s;
                headers.push(("retry-after", retry_s.to_string()));
            }
        }
        Reply::Whole(answer, headers)
    }

    async fn serve_stream(&self, stream: TcpStream, target: &str) -> io::Result<()> {
        if self.refuses_stream() {
            return Ok(());
        }
        let asked = Asked { klines: target.contains("@kline_"), depth: target.contains("@depth") };
        let Ok(mut socket) = accept_async(stream).await else { return Ok(()) };
        let begun_cuts = {
            let mut state = locked(&self.state);
            state.report.connections += 1;
            state.cuts
        };
        let mut held: Option<Message> = None;
        let mut sent = 0_u64;
        loop {
            let (cuts, mute) = {
                let state = locked(&self.state);
                (state.cuts, state.mute)
            };
            if cuts != begun_cuts {
                return Ok(());
            }
            if mute {
                if self.linger(&mut socket, Asked { klines: false, depth: false }).await.is_err() {
                    return Ok(());
                }
                continue;
            }
            sent += 1;
            if sent.is_multiple_of(BREATH_MESSAGES) {
                tokio::time::sleep(BREATH).await;
            }
            let Some((text, fault)) = self.step(asked) else {
                if self.linger(&mut socket, asked).await.is_err() {
                    return Ok(());
                }
                continue;
            };
            let fate = self.send(&mut socket, text, fault, &mut held).await;
            if !matches!(fate, Ok(true)) {
                return Ok(());
            }
        }
    }

    fn refuses_stream(&self) -> bool {
        let mut state = locked(&self.state);
        let refuses = state.dice.rest().is_some();
        if refuses {
            *state.report.faults.entry("handshake refused").or_default() += 1;
        }
        refuses
    }

    /// The next message; moves the clock to its time.
    fn advance(&self, asked: Asked) -> Option<Step> {
        let step = locked(&self.state).feed.next(&self.market, asked)?;
        self.clock.advance_to((step.at.ms() - self.market.start.ms()).max(0) as u64);
        Some(step)
    }

    /// The next message and what goes wrong with it.
    fn step(&self, asked: Asked) -> Option<(String, Option<StreamFault>)> {
        let step = self.advance(asked)?;
        let mut guard = locked(&self.state);
        let state = &mut *guard;
        let fault = if step.calm { None } else { state.dice.message() };
        if let Some(fault) = fault {
            *state.report.faults.entry(fault.name()).or_default() += 1;
        }
        Some((step.text, fault))
    }

    /// Sends a message as its fault wants; false when the connection is to end.
    async fn send(
        &self,
        socket: &mut WebSocketStream<TcpStream>,
        mut text: String,
        fault: Option<StreamFault>,
        held: &mut Option<Message>,
    ) -> Result<bool, tokio_tungstenite::tungstenite::Error> {
        match fault {
            Some(StreamFault::Lost) => return Ok(true),
            Some(StreamFault::Swapped) if held.is_none() => {
                *held = Some(Message::text(text));
                return Ok(true);
            }
            Some(StreamFault::Twice) => socket.send(Message::text(text.clone())).await?,
            Some(StreamFault::CutText) => text.truncate(text.len() / 2),
            Some(StreamFault::HangUp) => return Ok(false),
            Some(StreamFault::HalfFrame) => {
                // A text frame that promises 256 bytes and ends after one.
                socket.get_mut().write_all(&[0x81, 126, 1, 0, b'{']).await?;
                return Ok(false);
            }
            Some(StreamFault::Swapped) | None => {}
        }
        socket.send(Message::text(text)).await?;
        if let Some(late) = held.take() {
            socket.send(late).await?;
        }
        Ok(true)
    }

    /// Everything has been sent: time goes on, the last candle stays under way.
    async fn linger(
        &self,
        socket: &mut WebSocketStream<TcpStream>,
        asked: Asked,
    ) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        tokio::time::sleep(BREATH).await;
        self.clock.sleep_ms(500).await;
        let message = if asked.klines {
            Message::text(Feed::last_words(&self.market, self.now()))
        } else {
            Message::Ping(Bytes::new())
        };
        socket.send(message).await
    }
}

fn failure(status: u16) -> Answer {
    Answer { status, body: format!(r#"{{"code":-1,"msg":"fault {status}"}}"#), weight: 1 }
}

/// What is said of a request that is wrong, or by a firewall.
fn refusal(status: u16) -> Answer {
    let body = match status {
        400 | 404 | 422 => r#"{"code":-1121,"msg":"Invalid symbol."}"#.to_owned(),
        _ => format!("<html><body>{status}</body></html>"),
    };
    Answer { status, body, weight: 1 }
}
