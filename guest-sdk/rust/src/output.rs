//! What a plugin gives back, as the contract lays it out: schemas once, then record batches without an Arrow
//! library. `wit/weir.wit` says what each buffer holds.

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataType {
    /// True or false.
    Boolean,
    /// A signed integer of 32 bits.
    Int32,
    /// A signed integer of 64 bits.
    Int64,
    /// An IEEE 754 number of 32 bits.
    Float32,
    /// An IEEE 754 number of 64 bits.
    Float64,
    /// Days since 1970-01-01, 32 bits.
    Date,
    /// Microseconds since 1970-01-01T00:00:00Z, 64 bits: a point in time.
    TimestampUtc,
    /// Microseconds since 1970-01-01T00:00:00 on an unnamed clock, 64 bits: no zone.
    TimestampLocal,
    /// Text, 32-bit offsets.
    Utf8,
    /// Bytes, 32-bit offsets.
    Binary,
    /// A list; its one child is the element.
    List,
    /// A struct; its children are its fields.
    Struct,
    /// A map; its one child is a non-nullable struct of a non-nullable key and a value.
    Map,
    /// Values by number; its one child is the distinct values.
    Dictionary,
}

impl DataType {
    /// How many buffers a field of this type has itself.
    pub(crate) fn buffers(self) -> usize {
        match self {
            DataType::Struct => 1,
            DataType::Utf8 | DataType::Binary => 3,
            _ => 2,
        }
    }
}

/// A column, or a part of a nested one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The name, as in the table.
    pub name: String,
    /// What it holds.
    pub data_type: DataType,
    /// Whether a value may be missing.
    pub nullable: bool,
    /// What it means: the column's comment in the table. May be empty.
    pub doc: String,
    /// How many of the fields that follow are its direct children.
    pub children: u32,
}

/// A table that a plugin fills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSchema {
    /// What the pipeline's TOML calls it.
    pub name: String,
    /// What a row is. May be empty.
    pub doc: String,
    /// Its columns, depth first.
    pub fields: Vec<Field>,
}

/// One field of a record batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// How many values it has.
    pub length: u32,
    /// How many of them are null.
    pub null_count: u32,
}

/// Rows of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordBatch {
    /// How many rows: the length of each top-level node.
    pub rows: u32,
    /// One node for each field of the schema, in its order.
    pub nodes: Vec<Node>,
    /// The nodes' buffers, in order.
    pub buffers: Vec<Vec<u8>>,
}

/// What one batch gave to one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableRows {
    /// The rows, those of one message beside each other and in the messages' order.
    pub rows: RecordBatch,
    /// How many rows each message gave, in the messages' order. A rejected message gave none.
    pub rows_per_message: Vec<u32>,
}

/// A record that the plugin refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The record's index in the batch's messages.
    pub index: u32,
    /// Why, for the person who reads the dead letters.
    pub reason: String,
}

/// What a batch gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// One element for each table, in the schemas' order.
    pub tables: Vec<TableRows>,
    /// The records that the plugin refuses, by rising index, each once.
    pub rejections: Vec<Rejection>,
}
