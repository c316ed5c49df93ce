//! A plugin of the world `arrow-to-arrow`, behind the hostile one, that misbehaves as its settings tell it: `misbehave`
//! says how, `only` restricts that to calls with a row of this text.
//!
//! When it is honest it reads the column `text` alone. Its table `rows` has the rows before it but those whose text is
//! `skip`; of `kind` it makes `parity`, and of `text` its `length`. The table `skipped` has the others' offsets. A record
//! with a row `refuse` is refused.

mod plans;

use std::cell::RefCell;
use std::hint::black_box;

wit_bindgen::generate!({ path: "../../../wit", world: "arrow-to-arrow-plugin" });

use exports::weir::plugin::arrow_to_arrow::{DerivedRows, Guest, Output, Plan, RefusedRow, Selection};
use weir::plugin::columns::{Node, RecordBatch, Table};
use weir::plugin::settings::Setting;
use weir::plugin::{counters, log};

thread_local! {
    static TOLD: RefCell<(String, Option<String>)> = RefCell::default();
}

struct Hostile;

export!(Hostile);

impl Guest for Hostile {
    fn configure(settings: Vec<Setting>, tables: Vec<Table>) -> Result<Plan, String> {
        std::panic::set_hook(Box::new(|panic| log::write(log::Level::Error, &panic.to_string())));
        let value = |key: &str| settings.iter().find(|s| s.key == key).and_then(|s| s.values.first()).cloned();
        let misbehave = value("misbehave").unwrap_or_default();
        let plan = plans::plan(&misbehave, &tables);
        TOLD.set((misbehave, value("only")));
        plan
    }

    fn transform(tables: Vec<RecordBatch>) -> Result<Output, String> {
        let texts = texts(&tables[0]);
        let misbehave = TOLD.with_borrow(|(misbehave, only)| {
            let met = only.as_ref().is_none_or(|only| texts.iter().any(|text| *text == only.as_bytes()));
            if met { misbehave.clone() } else { String::new() }
        });
        counters::add("rows", texts.len() as u64);
        let mut output = honest(&texts);
        match misbehave.as_str() {
            "panic" => panic!("told to by {} rows", texts.len()),
            "loop" => loop {
                black_box(0);
            },
            "eat memory" => loop {
                std::mem::forget(black_box(vec![1_u8; 1 << 20]));
            },
            "huge" => output.tables[0].made.buffers.push(vec![7; 8 << 20]),
            "error" => return Err("these rows are not to its liking".to_owned()),
            lie => tell(lie, &mut output),
        }
        Ok(output)
    }
}

/// The values of the one column that is read.
fn texts(rows: &RecordBatch) -> Vec<&[u8]> {
    let offset = |at: usize| i32::from_le_bytes(rows.buffers[1][at * 4..at * 4 + 4].try_into().unwrap()) as usize;
    (0..rows.rows as usize).map(|at| &rows.buffers[2][offset(at)..offset(at + 1)]).collect()
}

fn honest(texts: &[&[u8]]) -> Output {
    let rows = |is_skipped: bool| {
        (0_u32..).zip(texts).filter(|(_, text)| (**text == b"skip") == is_skipped).map(|(at, _)| at).collect::<Vec<_>>()
    };
    let (kept, skipped) = (rows(false), rows(true));
    let lengths: Vec<u8> = kept.iter().flat_map(|at| (texts[*at as usize].len() as i64).to_le_bytes()).collect();
    let made = RecordBatch {
        rows: kept.len() as u32,
        nodes: vec![Node { length: kept.len() as u32, null_count: 0 }],
        buffers: vec![vec![], lengths],
    };
    let nothing = RecordBatch { rows: skipped.len() as u32, nodes: vec![], buffers: vec![] };
    let selection = if skipped.is_empty() { Selection::All } else { Selection::Rows(kept) };
    let refused = (0_u32..).zip(texts).filter(|(_, text)| **text == b"refuse");
    Output {
        tables: vec![
            DerivedRows { selection, made },
            DerivedRows { selection: Selection::Rows(skipped), made: nothing },
        ],
        refused: refused.map(|(row, _)| RefusedRow { table: 0, row, reason: format!("row {row} says so") }).collect(),
    }
}

fn tell(lie: &str, output: &mut Output) {
    let first = &mut output.tables[0];
    match lie {
        "no tables" => output.tables.clear(),
        "rows fall" => first.selection = Selection::Rows(vec![1, 0]),
        "row twice" => first.selection = Selection::Rows(vec![0, 0]),
        "row beyond" => first.selection = Selection::Rows(vec![0, 1_000_000]),
        "made short" => first.made.rows -= 1,
        "made values short" => drop(first.made.buffers[1].pop()),
        "made nulls" => {
            first.made.nodes[0].null_count = 1;
            first.made.buffers[0] = vec![0b10; 16];
        }
        "node missing" => first.made.nodes.clear(),
        "made where none is" => output.tables[1].made.buffers.push(vec![]),
        "refuse beyond" => output.refused = vec![RefusedRow { table: 0, row: 77, reason: String::new() }],
        "refuse elsewhere" => output.refused = vec![RefusedRow { table: 9, row: 0, reason: String::new() }],
        _ => {}
    }
}
