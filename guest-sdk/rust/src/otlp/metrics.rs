//! Metrics: names, and the data points of one kind under each (opentelemetry-proto, `metrics/v1/metrics.proto`).

use super::origin::{ResourceItems, ScopeItems};
use super::points::{ExponentialHistogramPoint, HistogramPoint, NumberPoint, SummaryPoint};
use super::value::Attributes;
use super::wire::{Extent, Fault, Fields, Malformed, Read, Repeated, known};

/// The metrics of one resource.
pub type ResourceMetrics<'a> = ResourceItems<'a, Metric<'a>>;

/// The metrics of one scope.
pub type ScopeMetrics<'a> = ScopeItems<'a, Metric<'a>>;

/// The resources of a record's value. An empty value has none.
pub fn metrics(value: &[u8]) -> Repeated<'_, ResourceMetrics<'_>> {
    Repeated::new(value, 1)
}

/// A metric.
#[derive(Clone, Debug)]
pub struct Metric<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// What it means; may be empty.
    pub description: &'a [u8],
    /// The unit of its values (UCUM); may be empty.
    pub unit: &'a [u8],
    /// Its data points.
    pub data: Data<'a>,
    /// What is said about the metric itself.
    pub metadata: Attributes<'a>,
}

/// The data points of a metric, which are all of one kind.
#[derive(Clone, Debug, Default)]
pub enum Data<'a> {
    /// None, or of a kind that is newer than this reader.
    #[default]
    Unknown,
    /// What was measured last.
    Gauge(Repeated<'a, NumberPoint<'a>>),
    /// What adds up.
    Sum {
        /// The data points.
        points: Repeated<'a, NumberPoint<'a>>,
        /// Over which time it adds up.
        temporality: i32,
        /// Whether it only grows.
        is_monotonic: bool,
    },
    /// How many values lie between bounds that are listed.
    Histogram {
        /// The data points.
        points: Repeated<'a, HistogramPoint<'a>>,
        /// Over which time it adds up.
        temporality: i32,
    },
    /// How many values lie between bounds that are powers of one base.
    ExponentialHistogram {
        /// The data points.
        points: Repeated<'a, ExponentialHistogramPoint<'a>>,
        /// Over which time it adds up.
        temporality: i32,
    },
    /// Quantiles, as some clients compute them.
    Summary(Repeated<'a, SummaryPoint<'a>>),
}

/// What each kind has: data points (field 1), temporality (2), whether it only grows (3).
struct Parts<'a, T> {
    points: Repeated<'a, T>,
    temporality: i32,
    is_monotonic: bool,
}

impl<'a, T: Read<'a>> Parts<'a, T> {
    /// `fields` is how many of the three the kind has.
    fn read(message: &'a [u8], fields: u32) -> Result<Self, Malformed> {
        let known = (2 << fields) - 2;
        let mut fields = Fields::new(message);
        let mut points = Extent::default();
        let (mut temporality, mut is_monotonic) = (0, false);
        loop {
            let before = fields.rest();
            match fields.next_tag()? {
                0 => break,
                0x0a => points.note(before, &mut fields)?,
                0x10 if known >> 2 & 1 == 1 => temporality = fields.varint()? as i32,
                0x18 if known >> 3 & 1 == 1 => is_monotonic = fields.varint()? != 0,
                tag => fields.skip(tag, known)?,
            }
        }
        Ok(Parts { points: points.of(message, 1), temporality, is_monotonic })
    }
}

impl<'a> Data<'a> {
    /// The member of this number in a metric. The last of several wins; two of one kind would have to be merged.
    fn replace(&mut self, number: u32, message: &'a [u8]) -> Result<(), Malformed> {
        let is_second = matches!(
            (number, &self),
            (5, Data::Gauge(_))
                | (7, Data::Sum { .. })
                | (9, Data::Histogram { .. })
                | (10, Data::ExponentialHistogram { .. })
                | (11, Data::Summary(_))
        );
        if is_second {
            return Err(Malformed::at(Fault::Split, message));
        }
        *self = match number {
            5 => Data::Gauge(Parts::read(message, 1)?.points),
            7 => {
                let Parts { points, temporality, is_monotonic } = Parts::read(message, 3)?;
                Data::Sum { points, temporality, is_monotonic }
            }
            9 => {
                let Parts { points, temporality, .. } = Parts::read(message, 2)?;
                Data::Histogram { points, temporality }
            }
            10 => {
                let Parts { points, temporality, .. } = Parts::read(message, 2)?;
                Data::ExponentialHistogram { points, temporality }
            }
            _ => Data::Summary(Parts::read(message, 1)?.points),
        };
        Ok(())
    }
}

impl<'a> Read<'a> for Metric<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let mut metadata = Extent::default();
        let mut metric = Metric {
            name: &[],
            description: &[],
            unit: &[],
            data: Data::default(),
            metadata: metadata.of(message, 12),
        };
        loop {
            let before = fields.rest();
            match fields.next_tag()? {
                0 => break,
                0x0a => metric.name = fields.bytes()?,
                0x12 => metric.description = fields.bytes()?,
                0x1a => metric.unit = fields.bytes()?,
                tag @ (0x2a | 0x3a | 0x4a | 0x52 | 0x5a) => metric.data.replace(tag >> 3, fields.bytes()?)?,
                0x62 => metadata.note(before, &mut fields)?,
                tag => fields.skip(tag, known(&[1, 2, 3, 5, 7, 9, 10, 11, 12]))?,
            }
        }
        metric.metadata = metadata.of(message, 12);
        Ok(metric)
    }
}

#[cfg(test)]
mod tests;
