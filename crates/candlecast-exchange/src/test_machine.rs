//! A machine that may be suspended, and an exchange that tells the time, for tests.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use candlecast_core::Timestamp;
use candlecast_core::catalog::read_config;
use serde_json::json;

use crate::network::Core;
use crate::{Binance, Clock, Setting, Tuning};

/// The clocks of a machine; they stand still unless a test moves them.
#[derive(Debug)]
pub(crate) struct Machine {
    elapsed_ms: AtomicU64,
    wall_ms: AtomicI64,
    has_wall: bool,
}

impl Machine {
    pub(crate) fn new(has_wall: bool) -> Arc<Self> {
        Arc::new(Self { elapsed_ms: AtomicU64::new(0), wall_ms: AtomicI64::new(0), has_wall })
    }

    /// Time passes.
    pub(crate) fn run(&self, ms: i64) {
        self.elapsed_ms.fetch_add(ms.unsigned_abs(), Ordering::SeqCst);
        self.wall_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Time passes, and only the wall clock shows it.
    pub(crate) fn suspend(&self, ms: i64) {
        self.wall_ms.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn tuning() -> Tuning {
        read_config("binance", &json!({ "retries": 0 })).expect("it is a parameter")
    }
}

#[async_trait]
impl Clock for Machine {
    fn elapsed_ms(&self) -> u64 {
        self.elapsed_ms.load(Ordering::SeqCst)
    }

    async fn sleep_ms(&self, ms: u64) {
        self.run(i64::try_from(ms).expect("nobody sleeps so long"));
        tokio::task::yield_now().await;
    }

    fn wall_ms(&self) -> Option<i64> {
        self.has_wall.then(|| self.wall_ms.load(Ordering::SeqCst))
    }
}

/// Answers every request with its time, in the form of Binance.
pub(crate) struct TimeServer {
    now_ms: Arc<AtomicI64>,
    url: String,
}

impl TimeServer {
    pub(crate) fn start() -> Self {
        let now_ms = Arc::new(AtomicI64::new(1_704_067_200_000));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let shown_ms = Arc::clone(&now_ms);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, shown_ms.load(Ordering::SeqCst));
            }
        });
        Self { now_ms, url }
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(self.now_ms.load(Ordering::SeqCst))
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// An exchange that asks this server by the clocks of `machine`.
    pub(crate) fn core(&self, machine: &Arc<Machine>) -> Core {
        let clock = Arc::<Machine>::clone(machine);
        let setting = Setting { rest_url: Some(self.url.clone()), clock, ..Setting::default() };
        Core::new(Arc::new(Binance::Spot), Machine::tuning(), &setting).expect("the URL is one")
    }
}

fn answer(mut stream: TcpStream, now_ms: i64) {
    let mut head = Vec::new();
    let mut part = [0; 1_024];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut part) {
            Ok(n) if n > 0 => head.extend_from_slice(&part[..n]),
            _ => return,
        }
    }
    let body = json!({ "serverTime": now_ms }).to_string();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // The other side may hang up at any moment.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}
