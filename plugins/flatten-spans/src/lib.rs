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

mod optional;
mod spans;

use optional::Optional;
use spans::{NAMES, Spans};
use weir_sdk::flatten::{self, Choice};
use weir_sdk::prelude::*;

/// The plugin.
pub struct FlattenSpans {
    spans: Spans,
}

impl OtlpToArrow for FlattenSpans {
    fn configure(settings: &mut Settings) -> Result<Self, String> {
        Ok(FlattenSpans { spans: Spans::new(&Choice::read(settings, &NAMES, &Optional::NAMES)?) })
    }

    fn tables(&mut self, each: &mut dyn FnMut(&mut dyn Table)) {
        each(&mut self.spans);
    }

    fn transform(&mut self, message: &Message, context: &mut Context<'_>) -> Result<(), Refusal> {
        context.expect(Signal::Traces, "flatten-spans")?;
        let mut odd = Odd::default();
        for resource in otlp::traces(&message.value) {
            self.spans.push_resource(&resource?, &mut odd)?;
        }
        odd.report(context);
        Ok(())
    }
}

/// What was odd in one record.
#[derive(Default)]
struct Odd {
    common: flatten::Odd,
    negative_durations: u64,
    unknown_kinds: u64,
}

impl Odd {
    fn report(&self, context: &mut Context<'_>) {
        self.common.report(context);
        context.count("negative_durations", self.negative_durations);
        context.count("unknown_kinds", self.unknown_kinds);
    }
}

weir_sdk::export!(FlattenSpans);

#[cfg(test)]
mod tests;
