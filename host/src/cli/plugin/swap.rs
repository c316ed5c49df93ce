//! `weir plugin swap`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cli::status::reachable;
use crate::cli::{Failure, load, say};
use crate::progress::{Format, line_out};

/// Longer than the process takes to answer that it is still trying.
const TIMEOUT: Duration = Duration::from_secs(60);
/// More than any answer has.
const ANSWER_MAX: u64 = 1 << 20;

/// Gives a running pipeline another plugin, without stopping it. It lasts until the process ends or a file changes.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The pipeline's file, whose [admin] section says where its process listens; or that address.
    r#where: String,
    /// The component.
    file: PathBuf,
    /// The pipeline, where the address is given and its process runs several.
    #[arg(long, value_name = "NAME")]
    pipeline: Option<String>,
    /// Which of its plugins, by name, where it has several; the file's name where absent.
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
}

/// What the process says.
#[derive(Deserialize)]
struct Said {
    result: String,
    reason: Option<String>,
}

pub(super) async fn run(arguments: Arguments, output: Format) -> Result<(), Failure> {
    let component = std::fs::read(&arguments.file)
        .map_err(|e| Failure::wrong(format!("cannot read {}: {e}", arguments.file.display())))?;
    let (address, pipeline) = place(&arguments, output).await?;
    let stem = arguments.file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = arguments.plugin.or(stem).unwrap_or_default();
    let plain = |c: char| if c.is_ascii_graphic() { c } else { '_' };
    let name: String = name.chars().map(plain).collect();
    let head = format!(
        "POST /pipelines/{pipeline}/plugin HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/wasm\r\n\
         Weir-Plugin: {name}\r\nContent-Length: {}\r\n\r\n",
        component.len()
    );
    let (status, body) = ask(address, &head, &component).await?;
    let said: Said = serde_json::from_str(&body).map_err(|_| {
        Failure::failed(format!("what answers at {address} is no Weir of this version: {status} {body}"))
    })?;
    report(&pipeline, &said, output)
}

fn report(pipeline: &str, said: &Said, output: Format) -> Result<(), Failure> {
    let is_well = matches!(said.result.as_str(), "swapped" | "same" | "trying");
    let reason = said.reason.as_deref().unwrap_or_default();
    match output {
        Format::Json => {
            line_out(&json!({ "event": "swap", "pipeline": pipeline, "result": said.result, "reason": said.reason }));
            if is_well { Ok(()) } else { Err(Failure::Shown(1)) }
        }
        Format::Human if !is_well => {
            Err(Failure::failed(format!("{pipeline}: {}: {reason}", said.result.replace('_', " "))))
        }
        Format::Human => {
            match said.result.as_str() {
                "swapped" => say(format_args!("{pipeline}: the plugin is live")),
                "trying" => say(format_args!("{pipeline}: {reason}; `weir status` says what came of it")),
                _ => say(format_args!("{pipeline}: {reason}")),
            }
            Ok(())
        }
    }
}

/// Where the process listens, and which of its pipelines is meant.
async fn place(arguments: &Arguments, output: Format) -> Result<(SocketAddr, String), Failure> {
    if let Ok(address) = arguments.r#where.parse::<SocketAddr>() {
        let pipeline = match &arguments.pipeline {
            Some(pipeline) => pipeline.clone(),
            None => only_pipeline(address).await?,
        };
        return Ok((address, pipeline));
    }
    let pipelines = load(&[PathBuf::from(&arguments.r#where)], output)?;
    let Some(pipeline) = pipelines.first() else { return Err(Failure::wrong("no pipeline")) };
    let Some(admin) = &pipeline.admin else {
        let file = &arguments.r#where;
        return Err(Failure::wrong(format!("{file} has no [admin] section: its process cannot be told anything")));
    };
    Ok((reachable(admin.listen), pipeline.name.clone()))
}

async fn only_pipeline(address: SocketAddr) -> Result<String, Failure> {
    let head = format!("GET /status HTTP/1.0\r\nHost: {address}\r\n\r\n");
    let (_, body) = ask(address, &head, &[]).await?;
    let status: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
    let pipelines = status["pipelines"].as_array().cloned().unwrap_or_default();
    let names: Vec<&str> = pipelines.iter().filter_map(|pipeline| pipeline["pipeline"].as_str()).collect();
    match names.as_slice() {
        [only] => Ok((*only).to_string()),
        [] => Err(Failure::failed(format!("what answers at {address} is no Weir of this version"))),
        several => {
            Err(Failure::wrong(format!("the process at {address} runs {}: add --pipeline NAME", several.join(", "))))
        }
    }
}

async fn ask(address: SocketAddr, head: &str, body: &[u8]) -> Result<(String, String), Failure> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(head.as_bytes()).await?;
        // A process that refuses a request may not read all of it.
        let _ = stream.write_all(body).await;
        let mut bytes = Vec::new();
        // HTTP/1.0: the answer ends where the connection does.
        stream.take(ANSWER_MAX).read_to_end(&mut bytes).await?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&bytes).into_owned())
    };
    let failed = |why: String| Failure::failed(format!("no process answers at {address}: {why}"));
    let answer = tokio::time::timeout(TIMEOUT, asked).await;
    let answer = answer.map_err(|_| failed(format!("within {TIMEOUT:?}")))?.map_err(|e| failed(e.to_string()))?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| failed("it speaks no HTTP".to_string()))?;
    Ok((head.lines().next().unwrap_or_default().to_string(), body.to_string()))
}
