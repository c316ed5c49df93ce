//! `opentelemetry/proto/common/v1/common.proto` and `resource/v1/resource.proto`.

use super::{Field, Kind, Message, Scalar};

pub(super) static ANY_VALUE: Message = Message::new(
    1,
    &[
        Field::new("stringValue", 1, Kind::String).oneof(),
        Field::new("boolValue", 2, Kind::Scalar(Scalar::Bool)).oneof(),
        Field::new("intValue", 3, Kind::Scalar(Scalar::Int64)).oneof(),
        Field::new("doubleValue", 4, Kind::Scalar(Scalar::Double)).oneof(),
        Field::new("arrayValue", 5, Kind::Message(&ARRAY_VALUE)).oneof(),
        Field::new("kvlistValue", 6, Kind::Message(&KEY_VALUE_LIST)).oneof(),
        Field::new("bytesValue", 7, Kind::Bytes).oneof(),
    ],
)
.nesting();

static ARRAY_VALUE: Message = Message::new(1, &[Field::new("values", 1, Kind::Message(&ANY_VALUE)).repeated()]);

static KEY_VALUE_LIST: Message = Message::new(1, &[Field::new("values", 1, Kind::Message(&KEY_VALUE)).repeated()]);

pub(super) static KEY_VALUE: Message =
    Message::new(1, &[Field::new("key", 1, Kind::String), Field::new("value", 2, Kind::Message(&ANY_VALUE))]);

pub(super) static SCOPE: Message = Message::new(
    1,
    &[
        Field::new("name", 1, Kind::String),
        Field::new("version", 2, Kind::String),
        Field::new("attributes", 3, Kind::Message(&KEY_VALUE)).repeated(),
        Field::new("droppedAttributesCount", 4, Kind::Scalar(Scalar::Uint32)),
    ],
);

static ENTITY_REF: Message = Message::new(
    1,
    &[
        Field::new("schemaUrl", 1, Kind::String),
        Field::new("type", 2, Kind::String),
        Field::new("idKeys", 3, Kind::String).repeated(),
        Field::new("descriptionKeys", 4, Kind::String).repeated(),
    ],
);

pub(super) static RESOURCE: Message = Message::new(
    2,
    &[
        Field::new("attributes", 1, Kind::Message(&KEY_VALUE)).repeated(),
        Field::new("droppedAttributesCount", 2, Kind::Scalar(Scalar::Uint32)),
        Field::new("entityRefs", 3, Kind::Message(&ENTITY_REF)).repeated(),
    ],
);
