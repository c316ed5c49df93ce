//! What `configure` gives: the honest plan, and those that cannot be.

use crate::exports::weir::plugin::arrow_to_arrow::{Column, DerivedTable, Plan, RenamedColumn};
use crate::weir::plugin::columns::{DataType, Field, Table};

fn made(name: &str, type_: DataType, children: u32) -> Column {
    Column::Made(vec![Field { name: name.to_owned(), type_, nullable: false, doc: "made".to_owned(), children }])
}

fn table(name: &str, columns: Vec<Column>) -> DerivedTable {
    DerivedTable { name: name.to_owned(), doc: String::new(), source: 0, columns }
}

/// The plan, by what it is told.
pub fn plan(misbehave: &str, tables: &[Table]) -> Result<Plan, String> {
    if tables[0].name != "rows" {
        return Err("it needs a table rows".to_owned());
    }
    let parity = |column| Column::Renamed(RenamedColumn { column, name: "parity".to_owned() });
    let columns = || vec![Column::Kept(0), parity(2), made("length", DataType::Int64, 0), Column::Kept(3)];
    let mut plan = Plan {
        reads: vec![vec![1]],
        tables: vec![table("rows", columns()), table("skipped", vec![Column::Kept(0)])],
    };
    match misbehave {
        "plan: error" => return Err("it needs a column color utf8".to_owned()),
        "plan: no tables" => plan.tables.clear(),
        "plan: no columns" => plan.tables[0].columns.clear(),
        "plan: twice" => plan.tables[1].name = "rows".to_owned(),
        "plan: twins" => plan.tables[0].columns.push(Column::Kept(0)),
        "plan: reads too few" => plan.reads.clear(),
        "plan: reads beyond" => plan.reads = vec![vec![1, 4]],
        "plan: reads fall" => plan.reads = vec![vec![1, 1]],
        "plan: keeps beyond" => plan.tables[0].columns[0] = Column::Kept(4),
        "plan: source beyond" => plan.tables[1].source = 1,
        "plan: children missing" => plan.tables[0].columns[2] = made("length", DataType::List, 1),
        "plan: two in one" => {
            if let Column::Made(fields) = &mut plan.tables[0].columns[2] {
                fields.push(fields[0].clone());
            }
        }
        "plan: no name" => plan.tables[0].columns[1] = Column::Renamed(RenamedColumn { column: 2, name: String::new() }),
        _ => {}
    }
    Ok(plan)
}
