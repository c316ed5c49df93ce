//! Where data files go and what they are called. No name is used twice, and no value of a row leads anywhere.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use iceberg::spec::{Literal, PartitionSpec, PrimitiveLiteral, Struct, TableMetadata, Transform};
use uuid::Uuid;

use crate::properties::WriteProperties;

/// A folder's name is cut here: file systems take 255 bytes, and files tell apart what folders do not.
const VALUE_BYTES_MAX: usize = 80;

/// Makes names that nobody else makes.
#[derive(Debug)]
pub(super) struct Names {
    process: Uuid,
    made: AtomicU64,
}

impl Names {
    pub(super) fn new() -> Self {
        Self { process: Uuid::now_v7(), made: AtomicU64::new(0) }
    }

    pub(super) fn next(&self) -> String {
        format!("{}-{:06}.parquet", self.process, self.made.fetch_add(1, Ordering::Relaxed))
    }
}

/// The folder of all data files: the property's, or `data` under the table's location, spelt as the table has it.
pub(super) fn data_folder(metadata: &TableMetadata, properties: &WriteProperties) -> String {
    match &properties.data_path {
        Some(path) => path.clone(),
        None => format!("{}/data", metadata.location().trim_end_matches('/')),
    }
}

/// The folder of a partition under the folder of all: `name=value/...`, percent-encoded. Empty for an unpartitioned
/// table.
pub(crate) fn partition_folder(spec: &PartitionSpec, values: &Struct) -> String {
    let mut folder = String::new();
    for (field, value) in spec.fields().iter().zip(values.iter()) {
        if !folder.is_empty() {
            folder.push('/');
        }
        encode(&field.name, &mut folder);
        folder.push('=');
        encode(&readable(field.transform, value), &mut folder);
    }
    folder
}

fn readable(transform: Transform, value: Option<&Literal>) -> String {
    let Some(Literal::Primitive(value)) = value else { return "null".to_string() };
    match (transform, value) {
        (Transform::Year, PrimitiveLiteral::Int(year)) => format!("{}", i64::from(*year) + 1970),
        (Transform::Month, PrimitiveLiteral::Int(month)) => {
            format!("{:04}-{:02}", i64::from(month.div_euclid(12)) + 1970, month.rem_euclid(12) + 1)
        }
        (Transform::Day, PrimitiveLiteral::Int(day)) => date(*day),
        (Transform::Hour, PrimitiveLiteral::Int(hour)) => {
            format!("{}-{:02}", date(hour.div_euclid(24)), hour.rem_euclid(24))
        }
        (_, PrimitiveLiteral::Boolean(v)) => v.to_string(),
        (_, PrimitiveLiteral::Int(v)) => v.to_string(),
        (_, PrimitiveLiteral::Long(v)) => v.to_string(),
        (_, PrimitiveLiteral::Float(v)) => v.to_string(),
        (_, PrimitiveLiteral::Double(v)) => v.to_string(),
        (_, PrimitiveLiteral::String(v)) => v.clone(),
        (_, PrimitiveLiteral::Binary(v)) => v.iter().fold(String::new(), |mut hex, b| {
            let _ = write!(hex, "{b:02x}");
            hex
        }),
        (_, PrimitiveLiteral::Int128(v)) => v.to_string(),
        (_, PrimitiveLiteral::UInt128(v)) => Uuid::from_u128(*v).to_string(),
        (_, PrimitiveLiteral::AboveMax | PrimitiveLiteral::BelowMin) => "null".to_string(),
    }
}

fn date(day: i32) -> String {
    match chrono::DateTime::from_timestamp(i64::from(day) * 86_400, 0) {
        Some(time) => time.format("%Y-%m-%d").to_string(),
        None => day.to_string(),
    }
}

fn encode(text: &str, folder: &mut String) {
    let start = folder.len();
    for byte in text.bytes() {
        if folder.len() - start >= VALUE_BYTES_MAX {
            return;
        }
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => folder.push(byte.into()),
            _ => {
                let _ = write!(folder, "%{byte:02X}");
            }
        }
    }
}
