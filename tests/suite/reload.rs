//! A plugin is replaced while rows flow: none is lost or doubled, nothing is rebalanced, and a bad one never goes live.

mod bombs;
mod languages;
mod pins;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::executor::block_on;
use rdkafka::producer::FutureRecord;
use serde_json::Value;
use weir_tests::http::{Answer, get, post};
use weir_tests::process::free_port;
use weir_tests::{Kafka, Oracle, SpanIds, Spans, Weir, guest, until};

use crate::pipeline::{LIMIT, Pipeline, START_NANOS, refused, said};
use crate::tables::{self, two_tables};

/// How often a plugin is replaced; `WEIR_RELOADS` says another number.
fn reloads() -> usize {
    std::env::var("WEIR_RELOADS").ok().and_then(|n| n.parse().ok()).unwrap_or(20)
}

/// How many bad candidates come; `WEIR_BAD_CANDIDATES` says another number.
fn bad_candidates() -> usize {
    std::env::var("WEIR_BAD_CANDIDATES").ok().and_then(|n| n.parse().ok()).unwrap_or(22)
}

/// The guest with another version in its bytes: a letter for how it behaves, and a number.
fn version(behaviour: char, number: u32) -> Vec<u8> {
    const MARK: &[u8] = b"weir-guest-version:";
    let mut component = std::fs::read(guest("spans-versioned")).expect("a component");
    let at = component.windows(MARK.len()).position(|window| window == MARK).expect("a version") + MARK.len();
    component[at..at + 8].copy_from_slice(format!("{behaviour}{number:07}").as_bytes());
    component
}

/// A pipeline that takes plugins at an admin port, and begins with version 0 of the guest.
struct Reloaded {
    pipeline: Pipeline,
    port: u16,
    file: PathBuf,
}

impl Reloaded {
    fn new(name: &str, partitions: i32, transform: &str) -> Self {
        let mut pipeline = Pipeline::new(name, partitions);
        let (port, file) = (free_port(), pipeline.folder.join("versioned.wasm"));
        std::fs::write(&file, version('a', 0)).expect("the file is written");
        pipeline.plugin = format!("plugin = \"{}\"\n{transform}", file.display());
        pipeline.sections = format!("[admin]\nlisten = \"127.0.0.1:{port}\"\n");
        pipeline.interval = "1s";
        Self { pipeline, port, file }
    }

    /// Puts a component in the file's place, as a build does.
    fn replace(&self, component: &[u8]) {
        let draft = self.file.with_extension("draft");
        std::fs::write(&draft, component).expect("the file is written");
        std::fs::rename(draft, &self.file).expect("the file is there");
    }

    fn swap(&self, component: &[u8]) -> Answer {
        let path = format!("/pipelines/{}/plugin", self.pipeline.name);
        post(self.port, &path, "application/wasm", component).expect("an answer")
    }

    /// What the process says of itself.
    fn status(&self) -> Value {
        let answer = get(self.port, "/status").ok().and_then(|a| serde_json::from_str::<Value>(&a.body).ok());
        answer.map_or(Value::Null, |a| a["pipelines"][0].clone())
    }

    fn count(&self) -> u64 {
        Oracle::shared().count(&self.pipeline.traces()).unwrap_or(0)
    }

    /// How many rows each version has made.
    fn versions(&self) -> BTreeMap<u32, u64> {
        let found = Oracle::shared().python(
            Some(&self.pipeline.traces()),
            "import collections\n\
             t = snapshot(at)\n\
             r = t.scan(selected_fields=('version',)).to_arrow()['version'].to_pylist() if t else []\n\
             result = sorted(collections.Counter(r).items())",
        );
        let found: Vec<(u32, u64)> = serde_json::from_value(found).expect("pairs");
        found.into_iter().collect()
    }

    /// For each commit with rows, the versions in its files, and the digests that its summary names.
    fn made_by(&self) -> Vec<(Vec<u32>, String)> {
        let found = Oracle::shared().python(
            Some(&self.pipeline.traces()),
            "t = load(at)\n\
             named = {s.snapshot_id: s.summary.additional_properties.get('weir.plugins') for s in t.snapshots()}\n\
             found = {}\n\
             import pyarrow.parquet as pq\n\
             for e in t.inspect.entries().to_pylist():\n\
             \x20   if e['status'] == 2 or e['snapshot_id'] not in named: continue\n\
             \x20   made = pq.read_table(e['data_file']['file_path'].replace('file://', ''), columns=['version'], \
             partitioning=None)\n\
             \x20   found.setdefault(e['snapshot_id'], set()).update(made['version'].to_pylist())\n\
             result = [[sorted(v), named[s]] for s, v in found.items()]",
        );
        serde_json::from_value(found).expect("pairs")
    }
}

/// Records that wait to be read, at the least: the pipeline never waits for one.
const BACKLOG: i64 = 400;

/// Requests that cost next to nothing to make: one of made-up spans, with other ids each time.
struct Stencil {
    /// What stands between the ids.
    pieces: Vec<String>,
    next: u64,
    made: SpanIds,
}

impl Stencil {
    fn new(seed: u64, spans: usize) -> Self {
        const ID: &str = "\"spanId\":\"";
        let text = Spans::new(seed, START_NANOS, 1).request(spans);
        let mut pieces: Vec<String> = text.split(ID).map(|piece| format!("{piece}{ID}")).collect();
        let last = pieces.last_mut().expect("a piece");
        last.truncate(last.len() - ID.len());
        pieces[1..].iter_mut().for_each(|piece| drop(piece.drain(..16)));
        assert_eq!(pieces.len(), spans + 1);
        Self { pieces, next: seed << 32, made: SpanIds { count: 0, distinct: 0, xor: 0 } }
    }

    fn request(&mut self) -> String {
        let mut request = self.pieces[0].clone();
        for piece in &self.pieces[1..] {
            self.next += 1;
            // By an odd number: each id comes once, and not in order.
            let id = self.next.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.made.count += 1;
            self.made.distinct += 1;
            self.made.xor ^= id;
            request.push_str(&format!("{id:016x}"));
            request.push_str(piece);
        }
        request
    }
}

/// Produces for as long as something is done, so that there is always a backlog. Gives the spans' ids.
fn under_load<R>(topic: &str, port: u16, seed: u64, work: impl FnOnce() -> R) -> (SpanIds, R) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let producing = scope.spawn(|| {
            let (kafka, mut stencil) = (Kafka::shared(), Stencil::new(seed, 40));
            let (partitions, producer) = (kafka.end_offsets(topic).len(), kafka.producer());
            let mut produced = 0;
            while !stop.load(Ordering::Relaxed) {
                for partition in 0..partitions {
                    let values: Vec<String> = (0..50).map(|_| stencil.request()).collect();
                    let record =
                        |value| FutureRecord::<(), String>::to(topic).partition(partition as i32).payload(value);
                    let sent: Vec<_> = values.iter().map(|v| producer.send_result(record(v)).expect("room")).collect();
                    produced += sent.len() as i64;
                    for delivery in sent {
                        let delivery = block_on(delivery).expect("the producer lives");
                        delivery.unwrap_or_else(|(error, _)| panic!("not delivered to {topic}: {error}"));
                    }
                }
                let is_near = || produced - read(port) < BACKLOG || stop.load(Ordering::Relaxed);
                until("the reader to come near", LIMIT, || is_near().then_some(()));
            }
            stencil.made
        });
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        stop.store(true, Ordering::Relaxed);
        let made = producing.join().expect("records are produced");
        (made, done.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Records that the process has read.
fn read(port: u16) -> i64 {
    let Ok(answer) = get(port, "/metrics") else { return 0 };
    let line = answer.body.lines().find(|line| line.starts_with("weir_records_total{"));
    line.and_then(|line| line.rsplit(' ').next()).and_then(|n| n.parse().ok()).unwrap_or(0)
}

#[test]
fn plugins_are_replaced_under_load_and_no_row_is_lost_or_doubled_and_nothing_is_rebalanced() {
    let reloaded = Reloaded::new("reload", 4, "canary = 1\nmay_drop_columns = true");
    let mut weir = reloaded.pipeline.start();
    let mut pauses = Vec::new();
    let (made, assignments) = under_load("reload", reloaded.port, 1, || {
        weir.wait(LIMIT, || reloaded.count() > 0);
        let assignments = reloaded.status()["assignments"].clone();
        for reload in 1..=reloads() {
            // Every other one gives a column more, which the one after it no longer gives.
            let (behaviour, number) = [('a', 1), ('w', 2)][reload % 2];
            let answer = reloaded.swap(&version(behaviour, number));
            assert!(answer.status == 200 && answer.body.contains("\"swapped\""), "{answer:?}\n{}", weir.log());
            let plugin = until("a batch through the new one", LIMIT, || {
                Some(reloaded.status()["plugin"].clone()).filter(|plugin| plugin["pauses"] == reload)
            });
            pauses.push(Duration::from_micros(plugin["last_pause_us"].as_u64().expect("a number")));
        }
        assignments
    });
    let wanted = made.count;
    weir.wait(LIMIT, || reloaded.count() >= wanted);
    let status = reloaded.status();
    assert_eq!(weir.stop().code(), Some(0), "{}", weir.log());
    pauses.sort_unstable();
    let at = |share: usize| pauses[(pauses.len() * share / 100).min(pauses.len() - 1)];
    println!("{} reloads; pause p50 {:?}, p99 {:?}, longest {:?}", pauses.len(), at(50), at(99), at(100));
    assert_eq!(Oracle::shared().span_ids(&reloaded.pipeline.traces()), made);
    assert_eq!((&status["assignments"], status["fences"].as_u64()), (&assignments, Some(0)));
    assert_eq!(status["plugin"]["swaps"]["swapped"], reloads());
    let versions = reloaded.versions();
    assert!(versions.keys().copied().eq([0, 1, 2]), "{versions:?}");
    // Each commit's rows are of one version, and its summary names that one.
    let mut names = BTreeMap::new();
    for (versions, digests) in reloaded.made_by() {
        assert_eq!(versions.len(), 1, "a commit of several versions: {versions:?}");
        assert_eq!(*names.entry(versions[0]).or_insert(digests.clone()), digests);
    }
    let mut distinct: Vec<&String> = names.values().collect();
    distinct.dedup();
    assert_eq!((names.len(), distinct.len()), (3, 3), "{names:?}");
}

/// The guest that fills two tables, with so many rows of the second for each event.
fn rows_per_event(rows: u8) -> Vec<u8> {
    const MARK: &[u8] = b"weir-guest-rows:";
    let mut component = std::fs::read(guest("spans-and-events")).expect("a component");
    let at = component.windows(MARK.len()).position(|window| window == MARK).expect("a number") + MARK.len();
    component[at] = b'0' + rows;
    component
}

#[test]
fn of_two_tables_each_record_is_one_plugins_although_processes_die_between_their_commits_and_plugins_change() {
    let mut pipeline = two_tables("reload-deaths", 2);
    let (port, file) = (free_port(), pipeline.folder.join("events.wasm"));
    pipeline.plugin = format!("plugin = \"{}\"\ncanary = 1", file.display());
    pipeline.sections.push_str(&format!("[admin]\nlisten = \"127.0.0.1:{port}\"\n"));
    let reloaded = Reloaded { pipeline, port, file };
    let pipeline = &reloaded.pipeline;
    reloaded.replace(&rows_per_event(1));
    let (mut made, mut letters) = (tables::produce(pipeline, 1, 10, 50), 2);
    pipeline.run_well();
    let second_pass = "a former plugin makes a second pass first";
    let mut second_passes = 0;
    for life in 0..3_u8 {
        // Each life swaps between two plugins, and ends in the commit of an epoch of either.
        let fault = format!("secondary-committed:{}", 2 + 2 * life);
        let mut weir = tables::start_with(pipeline, &fault, &["--log", "info"]);
        for seed in 0..100 {
            if weir.ended().is_some() {
                break;
            }
            made += tables::produce(pipeline, 1000 * u64::from(life) + seed + 2, 10, 50);
            letters += 2;
            let path = format!("/pipelines/{}/plugin", pipeline.name);
            let version = rows_per_event(1 + 2 * life + (seed as u8 + 1) % 2);
            // The process may die meanwhile.
            let _ = post(port, &path, "application/wasm", &version);
        }
        assert!(!weir.wait_end(LIMIT).success(), "{}", weir.log());
        second_passes += usize::from(weir.log().contains(second_pass));
        // The next one begins with yet another.
        reloaded.replace(&rows_per_event(3 + 2 * life));
    }
    let output = pipeline.run(&["--log", "info"]);
    assert!(output.status.success(), "{}", said(&output));
    second_passes += usize::from(said(&output).contains(second_pass));
    assert!(second_passes > 0, "no table was ahead by a former plugin");
    tables::assert_once(pipeline, &made, letters);
}

/// A component that must not go live, and words of what is said of it.
fn bad(kind: usize, number: u32) -> (Vec<u8>, &'static [&'static str]) {
    let behave = |behaviour| version(behaviour, number);
    match kind {
        0 => (Vec::new(), &["refused", "is not WebAssembly"]),
        1 => (format!("no component {number}").into_bytes(), &["refused", "is not WebAssembly"]),
        2 => (b"\0asm\x01\0\0\0".to_vec(), &["refused", "core WebAssembly module"]),
        3 => {
            let mut cut = behave('a');
            cut.truncate(cut.len() / 2 + number as usize);
            (cut, &["refused", "does not compile"])
        }
        4 => (b"\0asm\x0d\0\x01\0".to_vec(), &["refused", "its exports: none"]),
        5 => (behave('c'), &["refused", "not to its liking"]),
        6 => (behave('p'), &["refused", "failed while it was configured"]),
        7 => (behave('n'), &["refused", "it fills the tables others", "a new start"]),
        8 => (behave('i'), &["refused", "version", "is long", "string in the plugin"]),
        9 => (behave('m'), &["refused", "must", "the plugin requires it"]),
        10 => (behave('d'), &["refused", "it no longer gives version of table spans", "may_drop_columns = true"]),
        11 => (behave('t'), &["rolled_back", "failed", "trap", "at a span"]),
        12 => (behave('l'), &["rolled_back", "failed", "deadline"]),
        _ => (behave('r'), &["rolled_back", "which the live plugin takes", "not to its liking"]),
    }
}

#[test]
fn of_many_bad_candidates_of_every_kind_none_goes_live_and_each_is_told_why() {
    let reloaded = Reloaded::new("bad-candidates", 2, "canary = 2\nlimits = { deadline = \"50ms\" }");
    let mut weir = reloaded.pipeline.start();
    let (made, ()) = under_load("bad-candidates", reloaded.port, 2, || {
        weir.wait(LIMIT, || reloaded.count() > 0);
        let live = reloaded.status()["plugin"]["digests"].clone();
        for number in 0..bad_candidates() {
            let (component, words) = bad(number % 14, number as u32);
            let answer = reloaded.swap(&component);
            assert_eq!(answer.status, 422, "{number}: {answer:?}\n{}", weir.log());
            for word in words {
                assert!(answer.body.contains(word), "{number}: no {word:?} in {}", answer.body);
            }
            let plugin = reloaded.status()["plugin"].clone();
            assert_eq!(plugin["digests"], live);
            assert_eq!(plugin["last"]["result"], words[0]);
        }
        // A web page cannot, and neither can who says nothing of what it sends.
        let path = format!("/pipelines/{}/plugin", reloaded.pipeline.name);
        assert_eq!(post(reloaded.port, &path, "text/plain", &version('a', 1)).expect("an answer").status, 415);
        assert_eq!(post(reloaded.port, "/pipelines/x/plugin", "application/wasm", b"").expect("an answer").status, 404);
        // And a good one still can.
        assert_eq!(reloaded.swap(&version('a', 1)).status, 200);
    });
    let wanted = made.count;
    weir.wait(LIMIT, || reloaded.count() >= wanted);
    let log = weir.log();
    assert_eq!(weir.stop().code(), Some(0), "{log}");
    assert_eq!(Oracle::shared().span_ids(&reloaded.pipeline.traces()), made);
    assert!(reloaded.versions().keys().copied().eq([0, 1]));
    assert_eq!(Oracle::shared().count(&reloaded.pipeline.dead_letters()).unwrap_or(0), 0);
    let columns = Oracle::shared().metadata(&reloaded.pipeline.traces())["schemas"].as_array().map(Vec::len);
    assert_eq!(columns, Some(1), "a refused plugin has changed the table");
}

#[test]
fn a_changed_plugin_file_and_a_changed_pipeline_file_take_effect_while_the_pipeline_runs() {
    let mut reloaded = Reloaded::new("reload-files", 1, "canary = 1");
    let mut weir = reloaded.pipeline.start();
    let port = reloaded.port;
    let (made, ()) = under_load("reload-files", port, 3, || {
        weir.wait(LIMIT, || reloaded.count() > 0);
        reloaded.replace(&version('w', 7));
        weir.wait(LIMIT, || reloaded.versions().contains_key(&7));
        // A broken file changes nothing, and the next one is taken.
        reloaded.replace(b"half a compon");
        weir.wait(LIMIT, || reloaded.status()["plugin"]["last"]["result"] == "refused");
        reloaded.replace(&version('w', 8));
        weir.wait(LIMIT, || reloaded.versions().contains_key(&8));
        // So does a broken pipeline file.
        let plugin = std::mem::replace(&mut reloaded.pipeline.plugin, "plugin = 7".into());
        reloaded.pipeline.file();
        let last = || reloaded.status()["plugin"]["last"]["reason"].as_str().unwrap_or_default().to_string();
        weir.wait(LIMIT, || last().contains("must be a string"));
        // What changes beside the transforms waits for the next start.
        reloaded.pipeline.plugin = plugin.replace("versioned.wasm", "other.wasm") + "\nmay_drop_columns = true";
        std::fs::write(reloaded.pipeline.folder.join("other.wasm"), version('a', 9)).expect("the file is written");
        reloaded.pipeline.interval = "2s";
        reloaded.pipeline.file();
        weir.wait(LIMIT, || reloaded.versions().contains_key(&9));
        weir.wait_log("takes effect at the next start", LIMIT);
    });
    let wanted = made.count;
    weir.wait(LIMIT, || reloaded.count() >= wanted);
    assert_eq!(weir.stop().code(), Some(0), "{}", weir.log());
    assert_eq!(Oracle::shared().span_ids(&reloaded.pipeline.traces()), made);
    assert!(reloaded.versions().keys().copied().eq([0, 7, 8, 9]));
}

#[test]
fn a_swap_by_the_command_line_says_what_came_of_it() {
    let reloaded = Reloaded::new("reload-command", 1, "canary = 1");
    let file = reloaded.pipeline.file();
    let folder = &reloaded.pipeline.folder;
    let (good, bad) = (folder.join("good.wasm"), folder.join("bad.wasm"));
    std::fs::write(&good, version('a', 1)).expect("the file is written");
    std::fs::write(&bad, version('r', 2)).expect("the file is written");
    let swap = |place: &str, file: &PathBuf| Weir::output(&["plugin", "swap", place, &file.display().to_string()]);
    refused(&swap(&file, &good), 1, &["no process answers"]);
    let mut weir = reloaded.pipeline.start();
    let (made, ()) = under_load("reload-command", reloaded.port, 4, || {
        weir.wait(LIMIT, || reloaded.count() > 0);
        refused(&swap(&file, &bad), 1, &["rolled back", "not to its liking"]);
        let output = swap(&format!("127.0.0.1:{}", reloaded.port), &good);
        assert!(output.status.success() && said(&output).contains("the plugin is live"), "{}", said(&output));
        let status = said(&Weir::output(&["status", &file]));
        assert!(status.contains("a plugin was swapped") && status.contains("plugins: good"), "{status}");
    });
    let wanted = made.count;
    weir.wait(LIMIT, || reloaded.count() >= wanted);
    assert_eq!(weir.stop().code(), Some(0), "{}", weir.log());
    assert_eq!(Oracle::shared().span_ids(&reloaded.pipeline.traces()), made);
}

#[test]
fn a_shadow_is_counted_against_the_live_plugin_and_its_rows_go_nowhere() {
    let reloaded = Reloaded::new("shadow", 1, "shadow = \"./shadow.wasm\"");
    let shadow = reloaded.pipeline.folder.join("shadow.wasm");
    std::fs::write(&shadow, version('a', 5)).expect("the file is written");
    let mut weir = reloaded.pipeline.start();
    let shown = |what: &str| reloaded.status()["plugin"]["shadow"][what].as_u64().unwrap_or(0);
    let (made, ()) = under_load("shadow", reloaded.port, 5, || {
        weir.wait(LIMIT, || shown("different") > 0);
        std::fs::write(&shadow, version('r', 6)).expect("the file is written");
        weir.wait(LIMIT, || shown("worse") > 0);
        std::fs::write(&shadow, version('a', 0)).expect("the file is written");
        weir.wait(LIMIT, || shown("alike") > 0);
        assert_eq!((shown("different"), shown("worse")), (0, 0));
        let metrics = get(reloaded.port, "/metrics").expect("an answer").body;
        assert!(
            metrics.contains("weir_plugin_shadow_batches_total{pipeline=\"shadow\",result=\"alike\"}"),
            "{metrics}"
        );
    });
    let wanted = made.count;
    weir.wait(LIMIT, || reloaded.count() >= wanted);
    assert_eq!(weir.stop().code(), Some(0), "{}", weir.log());
    assert_eq!(Oracle::shared().span_ids(&reloaded.pipeline.traces()), made);
    assert!(reloaded.versions().keys().copied().eq([0]));
}
