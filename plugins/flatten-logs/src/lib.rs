//! OTLP logs in, one row a log record out.
//!
//! ```toml
//! [[transform]]
//! plugin = "flatten-logs"
//! [transform.config]
//! columns = ["body_json"]                             # more columns than the eighteen
//! promote = ["http.route", "retry.count:long"]        # log attributes as columns of their own
//! promote_resource = ["k8s.namespace.name"]           # the same for resource attributes
//! promote_only = false                                # true: what is promoted is not in its map as well
//! ```
//!
//! `timestamp` is when it happened; where that is unknown, when it was collected (OTLP, logs data model). The two
//! raw times say which. A body that is no string is text as an attribute's value is: arrays and key-value lists are
//! JSON. Where a string must be told from a list that looks the same, `body_json` has what is no string.
//!
//! A record is walked once, straight into the columns. What is valid but odd is kept and counted:
//!
//! | counter | what it counts |
//! |---|---|
//! | `invalid_ids` | ids of the wrong length or all zero, now NULL; none at all is nothing odd |
//! | `duplicate_keys` | attributes dropped because a later one has their key |
//! | `unknown_times` | records with neither time, whose timestamp is 1970 |
//! | `saturated_times` | nanoseconds beyond a long, in the raw columns |
//! | `unknown_severities` | severity numbers that do not exist, kept |
//! | `missing_service_names` | resources without a `service.name` |
//! | `promoted_mismatches` | promoted attributes of another kind than their column, now NULL there |
//! | `profile_fields` | references to a dictionary that only profiles have |

mod logs;

use logs::{FURTHER, Logs, NAMES};
use weir_sdk::flatten::{self, Choice};
use weir_sdk::prelude::*;

/// The plugin.
pub struct FlattenLogs {
    logs: Logs,
}

impl OtlpToArrow for FlattenLogs {
    fn configure(settings: &mut Settings) -> Result<Self, String> {
        Ok(FlattenLogs { logs: Logs::new(&Choice::read(settings, &NAMES, &FURTHER)?) })
    }

    fn tables(&mut self, each: &mut dyn FnMut(&mut dyn Table)) {
        each(&mut self.logs);
    }

    fn transform(&mut self, message: &Message, context: &mut Context<'_>) -> Result<(), Refusal> {
        context.expect(Signal::Logs, "flatten-logs")?;
        let mut odd = Odd::default();
        for resource in otlp::logs(&message.value) {
            self.logs.push_resource(&resource?, &mut odd)?;
        }
        odd.common.report(context);
        context.count("unknown_severities", odd.unknown_severities);
        Ok(())
    }
}

/// What was odd in one record.
#[derive(Default)]
struct Odd {
    common: flatten::Odd,
    unknown_severities: u64,
}

weir_sdk::export!(FlattenLogs);

#[cfg(test)]
mod tests;
