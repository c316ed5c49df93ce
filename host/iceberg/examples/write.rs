//! How quickly rows become files: spans of 13 columns with 10 attributes, with and without dictionaries, into 1, 10 and
//! 50 partitions.
//!
//! `cargo run --release -p weir-iceberg --example write [rows] [folder that keeps the files]`. With and without
//! dictionaries the rows are the same. `BLOOM=1` gives `trace_id` the filter that tables of a pipeline have.

#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, clippy::too_many_lines)]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::builder::{
    Float64Builder, Int32Builder, ListBuilder, MapBuilder, MapFieldNames, StringBuilder, StringDictionaryBuilder,
    StructBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use iceberg::spec::{
    FormatVersion, NullOrder, SortDirection, SortField, SortOrder, TableMetadata, TableMetadataBuilder, Transform,
    UnboundPartitionSpec,
};
use weir_iceberg::schema::{Former, create_schema, reconcile};
use weir_iceberg::store::{S3Options, Store};
use weir_iceberg::writer::{BufferLimits, WriteTarget, Writer};
use weir_pipeline::sink::{Epoch, Files};
use weir_pipeline::transform::TableSchema;

const BATCH_ROWS: usize = 8192;

/// A generator that needs no crate: the same rows in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

fn main() {
    let rows: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for has_dictionaries in [true, false] {
        for partitions in [1, 10, 50] {
            let schema = schema(has_dictionaries);
            let mut random = Random(88_172_645_463_325_252);
            let batches: Vec<RecordBatch> =
                (0..rows.div_ceil(BATCH_ROWS)).map(|i| batch(&schema, &mut random, i, partitions)).collect();
            runtime.block_on(run(&schema, &batches, partitions, has_dictionaries));
        }
    }
}

async fn run(schema: &SchemaRef, batches: &[RecordBatch], partitions: u64, has_dictionaries: bool) {
    let temporary = tempfile::tempdir().unwrap();
    let kept =
        std::env::args().nth(2).map(|f| std::path::PathBuf::from(f).join(format!("{has_dictionaries}-{partitions}")));
    let folder = kept.as_deref().unwrap_or(temporary.path());
    let plugin = TableSchema { name: "spans".into(), doc: String::new(), schema: Arc::clone(schema) };
    let metadata = table(&plugin, folder.to_str().unwrap());
    let mapping = reconcile(metadata.current_schema(), &Former::default(), &plugin).unwrap().mapping;
    let store = Store::open(folder.to_str().unwrap(), S3Options::default()).unwrap();
    let target = WriteTarget { metadata: Arc::new(metadata), mapping };
    let limits = BufferLimits { bytes_max: 256 << 20, spill_dir: folder.join("spill") };
    let writer = Writer::with_encoders(store, target, limits, 1);
    let (wall, cpu) = (Instant::now(), cpu_seconds());
    for batch in batches {
        writer.write(Epoch(1), batch.clone()).await.unwrap();
    }
    let written = writer.close(Epoch(1)).await.unwrap().unwrap();
    let (wall, cpu) = (wall.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let rows = written.rows() as f64;
    println!(
        "dictionaries {has_dictionaries:5}  partitions {partitions:2}  {:5.2} M rows/s of CPU  {:5.0} ns/row  \
         wall {wall:4.1} s  {} files  {:.0} B/row",
        rows / cpu / 1e6,
        cpu / rows * 1e9,
        written.count(),
        written.bytes() as f64 / rows
    );
}

fn cpu_seconds() -> f64 {
    // Fields 14 and 15: user and system time in ticks of 10 ms.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn table(plugin: &TableSchema, location: &str) -> TableMetadata {
    let schema = create_schema(plugin).unwrap();
    let id = |name: &str| schema.field_id_by_name(name).unwrap();
    let spec = UnboundPartitionSpec::builder()
        .add_partition_field(id("timestamp"), "day", Transform::Day)
        .unwrap()
        .add_partition_field(id("service_name"), "service_name", Transform::Identity)
        .unwrap()
        .build();
    let sort = |name| SortField {
        source_id: id(name),
        transform: Transform::Identity,
        direction: SortDirection::Ascending,
        null_order: NullOrder::First,
    };
    let order = SortOrder::builder().with_fields(vec![sort("timestamp"), sort("service_name")]).build(&schema).unwrap();
    let filter = std::env::var_os("BLOOM").map(|_| "write.parquet.bloom-filter-enabled.column.trace_id".to_string());
    let properties: HashMap<String, String> = filter.into_iter().map(|key| (key, "true".to_string())).collect();
    TableMetadataBuilder::new(schema, spec, order, location.to_string(), FormatVersion::V2, properties)
        .unwrap()
        .build()
        .unwrap()
        .metadata
}

fn text(is_dictionary: bool) -> DataType {
    match is_dictionary {
        true => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
        false => DataType::Utf8,
    }
}

fn map(key: DataType, value: DataType) -> DataType {
    let entries = Fields::from(vec![Field::new("key", key, false), Field::new("value", value, true)]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entries), false)), false)
}

fn schema(d: bool) -> SchemaRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let event = Fields::from(vec![
        Field::new("timestamp", time.clone(), true),
        Field::new("name", text(d), true),
        Field::new("attributes", map(text(d), DataType::Utf8), true),
    ]);
    Arc::new(Schema::new(vec![
        Field::new("timestamp", time, true),
        Field::new("trace_id", DataType::Utf8, true),
        Field::new("span_id", DataType::Utf8, true),
        Field::new("parent_span_id", DataType::Utf8, true),
        Field::new("service_name", text(d), true),
        Field::new("operation_name", text(d), true),
        Field::new("span_kind", text(d), true),
        Field::new("duration_ms", DataType::Float64, true),
        Field::new("status_code", DataType::Int32, true),
        Field::new("status_message", text(d), true),
        Field::new("attributes", map(text(d), DataType::Utf8), true),
        Field::new("resource_attributes", map(text(d), text(d)), true),
        Field::new("events", DataType::List(Arc::new(Field::new("element", DataType::Struct(event), true))), true),
    ]))
}

/// A column of text, made a dictionary at the end if it is to be one.
fn column(values: Vec<Option<String>>, data_type: &DataType) -> ArrayRef {
    if matches!(data_type, DataType::Utf8) {
        return Arc::new(StringArray::from(values));
    }
    let mut builder = StringDictionaryBuilder::<Int32Type>::new();
    values.iter().for_each(|v| builder.append_option(v.as_deref()));
    Arc::new(builder.finish())
}

fn batch(schema: &SchemaRef, random: &mut Random, index: usize, partitions: u64) -> RecordBatch {
    const KEYS: [&str; 7] =
        ["http.method", "http.route", "http.status_code", "user.id", "db.statement", "net.peer.ip", "thread.id"];
    const RESOURCE: [&str; 3] = ["service.version", "host.name", "k8s.pod.name"];
    const KINDS: [&str; 3] = ["SERVER", "CLIENT", "INTERNAL"];
    let rows = BATCH_ROWS;
    let some = |f: &mut dyn FnMut() -> String| (0..rows).map(|_| Some(f())).collect::<Vec<_>>();
    let mut times = TimestampMicrosecondBuilder::new().with_timezone("UTC");
    let start = 1_760_000_000_000_000 + (index as i64) * 16_000;
    (0..rows).for_each(|_| times.append_value(start + random.below(50_000).cast_signed()));
    let trace_ids = some(&mut || format!("{:016x}{:016x}", random.next(), random.next()));
    let span_ids = some(&mut || format!("{:016x}", random.next()));
    let parents: Vec<_> = (0..rows).map(|_| (random.below(5) > 0).then(|| format!("{:016x}", random.next()))).collect();
    let services = some(&mut || format!("service-{:02}", random.below(partitions)));
    let operations = some(&mut || format!("GET /api/v1/resource-{}", random.below(120)));
    let kinds = some(&mut || KINDS[random.below(3) as usize].to_string());
    let messages: Vec<_> =
        (0..rows).map(|_| (random.below(50) == 0).then(|| "deadline exceeded".to_string())).collect();
    let mut durations = Float64Builder::new();
    let mut codes = Int32Builder::new();
    (0..rows).for_each(|_| durations.append_value(random.below(5_000_000) as f64 / 1e3));
    (0..rows).for_each(|_| codes.append_value(i32::from(random.below(50) == 0)));

    let map_of = |keys: &[&str], data_type: &DataType, value: &mut dyn FnMut(usize) -> String| -> ArrayRef {
        let DataType::Map(entries, _) = data_type else { panic!() };
        let DataType::Struct(fields) = entries.data_type() else { panic!() };
        let all_keys = (0..rows).flat_map(|_| keys.iter().map(|k| Some(k.to_string()))).collect();
        let values = (0..rows).flat_map(|_| 0..keys.len()).map(|k| Some(value(k))).collect();
        let columns = vec![column(all_keys, fields[0].data_type()), column(values, fields[1].data_type())];
        let offsets = arrow_buffer::OffsetBuffer::from_lengths(std::iter::repeat_n(keys.len(), rows));
        let entries_array = arrow_array::StructArray::new(fields.clone(), columns, None);
        Arc::new(arrow_array::MapArray::new(Arc::clone(entries), offsets, entries_array, None, false))
    };
    let attributes = map_of(&KEYS, schema.field(10).data_type(), &mut |key| match key {
        0 => ["GET", "POST", "PUT"][random.below(3) as usize].to_string(),
        1 => format!("/api/v1/resource-{}/:id", random.below(60)),
        2 => ["200", "404", "500"][random.below(3) as usize].to_string(),
        3 => format!("user-{}", random.below(1_000_000)),
        4 => format!("SELECT * FROM table_{} WHERE id = $1 AND tenant = $2", random.below(200)),
        5 => format!("10.{}.{}.{}", random.below(4), random.below(256), random.below(256)),
        _ => random.below(64).to_string(),
    });
    let resources = map_of(&RESOURCE, schema.field(11).data_type(), &mut |key| match key {
        0 => format!("1.{}.0", random.below(4)),
        1 => format!("host-{}", random.below(40)),
        _ => format!("pod-{}", random.below(200)),
    });
    let columns: Vec<ArrayRef> = vec![
        Arc::new(times.finish()),
        column(trace_ids, &DataType::Utf8),
        column(span_ids, &DataType::Utf8),
        column(parents, &DataType::Utf8),
        column(services, schema.field(4).data_type()),
        column(operations, schema.field(5).data_type()),
        column(kinds, schema.field(6).data_type()),
        Arc::new(durations.finish()),
        Arc::new(codes.finish()),
        column(messages, schema.field(9).data_type()),
        attributes,
        resources,
        arrow::compute::cast(&events(random, rows, start), schema.field(12).data_type()).unwrap(),
    ];
    RecordBatch::try_new(Arc::clone(schema), columns).unwrap()
}

/// One row in ten has an event with two attributes.
fn events(random: &mut Random, rows: usize, start: i64) -> ArrayRef {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let fields = Fields::from(vec![
        Field::new("timestamp", time, true),
        Field::new("name", DataType::Utf8, true),
        Field::new("attributes", map(DataType::Utf8, DataType::Utf8), true),
    ]);
    let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    let builder = StructBuilder::new(
        fields,
        vec![
            Box::new(TimestampMicrosecondBuilder::new().with_timezone("UTC")),
            Box::new(StringBuilder::new()),
            Box::new(MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new())),
        ],
    );
    let mut list = ListBuilder::new(builder);
    for row in 0..rows {
        if random.below(10) == 0 {
            let event = list.values();
            event.field_builder::<TimestampMicrosecondBuilder>(0).unwrap().append_value(start + row as i64);
            event.field_builder::<StringBuilder>(1).unwrap().append_value("exception");
            let map = event.field_builder::<MapBuilder<StringBuilder, StringBuilder>>(2).unwrap();
            for key in ["exception.type", "exception.message"] {
                map.keys().append_value(key);
                map.values().append_value("the connection was closed by the other side");
            }
            map.append(true).unwrap();
            event.append(true);
        }
        list.append(true);
    }
    let list = list.finish();
    let field = Arc::new(Field::new("element", list.value_type(), true));
    let (_, offsets, values, nulls) = list.into_parts();
    Arc::new(arrow_array::ListArray::new(field, offsets, values, nulls))
}
