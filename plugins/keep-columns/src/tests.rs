use super::*;
use weir_sdk::testing::{self, Given};

struct Three(&'static str, Int64, Utf8, Boolean);

impl Columns for Three {
    fn columns(&mut self, visit: &mut dyn Visit) {
        visit.column("a", "", &mut self.1);
        visit.column("b", "", &mut self.2);
        visit.column("c", "", &mut self.3);
    }
}

impl Table for Three {
    fn name(&self) -> &str {
        self.0
    }
    fn rows(&self) -> usize {
        self.3.len()
    }
}

fn table(name: &'static str) -> Given {
    let mut three = Three(name, Int64::new(), Utf8::new(), Boolean::new());
    three.1.push(1);
    three.2.push(b"two");
    three.3.push(true);
    testing::given(&mut three)
}

fn row(settings: &[(&str, &[&str])]) -> String {
    testing::derive::<KeepColumns>(settings, &[table("spans")]).unwrap().table("spans").row(0)
}

#[test]
fn columns_are_kept_dropped_and_renamed() {
    assert_eq!(row(&[]), r#"{"a":1,"b":"two","c":true}"#);
    assert_eq!(row(&[("keep", &["c", "a"])]), r#"{"c":true,"a":1}"#);
    assert_eq!(row(&[("drop", &["a"]), ("rename", &["b=text", "c=flag"])]), r#"{"text":"two","flag":true}"#);
}

#[test]
fn of_several_tables_the_one_that_is_named_changes() {
    let tables = [table("spans"), table("events")];
    let rows = testing::derive::<KeepColumns>(&[("table", &["events"]), ("keep", &["b"])], &tables).unwrap();
    assert_eq!(rows.table("spans").names(), ["a", "b", "c"]);
    assert_eq!(rows.table("events").row(0), r#"{"b":"two"}"#);
    let refused = testing::derive::<KeepColumns>(&[("keep", &["b"])], &tables).unwrap_err();
    assert_eq!(refused, "setting `table` says which of spans, events");
}

#[test]
fn what_is_not_there_is_named() {
    let refused =
        |settings: &[(&str, &[&str])]| testing::derive::<KeepColumns>(settings, &[table("spans")]).unwrap_err();
    assert!(refused(&[("drop", &["d"])]).contains("named `d` (there are: a, b, c)"));
    assert!(refused(&[("keep", &["a"]), ("drop", &["b"])]).contains("exclude each other"));
    assert_eq!(refused(&[("rename", &["a"])]), "write `a` as \"old=new\"");
}
