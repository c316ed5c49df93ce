//! The default plugin: OTLP traces in, one row a span out.
//!
//! ```toml
//! [[transform]]
//! plugin = "flatten-spans"
//! [transform.config]
//! columns = ["scope_name", "links"]                   # more columns than the thirteen
//! promote = ["http.route", "http.response.status_code:long"]   # span attributes as columns of their own
//! promote_resource = ["k8s.namespace.name"]           # the same for resource attributes
//! promote_only = false                                # true: what is promoted is not in its map as well
//! ```
//!
//! A record is walked once, straight into the columns. What is valid but odd is kept and counted:
//!
//! | counter | what it counts |
//! |---|---|
//! | `invalid_ids` | ids of the wrong length or all zero, now NULL |
//! | `duplicate_keys` | attributes dropped because a later one has their key |
//! | `unknown_times` | start, end and event times of 0, now 1970 |
//! | `saturated_times` | nanoseconds beyond a long, in the raw columns |
//! | `negative_durations` | spans that end before they start |
//! | `unknown_kinds` | span kinds that do not exist, now UNSPECIFIED |
//! | `missing_service_names` | resources without a `service.name` |
//! | `promoted_mismatches` | promoted attributes of another kind than their column, now NULL there |
//! | `profile_fields` | references to a dictionary that only profiles have |

mod config;
mod optional;
mod promoted;
mod spans;

use config::Config;
use spans::Spans;
use weir_sdk::prelude::*;

/// The plugin.
pub struct FlattenSpans {
    spans: Spans,
}

impl OtlpToArrow for FlattenSpans {
    fn configure(settings: &mut Settings) -> Result<Self, String> {
        Ok(FlattenSpans { spans: Spans::new(&Config::read(settings)?) })
    }

    fn tables(&mut self, each: &mut dyn FnMut(&mut dyn Table)) {
        each(&mut self.spans);
    }

    fn transform(&mut self, message: &Message, context: &mut Context<'_>) -> Result<(), Refusal> {
        if context.signal() != Signal::Traces {
            return Err(Refusal::new(format!("flatten-spans reads traces, not {:?}", context.signal()).to_lowercase()));
        }
        let mut odd = Odd::default();
        for resource in otlp::traces(&message.value) {
            self.spans.push_resource(resource?, &mut odd)?;
        }
        odd.report(context);
        Ok(())
    }
}

/// What was odd in one record.
#[derive(Default)]
struct Odd {
    attributes: weir_sdk::column::Oddities,
    invalid_ids: u64,
    unknown_times: u64,
    saturated_times: u64,
    negative_durations: u64,
    unknown_kinds: u64,
    missing_service_names: u64,
    promoted_mismatches: u64,
}

impl Odd {
    fn report(&self, context: &mut Context<'_>) {
        context.count("invalid_ids", self.invalid_ids);
        context.count("duplicate_keys", self.attributes.duplicate_keys);
        context.count("unknown_times", self.unknown_times);
        context.count("saturated_times", self.saturated_times);
        context.count("negative_durations", self.negative_durations);
        context.count("unknown_kinds", self.unknown_kinds);
        context.count("missing_service_names", self.missing_service_names);
        context.count("promoted_mismatches", self.promoted_mismatches);
        context.count("profile_fields", self.attributes.profile_fields);
    }

    /// Nanoseconds as the microseconds of a timestamp, which hold every value.
    fn micros(&mut self, nanos: u64) -> i64 {
        self.unknown_times += u64::from(nanos == 0);
        (nanos / 1000) as i64
    }

    /// Nanoseconds as a long, which does not.
    fn nanos(&mut self, nanos: u64) -> i64 {
        i64::try_from(nanos).unwrap_or_else(|_| {
            self.saturated_times += 1;
            i64::MAX
        })
    }
}

/// Protobuf does not tell an empty string from a missing one, and OTLP calls an empty name or message unknown:
/// NULL.
fn known(text: &[u8]) -> Option<&[u8]> {
    (!text.is_empty()).then_some(text)
}

weir_sdk::export!(FlattenSpans);

#[cfg(test)]
mod tests;
