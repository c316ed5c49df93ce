//! The data points of metrics, by kind (opentelemetry-proto, `metrics/v1/metrics.proto`).

use super::packed::{Numbers, NumbersExtent};
use super::value::Attributes;
use super::wire::{Extent, Fields, Malformed, Read, Repeated, known, once};

/// A value of a gauge, of a sum or of an exemplar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A double.
    Double(f64),
    /// An integer.
    Int(i64),
}

/// What data points of every kind have.
#[derive(Clone, Debug)]
pub struct Point<'a> {
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// Since when its values add up, in nanoseconds since 1970; 0 where that is unknown.
    pub start_time_unix_nano: u64,
    /// When it was measured, in nanoseconds since 1970.
    pub time_unix_nano: u64,
    /// Bit 0: there is no value, on purpose.
    pub flags: u32,
}

/// A data point of a gauge or a sum.
#[derive(Clone, Debug)]
pub struct NumberPoint<'a> {
    /// What every point has.
    pub point: Point<'a>,
    /// Its value; none where there is none.
    pub value: Option<Number>,
    /// Examples of what was measured.
    pub exemplars: Repeated<'a, Exemplar<'a>>,
}

/// A data point of a histogram.
#[derive(Clone, Debug)]
pub struct HistogramPoint<'a> {
    /// What every point has.
    pub point: Point<'a>,
    /// How many values there were.
    pub count: u64,
    /// Their sum.
    pub sum: Option<f64>,
    /// How many lie in each bucket: one more than there are bounds, or none at all.
    pub bucket_counts: Numbers<'a, u64>,
    /// The upper bounds of all buckets but the last.
    pub explicit_bounds: Numbers<'a, f64>,
    /// Examples of what was measured.
    pub exemplars: Repeated<'a, Exemplar<'a>>,
    /// The smallest value.
    pub min: Option<f64>,
    /// The largest value.
    pub max: Option<f64>,
}

/// A data point of an exponential histogram.
#[derive(Clone, Debug)]
pub struct ExponentialHistogramPoint<'a> {
    /// What every point has.
    pub point: Point<'a>,
    /// How many values there were.
    pub count: u64,
    /// Their sum.
    pub sum: Option<f64>,
    /// The base is 2 to the power of 2 to the power of minus this.
    pub scale: i32,
    /// How many values were zero, or as good as.
    pub zero_count: u64,
    /// The values above zero.
    pub positive: Buckets<'a>,
    /// The values below zero, by their amounts.
    pub negative: Buckets<'a>,
    /// Examples of what was measured.
    pub exemplars: Repeated<'a, Exemplar<'a>>,
    /// The smallest value.
    pub min: Option<f64>,
    /// The largest value.
    pub max: Option<f64>,
    /// What counts as zero: amounts up to this.
    pub zero_threshold: f64,
}

/// Buckets beside each other, each as wide as the base.
#[derive(Clone, Debug)]
pub struct Buckets<'a> {
    /// The number of the first bucket.
    pub offset: i32,
    /// How many values lie in each.
    pub bucket_counts: Numbers<'a, u64>,
}

/// A data point of a summary.
#[derive(Clone, Debug)]
pub struct SummaryPoint<'a> {
    /// What every point has.
    pub point: Point<'a>,
    /// How many values there were.
    pub count: u64,
    /// Their sum.
    pub sum: f64,
    /// What was computed of them.
    pub quantile_values: Repeated<'a, QuantileValue>,
}

/// A quantile: 0 is the smallest value, 1 the largest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct QuantileValue {
    /// From 0 to 1.
    pub quantile: f64,
    /// The value there.
    pub value: f64,
}

/// One of the values that a data point is made of.
#[derive(Clone, Debug)]
pub struct Exemplar<'a> {
    /// The attributes that the point left out.
    pub filtered_attributes: Attributes<'a>,
    /// When it was measured, in nanoseconds since 1970.
    pub time_unix_nano: u64,
    /// The value; none where there is none.
    pub value: Option<Number>,
    /// 8 bytes, empty outside a span, or invalid.
    pub span_id: &'a [u8],
    /// 16 bytes, empty outside a trace, or invalid.
    pub trace_id: &'a [u8],
}

/// Bit 0 of a point's flags (`DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK`).
const NO_RECORDED_VALUE: u32 = 1;

impl<'a> Point<'a> {
    /// Whether the point says that there is no value, so that whatever stands where one would is none.
    pub fn has_no_recorded_value(&self) -> bool {
        self.flags & NO_RECORDED_VALUE != 0
    }

    fn empty() -> Self {
        Point { attributes: Attributes::new(&[], 1), start_time_unix_nano: 0, time_unix_nano: 0, flags: 0 }
    }
}

/// The fields 64 bits wide that hold a double.
fn double(fields: &mut Fields<'_>) -> Result<f64, Malformed> {
    fields.fixed64().map(f64::from_bits)
}

/// Zigzag, by 32 bits.
fn sint32(fields: &mut Fields<'_>) -> Result<i32, Malformed> {
    let bits = fields.varint()? as u32;
    Ok((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed())
}

impl<'a> Read<'a> for NumberPoint<'a> {
    #[inline]
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let (mut attributes, mut exemplars) = (Extent::default(), Extent::default());
        let (mut point, mut value) = (Point::empty(), None);
        loop {
            let before = fields.rest();
            match fields.next_tag()? {
                0 => break,
                0x11 => point.start_time_unix_nano = fields.fixed64()?,
                0x19 => point.time_unix_nano = fields.fixed64()?,
                0x21 => value = Some(Number::Double(double(&mut fields)?)),
                0x2a => exemplars.note(before, &mut fields)?,
                0x31 => value = Some(Number::Int(fields.fixed64()?.cast_signed())),
                0x3a => attributes.note(before, &mut fields)?,
                0x40 => point.flags = fields.varint()? as u32,
                tag => fields.skip(tag, known(&[2, 3, 4, 5, 6, 7, 8]))?,
            }
        }
        point.attributes = attributes.of(message, 7);
        Ok(NumberPoint { point, value, exemplars: exemplars.of(message, 5) })
    }
}

impl<'a> Read<'a> for HistogramPoint<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let (mut attributes, mut exemplars) = (Extent::default(), Extent::default());
        let (mut counts, mut bounds) = (NumbersExtent::default(), NumbersExtent::default());
        let mut point = Point::empty();
        let (mut count, mut sum, mut min, mut max) = (0, None, None, None);
        loop {
            let before = fields.rest();
            match fields.next_tag()? {
                0 => break,
                0x11 => point.start_time_unix_nano = fields.fixed64()?,
                0x19 => point.time_unix_nano = fields.fixed64()?,
                0x21 => count = fields.fixed64()?,
                0x29 => sum = Some(double(&mut fields)?),
                0x32 => counts.note_packed(before, &mut fields)?,
                0x31 => {
                    fields.fixed64()?;
                    counts.note_one(before, &fields);
                }
                0x3a => bounds.note_packed(before, &mut fields)?,
                0x39 => {
                    fields.fixed64()?;
                    bounds.note_one(before, &fields);
                }
                0x42 => exemplars.note(before, &mut fields)?,
                0x4a => attributes.note(before, &mut fields)?,
                0x50 => point.flags = fields.varint()? as u32,
                0x59 => min = Some(double(&mut fields)?),
                0x61 => max = Some(double(&mut fields)?),
                tag => fields.skip(tag, known(&[2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]))?,
            }
        }
        point.attributes = attributes.of(message, 9);
        let (bucket_counts, explicit_bounds) = (counts.fixed64(message, 6), bounds.fixed64(message, 7));
        let exemplars = exemplars.of(message, 8);
        Ok(HistogramPoint { point, count, sum, bucket_counts, explicit_bounds, exemplars, min, max })
    }
}

impl<'a> Read<'a> for ExponentialHistogramPoint<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let (mut attributes, mut exemplars) = (Extent::default(), Extent::default());
        let (mut positive, mut negative) = (None, None);
        let mut read = ExponentialHistogramPoint {
            point: Point::empty(),
            count: 0,
            sum: None,
            scale: 0,
            zero_count: 0,
            positive: Buckets::read(&[])?,
            negative: Buckets::read(&[])?,
            exemplars: exemplars.of(message, 11),
            min: None,
            max: None,
            zero_threshold: 0.0,
        };
        loop {
            let before = fields.rest();
            match fields.next_tag()? {
                0 => break,
                0x0a => attributes.note(before, &mut fields)?,
                0x11 => read.point.start_time_unix_nano = fields.fixed64()?,
                0x19 => read.point.time_unix_nano = fields.fixed64()?,
                0x21 => read.count = fields.fixed64()?,
                0x29 => read.sum = Some(double(&mut fields)?),
                0x30 => read.scale = sint32(&mut fields)?,
                0x39 => read.zero_count = fields.fixed64()?,
                0x42 => once(&mut positive, fields.bytes()?)?,
                0x4a => once(&mut negative, fields.bytes()?)?,
                0x50 => read.point.flags = fields.varint()? as u32,
                0x5a => exemplars.note(before, &mut fields)?,
                0x61 => read.min = Some(double(&mut fields)?),
                0x69 => read.max = Some(double(&mut fields)?),
                0x71 => read.zero_threshold = double(&mut fields)?,
                tag => fields.skip(tag, known(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]))?,
            }
        }
        read.point.attributes = attributes.of(message, 1);
        read.exemplars = exemplars.of(message, 11);
        read.positive = positive.unwrap_or(read.positive);
        read.negative = negative.unwrap_or(read.negative);
        Ok(read)
    }
}

impl<'a> Read<'a> for Buckets<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let (mut offset, mut counts) = (0, NumbersExtent::default());
        loop {
            let before = fields.rest();
            match fields.next_tag()? {
                0 => break,
                0x08 => offset = sint32(&mut fields)?,
                0x12 => counts.note_packed(before, &mut fields)?,
                0x10 => {
                    fields.varint()?;
                    counts.note_one(before, &fields);
                }
                tag => fields.skip(tag, known(&[1, 2]))?,
            }
        }
        Ok(Buckets { offset, bucket_counts: counts.varints(message, 2) })
    }
}

impl<'a> Read<'a> for SummaryPoint<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let (mut attributes, mut quantiles) = (Extent::default(), Extent::default());
        let (mut point, mut count, mut sum) = (Point::empty(), 0, 0.0);
        loop {
            let before = fields.rest();
            match fields.next_tag()? {
                0 => break,
                0x11 => point.start_time_unix_nano = fields.fixed64()?,
                0x19 => point.time_unix_nano = fields.fixed64()?,
                0x21 => count = fields.fixed64()?,
                0x29 => sum = double(&mut fields)?,
                0x32 => quantiles.note(before, &mut fields)?,
                0x3a => attributes.note(before, &mut fields)?,
                0x40 => point.flags = fields.varint()? as u32,
                tag => fields.skip(tag, known(&[2, 3, 4, 5, 6, 7, 8]))?,
            }
        }
        point.attributes = attributes.of(message, 7);
        Ok(SummaryPoint { point, count, sum, quantile_values: quantiles.of(message, 6) })
    }
}

impl<'a> Read<'a> for QuantileValue {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let mut read = QuantileValue::default();
        loop {
            match fields.next_tag()? {
                0 => return Ok(read),
                0x09 => read.quantile = double(&mut fields)?,
                0x11 => read.value = double(&mut fields)?,
                tag => fields.skip(tag, known(&[1, 2]))?,
            }
        }
    }
}

impl<'a> Read<'a> for Exemplar<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let mut attributes = Extent::default();
        let mut read = Exemplar {
            filtered_attributes: attributes.of(message, 7),
            time_unix_nano: 0,
            value: None,
            span_id: &[],
            trace_id: &[],
        };
        loop {
            let before = fields.rest();
            match fields.next_tag()? {
                0 => break,
                0x11 => read.time_unix_nano = fields.fixed64()?,
                0x19 => read.value = Some(Number::Double(double(&mut fields)?)),
                0x22 => read.span_id = fields.bytes()?,
                0x2a => read.trace_id = fields.bytes()?,
                0x31 => read.value = Some(Number::Int(fields.fixed64()?.cast_signed())),
                0x3a => attributes.note(before, &mut fields)?,
                tag => fields.skip(tag, known(&[2, 3, 4, 5, 6, 7]))?,
            }
        }
        read.filtered_attributes = attributes.of(message, 7);
        Ok(read)
    }
}
