//! What `configure` gives: the honest table, and those that cannot be.

use crate::weir::plugin::columns::{DataType, Field, Table};

fn field(name: &str, type_: DataType, nullable: bool, children: u32) -> Field {
    Field { name: name.to_owned(), type_, nullable, doc: String::new(), children }
}

fn honest() -> Table {
    let mut fields = vec![
        field("offset", DataType::Int64, false, 0),
        field("text", DataType::Utf8, true, 0),
        field("kind", DataType::Dictionary, false, 1),
        field("values", DataType::Utf8, false, 0),
        field("tags", DataType::Map, true, 1),
        field("entries", DataType::Struct, false, 2),
        field("key", DataType::Dictionary, false, 1),
        field("values", DataType::Utf8, false, 0),
        field("value", DataType::Utf8, true, 0),
    ];
    fields[0].doc = "where the record was".to_owned();
    Table { name: "rows".to_owned(), doc: "one a message".to_owned(), fields }
}

/// The tables, by what it is told.
pub fn tables(misbehave: &str) -> Result<Vec<Table>, String> {
    let one = |fields| Ok(vec![Table { name: "t".to_owned(), doc: String::new(), fields }]);
    match misbehave {
        "configure: trap" => panic!("configure was told to"),
        "configure: loop" => loop {
            std::hint::black_box(0);
        },
        "configure: error" => Err("no such setting: color".to_owned()),
        "configure: no tables" => Ok(vec![]),
        "configure: no columns" => one(vec![]),
        "configure: many tables" => Ok((0..1000).map(|i| Table { name: format!("t{i}"), ..honest() }).collect()),
        "configure: many fields" => {
            one((0..100_000).map(|i| field(&format!("f{i}"), DataType::Utf8, true, 0)).collect())
        }
        "configure: deep" => one((0..500)
            .map(|_| field("deeper", DataType::List, true, 1))
            .chain([field("leaf", DataType::Int32, true, 0)])
            .collect()),
        "configure: twins" => one(vec![field("a", DataType::Utf8, true, 0), field("a", DataType::Int32, true, 0)]),
        "configure: children missing" => one(vec![field("a", DataType::Struct, true, u32::MAX)]),
        _ => Ok(vec![honest()]),
    }
}
