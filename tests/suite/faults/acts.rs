//! What happens outside of Weir.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use weir_tests::{Network, Oracle, Proxy, SpanIds, Spark, SparkSession, Weir, fill_disk, set_clock, until};

use super::trial::{Trial, command, is_met, stop};
use crate::pipeline::{Catalog, LIMIT, refused, said};
use crate::tables::start_with;

/// Records that make the plugin trap, loop and eat memory, and a kill among them.
pub(super) fn guest(trial: &mut Trial) {
    let bad = [
        r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"weir.test/trap"}}]}}]}"#,
        r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"weir.test/loop"}}]}}]}"#,
        r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"weir.test/grow"}}]}}]}"#,
    ];
    trial.pipeline.plugin += "\nlimits = { deadline = \"50ms\" }";
    let mut running = trial.start_but(0);
    for (round, bad) in (0..).zip(bad.iter().cycle().skip(trial.seed as usize).take(3)) {
        trial.bad = bad;
        trial.produce();
        if round == trial.seed % 3 {
            running[0].kill9();
            running[0] = trial.pipeline.start();
        }
        trial.catch_up();
    }
    trial.met = true;
    stop(&mut running);
}

/// What changes something at the catalog happens, and nobody is told.
pub(super) fn answers_lost(trial: &mut Trial) {
    let proxy = Proxy::start(Catalog::rest().port());
    let direct = std::mem::replace(
        &mut trial.pipeline.sink,
        format!("catalog = {{ type = \"rest\", uri = \"http://127.0.0.1:{}\" }}", proxy.port()),
    );
    let mut running = trial.start_but(0);
    trial.feed(1);
    for _ in 0..3 {
        proxy.set(Network::PostAnswersLost);
        let traces = trial.pipeline.traces();
        let before = Oracle::shared().span_ids(&traces).count;
        trial.produce();
        until("a commit that nobody is told of", LIMIT, || {
            (Oracle::shared().span_ids(&traces).count > before).then_some(())
        });
        proxy.set(Network::Healthy);
    }
    trial.catch_up();
    trial.met = true;
    stop(&mut running);
    trial.pipeline.sink = direct;
}

/// The head moves all the time: a column's comment is changed again and again beside the pipeline.
pub(super) fn storm(trial: &mut Trial) {
    let mut running = trial.start_but(0);
    trial.feed(1);
    let (file, is_over) = (trial.pipeline.file(), AtomicBool::new(false));
    let traces = format!("{}.traces", trial.pipeline.namespace);
    std::thread::scope(|scope| {
        let storm = scope.spawn(|| {
            let (mut blows, mut tries, mut failure) = (0, 0, String::new());
            while !is_over.load(Ordering::Relaxed) {
                tries += 1;
                let comment = format!("span_id=blow {tries}");
                let output = Weir::output(&["table", "evolve", "--comment", &comment, &file, &traces]);
                if output.status.success() {
                    blows += 1;
                } else {
                    // Now and then the pipeline moves the head first, as often as a command tries.
                    failure = said(&output);
                }
            }
            (blows, failure)
        });
        trial.feed(3);
        is_over.store(true, Ordering::Relaxed);
        let (blows, failure) = storm.join().expect("no panic");
        trial.met = blows > 0;
        assert!(trial.met, "nothing moved the head: {failure}");
    });
    stop(&mut running);
}

/// More processes of the group than there are partitions, and one that believes to be alone, under another group.
pub(super) fn twice(trial: &mut Trial) {
    trial.produce();
    let mut running = trial.start_but(0);
    running.push(trial.pipeline.start());
    trial.produce();
    trial.catch_up();
    let text = std::fs::read_to_string(trial.pipeline.file()).expect("the pipeline's file");
    let file = trial.pipeline.folder.join("clone.toml");
    let cloned = text.replace("\ntopics = ", &format!("\ngroup = \"clone-of-{}\"\ntopics = ", trial.pipeline.name));
    assert_ne!(cloned, text);
    std::fs::write(&file, cloned).expect("the clone's file");
    let mut clone = Weir::start(&["run", &file.display().to_string()]);
    // It takes the partitions from those that hold them, and they take them back.
    let clones = format!("clone-of-{}", trial.pipeline.name);
    until("the clone's own commits", LIMIT, || {
        trial.produce();
        let acked = trial.kafka().acked(&clones, &trial.pipeline.name);
        acked.into_iter().any(|offset| offset > Some(0)).then_some(())
    });
    trial.produce();
    clone.kill9();
    trial.catch_up();
    trial.met = true;
    stop(&mut running);
}

/// One row that is nobody's span.
fn append(trial: &mut Trial) {
    let id = trial.seed + 0xff;
    Oracle::shared().append(&trial.pipeline.traces(), &[json!({"span_id": format!("{id:016x}")})]);
    trial.made += SpanIds { count: 1, distinct: 1, xor: id };
    trial.is_foreign = true;
}

/// A row, all files anew or a column of another engine, between the guard and the swap.
pub(super) fn foreign(trial: &mut Trial) {
    trial.produce();
    let passage = 3 + trial.seed % 6;
    let mut meets = start_with(&trial.pipeline, &format!("guard-passed:{passage}:stop"), &[]);
    let mut others = trial.start_but(1);
    for _ in 0..10 {
        trial.produce();
        until("to catch up, or the fault", LIMIT, || {
            trial.met = is_met(&mut meets, "stop");
            (trial.met || trial.is_caught_up()).then_some(())
        });
        if trial.met {
            break;
        }
    }
    // Among several, another one may have had all the work.
    assert!(trial.met || trial.processes > 1, "no process stopped at its commit");
    let traces = trial.pipeline.traces();
    // The first of its commits may be where the table is not yet.
    if Oracle::shared().count(&traces).is_some() {
        match trial.seed % 3 {
            0 => append(trial),
            1 => {
                Oracle::shared().python(
                    Some(&traces),
                    "t = load(at)\nrows = t.scan().to_arrow()\nt.overwrite(rows)\nresult = len(rows)",
                );
            }
            _ => {
                Oracle::shared().python(
                    Some(&traces),
                    "from pyiceberg.types import LongType\nt = load(at)\n\
                     with t.update_schema() as u:\n    u.add_column('foreign_n', LongType())\nresult = 0",
                );
            }
        }
    }
    trial.produce();
    meets.resume();
    trial.catch_up();
    trial.is_foreign = true;
    stop(&mut others);
    meets.stop();
}

/// The same by Spark, whose commits are no swap in a folder: between a stop and a start.
pub(super) fn foreign_while_stopped(trial: &mut Trial) {
    let mut running = trial.start_but(0);
    trial.feed(3);
    stop(&mut running);
    trial.produce();
    let spark = spark(trial);
    let id = trial.seed + 0xff;
    match trial.seed % 3 {
        0 => {
            spark.sql(&format!("INSERT INTO {} (span_id) VALUES ('{id:016x}')", place(trial)));
            trial.made += SpanIds { count: 1, distinct: 1, xor: id };
        }
        1 => {
            call(trial, &spark, "rewrite_data_files", ", options => map('rewrite-all', 'true')");
        }
        _ => {
            spark.sql(&format!("ALTER TABLE {} ADD COLUMN foreign_n BIGINT", place(trial)));
        }
    }
    (trial.met, trial.is_foreign) = (true, true);
    let mut running = trial.start_but(0);
    trial.feed(2);
    stop(&mut running);
}

fn spark(trial: &Trial) -> SparkSession<'static> {
    let (spark, lake) = (Spark::shared(), trial.pipeline.lake());
    match trial.pipeline.catalog {
        Catalog::Hadoop => spark.hadoop(&lake),
        Catalog::Sqlite => spark.sqlite("lakehouse", &trial.pipeline.database(), &lake),
        Catalog::Rest => spark.rest(&Catalog::rest().uri()),
    }
}

fn place(trial: &Trial) -> String {
    format!("lakehouse.{}.traces", trial.pipeline.namespace)
}

fn call(trial: &Trial, spark: &SparkSession<'_>, procedure: &str, more: &str) {
    let table = format!("{}.traces", trial.pipeline.namespace);
    spark.sql(&format!("CALL lakehouse.system.{procedure}(table => '{table}'{more})"));
}

/// Only the newest snapshot stays, while the pipeline is stopped.
pub(super) fn expired(trial: &mut Trial) {
    stop_feed_and_go_on(trial, |trial| {
        let file = trial.pipeline.file();
        let output = Weir::output(&["table", "expire", "--older-than", "0s", "--keep", "1", &file]);
        assert!(output.status.success(), "{}", said(&output));
    });
}

/// The same by Spark.
pub(super) fn expired_by_spark(trial: &mut Trial) {
    stop_feed_and_go_on(trial, |trial| {
        let more = ", older_than => TIMESTAMP '2100-01-01 00:00:00', retain_last => 1";
        call(trial, &spark(trial), "expire_snapshots", more);
    });
}

fn stop_feed_and_go_on(trial: &mut Trial, meanwhile: fn(&Trial)) {
    let mut running = trial.start_but(0);
    trial.feed(3);
    if trial.seed.is_multiple_of(2) {
        running[0].kill9();
    }
    stop(&mut running);
    trial.run_well(&[]);
    meanwhile(trial);
    trial.met = true;
    trial.produce();
    let mut running = trial.start_but(0);
    trial.feed(2);
    stop(&mut running);
}

fn roll_back(trial: &Trial) {
    let steps = if trial.seed.is_multiple_of(2) { 1 } else { 3 };
    Oracle::shared().python(
        Some(&trial.pipeline.traces()),
        &format!(
            "t = load(at)\ns = t.current_snapshot()\n\
             for _ in range({steps}):\n    s = t.snapshot_by_id(s.parent_snapshot_id)\n\
             t.manage_snapshots().rollback_to_snapshot(s.snapshot_id).commit()\nresult = 0"
        ),
    );
}

/// The first table goes back while nobody writes.
pub(super) fn rollback_stopped(trial: &mut Trial) {
    let mut running = trial.start_but(0);
    trial.feed(4);
    stop(&mut running);
    roll_back(trial);
    trial.met = true;
    trial.produce();
    refused(&trial.pipeline.run(&[]), 1, &["rolled back", "--accept-rollback"]);
    trial.run_well(&["--accept-rollback"]);
    trial.produce();
}

/// The first table goes back under the processes.
pub(super) fn rollback_running(trial: &mut Trial) {
    let mut running = trial.start_but(0);
    trial.feed(4);
    roll_back(trial);
    trial.met = true;
    // Whoever commits next finds it.
    trial.produce();
    until("a process to stop", LIMIT, || running.iter_mut().any(|weir| weir.ended().is_some()).then_some(()));
    stop(&mut running);
    assert!(running.iter().any(|weir| weir.log().contains("rolled back")), "{}", running[0].log());
    trial.run_well(&["--accept-rollback"]);
    trial.produce();
}

/// The topic is deleted and made again under its name.
pub(super) fn topic_made_again(trial: &mut Trial) {
    let mut running = trial.start_but(0);
    trial.feed(2);
    stop(&mut running);
    let name = trial.pipeline.name.clone();
    trial.kafka().delete_topic(&name);
    trial.kafka().create_topic(&name, 3);
    trial.produce();
    (trial.met, trial.leaves_out) = (true, true);
    refused(&trial.pipeline.run(&[]), 1, &["was deleted and made again", "--accept-new-topic"]);
    trial.run_well(&["--accept-new-topic"]);
    let mut running = trial.start_but(0);
    trial.feed(1);
    stop(&mut running);
}

/// The oldest record that is left is newer than what was read last.
pub(super) fn retention(trial: &mut Trial) {
    let mut running = trial.start_but(0);
    trial.feed(2);
    stop(&mut running);
    // Both are lost, and known to be.
    trial.produce_uncounted();
    let name = trial.pipeline.name.clone();
    for (partition, end) in (0..).zip(trial.kafka().end_offsets(&name)) {
        trial.kafka().delete_records(&name, partition, end);
    }
    trial.produce();
    (trial.met, trial.leaves_out) = (true, true);
    refused(&trial.pipeline.run(&[]), 1, &["the oldest there is", "--accept-lost-records"]);
    trial.run_well(&["--accept-lost-records"]);
    let mut running = trial.start_but(0);
    trial.feed(1);
    stop(&mut running);
}

/// Partitions come to the topic while it is read.
pub(super) fn partitions_added(trial: &mut Trial) {
    let mut running = trial.start_but(0);
    trial.feed(2);
    trial.kafka().add_partitions(&trial.pipeline.name, 5);
    trial.met = true;
    trial.produce();
    if trial.seed.is_multiple_of(2) {
        running[0].kill9();
        running[0] = trial.pipeline.start();
    }
    trial.produce();
    stop(&mut running);
}

/// The broker is killed and comes back.
pub(super) fn broker_restart(trial: &mut Trial) {
    trial.take_own_kafka();
    let mut running = trial.start_but(0);
    trial.feed(1);
    trial.produce();
    let kafka = trial.take_own_kafka();
    kafka.kill9();
    kafka.restart();
    trial.met = true;
    trial.produce();
    trial.catch_up();
    stop(&mut running);
}

/// The clock of one process is set by five minutes, forward or back.
pub(super) fn clock_step(trial: &mut Trial) {
    let is_forward = trial.seed.is_multiple_of(2);
    let mut weir = command(&trial.pipeline.file());
    set_clock(&mut weir, if is_forward { 300 } else { -300 }, 3);
    let started = std::time::Instant::now();
    let mut steps = Weir::start_command(weir);
    let mut running = trial.start_but(1);
    if is_forward && trial.pipeline.catalog == Catalog::Rest {
        // This server takes no snapshot from the future: the process stops and says why. Others may have all the work.
        until("the process to stop", LIMIT, || {
            if trial.is_caught_up() {
                trial.produce();
            }
            let is_idle = trial.processes > 1 && started.elapsed().as_secs() > 10;
            (steps.ended().is_some() || is_idle).then_some(())
        });
        assert!(
            steps.ended().is_none() || steps.log().contains("clock is more than a minute ahead"),
            "{}",
            steps.log()
        );
        running.push(trial.pipeline.start());
        trial.catch_up();
    }
    // Records before it, while it happens and after.
    while started.elapsed().as_secs() < 6 {
        trial.feed(1);
    }
    trial.met = true;
    stop(&mut running);
    steps.stop();
}

/// The disk of the data files is full for a while, for one process.
pub(super) fn disk_full(trial: &mut Trial) {
    let below = trial.pipeline.lake().join(&trial.pipeline.namespace).join("traces/data");
    fill(trial, &below);
}

/// The disk of the heads is full for a while, for one process.
pub(super) fn catalog_disk_full(trial: &mut Trial) {
    let below = match trial.pipeline.catalog {
        // And what SQLite keeps beside it.
        Catalog::Sqlite => trial.pipeline.database(),
        _ => trial.pipeline.lake().join(&trial.pipeline.namespace).join("traces/metadata"),
    };
    fill(trial, &below);
}

fn fill(trial: &mut Trial, below: &Path) {
    let full = trial.pipeline.folder.join("full");
    let mut weir = command(&trial.pipeline.file());
    fill_disk(&mut weir, below, &full);
    let mut fills = Weir::start_command(weir);
    trial.feed(1);
    let mut running = trial.start_but(1);
    trial.produce();
    std::fs::write(&full, "").expect("a file");
    let started = std::time::Instant::now();
    until("the disk to be full", LIMIT, || {
        if trial.is_caught_up() {
            trial.produce();
        }
        trial.met = fills.log().contains("No space left on device") || fills.log().contains("disk is full");
        // Among several, the others may have all the work.
        let is_idle = trial.processes > 1 && started.elapsed().as_secs() > 20;
        (trial.met || is_idle).then_some(())
    });
    std::fs::remove_file(&full).expect("the file");
    if fills.ended().is_some() {
        running.push(trial.pipeline.start());
    }
    trial.feed(1);
    stop(&mut running);
    fills.stop();
}
