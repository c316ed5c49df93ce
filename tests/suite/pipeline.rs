//! A pipeline's file and folder, as a test writes them.

use std::path::PathBuf;
use std::process::Output;
use std::sync::OnceLock;
use std::time::Duration;

use weir_tests::{Kafka, Rest, Scratch, SpanIds, Spans, Table, Weir};

/// Long enough for a busy machine; a test that needs it has failed.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// 2026-01-30, the day of all made-up spans.
pub(crate) const START_NANOS: u64 = 1_769_731_200_000_000_000;

/// A pipeline over one topic of the shared Kafka, into a lake of its own.
pub(crate) struct Pipeline {
    pub(crate) name: String,
    pub(crate) folder: Scratch,
    pub(crate) brokers: String,
    pub(crate) signal: &'static str,
    pub(crate) encoding: &'static str,
    /// `catalog = ..` and `warehouse = ..`.
    pub(crate) sink: String,
    /// Who holds the heads, as `sink` says.
    pub(crate) catalog: Catalog,
    /// Which namespace all tables are in.
    pub(crate) namespace: String,
    /// What comes after the sink's own keys: sections.
    pub(crate) sections: String,
    pub(crate) plugin: String,
    pub(crate) interval: &'static str,
    pub(crate) start: &'static str,
    pub(crate) letters: bool,
    /// The tables that the plugin fills, each with where it is.
    pub(crate) tables: Vec<(&'static str, &'static str)>,
}

/// Who holds the heads of a pipeline's tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Catalog {
    /// The folder itself.
    Hadoop,
    /// A SQLite file.
    Sqlite,
    /// The REST catalog that the tests of this binary share.
    Rest,
}

impl Catalog {
    /// The REST catalog that is shared: tell tables apart by their namespace.
    pub(crate) fn rest() -> &'static Rest {
        static SHARED: OnceLock<Rest> = OnceLock::new();
        SHARED.get_or_init(Rest::start)
    }
}

impl Pipeline {
    /// A hadoop catalog in a folder, `otlp_json` from a topic of this name.
    pub(crate) fn new(name: &str, partitions: i32) -> Self {
        let kafka = Kafka::shared();
        kafka.create_topic(name, partitions);
        Self {
            name: name.into(),
            folder: Scratch::new(name),
            brokers: kafka.bootstrap(),
            signal: "traces",
            encoding: "otlp_json",
            sink: "catalog = { type = \"hadoop\" }\nwarehouse = \"./lake\"".into(),
            catalog: Catalog::Hadoop,
            namespace: "telemetry".into(),
            sections: String::new(),
            plugin: "plugin = \"flatten-spans\"".into(),
            interval: "500ms",
            start: "earliest",
            letters: true,
            tables: vec![("spans", "telemetry.traces")],
        }
    }

    /// The same with its tables' heads in another catalog; in one that is shared, in a namespace of its own.
    pub(crate) fn in_catalog(mut self, catalog: Catalog) -> Self {
        self.catalog = catalog;
        self.sink = match catalog {
            Catalog::Hadoop => self.sink,
            Catalog::Sqlite => format!(
                "catalog = {{ type = \"sql\", uri = \"sqlite://{}\", name = \"lakehouse\" }}\nwarehouse = \"./lake\"",
                self.database().display()
            ),
            Catalog::Rest => {
                self.namespace = self.name.replace('-', "_");
                format!("catalog = {{ type = \"rest\", uri = \"{}\" }}", Catalog::rest().uri())
            }
        };
        self
    }

    /// Where the heads are in [`Catalog::Sqlite`].
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join("catalog.db")
    }

    /// Produces made-up spans, some to each partition; gives their ids.
    pub(crate) fn produce(&self, seed: u64, messages: usize, spans: usize) -> SpanIds {
        let kafka = Kafka::shared();
        let partitions = kafka.end_offsets(&self.name).len();
        let mut made = Spans::new(seed, START_NANOS, 1);
        let requests = made.requests(messages, spans);
        for partition in 0..partitions {
            let mine: Vec<_> = requests.iter().skip(partition).step_by(partitions).collect();
            kafka.produce(&self.name, partition as i32, &mine);
        }
        made.made()
    }

    /// The file, as it is now.
    pub(crate) fn file(&self) -> String {
        let letters = if self.letters { "[dead_letter]\ntable = \"telemetry.dead_letters\"\n" } else { "" };
        let table = |(table, name): &(&str, &str)| {
            format!(
                "[sink.iceberg.tables.{table}]\nname = \"{name}\"\npartition_by = [\"day(timestamp)\", \
                 \"service_name\"]\nsort_by = [\"timestamp\", \"service_name\"]\n"
            )
        };
        let tables: String = self.tables.iter().map(table).collect();
        let text = format!(
            "name = \"{0}\"\n[source.kafka]\nbrokers = [\"{1}\"]\ntopics = [\"{0}\"]\nsignal = \"{9}\"\n\
             encoding = \"{2}\"\nstart = \"{8}\"\n[source.kafka.properties]\n\"heartbeat.interval.ms\" = \"500\"\n\
             \"session.timeout.ms\" = \"6000\"\n[[transform]]\n{3}\n[sink.iceberg]\n{4}\n\
             commit_interval = \"{5}\"\n{10}{6}\n{7}",
            self.name,
            self.brokers,
            self.encoding,
            self.plugin,
            self.sink,
            self.interval,
            letters,
            self.sections,
            self.start,
            self.signal,
            tables
        );
        let text = text.replace("\"telemetry.", &format!("\"{}.", self.namespace));
        let file = self.folder.join("pipeline.toml");
        // Whole or not at all: another process may be reading it.
        std::fs::write(file.with_extension("new"), text).expect("the file is written");
        std::fs::rename(file.with_extension("new"), &file).expect("the file is there");
        file.display().to_string()
    }

    pub(crate) fn lake(&self) -> PathBuf {
        self.folder.join("lake")
    }

    /// One of its tables, where PyIceberg finds it.
    pub(crate) fn table(&self, name: &str) -> Table {
        let full = format!("{}.{name}", self.namespace);
        match self.catalog {
            Catalog::Hadoop => Table::hadoop(self.lake(), &full),
            Catalog::Sqlite => {
                let uri = format!("sqlite:///{}", self.database().display());
                Table::sql("lakehouse", &uri, &format!("file://{}", self.lake().display()), &full)
            }
            Catalog::Rest => Table::rest(&Catalog::rest().uri(), &full),
        }
    }

    /// The spans' table.
    pub(crate) fn traces(&self) -> Table {
        self.table("traces")
    }

    /// The dead letters' table.
    pub(crate) fn dead_letters(&self) -> Table {
        self.table("dead_letters")
    }

    /// `weir run --until-end` with more arguments.
    pub(crate) fn run(&self, more: &[&str]) -> Output {
        let file = self.file();
        let mut args = vec!["run", "--until-end", file.as_str()];
        args.extend(more);
        Weir::output(&args)
    }

    /// Runs to the end, which must be a good one.
    pub(crate) fn run_well(&self) {
        let output = self.run(&[]);
        assert!(output.status.success(), "{}", said(&output));
    }

    /// Starts it until it is stopped.
    pub(crate) fn start(&self) -> Weir {
        Weir::start(&["run", self.file().as_str()])
    }
}

/// Everything that a command wrote.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Asserts a failure with this exit code whose text has all these parts.
pub(crate) fn refused(output: &Output, code: i32, parts: &[&str]) {
    let said = said(output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for part in parts {
        assert!(said.contains(part), "no {part:?} in: {said}");
    }
}
