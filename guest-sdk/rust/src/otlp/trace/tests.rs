use super::Read;
use opentelemetry_proto::tonic::trace::v1::TracesData;

crate::otlp::oracle::agrees_with_prost!(TracesData);

#[test]
fn a_resource_behind_its_scopes_asks_to_be_put_in_order_and_is_still_their_resource() {
    // ResourceSpans { scope_spans: [{}], resource: { dropped_attributes_count: 7 } }
    let value = [0x0a, 6, 0x12, 0, 0x0a, 2, 0x10, 7];
    assert_eq!(read(&value).unwrap_err().fault, Fault::Split);
    let ordered = merge(SIGNAL, &value).unwrap();
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
fn a_status_in_two_pieces_is_one_status() {
    let span = [0x7a, 4, 0x12, 2, b'n', b'o', 0x7a, 2, 0x18, 2];
    let read = super::Span::read(&span).unwrap();
    assert_eq!(read.status, super::Status { message: b"no", code: 2 });
}
