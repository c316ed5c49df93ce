//! Spans, and in each row the version of the plugin that made it. The version stands in the component's bytes, where a
//! test writes another: a letter that says how it behaves, and a number.
//!
//! | letter | what it does |
//! |---|---|
//! | `a` | a row a span |
//! | `w`, `d` | gives a column more, gives one less |
//! | `c`, `p` | refuses its settings, panics at them |
//! | `n`, `i`, `m` | fills another table, gives a column of another type, or one more that is required |
//! | `t`, `l` | panics or never ends at the first span |
//! | `r` | refuses every record with a span |

use std::hint::black_box;

use weir_sdk::prelude::*;

/// Found by its beginning.
static VERSION: [u8; 27] = *b"weir-guest-version:a0000000";

fn version() -> &'static [u8] {
    &black_box(&VERSION)[19..]
}

#[derive(Default)]
struct Spans {
    behaviour: u8,
    timestamp: TimestampUtc,
    service_name: Dictionary,
    span_id: Utf8,
    version: Int64,
    text: Utf8,
    twice: Int64,
    must: Option<Int64>,
}

impl Columns for Spans {
    fn columns(&mut self, visit: &mut dyn Visit) {
        visit.column("timestamp", "When the span began.", &mut self.timestamp);
        visit.column("service_name", "The resource's service.name.", &mut self.service_name);
        visit.column("span_id", "In hex.", &mut self.span_id);
        match self.behaviour {
            b'i' => visit.column("version", "Of the plugin.", &mut self.text),
            b'd' => {}
            _ => visit.column("version", "Of the plugin.", &mut self.version),
        }
        if self.behaviour == b'w' {
            visit.column("twice", "Twice the version of the plugin.", &mut self.twice);
        }
        if let Some(must) = &mut self.must {
            visit.column("must", "Is required.", must);
        }
    }
}

impl Table for Spans {
    fn name(&self) -> &str {
        if self.behaviour == b'n' { "others" } else { "spans" }
    }
    fn rows(&self) -> usize {
        self.timestamp.len()
    }
}

struct Versioned {
    number: i64,
    spans: Spans,
}

impl OtlpToArrow for Versioned {
    fn configure(_: &mut Settings) -> Result<Self, String> {
        let (behaviour, number) = (version()[0], std::str::from_utf8(&version()[1..]).map_err(|e| e.to_string())?);
        let number = number.parse().map_err(|_| format!("{number} is no version"))?;
        match behaviour {
            b'c' => return Err("these settings are not to its liking".into()),
            b'p' => panic!("at its settings"),
            _ => {}
        }
        let must = (behaviour == b'm').then(Int64::required);
        Ok(Self { number, spans: Spans { behaviour, must, ..Spans::default() } })
    }

    fn tables(&mut self, each: &mut dyn FnMut(&mut dyn Table)) {
        each(&mut self.spans);
    }

    fn transform(&mut self, message: &Message, _: &mut Context<'_>) -> Result<(), Refusal> {
        for resource in otlp::traces(&message.value) {
            let resource = resource?;
            let service = resource.resource.attributes.string(b"service.name")?;
            for scope in resource.scopes {
                for span in scope?.items {
                    let span = span?;
                    match self.spans.behaviour {
                        b't' => panic!("at a span"),
                        b'l' => loop {
                            black_box(0);
                        },
                        b'r' => return Err(Refusal::new("this record is not to its liking")),
                        _ => {}
                    }
                    let id: String = span.span_id.iter().map(|byte| format!("{byte:02x}")).collect();
                    let spans = &mut self.spans;
                    spans.timestamp.push((span.start_time_unix_nano / 1000) as i64);
                    spans.service_name.push_option(service);
                    spans.span_id.push(id.as_bytes());
                    match spans.behaviour {
                        b'i' => spans.text.push(version()),
                        b'd' => {}
                        _ => spans.version.push(self.number),
                    }
                    if spans.behaviour == b'w' {
                        spans.twice.push(2 * self.number);
                    }
                    if let Some(must) = &mut spans.must {
                        must.push(self.number);
                    }
                }
            }
        }
        Ok(())
    }
}

weir_sdk::export!(Versioned);
