//! The values of each kind of metric.

use crate::Odd;
use crate::exemplars::Numbers;
use crate::points::{DataPoint, Values};
use weir_sdk::otlp::{
    Buckets, Exemplar, ExponentialHistogramPoint, HistogramPoint, Malformed, NumberPoint, Point, QuantileValue,
    Repeated, SummaryPoint,
};
use weir_sdk::prelude::*;

/// What was measured last.
#[derive(Default)]
pub(crate) struct Gauge {
    numbers: Numbers,
}

/// What adds up.
#[derive(Default)]
pub(crate) struct Sum {
    numbers: Numbers,
    aggregation_temporality: Dictionary,
    is_monotonic: Boolean,
}

/// How many values lie between bounds that are listed.
#[derive(Default)]
pub(crate) struct Histogram {
    aggregates: Aggregates,
    bucket_counts: List<Int64>,
    explicit_bounds: List<Float64>,
}

/// How many values lie between bounds that are powers of one base.
#[derive(Default)]
pub(crate) struct ExponentialHistogram {
    aggregates: Aggregates,
    scale: Int32,
    zero_count: Int64,
    zero_threshold: Float64,
    positive: BucketColumns,
    negative: BucketColumns,
}

/// Quantiles, as some clients compute them.
#[derive(Default)]
pub(crate) struct Summary {
    count: Int64,
    sum: Float64,
    quantile_values: List<Struct<Quantiles>>,
}

/// What both kinds of histograms have.
#[derive(Default)]
struct Aggregates {
    aggregation_temporality: Dictionary,
    count: Int64,
    sum: Float64,
    min: Float64,
    max: Float64,
}

#[derive(Default)]
struct BucketColumns {
    offset: Int32,
    bucket_counts: List<Int64>,
}

#[derive(Default)]
struct Quantiles {
    quantile: Float64,
    value: Float64,
}

/// Appends the number of a gauge or sum.
fn push_number(numbers: &mut Numbers, of: &NumberPoint<'_>, odd: &mut Odd) {
    let is_none_on_purpose = of.point.has_no_recorded_value();
    odd.missing_values += u64::from(of.value.is_none() && !is_none_on_purpose);
    numbers.push(of.value.filter(|_| !is_none_on_purpose));
}

impl Gauge {
    pub(crate) fn push(&mut self, of: &NumberPoint<'_>, odd: &mut Odd) -> Result<(), Malformed> {
        push_number(&mut self.numbers, of, odd);
        Ok(())
    }
}

impl Sum {
    pub(crate) fn push(
        &mut self,
        of: &NumberPoint<'_>,
        temporality: &[u8],
        is_monotonic: bool,
        odd: &mut Odd,
    ) -> Result<(), Malformed> {
        push_number(&mut self.numbers, of, odd);
        self.aggregation_temporality.push(temporality);
        self.is_monotonic.push(is_monotonic);
        Ok(())
    }
}

impl Aggregates {
    fn push(&mut self, temporality: &[u8], count: Option<i64>, [sum, min, max]: [Option<f64>; 3]) {
        self.aggregation_temporality.push(temporality);
        self.count.push_option(count);
        self.sum.push_option(sum);
        self.min.push_option(min);
        self.max.push_option(max);
    }
}

impl Histogram {
    pub(crate) fn push(&mut self, of: &HistogramPoint<'_>, temporality: &[u8], odd: &mut Odd) -> Result<(), Malformed> {
        if of.point.has_no_recorded_value() {
            self.aggregates.push(temporality, None, [None; 3]);
            self.bucket_counts.push_null();
            self.explicit_bounds.push_null();
            return Ok(());
        }
        self.aggregates.push(temporality, Some(odd.count(of.count)), [of.sum, of.min, of.max]);
        let (mut buckets, mut bounds) = (0u64, 0u64);
        for count in of.bucket_counts.clone() {
            self.bucket_counts.items.push(odd.count(count?));
            buckets += 1;
        }
        for bound in of.explicit_bounds.clone() {
            self.explicit_bounds.items.push(bound?);
            bounds += 1;
        }
        odd.uneven_buckets += u64::from(buckets != bounds + 1 && (buckets, bounds) != (0, 0));
        self.bucket_counts.close();
        self.explicit_bounds.close();
        Ok(())
    }
}

impl ExponentialHistogram {
    pub(crate) fn push(
        &mut self,
        of: &ExponentialHistogramPoint<'_>,
        temporality: &[u8],
        odd: &mut Odd,
    ) -> Result<(), Malformed> {
        if of.point.has_no_recorded_value() {
            self.aggregates.push(temporality, None, [None; 3]);
            self.scale.push_null();
            self.zero_count.push_null();
            self.zero_threshold.push_null();
            self.positive.push_null();
            self.negative.push_null();
            return Ok(());
        }
        self.aggregates.push(temporality, Some(odd.count(of.count)), [of.sum, of.min, of.max]);
        self.scale.push(of.scale);
        self.zero_count.push(odd.count(of.zero_count));
        self.zero_threshold.push(of.zero_threshold);
        self.positive.push(&of.positive, odd)?;
        self.negative.push(&of.negative, odd)
    }
}

impl BucketColumns {
    fn push(&mut self, buckets: &Buckets<'_>, odd: &mut Odd) -> Result<(), Malformed> {
        self.offset.push(buckets.offset);
        for count in buckets.bucket_counts.clone() {
            self.bucket_counts.items.push(odd.count(count?));
        }
        self.bucket_counts.close();
        Ok(())
    }

    fn push_null(&mut self) {
        self.offset.push_null();
        self.bucket_counts.push_null();
    }
}

impl Summary {
    pub(crate) fn push(&mut self, of: &SummaryPoint<'_>, odd: &mut Odd) -> Result<(), Malformed> {
        if of.point.has_no_recorded_value() {
            self.count.push_null();
            self.sum.push_null();
            self.quantile_values.push_null();
            return Ok(());
        }
        self.count.push(odd.count(of.count));
        self.sum.push(of.sum);
        for quantile in of.quantile_values.clone() {
            let QuantileValue { quantile, value } = quantile?;
            let items = &mut self.quantile_values.items;
            items.fields.quantile.push(quantile);
            items.fields.value.push(value);
            items.push();
        }
        self.quantile_values.close();
        Ok(())
    }
}

impl Values for Gauge {
    const NAME: &'static str = "gauge";
    const DOC: &'static str = "OpenTelemetry gauges, one data point a row.";
}

impl Values for Sum {
    const NAME: &'static str = "sum";
    const DOC: &'static str = "OpenTelemetry sums, one data point a row.";
}

impl Values for Histogram {
    const NAME: &'static str = "histogram";
    const DOC: &'static str = "OpenTelemetry histograms, one data point a row.";
}

impl Values for ExponentialHistogram {
    const NAME: &'static str = "exponential_histogram";
    const DOC: &'static str = "OpenTelemetry exponential histograms, one data point a row.";
}

impl Values for Summary {
    const NAME: &'static str = "summary";
    const DOC: &'static str = "OpenTelemetry summaries, one data point a row.";
    const HAS_EXEMPLARS: bool = false;
}

impl Columns for Gauge {
    fn columns(&mut self, visit: &mut dyn Visit) {
        self.numbers.columns(visit);
    }
}

/// What a temporality says.
const TEMPORALITY: &str = "UNSPECIFIED, DELTA or CUMULATIVE.";

impl Columns for Sum {
    fn columns(&mut self, visit: &mut dyn Visit) {
        self.numbers.columns(visit);
        visit.column("aggregation_temporality", TEMPORALITY, &mut self.aggregation_temporality);
        visit.column("is_monotonic", "Whether it only grows.", &mut self.is_monotonic);
    }
}

impl Columns for Aggregates {
    fn columns(&mut self, visit: &mut dyn Visit) {
        visit.column("aggregation_temporality", TEMPORALITY, &mut self.aggregation_temporality);
        visit.column("count", "How many values there were.", &mut self.count);
        visit.column("sum", "Their sum; NULL where it was not sent.", &mut self.sum);
        visit.column("min", "The smallest; NULL where it was not sent.", &mut self.min);
        visit.column("max", "The largest; NULL where it was not sent.", &mut self.max);
    }
}

impl Columns for Histogram {
    fn columns(&mut self, visit: &mut dyn Visit) {
        self.aggregates.columns(visit);
        visit.column("bucket_counts", "How many values lie in each bucket.", &mut self.bucket_counts);
        let bounds = &mut self.explicit_bounds;
        visit.column("explicit_bounds", "The upper bounds of all buckets but the last.", bounds);
    }
}

impl Columns for ExponentialHistogram {
    fn columns(&mut self, visit: &mut dyn Visit) {
        self.aggregates.columns(visit);
        let Self { scale, zero_count, zero_threshold, positive, negative, .. } = self;
        visit.column("scale", "The base is 2 to the power of 2 to the power of minus this.", scale);
        visit.column("zero_count", "How many values were zero, or as good as.", zero_count);
        visit.column("zero_threshold", "What counts as zero: amounts up to this.", zero_threshold);
        visit.column("positive_offset", "The number of the first bucket above zero.", &mut positive.offset);
        visit.column("positive_bucket_counts", "How many values lie in each of them.", &mut positive.bucket_counts);
        visit.column("negative_offset", "The number of the first bucket below zero.", &mut negative.offset);
        visit.column("negative_bucket_counts", "How many values lie in each of them.", &mut negative.bucket_counts);
    }
}

impl Columns for Summary {
    fn columns(&mut self, visit: &mut dyn Visit) {
        visit.column("count", "How many values there were.", &mut self.count);
        visit.column("sum", "Their sum.", &mut self.sum);
        visit.column("quantile_values", "What was computed of them.", &mut self.quantile_values);
    }
}

impl Columns for Quantiles {
    fn columns(&mut self, visit: &mut dyn Visit) {
        visit.column("quantile", "0 is the smallest value, 1 the largest.", &mut self.quantile);
        visit.column("value", "The value there.", &mut self.value);
    }
}

/// A point of the kind, whose part that all have is `point`.
macro_rules! data_point {
    ($point:ident, $exemplars:expr) => {
        impl<'a> DataPoint<'a> for $point<'a> {
            fn point(&self) -> &Point<'a> {
                &self.point
            }

            fn exemplars(&self) -> Option<&Repeated<'a, Exemplar<'a>>> {
                let exemplars: fn(&Self) -> Option<&Repeated<'a, Exemplar<'a>>> = $exemplars;
                exemplars(self)
            }
        }
    };
}

data_point!(NumberPoint, |point| Some(&point.exemplars));
data_point!(HistogramPoint, |point| Some(&point.exemplars));
data_point!(ExponentialHistogramPoint, |point| Some(&point.exemplars));
data_point!(SummaryPoint, |_| None);
