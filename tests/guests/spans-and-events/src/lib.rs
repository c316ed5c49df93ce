//! Two tables of traces. A span's row says how many events it has, and each of these is a row of the other table: what
//! must be there is known from what is here. How many rows an event gives stands in the component's bytes, where a test
//! writes another number: rows of two versions cannot pass for those of one.
//!
//! A service whose name is one of [`misbehave`]'s makes it trap, loop or eat memory.

use std::hint::black_box;

use weir_sdk::prelude::*;

/// Found by its beginning.
static ROWS_PER_EVENT: [u8; 17] = *b"weir-guest-rows:1";

fn rows_per_event() -> u8 {
    black_box(&ROWS_PER_EVENT)[16] - b'0'
}

#[derive(Default)]
struct Spans {
    timestamp: TimestampUtc,
    service_name: Dictionary,
    span_id: Utf8,
    events: Int64,
}

impl Columns for Spans {
    fn columns(&mut self, visit: &mut dyn Visit) {
        visit.column("timestamp", "When the span began.", &mut self.timestamp);
        visit.column("service_name", "The resource's service.name.", &mut self.service_name);
        visit.column("span_id", "In hex.", &mut self.span_id);
        visit.column("events", "How many rows of the other table are its.", &mut self.events);
    }
}

impl Table for Spans {
    fn name(&self) -> &str {
        "spans"
    }
    fn rows(&self) -> usize {
        self.timestamp.len()
    }
}

#[derive(Default)]
struct Events {
    timestamp: TimestampUtc,
    span_id: Utf8,
    name: Dictionary,
}

impl Columns for Events {
    fn columns(&mut self, visit: &mut dyn Visit) {
        visit.column("timestamp", "When it happened.", &mut self.timestamp);
        visit.column("span_id", "Of the span that it happened in, in hex.", &mut self.span_id);
        visit.column("name", "What happened.", &mut self.name);
    }
}

impl Table for Events {
    fn name(&self) -> &str {
        "events"
    }
    fn rows(&self) -> usize {
        self.timestamp.len()
    }
}

struct SpansAndEvents {
    spans: Spans,
    events: Events,
}

impl OtlpToArrow for SpansAndEvents {
    fn configure(_: &mut Settings) -> Result<Self, String> {
        Ok(Self { spans: Spans::default(), events: Events::default() })
    }

    fn tables(&mut self, each: &mut dyn FnMut(&mut dyn Table)) {
        each(&mut self.spans);
        each(&mut self.events);
    }

    fn transform(&mut self, message: &Message, _: &mut Context<'_>) -> Result<(), Refusal> {
        for resource in otlp::traces(&message.value) {
            let resource = resource?;
            let service = resource.resource.attributes.string(b"service.name")?;
            misbehave(service.unwrap_or_default());
            for scope in resource.scopes {
                for span in scope?.items {
                    let span = span?;
                    let id: String = span.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
                    let mut events = 0;
                    for event in span.events {
                        let event = event?;
                        for _ in 0..rows_per_event() {
                            self.events.timestamp.push((event.time_unix_nano / 1000) as i64);
                            self.events.span_id.push(id.as_bytes());
                            self.events.name.push(event.name);
                            events += 1;
                        }
                    }
                    self.spans.timestamp.push((span.start_time_unix_nano / 1000) as i64);
                    self.spans.service_name.push_option(service);
                    self.spans.span_id.push(id.as_bytes());
                    self.spans.events.push(events);
                }
            }
        }
        Ok(())
    }
}

/// What a name asks for, as a bug in a plugin would do it.
fn misbehave(service: &[u8]) {
    match service {
        b"weir.test/trap" => panic!("a trap that was asked for"),
        b"weir.test/loop" => loop {
            black_box(service);
        },
        b"weir.test/grow" => {
            let mut eaten = Vec::new();
            loop {
                eaten.push(black_box(vec![1_u8; 1 << 20]));
            }
        }
        _ => {}
    }
}

weir_sdk::export!(SpansAndEvents);
