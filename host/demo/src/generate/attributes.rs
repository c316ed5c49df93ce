//! What a span says about itself, after OpenTelemetry's semantic conventions.

use std::fmt::Write as _;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue};

use super::chance::Chance;
use super::shop::{Operation, Shape};
use super::walk::Place;

const AGENTS: [&str; 5] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36",
    "ShopApp/7.3.1 (Android 16; Pixel 10)",
    "k6/1.4.0",
];
const COUNTRIES: [&str; 8] = ["DE", "FR", "US", "US", "GB", "JP", "BR", "CH"];
const CURRENCIES: [&str; 5] = ["EUR", "EUR", "USD", "JPY", "CHF"];

/// Who makes the request, the same through the whole trace.
pub(super) struct Customer {
    id: u64,
    session: u64,
    address: [u8; 4],
    agent: &'static str,
    country: &'static str,
    currency: &'static str,
    product: u64,
}

impl Customer {
    pub(super) fn new(chance: &mut Chance) -> Self {
        let [_, b, c, d, ..] = chance.next().to_be_bytes();
        Self {
            id: chance.below(50_000),
            session: chance.next(),
            address: [81, b, c, d],
            agent: chance.one_of(&AGENTS),
            country: chance.one_of(&COUNTRIES),
            currency: chance.one_of(&CURRENCIES),
            product: chance.below(2_000),
        }
    }
}

/// An attribute that is text.
pub(super) fn text(key: &str, value: impl Into<String>) -> KeyValue {
    pair(key, Value::StringValue(value.into()))
}

pub(super) fn int(key: &str, value: u64) -> KeyValue {
    pair(key, Value::IntValue(value.cast_signed()))
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}

/// What the operation itself says.
pub(super) fn of(operation: &Operation, is_failed: bool, customer: &Customer, chance: &mut Chance) -> Vec<KeyValue> {
    let mut all = Vec::with_capacity(14);
    match &operation.shape {
        Shape::Http { method, route } => {
            http(&mut all, method, is_failed, operation);
            all.push(text("http.route", *route));
            all.push(text("url.path", path(route, customer, chance)));
            all.push(text("client.address", address(customer.address)));
            all.push(text("user_agent.original", customer.agent));
            all.push(text("session.id", format!("{:016x}", customer.session)));
            all.push(text("enduser.id", format!("user-{:05}", customer.id)));
            all.push(text("app.country", customer.country));
        }
        Shape::Rpc { service, method } => {
            rpc(&mut all, service, method, is_failed);
            all.push(text("client.address", address([10, 12, chance.below(4) as u8, chance.below(250) as u8])));
            all.push(text("session.id", format!("{:016x}", customer.session)));
            all.push(text("server.address", format!("{}.shop.svc.cluster.local", operation.service.name)));
            all.push(text("app.currency", customer.currency));
            all.push(int("rpc.request.size", 40 + chance.below(400)));
            all.push(int("rpc.response.size", 120 + chance.below(4_000)));
            all.push(int("thread.id", 1 + chance.below(64)));
            order(&mut all, method, customer, chance);
        }
        Shape::Database { system, namespace, collection, query } => {
            all.push(text("db.system.name", *system));
            all.push(text("db.namespace", *namespace));
            all.push(text("db.collection.name", *collection));
            all.push(text("db.operation.name", query.split_whitespace().next().unwrap_or_default()));
            all.push(text("db.query.text", *query));
            all.push(int("db.response.returned_rows", chance.below(25)));
            all.push(text("server.address", format!("{namespace}-{system}.db.svc.cluster.local")));
            all.push(int("server.port", port(system)));
            all.push(text("network.peer.address", address([10, 12, 200, 1 + chance.below(5) as u8])));
            all.push(text("db.client.connection.pool.name", format!("{namespace}-main")));
            all.push(pair("db.connection.is_pooled", Value::BoolValue(!chance.permille(30))));
        }
        Shape::Elsewhere { method, host, path } => {
            http(&mut all, method, is_failed, operation);
            all.push(text("url.full", format!("https://{host}{path}")));
            all.push(text("server.address", *host));
            all.push(int("server.port", 443));
            all.push(int("http.request.resend_count", chance.below(2)));
            all.push(text("network.peer.address", address([203, 0, 113, 7 + chance.below(3) as u8])));
        }
        Shape::Topic { topic, operation } => {
            all.push(text("messaging.system", "kafka"));
            all.push(text("messaging.destination.name", *topic));
            all.push(text("messaging.operation.type", *operation));
            all.push(text("messaging.destination.partition.id", chance.below(12).to_string()));
            all.push(int("messaging.kafka.offset", 1_000_000 + chance.below(9_000_000)));
            all.push(int("messaging.message.body.size", 400 + chance.below(1_600)));
            all.push(text("messaging.client.id", format!("{topic}-client-1")));
            all.push(text("server.address", "kafka.shop.svc.cluster.local"));
            all.push(int("server.port", 9092));
        }
        Shape::Function { namespace } => {
            all.push(text("code.function.name", format!("{namespace}.{}", operation.name)));
            all.push(text("code.file.path", format!("/app/src/{}.src", namespace.replace('.', "/"))));
            all.push(int("code.line.number", 40 + chance.below(3) * 31));
            all.push(int("thread.id", 1 + chance.below(64)));
            all.push(text("thread.name", format!("worker-{}", chance.below(16))));
            all.push(text("enduser.id", format!("user-{:05}", customer.id)));
            all.push(int("app.candidates", 10 + chance.below(500)));
            all.push(pair("app.score", Value::DoubleValue(chance.below(10_000) as f64 / 10_000.0)));
        }
    }
    all
}

/// What the caller says of a call to another service, `to`.
pub(super) fn of_client(operation: &Operation, is_failed: bool, to: Place, chance: &mut Chance) -> Vec<KeyValue> {
    let mut all = Vec::with_capacity(12);
    match &operation.shape {
        Shape::Rpc { service, method } => {
            rpc(&mut all, service, method, is_failed);
            all.push(int("rpc.retry.count", u64::from(chance.permille(20))));
            all.push(text("user_agent.original", "grpc-shop/1.76.0"));
        }
        Shape::Http { method, route } => {
            http(&mut all, method, is_failed, operation);
            all.push(text("url.full", format!("http://{}:8080{route}", to.service.name)));
        }
        Shape::Database { .. } | Shape::Elsewhere { .. } | Shape::Topic { .. } | Shape::Function { .. } => {}
    }
    all.push(text("server.address", format!("{}.shop.svc.cluster.local", to.service.name)));
    all.push(int("server.port", 8080));
    all.push(text("service.peer.name", to.service.name));
    all.push(text("network.peer.address", address([10, 12, 3, 10 + to.pod as u8])));
    all.push(int("network.peer.port", 30_000 + chance.below(20_000)));
    all.push(text("network.transport", "tcp"));
    all
}

fn http(all: &mut Vec<KeyValue>, method: &str, is_failed: bool, operation: &Operation) {
    let status = match (is_failed, operation.failure.0) {
        (false, _) => 200,
        (true, "NotFoundError") => 404,
        (true, _) => 500,
    };
    all.push(text("http.request.method", method));
    all.push(int("http.response.status_code", status));
    all.push(text("url.scheme", "https"));
    all.push(text("network.protocol.version", "1.1"));
}

fn rpc(all: &mut Vec<KeyValue>, service: &str, method: &str, is_failed: bool) {
    all.push(text("rpc.system", "grpc"));
    all.push(text("rpc.service", service));
    all.push(text("rpc.method", method));
    // gRPC's INTERNAL.
    all.push(int("rpc.grpc.status_code", if is_failed { 13 } else { 0 }));
}

/// What only an order has.
fn order(all: &mut Vec<KeyValue>, method: &str, customer: &Customer, chance: &mut Chance) {
    if method == "PlaceOrder" || method == "Charge" {
        all.push(pair("app.order.amount", Value::DoubleValue((500 + chance.below(40_000)) as f64 / 100.0)));
    }
    if method == "PlaceOrder" {
        let product = |number: u64| AnyValue { value: Some(Value::StringValue(format!("P{number:04}"))) };
        let values = (0..=chance.below(3)).map(|at| product((customer.product + at) % 2_000)).collect();
        all.push(pair("app.order.products", Value::ArrayValue(ArrayValue { values })));
    }
}

fn port(system: &str) -> u64 {
    match system {
        "redis" => 6379,
        "mysql" => 3306,
        "mongodb" => 27017,
        _ => 5432,
    }
}

/// The route with its parameters filled in.
fn path(route: &str, customer: &Customer, chance: &mut Chance) -> String {
    match route {
        "/api/products/{id}" => format!("/api/products/P{:04}", customer.product),
        "/api/orders/{id}" => format!("/api/orders/{}", 100_000 + chance.below(900_000)),
        _ => route.to_owned(),
    }
}

fn address([a, b, c, d]: [u8; 4]) -> String {
    let mut text = String::with_capacity(15);
    // Writing to a string cannot fail.
    let _ = write!(text, "{a}.{b}.{c}.{d}");
    text
}
