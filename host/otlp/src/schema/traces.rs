//! `opentelemetry/proto/trace/v1/trace.proto`.

use super::attributes::{KEY_VALUE, RESOURCE, SCOPE};
use super::{Field, Kind, Message, Scalar};

pub(super) static TRACES_DATA: Message =
    Message::new(3, &[Field::new("resourceSpans", 1, Kind::Message(&RESOURCE_SPANS)).repeated()]);

static RESOURCE_SPANS: Message = Message::new(
    3,
    &[
        Field::new("resource", 1, Kind::Message(&RESOURCE)),
        Field::new("scopeSpans", 2, Kind::Message(&SCOPE_SPANS)).repeated(),
        Field::new("schemaUrl", 3, Kind::String),
    ],
);

static SCOPE_SPANS: Message = Message::new(
    3,
    &[
        Field::new("scope", 1, Kind::Message(&SCOPE)),
        Field::new("spans", 2, Kind::Message(&SPAN)).repeated(),
        Field::new("schemaUrl", 3, Kind::String),
    ],
);

static SPAN: Message = Message::new(
    2,
    &[
        Field::new("traceId", 1, Kind::Id(16)),
        Field::new("spanId", 2, Kind::Id(8)),
        Field::new("traceState", 3, Kind::String),
        Field::new("parentSpanId", 4, Kind::Id(8)),
        Field::new("flags", 16, Kind::Scalar(Scalar::Fixed32)),
        Field::new("name", 5, Kind::String),
        Field::new("kind", 6, Kind::Scalar(Scalar::Enum(SPAN_KIND))),
        Field::new("startTimeUnixNano", 7, Kind::Scalar(Scalar::Fixed64)),
        Field::new("endTimeUnixNano", 8, Kind::Scalar(Scalar::Fixed64)),
        Field::new("attributes", 9, Kind::Message(&KEY_VALUE)).repeated(),
        Field::new("droppedAttributesCount", 10, Kind::Scalar(Scalar::Uint32)),
        Field::new("events", 11, Kind::Message(&EVENT)).repeated(),
        Field::new("droppedEventsCount", 12, Kind::Scalar(Scalar::Uint32)),
        Field::new("links", 13, Kind::Message(&LINK)).repeated(),
        Field::new("droppedLinksCount", 14, Kind::Scalar(Scalar::Uint32)),
        Field::new("status", 15, Kind::Message(&STATUS)),
    ],
);

static EVENT: Message = Message::new(
    2,
    &[
        Field::new("timeUnixNano", 1, Kind::Scalar(Scalar::Fixed64)),
        Field::new("name", 2, Kind::String),
        Field::new("attributes", 3, Kind::Message(&KEY_VALUE)).repeated(),
        Field::new("droppedAttributesCount", 4, Kind::Scalar(Scalar::Uint32)),
    ],
);

static LINK: Message = Message::new(
    1,
    &[
        Field::new("traceId", 1, Kind::Id(16)),
        Field::new("spanId", 2, Kind::Id(8)),
        Field::new("traceState", 3, Kind::String),
        Field::new("attributes", 4, Kind::Message(&KEY_VALUE)).repeated(),
        Field::new("droppedAttributesCount", 5, Kind::Scalar(Scalar::Uint32)),
        Field::new("flags", 6, Kind::Scalar(Scalar::Fixed32)),
    ],
);

static STATUS: Message = Message::new(
    1,
    &[Field::new("message", 2, Kind::String), Field::new("code", 3, Kind::Scalar(Scalar::Enum(STATUS_CODE)))],
);

static SPAN_KIND: &[(&str, i32)] = &[
    ("SPAN_KIND_UNSPECIFIED", 0),
    ("SPAN_KIND_INTERNAL", 1),
    ("SPAN_KIND_SERVER", 2),
    ("SPAN_KIND_CLIENT", 3),
    ("SPAN_KIND_PRODUCER", 4),
    ("SPAN_KIND_CONSUMER", 5),
];

static STATUS_CODE: &[(&str, i32)] = &[("STATUS_CODE_UNSET", 0), ("STATUS_CODE_OK", 1), ("STATUS_CODE_ERROR", 2)];
