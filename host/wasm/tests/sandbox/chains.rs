//! Chains of plugins: what goes through, who is blamed, and what nobody can slip past.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use weir_pipeline::batch::{Batch, Generation, Record, TopicPartition};
use weir_pipeline::event::Held;
use weir_pipeline::transform::{Effort, Output, Stage};
use weir_pipeline::work::{Applied, Codec, Known, Worker};
use weir_wasm::{ChainError, Link, Plugin, PluginError, Signal, WasmStage};

use crate::kit::{call, call_with, limits, otlp_plugin, plugin, rows_plugin, to_settings};

fn link(plugin: &Plugin, settings: &[(&str, &str)]) -> Link {
    Link { plugin: plugin.clone(), settings: to_settings(settings), limits: limits() }
}

/// The three hostile plugins, each of which misbehaves in its own way in calls with `bad`.
struct Three {
    otlp: Plugin,
    maker: Plugin,
    rows: Plugin,
}

impl Three {
    fn new() -> Self {
        Self { otlp: otlp_plugin(), maker: plugin(), rows: rows_plugin() }
    }

    fn chain(&self, otlp: &str, maker: &str, rows: &str) -> WasmStage {
        let so = |plugin: &Plugin, misbehave| link(plugin, &[("misbehave", misbehave), ("only", "bad")]);
        let links = vec![so(&self.otlp, otlp), so(&self.maker, maker), so(&self.rows, rows)];
        WasmStage::chain(Signal::Traces, links).expect("a chain")
    }
}

fn honest() -> WasmStage {
    Three::new().chain("", "", "")
}

fn refused(links: Vec<Link>) -> ChainError {
    WasmStage::chain(Signal::Traces, links).unwrap_err()
}

fn offsets(output: &Output, table: usize) -> Vec<i64> {
    let column = output.tables[table].rows.column_by_name("offset").expect("offset");
    column.as_primitive::<Int64Type>().values().to_vec()
}

fn rejections(output: &Output) -> Vec<(u32, &str)> {
    output.rejections.iter().map(|r| (r.index, r.reason.as_str())).collect()
}

/// Holds that the chain works, to the last value, whatever was before.
fn assert_works(stage: &mut WasmStage) {
    let output =
        call(stage, &["one", "change:three", "no", "skip", "reject", "change:", "refuse", "change:skip"]).unwrap();
    let [rows, skipped] = &output.tables[..] else { panic!("two tables") };
    assert_eq!(offsets(&output, 0), [7, 8, 12]);
    assert_eq!(rows.rows_per_message, [1, 1, 0, 0, 0, 1, 0, 0]);
    assert_eq!(offsets(&output, 1), [10, 14]);
    assert_eq!(skipped.rows_per_message, [0, 0, 0, 1, 0, 0, 0, 1]);
    let lengths = rows.rows.column_by_name("length").unwrap().as_primitive::<Int64Type>();
    assert_eq!(lengths.values(), &[3, 5, 0]);
    let parity = rows.rows.column_by_name("parity").unwrap().as_dictionary::<arrow_array::types::Int32Type>();
    let parity: Vec<_> = parity.downcast_dict::<arrow_array::StringArray>().unwrap().into_iter().collect();
    assert_eq!(parity, [Some("odd"), Some("even"), Some("even")]);
    assert_eq!(rows.rows.column_by_name("tags").unwrap().as_map().value_length(1), 1);
    assert_eq!(
        rejections(&output),
        [
            (2, "plugin hostile-otlp: it says no"),
            (4, "plugin hostile: it says so"),
            (6, "plugin hostile-rows: row 4 says so")
        ]
    );
}

#[test]
fn what_each_plugin_does_arrives_and_each_row_is_of_its_record() {
    let mut stage = honest();
    assert_works(&mut stage);
    assert_eq!(stage.tables().iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["rows", "skipped"]);
    let columns = |table: usize| {
        stage.tables()[table].schema.fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!((columns(0).as_str(), columns(1).as_str()), ("offset parity length tags", "offset"));
    let docs = |name: &str| stage.tables()[0].schema.field_with_name(name).unwrap().metadata()["doc"].clone();
    assert_eq!((docs("offset"), docs("length")), ("where the record was".to_owned(), "made".to_owned()));
}

/// A plugin's own digest, without that of its settings.
fn component(digest: Option<&str>) -> Option<&str> {
    digest?.split_once('+').map(|(component, _)| component)
}

#[test]
fn a_record_that_is_refused_names_the_plugin_by_its_digest() {
    let three = Three::new();
    let output = call(&mut three.chain("", "", ""), &["no", "reject", "refuse"]).unwrap();
    let digests: Vec<_> = output.rejections.iter().map(|r| component(r.plugin.as_deref()).unwrap()).collect();
    assert_eq!(digests, [three.otlp.digest(), three.maker.digest(), three.rows.digest()]);
}

#[test]
fn a_plugin_that_gets_nothing_is_not_called() {
    let three = Three::new();
    let output = call(&mut three.chain("", "", ""), &["no", "no"]).unwrap();
    assert_eq!((output.rejections.len(), output.tables.len()), (2, 2));
    assert!(output.tables.iter().all(|t| t.rows.num_rows() == 0 && t.rows_per_message == [0, 0]));
    call(&mut three.chain("", "", ""), &["reject"]).unwrap();
    assert_eq!((three.otlp.usage().calls, three.maker.usage().calls, three.rows.usage().calls), (2, 1, 0));
}

#[test]
fn only_the_columns_that_a_plugin_reads_reach_it() {
    let three = Three::new();
    let output = call(&mut three.chain("", "", ""), &["ab", "c"]).unwrap();
    assert_eq!(output.tables[0].rows.num_rows(), 2);
    // Three offsets of four bytes, three bytes of text, and a byte that says which are there.
    let given = three.rows.usage().bytes_in;
    assert!(given <= 16, "{given} bytes");
    assert!(three.maker.usage().bytes_out > 100);
    assert_eq!((three.maker.usage().rows_out, three.rows.usage().rows_out), (2, 2));
}

#[test]
fn a_failure_names_plugin_and_step_and_the_chain_works_on() {
    for (misbehave, kind, says) in [
        (["panic", "", ""], "trap", "plugin hostile-otlp, step 1 of 3, transform of 2 records from topic/3@7 to @8: "),
        (
            ["loop", "", ""],
            "deadline",
            "plugin hostile-otlp, step 1 of 3, transform of 2 records from topic/3@7 to @8: ",
        ),
        (["error", "", ""], "failed", "this batch is not to its liking"),
        (["huge", "", ""], "output", "plugin hostile-otlp, step 1 of 3, transform of 2 records from topic/3@7 to @8: "),
        (["too few", "", ""], "invalid", "it gave 1 outcomes, and there were 2 messages"),
        (["too many", "", ""], "invalid", "it gave 3 outcomes, and there were 2 messages"),
        (["", "panic", ""], "trap", "plugin hostile, step 2 of 3, transform of 2 records from topic/3@7 to @8: "),
        (
            ["", "wrong counts", ""],
            "invalid",
            "plugin hostile, step 2 of 3, transform of 2 records from topic/3@7 to @8: table rows",
        ),
        (["", "", "panic"], "trap", "told to by 2 rows"),
        (
            ["", "", "loop"],
            "deadline",
            "plugin hostile-rows, step 3 of 3, transform of 2 records from topic/3@7 to @8: ",
        ),
        (
            ["", "", "eat memory"],
            "memory",
            "plugin hostile-rows, step 3 of 3, transform of 2 records from topic/3@7 to @8: ",
        ),
        (["", "", "huge"], "output", "plugin hostile-rows, step 3 of 3, transform of 2 records from topic/3@7 to @8: "),
        (["", "", "error"], "failed", "these rows are not to its liking"),
    ] {
        let three = Three::new();
        let mut stage = three.chain(misbehave[0], misbehave[1], misbehave[2]);
        let failure = call(&mut stage, &["good", "bad"]).expect_err(says);
        assert_eq!(failure.kind(), kind, "{misbehave:?}: {failure}");
        assert!(failure.to_string().contains(says), "{misbehave:?}: {failure}");
        let at = misbehave.iter().position(|m| !m.is_empty()).unwrap();
        let culprit = [&three.otlp, &three.maker, &three.rows][at];
        assert_eq!(component(stage.failed_plugin().as_deref()), Some(culprit.digest()), "{misbehave:?}");
        assert_works(&mut stage);
    }
}

#[test]
fn a_lie_about_rows_is_refused_and_named() {
    for (lie, says) in [
        ("no tables", "it gave 0 tables, and configure named 2"),
        ("rows fall", "table rows: it selected row 0 after row 1"),
        ("row twice", "table rows: it selected row 0 after row 0"),
        ("row beyond", "table rows: it selected row 1000000, and its source has 2"),
        ("made short", "table rows: it made columns of 1 rows, and 2 are selected"),
        ("made values short", "table rows: column length: its values have 15 bytes, not 16"),
        ("made nulls", "table rows: column length: it has 1 nulls and may have none"),
        ("node missing", "table rows: it has 0 nodes, and its schema has 1"),
        ("made where none is", "table skipped: it has 1 buffers, and its schema needs 0"),
        ("refuse beyond", "table rows: it refused row 77, and there are 2"),
        ("refuse elsewhere", "it refused a row of table 9, and there are 1"),
    ] {
        let mut stage = Three::new().chain("", "", lie);
        let failure = call(&mut stage, &["good", "bad"]).expect_err(lie);
        assert_eq!(failure.kind(), "invalid", "{lie}: {failure}");
        assert!(failure.to_string().contains(says), "{lie}: {failure}");
        assert_works(&mut stage);
    }
}

#[test]
fn what_a_chain_counted_counts_once_however_often_a_later_plugin_fails() {
    let three = Three::new();
    let mut stage = three.chain("", "", "panic");
    call(&mut stage, &["good", "bad"]).unwrap_err();
    assert_eq!(three.otlp.usage().counters.get("messages"), None);
    assert_eq!(three.maker.usage().rows_out, 0);
    call(&mut stage, &["good"]).unwrap();
    assert_eq!(three.otlp.usage().counters["messages"], 1);
    assert_eq!(three.rows.usage().counters["rows"], 1);
    assert_eq!(three.maker.usage().rows_out, 1);
}

#[test]
fn a_fresh_call_is_fresh_in_every_plugin() {
    let three = Three::new();
    let mut stage = three.chain("", "", "");
    call(&mut stage, &["a"]).unwrap();
    call_with(&mut stage, &[b"b"], Effort::Fresh).unwrap();
    call(&mut stage, &["c"]).unwrap();
    let instances = [&three.otlp, &three.maker, &three.rows].map(|plugin| plugin.usage().instances);
    assert_eq!(instances, [2, 2, 2]);
}

#[test]
fn a_plan_that_cannot_be_is_refused_beside_the_tables_that_were_given() {
    for (misbehave, says) in [
        ("plan: no tables", "there is no table"),
        ("plan: no columns", "table rows: it has no column"),
        ("plan: twice", "two tables are called rows"),
        ("plan: twins", "table rows: two fields beside each other are called offset"),
        ("plan: reads too few", "it reads columns of 0 tables, and there are 1"),
        ("plan: reads beyond", "table rows: it reads column 4, and there are 4"),
        ("plan: reads fall", "table rows: it reads column 1 after column 1"),
        ("plan: keeps beyond", "table rows: it keeps column 4, and there are 4"),
        ("plan: source beyond", "table skipped: it comes from table 1, and there are 1"),
        ("plan: children missing", "table rows: field length: it has 1 children, and 0 fields follow"),
        ("plan: two in one", "table rows: field length is of no column"),
        ("plan: no name", "table rows: it has no name"),
    ] {
        let broken = refused(vec![link(&plugin(), &[]), link(&rows_plugin(), &[("misbehave", misbehave)])]);
        assert!(matches!(broken.error, PluginError::Schema { .. }), "{misbehave}: {broken}");
        assert!(broken.to_string().contains(says), "{misbehave}: {broken}");
        assert_eq!(broken.link, 1);
    }
}

#[test]
fn a_plugin_that_refuses_the_tables_before_it_is_shown_beside_them() {
    let broken = refused(vec![link(&plugin(), &[]), link(&rows_plugin(), &[("misbehave", "plan: error")])]);
    assert_eq!(
        broken.to_string(),
        "plugin hostile-rows refuses its settings, or the tables that it is given: it needs a column color utf8"
    );
    assert_eq!(
        broken.given.unwrap(),
        "hostile gives rows(offset int64 not null, text utf8, kind dictionary<utf8> not null, \
         tags map<dictionary<utf8>, utf8>)"
    );
    let broken = refused(vec![link(&otlp_plugin(), &[("misbehave", "configure: error")]), link(&plugin(), &[])]);
    assert_eq!((broken.link, broken.given.is_none()), (0, true));
    assert!(broken.to_string().contains("no such setting: color"), "{broken}");
}

#[test]
fn a_plugin_of_rows_works_behind_another_one() {
    let rows = rows_plugin();
    let broken = refused(vec![link(&plugin(), &[]), link(&rows, &[]), link(&rows, &[])]);
    assert_eq!(broken.link, 2);
    let given = broken.given.unwrap();
    assert!(given.starts_with("hostile-rows gives rows(offset int64 not null, parity dictionary<utf8>"), "{given}");
}

/// Values are OTLP as they stand; one splits into its bytes.
struct Bytewise;

impl Codec for Bytewise {
    fn decode(&mut self, _: &[u8], _: &mut Vec<u8>) -> Result<Option<()>, String> {
        Ok(None)
    }

    fn split(&mut self, value: &[u8], bytes_max: usize) -> Result<Vec<Vec<u8>>, String> {
        Ok(value.chunks(bytes_max).map(<[u8]>::to_vec).collect())
    }
}

/// What a worker makes of records at offsets 0, 1 and so on.
fn apply(stage: WasmStage, values: &[&str]) -> Applied {
    let record = |(offset, value): (i64, &&str)| Record {
        offset,
        timestamp_ms: None,
        key: None,
        value: Some(value.as_bytes().to_vec().into()),
        headers: Vec::new(),
    };
    let batch = Batch {
        source: TopicPartition::new("t", 0),
        generation: Generation(1),
        from: 0,
        to: values.len() as i64,
        records: (0..).zip(values).map(record).collect(),
        held: Held::default(),
    };
    Worker::new(stage, Bytewise).apply(&batch, &Known::default())
}

fn applied_offsets(applied: &Applied) -> Vec<i64> {
    let column = |rows: &RecordBatch| rows.column(0).as_primitive::<Int64Type>().values().to_vec();
    applied.tables[0].iter().flat_map(column).collect()
}

#[test]
fn the_one_record_at_which_a_plugin_of_the_chain_traps_is_found_and_the_plugin_named() {
    for at in 0..3 {
        let three = Three::new();
        let misbehave = |place| if place == at { "panic" } else { "" };
        let mut values = vec!["fine"; 40];
        values[17] = "bad";
        values[20] = "no";
        let applied = apply(three.chain(misbehave(0), misbehave(1), misbehave(2)), &values);
        assert_eq!(applied_offsets(&applied), (0..40).filter(|o| ![17, 20].contains(o)).collect::<Vec<_>>());
        let [trapped, refused] = &applied.refused[..] else { panic!("{:?}", applied.refused) };
        let plugins = [(&three.otlp, "hostile-otlp"), (&three.maker, "hostile"), (&three.rows, "hostile-rows")];
        let named = format!("trap: plugin {}, step {} of 3, transform of t/0@17: ", plugins[at].1, at + 1);
        assert!(trapped.reason.starts_with(&named), "{}", trapped.reason);
        assert_eq!(
            (trapped.record, trapped.kind, component(trapped.plugin.as_deref())),
            (17, "trap", Some(plugins[at].0.digest()))
        );
        assert_eq!(
            (refused.record, refused.kind, component(refused.plugin.as_deref())),
            (20, "plugin", Some(three.otlp.digest()))
        );
    }
}

#[test]
fn a_record_too_large_for_one_plugin_of_the_chain_goes_through_in_parts() {
    let applied = apply(Three::new().chain("", "", "eat memory"), &["fine", "bad", "fine"]);
    assert!(applied.refused.is_empty(), "{:?}", applied.refused);
    assert_eq!(applied_offsets(&applied), [0, 1, 1, 1, 2]);
}
