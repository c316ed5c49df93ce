#![allow(clippy::unwrap_used)]

use std::time::{SystemTime, UNIX_EPOCH};

use iceberg::spec::{ListType, NestedField, PrimitiveType, Type};

use super::*;
use crate::lab::{DAY_MICROS, Lake, Span, span};
use crate::render::table;
use crate::scan::IcebergScan;

const SLOWEST_SERVICES: &str = "
-- Find the slowest services over the last 30 days
SELECT
    service_name,
    operation_name,
    approx_percentile(duration_ms, 0.99) as p99_ms,
    count(*) as span_count
FROM lakehouse.telemetry.traces
WHERE timestamp >= current_timestamp - INTERVAL '30' DAY
GROUP BY service_name, operation_name
ORDER BY p99_ms DESC
LIMIT 20;
";

const AS_OF_LAST_WEEK: &str = "
-- Time travel: query data as it existed last week
SELECT count(*) as total_spans
FROM lakehouse.telemetry.traces
FOR TIMESTAMP AS OF TIMESTAMP '2026-01-30 00:00:00';
";

/// 2026-01-20, 2026-01-29 12:00 and 2026-02-05.
const TIMES_MS: [i64; 3] = [1_768_867_200_000, 1_769_688_000_000, 1_770_249_600_000];

fn now_micros() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros().try_into().unwrap()
}

/// Three snapshots of 2, 3 and 1 rows: two days and two services, far apart.
fn appends() -> [Vec<Span>; 3] {
    let day = |day: i64| day * DAY_MICROS + 3_600_000_000;
    [
        vec![span(day(100), "cart", "get", 1.0), span(day(100), "shop", "buy", 2.0)],
        vec![
            span(day(200), "cart", "get", 3.0),
            span(day(200), "cart", "put", 4.5),
            span(day(200), "shop", "buy", 5.0),
        ],
        vec![Span { status: Some(2), ..span(day(300), "cart", "drop", 6.0) }],
    ]
}

async fn lake() -> Arc<Lake> {
    let lake = Lake::new().await;
    let [first, second, third] = appends();
    lake.spans("telemetry.traces", &[&first, &second, &third]).await;
    lake
}

async fn text(engine: &Engine, sql: &str) -> String {
    match engine.query(sql).await {
        Ok(answer) => table(&answer, None).unwrap(),
        Err(why) => format!("error: {why}"),
    }
}

/// The first cell.
async fn one(engine: &Engine, sql: &str) -> String {
    let shown = text(engine, sql).await;
    shown.lines().nth(2).unwrap_or(&shown).trim().to_owned()
}

async fn refusal(engine: &Engine, sql: &str) -> String {
    match engine.query(sql).await {
        Ok(_) => panic!("answered: {sql}"),
        Err(why) => why.to_string(),
    }
}

/// How many files the plan's scans read.
async fn files(engine: &Engine, sql: &str) -> usize {
    fn count(plan: &Arc<dyn ExecutionPlan>) -> usize {
        let own = plan.as_any().downcast_ref::<IcebergScan>().map_or(0, IcebergScan::files);
        own + plan.children().into_iter().map(count).sum::<usize>()
    }
    count(&engine.physical_plan(sql).await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slowest_services_are_found_by_trinos_and_sparks_sql_and_only_thirty_days_are_read() {
    let now = now_micros();
    let mut recent: Vec<Span> = (0..3).map(|_| span(now - DAY_MICROS, "cart", "GET /cart", 20.0)).collect();
    recent.extend((0..2).map(|_| span(now - 2 * DAY_MICROS, "checkout", "POST /order", 250.0)));
    let old: Vec<Span> = (31..61).map(|days| span(now - days * DAY_MICROS, "cart", "GET /cart", 9999.0)).collect();
    let lake = Lake::new().await;
    lake.spans("telemetry.traces", &[&old, &recent]).await;
    let engine = lake.engine();
    let expected = "\
service_name  operation_name  p99_ms  span_count
────────────────────────────────────────────────
checkout      POST /order      250.0           2
cart          GET /cart         20.0           3
(2 rows)
";
    assert_eq!(text(&engine, SLOWEST_SERVICES).await, expected);
    assert_eq!(files(&engine, SLOWEST_SERVICES).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_of_last_week_is_asked_for_as_in_trino_and_spark() {
    let lake = lake().await;
    lake.retime("telemetry.traces", &TIMES_MS).await;
    let expected = "total_spans\n───────────\n          5\n(1 row)\n";
    assert_eq!(text(&lake.engine(), AS_OF_LAST_WEEK).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_found_by_every_name_it_has() {
    let lake = lake().await;
    lake.spans("a.b.deep", &[&appends()[0]]).await;
    lake.spans("telemetry.Logs", &[&appends()[0]]).await;
    let engine = lake.engine();
    for name in [
        "traces",
        "telemetry.traces",
        "lakehouse.telemetry.traces",
        "anything.telemetry.traces",
        "Telemetry.TRACES",
        "\"telemetry\".\"traces\"",
        "\"lakehouse\".telemetry.\"traces\"",
    ] {
        assert_eq!(one(&engine, &format!("SELECT count(*) FROM {name}")).await, "6", "{name}");
    }
    for name in ["deep", "a.b.deep", "lakehouse.a.b.deep", "logs", "telemetry.logs", "telemetry.\"Logs\""] {
        assert_eq!(one(&engine, &format!("SELECT count(*) FROM {name}")).await, "2", "{name}");
    }
    let qualified = "SELECT max(traces.status_code) FROM telemetry.traces WHERE telemetry.traces.service_name = 'cart'";
    assert_eq!(one(&engine, qualified).await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_table_is_told_with_its_neighbours() {
    let lake = lake().await;
    lake.spans("other.spans", &[]).await;
    lake.spans("telemetry.spans", &[]).await;
    let engine = lake.engine();
    let told = refusal(&engine, "SELECT * FROM telemetry.trace").await;
    assert_eq!(told, "there is no table telemetry.trace; did you mean telemetry.traces?");
    let told = refusal(&engine, "SELECT * FROM spans").await;
    assert_eq!(told, "spans may be other.spans or telemetry.spans: write the namespace too");
    let told = refusal(&engine, "SELECT * FROM zzz").await;
    assert_eq!(told, "there is no table zzz; there are other.spans, telemetry.spans, telemetry.traces");
    let told = refusal(&engine, "SELECT * FROM \"traces$snapshot\"").await;
    assert_eq!(told, "a table has no $snapshot; there are $snapshots, $history, $files, $refs");
    let told = refusal(&Lake::new().await.engine(), "SELECT * FROM traces").await;
    assert_eq!(told, "there is no table traces; the catalog has no tables");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_belongs_to_the_table_before_it_wherever_that_stands() {
    let lake = lake().await;
    let ids = lake.retime("telemetry.traces", &TIMES_MS).await;
    let engine = lake.engine();
    let (v1, v2) = (format!("FOR VERSION AS OF {}", ids[0]), format!("FOR VERSION AS OF {}", ids[1]));
    for (sql, expected) in [
        (format!("SELECT count(*) FROM traces {v1}"), "2"),
        (format!("SELECT count(*) FROM telemetry.traces {v2}"), "5"),
        (format!("SELECT count(*) FROM traces {v1} AS t WHERE t.service_name = 'cart'"), "1"),
        (format!("SELECT count(*) FROM traces {v1} t, traces {v2} u, traces w"), "60"),
        (format!("SELECT count(*) FROM traces w JOIN traces {v1} ON traces.duration_ms = w.duration_ms"), "2"),
        (format!("SELECT (SELECT count(*) FROM traces {v2}) - (SELECT count(*) FROM traces {v1})"), "3"),
        (format!("WITH t AS (SELECT * FROM traces {v1}) SELECT count(*) FROM t"), "2"),
        (format!("WITH traces AS (SELECT * FROM traces {v1}) SELECT count(*) FROM traces"), "2"),
        (format!("SELECT count(*) FROM (SELECT * FROM \"traces\" {v1} UNION ALL SELECT * FROM traces {v2})"), "7"),
        (format!("SELECT sum(telemetry.traces.duration_ms) FROM x.telemetry.traces {v1}"), "3.0"),
        ("SELECT count(*) FROM traces FOR VERSION AS OF 'main'".into(), "6"),
        ("SELECT count(*) FROM traces for timestamp as of timestamp '2026-01-29 12:00:00'".into(), "5"),
        ("SELECT count(*) FROM traces FOR SYSTEM_TIME AS OF '2026-01-29T11:59:59.999Z'".into(), "2"),
        ("SELECT count(*) FROM traces FOR TIMESTAMP AS OF DATE '2026-02-01'".into(), "5"),
        ("SELECT count(*) FROM traces FOR TIMESTAMP AS OF current_timestamp - INTERVAL '1' HOUR t".into(), "6"),
        ("SELECT count(*) FROM traces FOR TIMESTAMP AS OF '2026-01-29T14:00:00+02:00'".into(), "5"),
        ("SELECT 'FOR VERSION AS OF 1' -- FOR VERSION AS OF 1".into(), "FOR VERSION AS OF 1"),
        ("SELECT count(*) /* traces FOR TIMESTAMP AS OF x */ FROM traces".into(), "6"),
    ] {
        assert_eq!(one(&engine, &sql).await, expected, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_not_there_is_told_with_what_is() {
    let lake = lake().await;
    lake.retime("telemetry.traces", &TIMES_MS).await;
    lake.spans("telemetry.empty", &[]).await;
    let engine = lake.engine();
    for (sql, expected) in [
        (
            "SELECT * FROM traces FOR TIMESTAMP AS OF TIMESTAMP '2026-01-01 00:00:00'",
            "table telemetry.traces has no snapshot as old as 2026-01-01T00:00:00Z; its first is of 2026-01-20T00:00:00Z",
        ),
        (
            "SELECT * FROM traces FOR VERSION AS OF 1",
            "table telemetry.traces has no snapshot 1; \"traces$snapshots\" lists them",
        ),
        (
            "SELECT * FROM traces FOR VERSION AS OF 'release'",
            "table telemetry.traces has no branch or tag `release`; \"traces$refs\" lists them",
        ),
        ("SELECT * FROM empty FOR TIMESTAMP AS OF current_timestamp", "table telemetry.empty has no snapshot yet"),
        ("SELECT * FROM traces FOR TIMESTAMP AS OF 5", "5 is not a time: write TIMESTAMP '2026-01-30 00:00:00'"),
    ] {
        assert_eq!(refusal(&engine, sql).await, expected);
    }
    for sql in [
        "SELECT 1 FOR VERSION AS OF 1",
        "SELECT * FROM traces FOR VERSION AS OF",
        "SELECT * FROM traces WHERE timestamp FOR VERSION AS OF 1",
        "SELECT * FROM traces FOR TIMESTAMP AS OF duration_ms",
    ] {
        refusal(&engine, sql).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_leave_files_out_before_they_are_read() {
    let engine = lake().await.engine();
    for (filter, expected) in [
        ("true", 5),
        ("timestamp >= TIMESTAMP '1970-07-01 00:00:00'", 3),
        ("timestamp >= '1970-07-01T00:00:00Z'", 3),
        ("timestamp > current_timestamp - INTERVAL '30' DAY", 0),
        ("timestamp < TIMESTAMP '1970-07-01 00:00:00' AND service_name = 'cart'", 1),
        ("CAST(timestamp AS DATE) = DATE '1970-07-20'", 2),
        ("timestamp BETWEEN '1970-04-01' AND '1970-04-30'", 2),
        ("TIMESTAMP '1970-07-01 00:00:00' > timestamp", 2),
        ("service_name = 'shop'", 2),
        ("service_name IN ('shop', 'none')", 2),
        ("service_name LIKE 'sh%'", 2),
        ("service_name LIKE '%op'", 5),
        ("service_name = 'shop' OR timestamp > TIMESTAMP '1970-10-01 00:00:00'", 3),
        ("service_name = 'shop' OR length(operation_name) > 3", 5),
        ("service_name = 'shop' AND length(operation_name) > 3", 2),
        ("operation_name = 'put'", 1),
        ("duration_ms < 1.5", 1),
        ("status_code = 2", 1),
        ("status_code = 7", 0),
        ("status_code IS NOT NULL", 1),
        ("service_name IS NULL", 0),
        ("timestamp > TIMESTAMP '1969-12-31 23:59:59.5'", 5),
        ("timestamp < TIMESTAMP '1969-12-31 23:59:59.5'", 0),
        ("timestamp < TIMESTAMP '1677-10-01 00:00:00'", 0),
    ] {
        let sql = format!("SELECT duration_ms FROM traces WHERE {filter}");
        assert_eq!(files(&engine, &sql).await, expected, "{filter}");
        // What the files' figures let through, DataFusion filters: the rows are those of a scan without pushdown.
        let pushed = one(&engine, &format!("SELECT count(*) FROM traces WHERE {filter}")).await;
        let counted = format!("SELECT coalesce(sum(CASE WHEN {filter} THEN 1 ELSE 0 END), 0) FROM traces");
        assert_eq!(pushed, one(&engine, &counted).await, "{filter}");
    }
    assert!(text(&engine, "EXPLAIN SELECT * FROM traces WHERE service_name = 'shop'").await.contains("files=2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_runs_in_as_many_streams_as_there_are_partitions() {
    let engine = lake().await.engine();
    let plan = engine.physical_plan("SELECT duration_ms FROM traces").await.unwrap();
    assert_eq!(plan.properties().partitioning.partition_count(), 3);
    let mut rows = engine.stream("SELECT duration_ms FROM traces").await.unwrap();
    let mut count = 0;
    while let Some(batch) = rows.next().await.unwrap() {
        count += batch.num_rows();
    }
    assert_eq!(count, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_write_is_refused() {
    let lake = lake().await;
    let engine = lake.engine();
    for sql in [
        "INSERT INTO traces SELECT * FROM traces",
        "DELETE FROM traces",
        "UPDATE traces SET service_name = 'x'",
        "DROP TABLE traces",
        "CREATE TABLE t (a INT)",
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT 1",
        "ALTER TABLE traces ADD COLUMN a INT",
        "TRUNCATE TABLE traces",
        "COPY traces TO 'x'",
        "SET datafusion.execution.batch_size = 1",
        "BEGIN",
        "CALL lakehouse.system.expire_snapshots('telemetry.traces', TIMESTAMP '2026-01-01 00:00:00')",
        "EXPLAIN INSERT INTO traces SELECT * FROM traces",
        "EXPLAIN ANALYZE DELETE FROM traces",
        "SELECT * INTO t FROM traces",
        "WITH x AS (SELECT 1) INSERT INTO traces SELECT * FROM x",
        "PREPARE p AS SELECT 1",
    ] {
        let told = refusal(&engine, sql).await;
        assert!(told.starts_with("queries only read"), "{sql}: {told}");
    }
    assert_eq!(one(&engine, "SELECT count(*) FROM traces").await, "6");
    for sql in ["", ";", "SELECT 1; SELECT 2", "SELEC 1", "SELECT 'open", "SELECT * FROM traces PARTITION (x)"] {
        refusal(&engine, sql).await;
    }
    for sql in
        ["SELECT * FROM '/etc/passwd'", "SELECT * FROM \"/etc/passwd\"", "SELECT * FROM information_schema.tables"]
    {
        assert!(refusal(&engine, sql).await.starts_with("there is no table"), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tables_metadata_is_a_table() {
    let lake = lake().await;
    let ids = lake.retime("telemetry.traces", &TIMES_MS).await;
    let engine = lake.engine();
    let history = text(&engine, "SELECT made_current_at, is_current_ancestor FROM telemetry.\"traces$history\"").await;
    assert!(history.contains("2026-01-29 12:00:00Z  true"), "{history}");
    let sql = "SELECT snapshot_id FROM \"traces$snapshots\" WHERE parent_id IS NULL";
    assert_eq!(one(&engine, sql).await, ids[0].to_string());
    let sql =
        "SELECT summary['total-records'] FROM lakehouse.telemetry.\"traces$snapshots\" ORDER BY committed_at DESC";
    assert_eq!(one(&engine, sql).await, "6");
    assert_eq!(one(&engine, "SELECT sum(record_count) FROM \"traces$files\"").await, "6");
    let sql = "SELECT partition FROM \"traces$files\" WHERE partition LIKE '%shop' ORDER BY 1";
    assert_eq!(one(&engine, sql).await, "timestamp_day=1970-04-11/service_name=shop");
    let sql = format!("SELECT count(*) FROM \"traces$files\" FOR VERSION AS OF {}", ids[0]);
    assert_eq!(one(&engine, &sql).await, "2");
    assert_eq!(one(&engine, "SELECT name FROM \"traces$refs\" WHERE type = 'BRANCH'").await, "main");
}

#[tokio::test(flavor = "multi_thread")]
async fn show_and_describe_tell_what_there_is() {
    let lake = lake().await;
    lake.spans("other.spans", &[]).await;
    let engine = lake.engine();
    assert_eq!(
        text(&engine, "SHOW TABLES").await,
        "namespace  table\n─────────────────\nother      spans\ntelemetry  traces\n(2 rows)\n"
    );
    assert!(text(&engine, "SHOW TABLES FROM lakehouse.telemetry").await.ends_with("telemetry  traces\n(1 row)\n"));
    assert!(text(&engine, "SHOW SCHEMAS").await.contains("other\ntelemetry\n(2 rows)"));
    let described = text(&engine, "DESCRIBE telemetry.traces").await;
    assert!(described.contains("service_name    string               yes   who did it\n"), "{described}");
    assert!(described.contains("attributes      map<string, string>  yes\n"), "{described}");
    assert_eq!(text(&engine, "SHOW COLUMNS FROM traces").await, described);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_evolved_table_is_read_whole_and_as_it_was() {
    let lake = lake().await;
    let text_list = ListType {
        element_field: NestedField::list_element(100, Type::Primitive(PrimitiveType::String), false).into(),
    };
    lake.add_column("telemetry.traces", "links", Type::List(text_list)).await;
    lake.add_column("telemetry.traces", "kind", Type::Primitive(PrimitiveType::String)).await;
    let engine = lake.engine();
    // Before the first snapshot that has them.
    let sql = "SELECT count(*), count(links), count(kind) FROM traces WHERE kind IS NULL";
    assert!(text(&engine, sql).await.contains("6  "), "{}", text(&engine, sql).await);
    lake.append("telemetry.traces", &appends()[0]).await;
    assert_eq!(one(&engine, "SELECT count(*) FROM traces WHERE links IS NULL AND kind IS NULL").await, "8");
    assert_eq!(one(&engine, "SELECT count(*) FROM (SELECT links FROM traces)").await, "8");
    lake.delete_column("telemetry.traces", "operation_name").await;
    refusal(&engine, "SELECT operation_name FROM traces").await;
    let first = lake.snapshots("telemetry.traces")[0];
    let sql = format!("SELECT max(operation_name) FROM traces FOR VERSION AS OF {first}");
    assert_eq!(one(&engine, &sql).await, "get");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_another_engine_deleted_is_gone_and_not_counted() {
    let lake = lake().await;
    lake.delete_first_row("telemetry.traces").await;
    let engine = lake.engine();
    assert_eq!(one(&engine, "SELECT count(*) FROM traces").await, "5");
    assert_eq!(one(&engine, "SELECT count(duration_ms) FROM traces WHERE service_name LIKE '%'").await, "5");
    let before = lake.snapshots("telemetry.traces")[2];
    assert_eq!(one(&engine, &format!("SELECT count(*) FROM traces FOR VERSION AS OF {before}")).await, "6");
    assert_eq!(one(&engine, "SELECT content FROM \"traces$files\" ORDER BY 1 DESC").await, "position-deletes");
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_but_right_sql_is_answered() {
    let lake = lake().await;
    lake.spans("telemetry.empty", &[]).await;
    let engine = lake.engine();
    for (sql, expected) in [
        ("SELECT count(*) FROM empty", "0"),
        ("SELECT max(timestamp) FROM empty", "NULL"),
        ("SELECT 1 FROM traces LIMIT 1", "1"),
        ("SELECT count(*) FROM (SELECT 1 FROM traces WHERE service_name = 'cart')", "4"),
        ("SELECT attributes['http.route'] FROM traces WHERE duration_ms = 4.5", "put"),
        ("SELECT attributes FROM traces WHERE duration_ms = 4.5", "{http.route: put}"),
        ("SELECT timestamp FROM traces WHERE duration_ms = 6.0", "1970-10-28 01:00:00Z"),
        ("SELECT date_trunc('day', timestamp) FROM traces ORDER BY 1 DESC LIMIT 1", "1970-10-28 00:00:00Z"),
        ("SELECT approx_percentile(duration_ms, 0.5) FROM traces WHERE duration_ms = 5", "5.0"),
        (
            "SELECT approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) FROM traces WHERE duration_ms = 5",
            "5.0",
        ),
        ("SELECT row_number() OVER (ORDER BY timestamp, duration_ms DESC) FROM traces ORDER BY 1 DESC LIMIT 1", "6"),
        ("SELECT count(DISTINCT a.service_name) FROM traces a LEFT JOIN traces b USING (service_name)", "2"),
        ("VALUES (7)", "7"),
    ] {
        assert_eq!(one(&engine, sql).await, expected, "{sql}");
    }
    let told = refusal(&engine, "SELECT servic_name FROM traces").await;
    assert!(told.contains("servic_name") && told.contains("service_name"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_beyond_its_limit_is_an_error_not_a_crash() {
    let lake = lake().await;
    let few = Limits { answer_bytes: 100, ..Limits::default() };
    let engine = Engine::new(Arc::<Lake>::clone(&lake), few).unwrap();
    let why = engine.query("SELECT * FROM traces").await.unwrap_err();
    assert!(matches!(why, QueryError::TooLarge(_)), "{why}");
    let little = Limits { memory_bytes: 1000, partitions: NonZeroUsize::MIN, ..Limits::default() };
    let engine = Engine::new(lake, little).unwrap();
    let why = engine.query("SELECT service_name, count(*) FROM traces GROUP BY 1 ORDER BY 2").await.unwrap_err();
    assert!(matches!(why, QueryError::TooLarge(_)), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_query_sees_the_newest_head() {
    let lake = lake().await;
    let engine = lake.engine();
    assert_eq!(one(&engine, "SELECT count(*) FROM traces").await, "6");
    lake.append("telemetry.traces", &appends()[0]).await;
    assert_eq!(one(&engine, "SELECT count(*) FROM traces").await, "8");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deep_statement_is_answered_or_refused_but_takes_nothing_with_it() {
    let engine = lake().await.engine();
    let where_all = |count: usize| {
        let terms: Vec<String> = (0..count).map(|term| format!("abs(duration_ms) <> {term}.25")).collect();
        format!("SELECT count(*) FROM traces WHERE {}", terms.join(" AND "))
    };
    assert_eq!(one(&engine, &where_all(200)).await, "6");
    assert!(refusal(&engine, &where_all(300)).await.contains("250 deep"));
    let unions = |count: usize| format!("SELECT count(*) FROM ({})", vec!["SELECT 1"; count].join(" UNION ALL "));
    assert_eq!(one(&engine, &unions(200)).await, "200");
    assert!(refusal(&engine, &unions(300)).await.contains("250 deep"));
    assert!(refusal(&engine, &where_all(10_000)).await.contains("too long"));
}
