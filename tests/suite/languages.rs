//! A plugin is the same in every language: equal rows, no import but the contract's, refusals in words, and templates that
//! work.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use weir_tests::process::command;
use weir_tests::{Oracle, Scratch, Weir, component, kept_plugin};

use crate::pipeline::{Pipeline, refused, said};

/// A language beside Rust.
#[derive(Clone, Copy)]
struct Language {
    /// As `--lang` has it; `plugins/redact-attributes-NAME` is the example.
    name: &'static str,
    /// The kit's component whose folder has the language's tools; none where they are on the path.
    tools: Option<&'static str>,
    /// What is said where the tools are missing.
    missing: &'static str,
    /// What `--no-stubs` refuses by name; none where there is nothing to refuse.
    wasi: Option<&'static str>,
    /// Whether its components are kept from run to run, for they take long to compile.
    is_kept: bool,
}

const LANGUAGES: [Language; 4] = [
    Language { name: "c", tools: Some("c"), missing: "apt-get install clang-19", wasi: None, is_kept: false },
    Language { name: "go", tools: None, missing: "of https://go.dev/dl", wasi: Some("clock_time_get"), is_kept: false },
    Language {
        name: "javascript",
        tools: Some("javascript"),
        missing: "toolchains/javascript componentize-qjs@0.4.5",
        wasi: Some("wasi:clocks/wall-clock@0.2"),
        is_kept: true,
    },
    Language {
        name: "python",
        tools: Some("python"),
        missing: "toolchains/python/bin/pip install componentize-py==0.25.1",
        wasi: Some("wasi:clocks/wall-clock@0.2"),
        is_kept: true,
    },
];

const TESTS: &str = env!("CARGO_MANIFEST_DIR");

impl Language {
    fn path(self) -> OsString {
        let system = std::env::var_os("PATH").unwrap_or_default();
        let tools = self.tools.map(component);
        std::env::join_paths(tools.into_iter().chain(std::env::split_paths(&system))).expect("a path")
    }

    /// `weir plugin` in a folder, with the language's tools at hand.
    fn plugin(self, folder: &Path, arguments: &[&str]) -> Output {
        let mut weir = command(Weir::binary());
        weir.current_dir(folder).arg("plugin").args(arguments).env("PATH", self.path());
        weir.output().expect("weir runs")
    }

    fn well(self, folder: &Path, arguments: &[&str]) -> String {
        let output = self.plugin(folder, arguments);
        assert!(output.status.success(), "{}: {}", self.name, said(&output));
        String::from_utf8(output.stdout).expect("text")
    }

    fn example_folder(self) -> String {
        format!("plugins/redact-attributes-{}", self.name)
    }

    /// The component of the language's example.
    fn example(self) -> PathBuf {
        self.built(&self.example_folder())
    }

    /// The component of a folder of the source, built of a copy when a test first asks for it.
    fn built(self, source: &str) -> PathBuf {
        if self.is_kept {
            return kept_plugin(&Path::new(TESTS).join("..").join(source));
        }
        // One at a time: a compiler uses all there is.
        static BUILT: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let (_, name) = source.rsplit_once('/').expect("a folder in a folder");
        let folder = Path::new(TESTS).join("../target/guests/languages").join(name);
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        if !built.iter().any(|there| there == name) {
            let _ = std::fs::remove_dir_all(&folder);
            copy(&Path::new(TESTS).join("..").join(source), &folder);
            self.well(&folder, &["build"]);
            built.push(name.to_owned());
        }
        folder.join(format!("{name}.wasm"))
    }
}

/// Copies a folder's files, and those of the folders in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("a copy");
        }
    }
}

/// A pipeline of a redacting plugin and the flatten plugin of a signal, with all that holds attributes in its tables.
fn pipeline(signal: &str, plugin: &str) -> String {
    let (flatten, columns, tables): (_, _, &[&str]) = match signal {
        "traces" => ("flatten-spans", "\"scope_attributes\", \"links\"", &["spans"]),
        "logs" => ("flatten-logs", "", &["logs"]),
        _ => {
            let kinds = &["gauge", "sum", "histogram", "exponential_histogram", "summary"];
            ("flatten-metrics", "\"metric_metadata\"", kinds)
        }
    };
    // The samples of golden/redact have a value of each kind under h00 to h29.
    let kinds: String = (0..30).map(|at| format!(", \"h{at:02}\"")).collect();
    let tables: String =
        tables.iter().map(|table| format!("[sink.iceberg.tables.{table}]\nname = \"t.{table}\"\n")).collect();
    format!(
        "name = \"redact\"\n[source.kafka]\nbrokers = [\"127.0.0.1:1\"]\ntopics = [\"t\"]\nsignal = \"{signal}\"\n\
         encoding = \"otlp_proto\"\nstart = \"earliest\"\n[[transform]]\nplugin = \"{plugin}\"\n\
         config = {{ drop = [\"secret\", \"app\"], hash = [\"user\", \"http.response.status_code\", \"cache.hit\"{kinds}] }}\n\
         [[transform]]\nplugin = \"{flatten}\"\nconfig = {{ columns = [{columns}] }}\n[sink.iceberg]\n\
         catalog = {{ type = \"hadoop\" }}\nwarehouse = \"./lake\"\n[dead_letter]\ntable = \"t.dead\"\n{tables}"
    )
}

/// The rows that come of a captured record, and why it is refused if it is.
fn rows(scratch: &Scratch, signal: &str, plugin: &str, sample: &Path) -> Vec<Value> {
    let file = scratch.join("pipeline.toml");
    std::fs::write(&file, pipeline(signal, plugin)).expect("a file");
    let (file, sample) = (file.display().to_string(), sample.display().to_string());
    let output = Weir::output(&["--output", "json", "invoke", &file, &sample, "--calls", "1"]);
    assert!(output.status.success(), "{plugin}: {}", said(&output));
    let lines = String::from_utf8(output.stdout).expect("text");
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter(|line| line["plugin"].is_null()).collect()
}

#[test]
fn the_same_plugin_gives_the_same_rows_in_every_language() {
    let scratch = Scratch::new("languages");
    let golden = Path::new(TESTS).join("golden");
    for (signal, captured) in [
        ("traces", ["redact/traces.json", "collector/traces.proto", "collector/traces-attributes.proto"]),
        ("logs", ["redact/logs.json", "collector/logs.proto", "collector/logs-attributes.proto"]),
        ("metrics", ["redact/metrics.json", "collector/metrics.proto", "collector/metrics-histogram.proto"]),
    ] {
        for sample in captured {
            let sample = golden.join(sample);
            let wanted = rows(&scratch, signal, "redact-attributes", &sample);
            assert!(!wanted.is_empty() && !Value::from(wanted.clone()).to_string().contains("s3cret"));
            if let Ok(text) = std::fs::read_to_string(sample.with_extension("rows")) {
                let kept = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
                assert_eq!(wanted, kept.collect::<Vec<_>>(), "{}", sample.display());
            }
            for language in LANGUAGES {
                let plugin = language.example().display().to_string();
                let given = rows(&scratch, signal, &plugin, &sample);
                assert_eq!(given, wanted, "{} of {}", language.name, sample.display());
            }
        }
    }
}

#[test]
fn plugins_of_all_languages_work_in_one_chain_and_each_span_arrives_once() {
    let mut pipeline = Pipeline::new("languages", 2);
    let drops = ["client.address", "user_agent.original", "http.request.method", "url.full"];
    let step = |(language, drop): (&Language, &str)| {
        format!("plugin = \"{}\"\nconfig = {{ drop = [\"{drop}\"] }}\n[[transform]]\n", language.example().display())
    };
    let redacting: String = LANGUAGES.iter().zip(drops).map(step).collect();
    pipeline.plugin = format!("{redacting}plugin = \"flatten-spans\"");
    let made = pipeline.produce(1, 20, 50);
    pipeline.run_well();
    let oracle = Oracle::shared();
    assert_eq!(oracle.span_ids(&pipeline.traces()), made);
    for row in oracle.rows(&pipeline.traces(), &["attributes"]) {
        let attributes = row["attributes"].as_object().expect("attributes");
        assert!(!attributes.is_empty() && drops[..LANGUAGES.len()].iter().all(|key| !attributes.contains_key(*key)));
    }
}

#[test]
fn a_record_that_is_malformed_is_refused_by_name_in_every_language() {
    let scratch = Scratch::new("languages-malformed");
    let good = std::fs::read(Path::new(TESTS).join("golden/collector/traces.proto")).expect("a sample");
    let sample = scratch.join("cut.proto");
    std::fs::write(&sample, &good[..good.len() - 7]).expect("a file");
    for language in LANGUAGES {
        let plugin = language.example().display().to_string();
        let given = rows(&scratch, "traces", &plugin, &sample);
        let reason = given[0]["reason"].as_str().unwrap_or_default();
        assert!(given.len() == 1 && reason.contains("the message ends within a field"), "{}: {given:?}", language.name);
    }
}

#[test]
fn settings_that_cannot_be_are_refused_in_every_language() {
    for language in LANGUAGES {
        let plugin = language.example().display().to_string();
        let refuse = |set: &[&str], why: &str| {
            let mut arguments =
                vec!["invoke", &plugin, concat!(env!("CARGO_MANIFEST_DIR"), "/golden/redact/traces.json")];
            arguments.extend(set.iter().flat_map(|set| ["--set", set]));
            refused(&Weir::output(&arguments), 2, &[why]);
        };
        refuse(&[], "there is neither");
        refuse(&["drop=a", "drop=b", "hash=b"], "`b` is both in `drop` and in `hash`");
        refuse(&["drop=a", "hush=b"], "unknown setting `hush`");
    }
}

#[test]
fn each_languages_templates_pass_their_tests_and_give_what_those_in_rust_give() {
    let scratch = Scratch::new("languages-templates");
    for language in LANGUAGES {
        let rows = ["new", "rows", "--lang", language.name, "--world", "otlp-to-arrow"];
        refused(&language.plugin(scratch.path(), &rows), 2, &["rows are made by the flatten plugins, or in Rust"]);
        for (world, sees) in [("otlp-to-otlp", "GET /cart"), ("arrow-to-arrow", "\"is_slow\":true")] {
            let name = format!("{}-{world}", language.name);
            language.well(scratch.path(), &["new", &name, "--lang", language.name, "--world", world]);
            let kept = language.is_kept.then(|| kept_plugin(&scratch.join(&name)).display().to_string());
            let test = |more: &[&str]| {
                let mut arguments = vec!["test", &name];
                arguments.extend(kept.iter().flat_map(|component| ["--plugin", component]));
                arguments.extend(more);
                language.well(scratch.path(), &arguments)
            };
            test(&["--accept"]);
            let told = test(&[]);
            assert!(told.starts_with("ok      first: 1 lines in "), "{told}");
            let expected = std::fs::read_to_string(scratch.join(&name).join("cases/first/expected.jsonl"));
            let expected = expected.expect("rows");
            // The sample has two spans. One is fast and of a client, the other is slow and of a server.
            assert!(expected.lines().count() == 1 && expected.contains(sees), "{name}: {expected}");
            assert_eq!(expected.contains("thread.id"), world == "arrow-to-arrow", "{name}: {expected}");
            assert_eq!(expected.contains("status_message"), world == "otlp-to-otlp", "{name}: {expected}");
        }
    }
}

#[test]
fn columns_of_each_kind_are_read_and_made_in_each_language_that_has_them() {
    let sample = Path::new(TESTS).join("golden/redact/traces.json").display().to_string();
    for language in LANGUAGES {
        let plugin = language.built(&format!("tests/guests/rows-{}", language.name)).display().to_string();
        let lines = |set: &[&str]| -> Vec<Value> {
            let output =
                Weir::output(&[&["--output", "json", "invoke", &plugin, &sample, "--calls", "3"], set].concat());
            assert!(output.status.success(), "{}: {}", language.name, said(&output));
            let lines = String::from_utf8(output.stdout).expect("text");
            let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
            lines.filter(|line| line["plugin"].is_null()).collect()
        };
        let rows = lines(&[]);
        let columns = ["name", "is_slow", "seconds", "half_ms", "status_message"];
        let of = |row: &Value| columns.map(|column| row[column].clone());
        let begun = 1_769_731_200;
        let wanted = [
            [json!("secret"), json!(true), json!(begun), json!(750.0), json!("shop failed")],
            [json!("kinds"), json!(false), json!(begun), Value::Null, Value::Null],
            [json!("nothing to redact"), json!(false), json!(begun), Value::Null, Value::Null],
        ];
        assert_eq!(rows.iter().map(of).collect::<Vec<_>>(), wanted, "{}", language.name);
        assert!(rows.iter().all(|row| row["events"].is_null() && row["operation_name"].is_null()), "{rows:?}");
        let refused = lines(&["--set", "refuse=kinds"]);
        let reason = refused[0]["reason"].as_str().unwrap_or_default();
        assert!(refused.len() == 1 && reason.ends_with("its name is not liked"), "{refused:?}");
    }
}

#[test]
fn no_languages_component_wants_wasi_and_stubs_are_listed_and_refused_by_name_where_they_are_not_wanted() {
    let scratch = Scratch::new("languages-stubs");
    for language in LANGUAGES {
        let plugin = language.example();
        let arguments = ["--output", "json", "inspect", &plugin.display().to_string()];
        let shown: Value = serde_json::from_str(&language.well(scratch.path(), &arguments)).expect("JSON");
        let imports = shown["imports"].as_array().expect("imports");
        assert!(imports.iter().all(|import| import.as_str().is_some_and(|name| name.starts_with("weir:plugin/"))));
        let Some(wasi) = language.wasi else { continue };
        let stubs = shown["stubs"].as_array().expect("stubs");
        assert!(stubs.iter().any(|stub| stub.as_str().is_some_and(|name| name.contains(wasi))), "{stubs:?}");
        let folder = scratch.join(language.name);
        copy(&Path::new(TESTS).join("..").join(language.example_folder()), &folder);
        refused(&language.plugin(&folder, &["build", "--no-stubs"]), 1, &["imports what no plugin gets", wasi]);
    }
}

#[test]
fn what_is_missing_to_build_a_plugin_is_told_with_where_to_get_it() {
    let scratch = Scratch::new("languages-missing");
    for language in LANGUAGES {
        language.well(scratch.path(), &["new", language.name, "--lang", language.name]);
        // Not by way of the kit, which needs a path itself.
        let mut weir = Command::new(Weir::binary());
        weir.current_dir(scratch.path()).args(["plugin", "build", language.name]).env("PATH", scratch.path());
        weir.env("XDG_CACHE_HOME", scratch.path());
        refused(&weir.output().expect("weir runs"), 1, &[language.missing]);
    }
}

#[test]
fn the_sdk_for_go_passes_its_own_tests() {
    let mut go = command("go");
    go.current_dir(Path::new(TESTS).join("../guest-sdk/go")).args(["test", "./..."]).env("GOWORK", "off");
    let output = go.output().expect("go runs: install Go 1.25 or later");
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn a_trap_is_told_with_plugin_function_record_and_the_guests_own_functions() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/collector/traces.json");
    for (language, act, told) in [
        (LANGUAGES[0], "null", ["uninitialized element; in ", "call_nobody < ", "transform"]),
        (LANGUAGES[0], "wild", ["out of bounds memory access; in ", "read_far_away < ", "transform"]),
        (LANGUAGES[0], "deep", ["in dig < dig < dig", "dig", "dig"]),
        (LANGUAGES[1], "beyond", ["index out of range [", "main.readBeyond", "main.go:"]),
        (LANGUAGES[1], "nil", ["nil pointer dereference", "main.readNothing", "main.go:"]),
    ] {
        let name = format!("mistakes-{}", language.name);
        let plugin = language.built(&format!("tests/guests/{name}")).display().to_string();
        let output = Weir::output(&["invoke", &plugin, sample, "--calls", "1", "--set", &format!("act={act}")]);
        let place = format!("trap: plugin {name}, step 1 of 2, transform of sample/0@0: ");
        refused(&output, 1, &[&place, told[0], told[1], told[2]]);
    }
}
