//! A way to the test server that can go dead: bytes are swallowed, and both ends stay open, as on a network that is
//! cut.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use sqlx::postgres::PgConnectOptions;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use url::Url;

/// Where the server is.
enum Server {
    Tcp(String, u16),
    Unix(PathBuf),
}

/// Where a connection breaks that is about to commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The server never hears of it.
    BeforeServer,
    /// The server does it, and nobody hears of that.
    AfterServer,
}

struct State {
    server: Server,
    /// Bytes that still pass, both ways together.
    left: AtomicU64,
    at_commit: Mutex<Option<Cut>>,
}

impl State {
    /// How many of `n` bytes pass.
    fn take(&self, n: usize) -> usize {
        let n = n as u64;
        let before = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| Some(left.saturating_sub(n)));
        before.unwrap_or(0).min(n) as usize
    }

    fn is_dead(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }

    /// What is to be done about this part of what a client sends.
    fn cut_at(&self, sent: &[u8]) -> Option<Cut> {
        let is_commit = sent.windows(7).any(|part| part == b"COMMIT\0");
        if is_commit { self.at_commit.lock().unwrap().take() } else { None }
    }
}

/// The proxy, on a port of its own.
pub(crate) struct Proxy {
    url: String,
    state: Arc<State>,
}

impl Proxy {
    /// A proxy before the server at `url`.
    pub(crate) async fn before(url: &str) -> Self {
        let options = PgConnectOptions::from_str(url).unwrap();
        let server = match options.get_socket() {
            Some(folder) => Server::Unix(folder.join(format!(".s.PGSQL.{}", options.get_port()))),
            None => Server::Tcp(options.get_host().to_owned(), options.get_port()),
        };
        let state = Arc::new(State { server, left: AtomicU64::new(u64::MAX), at_commit: Mutex::new(None) });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { url: through(url, port), state }
    }

    /// The server's URL by way of this.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Lets `n` bytes more pass, and then none.
    pub(crate) fn die_after(&self, n: u64) {
        self.state.left.store(n, Ordering::SeqCst);
    }

    /// Lets everything pass on new connections; those that were cut stay dead.
    pub(crate) fn open(&self) {
        self.state.left.store(u64::MAX, Ordering::SeqCst);
    }

    /// Breaks the next connection that commits.
    pub(crate) fn cut_at_commit(&self, cut: Cut) {
        *self.state.at_commit.lock().unwrap() = Some(cut);
    }
}

/// `url` with this machine's `port` in the place of the server.
fn through(url: &str, port: u16) -> String {
    let mut url = Url::parse(url).unwrap();
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(port)).unwrap();
    let is_place = |name: &str| matches!(name, "host" | "hostaddr" | "port");
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| !is_place(name))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(kept);
    url.into()
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(serve(client, Arc::clone(&state)));
    }
}

async fn serve(client: TcpStream, state: Arc<State>) {
    match &state.server {
        Server::Tcp(host, port) => {
            let Ok(server) = TcpStream::connect((host.as_str(), *port)).await else { return };
            let (from, to) = server.into_split();
            carry(client, from, to, &state).await;
        }
        Server::Unix(path) => {
            let Ok(server) = UnixStream::connect(path).await else { return };
            let (from, to) = server.into_split();
            carry(client, from, to, &state).await;
        }
    }
}

/// Both ways at once, until either ends.
async fn carry(
    client: TcpStream,
    from_server: impl AsyncRead + Unpin,
    to_server: impl AsyncWrite + Unpin,
    state: &State,
) {
    let (from_client, to_client) = client.into_split();
    tokio::select! {
        () = requests(from_client, to_server, state) => {}
        () = pass_on(from_server, to_client, state) => {}
    }
}

async fn requests(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, state: &State) {
    let mut buffer = vec![0; 8_192];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        let cut = state.cut_at(&buffer[..n]);
        if cut == Some(Cut::BeforeServer) || !send(&mut to, &buffer[..n], state).await || cut.is_some() {
            return;
        }
    }
    hang_if_dead(state).await;
}

async fn pass_on(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, state: &State) {
    let mut buffer = vec![0; 8_192];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        if !send(&mut to, &buffer[..n], state).await {
            return;
        }
    }
    hang_if_dead(state).await;
}

/// Sends what passes; false when the other end is gone.
async fn send(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8], state: &State) -> bool {
    let passing = state.take(bytes.len());
    let sent = to.write_all(&bytes[..passing]).await.is_ok();
    if passing < bytes.len() {
        std::future::pending::<()>().await;
    }
    sent
}

/// Nobody hears of an end over a dead network.
async fn hang_if_dead(state: &State) {
    if state.is_dead() {
        std::future::pending::<()>().await;
    }
}
