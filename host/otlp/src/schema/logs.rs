//! `opentelemetry/proto/logs/v1/logs.proto`.

use super::attributes::{ANY_VALUE, KEY_VALUE, RESOURCE, SCOPE};
use super::{Field, Kind, Message, Scalar};

pub(super) static LOGS_DATA: Message =
    Message::new(3, &[Field::new("resourceLogs", 1, Kind::Message(&RESOURCE_LOGS)).repeated()]);

static RESOURCE_LOGS: Message = Message::new(
    3,
    &[
        Field::new("resource", 1, Kind::Message(&RESOURCE)),
        Field::new("scopeLogs", 2, Kind::Message(&SCOPE_LOGS)).repeated(),
        Field::new("schemaUrl", 3, Kind::String),
    ],
);

static SCOPE_LOGS: Message = Message::new(
    3,
    &[
        Field::new("scope", 1, Kind::Message(&SCOPE)),
        Field::new("logRecords", 2, Kind::Message(&LOG_RECORD)).repeated(),
        Field::new("schemaUrl", 3, Kind::String),
    ],
);

static LOG_RECORD: Message = Message::new(
    2,
    &[
        Field::new("timeUnixNano", 1, Kind::Scalar(Scalar::Fixed64)),
        Field::new("observedTimeUnixNano", 11, Kind::Scalar(Scalar::Fixed64)),
        Field::new("severityNumber", 2, Kind::Scalar(Scalar::Enum(SEVERITY_NUMBER))),
        Field::new("severityText", 3, Kind::String),
        Field::new("body", 5, Kind::Message(&ANY_VALUE)),
        Field::new("attributes", 6, Kind::Message(&KEY_VALUE)).repeated(),
        Field::new("droppedAttributesCount", 7, Kind::Scalar(Scalar::Uint32)),
        Field::new("flags", 8, Kind::Scalar(Scalar::Fixed32)),
        Field::new("traceId", 9, Kind::Id(16)),
        Field::new("spanId", 10, Kind::Id(8)),
        Field::new("eventName", 12, Kind::String),
    ],
);

static SEVERITY_NUMBER: &[(&str, i32)] = &[
    ("SEVERITY_NUMBER_UNSPECIFIED", 0),
    ("SEVERITY_NUMBER_TRACE", 1),
    ("SEVERITY_NUMBER_TRACE2", 2),
    ("SEVERITY_NUMBER_TRACE3", 3),
    ("SEVERITY_NUMBER_TRACE4", 4),
    ("SEVERITY_NUMBER_DEBUG", 5),
    ("SEVERITY_NUMBER_DEBUG2", 6),
    ("SEVERITY_NUMBER_DEBUG3", 7),
    ("SEVERITY_NUMBER_DEBUG4", 8),
    ("SEVERITY_NUMBER_INFO", 9),
    ("SEVERITY_NUMBER_INFO2", 10),
    ("SEVERITY_NUMBER_INFO3", 11),
    ("SEVERITY_NUMBER_INFO4", 12),
    ("SEVERITY_NUMBER_WARN", 13),
    ("SEVERITY_NUMBER_WARN2", 14),
    ("SEVERITY_NUMBER_WARN3", 15),
    ("SEVERITY_NUMBER_WARN4", 16),
    ("SEVERITY_NUMBER_ERROR", 17),
    ("SEVERITY_NUMBER_ERROR2", 18),
    ("SEVERITY_NUMBER_ERROR3", 19),
    ("SEVERITY_NUMBER_ERROR4", 20),
    ("SEVERITY_NUMBER_FATAL", 21),
    ("SEVERITY_NUMBER_FATAL2", 22),
    ("SEVERITY_NUMBER_FATAL3", 23),
    ("SEVERITY_NUMBER_FATAL4", 24),
];
