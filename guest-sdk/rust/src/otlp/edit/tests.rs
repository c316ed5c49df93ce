use super::*;
use crate::otlp::merge;
use crate::otlp::oracle::Oracle;
use opentelemetry_proto::tonic::common::v1::{KeyValue as Attribute, any_value::Value};
use opentelemetry_proto::tonic::logs::v1::LogsData;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, MetricsData, metric::Data};
use opentelemetry_proto::tonic::trace::v1::TracesData;
use proptest::prelude::*;
use prost::Message;

/// Data whose attributes can be reached, on all levels.
trait Attributed: Oracle + std::fmt::Debug {
    fn each(&mut self, look: &mut dyn FnMut(&mut Vec<Attribute>));
}

macro_rules! origins {
    ($data:expr, $resources:ident, $scopes:ident, $items:ident, $look:ident, $item:ident => $body:expr) => {
        for resource in &mut $data.$resources {
            resource.resource.iter_mut().for_each(|r| $look(&mut r.attributes));
            for scope in &mut resource.$scopes {
                scope.scope.iter_mut().for_each(|s| $look(&mut s.attributes));
                for $item in &mut scope.$items {
                    $body
                }
            }
        }
    };
}

impl Attributed for TracesData {
    fn each(&mut self, look: &mut dyn FnMut(&mut Vec<Attribute>)) {
        origins!(self, resource_spans, scope_spans, spans, look, span => {
            look(&mut span.attributes);
            span.events.iter_mut().for_each(|event| look(&mut event.attributes));
            span.links.iter_mut().for_each(|link| look(&mut link.attributes));
        });
    }
}

impl Attributed for LogsData {
    fn each(&mut self, look: &mut dyn FnMut(&mut Vec<Attribute>)) {
        origins!(self, resource_logs, scope_logs, log_records, look, record => look(&mut record.attributes));
    }
}

macro_rules! points {
    ($points:expr, $look:ident) => {
        for point in $points {
            $look(&mut point.attributes);
            point.exemplars.iter_mut().for_each(|e: &mut Exemplar| $look(&mut e.filtered_attributes));
        }
    };
}

impl Attributed for MetricsData {
    fn each(&mut self, look: &mut dyn FnMut(&mut Vec<Attribute>)) {
        origins!(self, resource_metrics, scope_metrics, metrics, look, metric => {
            look(&mut metric.metadata);
            match &mut metric.data {
                None => {}
                Some(Data::Gauge(gauge)) => points!(&mut gauge.data_points, look),
                Some(Data::Sum(sum)) => points!(&mut sum.data_points, look),
                Some(Data::Histogram(histogram)) => points!(&mut histogram.data_points, look),
                Some(Data::ExponentialHistogram(histogram)) => points!(&mut histogram.data_points, look),
                Some(Data::Summary(summary)) => summary.data_points.iter_mut().for_each(|p| look(&mut p.attributes)),
            }
        });
    }
}

/// What the tests do to an attribute, by its key.
fn change(key: &[u8]) -> Change {
    match key.first().map(|byte| byte % 3) {
        Some(0) => Change::Drop,
        Some(1) => Change::Text([b"was ", key].concat()),
        _ => Change::Keep,
    }
}

/// The same by prost.
fn changed<T: Attributed>(mut data: T) -> T {
    data.each(&mut |attributes| {
        attributes.retain(|attribute| change(attribute.key.as_bytes()) != Change::Drop);
        for attribute in attributes {
            if let Change::Text(text) = change(attribute.key.as_bytes()) {
                let text = String::from_utf8(text).unwrap();
                attribute.value.get_or_insert_default().value = Some(Value::StringValue(text));
            }
        }
    });
    data
}

fn edited(signal: Signal, value: &[u8]) -> Outcome {
    edit_attributes(signal, value, |_, attribute| Ok(change(attribute.key))).unwrap()
}

fn holds<T: Attributed>(data: T) -> Result<(), TestCaseError> {
    let value = data.encode_to_vec();
    let outcome = edited(T::SIGNAL, &value);
    let wanted = changed(data.clone());
    prop_assert_eq!(outcome == Outcome::Unchanged, wanted == data, "unchanged where nothing changes, and only there");
    prop_assert_eq!(T::decode(outcome.value(&value)).unwrap().normal(), wanted.normal());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn attributes_of_traces_change_on_all_levels_and_nothing_else_does(data in TracesData::any()) {
        holds(data)?;
    }

    #[test]
    fn attributes_of_logs_change_on_all_levels_and_nothing_else_does(data in LogsData::any()) {
        holds(data)?;
    }

    #[test]
    fn attributes_of_metrics_change_on_all_levels_and_nothing_else_does(data in MetricsData::any()) {
        holds(data)?;
    }

    #[test]
    fn spans_that_are_not_kept_are_gone_and_what_held_only_such(data in TracesData::any()) {
        let value = data.encode_to_vec();
        let outcome = keep_spans(&value, |span, _| Ok(span.name.len() % 2 == 0)).unwrap();
        let mut wanted = data.clone();
        for resource in &mut wanted.resource_spans {
            for scope in &mut resource.scope_spans {
                if scope.spans.iter().any(|span| span.name.len() % 2 == 1) {
                    scope.spans.retain(|span| span.name.len() % 2 == 0);
                    scope.schema_url.push_str(if scope.spans.is_empty() { "\0gone" } else { "" });
                }
            }
            let had = resource.scope_spans.len();
            resource.scope_spans.retain(|scope| !scope.schema_url.ends_with("\0gone"));
            resource.schema_url.push_str(if had > 0 && resource.scope_spans.is_empty() { "\0gone" } else { "" });
        }
        wanted.resource_spans.retain(|resource| !resource.schema_url.ends_with("\0gone"));
        prop_assert_eq!(TracesData::decode(outcome.value(&value)).unwrap(), wanted);
    }

    #[test]
    fn a_resources_attribute_is_set_once_and_nothing_else_changes(data in TracesData::any()) {
        let key = data.resource_spans.iter().flat_map(|r| &r.resource).flat_map(|r| &r.attributes).next();
        let key = key.map_or_else(|| "new".to_owned(), |attribute| attribute.key.clone());
        let value = data.encode_to_vec();
        let outcome = set_resource_attribute(&value, key.as_bytes(), b"set").unwrap();
        let mut wanted = data;
        for resource in &mut wanted.resource_spans {
            let attributes = &mut resource.resource.get_or_insert_default().attributes;
            attributes.retain(|attribute| attribute.key != key);
            let value = opentelemetry_proto::tonic::common::v1::AnyValue { value: Some(Value::StringValue("set".into())) };
            attributes.push(Attribute { key: key.clone(), value: Some(value), ..Attribute::default() });
        }
        prop_assert_eq!(TracesData::decode(outcome.value(&value)).unwrap(), wanted);
    }

    #[test]
    fn garbage_is_an_error_or_stays_as_it_is_and_never_a_panic(value in proptest::collection::vec(any::<u8>(), 0..200)) {
        for signal in [Signal::Traces, Signal::Logs, Signal::Metrics] {
            let _ = edit_attributes(signal, &value, |_, attribute| Ok(change(attribute.key)));
        }
        let _ = keep_spans(&value, |_, _| Ok(false));
        let _ = set_resource_attribute(&value, b"k", b"v");
    }
}

/// A field of bytes; `number` is below 16 and `inner` shorter than 128 bytes.
fn field(number: u8, inner: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, inner.len() as u8], inner].concat()
}

#[test]
fn fields_that_are_not_known_stay_where_they_are() {
    let attribute = |key: &[u8]| [field(1, key), field(14, b"kept"), field(2, &field(1, b"x"))].concat();
    // A group, which no reader here looks into, before and behind.
    let group = [0x7b, 0x08, 0x01, 0x7c];
    let span =
        [&group[..], &field(9, &attribute(b"a")), &field(15, b"new"), &field(9, &attribute(b"c")), &group].concat();
    let value = field(1, &field(2, &field(2, &span)));
    let attribute = [field(1, b"a"), field(14, b"kept"), field(2, &field(1, b"was a"))].concat();
    let span = [&group[..], &field(9, &attribute), &field(15, b"new"), &group].concat();
    assert_eq!(edited(Signal::Traces, &value), Outcome::Changed(field(1, &field(2, &field(2, &span)))));
}

#[test]
fn levels_are_told() {
    let attribute = field(1, b"k");
    let event = field(11, &field(3, &attribute));
    let span = [field(9, &attribute), event, field(13, &field(4, &attribute))].concat();
    let scope = [field(1, &field(3, &attribute)), field(2, &span)].concat();
    let value = field(1, &[field(1, &field(1, &attribute)), field(2, &scope)].concat());
    let mut levels = Vec::new();
    let note = |level, _: &KeyValue<'_>| {
        levels.push(level);
        Ok(Change::Keep)
    };
    assert_eq!(edit_attributes(Signal::Traces, &value, note), Ok(Outcome::Unchanged));
    assert_eq!(levels, [Level::Resource, Level::Scope, Level::Span, Level::Event, Level::Link]);
}

#[test]
fn a_predicate_sees_the_resource_and_a_late_one_is_put_in_order_first() {
    let service = [field(1, b"service.name"), field(2, &field(1, b"shop"))].concat();
    let (resource, scope) = (field(1, &field(1, &service)), field(2, &field(2, &field(5, b"buy"))));
    let keep = |value: &[u8]| {
        keep_spans(value, |_, resource| Ok(resource.attributes.string(b"service.name")? == Some(b"shop")))
    };
    let value = field(1, &[resource.clone(), scope.clone()].concat());
    assert_eq!(keep(&value), Ok(Outcome::Unchanged));
    let late = field(1, &[scope, resource].concat());
    assert_eq!(keep(&late).unwrap_err().fault, Fault::Split);
    assert_eq!(keep(&merge(Signal::Traces, &late).unwrap()), Ok(Outcome::Unchanged));
}

#[test]
fn a_value_of_which_nothing_stays_is_empty_and_one_that_had_nothing_is_unchanged() {
    let value = field(1, &field(2, &field(2, &field(5, b"buy"))));
    assert_eq!(keep_spans(&value, |_, _| Ok(false)), Ok(Outcome::Changed(Vec::new())));
    for nothing in [vec![], field(1, b""), field(1, &field(2, b""))] {
        assert_eq!(keep_spans(&nothing, |_, _| Ok(false)), Ok(Outcome::Unchanged));
    }
}

#[test]
fn log_records_and_metrics_are_kept_by_what_they_say() {
    let value = |item: &[u8]| field(1, &field(2, &field(2, item)));
    let record = value(&field(3, b"ERROR"));
    let is_error = |record: &LogRecord<'_>, _: &Resource<'_>| Ok(record.severity_text == b"ERROR");
    assert_eq!(keep_log_records(&record, is_error), Ok(Outcome::Unchanged));
    let metric = value(&field(1, b"cpu"));
    assert_eq!(keep_metrics(&metric, |metric, _| Ok(metric.name != b"cpu")), Ok(Outcome::Changed(Vec::new())));
}
