//! The conversion agrees with the crate opentelemetry-proto, on what the Collector wrote and on what chance makes.
//!
//! That crate's serde differs from OTLP in three ways, which are kept out of the random messages: it writes doubles
//! that are not finite as null outside of quantiles, has no JSON form for `string_value_strindex`, and does not read
//! integers with a fraction.

use opentelemetry_proto::tonic::logs::v1::LogsData;
use opentelemetry_proto::tonic::metrics::v1::MetricsData;
use opentelemetry_proto::tonic::trace::v1::TracesData;
use proptest::prelude::*;
use prost::Message;
use serde_json::Value;

use super::convert;
use crate::Signal;
use crate::dice::Dice;

/// Converts a message's JSON and gives what the result decodes to.
fn decoded<M: Message + Default>(signal: Signal, json: &[u8]) -> M {
    let (bytes, found) = convert(signal, json).unwrap();
    assert!(found.is_clean(), "{found:?}");
    crate::check(signal, &bytes).unwrap();
    let message = M::decode(bytes.as_slice()).unwrap();
    assert_eq!(bytes.len(), message.encoded_len(), "no longer than need be");
    message
}

#[test]
fn what_the_collector_writes_reads_as_serde_reads_it() {
    macro_rules! same {
        ($signal:ident, $message:ty, $($file:literal),+) => {$(
            let json = include_bytes!(concat!("../../../tests/data/", $file, ".json"));
            let wanted: $message = serde_json::from_slice(json).unwrap();
            assert_eq!(decoded::<$message>(Signal::$signal, json), wanted);
        )+};
    }
    same!(Traces, TracesData, "traces", "traces-attributes");
    same!(Logs, LogsData, "logs", "logs-attributes");
    same!(Metrics, MetricsData, "metrics", "metrics-histogram");
}

/// The same JSON with the members of each object in another order, and with white space.
fn shuffled(value: &Value, dice: &mut Dice<'_>, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            let middle = dice.below(members.len().max(1));
            members.rotate_left(middle);
            out.push_str("{ ");
            for (at, (name, member)) in members.into_iter().enumerate() {
                out.push_str(if at == 0 { "\n" } else { " ,\t" });
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push_str(if dice.below(2) == 0 { " : " } else { ":" });
                shuffled(member, dice, out);
            }
            out.push('}');
        }
        Value::Array(elements) => {
            out.push('[');
            for (at, element) in elements.iter().enumerate() {
                out.push_str(if at == 0 { "\r\n" } else { " , " });
                shuffled(element, dice, out);
            }
            out.push_str(" ]");
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn agree<M: Message + Default + PartialEq + std::fmt::Debug + serde_json_like::Serde>(
    signal: Signal,
    message: M,
    entropy: &[u8],
) -> Result<(), TestCaseError> {
    let json = message.to_json();
    prop_assert_eq!(&decoded::<M>(signal, &json), &message);
    let mut reordered = String::new();
    shuffled(&serde_json::from_slice(&json).unwrap(), &mut Dice::new(entropy), &mut reordered);
    prop_assert_eq!(&decoded::<M>(signal, reordered.as_bytes()), &message);
    Ok(())
}

/// serde's trait cannot be named without depending on serde.
mod serde_json_like {
    pub(super) trait Serde {
        fn to_json(&self) -> Vec<u8>;
    }
    macro_rules! serde {
        ($($message:ty),+) => {$(
            impl Serde for $message {
                fn to_json(&self) -> Vec<u8> {
                    serde_json::to_vec(self).unwrap()
                }
            }
        )+};
    }
    serde!(super::TracesData, super::LogsData, super::MetricsData);
}

proptest! {
    #[test]
    fn random_traces_survive(entropy in prop::collection::vec(any::<u8>(), 0..3000)) {
        agree(Signal::Traces, Dice::new(&entropy).traces(), &entropy)?;
    }

    #[test]
    fn random_logs_survive(entropy in prop::collection::vec(any::<u8>(), 0..2000)) {
        agree(Signal::Logs, Dice::new(&entropy).logs(), &entropy)?;
    }

    #[test]
    fn random_metrics_survive(entropy in prop::collection::vec(any::<u8>(), 0..2000)) {
        agree(Signal::Metrics, Dice::new(&entropy).metrics(), &entropy)?;
    }
}
