//! OTLP metrics in, one row a data point out, one table a kind of metric: `gauge`, `sum`, `histogram`,
//! `exponential_histogram` and `summary`.
//!
//! ```toml
//! [[transform]]
//! plugin = "flatten-metrics"
//! [transform.config]
//! columns = ["time_unix_nano"]                        # more columns, in each table
//! promote = ["http.route", "shard:long"]              # data point attributes as columns of their own
//! promote_resource = ["k8s.namespace.name"]           # the same for resource attributes
//! promote_only = false                                # true: what is promoted is not in its map as well
//! ```
//!
//! Columns are named as OTLP names the fields, as the Collector's other exporters to tables do it too. Where they
//! differ:
//! - A gauge's or sum's number is in `value`, a double, whichever kind was sent: one column to ask. Where it was sent
//!   as an integer it is in `value_int` too, exactly, beyond 2^53 as well. Exemplars likewise.
//! - `min`, `max` and the `sum` of histograms are NULL where they were not sent, which is not 0.
//! - A point flagged as without a recorded value keeps its row; whatever would be its values is NULL.
//! - `start_timestamp` is optional in OTLP: NULL where it is 0. `timestamp` is not: 0 is 1970, and counted.
//!
//! A record is walked once, straight into the columns. What is valid but odd is kept and counted:
//!
//! | counter | what it counts |
//! |---|---|
//! | `invalid_ids` | exemplars' ids of the wrong length or all zero, now NULL; none at all is nothing odd |
//! | `duplicate_keys` | attributes dropped because a later one has their key |
//! | `unknown_times` | times of points and exemplars of 0, now 1970 |
//! | `saturated_times` | nanoseconds beyond a long, in the raw columns |
//! | `saturated_counts` | counts beyond a long |
//! | `missing_values` | gauges, sums and exemplars without a value and without the flag that says so |
//! | `uneven_buckets` | histograms whose buckets are not one more than their bounds |
//! | `unknown_temporalities` | temporalities that do not exist, now UNSPECIFIED |
//! | `unknown_data` | metrics without data, or of a kind that is newer than this plugin: no rows |
//! | `missing_service_names` | resources without a `service.name`, for each table that has rows of them |
//! | `promoted_mismatches` | promoted attributes of another kind than their column, now NULL there |
//! | `profile_fields` | references to a dictionary that only profiles have |

mod exemplars;
mod kinds;
mod points;

use kinds::{ExponentialHistogram, Gauge, Histogram, Sum, Summary};
use points::{FURTHER, Place, PointTable};
use weir_sdk::flatten::{self, Choice};
use weir_sdk::otlp::{Data, Malformed, ResourceMetrics};
use weir_sdk::prelude::*;

/// The plugin.
pub struct FlattenMetrics {
    gauge: PointTable<Gauge>,
    sum: PointTable<Sum>,
    histogram: PointTable<Histogram>,
    exponential_histogram: PointTable<ExponentialHistogram>,
    summary: PointTable<Summary>,
}

impl OtlpToArrow for FlattenMetrics {
    fn configure(settings: &mut Settings) -> Result<Self, String> {
        let mut always = Vec::new();
        FlattenMetrics::new(&Choice::default()).tables(&mut |table| always.extend(flatten::column_names(table)));
        let always: Vec<&str> = always.iter().map(String::as_str).collect();
        Ok(FlattenMetrics::new(&Choice::read(settings, &always, &FURTHER)?))
    }

    fn tables(&mut self, each: &mut dyn FnMut(&mut dyn Table)) {
        each(&mut self.gauge);
        each(&mut self.sum);
        each(&mut self.histogram);
        each(&mut self.exponential_histogram);
        each(&mut self.summary);
    }

    fn transform(&mut self, message: &Message, context: &mut Context<'_>) -> Result<(), Refusal> {
        context.expect(Signal::Metrics, "flatten-metrics")?;
        let mut odd = Odd::default();
        for resource in otlp::metrics(&message.value) {
            self.push_resource(&resource?, &mut odd)?;
        }
        odd.report(context);
        Ok(())
    }
}

impl FlattenMetrics {
    fn new(choice: &Choice) -> Self {
        FlattenMetrics {
            gauge: PointTable::new(choice),
            sum: PointTable::new(choice),
            histogram: PointTable::new(choice),
            exponential_histogram: PointTable::new(choice),
            summary: PointTable::new(choice),
        }
    }

    fn push_resource(&mut self, resource: &ResourceMetrics<'_>, odd: &mut Odd) -> Result<(), Malformed> {
        self.gauge.columns.begin_resource();
        self.sum.columns.begin_resource();
        self.histogram.columns.begin_resource();
        self.exponential_histogram.columns.begin_resource();
        self.summary.columns.begin_resource();
        for scope in resource.scopes.clone() {
            let scope = scope?;
            self.gauge.columns.begin_scope();
            self.sum.columns.begin_scope();
            self.histogram.columns.begin_scope();
            self.exponential_histogram.columns.begin_scope();
            self.summary.columns.begin_scope();
            for metric in scope.items.clone() {
                self.push_metric(&Place { resource, scope: &scope, metric: &metric? }, odd)?;
            }
        }
        Ok(())
    }

    fn push_metric(&mut self, place: &Place<'_>, odd: &mut Odd) -> Result<(), Malformed> {
        match &place.metric.data {
            Data::Unknown => {
                odd.unknown_data += 1;
                Ok(())
            }
            Data::Gauge(points) => self.gauge.push(place, points, odd, Gauge::push),
            Data::Sum { points, temporality, is_monotonic } => {
                let temporality = odd.temporality(*temporality);
                self.sum.push(place, points, odd, |sum, point, odd| sum.push(point, temporality, *is_monotonic, odd))
            }
            Data::Histogram { points, temporality } => {
                let temporality = odd.temporality(*temporality);
                self.histogram.push(place, points, odd, |values, point, odd| values.push(point, temporality, odd))
            }
            Data::ExponentialHistogram { points, temporality } => {
                let temporality = odd.temporality(*temporality);
                let push =
                    |values: &mut ExponentialHistogram, point: &_, odd: &mut _| values.push(point, temporality, odd);
                self.exponential_histogram.push(place, points, odd, push)
            }
            Data::Summary(points) => self.summary.push(place, points, odd, Summary::push),
        }
    }
}

/// By a temporality as a number.
const TEMPORALITIES: [&[u8]; 3] = [b"UNSPECIFIED", b"DELTA", b"CUMULATIVE"];

/// What was odd in one record.
#[derive(Default)]
struct Odd {
    common: flatten::Odd,
    saturated_counts: u64,
    missing_values: u64,
    uneven_buckets: u64,
    unknown_temporalities: u64,
    unknown_data: u64,
}

impl Odd {
    fn report(&self, context: &mut Context<'_>) {
        self.common.report(context);
        context.count("saturated_counts", self.saturated_counts);
        context.count("missing_values", self.missing_values);
        context.count("uneven_buckets", self.uneven_buckets);
        context.count("unknown_temporalities", self.unknown_temporalities);
        context.count("unknown_data", self.unknown_data);
    }

    /// A count as a long.
    fn count(&mut self, count: u64) -> i64 {
        i64::try_from(count).unwrap_or_else(|_| {
            self.saturated_counts += 1;
            i64::MAX
        })
    }

    /// A temporality by its name.
    fn temporality(&mut self, number: i32) -> &'static [u8] {
        let name = usize::try_from(number).ok().and_then(|number| TEMPORALITIES.get(number));
        self.unknown_temporalities += u64::from(name.is_none());
        name.unwrap_or(&TEMPORALITIES[0])
    }
}

weir_sdk::export!(FlattenMetrics);

#[cfg(test)]
mod tests;
