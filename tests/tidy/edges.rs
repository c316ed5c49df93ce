//! Who may depend on whom, read from `cargo metadata`.

use std::process::Command;

use serde_json::Value;

use crate::root;

/// What a package of the workspace may see of the others, in any kind of dependency. What is not in the list sees none.
const INTERNAL: &[(&str, &[&str])] = &[
    ("weir", &["weir-pipeline", "weir-kafka", "weir-otlp", "weir-wasm", "weir-iceberg", "weir-query", "weir-demo"]),
    ("weir-kafka", &["weir-pipeline"]),
    ("weir-otlp", &["weir-pipeline"]),
    ("weir-wasm", &["weir-pipeline"]),
    ("weir-iceberg", &["weir-pipeline"]),
    ("weir-demo", &["weir-pipeline"]),
    ("weir-query", &["weir-pipeline", "weir-iceberg"]),
    ("weir-pipeline", &[]),
    ("weir-sdk", &[]),
    ("weir-tidy", &[]),
    (
        "weir-tests",
        &[
            "weir",
            "weir-pipeline",
            "weir-kafka",
            "weir-otlp",
            "weir-wasm",
            "weir-iceberg",
            "weir-query",
            "weir-demo",
            "weir-sdk",
            "flatten-spans",
            "flatten-logs",
            "flatten-metrics",
            "redact-attributes",
            "drop-health-checks",
        ],
    ),
];

/// What a plugin, a package below `plugins`, may see.
const PLUGIN: &[&str] = &["weir-sdk"];

/// Large libraries and the packages that wrap them: nothing else sees their types.
const EXTERNAL: &[(&str, &[&str])] = &[
    ("rdkafka", &["weir-kafka", "weir-demo", "weir-tests"]),
    ("rdkafka-sys", &["weir-kafka", "weir-demo", "weir-tests"]),
    ("wasmtime", &["weir-wasm"]),
    ("iceberg", &["weir-iceberg", "weir-query"]),
    ("parquet", &["weir-iceberg", "weir-query"]),
    ("datafusion", &["weir-query"]),
];

/// A package of the workspace and all that its manifest depends on.
#[derive(Debug)]
pub(crate) struct Package {
    name: String,
    is_plugin: bool,
    dependencies: Vec<String>,
}

/// The packages of the workspace.
pub(crate) fn packages() -> Vec<Package> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).current_dir(root());
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "cargo metadata fails: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    metadata["packages"].as_array().expect("packages").iter().map(package).collect()
}

fn package(described: &Value) -> Package {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    Package {
        name: text(&described["name"]),
        is_plugin: text(&described["manifest_path"]).contains("/plugins/"),
        dependencies: described["dependencies"]
            .as_array()
            .expect("dependencies")
            .iter()
            .map(|d| text(&d["name"]))
            .collect(),
    }
}

/// Dependencies inside the workspace that point the wrong way.
pub(crate) fn internal(packages: &[Package]) -> Vec<String> {
    let mut broken = Vec::new();
    for package in packages {
        let listed = INTERNAL.iter().find(|(name, _)| *name == package.name).map_or(&[][..], |(_, seen)| *seen);
        let allowed = if package.is_plugin { PLUGIN } else { listed };
        let inside = |name: &&String| packages.iter().any(|other| other.name == **name) && **name != package.name;
        let seen = package.dependencies.iter().filter(inside);
        broken.extend(
            seen.filter(|name| !allowed.contains(&name.as_str())).map(|name| format!("{} -> {name}", package.name)),
        );
    }
    broken
}

/// Dependencies on a wrapped library from outside its wrapper.
pub(crate) fn external(packages: &[Package]) -> Vec<String> {
    let mut broken = Vec::new();
    for package in packages {
        for (library, users) in EXTERNAL {
            let uses = package.dependencies.iter().any(|name| name == library);
            if uses && !users.contains(&package.name.as_str()) {
                broken.push(format!("{} -> {library}", package.name));
            }
        }
    }
    broken
}

#[test]
fn an_edge_that_points_up_is_found() {
    let package = |name: &str, is_plugin, dependencies: &[&str]| Package {
        name: name.to_owned(),
        is_plugin,
        dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
    };
    let packages = [
        package("weir-pipeline", false, &["weir-kafka", "serde"]),
        package("weir-kafka", false, &["weir-pipeline", "rdkafka", "parquet"]),
        package("weir-sdk", false, &[]),
        package("flatten", true, &["weir-sdk", "weir-pipeline"]),
    ];
    assert_eq!(internal(&packages), ["weir-pipeline -> weir-kafka", "flatten -> weir-pipeline"]);
    assert_eq!(external(&packages), ["weir-kafka -> parquet"]);
}
