//! From nothing to a plugin that works: `weir plugin` with each template.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use weir_tests::process::command;
use weir_tests::{Scratch, Weir};

use crate::pipeline::{refused, said};

/// `weir plugin` in a folder. What is built goes where the other test plugins are built.
fn plugin(folder: &Path, arguments: &[&str]) -> Output {
    let mut weir = command(Weir::binary());
    weir.current_dir(folder).arg("plugin").args(arguments);
    weir.env("CARGO_TARGET_DIR", concat!(env!("CARGO_MANIFEST_DIR"), "/../target/guests"));
    weir.env("CARGO_NET_OFFLINE", "true").env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    weir.output().expect("weir runs")
}

fn well(folder: &Path, arguments: &[&str]) -> String {
    let output = plugin(folder, arguments);
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn each_template_is_a_plugin_that_passes_its_test_and_fails_it_when_it_gives_something_else() {
    let scratch = Scratch::new("plugin-author");
    for (world, rows) in [("otlp-to-otlp", 1), ("otlp-to-arrow", 2), ("arrow-to-arrow", 1)] {
        let name = format!("try-{world}");
        well(scratch.path(), &["new", &name, "--world", world]);
        refused(&plugin(scratch.path(), &["new", &name]), 2, &["is there already"]);
        refused(&plugin(scratch.path(), &["test", &name]), 1, &["expected.jsonl", "--accept writes it"]);
        well(scratch.path(), &["test", &name, "--accept"]);
        let told = well(scratch.path(), &["test", &name]);
        assert!(told.starts_with("ok      first: ") && told.contains(&format!("first: {rows} lines in ")), "{told}");

        let component = format!("./{name}/{name}.wasm");
        let shown: Value =
            serde_json::from_str(&well(scratch.path(), &["--output", "json", "inspect", &component])).expect("JSON");
        assert_eq!((shown["world"].as_str(), shown["plugin"].as_str()), (Some(world), Some(name.as_str())));
        assert_eq!(shown["digest"].as_str().map(str::len), Some(64));
        assert_eq!(shown["tables"].is_null(), world == "otlp-to-otlp");

        let expected = scratch.join(&name).join("cases/first/expected.jsonl");
        let text = std::fs::read_to_string(&expected).expect("rows").replace("GET /cart", "GET /basket");
        std::fs::write(&expected, text).expect("rows");
        let failed = plugin(scratch.path(), &["test", &name, "--plugin", &component]);
        refused(&failed, 1, &["FAILED  first", "line 1: expected", "GET /basket", "1 of 1 cases gave something else"]);
    }
}

#[test]
fn what_is_no_plugin_and_no_name_is_told() {
    let scratch = Scratch::new("no-plugin-author");
    refused(&plugin(scratch.path(), &["build"]), 2, &["has no plugin: none of Cargo.toml"]);
    refused(&plugin(scratch.path(), &["new", "My Plugin"]), 2, &["is no name for a plugin"]);
    refused(&plugin(scratch.path(), &["new", "mine", "--sdk", "/nowhere"]), 2, &["weir-sdk is not at /nowhere"]);
    refused(&plugin(scratch.path(), &["inspect", "flatten-span"]), 2, &["there is no plugin flatten-span"]);
    let shown = well(scratch.path(), &["inspect", "keep-columns", "--set", "drop=color"]);
    assert!(shown.contains("none with these settings") && shown.contains("named `color`"), "{shown}");
}
