//! The same pipeline through every catalog and store; PyIceberg counts.

use serde_json::json;
use weir_tests::{Nessie, Network, Oracle, Postgres, Proxy, Rest, S3, Table, Weir, until};

use crate::pipeline::{LIMIT, Pipeline, refused};
use crate::proof::files;

fn fills(pipeline: &Pipeline, table: &Table) {
    let mut made = pipeline.produce(1, 20, 100);
    pipeline.run_well();
    assert_eq!(Oracle::shared().span_ids(table), made);
    made += pipeline.produce(2, 20, 100);
    pipeline.run_well();
    assert_eq!(Oracle::shared().span_ids(table), made);
}

pub(crate) fn s3_section(s3: &S3) -> String {
    format!(
        "[sink.iceberg.s3]\nendpoint = \"{}\"\nregion = \"{}\"\npath_style = true\naccess_key_id = \"{}\"\n\
         secret_access_key = \"{}\"\n",
        s3.endpoint(),
        S3::REGION,
        S3::ACCESS_KEY,
        S3::SECRET_KEY
    )
}

#[test]
fn a_folder_is_a_whole_lake() {
    let pipeline = Pipeline::new("hadoop-folder", 2);
    fills(&pipeline, &pipeline.traces());
}

#[test]
fn sqlite_holds_the_heads() {
    let mut pipeline = Pipeline::new("sql-sqlite", 2);
    let database = pipeline.folder.join("catalog.db");
    pipeline.sink = format!(
        "catalog = {{ type = \"sql\", uri = \"sqlite://{}\", name = \"lakehouse\" }}\nwarehouse = \"./lake\"",
        database.display()
    );
    let uri = format!("sqlite:///{}", database.display());
    let warehouse = format!("file://{}", pipeline.lake().display());
    fills(&pipeline, &Table::sql("lakehouse", &uri, &warehouse, "telemetry.traces"));
}

#[test]
fn postgres_holds_the_heads() {
    let postgres = Postgres::start();
    let mut pipeline = Pipeline::new("sql-postgres", 2);
    pipeline.sink = format!(
        "catalog = {{ type = \"sql\", uri = \"{}\", name = \"lakehouse\" }}\nwarehouse = \"./lake\"",
        postgres.url()
    );
    let warehouse = format!("file://{}", pipeline.lake().display());
    fills(&pipeline, &Table::sql("lakehouse", &postgres.sqlalchemy_url(), &warehouse, "telemetry.traces"));
}

#[test]
fn a_rest_catalog_holds_the_heads() {
    let rest = Rest::start();
    let mut pipeline = Pipeline::new("rest-folder", 2);
    pipeline.sink = format!("catalog = {{ type = \"rest\", uri = \"{}\" }}", rest.uri());
    fills(&pipeline, &Table::rest(&rest.uri(), "telemetry.traces"));
}

#[test]
fn a_bucket_is_a_whole_lake_and_its_files_are_read_by_others() {
    let s3 = S3::start();
    s3.create_bucket("lake");
    let mut pipeline = Pipeline::new("hadoop-s3", 2);
    pipeline.sink = "catalog = { type = \"hadoop\" }\nwarehouse = \"s3://lake/warehouse\"".into();
    pipeline.sections = s3_section(&s3);
    let table = Table::hadoop("s3://lake/warehouse", "telemetry.traces").with(s3.pyiceberg());
    fills(&pipeline, &table);
}

#[test]
fn a_rest_catalog_over_a_bucket_holds_the_heads() {
    let s3 = S3::start();
    s3.create_bucket("lake");
    let rest = Rest::start_on_s3(&s3, "s3://lake/warehouse");
    let mut pipeline = Pipeline::new("rest-s3", 2);
    pipeline.sink = format!("catalog = {{ type = \"rest\", uri = \"{}\" }}", rest.uri());
    pipeline.sections = s3_section(&s3);
    fills(&pipeline, &Table::rest(&rest.uri(), "telemetry.traces").with(s3.pyiceberg()));
}

#[test]
fn nessie_over_a_bucket_holds_the_heads_of_processes_that_commit_at_once() {
    let s3 = S3::start();
    let lake = s3.create_bucket("lake");
    let nessie = Nessie::start(&s3, "s3://lake/warehouse");
    let mut pipeline = Pipeline::new("nessie", 4);
    pipeline.interval = "200ms";
    pipeline.sink = format!("catalog = {{ type = \"rest\", uri = \"{}\" }}", nessie.uri());
    pipeline.sections = s3_section(&s3);
    let table = Table::rest(&nessie.uri(), "telemetry.traces").with(s3.pyiceberg());
    let (file, folder) = (pipeline.file(), lake.join("warehouse"));
    let mut made = pipeline.produce(1, 20, 50);
    let mut processes = [pipeline.start(), pipeline.start()];
    let mut foreign = 0;
    for seed in 2..8 {
        made += pipeline.produce(seed, 20, 50);
        let wanted = made.count + foreign;
        processes[0].wait(LIMIT, || Oracle::shared().count(&table) >= Some(wanted));
        match seed {
            // Nessie shows the newest snapshot alone: with these, one that is no pipeline's.
            3 => {
                Oracle::shared().append(&table, &[json!({"span_id": "00000000000000ff"})]);
                foreign += 1;
            }
            5 => {
                let done = Weir::output(&["table", "compact", "--min-input-files", "2", &file, "telemetry.traces"]);
                assert!(done.status.success(), "{}", crate::pipeline::said(&done));
            }
            4 | 6 => {
                processes[1].kill9();
                processes[1] = pipeline.start();
            }
            _ => {}
        }
    }
    for process in &mut processes {
        assert_eq!(process.stop().code(), Some(0), "{}", process.log());
    }
    made += weir_tests::SpanIds { count: 1, distinct: 1, xor: 0xff };
    assert_eq!(Oracle::shared().span_ids(&table), made);
    let output = Weir::output(&["verify", &file]);
    assert!(output.status.success(), "{}", crate::pipeline::said(&output));
    // What it does not show it needs all the same, for its own history.
    let before = files(&folder, ".parquet").len();
    for args in [&["orphans", "--older-than", "0s", "--delete", "--writers-stopped"][..], &["expire", "--keep", "1"]] {
        let output = Weir::output(&[&["table"], args, &[file.as_str(), "telemetry.traces"]].concat());
        refused(&output, 1, &["gc.enabled = false", "Nessie"]);
    }
    assert_eq!(files(&folder, ".parquet").len(), before);
}

#[test]
fn a_commit_whose_answer_is_lost_is_not_made_twice() {
    let rest = Rest::start();
    let proxy = Proxy::start(rest.port());
    let mut pipeline = Pipeline::new("lost-answers", 1);
    pipeline.sink = format!("catalog = {{ type = \"rest\", uri = \"http://127.0.0.1:{}\" }}", proxy.port());
    let table = Table::rest(&rest.uri(), "telemetry.traces");
    let mut made = pipeline.produce(1, 10, 100);
    let mut weir = pipeline.start();
    let mut wanted = made.count;
    weir.wait(LIMIT, || Oracle::shared().count(&table) == Some(wanted));
    for seed in 2..6 {
        proxy.set(Network::PostAnswersLost);
        made += pipeline.produce(seed, 10, 100);
        // It is in the table though nobody was told.
        wanted = made.count;
        until("the commit", LIMIT, || (Oracle::shared().count(&table) >= Some(wanted)).then_some(()));
        proxy.set(Network::Healthy);
    }
    assert_eq!(weir.stop().code(), Some(0), "{}", weir.log());
    assert_eq!(Oracle::shared().span_ids(&table), made);
}

#[test]
fn a_catalog_that_checks_no_requirements_is_found_out_before_anything_is_changed() {
    let rest = Rest::start();
    let proxy = Proxy::start(rest.port());
    let mut pipeline = Pipeline::new("no-requirements", 1);
    pipeline.sink = format!("catalog = {{ type = \"rest\", uri = \"http://127.0.0.1:{}\" }}", proxy.port());
    let table = Table::rest(&rest.uri(), "telemetry.traces");
    let made = pipeline.produce(1, 10, 100);
    pipeline.run_well();
    let state =
        || Oracle::shared().python(Some(&table), "t = load(at)\nresult = [s.snapshot_id for s in t.snapshots()]");
    let before = state();
    proxy.set(Network::RequirementsLost);
    let file = pipeline.file();
    for args in [
        &["table", "compact", "--min-input-files", "1"][..],
        &["table", "rewrite-manifests"],
        &["table", "expire", "--keep", "1"],
        &["table", "orphans", "--older-than", "0s", "--delete", "--writers-stopped"],
        &["table", "evolve", "--comment", "region=where"],
    ] {
        let output = Weir::output(&[args, &[file.as_str(), "telemetry.traces"]].concat());
        refused(&output, 1, &["telemetry.traces", "checks no requirements"]);
    }
    pipeline.produce(2, 10, 100);
    refused(&pipeline.run(&[]), 1, &["telemetry.traces", "checks no requirements"]);
    assert_eq!(state(), before);
    assert_eq!(Oracle::shared().span_ids(&table), made);
}

#[test]
fn commits_of_another_engine_are_no_obstacle() {
    let rest = Rest::start();
    let mut pipeline = Pipeline::new("beside-pyiceberg", 1);
    pipeline.sink = format!("catalog = {{ type = \"rest\", uri = \"{}\" }}", rest.uri());
    let table = Table::rest(&rest.uri(), "telemetry.traces");
    let first = pipeline.produce(1, 10, 100);
    let mut weir = pipeline.start();
    weir.wait(LIMIT, || Oracle::shared().count(&table) == Some(first.count));
    for n in 0..5 {
        Oracle::shared().append(&table, &[json!({"span_id": format!("{n:016x}"), "operation_name": "foreign"})]);
        pipeline.produce(n + 2, 5, 100);
    }
    let wanted = first.count + 5 * 500 + 5;
    weir.wait(LIMIT, || Oracle::shared().count(&table) >= Some(wanted));
    assert_eq!(weir.stop().code(), Some(0), "{}", weir.log());
    assert_eq!(Oracle::shared().count(&table), Some(wanted));
}

#[test]
fn wrong_keys_and_catalogs_that_do_not_answer_are_named() {
    let s3 = S3::start();
    s3.create_bucket("lake");
    let mut pipeline = Pipeline::new("wrong-keys", 1);
    pipeline.sink = "catalog = { type = \"hadoop\" }\nwarehouse = \"s3://lake/warehouse\"".into();
    pipeline.sections = s3_section(&s3).replace(S3::SECRET_KEY, "not-the-secret");
    let output = pipeline.run(&[]);
    refused(&output, 1, &["SignatureDoesNotMatch"]);
    assert!(!crate::pipeline::said(&output).contains("not-the-secret"), "a secret is shown");
    pipeline.sections = String::new();
    let port = weir_tests::process::free_port();
    pipeline.sink = format!("catalog = {{ type = \"rest\", uri = \"http://127.0.0.1:{port}\" }}");
    refused(&pipeline.run(&[]), 1, &[&format!("127.0.0.1:{port}")]);
}
