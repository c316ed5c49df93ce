//! `opentelemetry/proto/metrics/v1/metrics.proto`.

use super::attributes::{KEY_VALUE, RESOURCE, SCOPE};
use super::{Field, Kind, Message, Scalar};

pub(super) static METRICS_DATA: Message =
    Message::new(3, &[Field::new("resourceMetrics", 1, Kind::Message(&RESOURCE_METRICS)).repeated()]);

static RESOURCE_METRICS: Message = Message::new(
    3,
    &[
        Field::new("resource", 1, Kind::Message(&RESOURCE)),
        Field::new("scopeMetrics", 2, Kind::Message(&SCOPE_METRICS)).repeated(),
        Field::new("schemaUrl", 3, Kind::String),
    ],
);

static SCOPE_METRICS: Message = Message::new(
    3,
    &[
        Field::new("scope", 1, Kind::Message(&SCOPE)),
        Field::new("metrics", 2, Kind::Message(&METRIC)).repeated(),
        Field::new("schemaUrl", 3, Kind::String),
    ],
);

static METRIC: Message = Message::new(
    2,
    &[
        Field::new("name", 1, Kind::String),
        Field::new("description", 2, Kind::String),
        Field::new("unit", 3, Kind::String),
        Field::new("gauge", 5, Kind::Message(&GAUGE)).oneof(),
        Field::new("sum", 7, Kind::Message(&SUM)).oneof(),
        Field::new("histogram", 9, Kind::Message(&HISTOGRAM)).oneof(),
        Field::new("exponentialHistogram", 10, Kind::Message(&EXPONENTIAL_HISTOGRAM)).oneof(),
        Field::new("summary", 11, Kind::Message(&SUMMARY)).oneof(),
        Field::new("metadata", 12, Kind::Message(&KEY_VALUE)).repeated(),
    ],
);

static GAUGE: Message = Message::new(2, &[Field::new("dataPoints", 1, Kind::Message(&NUMBER_DATA_POINT)).repeated()]);

static SUM: Message = Message::new(
    2,
    &[
        Field::new("dataPoints", 1, Kind::Message(&NUMBER_DATA_POINT)).repeated(),
        Field::new("aggregationTemporality", 2, Kind::Scalar(Scalar::Enum(TEMPORALITY))),
        Field::new("isMonotonic", 3, Kind::Scalar(Scalar::Bool)),
    ],
);

static HISTOGRAM: Message = Message::new(
    2,
    &[
        Field::new("dataPoints", 1, Kind::Message(&HISTOGRAM_DATA_POINT)).repeated(),
        Field::new("aggregationTemporality", 2, Kind::Scalar(Scalar::Enum(TEMPORALITY))),
    ],
);

static EXPONENTIAL_HISTOGRAM: Message = Message::new(
    2,
    &[
        Field::new("dataPoints", 1, Kind::Message(&EXPONENTIAL_HISTOGRAM_DATA_POINT)).repeated(),
        Field::new("aggregationTemporality", 2, Kind::Scalar(Scalar::Enum(TEMPORALITY))),
    ],
);

static SUMMARY: Message =
    Message::new(2, &[Field::new("dataPoints", 1, Kind::Message(&SUMMARY_DATA_POINT)).repeated()]);

static NUMBER_DATA_POINT: Message = Message::new(
    2,
    &[
        Field::new("attributes", 7, Kind::Message(&KEY_VALUE)).repeated(),
        Field::new("startTimeUnixNano", 2, Kind::Scalar(Scalar::Fixed64)),
        Field::new("timeUnixNano", 3, Kind::Scalar(Scalar::Fixed64)),
        Field::new("asDouble", 4, Kind::Scalar(Scalar::Double)).oneof(),
        Field::new("asInt", 6, Kind::Scalar(Scalar::Sfixed64)).oneof(),
        Field::new("exemplars", 5, Kind::Message(&EXEMPLAR)).repeated(),
        Field::new("flags", 8, Kind::Scalar(Scalar::Uint32)),
    ],
);

static HISTOGRAM_DATA_POINT: Message = Message::new(
    2,
    &[
        Field::new("attributes", 9, Kind::Message(&KEY_VALUE)).repeated(),
        Field::new("startTimeUnixNano", 2, Kind::Scalar(Scalar::Fixed64)),
        Field::new("timeUnixNano", 3, Kind::Scalar(Scalar::Fixed64)),
        Field::new("count", 4, Kind::Scalar(Scalar::Fixed64)),
        Field::new("sum", 5, Kind::Scalar(Scalar::Double)).optional(),
        Field::new("bucketCounts", 6, Kind::Scalar(Scalar::Fixed64)).repeated(),
        Field::new("explicitBounds", 7, Kind::Scalar(Scalar::Double)).repeated(),
        Field::new("exemplars", 8, Kind::Message(&EXEMPLAR)).repeated(),
        Field::new("flags", 10, Kind::Scalar(Scalar::Uint32)),
        Field::new("min", 11, Kind::Scalar(Scalar::Double)).optional(),
        Field::new("max", 12, Kind::Scalar(Scalar::Double)).optional(),
    ],
);

static EXPONENTIAL_HISTOGRAM_DATA_POINT: Message = Message::new(
    2,
    &[
        Field::new("attributes", 1, Kind::Message(&KEY_VALUE)).repeated(),
        Field::new("startTimeUnixNano", 2, Kind::Scalar(Scalar::Fixed64)),
        Field::new("timeUnixNano", 3, Kind::Scalar(Scalar::Fixed64)),
        Field::new("count", 4, Kind::Scalar(Scalar::Fixed64)),
        Field::new("sum", 5, Kind::Scalar(Scalar::Double)).optional(),
        Field::new("scale", 6, Kind::Scalar(Scalar::Sint32)),
        Field::new("zeroCount", 7, Kind::Scalar(Scalar::Fixed64)),
        Field::new("positive", 8, Kind::Message(&BUCKETS)),
        Field::new("negative", 9, Kind::Message(&BUCKETS)),
        Field::new("flags", 10, Kind::Scalar(Scalar::Uint32)),
        Field::new("exemplars", 11, Kind::Message(&EXEMPLAR)).repeated(),
        Field::new("min", 12, Kind::Scalar(Scalar::Double)).optional(),
        Field::new("max", 13, Kind::Scalar(Scalar::Double)).optional(),
        Field::new("zeroThreshold", 14, Kind::Scalar(Scalar::Double)),
    ],
);

static BUCKETS: Message = Message::new(
    1,
    &[
        Field::new("offset", 1, Kind::Scalar(Scalar::Sint32)),
        Field::new("bucketCounts", 2, Kind::Scalar(Scalar::Uint64)).repeated(),
    ],
);

static SUMMARY_DATA_POINT: Message = Message::new(
    2,
    &[
        Field::new("attributes", 7, Kind::Message(&KEY_VALUE)).repeated(),
        Field::new("startTimeUnixNano", 2, Kind::Scalar(Scalar::Fixed64)),
        Field::new("timeUnixNano", 3, Kind::Scalar(Scalar::Fixed64)),
        Field::new("count", 4, Kind::Scalar(Scalar::Fixed64)),
        Field::new("sum", 5, Kind::Scalar(Scalar::Double)),
        Field::new("quantileValues", 6, Kind::Message(&VALUE_AT_QUANTILE)).repeated(),
        Field::new("flags", 8, Kind::Scalar(Scalar::Uint32)),
    ],
);

static VALUE_AT_QUANTILE: Message = Message::new(
    1,
    &[Field::new("quantile", 1, Kind::Scalar(Scalar::Double)), Field::new("value", 2, Kind::Scalar(Scalar::Double))],
);

static EXEMPLAR: Message = Message::new(
    1,
    &[
        Field::new("filteredAttributes", 7, Kind::Message(&KEY_VALUE)).repeated(),
        Field::new("timeUnixNano", 2, Kind::Scalar(Scalar::Fixed64)),
        Field::new("asDouble", 3, Kind::Scalar(Scalar::Double)).oneof(),
        Field::new("asInt", 6, Kind::Scalar(Scalar::Sfixed64)).oneof(),
        Field::new("spanId", 4, Kind::Id(8)),
        Field::new("traceId", 5, Kind::Id(16)),
    ],
);

static TEMPORALITY: &[(&str, i32)] = &[
    ("AGGREGATION_TEMPORALITY_UNSPECIFIED", 0),
    ("AGGREGATION_TEMPORALITY_DELTA", 1),
    ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2),
];
