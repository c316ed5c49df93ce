use super::super::oracle::{Oracle, any_any_value};
use super::*;
use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::trace::v1::TracesData;
use proptest::prelude::*;
use prost::Message;

/// `number` is below 16, `inner` of any length.
fn wrap(number: u32, inner: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    push_field(&mut out, number, Wire::Bytes(inner));
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// A value in pieces, each of any kind: the last kind wins, arrays and lists of one kind in a row are joined.
    #[test]
    fn values_in_pieces_are_merged_as_prost_merges_them(pieces in proptest::collection::vec((any_any_value(), any::<bool>()), 1..5)) {
        let mut key_value = wrap(1, b"key");
        let mut piece = Vec::new();
        for (value, ends) in &pieces {
            value.encode(&mut piece).unwrap();
            if *ends {
                key_value.extend(wrap(2, &piece));
                piece.clear();
            }
        }
        key_value.extend(wrap(2, &piece));
        let bytes = wrap(1, &wrap(1, &wrap(1, &key_value)));
        let theirs = TracesData::decode(&bytes[..]).unwrap();
        let merged = merge(Signal::Traces, &bytes).unwrap();
        prop_assert_eq!(TracesData::read(&merged).unwrap().normal(), theirs.normal());
    }
}

#[test]
fn a_value_deeper_than_the_limit_is_refused_before_it_exhausts_the_stack() {
    let mut value = Vec::new();
    for _ in 0..1000 {
        value = wrap(5, &wrap(1, &value));
    }
    let bytes = wrap(1, &wrap(1, &wrap(1, &wrap(2, &value))));
    assert_eq!(merge(Signal::Traces, &bytes).unwrap_err().fault, Fault::TooDeep);
}

#[test]
fn a_value_as_deep_as_the_limit_is_merged() {
    use common::any_value::Value;
    let mut value = common::AnyValue { value: None };
    for _ in 1..super::super::DEPTH_MAX {
        value = common::AnyValue { value: Some(Value::ArrayValue(common::ArrayValue { values: vec![value] })) };
    }
    let bytes = wrap(1, &wrap(1, &wrap(1, &wrap(2, &value.encode_to_vec()))));
    assert!(merge(Signal::Traces, &bytes).is_ok());
}
