//! HTTP as far as tests need it: one request, one answer, over a connection of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than any answer takes, so that a server that hangs fails the test that asked.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// GETs `path` from the server on 127.0.0.1:`port`.
///
/// # Errors
/// Where the connection or the answer fails.
pub fn get(port: u16, path: &str) -> std::io::Result<Answer> {
    request(port, "GET", path, &[], b"")
}

/// POSTs `body` to `path` of the server on 127.0.0.1:`port`.
///
/// # Errors
/// Where the connection or the answer fails.
pub fn post(port: u16, path: &str, content_type: &str, body: &[u8]) -> std::io::Result<Answer> {
    request(port, "POST", path, &[("Content-Type", content_type)], body)
}

// HTTP/1.0: a server may not answer in chunks, and closes the connection where the answer ends.
pub(crate) fn request(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Answer> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let length = body.len();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: {address}\r\n{headers}Content-Length: {length}\r\n\r\n")?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other(format!("no HTTP answer: {head:?}")))?;
    Ok(Answer { status, body: body.to_owned() })
}
