//! What a call of a plugin costs: `call PLUGIN.wasm [spans | text] [messages] [spans or bytes in each]`.
//!
//! `spans` gives OTLP with ten attributes a span, `text` ASCII values, which the hostile test guest turns into a row
//! each. CPU time of one thread; the allocator is the one that Weir has.
#![allow(clippy::print_stdout, reason = "it prints what it measured")]

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use cpu_time::ThreadTime;
use weir_pipeline::transform::{Effort, Message, Stage};
use weir_wasm::{Engine, Limits, Plugin, Signal, WasmStage};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Calls that are measured; the first ones warm up.
const CALLS: u32 = 40;

/// Calls with an empty message that are measured.
const EMPTY_CALLS: u32 = 20_000;

/// Instances that are made, each for one such call.
const NEW_INSTANCES: u32 = 500;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().ok_or("which plugin?")?);
    let kind = arguments.next().unwrap_or_else(|| "spans".to_owned());
    let messages = arguments.next().map_or(Ok(80), |n| n.parse())?;
    let size: usize = arguments.next().map_or(Ok(100), |n| n.parse())?;

    let engine = Engine::new(None)?;
    let clock = ThreadTime::now();
    let plugin = Plugin::from_file(&engine, "measured", &path)?;
    println!("load and compile: {:?} of CPU time in this thread", clock.elapsed());
    let limits = Limits { deadline: Duration::from_secs(60), output_bytes: 1 << 30, ..Limits::default() };
    let mut stage = plugin.configure(Signal::Traces, Vec::new(), limits)?;

    let empty = call(&mut stage, &[Vec::new()], EMPTY_CALLS)?;
    let checking = plugin.usage().cpu_checking / EMPTY_CALLS;
    println!(
        "a call with an empty message: {:.2} us, {:.2} us of it checking",
        empty.as_secs_f64() * 1e6,
        checking.as_secs_f64() * 1e6
    );

    let clock = ThreadTime::now();
    for _ in 0..NEW_INSTANCES {
        call(&mut stage.clone(), &[Vec::new()], 1)?;
    }
    println!("the same in a new instance: {:.2} us", (clock.elapsed() / NEW_INSTANCES).as_secs_f64() * 1e6);

    let values: Vec<Vec<u8>> = match kind.as_str() {
        "text" => (0..messages).map(|_| vec![b'x'; size]).collect(),
        _ => (0..messages).map(|seed| otlp(seed as u64, size as u64)).collect(),
    };
    call(&mut stage, &values, 5)?;
    let before = plugin.usage();
    let each = call(&mut stage, &values, CALLS)?;
    let after = plugin.usage();
    let rows = (after.rows_out - before.rows_out).max(1) as f64;
    let (bytes_in, bytes_out) = (after.bytes_in - before.bytes_in, after.bytes_out - before.bytes_out);
    let checking = (after.cpu_checking - before.cpu_checking).as_secs_f64() * 1e9;
    println!("a batch of {} messages: {:.2} ms", values.len(), each.as_secs_f64() * 1e3);
    println!(
        "a row: {:.0} ns in all, {:.0} ns of it checking; {:.0} bytes in, {:.0} bytes out",
        each.as_secs_f64() * 1e9 * f64::from(CALLS) / rows,
        checking / rows,
        bytes_in as f64 / rows,
        bytes_out as f64 / rows
    );
    println!("peak memory: {:.1} MB; instances: {}", after.peak_memory_bytes as f64 / 1e6, after.instances);
    Ok(())
}

/// The CPU time of one call, of so many.
fn call(stage: &mut WasmStage, values: &[Vec<u8>], calls: u32) -> Result<Duration, Box<dyn Error>> {
    let messages: Vec<Message<'_>> = (0..)
        .zip(values)
        .map(|(offset, value)| Message { offset, timestamp_ms: None, key: None, headers: &[], value })
        .collect();
    let clock = ThreadTime::now();
    for _ in 0..calls {
        stage.call("topic", 0, &messages, Effort::Normal).map_err(|failure| failure.to_string())?;
    }
    Ok(clock.elapsed() / calls)
}

/// `TracesData` with one resource and so many spans.
fn otlp(seed: u64, spans: u64) -> Vec<u8> {
    let mut scope = Vec::new();
    for i in 0..spans {
        let x = (seed * 1000 + i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut span = Vec::new();
        field(&mut span, 1, &[x.to_be_bytes(), x.to_le_bytes()].concat());
        field(&mut span, 2, &x.to_be_bytes());
        field(&mut span, 4, &(x ^ 1).to_be_bytes());
        field(&mut span, 5, format!("GET /api/v1/orders/{}", x % 500).as_bytes());
        span.extend([6 << 3, 2]);
        let start = 1_790_000_000_000_000_000 + i * 1000;
        for (number, time) in [(7, start), (8, start + 1_500_000)] {
            span.push(number << 3 | 1);
            span.extend(time.to_le_bytes());
        }
        for (key, value) in [
            ("http.request.method", "GET".to_owned()),
            ("url.full", format!("https://shop.example/api/v1/orders/{x}?page=2&sort=asc")),
            ("http.route", "/api/v1/orders/{id}".to_owned()),
            ("user.email", format!("user{}@example.com", x % 5000)),
            ("server.address", "10.2.3.4".to_owned()),
            ("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101".to_owned()),
            ("db.system.name", "postgresql".to_owned()),
            ("thread.name", "worker-7".to_owned()),
            ("code.function.name", "handle_order".to_owned()),
            ("deployment.id", "blue-42".to_owned()),
        ] {
            attribute(&mut span, 9, key, &value);
        }
        field(&mut scope, 2, &span);
    }
    let mut resource = Vec::new();
    for (key, value) in [("service.name", "shop"), ("service.version", "1.4.2"), ("host.name", "node-17")] {
        attribute(&mut resource, 1, key, value);
    }
    let mut spans = Vec::new();
    field(&mut spans, 1, &resource);
    field(&mut spans, 2, &scope);
    let mut data = Vec::new();
    field(&mut data, 1, &spans);
    data
}

fn attribute(message: &mut Vec<u8>, number: u8, key: &str, value: &str) {
    let (mut text, mut pair) = (Vec::new(), Vec::new());
    field(&mut text, 1, value.as_bytes());
    field(&mut pair, 1, key.as_bytes());
    field(&mut pair, 2, &text);
    field(message, number, &pair);
}

/// A field of protobuf's wire type 2.
fn field(message: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    message.push(number << 3 | 2);
    let mut len = bytes.len();
    while len >= 0x80 {
        message.push((len & 0x7F) as u8 | 0x80);
        len >>= 7;
    }
    message.push(len as u8);
    message.extend_from_slice(bytes);
}
