use super::*;
use crate::output::{DataType, Field, Node, RecordBatch, TableRows};

/// One column of one row, as laid out here.
fn read(data_type: DataType, node: Node, buffers: Vec<Vec<u8>>) -> Result<Rows, String> {
    let field = Field { name: "c".to_owned(), data_type, nullable: true, doc: String::new(), children: 0 };
    let schema = TableSchema { name: "t".to_owned(), doc: String::new(), fields: vec![field] };
    let rows = RecordBatch { rows: 1, nodes: vec![node], buffers };
    Rows::read(&[schema], &Output { tables: vec![TableRows { rows, rows_per_message: vec![1] }], rejections: vec![] })
}

#[test]
fn columns_that_break_the_contract_are_named() {
    let one = Node { length: 1, null_count: 0 };
    let int = |buffers| read(DataType::Int32, one, buffers).unwrap_err();
    assert_eq!(int(vec![vec![], vec![0; 3]]), "`c`: 0 values, not 1");
    assert_eq!(int(vec![vec![]]), "`c`: no buffer");
    assert_eq!(int(vec![vec![], vec![0; 4], vec![]]), "0 nodes and 1 buffers too many");
    let null = Node { length: 1, null_count: 1 };
    let wrong = read(DataType::Int32, null, vec![vec![1], vec![0; 4]]).unwrap_err();
    assert_eq!(wrong, "`c`: 0 nulls, not 1");
    let text = |offsets: Vec<u8>| read(DataType::Utf8, one, vec![vec![], offsets, b"ab".to_vec()]);
    assert!(text([0u32, 3].map(u32::to_le_bytes).concat()).unwrap_err().contains("the bytes end before 3"));
    assert!(text([1u32, 2].map(u32::to_le_bytes).concat()).unwrap_err().contains("offsets that do not rise from 0"));
    assert_eq!(text([0u32, 2].map(u32::to_le_bytes).concat()).unwrap().table("t").row(0), r#"{"c":"ab"}"#);
}

#[test]
fn text_that_is_not_utf8_is_read_with_replacements() {
    let offsets = [0u32, 2].map(u32::to_le_bytes).concat();
    let rows =
        read(DataType::Utf8, Node { length: 1, null_count: 0 }, vec![vec![], offsets, vec![b'a', 0xff]]).unwrap();
    assert_eq!(rows.table("t").cell(0, "c").text(), Some("a\u{fffd}"));
}
