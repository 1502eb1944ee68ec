//! As much of HTTP/1.1 as the server needs: one request a connection.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::answers::Answer;

/// Longest request head.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// Between two looks at a request line that is not complete yet.
const POLL: Duration = Duration::from_millis(1);

/// The first line of a request, left in the socket.
pub(super) async fn request_line(stream: &TcpStream) -> io::Result<String> {
    let mut buffer = vec![0; MAX_HEAD_BYTES];
    loop {
        let n = stream.peek(&mut buffer).await?;
        let end = buffer[..n].windows(2).position(|w| w == b"\r\n");
        if let Some(end) = end {
            return Ok(String::from_utf8_lossy(&buffer[..end]).into_owned());
        }
        if n == 0 || n == buffer.len() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        tokio::time::sleep(POLL).await;
    }
}

pub(super) async fn read_head(stream: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    let mut part = [0; 1_024];
    while !head.ends_with(b"\r\n\r\n") {
        let n = stream.read(&mut part).await?;
        if n == 0 || head.len() > MAX_HEAD_BYTES {
            return Err(io::ErrorKind::InvalidData.into());
        }
        head.extend_from_slice(&part[..n]);
    }
    Ok(())
}

/// Writes the first `bytes` of an answer that says it is whole.
pub(super) async fn write_answer(
    stream: &mut TcpStream,
    answer: &Answer,
    headers: &[(&'static str, String)],
    bytes: usize,
) -> io::Result<()> {
    let length = answer.body.len();
    let mut head = format!(
        "HTTP/1.1 {} -\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n",
        answer.status
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&answer.body.as_bytes()[..bytes]).await?;
    stream.flush().await
}
