//! What the process that runs a pipeline says of itself: one request to its admin endpoint.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A process that is well answers at once.
const TIMEOUT: Duration = Duration::from_secs(3);
/// More than twenty messages and a process full of pipelines need.
const ANSWER_MAX: u64 = 4 << 20;

/// What a process says of one of its pipelines.
#[derive(Clone, PartialEq, Debug, Deserialize)]
pub(super) struct Said {
    /// Where it was asked.
    #[serde(skip)]
    pub(super) address: String,
    /// The pipeline.
    pub(super) pipeline: String,
    #[serde(default)]
    pub(super) commits: u64,
    #[serde(default)]
    pub(super) fences: u64,
    #[serde(default)]
    pub(super) conflicts: u64,
    #[serde(default)]
    pub(super) retries: u64,
    /// The partitions that it holds.
    #[serde(default)]
    pub(super) partitions: Vec<String>,
    /// The live plugins, and what was to become of them.
    #[serde(default)]
    pub(super) plugin: serde_json::Value,
    /// The newest warnings and errors of the process, whichever of its pipelines they are of.
    #[serde(skip)]
    pub(super) said: Vec<Message>,
}

/// A warning or an error.
#[derive(Clone, PartialEq, Debug, Deserialize, serde::Serialize)]
pub(super) struct Message {
    pub(super) at_ms: i64,
    pub(super) level: String,
    pub(super) message: String,
}

#[derive(Deserialize)]
struct Answer {
    pipelines: Vec<Said>,
    #[serde(default)]
    said: Vec<Message>,
}

/// Asks the process that listens there.
///
/// # Errors
/// Why there is no answer of this pipeline, in words.
pub(super) async fn ask(listen: SocketAddr, pipeline: &str) -> Result<Said, String> {
    let address = reachable(listen);
    let got = tokio::time::timeout(TIMEOUT, get(address)).await;
    let body = match got {
        Ok(Ok(body)) => body,
        Ok(Err(e)) => return Err(format!("no process answers at {address}: {e}")),
        Err(_) => return Err(format!("no process answers at {address} within {TIMEOUT:?}")),
    };
    parse(&body, pipeline, &address.to_string())
}

/// A process that listens on every address is asked on this machine's own.
pub(in crate::cli) fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => SocketAddr::from((Ipv4Addr::LOCALHOST, listen.port())),
        IpAddr::V6(ip) if ip.is_unspecified() => SocketAddr::from((Ipv6Addr::LOCALHOST, listen.port())),
        _ => listen,
    }
}

async fn get(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    // HTTP/1.0: the answer ends where the connection does.
    stream.write_all(format!("GET /status HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn parse(answer: &str, pipeline: &str, address: &str) -> Result<Said, String> {
    let strange = |what: &str| format!("what answers at {address} is no Weir of this version: {what}");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| strange("it speaks no HTTP"))?;
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("200") {
        return Err(strange(&format!("{status:?} to /status")));
    }
    let Answer { pipelines, said } = serde_json::from_str(body).map_err(|e| strange(&e.to_string()))?;
    let found = pipelines.into_iter().find(|p| p.pipeline == pipeline);
    let found = found.ok_or_else(|| format!("the process at {address} runs other pipelines, and not {pipeline}"))?;
    Ok(Said { address: address.to_string(), said, ..found })
}

#[cfg(test)]
mod tests;
