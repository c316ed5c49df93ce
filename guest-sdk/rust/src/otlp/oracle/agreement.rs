//! What must hold between prost and our reader, whatever the signal.

/// The tests of a signal's data.
macro_rules! agrees_with_prost {
    ($data:ty) => {
        use crate::otlp::oracle::Oracle;
        use crate::otlp::{Fault, merge};
        use proptest::prelude::*;
        use prost::Message as _;

        const SIGNAL: crate::Signal = <$data as Oracle>::SIGNAL;

        fn read(value: &[u8]) -> Result<$data, crate::otlp::Malformed> {
            <$data as Oracle>::read(value)
        }

        /// As the SDK reads it: in order, or put in order first.
        fn read_merged(value: &[u8]) -> Result<$data, crate::otlp::Malformed> {
            match read(value) {
                Err(malformed) if malformed.fault == Fault::Split => {
                    merge(SIGNAL, value).and_then(|whole| read(&whole))
                }
                other => other,
            }
        }

        /// `number` is below 16, `inner` of any length.
        fn wrap(number: u8, inner: &[u8]) -> Vec<u8> {
            let mut out = vec![number << 3 | 2];
            prost::encode_length_delimiter(inner.len(), &mut out).unwrap();
            out.extend_from_slice(inner);
            out
        }

        proptest! {
            #![proptest_config(ProptestConfig::with_cases(192))]

            #[test]
            fn a_valid_message_is_read_as_prost_reads_it(data in <$data as Oracle>::any()) {
                prop_assert_eq!(read(&data.encode_to_vec()).unwrap().normal(), data.normal());
            }

            #[test]
            fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
                let _ = read(&bytes);
                let _ = merge(SIGNAL, &bytes);
            }

            /// Bytes changed, cut out and repeated: where both accept what comes of it, both see the same.
            #[test]
            fn a_damaged_message_never_panics_and_is_never_read_otherwise_than_prost_reads_it(
                data in <$data as Oracle>::any(),
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
                if let (Ok(ours), Ok(theirs)) = (read_merged(&bytes), <$data>::decode(&bytes[..])) {
                    prop_assert_eq!(ours.normal(), theirs.normal());
                }
            }

            #[test]
            fn a_truncated_message_is_refused_unless_it_ends_between_resources(
                data in <$data as Oracle>::any(),
                at in any::<prop::sample::Index>(),
            ) {
                let bytes = data.encode_to_vec();
                if bytes.is_empty() {
                    return Ok(());
                }
                let cut = &bytes[..at.index(bytes.len())];
                prop_assert_eq!(read(cut).is_ok(), <$data>::decode(cut).is_ok());
            }

            /// Field 1000 as varint, 64 bits, bytes, group with a field, 32 bits; before and behind what is known.
            #[test]
            fn unknown_fields_and_groups_are_skipped_at_every_level(data in <$data as Oracle>::any()) {
                let unknown: &[u8] = &[
                    0xc0, 0x3e, 1, 0xc1, 0x3e, 0, 0, 0, 0, 0, 0, 0, 0, 0xc2, 0x3e, 2, b'h', b'i', 0xc3, 0x3e, 8, 1,
                    0xc4, 0x3e, 0xc5, 0x3e, 0, 0, 0, 0,
                ];
                let around = |inner: &[u8]| [unknown, inner, unknown].concat();
                let bytes = around(&wrap(1, &around(&wrap(2, &around(&wrap(2, &around(&data.items())))))));
                let theirs = <$data>::decode(&bytes[..]).unwrap();
                prop_assert_eq!(read_merged(&bytes).unwrap().normal(), theirs.normal());
            }

            #[test]
            fn merging_a_message_in_one_piece_changes_nothing(data in <$data as Oracle>::any()) {
                let merged = merge(SIGNAL, &data.encode_to_vec()).unwrap();
                prop_assert_eq!(<$data>::decode(&merged[..]).unwrap().encode_to_vec(), data.encode_to_vec());
            }

            /// Two values under one length are what protobuf calls a merged message: resources, scopes and what is
            /// in them in pieces.
            #[test]
            fn repeated_singular_messages_are_merged_as_prost_merges_them(
                a in <$data as Oracle>::any(),
                b in <$data as Oracle>::any(),
            ) {
                let items = [a.scopes(), b.scopes()].concat();
                let item = wrap(2, &[&items[..], &wrap(2, &[a.items(), b.items()].concat())].concat());
                let bytes = wrap(1, &[a.resources(), b.resources(), item].concat());
                let theirs = <$data>::decode(&bytes[..]).unwrap();
                let merged = merge(SIGNAL, &bytes).unwrap();
                prop_assert_eq!(<$data>::decode(&merged[..]).unwrap().normal(), theirs.clone().normal());
                prop_assert_eq!(read(&merged).unwrap().normal(), theirs.clone().normal());
                prop_assert_eq!(read_merged(&bytes).unwrap().normal(), theirs.normal());
            }
        }
    };
}
pub(crate) use agrees_with_prost;
