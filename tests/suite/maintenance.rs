//! Maintenance inside running processes: counted, and done by one of several.

use weir_tests::http::get;
use weir_tests::process::free_port;
use weir_tests::{Oracle, Weir};

use crate::compaction::verified;
use crate::pipeline::{LIMIT, Pipeline};

/// A process of the pipeline with an admin port of its own.
struct One {
    weir: Weir,
    port: u16,
}

impl One {
    fn start(pipeline: &mut Pipeline, n: usize) -> Self {
        let port = free_port();
        pipeline.sections = format!(
            "[maintenance]\nevery = \"1s\"\ncompact = \"binpack\"\ncpu = \"50%\"\n[admin]\nlisten = \"127.0.0.1:{port}\"\n"
        );
        let file = pipeline.folder.join(&format!("pipeline-{n}.toml"));
        std::fs::copy(pipeline.file(), &file).expect("the file is written");
        Self { weir: Weir::start(&["run".as_ref(), file.as_os_str()]), port }
    }

    /// A counter of the spans' table.
    fn count(&self, name: &str) -> u64 {
        let metrics = get(self.port, "/metrics").map(|answer| answer.body).unwrap_or_default();
        let line = metrics.lines().find(|line| line.starts_with(name) && line.contains("telemetry.traces"));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).map_or(0, |n| n as u64)
    }
}

/// How many partitions a process says it holds.
fn partitions(port: u16) -> usize {
    let metrics = get(port, "/metrics").map(|answer| answer.body).unwrap_or_default();
    metrics.lines().filter(|line| line.starts_with("weir_committed_offset{")).count()
}

#[test]
fn of_several_processes_one_looks_after_the_tables_and_another_when_it_is_gone() {
    let mut pipeline = Pipeline::new("looked-after", 3);
    pipeline.interval = "200ms";
    let table = pipeline.traces();
    let mut made = pipeline.produce(1, 12, 50);
    let mut all: Vec<One> = (0..3).map(|n| One::start(&mut pipeline, n)).collect();
    for one in &mut all {
        let port = one.port;
        one.weir.wait(LIMIT, || partitions(port) == 1);
    }
    let mut seed = 2;
    let mut workers = Vec::new();
    // First with all three, then without the one that did the work.
    for _ in 0..2 {
        let before: Vec<u64> = all.iter().map(|one| one.count("weir_compactions_total")).collect();
        weir_tests::until("a compaction", LIMIT, || {
            made += pipeline.produce(seed, 12, 50);
            seed += 1;
            let grown = |(one, before): (&One, &u64)| one.count("weir_compactions_total") > *before;
            all.iter().zip(&before).any(grown).then_some(())
        });
        let worked: Vec<usize> =
            (0..all.len()).filter(|n| all[*n].count("weir_compactions_total") > before[*n]).collect();
        assert_eq!(worked.len(), 1, "{worked:?} of {} processes worked", all.len());
        let worker = &all[worked[0]];
        let (files_in, files_out) =
            (worker.count("weir_compaction_files_in_total"), worker.count("weir_compaction_files_out_total"));
        assert!(files_out > 0 && files_out < files_in, "{files_in} files became {files_out}");
        assert!(worker.count("weir_compaction_bytes_in_total") > worker.count("weir_compaction_bytes_out_total"));
        for one in &all {
            assert_eq!(one.count("weir_maintenance_failures_total"), 0, "{}", one.weir.log());
        }
        workers.push(worker.port);
        all.remove(worked[0]).weir.kill9();
    }
    assert_ne!(workers[0], workers[1]);
    let last = &mut all[0].weir;
    last.wait(LIMIT, || Oracle::shared().span_ids(&table).count >= made.count);
    assert!(last.stop().success(), "{}", last.log());
    assert_eq!(Oracle::shared().span_ids(&table), made);
    verified(&pipeline);
}
