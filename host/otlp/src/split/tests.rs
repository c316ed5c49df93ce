use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, TracesData};
use proptest::prelude::*;
use prost::Message;

use super::split;
use crate::dice::Dice;

/// Each item with all that describes it, in order.
macro_rules! items {
    ($data:expr, $resources:ident, $scopes:ident, $items:ident) => {
        $data
            .$resources
            .iter()
            .flat_map(|resource| resource.$scopes.iter().map(move |scope| (resource, scope)))
            .flat_map(|(resource, scope)| {
                scope.$items.iter().map(move |item| {
                    let described = (resource.resource.clone(), resource.schema_url.clone());
                    (described, scope.scope.clone(), scope.schema_url.clone(), item.clone())
                })
            })
            .collect::<Vec<_>>()
    };
}

fn pieces<M: Message + Default>(message: &M, bytes_max: usize) -> Vec<(usize, M)> {
    let bytes = message.encode_to_vec();
    let pieces: Vec<_> = split(&bytes, bytes_max).unwrap().collect();
    pieces.iter().map(|piece| (piece.len(), M::decode(piece.as_slice()).unwrap())).collect()
}

macro_rules! preserves {
    ($message:expr, $bytes_max:expr, $resources:ident, $scopes:ident, $items:ident) => {
        let message = $message;
        let pieces = pieces(&message, $bytes_max);
        let joined: Vec<_> = pieces.iter().flat_map(|(_, piece)| items!(piece, $resources, $scopes, $items)).collect();
        prop_assert_eq!(joined, items!(message, $resources, $scopes, $items));
        for (length, piece) in &pieces {
            let count = items!(piece, $resources, $scopes, $items).len();
            prop_assert!(*length <= $bytes_max || count <= 1 || is_mostly_description(piece, $bytes_max));
        }
    };
}

/// Whether a piece without its items' own bytes would be too large as well.
fn is_mostly_description<M: Message>(piece: &M, bytes_max: usize) -> bool {
    // Only when resource and scope exceed the limit may a piece hold several items and exceed it too: by less than
    // the limit, beside the frames.
    let described = split(&piece.encode_to_vec(), 0).unwrap().map(|alone| alone.len()).max().unwrap_or(0);
    described > bytes_max
}

proptest! {
    #[test]
    fn every_span_is_in_one_piece_with_its_resource_and_scope(
        entropy in prop::collection::vec(any::<u8>(), 0..3000), bytes_max in 0usize..2000,
    ) {
        preserves!(Dice::new(&entropy).traces(), bytes_max, resource_spans, scope_spans, spans);
    }

    #[test]
    fn every_log_record_is_in_one_piece(
        entropy in prop::collection::vec(any::<u8>(), 0..2000), bytes_max in 0usize..2000,
    ) {
        preserves!(Dice::new(&entropy).logs(), bytes_max, resource_logs, scope_logs, log_records);
    }

    #[test]
    fn every_metric_is_in_one_piece(
        entropy in prop::collection::vec(any::<u8>(), 0..2000), bytes_max in 0usize..2000,
    ) {
        preserves!(Dice::new(&entropy).metrics(), bytes_max, resource_metrics, scope_metrics, metrics);
    }

    #[test]
    fn one_piece_of_all_is_the_message(entropy in prop::collection::vec(any::<u8>(), 0..2000)) {
        let message = Dice::new(&entropy).traces();
        let pieces = pieces(&message, usize::MAX / 4);
        prop_assert!(pieces.len() <= 1);
        prop_assert_eq!(pieces.into_iter().map(|(_, piece)| piece).next().unwrap_or_default(), message);
    }

    #[test]
    fn random_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300), bytes_max in 0usize..100) {
        if let Ok(pieces) = split(&bytes, bytes_max) {
            prop_assert!(pieces.count() <= bytes.len());
        }
    }
}

fn traces(names: &[&str]) -> TracesData {
    let spans = names.iter().map(|name| Span { name: (*name).to_owned(), ..Default::default() }).collect();
    let scope_spans = vec![ScopeSpans { spans, schema_url: "scope".into(), ..Default::default() }];
    TracesData {
        resource_spans: vec![ResourceSpans { scope_spans, schema_url: "resource".into(), ..Default::default() }],
    }
}

fn names(piece: &TracesData) -> Vec<&str> {
    piece.resource_spans[0].scope_spans[0].spans.iter().map(|span| span.name.as_str()).collect()
}

#[test]
fn a_piece_is_as_full_as_it_can_be() {
    let message = traces(&["aaaaaaaa", "bbbbbbbb", "cccccccc", "dddddddd", "eeeeeeee"]);
    let two = traces(&["aaaaaaaa", "bbbbbbbb"]).encoded_len();
    let found = pieces(&message, two);
    let found: Vec<_> = found.iter().map(|(_, piece)| names(piece)).collect();
    assert_eq!(found, [vec!["aaaaaaaa", "bbbbbbbb"], vec!["cccccccc", "dddddddd"], vec!["eeeeeeee"]]);
}

#[test]
fn an_item_that_is_too_large_goes_alone() {
    let large = "x".repeat(1_000);
    let found = pieces(&traces(&["a", "b", &large, "c", "d"]), 100);
    let found: Vec<_> = found.iter().map(|(_, piece)| names(piece)).collect();
    assert_eq!(found, [vec!["a", "b"], vec![large.as_str()], vec!["c", "d"]]);
}

#[test]
fn a_description_larger_than_the_limit_is_not_repeated_for_each_item() {
    let mut message = traces(&["a"; 1_000]);
    message.resource_spans[0].schema_url = "x".repeat(10_000);
    let found = pieces(&message, 5_000);
    assert!(found.len() <= 2, "{}", found.len());
    assert!(found.iter().all(|(length, _)| *length <= 16_000));
}

#[test]
fn resources_and_scopes_without_items_are_kept() {
    let mut message = traces(&[]);
    message.resource_spans.push(ResourceSpans { schema_url: "empty".into(), ..Default::default() });
    let found: Vec<_> = pieces(&message, 1).into_iter().flat_map(|(_, piece)| piece.resource_spans).collect();
    assert_eq!(found, message.resource_spans);
}

#[test]
fn a_broken_message_gives_no_piece_at_all() {
    let mut bytes = traces(&["a", "b"]).encode_to_vec();
    bytes.extend(b"\x0a\x05\x12");
    let error = split(&bytes, 10).unwrap_err();
    assert!(error.to_string().starts_with("the message ends too early"), "{error}");
}
