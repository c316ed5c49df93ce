//! A row is in the table once for each span in the topic, whatever is killed.

use weir_tests::{Kafka, Oracle, Weir, until};

use crate::pipeline::{LIMIT, Pipeline};

/// How often a process is killed; `WEIR_KILLS` says another number.
fn kills() -> u32 {
    std::env::var("WEIR_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(6)
}

#[test]
fn kill_9_in_the_middle_of_a_run_loses_and_doubles_nothing() {
    let pipeline = Pipeline::new("kill-nine", 3);
    let mut made = pipeline.produce(1, 60, 200);
    for kill in 0..kills() {
        let mut weir = pipeline.start();
        // Each life is ended at another place: before its first commit, after some, in the middle of the next.
        let before = Oracle::shared().span_ids(&pipeline.traces()).count;
        if kill % 3 > 0 {
            weir.wait(LIMIT, || committed(&pipeline) > kill as usize || before == made.count);
        } else {
            weir.wait(LIMIT, || pipeline.lake().join("telemetry/traces/data").exists());
        }
        made += pipeline.produce(u64::from(kill) + 2, 60, 200);
        weir.kill9();
    }
    pipeline.run_well();
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()), made);
}

/// Metadata versions of the table so far.
fn committed(pipeline: &Pipeline) -> usize {
    let folder = pipeline.lake().join("telemetry/traces/metadata");
    std::fs::read_dir(folder).map_or(0, |files| {
        files.flatten().filter(|f| f.file_name().to_string_lossy().ends_with(".metadata.json")).count()
    })
}

#[test]
fn processes_of_one_group_share_the_partitions_and_the_rows_stay_single() {
    let pipeline = Pipeline::new("three-processes", 6);
    let mut made = pipeline.produce(1, 30, 100);
    let mut first = pipeline.start();
    first.wait(LIMIT, || committed(&pipeline) > 3);
    let mut second = pipeline.start();
    let mut third = pipeline.start();
    for seed in 2..12 {
        made += pipeline.produce(seed, 30, 100);
    }
    second.wait(LIMIT, || acked(&pipeline) > 200);
    first.kill9();
    made += pipeline.produce(20, 30, 100);
    assert_eq!(third.stop().code(), Some(0), "{}", third.log());
    made += pipeline.produce(21, 30, 100);
    let wanted = made.clone();
    until("all rows", LIMIT, || (Oracle::shared().span_ids(&pipeline.traces()).count >= wanted.count).then_some(()));
    assert_eq!(second.stop().code(), Some(0), "{}", second.log());
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()), wanted);
}

fn acked(pipeline: &Pipeline) -> i64 {
    Kafka::shared().acked(&format!("weir-{}", pipeline.name), &pipeline.name).into_iter().flatten().sum()
}

#[test]
fn a_process_that_sleeps_through_its_session_wakes_up_fenced() {
    let mut pipeline = Pipeline::new("zombie", 2);
    // The sleeper's next version is long deleted when it wakes.
    pipeline.sections = "[sink.iceberg.tables.spans.properties]\n\
        \"write.metadata.delete-after-commit.enabled\" = \"true\"\n\"write.metadata.previous-versions-max\" = \"2\"\n"
        .into();
    let mut made = pipeline.produce(1, 40, 100);
    let mut sleeper = pipeline.start();
    let first = made.count;
    sleeper.wait(LIMIT, || Oracle::shared().span_ids(&pipeline.traces()).count >= first);
    let more = pipeline.produce(2, 40, 100);
    sleeper.pause();
    let mut other = pipeline.start();
    made += more;
    let wanted = made.count;
    other.wait(LIMIT, || Oracle::shared().span_ids(&pipeline.traces()).count >= wanted);
    sleeper.resume();
    made += pipeline.produce(3, 40, 100);
    let wanted = made.count;
    other.wait(LIMIT, || Oracle::shared().span_ids(&pipeline.traces()).count >= wanted);
    assert_eq!(sleeper.stop().code(), Some(0), "{}", sleeper.log());
    assert_eq!(other.stop().code(), Some(0), "{}", other.log());
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()), made);
}

#[test]
fn a_stop_commits_what_is_whole_and_a_broker_that_restarts_is_found_again() {
    let mut kafka = Kafka::start();
    kafka.create_topic("stop", 1);
    let mut pipeline = Pipeline::new("stop", 1);
    pipeline.brokers = kafka.bootstrap();
    pipeline.interval = "1h";
    let port = weir_tests::process::free_port();
    pipeline.sections = format!("[admin]\nlisten = \"127.0.0.1:{port}\"\n");
    let mut made = weir_tests::Spans::new(5, crate::pipeline::START_NANOS, 1);
    kafka.produce("stop", 0, &made.requests(20, 50));
    let mut weir: Weir = pipeline.start();
    weir.wait(LIMIT, || offset_read(&pipeline) == 20);
    kafka.kill9();
    kafka.restart();
    kafka.produce("stop", 0, &made.requests(20, 50));
    weir.wait(LIMIT, || offset_read(&pipeline) == 40);
    assert_eq!(weir.stop().code(), Some(0), "{}", weir.log());
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()), made.made());
}

/// The offset that the admin endpoint says has been read up to.
fn offset_read(pipeline: &Pipeline) -> u64 {
    let Some(port) = pipeline.sections.rsplit_once(':').and_then(|(_, p)| p.trim_matches(['"', '\n']).parse().ok())
    else {
        panic!("the pipeline of this test has no [admin] section")
    };
    let Ok(answer) = weir_tests::http::get(port, "/metrics") else { return 0 };
    let line = answer.body.lines().find(|l| l.starts_with("weir_read_offset{"));
    line.and_then(|l| l.rsplit(' ').next()).and_then(|n| n.parse().ok()).unwrap_or(0)
}
