use super::*;
use crate::column::{Dictionary, Int64, List, Utf8};
use crate::otlp;
use crate::testing::{self, Rows};

/// Writes the names of spans, a second table of their kinds, and misbehaves on request.
#[derive(Default)]
struct Names {
    names: Utf8,
    lens: Int64,
    skewed: bool,
    kinds: Kinds,
}

#[derive(Default)]
struct Kinds(Dictionary);

struct Plugin(Names);

impl crate::Columns for Names {
    fn columns(&mut self, visit: &mut dyn Visit) {
        visit.column("name", "the name", &mut self.names);
        visit.column("len", "", &mut self.lens);
    }
}

impl crate::Table for Names {
    fn name(&self) -> &str {
        "names"
    }
    fn rows(&self) -> usize {
        self.lens.len()
    }
}

impl crate::Columns for Kinds {
    fn columns(&mut self, visit: &mut dyn Visit) {
        visit.column("kind", "", &mut self.0);
    }
}

impl crate::Table for Kinds {
    fn name(&self) -> &str {
        "kinds"
    }
    fn rows(&self) -> usize {
        self.0.len()
    }
}

impl OtlpToArrow for Plugin {
    fn configure(settings: &mut Settings) -> Result<Self, String> {
        Ok(Plugin(Names { skewed: settings.flag("skewed", false)?, ..Names::default() }))
    }

    fn tables(&mut self, each: &mut dyn FnMut(&mut dyn crate::Table)) {
        each(&mut self.0);
        each(&mut self.0.kinds);
    }

    fn transform(&mut self, message: &Message, context: &mut Context<'_>) -> Result<(), Refusal> {
        for resource in otlp::traces(&message.value) {
            for scope in resource?.scopes {
                for span in scope?.items {
                    let span = span?;
                    context.count("spans", 1);
                    self.0.names.push(span.name);
                    if span.name == b"refuse" {
                        return Err(Refusal::new("it asked for it"));
                    }
                    if !self.0.skewed {
                        self.0.lens.push(span.name.len() as i64);
                    }
                    self.0.kinds.0.push(if span.kind == 2 { b"server" } else { b"other" });
                }
            }
        }
        Ok(())
    }
}

/// A value with spans of these names.
fn value(names: &[&str]) -> Vec<u8> {
    let wrap = |number: u8, inner: Vec<u8>| [vec![number << 3 | 2, inner.len() as u8], inner].concat();
    let spans = names.iter().flat_map(|name| wrap(2, wrap(5, name.as_bytes().to_vec()))).collect();
    wrap(1, wrap(2, spans))
}

fn run(values: Vec<Vec<u8>>) -> Rows {
    testing::run::<Plugin>(&[], testing::traces(values)).unwrap()
}

fn names(rows: &Rows) -> Vec<&str> {
    rows.table("names").column("name").iter().filter_map(|cell| cell.text()).collect()
}

#[test]
fn a_refused_record_leaves_no_row_and_no_count_and_its_neighbours_are_untouched() {
    let mut truncated = value(&["a", "b"]);
    truncated.push(0x0a);
    let rows = run(vec![value(&["x"]), value(&["a", "refuse"]), value(&[]), truncated, value(&["y", "z"])]);
    assert_eq!(names(&rows), ["x", "y", "z"]);
    assert_eq!(rows.table("names").rows_per_message, [1, 0, 0, 0, 2]);
    assert_eq!(rows.table("kinds").rows_per_message, [1, 0, 0, 0, 2]);
    assert_eq!(rows.counter("spans"), 3);
    let refused: Vec<_> = rows.rejections.iter().map(|one| (one.index, one.reason.as_str())).collect();
    let malformed = "not OTLP protobuf: the message ends within a field at byte 15 of 15";
    assert_eq!(refused, [(1, "it asked for it"), (3, malformed)]);
}

#[test]
fn a_record_with_a_resource_in_pieces_is_merged_and_read() {
    // ResourceSpans { resource: {}, scope_spans: [{ spans: [{ name: "a" }] }], resource: {} }
    let value = vec![0x0a, 11, 0x0a, 0, 0x12, 5, 0x12, 3, 0x2a, 1, b'a', 0x0a, 0];
    let rows = run(vec![value.clone(), value]);
    assert_eq!(names(&rows), ["a", "a"]);
    assert_eq!(rows.counter("spans"), 2);
}

#[test]
fn an_instance_gives_each_batch_its_own_rows() {
    let (mut instance, schemas) = Instance::<Plugin>::configure(vec![]).unwrap();
    for name in ["a", "b"] {
        let output = instance.transform(&testing::traces([value(&[name])])).unwrap();
        assert_eq!(names(&Rows::read(&schemas, &output).unwrap()), [name]);
    }
    let output = instance.transform(&testing::traces([])).unwrap();
    assert_eq!(Rows::read(&schemas, &output).unwrap().table("names").len(), 0);
}

#[test]
fn a_schema_lists_every_table_with_names_docs_and_children() {
    let schemas = Instance::<Plugin>::configure(vec![]).unwrap().1;
    let fields: Vec<_> = schemas.iter().flat_map(|table| &table.fields).collect();
    let short: Vec<_> = fields.iter().map(|field| (field.name.as_str(), field.data_type, field.children)).collect();
    let expected = [
        ("name", crate::DataType::Utf8, 0),
        ("len", crate::DataType::Int64, 0),
        ("kind", crate::DataType::Dictionary, 1),
        ("values", crate::DataType::Utf8, 0),
    ];
    assert_eq!(short, expected);
    assert_eq!((fields[0].doc.as_str(), fields[0].nullable, fields[3].nullable), ("the name", true, false));
}

#[test]
fn an_unknown_setting_stops_the_pipeline() {
    let refused = Instance::<Plugin>::configure(testing::settings(&[("skewd", &["true"])])).err().unwrap();
    assert_eq!(refused, "unknown setting `skewd`; did you mean `skewed`? (there are: skewed)");
}

#[test]
fn columns_of_different_lengths_are_an_error_that_names_one_and_the_instance_lives_on() {
    let (mut instance, _) = Instance::<Plugin>::configure(testing::settings(&[("skewed", &["true"])])).unwrap();
    let refused = instance.transform(&testing::traces([value(&["a"])])).unwrap_err();
    assert_eq!(refused, "column `names.name` has 1 values, not 0");
    assert!(instance.transform(&testing::traces([value(&[])])).is_ok());
}

#[test]
fn a_null_in_a_required_column_and_a_list_left_open_are_errors() {
    let fault = |column: &mut dyn Column| {
        let mut fault = None;
        let expected = Some(column.len());
        Take { into: &mut RecordBatch::default(), parent: "t", expected, fault: &mut fault }.column("c", "", column);
        fault.unwrap()
    };
    let mut required = Int64::required();
    required.push_null();
    assert_eq!(fault(&mut required), "column `t.c` is required and has 1 nulls");
    let mut list = List::new(Int64::new());
    list.items.push(1);
    assert_eq!(fault(&mut list), "column `t.c.element` has 1 values, not 0");
}
