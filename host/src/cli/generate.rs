//! `weir generate`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use weir_demo::generate::Options;
use weir_demo::produce::{Encoding, Order, Written, produce};
use weir_pipeline::clock::{Clock, SystemClock};

use super::{Failure, say};
use crate::progress::{Format, line_out};

/// Writes realistic traces to a topic, countable to the span: the same seed gives the same spans.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Brokers to begin with, host:port.
    #[arg(long, required = true, value_delimiter = ',')]
    brokers: Vec<String>,
    /// The topic, which must exist.
    #[arg(long)]
    topic: String,
    /// How the messages are encoded.
    #[arg(long, value_enum, default_value = "otlp_proto")]
    encoding: EncodingArgument,
    /// Which traces: the same seed gives the same spans, another seed others.
    #[arg(long, default_value_t = 1)]
    seed: u16,
    /// How many spans; without it, until it is stopped.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Spans a second at the most.
    #[arg(long, value_name = "N")]
    rate: Option<u64>,
    /// Spans in one message.
    #[arg(long, default_value_t = 500, value_name = "N")]
    spans_per_message: usize,
    /// When the first trace begins, milliseconds since 1970; an hour ago where absent.
    #[arg(long, value_name = "MS")]
    start_time: Option<u64>,
    /// A librdkafka property, as NAME=VALUE.
    #[arg(long = "property", value_name = "NAME=VALUE")]
    properties: Vec<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum EncodingArgument {
    #[value(name = "otlp_proto")]
    Proto,
    #[value(name = "otlp_json")]
    Json,
}

pub(super) async fn run(arguments: Arguments, output: Format) -> Result<(), Failure> {
    let mut properties = BTreeMap::new();
    for text in &arguments.properties {
        let (name, value) =
            text.split_once('=').ok_or_else(|| Failure::wrong(format!("--property {text}: write it as NAME=VALUE")))?;
        properties.insert(name.to_string(), value.to_string());
    }
    let start_ms = arguments.start_time.unwrap_or_else(an_hour_ago_ms);
    let order = Order {
        brokers: arguments.brokers,
        topic: arguments.topic,
        properties,
        encoding: match arguments.encoding {
            EncodingArgument::Proto => Encoding::Proto,
            EncodingArgument::Json => Encoding::Json,
        },
        traces: Options {
            seed: arguments.seed,
            spans_per_message: arguments.spans_per_message,
            start_time_ns: start_ms.saturating_mul(1_000_000),
            ..Options::default()
        },
        spans: arguments.count,
        rate: arguments.rate,
    };
    let written = stoppable(order).await?;
    match output {
        Format::Human => say(format_args!(
            "{} spans in {} messages, {:.1} MB before compression",
            written.spans,
            written.messages,
            written.bytes as f64 / 1e6
        )),
        Format::Json => {
            line_out(&json!({ "spans": written.spans, "messages": written.messages, "bytes": written.bytes }));
        }
    }
    Ok(())
}

fn an_hour_ago_ms() -> u64 {
    let now = u64::try_from(SystemClock::default().now_ms()).unwrap_or(0);
    now.saturating_sub(u64::try_from(Duration::from_secs(3600).as_millis()).unwrap_or(0))
}

/// Produces on a thread that may block; ctrl-C ends it after the message at hand.
async fn stoppable(order: Order) -> Result<Written, Failure> {
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = std::sync::Arc::clone(&stop);
    let work =
        tokio::task::spawn_blocking(move || produce(&order, |_| !stopped.load(std::sync::atomic::Ordering::Relaxed)));
    let signal = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    });
    let written = work.await.map_err(Failure::failed)?.map_err(Failure::failed);
    signal.abort();
    written
}
