//! Which rows are in which file, how many files there are, and where.

use super::*;

fn by_service() -> Wanted<'static> {
    Wanted {
        partition: vec![("time", Transform::Day), ("service", Transform::Identity)],
        sort: vec!["time", "number"],
        ..Wanted::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_holds_one_partition_in_the_tables_order() {
    let batches: Vec<_> = (0..5).map(|b| spans(b * 3000, 3000, |i| format!("service {}", i % 7))).collect();
    let lake = Lake::new(&batches[0], &by_service());
    let files = lake.write(&batches).await;
    assert_eq!(files.len(), 7);
    for file in &files {
        let rows = read(file);
        let service = format!("{:?}", file.partition()[1]);
        let services = arrow::compute::cast(rows.column(1), &DataType::Utf8).unwrap();
        assert!(services.as_string::<i32>().iter().all(|s| service.contains(&format!("\"{}\"", s.unwrap()))));
        let times = rows.column(0).as_primitive::<TimestampMicrosecondType>();
        let numbers = rows.column(3).as_primitive::<arrow_array::types::Int64Type>();
        assert!(times.values().iter().zip(numbers.values()).is_sorted());
        assert_eq!(file.sort_order_id(), Some(1));
    }
    assert_eq!(rows_of(&files.iter().map(read).collect::<Vec<_>>()), rows_of(&batches));
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_flat_with_hundreds_of_partitions() {
    let wanted = Wanted { bytes_max: Some(8 << 20), ..by_service() };
    let batch = |b: i64| spans(b * 8192, 8192, |i| format!("service {}", (i * 31) % 200));
    let lake = Lake::new(&batch(0), &wanted);
    let mut highest = 0;
    for b in 0..60 {
        lake.writer.write(Epoch(1), batch(b)).await.unwrap();
        highest = highest.max(lake.writer.buffered_bytes());
    }
    assert!(highest <= 8 << 20, "{highest}");
    let here = lake.folder.path().to_path_buf();
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let open = descriptors.filter(|d| std::fs::read_link(d.path()).is_ok_and(|p| p.starts_with(&here))).count();
    assert_eq!(open, 0, "open files between flushes");

    let written = lake.writer.close(Epoch(1)).await.unwrap().unwrap();
    assert_eq!((written.count(), written.rows()), (200, 60 * 8192));
    // The largest go out first: no partition is cut in as many pieces as there were flushes.
    let rows_a_group = written.files.iter().map(|f| {
        let footer = footer(f);
        footer.file_metadata().num_rows() / footer.num_row_groups() as i64
    });
    let rows_a_group: Vec<_> = rows_a_group.collect();
    assert!(rows_a_group.iter().all(|rows| *rows >= 200), "{rows_a_group:?}");
    assert!(
        written.files.iter().any(|f| f.sort_order_id().is_none()),
        "row groups of several flushes are not one order"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn all_but_the_last_file_of_a_partition_reach_the_target() {
    let target = 60_000;
    let wanted = Wanted {
        properties: vec![
            ("write.target-file-size-bytes", target.to_string()),
            ("write.parquet.row-group-size-bytes", "20000".to_string()),
        ],
        bytes_max: Some(2 << 20),
        ..by_service()
    };
    let batches: Vec<_> = (0..20).map(|b| spans(b * 8192, 8192, |i| format!("service {}", i % 2))).collect();
    let lake = Lake::new(&batches[0], &wanted);
    let files = lake.write(&batches).await;
    let mut small: BTreeMap<String, usize> = BTreeMap::new();
    for file in &files {
        assert!(file.file_size_in_bytes() < target * 2, "{}", file.file_size_in_bytes());
        *small.entry(format!("{:?}", file.partition())).or_default() +=
            usize::from(file.file_size_in_bytes() < target / 2);
    }
    assert!(files.len() >= 8, "{}", files.len());
    assert!(small.values().all(|count| *count <= 2), "{small:?}");
    assert_eq!(rows_of(&files.iter().map(read).collect::<Vec<_>>()), rows_of(&batches));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_value_of_a_row_leads_out_of_the_data_folder() {
    let services =
        ["../../evil", "/etc/passwd", "nul \0 byte", "a/b", "", "..", "%2e%2e", "ä✓", &"x".repeat(5000), "null"];
    let batch = spans(0, 20, |i| services[i as usize % services.len()].to_string());
    let wanted = Wanted { partition: vec![("service", Transform::Identity)], ..Wanted::default() };
    let lake = Lake::new(&batch, &wanted);
    let files = lake.write(&[batch]).await;
    let data = lake.folder.path().join("table/data");
    let listed: HashSet<String> = files.iter().map(|f| f.file_path().to_string()).collect();
    assert_eq!(listed.len(), services.len());
    assert_eq!(lake.on_disk(), listed, "nothing is anywhere else");
    for path in &listed {
        let inside = Path::new(path).strip_prefix(&data).unwrap();
        assert_eq!(inside.components().count(), 2, "{path}");
        assert!(inside.to_str().unwrap().chars().all(|c| c.is_ascii_alphanumeric() || "-_.%=/".contains(c)), "{path}");
    }
    assert!(listed.iter().any(|p| p.contains("/p0_service=..%2F..%2Fevil/")), "{listed:?}");
    let values: HashSet<String> = files.iter().map(|f| format!("{:?}", f.partition()[0])).collect();
    assert!(values.iter().any(|v| v.contains("../../evil")), "the manifest has the value as it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_are_readable_and_null_has_one_too() {
    let mut batch = spans(0, 4, |_| "a".to_string());
    let times = TimestampMicrosecondArray::from(vec![Some(-1), Some(0), None, Some(86_400_000_000 * 31)]);
    let columns = [vec![Arc::new(times.with_timezone("+00:00")) as ArrayRef], batch.columns()[1..].to_vec()].concat();
    batch = RecordBatch::try_new(batch.schema(), columns).unwrap();
    for (transform, expected) in [
        (Transform::Day, ["1969-12-31", "1970-01-01", "null", "1970-02-01"]),
        (Transform::Month, ["1969-12", "1970-01", "null", "1970-02"]),
        (Transform::Hour, ["1969-12-31-23", "1970-01-01-00", "null", "1970-02-01-00"]),
    ] {
        let lake = Lake::new(&batch, &Wanted { partition: vec![("time", transform)], ..Wanted::default() });
        let files = lake.write(&[batch.clone()]).await;
        let folder =
            |f: &DataFile| f.file_path().split("p0_time=").nth(1).unwrap().split('/').next().unwrap().to_string();
        assert_eq!(files.iter().map(folder).collect::<HashSet<_>>(), expected.map(String::from).into(), "{transform}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_is_used_twice() {
    let batch = spans(0, 10, |_| "a".to_string());
    let lake = Lake::new(&batch, &Wanted::default());
    let mut names = HashSet::new();
    for epoch in 0..5 {
        lake.writer.write(Epoch(epoch), batch.clone()).await.unwrap();
        let written = lake.writer.close(Epoch(epoch)).await.unwrap().unwrap();
        names.extend(written.files.iter().map(|f| f.file_path().to_string()));
    }
    assert_eq!(names.len(), 5);
}
