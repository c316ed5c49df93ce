//! `weir generate`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use weir_demo::generate::Options;
use weir_demo::produce::{Encoding, Order, Signal, Written, produce};
use weir_pipeline::clock::{Clock, SystemClock};

use super::{Failure, say};
use crate::progress::{Format, line_out};

/// Writes realistic telemetry to a topic, countable to the item: the same seed gives the same spans, log records or
/// data points.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Brokers to begin with, host:port.
    #[arg(long, required = true, value_delimiter = ',')]
    brokers: Vec<String>,
    /// The topic, which must exist.
    #[arg(long)]
    topic: String,
    /// What is written. Logs name the spans that the same seed and start time give.
    #[arg(long, value_enum, default_value = "traces")]
    signal: SignalArgument,
    /// How the messages are encoded.
    #[arg(long, value_enum, default_value = "otlp_proto")]
    encoding: EncodingArgument,
    /// Which run: the same seed gives the same items, another seed others.
    #[arg(long, default_value_t = 1)]
    seed: u16,
    /// How many spans, log records or data points; without it, until it is stopped.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Items a second at the most.
    #[arg(long, value_name = "N")]
    rate: Option<u64>,
    /// Items in one message.
    #[arg(long, alias = "spans-per-message", default_value_t = 500, value_name = "N")]
    items_per_message: usize,
    /// When the first item begins, milliseconds since 1970; an hour ago where absent.
    #[arg(long, value_name = "MS")]
    start_time: Option<u64>,
    /// A librdkafka property, as NAME=VALUE.
    #[arg(long = "property", value_name = "NAME=VALUE")]
    properties: Vec<String>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SignalArgument {
    Traces,
    Logs,
    Metrics,
}

impl SignalArgument {
    /// The signal, and what its items are called.
    fn signal_and_items(self) -> (Signal, &'static str) {
        match self {
            Self::Traces => (Signal::Traces, "spans"),
            Self::Logs => (Signal::Logs, "log records"),
            Self::Metrics => (Signal::Metrics, "data points"),
        }
    }
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
    let (signal, items) = arguments.signal.signal_and_items();
    let order = Order {
        brokers: arguments.brokers,
        topic: arguments.topic,
        properties,
        encoding: match arguments.encoding {
            EncodingArgument::Proto => Encoding::Proto,
            EncodingArgument::Json => Encoding::Json,
        },
        signal,
        options: Options {
            seed: arguments.seed,
            items_per_message: arguments.items_per_message,
            start_time_ns: start_ms.saturating_mul(1_000_000),
            ..Options::default()
        },
        items: arguments.count,
        rate: arguments.rate,
    };
    let written = stoppable(order).await?;
    match output {
        Format::Human => say(format_args!(
            "{} {items} in {} messages, {:.1} MB before compression",
            written.items,
            written.messages,
            written.bytes as f64 / 1e6
        )),
        Format::Json => {
            let items = items.replace(' ', "_");
            line_out(&json!({ (items): written.items, "messages": written.messages, "bytes": written.bytes }));
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
