//! Traces made up from a seed, as a Collector's JSON, with the ids that a table must then hold.
//!
//! Not Weir's own generator: what proves Weir must not share its code.

use serde_json::{Value, json};

use crate::oracle::SpanIds;

const SPANS_PER_RESOURCE: usize = 20;
const DAY_NANOS: u64 = 86_400_000_000_000;

/// Makes requests of realistic spans: ten attributes, about a kilobyte of JSON each, 15 services, some errors and events.
#[derive(Debug, Clone)]
pub struct Spans {
    random: Random,
    start_nanos: u64,
    days: u64,
    made: SpanIds,
}

impl Spans {
    /// Spans whose times lie in the `days` days from `start_nanos`, in nanoseconds since 1970. Equal seeds make equal
    /// spans, different ones different ids.
    pub fn new(seed: u64, start_nanos: u64, days: u64) -> Self {
        Self { random: Random(seed), start_nanos, days, made: SpanIds { count: 0, distinct: 0, xor: 0 } }
    }

    /// The ids of all spans made so far, which are all different.
    pub fn made(&self) -> SpanIds {
        self.made.clone()
    }

    /// The next `count` requests of `spans` spans each, as `otlp_json`.
    pub fn requests(&mut self, count: usize, spans: usize) -> Vec<String> {
        (0..count).map(|_| self.request(spans)).collect()
    }

    /// The next request of `spans` spans, as `otlp_json`.
    pub fn request(&mut self, spans: usize) -> String {
        let mut resources = Vec::new();
        let mut left = spans;
        while left > 0 {
            let here = left.min(SPANS_PER_RESOURCE);
            left -= here;
            let spans: Vec<Value> = (0..here).map(|_| self.span()).collect();
            resources.push(json!({
                "resource": {"attributes": [
                    string("service.name", &format!("service-{}", self.random.below(15))),
                    string("host.name", &format!("host-{}", self.random.below(50))),
                    string("service.version", "1.4.2"),
                    string("deployment.environment.name", "production"),
                ]},
                "scopeSpans": [{"scope": {"name": "weir.tests"}, "spans": spans}],
            }));
        }
        json!({"resourceSpans": resources}).to_string()
    }

    fn span(&mut self) -> Value {
        let random = &mut self.random;
        // Each number comes once in a period of 2^64. Zero, which would be no valid id, is as unlikely as any other.
        let id = random.next();
        self.made.count += 1;
        self.made.distinct += 1;
        self.made.xor ^= id;
        let start = self.start_nanos + random.below(self.days * DAY_NANOS);
        let duration = 100_000 + random.below(900_000_000);
        let code = [200, 200, 200, 404, 500][random.below(5) as usize];
        let route = ["cart", "orders", "users", "items"][random.below(4) as usize];
        let mut span = json!({
            "traceId": format!("{:016x}{:016x}", random.next(), random.next()),
            "spanId": format!("{id:016x}"),
            "name": format!("GET /api/v1/{route}"),
            "kind": 1 + random.below(3),
            "startTimeUnixNano": start.to_string(),
            "endTimeUnixNano": (start + duration).to_string(),
            "attributes": [
                string("http.request.method", "GET"),
                string("url.full", &format!("https://shop.example/api/v1/{route}/{}", random.below(100_000))),
                integer("http.response.status_code", code),
                integer("http.response.body.size", random.below(1 << 20)),
                string("network.protocol.version", "1.1"),
                string("client.address", &format!("10.0.{}.{}", random.below(256), random.below(256))),
                string("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)"),
                json!({"key": "cache.hit", "value": {"boolValue": random.below(10) < 3}}),
                json!({"key": "sampling.ratio", "value": {"doubleValue": random.below(1_000_000) as f64 / 1e6}}),
                integer("thread.id", random.below(64)),
            ],
            "status": {},
        });
        if random.below(4) > 0 {
            span["parentSpanId"] = json!(format!("{:016x}", random.next()));
        }
        if code == 500 {
            span["status"] = json!({"code": 2, "message": "upstream failed"});
            span["events"] = json!([{"timeUnixNano": (start + duration / 2).to_string(), "name": "exception",
                "attributes": [string("exception.type", "IOError"), string("exception.message", "connection reset")]}]);
        }
        span
    }
}

fn string(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn integer(key: &str, value: u64) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
