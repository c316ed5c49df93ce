use std::collections::HashMap;

use iceberg::spec::{NestedField, PrimitiveType, Transform, Type};

use super::*;
use crate::fixture::{self, hadoop, ident, sqlite};

fn add(text: &str) -> Evolution {
    Evolution { add: vec![NewColumn::parse(text).unwrap()], ..Evolution::default() }
}

fn rename(from: &str, to: &str) -> Evolution {
    Evolution { rename: vec![(from.into(), to.into())], ..Evolution::default() }
}

fn dropped(name: &str) -> Evolution {
    Evolution { drop: vec![name.into()], ..Evolution::default() }
}

fn widen(name: &str, to: &str) -> Evolution {
    Evolution { widen: vec![(name.into(), parse_type(to).unwrap())], ..Evolution::default() }
}

fn after(head: &TableMetadata, wanted: &Evolution) -> TableMetadata {
    change(head, wanted).unwrap().unwrap().1
}

fn refusal(head: &TableMetadata, wanted: &Evolution) -> String {
    match change(head, wanted) {
        Err(e) => e.to_string(),
        Ok(_) => panic!("it is taken: {wanted:?}"),
    }
}

/// The columns, as `id name type`.
fn columns(of: &TableMetadata) -> Vec<String> {
    let fields = of.current_schema().as_struct().fields().iter();
    fields.map(|f| format!("{} {} {}", f.id, f.name, show_type(&f.field_type))).collect()
}

/// Sorted by time, partitioned by day and a bucket of traces.
fn table() -> TableMetadata {
    let terms = |terms: &[&str]| terms.iter().map(ToString::to_string).collect::<Vec<_>>();
    fixture::metadata(&terms(&["day(timestamp)", "bucket(4, trace_id)"]), &terms(&["timestamp"]))
}

#[test]
fn types_are_read_as_they_are_shown_and_mistakes_are_named() {
    for text in [
        "int",
        "decimal(9, 2)",
        "fixed[16]",
        "list<long>",
        "map<string, list<double>>",
        "struct<a: int, b: struct<c: timestamptz>>",
    ] {
        assert_eq!(show_type(&parse_type(text).unwrap()), text);
    }
    assert_eq!(show_type(&parse_type("ARRAY<bigint>").unwrap()), "list<long>");
    let column = NewColumn::parse("`odd name` string  comment 'it''s odd'").unwrap();
    assert_eq!((column.name.as_str(), column.doc.as_deref()), ("odd name", Some("it's odd")));
    for (text, part) in [
        ("", "a column's name"),
        ("host", "a type"),
        ("host text", "a type"),
        ("host string comment", "a quoted text"),
        ("host string comment 'open", "not closed"),
        ("host string not null", "its end"),
        ("n decimal(99, 2)", "decimal"),
        ("n list<int", "'>'"),
        ("n fixed[0]", "from 1 up"),
        (&format!("n {}int{}", "list<".repeat(40), ">".repeat(40)), "32 deep"),
    ] {
        let why = NewColumn::parse(text).unwrap_err();
        assert!(why.contains(part), "{text}: {why}");
    }
    assert_eq!(terms("day(timestamp), bucket(16, trace_id) ,x"), ["day(timestamp)", "bucket(16, trace_id)", "x"]);
    assert!(terms(" ").is_empty());
}

#[test]
fn ids_stay_with_their_columns_whatever_these_are_called_and_wherever_they_are() {
    let wanted = Evolution {
        add: vec![
            NewColumn::parse("host string comment 'which machine'").unwrap(),
            NewColumn::parse("duration long").unwrap(),
        ],
        rename: vec![("service".into(), "service_name".into())],
        drop: vec!["duration".into()],
        comment: vec![("trace_id".into(), "hex".into())],
        moves: vec![("host".into(), Place::First), ("trace_id".into(), Place::After("host".into()))],
        ..Evolution::default()
    };
    let found = after(&table(), &wanted);
    assert_eq!(
        columns(&found),
        ["5 host string", "3 trace_id string", "1 timestamp timestamptz", "2 service_name string", "6 duration long"]
    );
    assert_eq!(found.current_schema().field_by_id(5).unwrap().doc.as_deref(), Some("which machine"));
    assert_eq!(found.current_schema().field_by_id(3).unwrap().doc.as_deref(), Some("hex"));
    assert_eq!(found.last_column_id(), 6);
    // It is so already.
    let again = Evolution { comment: wanted.comment, moves: wanted.moves, ..Evolution::default() };
    assert!(change(&found, &again).unwrap().is_none());
}

#[test]
fn partition_fields_keep_id_and_name_and_new_ones_get_what_none_has_had() {
    let by = |terms: &[&str]| Evolution {
        partition_by: Some(terms.iter().map(ToString::to_string).collect()),
        ..Evolution::default()
    };
    let fields = |of: &TableMetadata| {
        let fields = of.default_partition_spec().fields().iter();
        fields.map(|f| format!("{} {} {}", f.field_id, f.name, f.transform)).collect::<Vec<_>>()
    };
    let first = table();
    assert_eq!(fields(&first), ["1000 timestamp_day day", "1001 trace_id_bucket bucket[4]"]);
    let second = after(&first, &by(&["bucket(8, trace_id)", "hour(timestamp)", "service"]));
    assert_eq!(
        fields(&second),
        ["1002 trace_id_bucket_8 bucket[8]", "1003 timestamp_hour hour", "1004 service identity"]
    );
    assert_eq!((second.default_partition_spec_id(), second.last_partition_id()), (1, 1004));
    let third = after(&second, &by(&["day(timestamp)", "bucket(8, trace_id)"]));
    assert_eq!(fields(&third), ["1000 timestamp_day day", "1002 trace_id_bucket_8 bucket[8]"]);
    assert_eq!(third.partition_specs_iter().len(), 3);
    let none = after(&third, &by(&[]));
    assert!(none.default_partition_spec().is_unpartitioned());
    // One that the table has had is that one, and is not added again.
    let first_again = by(&["day(timestamp)", "bucket(4, trace_id)"]);
    assert_eq!(after(&none, &first_again).default_partition_spec_id(), 0);
    let shape = change(&none, &first_again).unwrap().unwrap().0.shape;
    let changes = shape.apply(&none).unwrap().build().unwrap().changes;
    assert_eq!(changes, [TableUpdate::SetDefaultSpec { spec_id: 0 }]);
    assert!(change(&first, &by(&["days(timestamp)", "bucket(4, trace_id)"])).unwrap().is_none());
    for (terms, part) in [
        (&["day(service)"][..], "day(service): service is string"),
        (&["day(nothing)"], "nothing"),
        (&["day(timestamp)", "day(timestamp)"], "day"),
        (&["bucket(trace_id)"], "bucket"),
    ] {
        let why = refusal(&first, &by(terms));
        assert!(why.contains(part), "{why}");
    }
}

#[test]
fn an_order_is_another_from_now_on_and_may_take_a_column_s_place() {
    let sort = |by: &str| Evolution { sort_by: Some(terms(by)), ..Evolution::default() };
    let head = table();
    let found = after(&head, &sort("service, timestamp desc nulls last"));
    assert_eq!(arrangement(&found).1, ["service asc nulls first", "timestamp desc nulls last"]);
    assert_eq!((found.default_sort_order_id(), found.sort_orders_iter().len()), (2, 2));
    assert!(change(&found, &sort("service asc, timestamp desc")).unwrap().is_none());
    assert!(after(&found, &sort("")).default_sort_order().is_unsorted());
    let sorted = after(&head, &sort("duration"));
    assert!(refusal(&sorted, &dropped("duration")).contains("sorted by duration"));
    let both = Evolution { drop: vec!["duration".into()], ..sort("timestamp") };
    assert_eq!(after(&sorted, &both).current_schema().as_struct().fields().len(), 3);
}

#[test]
fn what_files_need_is_not_dropped_and_what_they_hold_is_not_narrowed() {
    let head = after(&table(), &add("n int"));
    let head = after(&head, &add("f float"));
    let head = after(&head, &add("m decimal(9, 2)"));
    assert!(refusal(&head, &dropped("timestamp")).contains("partitioned by timestamp (timestamp_day)"));
    let moved = after(&head, &Evolution { partition_by: Some(Vec::new()), ..Evolution::default() });
    assert!(refusal(&moved, &dropped("trace_id")).contains("spec 0"));
    let wider = after(&head, &widen("n", "bigint"));
    let wider = after(&wider, &widen("f", "double"));
    let wider = after(&wider, &widen("m", "decimal(18, 2)"));
    assert_eq!(columns(&wider)[4..], ["5 n long", "6 f double", "7 m decimal(18, 2)"]);
    for (name, to) in
        [("n", "int"), ("n", "double"), ("m", "decimal(9, 2)"), ("m", "decimal(20, 3)"), ("service", "binary")]
    {
        let why = refusal(&wider, &widen(name, to));
        assert!(why.contains("cannot become"), "{why}");
    }
    // A partition's value has the column's type.
    let by = |term: &str| Evolution { partition_by: Some(vec![term.to_string()]), ..Evolution::default() };
    assert!(refusal(&after(&head, &by("n")), &widen("n", "long")).contains("partitioned by n"));
    assert_eq!(columns(&after(&after(&head, &by("bucket(4, n)")), &widen("n", "long")))[4], "5 n long");
}

#[test]
fn names_that_nobody_has_or_two_would_have_are_refused() {
    let head = table();
    for (wanted, part) in [
        (dropped("nothing"), "no column nothing"),
        (rename("service", "trace_id"), "trace_id and"),
        (rename("service", "TRACE_ID"), "TRACE_ID"),
        (rename("service", " "), "needs a name"),
        (add("Timestamp int"), "Timestamp"),
        (add("timestamp_day int"), "timestamp_day"),
        (Evolution { drop: vec!["service".into()], ..rename("service", "s") }, "dropped as well"),
        (
            Evolution { moves: vec![("service".into(), Place::After("x".into()))], ..Evolution::default() },
            "no column x",
        ),
        (
            Evolution { moves: vec![("service".into(), Place::After("service".into()))], ..Evolution::default() },
            "no other column",
        ),
    ] {
        let why = refusal(&head, &wanted);
        assert!(why.contains(part), "{why}");
    }
    // Two may change names with each other.
    let swap = Evolution {
        rename: vec![("service".into(), "trace_id".into()), ("trace_id".into(), "service".into())],
        ..Evolution::default()
    };
    assert_eq!(columns(&after(&head, &swap))[1..3], ["2 trace_id string", "3 service string"]);
}

#[test]
fn an_identifier_stays_and_stays_required() {
    let schema = iceberg::spec::Schema::builder()
        .with_fields([
            Arc::new(NestedField::required(1, "id", Type::Primitive(PrimitiveType::String))),
            Arc::new(NestedField::required(2, "n", Type::Primitive(PrimitiveType::Int))),
        ])
        .with_identifier_field_ids([1])
        .build()
        .unwrap();
    let creation = iceberg::TableCreation::builder().name("t".into()).location("/lake/t".into()).schema(schema).build();
    let head = iceberg::spec::TableMetadataBuilder::from_table_creation(creation).unwrap().build().unwrap().metadata;
    let optional = |name: &str| Evolution { optional: vec![name.to_string()], ..Evolution::default() };
    assert!(refusal(&head, &dropped("id")).contains("identifies rows"));
    assert!(refusal(&head, &optional("id")).contains("identifies rows"));
    let found = after(&head, &optional("n"));
    assert!(!found.current_schema().field_by_id(2).unwrap().required);
    assert!(change(&found, &optional("n")).unwrap().is_none());
    let renamed = after(&found, &rename("id", "key"));
    assert_eq!(renamed.current_schema().identifier_field_ids().collect::<Vec<_>>(), [1]);
}

#[test]
fn inside_a_column_fields_are_renamed_and_described_and_nothing_else() {
    let head = after(&table(), &add("events list<struct<name: string, n: int>>"));
    let head = after(&head, &add("tags map<struct<k: string>, string>"));
    let found = after(&head, &rename("events.element.name", "title"));
    assert_eq!(columns(&found)[4], "5 events list<struct<title: string, n: int>>");
    for (wanted, part) in [
        (add("events.host string"), "inside a column"),
        (dropped("events.element.n"), "inside a column"),
        (widen("events.element.n", "long"), "inside a column"),
        (Evolution { optional: vec!["events.element.n".into()], ..Evolution::default() }, "inside a column"),
        (
            Evolution { moves: vec![("events.element.n".into(), Place::First)], ..Evolution::default() },
            "inside a column",
        ),
        (rename("events.element", "one"), "part of its list"),
        (rename("tags.key.k", "x"), "map's key"),
    ] {
        let why = refusal(&head, &wanted);
        assert!(why.contains(part), "{why}");
    }
    // A dot in a name is a dot.
    assert_eq!(columns(&after(&head, &add("http.route string")))[6], "13 http.route string");
}

#[test]
fn properties_that_name_a_column_go_with_it() {
    let bloom = "write.parquet.bloom-filter-enabled.column.";
    let properties = [("trace_id", "true"), ("duration", "false")].map(|(c, v)| (format!("{bloom}{c}"), v));
    let mut creation = fixture::creation(&[], &[], &[]);
    creation.location = Some("/lake/spans".to_string());
    creation.properties = properties.iter().map(|(k, v)| (k.clone(), v.to_string())).collect::<HashMap<_, _>>();
    let head = iceberg::spec::TableMetadataBuilder::from_table_creation(creation).unwrap().build().unwrap().metadata;
    let wanted = Evolution { drop: vec!["duration".into()], ..rename("trace_id", "trace") };
    let found = after(&head, &wanted);
    let left: Vec<_> = found.properties().keys().filter(|k| k.starts_with(bloom)).collect();
    assert_eq!(left, [&format!("{bloom}trace")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_change_a_table_at_once_all_have_their_way_and_each_in_one_commit() {
    for lake in [hadoop().await, sqlite().await] {
        let first = lake.create(&[]).await;
        lake.append(3).await;
        let tasks = (0..6).map(|n| {
            let catalog = lake.catalog.clone();
            tokio::spawn(async move {
                let wanted = Evolution { partition_by: None, ..add(&format!("c{n} int")) };
                evolve(&catalog, &ident(), &wanted).await.unwrap()
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            let done = task.await.unwrap();
            assert!(done.is_change);
            assert_eq!(done.after.snapshots().len(), done.before.snapshots().len() + 1);
        }
        let head = lake.catalog.load(&ident()).await.unwrap().metadata;
        let ids: std::collections::BTreeSet<i32> =
            head.current_schema().as_struct().fields().iter().map(|f| f.id).collect();
        assert_eq!((ids.len(), head.last_column_id()), (10, 10));
        // The snapshot is the first of the schema, and holds what the one before held.
        let snapshot = head.current_snapshot().unwrap();
        assert_eq!(snapshot.schema_id(), Some(head.current_schema_id()));
        assert_eq!(fixture::total_records(&head), 3);
        assert_eq!(snapshot.summary().additional_properties["weir.maintenance"], "evolve");
        // What one has done, the other finds done; what one has undone, the other is told of.
        assert!(!evolve(&lake.catalog, &ident(), &rename("c0", "c0")).await.unwrap().is_change);
        evolve(&lake.catalog, &ident(), &dropped("c1")).await.unwrap();
        assert!(evolve(&lake.catalog, &ident(), &dropped("c1")).await.is_err());
        assert!(lake.catalog.load(&ident()).await.unwrap().metadata.uuid() == first.metadata.uuid());
    }
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_and_changes_nothing() {
    let lake = hadoop().await;
    let made = lake.create(&[]).await;
    let wanted = Evolution {
        partition_by: Some(terms("day(timestamp)")),
        sort_by: Some(terms("timestamp")),
        ..add("host string")
    };
    let planned = plan(&lake.catalog, &ident(), &wanted).await.unwrap();
    assert_eq!(
        arrangement(&planned.after),
        (vec!["day(timestamp)".to_string()], vec!["timestamp asc nulls first".to_string()])
    );
    assert_eq!(lake.catalog.load(&ident()).await.unwrap().location, made.location);
    let done = evolve(&lake.catalog, &ident(), &wanted).await.unwrap();
    assert_eq!(arrangement(&done.after), arrangement(&planned.after));
    assert_eq!(columns(&done.after), columns(&planned.after));
    assert_eq!(done.after.default_partition_spec().fields()[0].transform, Transform::Day);
}
