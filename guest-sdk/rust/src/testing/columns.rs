//! Reads columns back into cells, and checks the contract on the way.

use super::Cell;
use crate::output::{DataType, Field, Node, RecordBatch, TableSchema};

/// The columns of a table, by name.
pub(super) fn read(schema: &TableSchema, batch: &RecordBatch) -> Result<Vec<(String, Vec<Cell>)>, String> {
    let mut reader = Reader { fields: schema.fields.iter(), nodes: batch.nodes.iter(), buffers: batch.buffers.iter() };
    let mut columns = Vec::new();
    while let Some(field) = reader.fields.next() {
        let cells = reader.column(field)?;
        if cells.len() != batch.rows as usize {
            return Err(format!("`{}` has {} values in {} rows", field.name, cells.len(), batch.rows));
        }
        columns.push((field.name.clone(), cells));
    }
    match (reader.nodes.len(), reader.buffers.len()) {
        (0, 0) => Ok(columns),
        (nodes, buffers) => Err(format!("{nodes} nodes and {buffers} buffers too many")),
    }
}

struct Reader<'a> {
    fields: std::slice::Iter<'a, Field>,
    nodes: std::slice::Iter<'a, Node>,
    buffers: std::slice::Iter<'a, Vec<u8>>,
}

impl<'a> Reader<'a> {
    fn column(&mut self, field: &Field) -> Result<Vec<Cell>, String> {
        let fault = |what: &str| format!("`{}`: {what}", field.name);
        let node = *self.nodes.next().ok_or_else(|| fault("no node"))?;
        let len = node.length as usize;
        let validity = self.buffer(field)?;
        let valid = |index: usize| match node.null_count {
            0 => Some(true),
            _ => validity.get(index / 8).map(|byte| byte >> (index % 8) & 1 == 1),
        };
        let values = self.values(field, len)?;
        let mut cells = Vec::with_capacity(len);
        for (index, value) in values.into_iter().enumerate() {
            match valid(index).ok_or_else(|| fault("the validity is too short"))? {
                true => cells.push(value.ok_or_else(|| fault("a key beyond the dictionary"))?),
                false => cells.push(Cell::Null),
            }
        }
        let nulls = cells.iter().filter(|cell| **cell == Cell::Null).count();
        if nulls != node.null_count as usize {
            return Err(fault(&format!("{nulls} nulls, not {}", node.null_count)));
        }
        if nulls > 0 && !field.nullable {
            return Err(fault("a null where none may be"));
        }
        Ok(cells)
    }

    /// The values as if all were present; none for a key that is out of range.
    fn values(&mut self, field: &Field, len: usize) -> Result<Vec<Option<Cell>>, String> {
        let some = |cells: Vec<Cell>| Ok(cells.into_iter().map(Some).collect());
        match field.data_type {
            DataType::Boolean => {
                let bits = self.buffer(field)?;
                let bit = |index: usize| bits.get(index / 8).map(|byte| Cell::Bool(byte >> (index % 8) & 1 == 1));
                let all: Option<Vec<_>> = (0..len).map(bit).collect();
                some(all.ok_or_else(|| format!("`{}`: the values are too short", field.name))?)
            }
            DataType::Int32 | DataType::Date => {
                some(self.fixed::<4>(field, len)?.map(|b| Cell::Int(i32::from_le_bytes(b).into())).collect())
            }
            DataType::Int64 | DataType::TimestampUtc | DataType::TimestampLocal => {
                some(self.fixed::<8>(field, len)?.map(|b| Cell::Int(i64::from_le_bytes(b))).collect())
            }
            DataType::Float32 => {
                some(self.fixed::<4>(field, len)?.map(|b| Cell::Float(f32::from_le_bytes(b).into())).collect())
            }
            DataType::Float64 => {
                some(self.fixed::<8>(field, len)?.map(|b| Cell::Float(f64::from_le_bytes(b))).collect())
            }
            DataType::Utf8 | DataType::Binary => {
                let offsets = self.offsets(field, len)?;
                let bytes = self.buffer(field)?;
                let end = offsets.last().copied().unwrap_or(0);
                if end > bytes.len() {
                    return Err(format!("`{}`: the bytes end before {end}", field.name));
                }
                let cell = |range: &[usize]| match field.data_type {
                    DataType::Utf8 => Cell::Text(String::from_utf8_lossy(&bytes[range[0]..range[1]]).into_owned()),
                    _ => Cell::Bytes(bytes[range[0]..range[1]].to_vec()),
                };
                some(offsets.windows(2).map(cell).collect())
            }
            DataType::List | DataType::Map => some(self.lists(field, len)?),
            DataType::Struct => some(self.structs(field, len)?),
            DataType::Dictionary => {
                let keys: Vec<_> = self.fixed::<4>(field, len)?.map(i32::from_le_bytes).collect();
                let values = self.child(field)?.1;
                let value = |key: &i32| usize::try_from(*key).ok().and_then(|key| values.get(key).cloned());
                Ok(keys.iter().map(value).collect())
            }
        }
    }

    fn lists(&mut self, field: &Field, len: usize) -> Result<Vec<Cell>, String> {
        let offsets = self.offsets(field, len)?;
        let items = self.child(field)?.1;
        let end = offsets.last().copied().unwrap_or(0);
        if items.len() != end {
            return Err(format!("`{}`: {} items, not {end}", field.name, items.len()));
        }
        let entry = |item: &Cell| match item {
            Cell::Struct(fields) => match &fields[..] {
                [(_, key), (_, value)] => Ok((key.clone(), value.clone())),
                _ => Err(format!("`{}`: an entry of {} fields", field.name, fields.len())),
            },
            _ => Err(format!("`{}`: an entry that is no struct", field.name)),
        };
        let cell = |range: &[usize]| match field.data_type {
            DataType::Map => Ok(Cell::Map(items[range[0]..range[1]].iter().map(entry).collect::<Result<_, _>>()?)),
            _ => Ok(Cell::List(items[range[0]..range[1]].to_vec())),
        };
        offsets.windows(2).map(cell).collect()
    }

    fn structs(&mut self, field: &Field, len: usize) -> Result<Vec<Cell>, String> {
        let mut cells = vec![Vec::new(); len];
        for _ in 0..field.children {
            let (name, children) = self.child(field)?;
            if children.len() != len {
                return Err(format!("`{}.{name}` has {} values, not {len}", field.name, children.len()));
            }
            cells.iter_mut().zip(children).for_each(|(cell, child)| cell.push((name.clone(), child)));
        }
        Ok(cells.into_iter().map(Cell::Struct).collect())
    }

    fn child(&mut self, parent: &Field) -> Result<(String, Vec<Cell>), String> {
        let field = self.fields.next().ok_or_else(|| format!("`{}` has no child", parent.name))?;
        Ok((field.name.clone(), self.column(field)?))
    }

    fn buffer(&mut self, field: &Field) -> Result<&'a [u8], String> {
        self.buffers.next().map(Vec::as_slice).ok_or_else(|| format!("`{}`: no buffer", field.name))
    }

    fn fixed<const SIZE: usize>(
        &mut self,
        field: &Field,
        len: usize,
    ) -> Result<impl Iterator<Item = [u8; SIZE]> + use<'a, SIZE>, String> {
        let values = self.buffer(field)?.as_chunks::<SIZE>().0;
        values
            .get(..len)
            .map(|values| values.iter().copied())
            .ok_or_else(|| format!("`{}`: {} values, not {len}", field.name, values.len()))
    }

    fn offsets(&mut self, field: &Field, len: usize) -> Result<Vec<usize>, String> {
        if len == 0 {
            self.buffer(field)?;
            return Ok(vec![0]);
        }
        let offsets: Vec<_> = self.fixed::<4>(field, len + 1)?.map(i32::from_le_bytes).collect();
        if !offsets.is_sorted() || offsets.first() != Some(&0) {
            return Err(format!("`{}`: offsets that do not rise from 0", field.name));
        }
        Ok(offsets.into_iter().map(|offset| offset as usize).collect())
    }
}
