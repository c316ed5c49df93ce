//! Changes OTLP protobuf where it lies: what does not change is copied as it is, unknown fields too, and a message in
//! which nothing changes is not copied at all.

use super::merge::{push_field, push_varint};
use super::value::KeyValue;
use super::wire::{Fault, Field, Fields, Malformed, Read, Wire};
use super::{LogRecord, Metric, Resource, Span};
use crate::message::Signal;
use crate::otlp_to_otlp::Outcome;

/// Where in a message attributes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Those of a resource.
    Resource,
    /// Those of an instrumentation scope.
    Scope,
    /// Those of a span.
    Span,
    /// Those of a span's event.
    Event,
    /// Those of a span's link.
    Link,
    /// Those of a log record.
    LogRecord,
    /// The metadata of a metric.
    Metric,
    /// Those of a data point.
    Point,
    /// The filtered attributes of an exemplar.
    Exemplar,
}

/// What becomes of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It stays as it is.
    Keep,
    /// It goes.
    Drop,
    /// It has this text for its value.
    Text(Vec<u8>),
}

/// The messages on the way to attributes.
#[derive(Clone, Copy)]
enum Kind {
    Data,
    ResourceItems,
    ScopeItems,
    /// `Gauge`, `Sum` and so on, whose field 1 is data points.
    Points(Points),
    Point(Points),
    /// Whatever has attributes.
    At(Level),
}

/// The kinds of data points; those of gauges and sums are the same.
#[derive(Clone, Copy)]
enum Points {
    Number,
    Histogram,
    ExponentialHistogram,
    Summary,
}

/// A field that is looked into.
enum Part {
    Message(Kind),
    Attribute(Level),
}

/// The parts of a message that lead to attributes (opentelemetry-proto's `.proto` files).
fn part(signal: Signal, kind: Kind, number: u32) -> Option<Part> {
    use Level::{Event, Exemplar, Link, LogRecord, Metric, Resource, Scope, Span};
    use Part::{Attribute, Message};
    use Points::{ExponentialHistogram, Histogram, Number, Summary};
    Some(match (kind, number) {
        (Kind::Data, 1) => Message(Kind::ResourceItems),
        (Kind::ResourceItems, 1) => Message(Kind::At(Resource)),
        (Kind::ResourceItems, 2) => Message(Kind::ScopeItems),
        (Kind::ScopeItems, 1) => Message(Kind::At(Scope)),
        (Kind::ScopeItems, 2) => Message(Kind::At(match signal {
            Signal::Traces => Span,
            Signal::Logs => LogRecord,
            Signal::Metrics => Metric,
        })),
        (Kind::At(Span), 11) => Message(Kind::At(Event)),
        (Kind::At(Span), 13) => Message(Kind::At(Link)),
        (Kind::At(Metric), 5 | 7) => Message(Kind::Points(Number)),
        (Kind::At(Metric), 9) => Message(Kind::Points(Histogram)),
        (Kind::At(Metric), 10) => Message(Kind::Points(ExponentialHistogram)),
        (Kind::At(Metric), 11) => Message(Kind::Points(Summary)),
        (Kind::Points(points), 1) => Message(Kind::Point(points)),
        (Kind::Point(Number), 5) | (Kind::Point(Histogram), 8) | (Kind::Point(ExponentialHistogram), 11) => {
            Message(Kind::At(Exemplar))
        }
        (Kind::Point(Number | Summary), 7) | (Kind::Point(Histogram), 9) | (Kind::Point(ExponentialHistogram), 1) => {
            Attribute(Level::Point)
        }
        (Kind::At(level), number) if number == level.attributes() => Attribute(level),
        _ => return None,
    })
}

impl Level {
    /// The number of the attributes' field.
    fn attributes(self) -> u32 {
        match self {
            Level::Resource => 1,
            Level::Scope | Level::Event => 3,
            Level::Link => 4,
            Level::LogRecord => 6,
            Level::Exemplar => 7,
            Level::Span => 9,
            Level::Metric => 12,
            // By the kind of point.
            Level::Point => 0,
        }
    }
}

/// What becomes of a message within a message.
enum Edit {
    Keep,
    Drop,
    Replace(Vec<u8>),
}

/// Decides for each attribute of a record's value, on all levels. Attributes within values are not looked at.
///
/// ```
/// use weir_sdk::otlp::{self, Change};
/// use weir_sdk::{Outcome, Signal};
///
/// let value = [];
/// let outcome = otlp::edit_attributes(Signal::Traces, &value, |_, attribute| match attribute.key {
///     b"user.email" => Ok(Change::Drop),
///     _ => Ok(Change::Keep),
/// });
/// assert_eq!(outcome, Ok(Outcome::Unchanged));
/// ```
///
/// # Errors
/// The value is malformed on the way to an attribute, or `decide` says so.
pub fn edit_attributes(
    signal: Signal,
    value: &[u8],
    mut decide: impl FnMut(Level, &KeyValue<'_>) -> Result<Change, Malformed>,
) -> Result<Outcome, Malformed> {
    edit_in(signal, Kind::Data, value, &mut decide).map(outcome)
}

fn edit_in<F: FnMut(Level, &KeyValue<'_>) -> Result<Change, Malformed>>(
    signal: Signal,
    kind: Kind,
    message: &[u8],
    decide: &mut F,
) -> Result<Option<Vec<u8>>, Malformed> {
    edit(message, |field| match part(signal, kind, field.number) {
        None => Ok(Edit::Keep),
        Some(Part::Message(kind)) => {
            let changed = edit_in(signal, kind, field.bytes()?, decide)?;
            Ok(changed.map_or(Edit::Keep, Edit::Replace))
        }
        Some(Part::Attribute(level)) => {
            let attribute = field.bytes()?;
            Ok(match decide(level, &KeyValue::read(attribute)?)? {
                Change::Keep => Edit::Keep,
                Change::Drop => Edit::Drop,
                Change::Text(text) => Edit::Replace(with_text(attribute, &text)?),
            })
        }
    })
}

/// Sets a resource's attribute to a text, for each resource of a record's value: what it had under this key goes.
///
/// ```
/// # use weir_sdk::otlp;
/// # let value = [];
/// let outcome = otlp::set_resource_attribute(&value, b"deployment.environment.name", b"production");
/// ```
///
/// # Errors
/// The value is malformed on the way to a resource's attributes.
pub fn set_resource_attribute(value: &[u8], key: &[u8], text: &[u8]) -> Result<Outcome, Malformed> {
    let mut attribute = Vec::with_capacity(key.len() + text.len() + 12);
    push_field(&mut attribute, 1, Wire::Bytes(key));
    let attribute = with_text(&attribute, text)?;
    let changed = edit(value, |field| {
        if field.number != 1 {
            return Ok(Edit::Keep);
        }
        let mut is_there = false;
        let items = edit(field.bytes()?, |field| {
            if field.number != 1 {
                return Ok(Edit::Keep);
            }
            // Of a resource in pieces, which are merged, one piece gets it.
            let set = with_attribute(field.bytes()?, key, (!is_there).then_some(&attribute[..]))?;
            is_there = true;
            Ok(Edit::Replace(set))
        })?;
        let items = match items {
            Some(items) => items,
            None => {
                let mut items = Vec::new();
                push_field(&mut items, 1, Wire::Bytes(&with_attribute(&[], key, Some(&attribute))?));
                items.extend_from_slice(field.bytes()?);
                items
            }
        };
        Ok(Edit::Replace(items))
    })?;
    Ok(outcome(changed))
}

/// A resource without the attributes of this key, and with the one that is given.
fn with_attribute(resource: &[u8], key: &[u8], attribute: Option<&[u8]>) -> Result<Vec<u8>, Malformed> {
    let without = edit(resource, |field| {
        let is_it = field.number == 1 && KeyValue::read(field.bytes()?)?.key == key;
        Ok(if is_it { Edit::Drop } else { Edit::Keep })
    })?;
    let mut out = without.unwrap_or_else(|| resource.to_vec());
    attribute.into_iter().for_each(|attribute| push_field(&mut out, 1, Wire::Bytes(attribute)));
    Ok(out)
}

/// The attribute with a text for its value.
fn with_text(attribute: &[u8], text: &[u8]) -> Result<Vec<u8>, Malformed> {
    let without = edit(attribute, |field| Ok(if field.number == 2 { Edit::Drop } else { Edit::Keep }))?;
    let mut out = without.unwrap_or_else(|| attribute.to_vec());
    let mut value = Vec::with_capacity(text.len() + 6);
    push_field(&mut value, 1, Wire::Bytes(text));
    push_field(&mut out, 2, Wire::Bytes(&value));
    Ok(out)
}

/// Keeps the spans for which `keep` says so, with their resource at hand. Scopes and resources of which no span stays
/// go too, and a value of which nothing stays is empty.
///
/// # Errors
/// The value is malformed, or `keep` says so.
pub fn keep_spans(
    value: &[u8],
    mut keep: impl FnMut(&Span<'_>, &Resource<'_>) -> Result<bool, Malformed>,
) -> Result<Outcome, Malformed> {
    keep_items(value, |item, resource| keep(&Span::read(item)?, resource))
}

/// Keeps the log records for which `keep` says so; as [`keep_spans`].
///
/// # Errors
/// The value is malformed, or `keep` says so.
pub fn keep_log_records(
    value: &[u8],
    mut keep: impl FnMut(&LogRecord<'_>, &Resource<'_>) -> Result<bool, Malformed>,
) -> Result<Outcome, Malformed> {
    keep_items(value, |item, resource| keep(&LogRecord::read(item)?, resource))
}

/// Keeps the metrics for which `keep` says so, with all their points; as [`keep_spans`].
///
/// # Errors
/// The value is malformed, or `keep` says so.
pub fn keep_metrics(
    value: &[u8],
    mut keep: impl FnMut(&Metric<'_>, &Resource<'_>) -> Result<bool, Malformed>,
) -> Result<Outcome, Malformed> {
    keep_items(value, |item, resource| keep(&Metric::read(item)?, resource))
}

fn keep_items(
    value: &[u8],
    mut keep: impl FnMut(&[u8], &Resource<'_>) -> Result<bool, Malformed>,
) -> Result<Outcome, Malformed> {
    let edited = edit_parts(value, 1, |resource_items| {
        let resource = super::ResourceItems::<'_, Span<'_>>::read(resource_items)?.resource;
        edit_parts(resource_items, 2, |scope_items| {
            edit_parts(scope_items, 2, |item| Ok(if keep(item, &resource)? { Edit::Keep } else { Edit::Drop }))
                .map(Edited::into_edit)
        })
        .map(Edited::into_edit)
    })?;
    Ok(match edited {
        Edited { left: 0, message: Some(_) } => Outcome::Changed(Vec::new()),
        edited => outcome(edited.message),
    })
}

/// A message and how many of its parts are left.
struct Edited {
    left: usize,
    message: Option<Vec<u8>>,
}

impl Edited {
    /// A message of which parts have gone goes itself when none is left. One that never had any stays.
    fn into_edit(self) -> Edit {
        match self {
            Edited { message: None, .. } => Edit::Keep,
            Edited { left: 0, .. } => Edit::Drop,
            Edited { message: Some(message), .. } => Edit::Replace(message),
        }
    }
}

fn edit_parts(
    message: &[u8],
    part: u32,
    mut decide: impl FnMut(&[u8]) -> Result<Edit, Malformed>,
) -> Result<Edited, Malformed> {
    let (mut left, mut begun) = (0, false);
    let message = edit(message, |field| {
        if field.number != part {
            // What belongs before the parts was read already.
            let is_late = begun && field.number < part;
            return if is_late { Err(Malformed::at(Fault::Split, field.bytes()?)) } else { Ok(Edit::Keep) };
        }
        begun = true;
        let edit = decide(field.bytes()?)?;
        left += usize::from(!matches!(edit, Edit::Drop));
        Ok(edit)
    })?;
    Ok(Edited { left, message })
}

/// A message of which fields are replaced or dropped; none where each stays.
#[inline]
fn edit<'a>(
    message: &'a [u8],
    mut decide: impl FnMut(&Field<'a>) -> Result<Edit, Malformed>,
) -> Result<Option<Vec<u8>>, Malformed> {
    let mut fields = Fields::new(message);
    let mut out = Vec::new();
    // How much of the message is in `out`, or has been left out.
    let mut done = 0;
    loop {
        let from = message.len() - fields.rest().len();
        let Some(field) = fields.next_field()? else { break };
        let to = message.len() - fields.rest().len();
        let replacement = match decide(&field)? {
            Edit::Keep => continue,
            Edit::Drop => None,
            Edit::Replace(replacement) => Some(replacement),
        };
        if done == 0 {
            out.reserve(message.len() + replacement.as_ref().map_or(0, Vec::len));
        }
        out.extend_from_slice(&message[done..from]);
        if let Some(replacement) = replacement {
            push_varint(&mut out, u64::from(field.number << 3 | 2));
            push_varint(&mut out, replacement.len() as u64);
            out.extend_from_slice(&replacement);
        }
        done = to;
    }
    if done == 0 {
        return Ok(None);
    }
    out.extend_from_slice(&message[done..]);
    Ok(Some(out))
}

fn outcome(changed: Option<Vec<u8>>) -> Outcome {
    changed.map_or(Outcome::Unchanged, Outcome::Changed)
}

#[cfg(test)]
mod tests;
