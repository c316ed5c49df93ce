//! Attributes that have a column of their own.

use super::{Kind, Odd, Promote};
use crate::column::{Boolean, Column, Dictionary, Float64, Int64};
use crate::otlp::{AnyValue, KeyValue};
use crate::plugin::{Columns, Visit};

/// The promoted attributes of one kind of thing: spans, say, or resources. An attribute's number is its place in the setting, which is
/// also its key's number in the attribute map.
#[derive(Debug)]
pub struct Promoted {
    columns: Vec<Slot>,
    only: bool,
}

#[derive(Debug)]
struct Slot {
    name: String,
    doc: String,
    cells: Cells,
    mismatch: bool,
}

#[derive(Debug)]
enum Cells {
    String(Dictionary),
    Long(Int64),
    Double(Float64),
    Boolean(Boolean),
}

impl Promoted {
    /// `of` says whose attributes they are; `only`, whether they stay out of their map.
    pub fn new(promote: &[Promote], of: &str, only: bool) -> Self {
        let slot = |Promote { key, column, kind }: &Promote| Slot {
            name: column.clone(),
            doc: format!("The {of} attribute {key}; NULL where it is missing or of another type."),
            cells: match kind {
                Kind::String => Cells::String(Dictionary::new()),
                Kind::Long => Cells::Long(Int64::new()),
                Kind::Double => Cells::Double(Float64::new()),
                Kind::Boolean => Cells::Boolean(Boolean::new()),
            },
            mismatch: false,
        };
        Promoted { columns: promote.iter().map(slot).collect(), only }
    }

    /// Puts the attribute of this number in row `row`, over what may be there already. Answers whether it belongs
    /// in the map too.
    #[inline]
    pub fn set(&mut self, number: usize, row: usize, attribute: &KeyValue<'_>) -> bool {
        let Some(slot) = self.columns.get_mut(number) else { return true };
        slot.set(row, &attribute.value) || !self.only
    }

    /// Completes row `row` with NULLs.
    #[inline]
    pub fn close(&mut self, row: usize, odd: &mut Odd) {
        for slot in &mut self.columns {
            if slot.cells.column().len() == row {
                slot.cells.push_null();
            }
            odd.promoted_mismatches += u64::from(std::mem::take(&mut slot.mismatch));
        }
    }

    /// Appends the last row once more.
    #[inline]
    pub fn push_again(&mut self) {
        for slot in &mut self.columns {
            slot.cells.push_again();
        }
    }
}

impl Slot {
    /// Answers whether the value must stay in the map: it does where it is of another kind.
    fn set(&mut self, row: usize, value: &AnyValue<'_>) -> bool {
        self.cells.column().truncate(row);
        match (&mut self.cells, value) {
            (Cells::String(cells), AnyValue::String(text)) => cells.push(text),
            (Cells::Long(cells), AnyValue::Int(value)) => cells.push(*value),
            (Cells::Double(cells), AnyValue::Double(value)) => cells.push(*value),
            (Cells::Boolean(cells), AnyValue::Bool(value)) => cells.push(*value),
            (cells, _) => {
                cells.push_null();
                self.mismatch = true;
                return true;
            }
        }
        self.mismatch = false;
        false
    }
}

impl Cells {
    fn column(&mut self) -> &mut dyn Column {
        match self {
            Cells::String(cells) => cells,
            Cells::Long(cells) => cells,
            Cells::Double(cells) => cells,
            Cells::Boolean(cells) => cells,
        }
    }

    fn push_null(&mut self) {
        match self {
            Cells::String(cells) => cells.push_null(),
            Cells::Long(cells) => cells.push_null(),
            Cells::Double(cells) => cells.push_null(),
            Cells::Boolean(cells) => cells.push_null(),
        }
    }

    fn push_again(&mut self) {
        match self {
            Cells::String(cells) => cells.push_again(),
            Cells::Long(cells) => cells.push_again(),
            Cells::Double(cells) => cells.push_again(),
            Cells::Boolean(cells) => cells.push_again(),
        }
    }
}

impl Columns for Promoted {
    fn columns(&mut self, visit: &mut dyn Visit) {
        for slot in &mut self.columns {
            visit.column(&slot.name, &slot.doc, slot.cells.column());
        }
    }
}
