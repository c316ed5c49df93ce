use super::*;
use crate::log;
use crate::prelude::*;
use crate::testing::{self, Given};

/// One column of each kind that can be read.
#[derive(Default)]
struct Every {
    name: Dictionary,
    note: Utf8,
    at: TimestampUtc,
    small: Int32,
    ratio: Float32,
    seconds: Float64,
    is_error: Boolean,
    tags: AttributeMap,
}

impl Columns for Every {
    fn columns(&mut self, visit: &mut dyn Visit) {
        visit.column("tags", "", &mut self.tags);
        visit.column("name", "what it did", &mut self.name);
        visit.column("note", "", &mut self.note);
        visit.column("at", "", &mut self.at);
        visit.column("small", "", &mut self.small);
        visit.column("ratio", "", &mut self.ratio);
        visit.column("seconds", "", &mut self.seconds);
        visit.column("is_error", "", &mut self.is_error);
    }
}

impl Table for Every {
    fn name(&self) -> &str {
        "every"
    }
    fn rows(&self) -> usize {
        self.name.len()
    }
}

fn every() -> Given {
    let mut every = Every::default();
    for row in 0..10_i32 {
        every.tags.push(otlp::Attributes::new(&[], 1), &mut otlp::Oddities::default()).unwrap();
        every.name.push_option((row != 3).then_some(if row % 2 == 0 { &b"even"[..] } else { b"odd" }));
        every.note.push_option((row != 4).then_some(format!("row {row}").as_bytes()));
        every.at.push(i64::from(row) * 1_000_000);
        every.small.push_option((row != 5).then_some(-row));
        every.ratio.push(row as f32 / 2.0);
        every.seconds.push_option((row != 6).then_some(f64::from(row) / 4.0));
        every.is_error.push_option((row != 7).then_some(row > 7));
    }
    testing::given(&mut every)
}

/// Reads everything into one text.
struct Reader {
    name: Texts,
    note: Texts,
    at: Ints,
    small: Ints,
    ratio: Floats,
    seconds: Floats,
    is_error: Bools,
    text: Utf8,
}

impl ArrowToArrow for Reader {
    fn configure(_: &mut Settings, plan: &mut Plan) -> Result<Self, String> {
        plan.table("every")?.keep_only(&["at"])?.rename("at", "timestamp")?;
        Ok(Reader {
            // In another order than they are in.
            is_error: plan.bools("every", "is_error")?,
            seconds: plan.floats("every", "seconds")?,
            name: plan.texts("every", "name")?,
            note: plan.texts("every", "note")?,
            at: plan.ints("every", "at")?,
            small: plan.ints("every", "small")?,
            ratio: plan.floats("every", "ratio")?,
            text: Utf8::required(),
        })
    }

    fn columns(&mut self, _: &str, visit: &mut dyn Visit) {
        visit.column("text", "", &mut self.text);
    }

    fn transform(&mut self, rows: &Rows<'_>, _: &mut Choice) -> Result<(), String> {
        let (name, note) = (rows.texts(self.name), rows.texts(self.note));
        let (at, small) = (rows.ints(self.at), rows.ints(self.small));
        let (ratio, seconds, is_error) =
            (rows.floats(self.ratio), rows.floats(self.seconds), rows.bools(self.is_error));
        assert_eq!((rows.len("every"), rows.is_empty("no such"), name.len(), name.get(10)), (10, true, 10, None));
        for row in 0..rows.len("every") {
            let text = |value: Option<&[u8]>| value.map(|text| String::from_utf8_lossy(text).into_owned());
            let all = (text(name.get(row)), text(note.get(row)), at.get(row), small.get(row), ratio.get(row));
            self.text.push(format!("{all:?} {:?} {:?}", seconds.get(row), is_error.get(row)).as_bytes());
        }
        Ok(())
    }
}

#[test]
fn every_kind_of_column_is_read_row_by_row() {
    let rows = testing::derive::<Reader>(&[], &[every()]).unwrap();
    let table = rows.table("every");
    assert_eq!(table.names(), ["timestamp", "text"]);
    let text = |row: usize| table.cell(row, "text").text().unwrap().to_owned();
    assert_eq!(text(0), r#"(Some("even"), Some("row 0"), Some(0), Some(0), Some(0.0)) Some(0.0) Some(false)"#);
    assert_eq!(text(3), r#"(None, Some("row 3"), Some(3000000), Some(-3), Some(1.5)) Some(0.75) Some(false)"#);
    assert_eq!(text(4), r#"(Some("even"), None, Some(4000000), Some(-4), Some(2.0)) Some(1.0) Some(false)"#);
    assert_eq!(text(5), r#"(Some("odd"), Some("row 5"), Some(5000000), None, Some(2.5)) Some(1.25) Some(false)"#);
    assert_eq!(text(6), r#"(Some("even"), Some("row 6"), Some(6000000), Some(-6), Some(3.0)) None Some(false)"#);
    assert_eq!(text(7), r#"(Some("odd"), Some("row 7"), Some(7000000), Some(-7), Some(3.5)) Some(1.75) None"#);
    assert_eq!(text(8), r#"(Some("even"), Some("row 8"), Some(8000000), Some(-8), Some(4.0)) Some(2.0) Some(true)"#);
    assert_eq!(table.cell(9, "timestamp"), &testing::Cell::Int(9_000_000));
}

/// Sends odd rows to a table of their own, numbers the even ones, and refuses what it is told.
struct Splitter {
    name: Texts,
    number: Int64,
    refuse: usize,
}

impl ArrowToArrow for Splitter {
    fn configure(settings: &mut Settings, plan: &mut Plan) -> Result<Self, String> {
        plan.copy("every", "odd")?.keep_only(&["at", "name"])?;
        plan.table("every")?.without(&["tags"])?.call("even", "the others");
        let refuse = settings.number("refuse", usize::MAX)?;
        Ok(Splitter { name: plan.texts("every", "name")?, number: Int64::required(), refuse })
    }

    fn columns(&mut self, table: &str, visit: &mut dyn Visit) {
        if table == "even" {
            // It takes the place of the one that is there.
            visit.column("small", "numbered", &mut self.number);
        }
    }

    fn transform(&mut self, rows: &Rows<'_>, choice: &mut Choice) -> Result<(), String> {
        let name = rows.texts(self.name);
        choice.keep("odd", |row| name.get(row) == Some(b"odd"));
        choice.keep("even", |row| name.get(row) == Some(b"even"));
        (0..choice.rows("even").len()).for_each(|at| self.number.push(at as i64));
        choice.count("odd_rows", choice.rows("odd").len() as u64);
        if self.refuse < rows.len("every") {
            choice.refuse("every", self.refuse, "told to");
        }
        Ok(())
    }
}

#[test]
fn rows_are_split_between_tables_and_a_column_is_replaced() {
    let rows = testing::derive::<Splitter>(&[("refuse", &["4"])], &[every()]).unwrap();
    let (odd, even) = (rows.table("odd"), rows.table("even"));
    assert_eq!((odd.len(), even.len(), rows.counter("odd_rows")), (4, 5, 4));
    assert_eq!(odd.names(), ["at", "name"]);
    assert_eq!(even.names(), ["name", "note", "at", "ratio", "seconds", "is_error", "small"]);
    assert_eq!(odd.row(0), r#"{"at":1000000,"name":"odd"}"#);
    assert_eq!(even.cell(4, "small"), &testing::Cell::Int(4));
    assert_eq!(even.cell(4, "note"), &testing::Cell::from("row 8"));
    assert_eq!((rows.rejections[0].index, rows.rejections[0].reason.as_str()), (4, "told to"));
}

/// Does what its setting says, wrongly.
struct Wrong(String, Int64);

impl ArrowToArrow for Wrong {
    fn configure(settings: &mut Settings, plan: &mut Plan) -> Result<Self, String> {
        let what = settings.text("what")?.unwrap_or_default();
        match what.as_str() {
            "table" => drop(plan.texts("spans", "name")?),
            "column" => drop(plan.texts("every", "nam")?),
            "type" => drop(plan.ints("every", "name")?),
            "keep" => drop(plan.table("every")?.keep_only(&["color"])?),
            "rename" => drop(plan.table("every")?.rename("color", "colour")?),
            "drop" => plan.drop_table("spans")?,
            _ => {}
        }
        Ok(Wrong(what, Int64::required()))
    }

    fn columns(&mut self, _: &str, visit: &mut dyn Visit) {
        visit.column("one", "", &mut self.1);
    }

    fn transform(&mut self, rows: &Rows<'_>, choice: &mut Choice) -> Result<(), String> {
        match self.0.as_str() {
            "length" => self.1.push(1),
            "null" => (0..rows.len("every")).for_each(|_| self.1.push_null()),
            "chooses" => choice.keep("spans", |_| true),
            "refuses" => choice.refuse("spans", 0, ""),
            "fails" => return Err("it fails".to_owned()),
            _ => (0..rows.len("every")).for_each(|_| self.1.push(1)),
        }
        Ok(())
    }
}

#[test]
fn what_does_not_fit_is_named() {
    for (what, says) in [
        ("table", "there is no table `spans` (there are: every)"),
        ("column", "there is no column of text in table `every`, named `nam` (there are: tags, name, note, at, small"),
        ("type", "it needs a column of integers, and `name` of table `every` is Dictionary"),
        ("keep", "there is no column in table `every`, named `color`"),
        ("rename", "there is no column in table `every`, named `color`"),
        ("drop", "there is no table `spans` (there are: every)"),
        ("length", "column `every.one` has 1 values, not 10"),
        ("null", "column `every.one` is required and has 10 nulls"),
        ("chooses", "it chooses rows of `spans`, which is no table of its plan"),
        ("refuses", "it refuses a row of `spans`, which is no table that is given"),
        ("fails", "it fails"),
    ] {
        let error = testing::derive::<Wrong>(&[("what", &[what])], &[every()]).unwrap_err();
        assert!(error.starts_with(says), "{what}: {error}");
    }
    let unknown = testing::derive::<Wrong>(&[("wath", &["x"])], &[every()]).unwrap_err();
    assert!(unknown.contains("did you mean `what`?"), "{unknown}");
    drop(log::captured());
}

#[test]
fn an_instance_works_on_after_a_batch_that_it_could_not_do() {
    let (mut deriver, planned) = Deriver::<Fails>::configure(Vec::new(), vec![every().schema]).unwrap();
    let batch = |rows| RecordBatch { rows, ..RecordBatch::default() };
    assert_eq!(planned.reads, [Vec::<u32>::new()]);
    assert_eq!(deriver.transform(&[batch(3)]).unwrap_err(), "not three");
    let output = deriver.transform(&[batch(2)]).unwrap();
    assert_eq!((output.tables[0].made.rows, output.tables[0].made.buffers[1].len()), (2, 16));
    assert_eq!(output.tables[0].rows, None);
}

/// Appends, then fails for three rows.
struct Fails(Int64);

impl ArrowToArrow for Fails {
    fn configure(_: &mut Settings, _: &mut Plan) -> Result<Self, String> {
        Ok(Fails(Int64::new()))
    }

    fn columns(&mut self, _: &str, visit: &mut dyn Visit) {
        visit.column("one", "", &mut self.0);
    }

    fn transform(&mut self, rows: &Rows<'_>, _: &mut Choice) -> Result<(), String> {
        (0..rows.len("every")).for_each(|_| self.0.push(1));
        if rows.len("every") == 3 { Err("not three".to_owned()) } else { Ok(()) }
    }
}
