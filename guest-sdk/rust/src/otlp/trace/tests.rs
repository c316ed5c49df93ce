use super::super::oracle::{any_traces, normal, read};
use super::super::{Fault, merge_traces};
use super::Read;
use opentelemetry_proto::tonic::trace::v1::TracesData;
use proptest::prelude::*;
use prost::Message;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn a_valid_message_is_read_as_prost_reads_it(data in any_traces()) {
        let read = read(&data.encode_to_vec()).unwrap();
        prop_assert_eq!(normal(read), normal(data));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
        let _ = merge_traces(&bytes);
    }

    /// Bytes changed, cut out and repeated: where both accept what comes of it, both see the same.
    #[test]
    fn a_damaged_message_never_panics_and_is_never_read_otherwise_than_prost_reads_it(
        data in any_traces(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<(prop::sample::Index, prop::sample::Index)>(),
        repeat in any::<bool>(),
    ) {
        let mut bytes = data.encode_to_vec();
        if bytes.is_empty() {
            return Ok(());
        }
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if repeat {
            let (a, b) = (cut.0.index(bytes.len()), cut.1.index(bytes.len()));
            bytes.extend_from_within(a.min(b)..a.max(b));
        }
        let merged = match read(&bytes) {
            Err(malformed) if malformed.fault == Fault::Split => merge_traces(&bytes).and_then(|merged| read(&merged)),
            other => other,
        };
        if let (Ok(ours), Ok(theirs)) = (merged, TracesData::decode(&bytes[..])) {
            prop_assert_eq!(normal(ours), normal(theirs));
        }
    }

    #[test]
    fn a_truncated_message_is_refused_unless_it_ends_between_resources(data in any_traces(), at in any::<prop::sample::Index>()) {
        let bytes = data.encode_to_vec();
        if bytes.is_empty() {
            return Ok(());
        }
        let cut = &bytes[..at.index(bytes.len())];
        prop_assert_eq!(read(cut).is_ok(), TracesData::decode(cut).is_ok());
    }
}

#[test]
fn a_resource_behind_its_scopes_asks_to_be_put_in_order_and_is_still_their_resource() {
    // ResourceSpans { scope_spans: [{}], resource: { dropped_attributes_count: 7 } }
    let value = [0x0a, 6, 0x12, 0, 0x0a, 2, 0x10, 7];
    assert_eq!(read(&value).unwrap_err().fault, Fault::Split);
    let ordered = merge_traces(&value).unwrap();
    assert_eq!(ordered, [0x0a, 6, 0x0a, 2, 0x10, 7, 0x12, 0]);
    assert_eq!(read(&ordered).unwrap().resource_spans[0].resource.as_ref().unwrap().dropped_attributes_count, 7);
}

#[test]
fn a_schema_is_found_before_the_spans_and_behind_them() {
    for value in [[0x1a, 1, b'u', 0x12, 0], [0x12, 0, 0x1a, 1, b'u']] {
        assert_eq!(super::ResourceSpans::read(&value).unwrap().schema_url(), Ok(&b"u"[..]));
        assert_eq!(super::ScopeSpans::read(&value).unwrap().schema_url(), Ok(&b"u"[..]));
    }
}

#[test]
fn unknown_fields_and_groups_are_skipped_at_every_level() {
    // Field 1000 as varint, fixed64, bytes, group with a field, fixed32.
    let unknown: &[u8] = &[
        0xc0, 0x3e, 1, 0xc1, 0x3e, 0, 0, 0, 0, 0, 0, 0, 0, 0xc2, 0x3e, 2, b'h', b'i', 0xc3, 0x3e, 8, 1, 0xc4, 0x3e,
        0xc5, 0x3e, 0, 0, 0, 0,
    ];
    let wrap = |number: u8, inner: &[u8]| {
        [&[number << 3 | 2, inner.len() as u8 | 0x80, (inner.len() >> 7) as u8], inner].concat()
    };
    let around = |inner: &[u8]| [unknown, inner, unknown].concat();
    let span = around(&wrap(5, b"name"));
    let scope = around(&wrap(2, &span));
    let resource = around(&wrap(2, &scope));
    let value = around(&wrap(1, &resource));
    let read = read(&value).unwrap();
    assert_eq!(read.resource_spans[0].scope_spans[0].spans[0].name, "name");
}

#[test]
fn a_status_in_two_pieces_is_one_status() {
    let span = [0x7a, 4, 0x12, 2, b'n', b'o', 0x7a, 2, 0x18, 2];
    let read = super::Span::read(&span).unwrap();
    assert_eq!(read.status, super::Status { message: b"no", code: 2 });
}
