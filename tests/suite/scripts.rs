//! Plugins in JavaScript and Python: what their authors get wrong is told with function, record and place, and what their
//! runtimes leak costs no row.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use weir_tests::http::get;
use weir_tests::process::{command, free_port};
use weir_tests::{Oracle, Scratch, Weir, component, kept_plugin, script_tools};

use crate::pipeline::{LIMIT, Pipeline, refused, said};

const TESTS: &str = env!("CARGO_MANIFEST_DIR");

fn mistakes(language: &str) -> PathBuf {
    kept_plugin(&Path::new(TESTS).join("guests").join(format!("mistakes-{language}")))
}

/// A call with one record.
fn invoke(plugin: &Path, settings: &[&str]) -> Output {
    let (plugin, sample) =
        (plugin.display().to_string(), concat!(env!("CARGO_MANIFEST_DIR"), "/golden/collector/traces.json"));
    let mut arguments = vec!["--log", "info", "invoke", &plugin, sample, "--calls", "1"];
    arguments.extend(settings.iter().flat_map(|set| ["--set", set]));
    Weir::output(&arguments)
}

#[test]
fn a_mistake_in_javascript_is_told_with_function_record_and_place() {
    let plugin = mistakes("javascript");
    let record = "transform, record 1 of 1 (offset 0): ";
    let name = "plugin mistakes-javascript";
    for (act, told) in [
        ("mistake", ["TypeError: cannot read property 'length' of undefined", "mistake (/plugin.js:6"]),
        ("nothing", ["TypeError: transform gives the record's value, changed or not, and it gave undefined", record]),
        ("clock", ["a plugin has no clock", "clock (/plugin.js:9"]),
        ("hog", ["out of memory", "hog (/plugin.js:12"]),
    ] {
        refused(&invoke(&plugin, &[&format!("act={act}")]), 1, &[name, record, told[0], told[1], "working"]);
    }
    refused(&invoke(&plugin, &["act=spin"]), 1, &[name, "more than 2s of CPU time"]);
    let refusal = invoke(&plugin, &["act=refuse"]);
    assert!(refusal.status.success() && said(&refusal).contains("not today"), "{}", said(&refusal));
    let at_once = ["configure: TypeError: cannot read property 'length' of undefined", "mistake (/plugin.js:6"];
    refused(&invoke(&plugin, &["act=refuse", "at_once=true"]), 2, &[name, at_once[0], at_once[1]]);
}

#[test]
fn a_mistake_in_python_is_told_with_function_record_and_place() {
    let plugin = mistakes("python");
    let record = "transform, record 1 of 1 (offset 0): ";
    let name = "plugin mistakes-python";
    for (act, told) in [
        ("mistake", ["AttributeError: 'Message' object has no attribute 'valeu'", "plugin.py:24 <lambda>"]),
        ("nothing", ["TypeError: transform gives the record's value, changed or not, and it gave NoneType", record]),
        ("clock", ["RuntimeError: a plugin has no clock", "plugin.py:27 <lambda>"]),
        ("file", ["PermissionError: a plugin has no files", "plugin.py:28 <lambda>"]),
        (
            "import",
            ["ModuleNotFoundError: No module named 'wave'; what a plugin needs is imported at its head", record],
        ),
        ("hog", ["MemoryError", "plugin.py:11 hog < plugin.py:30 <lambda>"]),
    ] {
        refused(&invoke(&plugin, &[&format!("act={act}")]), 1, &[name, record, told[0], told[1], "working"]);
    }
    refused(&invoke(&plugin, &["act=spin"]), 1, &[name, "more than 2s of CPU time"]);
    let refusal = invoke(&plugin, &["act=refuse"]);
    assert!(refusal.status.success() && said(&refusal).contains("not today"), "{}", said(&refusal));
    let at_once = ["configure: AttributeError: 'NoneType' object has no attribute 'valeu'", "plugin.py:40 __init__"];
    refused(&invoke(&plugin, &["act=refuse", "at_once=true"]), 2, &[name, at_once[0], at_once[1]]);
}

#[test]
fn what_is_wrong_with_a_script_is_told_when_it_is_built() {
    let scratch = Scratch::new("scripts-build");
    let build = |file: &str, text: &str| {
        let folder = scratch.join("wrong");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::write(folder.join(file), text).expect("a file");
        let mut weir = command(Weir::binary());
        weir.args(["plugin", "build"]).arg(&folder).env("PATH", script_tools()).output().expect("weir runs")
    };
    let nowhere = "says nowhere what it is: one line begins with `";
    refused(&build("plugin.js", "export const x = 1;\n"), 1, &[nowhere, "`export const otlpToOtlp`"]);
    refused(&build("plugin.py", "import weir\n"), 1, &[nowhere, "`@weir.arrow_to_arrow`"]);
    let import = "import * as weir from './.weir/weir.js';\n";
    let wrong = build("plugin.js", &format!("{import}export const otlpToOtlp = weir.otlpToOtpl();\n"));
    refused(&wrong, 1, &["not a function", "/plugin.js:2:", "the plugin does not build: componentize-qjs says why"]);
    let wrong = build("plugin.py", "import weir\n\n@weir.otlp_to_otlp\nclass Plugin:\n    pass\n");
    refused(&wrong, 1, &["line 3, in <module>", "Plugin has no method transform", "componentize-py says why above"]);
}

/// The value of a plugin's metric.
fn metric(port: u16, name: &str) -> f64 {
    let body = get(port, "/metrics").map(|answer| answer.body).unwrap_or_default();
    let of_plugin = |line: &&str| line.starts_with(name) && line.contains("plugin=\"redact-attributes-python\"");
    let value = |line: &str| line.rsplit(' ').next().and_then(|number| number.parse::<f64>().ok());
    body.lines().filter(of_plugin).filter_map(value).sum()
}

#[test]
fn a_plugin_that_leaks_is_started_anew_by_its_memory_and_no_row_is_lost() {
    const MEMORY_MIB: f64 = 40.0;
    let plugin = kept_plugin(&Path::new(TESTS).join("../plugins/redact-attributes-python"));
    let mut pipeline = Pipeline::new("leak", 2);
    let port = free_port();
    pipeline.plugin = format!(
        "plugin = \"{}\"\nconfig = {{ hash = [\"client.address\"] }}\nlimits = {{ memory = \"{MEMORY_MIB}MiB\" }}\n\
         [[transform]]\nplugin = \"flatten-spans\"",
        plugin.display()
    );
    pipeline.sections = format!("[admin]\nlisten = \"127.0.0.1:{port}\"\n");
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    // Each worker's instance returns, and leaks, more than its memory has room for.
    let made = pipeline.produce(1, 300 * workers, 100);
    let mut weir = pipeline.start();
    let oracle = Oracle::shared();
    weir.wait(LIMIT, || metric(port, "weir_plugin_counter_total") >= made.count as f64);
    let (instances, peak) =
        (metric(port, "weir_plugin_instances_total"), metric(port, "weir_plugin_peak_memory_bytes"));
    // One that was asked for the plugin's world, and one for each worker, were there at the start.
    assert!(instances >= workers as f64 + 3.0, "{instances} instances: what it leaks was not enough to start it anew");
    assert!(peak > 0.0 && peak <= MEMORY_MIB * 1024.0 * 1024.0, "{peak} bytes");
    assert_eq!(metric(port, "weir_plugin_step_failures_total"), 0.0);
    assert_eq!(weir.stop().code(), Some(0), "{}", weir.log());
    assert_eq!(oracle.span_ids(&pipeline.traces()), made);
    assert_eq!(oracle.count(&pipeline.dead_letters()), Some(0));
}

#[test]
fn the_sdks_pass_their_own_tests() {
    let sdks = Path::new(TESTS).join("../guest-sdk");
    let well = |mut tests: Command| {
        let output = tests.output().expect("the tests run");
        assert!(output.status.success(), "{}", said(&output));
    };
    let mut node = command("node");
    node.current_dir(sdks.join("javascript")).args(["--test", "test/"]);
    well(node);
    let mut python = command(component("python").join("venv/bin/python"));
    python.current_dir(sdks.join("python")).args(["-B", "-m", "unittest"]);
    well(python);
}
