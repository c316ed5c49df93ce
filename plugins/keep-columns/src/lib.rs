//! Keeps, drops and renames columns of a table. No value is looked at: none crosses the sandbox.
//!
//! `keep = ["timestamp", "trace_id"]` leaves these columns alone, in this order; `drop = ["span_kind"]` leaves all
//! others; `rename = ["trace_id=trace"]` comes after both. `table` says which table, where there are several; the others
//! go on as they are.

use weir_sdk::prelude::*;

/// The plugin.
#[derive(Debug)]
pub struct KeepColumns;

impl ArrowToArrow for KeepColumns {
    fn configure(settings: &mut Settings, plan: &mut Plan) -> Result<Self, String> {
        let names: Vec<String> = plan.given().iter().map(|table| table.name.clone()).collect();
        let name = match (settings.text("table")?, names.as_slice()) {
            (Some(name), _) => name,
            (None, [only]) => only.clone(),
            (None, names) => return Err(format!("setting `table` says which of {}", names.join(", "))),
        };
        let table = plan.table(&name)?;
        match (settings.list("keep"), settings.list("drop")) {
            (Some(_), Some(_)) => return Err("settings `keep` and `drop` exclude each other".to_owned()),
            (Some(keep), None) => drop(table.keep_only(&keep)?),
            (None, Some(dropped)) => drop(table.without(&dropped)?),
            (None, None) => {}
        }
        for rename in settings.list("rename").unwrap_or_default() {
            let (from, to) = rename.split_once('=').ok_or_else(|| format!("write `{rename}` as \"old=new\""))?;
            table.rename(from, to)?;
        }
        Ok(KeepColumns)
    }
}

weir_sdk::export!(KeepColumns as ArrowToArrow);

#[cfg(test)]
mod tests;
