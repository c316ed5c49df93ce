use super::*;
use weir_sdk::testing::{self, Given};

#[derive(Default)]
struct Spans {
    name: Utf8,
    duration_ms: Float64,
}

impl Columns for Spans {
    fn columns(&mut self, visit: &mut dyn Visit) {
        visit.column("name", "", &mut self.name);
        visit.column("duration_ms", "", &mut self.duration_ms);
    }
}

impl Table for Spans {
    fn name(&self) -> &str {
        "spans"
    }
    fn rows(&self) -> usize {
        self.name.len()
    }
}

fn spans() -> Given {
    let mut spans = Spans::default();
    for (name, duration_ms) in
        [("fast", Some(3.0)), ("slow", Some(1000.1)), ("at the limit", Some(1000.0)), ("?", None)]
    {
        spans.name.push(name.as_bytes());
        spans.duration_ms.push_option(duration_ms);
    }
    testing::given(&mut spans)
}

fn rows(settings: &[(&str, &[&str])]) -> Vec<String> {
    let rows = testing::derive::<FlagSlowSpans>(settings, &[spans()]).unwrap();
    let table = rows.table("spans");
    (0..table.len()).map(|row| table.row(row)).collect()
}

#[test]
fn a_span_is_slow_beyond_the_limit_and_all_stay() {
    assert_eq!(
        rows(&[]),
        [
            r#"{"name":"fast","duration_ms":3.0,"is_slow":false}"#,
            r#"{"name":"slow","duration_ms":1000.1,"is_slow":true}"#,
            r#"{"name":"at the limit","duration_ms":1000.0,"is_slow":false}"#,
            r#"{"name":"?","duration_ms":null,"is_slow":false}"#,
        ]
    );
}

#[test]
fn the_limit_can_be_set_and_the_others_can_go() {
    let slow = rows(&[("slower_than_ms", &["2.5"]), ("only", &["true"])]);
    assert_eq!(slow.len(), 3);
    assert!(slow.iter().all(|row| row.ends_with("\"is_slow\":true}")));
}

#[test]
fn other_tables_are_refused_by_what_is_missing() {
    let refused = testing::derive::<FlagSlowSpans>(&[], &[]).unwrap_err();
    assert!(refused.starts_with("there is no table `spans`"), "{refused}");
}
