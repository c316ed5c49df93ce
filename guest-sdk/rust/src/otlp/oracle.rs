//! The oracle of the reader's tests: prost's messages, arbitrary ones, and ours turned into them.

mod agreement;
mod logs;
mod metrics;
mod traces;

pub(crate) use agreement::agrees_with_prost;

use super::{AnyValue, Attributes, Malformed, ResourceItems, ScopeItems};
use crate::message::Signal;
use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::resource::v1::Resource;
use proptest::prelude::*;

/// A signal's data as prost has it, and how our reader's become the same.
pub(crate) trait Oracle: prost::Message + Default + Clone + PartialEq {
    /// Whose data it is.
    const SIGNAL: Signal;

    /// Reads a whole value with our reader.
    fn read(value: &[u8]) -> Result<Self, Malformed>;

    /// Without what our reader does not tell apart: an absent part and an empty one, a number in a dictionary and
    /// another. NaNs are made equal.
    fn normal(self) -> Self;

    /// Any data, small.
    fn any() -> BoxedStrategy<Self>;

    /// The resources, one after the other: as if they were one in pieces.
    fn resources(&self) -> Vec<u8>;

    /// So with the scopes.
    fn scopes(&self) -> Vec<u8>;

    /// So with the spans, log records or metrics.
    fn items(&self) -> Vec<u8>;
}

fn read_resource<T>(of: &ResourceItems<'_, T>) -> Result<Resource, Malformed> {
    Ok(Resource {
        attributes: attributes(of.resource.attributes.clone(), 0)?,
        dropped_attributes_count: of.resource.dropped_attributes_count,
        entity_refs: vec![],
    })
}

fn read_scope<T>(of: &ScopeItems<'_, T>) -> Result<common::InstrumentationScope, Malformed> {
    Ok(common::InstrumentationScope {
        name: text(of.scope.name),
        version: text(of.scope.version),
        attributes: attributes(of.scope.attributes.clone(), 0)?,
        dropped_attributes_count: of.scope.dropped_attributes_count,
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn attributes(attributes: Attributes<'_>, depth: usize) -> Result<Vec<common::KeyValue>, Malformed> {
    let one = |attribute: Result<super::KeyValue<'_>, Malformed>| {
        let attribute = attribute?;
        Ok(common::KeyValue {
            key: text(attribute.key),
            value: Some(any_value(&attribute.value, depth + 1)?),
            key_strindex: i32::from(attribute.has_key_index),
        })
    };
    attributes.map(one).collect()
}

fn any_value(value: &AnyValue<'_>, depth: usize) -> Result<common::AnyValue, Malformed> {
    use common::any_value::Value;
    if depth > super::DEPTH_MAX {
        return Err(Malformed::at(super::Fault::TooDeep, &[]));
    }
    let value = match value {
        AnyValue::Empty => None,
        AnyValue::String(bytes) => Some(Value::StringValue(text(bytes))),
        AnyValue::Bool(value) => Some(Value::BoolValue(*value)),
        AnyValue::Int(value) => Some(Value::IntValue(*value)),
        AnyValue::Double(value) => Some(Value::DoubleValue(*value)),
        AnyValue::Bytes(bytes) => Some(Value::BytesValue(bytes.to_vec())),
        AnyValue::StringIndex => Some(Value::StringValueStrindex(0)),
        AnyValue::Array(values) => {
            let values = values.clone().map(|value| any_value(&value?, depth + 1)).collect::<Result<_, _>>()?;
            Some(Value::ArrayValue(common::ArrayValue { values }))
        }
        AnyValue::KeyValues(entries) => {
            let values = attributes(entries.clone(), depth)?;
            Some(Value::KvlistValue(common::KeyValueList { values }))
        }
    };
    Ok(common::AnyValue { value })
}

fn normal_resource(resource: &mut Option<Resource>) {
    let own = resource.get_or_insert_default();
    own.entity_refs.clear();
    own.attributes.iter_mut().for_each(normal_attribute);
}

fn normal_scope(scope: &mut Option<common::InstrumentationScope>) {
    scope.get_or_insert_default().attributes.iter_mut().for_each(normal_attribute);
}

fn normal_double(double: &mut f64) {
    if double.is_nan() {
        *double = 0.0;
    }
}

fn normal_attribute(attribute: &mut common::KeyValue) {
    attribute.key_strindex = i32::from(attribute.key_strindex != 0);
    normal_value(attribute.value.get_or_insert_default());
}

fn normal_value(value: &mut common::AnyValue) {
    use common::any_value::Value;
    match &mut value.value {
        Some(Value::DoubleValue(double)) => normal_double(double),
        Some(Value::StringValueStrindex(index)) => *index = 0,
        Some(Value::ArrayValue(array)) => array.values.iter_mut().for_each(normal_value),
        Some(Value::KvlistValue(list)) => list.values.iter_mut().for_each(normal_attribute),
        _ => {}
    }
}

/// Any value, nested a few deep.
pub(crate) fn any_any_value() -> impl Strategy<Value = common::AnyValue> {
    use common::any_value::Value;
    let leaf = prop_oneof![
        Just(None),
        ".{0,12}".prop_map(|text| Some(Value::StringValue(text))),
        any::<bool>().prop_map(|value| Some(Value::BoolValue(value))),
        any::<i64>().prop_map(|value| Some(Value::IntValue(value))),
        any::<f64>().prop_map(|value| Some(Value::DoubleValue(value))),
        proptest::collection::vec(any::<u8>(), 0..12).prop_map(|bytes| Some(Value::BytesValue(bytes))),
        (1..5i32).prop_map(|index| Some(Value::StringValueStrindex(index))),
    ]
    .prop_map(|value| common::AnyValue { value });
    leaf.prop_recursive(3, 16, 4, |inner| {
        let value = |value| common::AnyValue { value: Some(value) };
        let entry = (".{0,3}", proptest::option::of(inner.clone())).prop_map(|(key, value)| common::KeyValue {
            key,
            value,
            ..Default::default()
        });
        prop_oneof![
            proptest::collection::vec(inner, 0..4)
                .prop_map(move |values| value(Value::ArrayValue(common::ArrayValue { values }))),
            proptest::collection::vec(entry, 0..4)
                .prop_map(move |values| value(Value::KvlistValue(common::KeyValueList { values }))),
        ]
    })
}

fn any_attributes() -> impl Strategy<Value = Vec<common::KeyValue>> {
    let attribute = (".{0,6}", proptest::option::of(any_any_value()), prop_oneof![4 => Just(0), 1 => any::<i32>()]);
    proptest::collection::vec(
        attribute.prop_map(|(key, value, key_strindex)| common::KeyValue { key, value, key_strindex }),
        0..4,
    )
}

fn any_id() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![Just(vec![]), proptest::collection::vec(any::<u8>(), 0..20)]
}

fn any_scope() -> impl Strategy<Value = Option<common::InstrumentationScope>> {
    let scope = (".{0,4}", ".{0,4}", any_attributes(), any::<u32>()).prop_map(
        |(name, version, attributes, dropped_attributes_count)| common::InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    );
    proptest::option::of(scope)
}

fn any_resource() -> impl Strategy<Value = Option<Resource>> {
    let resource = (any_attributes(), any::<u32>()).prop_map(|(attributes, dropped_attributes_count)| Resource {
        attributes,
        dropped_attributes_count,
        entity_refs: vec![],
    });
    proptest::option::of(resource)
}
