use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<WriteProperties, PropertyError> {
    WriteProperties::read(&pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect())
}

#[test]
fn a_table_without_properties_gets_icebergs_defaults_but_for_row_groups() {
    let p = read(&[]).unwrap();
    assert_eq!(p.target_file_bytes, 512 << 20);
    assert_eq!((p.row_group_bytes, p.page_bytes, p.page_rows, p.dictionary_bytes), (8 << 20, 1 << 20, 20_000, 2 << 20));
    assert_eq!(p.row_group_rows, Some(32 << 10));
    let told = read(&[(ROW_GROUP_BYTES, "134217728")]).unwrap();
    assert_eq!((told.row_group_bytes, told.row_group_rows), (128 << 20, None));
    assert_eq!(p.metrics("a", 99), MetricsMode::Truncate(16));
    assert_eq!(p.metrics("a", 100), MetricsMode::None);
    assert!(matches!(p.compression, Compression::ZSTD(_)));
}

#[test]
fn every_codec_and_level_is_taken() {
    let codec = |c, l| read(&[(CODEC, c), (LEVEL, l)]).unwrap().compression;
    assert_eq!(codec("ZSTD", "7"), Compression::ZSTD(ZstdLevel::try_new(7).unwrap()));
    assert_eq!(codec("gzip", "2"), Compression::GZIP(GzipLevel::try_new(2).unwrap()));
    assert_eq!(codec("brotli", "3"), Compression::BROTLI(BrotliLevel::try_new(3).unwrap()));
    assert_eq!(codec("snappy", "null"), Compression::SNAPPY);
    assert_eq!(codec("lz4", "null"), Compression::LZ4_RAW);
    assert_eq!(codec("uncompressed", "null"), Compression::UNCOMPRESSED);
}

#[test]
fn a_value_that_means_nothing_is_refused_by_name() {
    let refused = [
        (FORMAT, "orc"),
        (CODEC, "lzma"),
        (LEVEL, "fast"),
        (LEVEL, "99"),
        (ROW_GROUP_BYTES, "128MB"),
        (TARGET_BYTES, "0"),
        (METRICS_DEFAULT, "truncate(x)"),
        ("write.parquet.bloom-filter-enabled.column.a", "yes"),
    ];
    for (key, value) in refused {
        let error = read(&[(key, value)]).unwrap_err();
        assert_eq!(error.key, key, "{error}");
        assert!(error.to_string().starts_with(&format!("table property {key} is ")), "{error}");
    }
    let fpp = read(&[(&format!("{BLOOM_COLUMN}a"), "true"), (&format!("{BLOOM_FPP}a"), "2")]).unwrap_err();
    assert_eq!(fpp.key, format!("{BLOOM_FPP}a"));
}

#[test]
fn a_columns_own_metrics_go_before_the_default() {
    let p = read(&[
        (METRICS_DEFAULT, "counts"),
        ("write.metadata.metrics.column.a.b", "full"),
        ("write.metadata.metrics.column.c", "truncate(4)"),
        (METRICS_COLUMNS_MAX, "0"),
    ])
    .unwrap();
    assert_eq!(p.metrics("a.b", 5), MetricsMode::Full);
    assert_eq!(p.metrics("c", 5), MetricsMode::Truncate(4));
    assert_eq!(p.metrics("d", 5), MetricsMode::Counts);
}

#[test]
fn bloom_filters_and_the_data_path_are_read() {
    let p = read(&[
        (&format!("{BLOOM_COLUMN}trace_id"), "true"),
        (&format!("{BLOOM_COLUMN}name"), "false"),
        (&format!("{BLOOM_FPP}trace_id"), "0.001"),
        (DATA_PATH, "s3a://bucket/elsewhere/"),
    ])
    .unwrap();
    assert_eq!(p.bloom, HashMap::from([("trace_id".to_string(), Bloom { false_positives: 0.001 })]));
    assert_eq!(p.data_path.as_deref(), Some("s3a://bucket/elsewhere"));
}
