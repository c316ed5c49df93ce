//! Every property shows in the file.

use parquet::basic::{Compression, Encoding as PageEncoding};

use super::*;

async fn written_with(properties: &[(&'static str, &str)]) -> (DataFile, ParquetMetaData, Lake) {
    let batch = spans(0, 30_000, |i| format!("service {}", i % 1000));
    let wanted =
        Wanted { properties: properties.iter().map(|(k, v)| (*k, v.to_string())).collect(), ..Wanted::default() };
    let lake = Lake::new(&batch, &wanted);
    let file = lake.write(&[batch]).await.remove(0);
    let footer = footer(&file);
    (file, footer, lake)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_codec_and_its_level_are_obeyed() {
    for (codec, expected) in [
        ("snappy", "SNAPPY"),
        ("gzip", "GZIP"),
        ("zstd", "ZSTD"),
        ("lz4", "LZ4_RAW"),
        ("brotli", "BROTLI"),
        ("uncompressed", "UNCOMPRESSED"),
    ] {
        let (_, footer, _lake) = written_with(&[("write.parquet.compression-codec", codec)]).await;
        let found = format!("{:?}", footer.row_group(0).column(2).compression());
        assert!(found.starts_with(expected), "{codec}: {found}");
    }
    let size = async |level| written_with(&[("write.parquet.compression-level", level)]).await.0.file_size_in_bytes();
    assert!(size("15").await < size("1").await);
    let (_, footer, _lake) = written_with(&[]).await;
    assert!(matches!(footer.row_group(0).column(0).compression(), Compression::ZSTD(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn row_groups_and_pages_are_as_large_as_wanted() {
    let (_, plain, _lake) = written_with(&[]).await;
    assert_eq!(plain.num_row_groups(), 1);
    let (_, grouped, _lake) = written_with(&[("write.parquet.row-group-size-bytes", "100000")]).await;
    assert!(grouped.num_row_groups() > 2);
    let pages =
        |footer: &ParquetMetaData, column: usize| footer.offset_index().unwrap()[0][column].page_locations().len();
    let (_, by_rows, _lake) = written_with(&[("write.parquet.page-row-limit", "1000")]).await;
    assert!(pages(&by_rows, 3) >= 29, "{}", pages(&by_rows, 3));
    let (_, by_bytes, _lake) = written_with(&[("write.parquet.page-size-bytes", "10000")]).await;
    assert!(pages(&by_bytes, 2) > 20 && pages(&plain, 2) < 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_a_table_that_says_nothing_are_shared_evenly_among_row_groups() {
    let batch = spans(0, 70_000, |i| format!("service {}", i % 3));
    let lake = Lake::new(&batch, &Wanted { sort: vec!["time"], ..Wanted::default() });
    let file = lake.write(std::slice::from_ref(&batch)).await.remove(0);
    let rows: Vec<i64> = footer(&file).row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|rows| (20_000..=32_768).contains(rows)), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dictionaries_are_where_the_plugin_has_them_until_they_are_too_large() {
    let encodings = |footer: &ParquetMetaData, column: usize| -> Vec<PageEncoding> {
        footer.row_group(0).column(column).encodings().collect()
    };
    let (_, plain, _lake) = written_with(&[]).await;
    assert!(plain.row_group(0).column(1).dictionary_page_offset().is_some());
    assert!(!encodings(&plain, 1).contains(&PageEncoding::PLAIN_DICTIONARY));
    assert!(plain.row_group(0).column(2).dictionary_page_offset().is_none());
    assert!(encodings(&plain, 0).contains(&PageEncoding::DELTA_BINARY_PACKED));
    let sizes = |f: &DataFile| f.column_sizes()[&2];
    let (with, ..) = written_with(&[("write.parquet.compression-codec", "uncompressed")]).await;
    let (without, ..) =
        written_with(&[("write.parquet.compression-codec", "uncompressed"), ("write.parquet.dict-size-bytes", "1000")])
            .await;
    assert!(sizes(&with) * 2 < sizes(&without), "{} {}", sizes(&with), sizes(&without));
}

#[tokio::test(flavor = "multi_thread")]
async fn bloom_filters_are_written_for_the_columns_that_have_them() {
    let enabled = "write.parquet.bloom-filter-enabled.column.id";
    let (_, large, _lake) = written_with(&[(enabled, "true")]).await;
    let length = |footer: &ParquetMetaData, column: usize| footer.row_group(0).column(column).bloom_filter_length();
    assert!(length(&large, 2).unwrap() > 30_000 && length(&large, 1).is_none());
    let (_, small, _lake) = written_with(&[(enabled, "true"), ("write.parquet.bloom-filter-max-bytes", "4096")]).await;
    assert!(length(&small, 2).unwrap() <= 4096 + 64, "{:?}", length(&small, 2));
    let (_, none, _lake) = written_with(&[(enabled, "false")]).await;
    assert!(length(&none, 2).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_data_path_is_obeyed() {
    let elsewhere = tempfile::tempdir().unwrap();
    let path = elsewhere.path().join("data files");
    let (file, ..) = written_with(&[("write.data.path", path.to_str().unwrap())]).await;
    assert!(Path::new(file.file_path()).parent() == Some(path.as_path()));
    assert!(Path::new(file.file_path()).is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_location_keeps_its_spelling() {
    let batch = spans(0, 10, |_| "a".to_string());
    let folder = tempfile::tempdir().unwrap();
    let location = format!("file:{}/table/", folder.path().to_str().unwrap());
    let lake = Lake::at(folder, &location, S3Options::default(), &batch, &Wanted::default());
    let files = lake.write(&[batch]).await;
    assert!(files[0].file_path().starts_with(&format!("{location}data/")), "{}", files[0].file_path());
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_sort_columns_can_be_skipped() {
    let batch = spans(0, 60_000, |_| "a".to_string());
    let lake = Lake::new(&batch, &Wanted { sort: vec!["time"], ..Wanted::default() });
    let file = lake.write(&[batch]).await.remove(0);
    let footer = footer(&file);
    let index = &footer.column_index().unwrap()[0];
    assert!(index[0].is_sorted() || format!("{:?}", index[0]).contains("INT64"), "{:?}", index[0]);
    assert_eq!(RowSelection::from(vec![]).row_count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_obeyed_is_said_before_a_row_is_taken() {
    let batch = spans(0, 10, |_| "a".to_string());
    let wanted = Wanted { properties: vec![("write.format.default", "orc".to_string())], ..Wanted::default() };
    let lake = Lake::new(&batch, &wanted);
    let error = lake.writer.check().unwrap_err();
    assert_eq!(error.kind, Kind::Fatal);
    assert!(error.message.contains("write.format.default") && error.message.contains("orc"), "{error}");
    assert!(lake.writer.write(Epoch(1), batch).await.is_err());
}
