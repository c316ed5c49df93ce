//! Several tables from one pipeline, each exactly once after every fault.

use weir_tests::{Kafka, Oracle, SpanIds, Spans, Table, Weir, guest};

use crate::pipeline::{LIMIT, Pipeline, START_NANOS, refused, said};

/// A pipeline that fills spans and events, and dead letters beside them.
pub(crate) fn two_tables(name: &str, partitions: i32) -> Pipeline {
    let mut pipeline = Pipeline::new(name, partitions);
    pipeline.plugin = format!("plugin = \"{}\"", guest("spans-and-events").display());
    pipeline.sections = "[sink.iceberg.tables.events]\nname = \"telemetry.events\"\n".into();
    pipeline
}

pub(crate) fn events(pipeline: &Pipeline) -> Table {
    pipeline.table("events")
}

/// Produces spans with events among records that cannot be read. Gives the spans' ids.
pub(crate) fn produce(pipeline: &Pipeline, seed: u64, messages: usize, spans: usize) -> SpanIds {
    produce_with(Kafka::shared(), pipeline, seed, (messages, spans), UNREADABLE)
}

/// As [`produce`], with a record of another kind that no table takes, to a broker of one's own.
pub(crate) fn produce_with(
    kafka: &Kafka,
    pipeline: &Pipeline,
    seed: u64,
    (messages, spans): (usize, usize),
    bad: &str,
) -> SpanIds {
    let mut made = Spans::new(seed, START_NANOS, 1);
    let partitions = kafka.end_offsets(&pipeline.name).len();
    let requests = made.requests(messages, spans);
    for partition in 0..partitions {
        let mine = requests.iter().skip(partition).step_by(partitions).map(String::as_str);
        let values: Vec<&str> = [bad].into_iter().chain(mine).collect();
        kafka.produce(&pipeline.name, partition as i32, &values);
    }
    made.made()
}

/// One comes to each partition with each call of [`produce`], before the spans.
pub(crate) const UNREADABLE: &str = "not json";

/// What is wrong with the tables: PyIceberg counts, the spans say what events there must be, and the topic what letters.
pub(crate) fn assert_once(pipeline: &Pipeline, made: &SpanIds, letters: usize) {
    let oracle = Oracle::shared();
    assert_eq!(oracle.span_ids(&pipeline.traces()), *made, "{}: spans", pipeline.name);
    // Each span and how many events it has, from both tables.
    let wanted = oracle.python(
        Some(&pipeline.traces()),
        "r = load(at).scan(selected_fields=('span_id', 'events')).to_arrow().to_pylist()\n\
         result = sorted([x['span_id'], x['events']] for x in r if x['events'])",
    );
    let found = oracle.python(
        Some(&events(pipeline)),
        "import collections\n\
         t = snapshot(at)\n\
         r = t.scan(selected_fields=('span_id',)).to_arrow()['span_id'].to_pylist() if t else []\n\
         result = sorted([k, n] for k, n in collections.Counter(r).items())",
    );
    assert!(wanted.as_array().is_some_and(|w| w.len() as u64 > made.count / 10), "too few spans have events");
    assert!(wanted == found, "{}: events differ from what the spans say", pipeline.name);
    // A topic that was made again has another id.
    let mut refused: Vec<String> = oracle
        .rows(&pipeline.dead_letters(), &["topic_id", "partition", "offset"])
        .iter()
        .map(|letter| format!("{}/{}/{}", letter["topic_id"], letter["partition"], letter["offset"]))
        .collect();
    assert_eq!(refused.len(), letters, "{}: dead letters", pipeline.name);
    refused.sort_unstable();
    refused.dedup();
    assert_eq!(refused.len(), letters, "{}: a record is among the dead letters twice", pipeline.name);
}

/// Starts a run that meets a fault.
pub(crate) fn start_with(pipeline: &Pipeline, fault: &str, more: &[&str]) -> Weir {
    let file = pipeline.file();
    let mut weir = weir_tests::process::command(Weir::binary());
    weir.arg("run").args(more).arg(file).env("WEIR_FAULT", fault);
    Weir::start_command(weir)
}

#[test]
fn two_tables_and_dead_letters_are_filled_once_although_the_process_is_killed_again_and_again() {
    let pipeline = two_tables("two-tables", 2);
    let mut made = produce(&pipeline, 1, 40, 100);
    let mut letters = 2;
    for kill in 0..4 {
        let mut weir = pipeline.start();
        let before = Oracle::shared().span_ids(&pipeline.traces()).count;
        if kill % 2 > 0 {
            weir.wait(LIMIT, || Oracle::shared().span_ids(&pipeline.traces()).count > before);
        } else {
            weir.wait(LIMIT, || pipeline.lake().join("telemetry/events/data").exists());
        }
        made += produce(&pipeline, kill + 2, 40, 100);
        letters += 2;
        weir.kill9();
    }
    // Then a death between the commits of two tables, three times: before the events, before the spans.
    for at in [1, 2, 2] {
        let mut weir = start_with(&pipeline, &format!("secondary-committed:{at}"), &[]);
        made += produce(&pipeline, 10 + letters as u64, 40, 100);
        letters += 2;
        assert!(!weir.wait_end(LIMIT).success(), "{}", weir.log());
    }
    pipeline.run_well();
    assert_once(&pipeline, &made, letters);
}

#[test]
fn a_table_that_is_ahead_takes_its_rows_from_the_plugin_before_which_is_kept_or_a_flag_says_otherwise() {
    let mut pipeline = two_tables("other-plugin", 1);
    let mut made = produce(&pipeline, 1, 20, 100);
    pipeline.run_well();
    made += produce(&pipeline, 2, 20, 100);
    let mut weir = start_with(&pipeline, "secondary-committed:2", &[]);
    assert!(!weir.wait_end(LIMIT).success(), "{}", weir.log());
    assert!(Oracle::shared().count(&events(&pipeline)) > Some(0));
    let (former, other) = (pipeline.plugin.clone(), other_plugin(&pipeline));
    pipeline.plugin.clone_from(&other);
    // On another machine the plugin before is not at hand.
    let mut elsewhere = weir_tests::process::command(Weir::binary());
    elsewhere.args(["run", "--until-end", &pipeline.file()]).env("XDG_CACHE_HOME", pipeline.folder.join("elsewhere"));
    let output = elsewhere.output().expect("weir runs");
    refused(&output, 1, &["telemetry.events has the records of other-plugin/0", "--accept-other-plugin"]);
    pipeline.run_well();
    assert_once(&pipeline, &made, 2);
    // Once more, and on with what is configured.
    made += produce(&pipeline, 3, 20, 100);
    let mut weir = start_with(&pipeline, "secondary-committed:2", &[]);
    assert!(!weir.wait_end(LIMIT).success(), "{}", weir.log());
    pipeline.plugin = former;
    let output = pipeline.run(&["--accept-other-plugin"]);
    assert!(output.status.success(), "{}", said(&output));
    assert_once(&pipeline, &made, 3);
}

/// The same plugin with another digest: a custom section at its end, which nobody reads.
fn other_plugin(pipeline: &Pipeline) -> String {
    let mut component = std::fs::read(guest("spans-and-events")).expect("a component");
    component.extend(b"\x00\x06\x05other");
    let file = pipeline.folder.join("other.wasm");
    std::fs::write(&file, component).expect("the file is written");
    format!("plugin = \"{}\"", file.display())
}

#[test]
fn every_table_of_a_plugin_has_a_section_and_every_section_a_table() {
    let mut pipeline = two_tables("sections", 1);
    let both = std::mem::take(&mut pipeline.sections);
    refused(&pipeline.run(&[]), 2, &["fills the table events", "[sink.iceberg.tables.events]"]);
    pipeline.sections = format!("{both}[sink.iceberg.tables.links]\nname = \"telemetry.links\"\n");
    refused(&pipeline.run(&[]), 2, &["[sink.iceberg.tables.links]", "it fills spans, events"]);
}

#[test]
fn a_table_that_is_gone_begins_again_where_the_first_one_stands() {
    let pipeline = two_tables("added-later", 1);
    let mut made = produce(&pipeline, 1, 10, 100);
    pipeline.run_well();
    std::fs::remove_dir_all(pipeline.lake().join("telemetry/events")).expect("the table was there");
    let later = produce(&pipeline, 2, 10, 100);
    pipeline.run_well();
    made += later;
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()), made);
    // The events of the later spans and no others.
    let ids = |table: &Table, code: &str| Oracle::shared().python(Some(table), code);
    let wanted = ids(
        &pipeline.traces(),
        "t = load(at)\nr = t.scan(selected_fields=('span_id', 'events')).to_arrow().to_pylist()\n\
         result = sum(x['events'] for x in r)",
    );
    let found = Oracle::shared().count(&events(&pipeline)).expect("a table");
    assert!(found > 0 && found < wanted.as_u64().expect("a number"), "{found} events of {wanted}");
}

#[test]
fn one_table_holds_the_dead_letters_of_two_pipelines_of_one_topic_each_once() {
    let first = Pipeline::new("shared-letters", 2);
    let file = first.file();
    let text = std::fs::read_to_string(&file).expect("the file was written");
    let text = text.replacen("name = \"shared-letters\"", "name = \"beside\"", 1);
    let other = first.folder.join("beside.toml").display().to_string();
    std::fs::write(&other, text.replace("telemetry.traces", "telemetry.others")).expect("the file is written");
    let until_end = |file: &str, fault: Option<&str>| {
        let mut weir = weir_tests::process::command(Weir::binary());
        weir.args(["run", "--until-end", file]).envs(fault.map(|fault| ("WEIR_FAULT", fault)));
        Weir::start_command(weir)
    };
    let mut made = SpanIds::default();
    for round in 0..3 {
        made += produce(&first, 1 + round, 20, 20);
        // Both die when their letters stand and their rows do not; each finds its own again, and not the other's.
        for file in [&file, &other] {
            let mut weir = until_end(file, Some("secondary-committed:1"));
            assert!(!weir.wait_end(LIMIT).success(), "{}", weir.log());
        }
        let mut both = [&file, &other].map(|file| until_end(file, None));
        for weir in &mut both {
            assert!(weir.wait_end(LIMIT).success(), "{}", weir.log());
        }
    }
    let oracle = Oracle::shared();
    assert_eq!((oracle.span_ids(&first.traces()), oracle.span_ids(&first.table("others"))), (made.clone(), made));
    let mut letters: Vec<String> = oracle
        .rows(&first.dead_letters(), &["pipeline", "partition", "offset"])
        .iter()
        .map(|letter| format!("{} {}/{}", letter["pipeline"], letter["partition"], letter["offset"]))
        .collect();
    letters.sort_unstable();
    // One record of each partition in each round, and each round has eleven a partition.
    let wanted: Vec<String> = ["beside", "shared-letters"]
        .iter()
        .flat_map(|name| (0..2).flat_map(move |p| [0, 11, 22].map(|offset| format!("\"{name}\" {p}/{offset}"))))
        .collect();
    assert_eq!(letters, wanted);
}
