//! One try: a pipeline with two tables and dead letters, some processes, and records that keep coming.

use weir_tests::{Kafka, Oracle, SpanIds, Weir, process, until};

use super::audit;
use super::report::Tried;
use crate::pipeline::{Catalog, LIMIT, Pipeline, said};
use crate::tables::{UNREADABLE, assert_once, produce_with, start_with, two_tables};

/// As long as records keep coming: a point is passed often enough by then.
const ROUNDS: usize = 40;

pub(super) struct Trial {
    pub(super) pipeline: Pipeline,
    pub(super) seed: u64,
    pub(super) processes: usize,
    /// Of the topic's spans, those that must be there.
    pub(super) made: SpanIds,
    /// As many records must be among the dead letters.
    pub(super) letters: usize,
    /// What comes to each partition with each round that no table takes.
    pub(super) bad: &'static str,
    pub(super) met: bool,
    /// Whether offsets were left out, as a flag allowed: the ranges do not join.
    pub(super) leaves_out: bool,
    /// Whether rows are there that no record gave.
    pub(super) is_foreign: bool,
    own: Option<Kafka>,
    round: u64,
}

impl Trial {
    pub(super) fn new(name: &str, seed: u64, processes: usize, catalog: Catalog) -> Self {
        Self {
            pipeline: two_tables(name, 3).in_catalog(catalog),
            seed,
            processes,
            made: SpanIds { count: 0, distinct: 0, xor: 0 },
            letters: 0,
            bad: UNREADABLE,
            met: false,
            leaves_out: false,
            is_foreign: false,
            own: None,
            round: 0,
        }
    }

    pub(super) fn kafka(&self) -> &Kafka {
        self.own.as_ref().unwrap_or_else(|| Kafka::shared())
    }

    /// Goes on with a broker of its own.
    pub(super) fn take_own_kafka(&mut self) -> &mut Kafka {
        self.own.get_or_insert_with(|| {
            let kafka = Kafka::start();
            kafka.create_topic(&self.pipeline.name, 3);
            self.pipeline.brokers = kafka.bootstrap();
            kafka
        })
    }

    /// A round of records.
    pub(super) fn produce(&mut self) {
        let (more, letters) = self.produce_uncounted();
        self.made += more;
        self.letters += letters;
    }

    /// A round of records that may be lost. Gives what it is, in spans and in dead letters.
    pub(super) fn produce_uncounted(&mut self) -> (SpanIds, usize) {
        self.round += 1;
        let seed = self.seed * 1000 + self.round;
        let made = produce_with(self.kafka(), &self.pipeline, seed, (6, 50), self.bad);
        (made, self.kafka().end_offsets(&self.pipeline.name).len())
    }

    /// Starts as many processes as are to take part, but for some.
    pub(super) fn start_but(&self, some: usize) -> Vec<Weir> {
        (some..self.processes).map(|_| self.pipeline.start()).collect()
    }

    /// What the group has acked, partition by partition.
    pub(super) fn acked(&self) -> Vec<i64> {
        let name = &self.pipeline.name;
        let acked = self.kafka().acked(&format!("weir-{name}"), name);
        acked.into_iter().map(Option::unwrap_or_default).collect()
    }

    /// Whether all that is in the topic is committed and acked.
    pub(super) fn is_caught_up(&self) -> bool {
        self.acked() == self.kafka().end_offsets(&self.pipeline.name)
    }

    pub(super) fn catch_up(&self) {
        let mut asked = 0;
        until(&format!("{} to catch up", self.pipeline.name), LIMIT, || {
            asked += 1;
            // An ack is lost with the process that was to send it; the table knows all the same.
            let is_committed = asked % 50 == 0 && self.committed() == self.kafka().end_offsets(&self.pipeline.name);
            (is_committed || self.is_caught_up()).then_some(())
        });
    }

    /// V of the first table, partition by partition, as PyIceberg reads it.
    fn committed(&self) -> Vec<i64> {
        let offsets = Oracle::shared().python(
            Some(&self.pipeline.traces()),
            &format!(
                "t = snapshot(at)\nv = t and t.metadata.properties.get('weir.{}.offsets')\n\
                 result = [p[1] for topic in json.loads(v)['topics'] for p in sorted(topic['partitions'])] if v else []",
                self.pipeline.name
            ),
        );
        offsets.as_array().into_iter().flatten().filter_map(serde_json::Value::as_i64).collect()
    }

    /// Rounds of records, each taken in before the next.
    pub(super) fn feed(&mut self, rounds: usize) {
        for _ in 0..rounds {
            self.produce();
            self.catch_up();
        }
    }

    /// One process meets the fault at a passage that the seed says; others, if there are any, do not.
    pub(super) fn meet(&mut self, point: &str, action: &str, last: u64) {
        let passage = 1 + (self.seed * 7 + point.len() as u64) % last;
        self.produce();
        if action == "stop" {
            // Its next version is long deleted when it wakes.
            self.pipeline.sections += "[sink.iceberg.tables.spans.properties]\n\
                \"write.metadata.delete-after-commit.enabled\" = \"true\"\n\
                \"write.metadata.previous-versions-max\" = \"2\"\n";
        }
        let mut meets = start_with(&self.pipeline, &format!("{point}:{passage}:{action}"), &[]);
        let mut others = if point == "revoking" {
            // It has all partitions before anybody else comes.
            self.catch_up();
            self.produce();
            (1..self.processes.max(2)).map(|_| self.pipeline.start()).collect()
        } else {
            self.start_but(1)
        };
        for _ in 0..ROUNDS {
            self.produce();
            until(&format!("{} to catch up, or the fault", self.pipeline.name), LIMIT, || {
                self.met = is_met(&mut meets, action);
                (self.met || self.is_caught_up()).then_some(())
            });
            if self.met {
                break;
            }
        }
        if action == "stop" && self.met {
            // Others go on without it, past its session.
            others.push(self.pipeline.start());
            self.feed(4);
            self.produce();
            meets.resume();
        }
        stop(&mut others);
        meets.stop();
        // Among several, another one may have had all the work.
        assert!(self.met || self.processes > 1 && point != "revoking", "the fault was never met");
    }

    /// Takes in what is left, and counts.
    pub(super) fn end(self) -> Tried {
        self.run_well(&[]);
        let (met, spans, letters) = (self.met, self.made.count, self.letters as u64);
        let found = Oracle::shared().span_ids(&self.pipeline.traces());
        let (lost, doubled) = (spans.saturating_sub(found.distinct), found.count - found.distinct);
        let tried = Tried { met, spans, letters, lost, doubled };
        if lost + doubled > 0 {
            return tried;
        }
        assert_once(&self.pipeline, &self.made, self.letters);
        for table in ["traces", "events", "dead_letters"] {
            audit::assert_sound(&self.pipeline.table(table), table == "traces" && !self.leaves_out);
        }
        if !self.leaves_out && !self.is_foreign {
            audit::assert_same_again(&self);
        }
        tried
    }

    /// Runs to the end, which must be a good one.
    pub(super) fn run_well(&self, more: &[&str]) {
        let output = self.pipeline.run(more);
        assert!(output.status.success(), "{}: {}", self.pipeline.name, said(&output));
    }
}

/// Stops processes, each of which may have ended.
pub(super) fn stop(running: &mut [Weir]) {
    running.iter_mut().for_each(|weir| {
        weir.stop();
    });
}

/// A command that runs a pipeline file.
pub(super) fn command(file: &str) -> std::process::Command {
    let mut weir = process::command(Weir::binary());
    weir.args(["run", file]);
    weir
}

/// Whether the process has ended, or is stopped. An error leaves no trace but in the log.
pub(super) fn is_met(weir: &mut Weir, action: &str) -> bool {
    match action {
        "abort" => weir.ended().is_some(),
        "stop" => std::fs::read_to_string(format!("/proc/{}/stat", weir.id()))
            .is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))),
        _ => weir.log().contains("a fault that was asked for"),
    }
}
