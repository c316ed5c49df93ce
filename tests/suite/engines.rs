//! Standard tables: other engines read what Weir wrote, and Weir fills what they made.

use serde_json::{Value, json};
use weir_tests::{Collector, Kafka, Oracle, Rest, Spark, Table, Trino, Weir, until};

use crate::compaction::json;
use crate::pipeline::{Catalog, LIMIT, Pipeline, said};

#[test]
fn the_table_that_spark_made_is_filled_as_it_is_and_spark_goes_on_reading_it() {
    let pipeline = Pipeline::new("spark-table", 2);
    let spark = Spark::shared().hadoop(&pipeline.lake());
    spark.create_traces_table("telemetry.traces");
    let made = pipeline.produce(1, 20, 100);
    pipeline.run_well();
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()), made);
    let rows = spark.sql("SELECT count(*) AS n, count(DISTINCT span_id) AS ids FROM lakehouse.telemetry.traces");
    assert_eq!(rows, [json!({"n": made.count, "ids": made.distinct})]);
    let row = &spark.sql("SELECT * FROM lakehouse.telemetry.traces ORDER BY span_id LIMIT 1")[0];
    let columns: Vec<&String> = row.as_object().unwrap().keys().collect();
    assert_eq!(columns.len(), 13, "{columns:?}");
    let properties = &Oracle::shared().metadata(&pipeline.traces())["properties"];
    assert_eq!(properties["write.metadata.previous-versions-max"], "100");
    let folder = pipeline.lake().join("telemetry/traces");
    let sql = format!("SELECT count(*), count(DISTINCT span_id) FROM iceberg_scan('{}')", folder.display());
    assert_eq!(Oracle::shared().duckdb(&sql), [[json!(made.count), json!(made.distinct)]]);
}

#[test]
fn what_a_collector_exports_is_in_the_table() {
    for encoding in ["otlp_json", "otlp_proto"] {
        let mut pipeline = Pipeline::new(&format!("collector-{}", encoding.replace('_', "-")), 1);
        pipeline.encoding = encoding;
        let collector = Collector::start(Kafka::shared(), &pipeline.name, encoding);
        let mut made = weir_tests::Spans::new(9, crate::pipeline::START_NANOS, 1);
        for request in made.requests(5, 40) {
            collector.send_json("traces", &request);
        }
        let kafka = Kafka::shared();
        until("the Collector's batch", LIMIT, || (kafka.end_offsets(&pipeline.name)[0] > 0).then_some(()));
        collector.stop();
        pipeline.run_well();
        assert_eq!(Oracle::shared().span_ids(&pipeline.traces()), made.made(), "{encoding}");
    }
}

/// Properties of the table that the writer must obey are visible in the files.
#[test]
fn table_properties_shape_the_files_and_the_metadata() {
    let mut pipeline = Pipeline::new("properties", 1);
    pipeline.sections = "[sink.iceberg.tables.spans.properties]\n\
        \"write.parquet.compression-codec\" = \"gzip\"\n\
        \"write.metadata.delete-after-commit.enabled\" = \"true\"\n\
        \"write.metadata.previous-versions-max\" = \"2\"\n\
        \"write.parquet.bloom-filter-enabled.column.trace_id\" = \"true\"\n"
        .into();
    for seed in 1..8 {
        pipeline.produce(seed, 5, 50);
        pipeline.run_well();
    }
    let versions = std::fs::read_dir(pipeline.lake().join("telemetry/traces/metadata")).unwrap();
    let versions = versions.flatten().filter(|f| f.file_name().to_string_lossy().ends_with(".metadata.json")).count();
    assert!((1..=4).contains(&versions), "{versions} metadata files");
    let file = Oracle::shared().files(&pipeline.traces())[0]["file_path"].as_str().unwrap().to_string();
    let path = file.trim_start_matches("file://");
    let sql = format!(
        "SELECT DISTINCT compression FROM parquet_metadata('{path}'); \
         SELECT DISTINCT compression, bloom_filter_offset IS NOT NULL FROM parquet_metadata('{path}') \
         WHERE path_in_schema = 'trace_id'"
    );
    assert_eq!(Oracle::shared().duckdb(&sql), [[json!("GZIP"), json!(true)]]);
}

#[test]
fn both_queries_of_a_telemetry_lake_are_answered_as_they_are_written() {
    let pipeline = Pipeline::new("queries", 1);
    pipeline.produce(1, 10, 100);
    pipeline.run_well();
    let query =
        |sql: &str| Weir::output(&["query", "--output", "json", "--warehouse", pipeline.lake().to_str().unwrap(), sql]);
    let slowest = query(
        "SELECT service_name, operation_name, approx_percentile(duration_ms, 0.99) as p99_ms, count(*) as span_count \
         FROM lakehouse.telemetry.traces WHERE timestamp >= current_timestamp - INTERVAL '30' DAY \
         GROUP BY service_name, operation_name ORDER BY p99_ms DESC LIMIT 20;",
    );
    assert!(slowest.status.success(), "{}", said(&slowest));
    let before = query(
        "SELECT count(*) as total_spans FROM lakehouse.telemetry.traces \
         FOR TIMESTAMP AS OF TIMESTAMP '2020-01-30 00:00:00';",
    );
    assert_eq!(before.status.code(), Some(1));
    assert!(said(&before).contains("snapshot"), "{}", said(&before));
    let now = query(
        "SELECT count(*) as total_spans FROM lakehouse.telemetry.traces FOR TIMESTAMP AS OF TIMESTAMP '2100-01-30 00:00:00';",
    );
    let row: Value = serde_json::from_slice(&now.stdout).unwrap();
    assert_eq!(row, json!({"total_spans": 1000}), "{}", said(&now));
}

/// The rows that Trino and `weir query` give to one question; they must be the same.
fn asked(pipeline: &Pipeline, catalog: &str, sql: &str) -> Vec<Vec<Value>> {
    let trino = Trino::shared().sql(&sql.replace("lakehouse.", &format!("{catalog}.")));
    let file = pipeline.file();
    let weir: Vec<Vec<Value>> = json(&["query", "--output", "json", "--pipeline", &file, sql])
        .iter()
        .map(|row| row.as_object().into_iter().flat_map(|row| row.values().cloned()).collect())
        .collect();
    assert_eq!(trino, weir, "{sql}");
    trino
}

#[test]
fn trino_reads_the_tables_of_every_catalog_that_it_knows_and_answers_both_queries() {
    let rest = Rest::start();
    let trino = Trino::shared();
    let mut sqlite = Pipeline::new("trino-sqlite", 2).in_catalog(Catalog::Sqlite);
    trino.sqlite("of_sqlite", &sqlite.database(), &sqlite.lake());
    let mut served = Pipeline::new("trino-rest", 2);
    served.sink = format!("catalog = {{ type = \"rest\", uri = \"{}\" }}", rest.uri());
    trino.rest("of_rest", &rest.uri());
    for (pipeline, catalog) in [(&mut sqlite, "of_sqlite"), (&mut served, "of_rest")] {
        pipeline.encoding = "otlp_json";
        let first = pipeline.produce(1, 12, 50);
        pipeline.run_well();
        let mut made = pipeline.produce(2, 12, 50);
        made += first.clone();
        pipeline.run_well();
        let count = "SELECT count(*) AS a, count(DISTINCT span_id) AS b, count(DISTINCT trace_id) AS c, \
                     sum(status_code) AS d FROM lakehouse.telemetry.traces";
        assert_eq!(asked(pipeline, catalog, count)[0][..2], [json!(made.count), json!(made.distinct)]);
        // Maps and lists, and text inside them.
        let inside = trino.sql(&format!(
            "SELECT sum(cardinality(attributes)), sum(cardinality(events)), \
             sum(reduce(map_values(attributes), 0, (n, v) -> n + length(v), n -> n)), \
             sum(reduce(events, 0, (n, e) -> n + length(e.name), n -> n)) FROM {catalog}.telemetry.traces"
        ));
        let code = "r = load(at).scan(selected_fields=('attributes', 'events')).to_arrow().to_pylist()\n\
                    a, e = [dict(x['attributes'] or []) for x in r], [y for x in r for y in x['events'] or []]\n\
                    result = [sum(map(len, a)), len(e), sum(len(v) for x in a for v in x.values()), \
                    sum(len(y['name']) for y in e)]";
        let table = if catalog == "of_rest" { Table::rest(&rest.uri(), "telemetry.traces") } else { pipeline.traces() };
        assert_eq!(json!(inside[0]), Oracle::shared().python(Some(&table), code), "{catalog}");
        // One partition, one trace, one time: what Trino's plan leaves out by partitions, bounds and bloom filters.
        let by = |what: &str| {
            format!(
                "SELECT operation_name AS a, count(*) AS b FROM lakehouse.telemetry.traces WHERE {what} \
                 GROUP BY operation_name ORDER BY operation_name"
            )
        };
        let trace = "SELECT max(trace_id) AS a FROM lakehouse.telemetry.traces";
        let trace = asked(pipeline, catalog, trace)[0][0].as_str().expect("an id").to_owned();
        assert!(!asked(pipeline, catalog, &by("service_name = 'service-3'")).is_empty());
        assert!(!asked(pipeline, catalog, &by(&format!("trace_id = '{trace}'"))).is_empty());
        let day =
            "timestamp >= TIMESTAMP '2026-01-30 00:00:00 UTC' AND timestamp < TIMESTAMP '2026-01-31 00:00:00 UTC'";
        asked(pipeline, catalog, &by(day));
        // The lake's two queries; of the first the percentiles are approximate, and differ.
        let slowest = trino.sql(&format!(
            "SELECT service_name, operation_name, approx_percentile(duration_ms, 0.99) as p99_ms, \
             count(*) as span_count FROM {catalog}.telemetry.traces \
             WHERE timestamp >= TIMESTAMP '2026-02-01 00:00:00 UTC' - INTERVAL '30' DAY \
             GROUP BY service_name, operation_name ORDER BY p99_ms DESC LIMIT 20"
        ));
        assert!(slowest.len() == 20 && slowest[0][2].as_f64() >= slowest[19][2].as_f64(), "{slowest:?}");
        let snapshots = trino.sql(&format!(
            "SELECT CAST(committed_at AS varchar) FROM {catalog}.telemetry.\"traces$snapshots\" \
             WHERE element_at(summary, 'added-records') = '{}' ORDER BY committed_at",
            first.count
        ));
        let at = snapshots[0][0].as_str().expect("a time").trim_end_matches(" UTC");
        let then = trino.sql(&format!(
            "SELECT count(*) as total_spans FROM {catalog}.telemetry.traces FOR TIMESTAMP AS OF TIMESTAMP '{at}'"
        ));
        assert_eq!(then, [[json!(first.count)]], "{snapshots:?}");
    }
}
