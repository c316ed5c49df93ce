//! What is read is what was written.

use arrow_array::builder::{
    ListBuilder, MapBuilder, StringBuilder, StringDictionaryBuilder, StructBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int32Array};
use arrow_schema::{Fields, TimeUnit};
use futures::TryStreamExt;
use iceberg::arrow::ArrowReaderBuilder;
use iceberg::scan::FileScanTask;
use iceberg::spec::DataFileFormat;

use super::*;

fn map_type(key: DataType, value: DataType) -> DataType {
    let entries = Fields::from(vec![Field::new("keys", key, false), Field::new("values", value, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}

/// Columns of every type that a plugin may give, dictionaries inside maps among them.
fn everything(seed: i32, rows: i32) -> RecordBatch {
    let some = |i: i32| (i * 7 + seed) % 4 != 0;
    let text = |i: i32| some(i).then(|| ["", "ä", "a longer text that repeats"][((i + seed) % 3) as usize]);
    let coded: DictionaryArray<Int32Type> = (0..rows).map(text).collect();
    let mut attributes = MapBuilder::new(None, StringDictionaryBuilder::<Int32Type>::new(), StringBuilder::new());
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    let event_fields = Fields::from(vec![
        Field::new("at", utc, true),
        Field::new("attributes", map_type(DataType::Utf8, DataType::Utf8), true),
    ]);
    let event = StructBuilder::new(
        event_fields,
        vec![
            Box::new(TimestampMicrosecondBuilder::new().with_timezone("+00:00")),
            Box::new(MapBuilder::new(None, StringBuilder::new(), StringBuilder::new())),
        ],
    );
    let mut events = ListBuilder::new(event);
    for i in 0..rows {
        for j in 0..(i + seed) % 4 {
            attributes.keys().append_value(format!("key {}", (j + seed) % 5));
            attributes.values().append_option(text(i + j));
            let event = events.values();
            event.field_builder::<TimestampMicrosecondBuilder>(0).unwrap().append_option(some(j).then_some(-77));
            let map = event.field_builder::<MapBuilder<StringBuilder, StringBuilder>>(1).unwrap();
            map.keys().append_value("k");
            map.values().append_option(text(i));
            map.append(true).unwrap();
            event.append(some(i + j));
        }
        attributes.append(some(i)).unwrap();
        events.append(some(i + 1));
    }
    let times = |zone: Option<&str>| {
        let times: TimestampMicrosecondArray = (0..rows).map(|i| some(i).then_some(i64::from(i) - 1_000_000)).collect();
        Arc::new(times.with_timezone_opt(zone.map(String::from))) as ArrayRef
    };
    RecordBatch::try_from_iter_with_nullable([
        (
            "bool",
            Arc::new((0..rows).map(|i| some(i).then_some(i % 3 == 0)).collect::<BooleanArray>()) as ArrayRef,
            true,
        ),
        ("int", Arc::new((0..rows).map(|i| some(i).then_some(i)).collect::<Int32Array>()), true),
        ("long", Arc::new((0..rows).map(|i| some(i).then_some(i64::from(i) << 40)).collect::<Int64Array>()), true),
        ("float", Arc::new((0..rows).map(|i| some(i).then_some(i as f32 / 3.0)).collect::<Float32Array>()), true),
        ("double", Arc::new((0..rows).map(|i| some(i).then_some(f64::from(i) / 7.0)).collect::<Float64Array>()), true),
        ("date", Arc::new((0..rows).map(|i| some(i).then_some(i - 400)).collect::<Date32Array>()), true),
        ("utc", times(Some("+00:00")), true),
        ("local", times(None), true),
        ("text", Arc::new((0..rows).map(text).collect::<StringArray>()), true),
        ("coded", Arc::new(coded), true),
        ("bytes", Arc::new((0..rows).map(|i| some(i).then_some([i as u8, 0, 255])).collect::<BinaryArray>()), true),
        ("nothing", Arc::new(StringArray::new_null(rows as usize)), true),
        ("attributes", Arc::new(attributes.finish()), true),
        ("events", Arc::new(events.finish()), true),
    ])
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_is_what_was_written_whatever_its_type() {
    let batches = [everything(0, 500), everything(1, 1), everything(2, 9000), everything(3, 30)];
    let wanted = Wanted { partition: vec![("int", Transform::Bucket(3))], sort: vec!["double"], ..Wanted::default() };
    let lake = Lake::new(&batches[0], &wanted);
    let files = lake.write(&batches).await;
    let expected = rows_of(&batches);

    let read_back: Vec<RecordBatch> = files.iter().map(read).collect();
    assert_eq!(rows_of(&read_back), expected);

    let schema = Arc::clone(lake.target.metadata.current_schema());
    let tasks = files.iter().map(|file| {
        Ok(FileScanTask::builder()
            .with_file_size_in_bytes(file.file_size_in_bytes())
            .with_start(0)
            .with_length(file.file_size_in_bytes())
            .with_data_file_path(file.file_path().to_string())
            .with_data_file_format(DataFileFormat::Parquet)
            .with_schema(Arc::clone(&schema))
            .with_project_field_ids(schema.as_struct().fields().iter().map(|f| f.id).collect())
            .with_case_sensitive(true)
            .build())
    });
    let store = Store::open(lake.folder.path().to_str().unwrap(), S3Options::default()).unwrap();
    let reader = ArrowReaderBuilder::new(store.file_io(), iceberg::Runtime::current()).build();
    let stream = reader.read(Box::pin(futures::stream::iter(tasks.collect::<Vec<_>>()))).unwrap();
    let by_iceberg: Vec<RecordBatch> = stream.stream().try_collect().await.unwrap();
    assert_eq!(rows_of(&by_iceberg.iter().map(printable).collect::<Vec<_>>()), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_carry_the_tables_ids_at_every_depth_and_no_other_schema() {
    let batch = everything(1, 20);
    let lake = Lake::new(&batch, &Wanted::default());
    let files = lake.write(&[batch]).await;
    let footer = footer(&files[0]);
    let file = footer.file_metadata();
    assert!(file.key_value_metadata().is_none_or(|pairs| pairs.iter().all(|p| p.key != "ARROW:schema")));
    let schema = lake.target.metadata.current_schema();
    for column in file.schema_descr().columns() {
        let id = column.self_type().get_basic_info().id();
        let name = column.path().string().replace("key_value.", "").replace("list.", "");
        assert_eq!(schema.name_by_field_id(id), Some(&*name));
    }
    let of_type = |name: &str| {
        let column = file.schema_descr().columns().iter().find(|c| c.name() == name).unwrap();
        format!("{:?}", column.logical_type_ref())
    };
    assert!(of_type("utc").contains("is_adjusted_to_u_t_c: true"), "{}", of_type("utc"));
    assert!(of_type("local").contains("is_adjusted_to_u_t_c: false"), "{}", of_type("local"));
    assert!(of_type("coded").contains("String"), "{}", of_type("coded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn dictionaries_that_outgrow_their_page_and_pages_of_few_rows_lose_no_value() {
    let batches = [everything(0, 9000), everything(2, 50), everything(1, 5000)];
    for (dictionary, rows) in [("1", "700"), ("60", "1"), ("1000000", "333"), ("25", "1000000")] {
        let properties = vec![
            ("write.parquet.dict-size-bytes", dictionary.to_string()),
            ("write.parquet.page-row-limit", rows.to_string()),
        ];
        let batches = if rows == "1" { &batches[1..2] } else { &batches[..] };
        let lake = Lake::new(&batches[0], &Wanted { properties, ..Wanted::default() });
        let files = lake.write(batches).await;
        assert_eq!(rows_of(&files.iter().map(read).collect::<Vec<_>>()), rows_of(batches), "{dictionary} {rows}");
        let footer = footer(&files[0]);
        for (column, index) in footer.row_group(0).columns().iter().zip(&footer.offset_index().unwrap()[0]) {
            let pages = index.page_locations();
            assert!(pages.is_sorted_by_key(|p| (p.first_row_index, p.offset)));
            assert_eq!(pages[0].offset, column.data_page_offset());
        }
    }
}
