//! One trace: a customer's request, and all that follows from it.

use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::attributes::{self, Customer};
use super::chance::Chance;
use super::item_id;
use super::shop::{Operation, REQUESTS, Service};

/// W3C's "sampled", and that it is known whether the parent is on another machine.
const LOCAL_PARENT: u32 = 0x101;
/// The same, and it is.
const REMOTE_PARENT: u32 = 0x301;
/// `Status.code` of an error.
const ERROR: i32 = 2;

/// A span, and where it came from.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) span: Span,
    pub(super) place: Place,
}

/// One pod of a service.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) service: &'static Service,
    pub(super) pod: u64,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.service.name, self.pod)
    }
}

/// When an operation ended, and why it failed if it did.
struct Outcome {
    end: u64,
    failure: Option<&'static str>,
}

/// A trace in the making.
pub(super) struct Walk<'a> {
    chance: &'a mut Chance,
    trace_id: [u8; 16],
    seed: u16,
    /// The number of the trace's first span.
    first: u64,
    spans: Vec<Finished>,
    customer: Customer,
}

impl<'a> Walk<'a> {
    /// A trace whose spans are numbered from `first` on.
    pub(super) fn new(chance: &'a mut Chance, trace_id: [u8; 16], seed: u16, first: u64) -> Self {
        let customer = Customer::new(chance);
        Self { chance, trace_id, seed, first, spans: Vec::new(), customer }
    }

    /// Walks through one request, of a kind that chance picks.
    pub(super) fn request(&mut self, begin: u64) {
        let mut left = self.chance.below(REQUESTS.iter().map(|(parts, _)| parts).sum());
        let picked = REQUESTS.iter().find(|(parts, _)| {
            let is_here = left < *parts;
            left = left.saturating_sub(*parts);
            is_here
        });
        if let Some((_, operation)) = picked {
            let pod = self.chance.below(operation.service.pods);
            self.operation(operation, Place { service: operation.service, pod }, None, begin);
        }
    }

    /// The spans, in the order of their numbers.
    pub(super) fn finish(self) -> Vec<Finished> {
        self.spans
    }

    /// Adds an operation's span and those of all it calls. `parent` is the number of a span within the trace.
    fn operation(&mut self, operation: &'static Operation, place: Place, parent: Option<usize>, begin: u64) -> Outcome {
        let here = self.open(operation.name, operation.kind, place, parent, begin);
        let own = self.chance.duration_ns(operation.median_us, operation.spread);
        let mut failure = self.chance.permille(operation.failures_permille).then_some(operation.failure.1);
        let is_origin = failure.is_some();
        // A third of its own time goes by before the first call, the rest after the last one.
        let mut now = begin + own / 3;
        for call in operation.calls {
            if failure.is_some() {
                break;
            }
            if self.chance.permille(call.permille) {
                for _ in 0..=self.chance.below(call.times_max) {
                    let outcome = self.call(call.to, place, here, now);
                    // Nobody waits for whoever reads a topic.
                    if call.to.kind != SpanKind::Consumer {
                        now = outcome.end;
                        failure = failure.or(outcome.failure);
                    }
                }
            }
        }
        let end = now + own - own / 3;
        let attributes = attributes::of(operation, failure.is_some(), &self.customer, self.chance);
        let Some(Finished { span, .. }) = self.spans.get_mut(here) else { return Outcome { end, failure } };
        span.attributes = attributes;
        span.end_time_unix_nano = end;
        if let Some(message) = failure {
            span.status = Some(Status { code: ERROR, message: message.to_owned() });
            if is_origin {
                span.events.push(exception(operation, end - own / 6));
            }
        }
        Outcome { end, failure }
    }

    /// Adds what one operation calls: beside it in the same service; or over the network, with a span on each side.
    fn call(&mut self, to: &'static Operation, place: Place, parent: usize, begin: u64) -> Outcome {
        match to.kind {
            SpanKind::Server => {
                let client = self.open(to.name, SpanKind::Client, place, Some(parent), begin);
                let far = Place { service: to.service, pod: self.chance.below(to.service.pods) };
                let (there, back) = (self.chance.duration_ns(250.0, 0.4), self.chance.duration_ns(220.0, 0.4));
                let Outcome { end, failure } = self.operation(to, far, Some(client), begin + there);
                let end = end + back;
                let attributes = attributes::of_client(to, failure.is_some(), far, self.chance);
                if let Some(Finished { span, .. }) = self.spans.get_mut(client) {
                    span.attributes = attributes;
                    span.end_time_unix_nano = end;
                    if let Some(message) = failure {
                        span.status = Some(Status { code: ERROR, message: message.to_owned() });
                    }
                }
                Outcome { end, failure }
            }
            SpanKind::Consumer => {
                let far = Place { service: to.service, pod: self.chance.below(to.service.pods) };
                let begin = begin + self.chance.duration_ns(12_000.0, 0.6);
                let link = self.link(parent);
                let consumer = self.spans.len();
                let outcome = self.operation(to, far, Some(parent), begin);
                if let Some(Finished { span, .. }) = self.spans.get_mut(consumer) {
                    span.links.push(link);
                }
                outcome
            }
            _ => self.operation(to, place, Some(parent), begin),
        }
    }

    /// Adds a span that is not finished, and gives its number within the trace.
    fn open(&mut self, name: &str, kind: SpanKind, place: Place, parent: Option<usize>, begin: u64) -> usize {
        let here = self.spans.len();
        let is_remote = matches!(kind, SpanKind::Server | SpanKind::Consumer) && parent.is_some();
        let span = Span {
            trace_id: self.trace_id.to_vec(),
            span_id: self.id(here),
            parent_span_id: parent.map(|parent| self.id(parent)).unwrap_or_default(),
            flags: if is_remote { REMOTE_PARENT } else { LOCAL_PARENT },
            name: name.to_owned(),
            kind: kind.into(),
            start_time_unix_nano: begin,
            // The Collector writes an empty status too.
            status: Some(Status::default()),
            ..Default::default()
        };
        self.spans.push(Finished { span, place });
        here
    }

    fn id(&self, within: usize) -> Vec<u8> {
        item_id(self.seed, self.first + within as u64).to_vec()
    }

    fn link(&self, to: usize) -> Link {
        Link { trace_id: self.trace_id.to_vec(), span_id: self.id(to), flags: REMOTE_PARENT, ..Default::default() }
    }
}

/// The event that an exception leaves.
fn exception(operation: &'static Operation, time: u64) -> Event {
    let (kind, message) = operation.failure;
    let stack = format!(
        "{kind}: {message}\n    at {0}.{1}\n    at {0}.handle(request:214)\n    at runtime.dispatch(worker:88)",
        operation.service.name, operation.name,
    );
    Event {
        time_unix_nano: time,
        name: "exception".to_owned(),
        attributes: vec![
            attributes::text("exception.type", kind),
            attributes::text("exception.message", message),
            attributes::text("exception.stacktrace", stack),
        ],
        ..Default::default()
    }
}
