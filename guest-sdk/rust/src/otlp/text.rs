//! Values as text (OpenTelemetry specification, common, "AnyValue representation for non-OTLP protocols").

use super::DEPTH_MAX;
use super::number::{push_base64, push_double, push_int};
use super::value::{AnyValue, Attributes, Oddities, Values};
use super::wire::{Fault, Malformed};
use crate::append::append;

impl AnyValue<'_> {
    /// Appends the value as text: a string as it is, a bool, an integer and a double as JSON has them, NaN and the
    /// infinities bare, bytes as base64, nothing for an empty value. Arrays and key-value lists are JSON.
    ///
    /// # Errors
    /// Something within the value is malformed, or too deep.
    pub fn write_text(&self, out: &mut Vec<u8>, oddities: &mut Oddities) -> Result<(), Malformed> {
        match self {
            AnyValue::Empty => {}
            AnyValue::String(text) => append(out, text),
            AnyValue::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            AnyValue::Int(value) => push_int(out, *value),
            AnyValue::Double(value) => push_double(out, *value),
            AnyValue::Bytes(bytes) => push_base64(out, bytes),
            AnyValue::Array(values) => write_array(values.clone(), out, oddities, 1)?,
            AnyValue::KeyValues(entries) => write_object(entries.clone(), out, oddities, 1)?,
            AnyValue::StringIndex => oddities.profile_fields += 1,
        }
        Ok(())
    }

    /// Appends the value as JSON, as within arrays and lists: strings quoted, NaN and bytes too, an empty value null.
    ///
    /// # Errors
    /// Something within the value is malformed, or too deep.
    pub fn write_json(&self, out: &mut Vec<u8>, oddities: &mut Oddities) -> Result<(), Malformed> {
        self.write_json_at(out, oddities, 1)
    }

    fn write_json_at(&self, out: &mut Vec<u8>, oddities: &mut Oddities, depth: usize) -> Result<(), Malformed> {
        match self {
            AnyValue::Empty => out.extend_from_slice(b"null"),
            AnyValue::String(text) => push_json_string(out, text),
            AnyValue::Double(value) if !value.is_finite() => {
                out.push(b'"');
                push_double(out, *value);
                out.push(b'"');
            }
            AnyValue::Bytes(bytes) => {
                out.push(b'"');
                push_base64(out, bytes);
                out.push(b'"');
            }
            AnyValue::Array(values) => write_array(values.clone(), out, oddities, depth)?,
            AnyValue::KeyValues(entries) => write_object(entries.clone(), out, oddities, depth)?,
            AnyValue::StringIndex => {
                oddities.profile_fields += 1;
                out.extend_from_slice(b"null");
            }
            AnyValue::Bool(_) | AnyValue::Int(_) | AnyValue::Double(_) => self.write_text(out, oddities)?,
        }
        Ok(())
    }
}

/// Writes the elements of an array that is itself at `depth`.
fn write_array(values: Values<'_>, out: &mut Vec<u8>, oddities: &mut Oddities, depth: usize) -> Result<(), Malformed> {
    out.push(b'[');
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        value?.write_json_at(out, oddities, deeper(depth)?)?;
    }
    out.push(b']');
    Ok(())
}

fn write_object(
    entries: Attributes<'_>,
    out: &mut Vec<u8>,
    oddities: &mut Oddities,
    depth: usize,
) -> Result<(), Malformed> {
    out.push(b'{');
    for (index, entry) in entries.last_of_each_key(oddities)?.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        oddities.note(entry);
        push_json_string(out, entry.key);
        out.push(b':');
        entry.value.write_json_at(out, oddities, deeper(depth)?)?;
    }
    out.push(b'}');
    Ok(())
}

fn deeper(depth: usize) -> Result<usize, Malformed> {
    if depth < DEPTH_MAX { Ok(depth + 1) } else { Err(Malformed::at(Fault::TooDeep, &[])) }
}

/// Appends a JSON string (RFC 8259, section 7). Bytes that are not UTF-8 pass.
fn push_json_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for byte in text {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x0c => out.extend_from_slice(b"\\f"),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                super::push_hex(out, &[*byte]);
            }
            _ => out.push(*byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests;
