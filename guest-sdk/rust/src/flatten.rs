//! What plugins that make rows of OTLP have in common: the settings that choose columns, attributes that have a
//! column of their own, what a resource and a scope give to each row, and the counting of what is valid but odd.
//!
//! The shipped plugins are made of it, so their tables agree on names, types and rules.

mod attributes;
mod choice;
mod odd;
mod origin;
mod promoted;

pub use attributes::AttributeColumns;
pub use choice::{Choice, Kind, Promote};
pub use odd::Odd;
pub use origin::{Origin, ScopeColumns};
pub use promoted::Promoted;

use crate::column::Column;
use crate::plugin::{Columns, Visit};

/// Protobuf does not tell an empty string from a missing one, and OTLP calls an empty name or message unknown:
/// NULL.
#[inline]
pub fn known(text: &[u8]) -> Option<&[u8]> {
    (!text.is_empty()).then_some(text)
}

/// A column if somebody asked for it.
pub fn asked<C: Default>(names: &[String], name: &str) -> Option<C> {
    names.iter().any(|asked| asked == name).then(C::default)
}

/// Shows a column if it is there.
pub fn show<C: Column>(visit: &mut dyn Visit, name: &str, doc: &str, column: &mut Option<C>) {
    if let Some(column) = column {
        visit.column(name, doc, column);
    }
}

/// The names of columns side by side.
pub fn column_names<C: Columns + ?Sized>(columns: &mut C) -> Vec<String> {
    struct Names(Vec<String>);
    impl Visit for Names {
        fn column(&mut self, name: &str, _: &str, _: &mut dyn Column) {
            self.0.push(name.to_owned());
        }
    }
    let mut names = Names(Vec::new());
    columns.columns(&mut names);
    names.0
}

/// Columns that may not be there show nothing then.
impl<C: Columns> Columns for Option<C> {
    fn columns(&mut self, visit: &mut dyn Visit) {
        if let Some(columns) = self {
            columns.columns(visit);
        }
    }
}

impl<C: Columns + ?Sized> Columns for Box<C> {
    fn columns(&mut self, visit: &mut dyn Visit) {
        (**self).columns(visit);
    }
}
