//! [`Connection`]: the WebSockets that together carry one subscription.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use crate::error::brief;

/// No message of an exchange is nearly as long. As a tree of values it takes some twenty times as much.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// One WebSocket and when it was last heard of, in ms of our clock.
#[derive(Debug)]
struct Line {
    socket: Socket,
    heard_ms: u64,
}

/// What came over a connection.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A message.
    Text(String),
    /// Ping, pong and the like; the library answers pings itself.
    Noise,
    /// One of the lines is dead, for this reason: none is used any more.
    Dead(String),
}

/// Open WebSockets.
#[derive(Debug)]
pub(crate) struct Connection {
    lines: Vec<Line>,
    opened_ms: u64,
}

impl Connection {
    /// Opens one WebSocket for each of `urls`, each within `timeout_ms`.
    pub(crate) async fn open(
        urls: &[String],
        tls: &Arc<rustls::ClientConfig>,
        timeout_ms: u64,
        now_ms: u64,
    ) -> Result<Self, String> {
        let mut lines = Vec::with_capacity(urls.len());
        for url in urls {
            let config = WebSocketConfig::default()
                .max_message_size(Some(MAX_MESSAGE_BYTES))
                .max_frame_size(Some(MAX_MESSAGE_BYTES));
            let connector = Some(Connector::Rustls(Arc::clone(tls)));
            let opening = connect_async_tls_with_config(url.as_str(), Some(config), true, connector);
            let opened = tokio::time::timeout(Duration::from_millis(timeout_ms), Box::pin(opening)).await;
            let (socket, _) = opened
                .map_err(|_| format!("no connection within {timeout_ms} ms"))?
                .map_err(|e| brief(&e.to_string()))?;
            lines.push(Line { socket, heard_ms: now_ms });
        }
        Ok(Self { lines, opened_ms: now_ms })
    }

    /// Milliseconds since it was opened.
    pub(crate) fn age_ms(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.opened_ms)
    }

    /// Waits for the next message of any line, at most `idle_ms`.
    pub(crate) async fn hear(&mut self, idle_ms: u64) -> (Heard, usize) {
        let next = futures::future::select_all(self.lines.iter_mut().map(|line| line.socket.next()));
        let Ok((message, line, _)) = tokio::time::timeout(Duration::from_millis(idle_ms), next).await else {
            return (Heard::Dead(format!("no message for {idle_ms} ms")), 0);
        };
        let heard = match message {
            Some(Ok(Message::Text(text))) => Heard::Text(text.as_str().to_owned()),
            Some(Ok(Message::Close(frame))) => {
                let reason = frame.map(|f| brief(&f.reason)).unwrap_or_default();
                Heard::Dead(format!("closed by the exchange {reason}").trim_end().to_owned())
            }
            Some(Ok(_)) => Heard::Noise,
            Some(Err(error)) => Heard::Dead(brief(&error.to_string())),
            None => Heard::Dead("closed by the exchange".to_owned()),
        };
        (heard, line)
    }

    /// Notes that `line` lives, and says whether another has been silent for more than `idle_ms`.
    pub(crate) fn note(&mut self, line: usize, now_ms: u64, idle_ms: u64) -> bool {
        if let Some(line) = self.lines.get_mut(line) {
            line.heard_ms = now_ms;
        }
        self.lines.iter().any(|l| now_ms.saturating_sub(l.heard_ms) > idle_ms)
    }
}
