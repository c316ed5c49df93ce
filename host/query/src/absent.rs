//! Files written before a list, struct or map column was added to their table.
//!
//! The crate fills a column that a file lacks with its default, but only where the column is a primitive; for a
//! nested one its reader fails. So the file is asked first, and what it lacks is not read from it.

use iceberg::arrow::ArrowFileReader;
use iceberg::io::FileIO;
use iceberg::scan::FileScanTask;
use parquet::arrow::async_reader::AsyncFileReader;

/// The task without those of `fields` that its file does not have.
///
/// # Errors
/// Where the file's footer cannot be read.
pub(crate) async fn without_absent(
    file_io: &FileIO,
    mut task: FileScanTask,
    fields: &[i32],
) -> Result<FileScanTask, iceberg::Error> {
    let file = file_io.new_input(&task.data_file_path)?;
    let size = iceberg::io::FileMetadata { size: task.file_size_in_bytes };
    let mut reader = ArrowFileReader::new(size, file.reader().await?);
    let metadata = reader.get_metadata(None).await.map_err(|why| {
        iceberg::Error::new(iceberg::ErrorKind::DataInvalid, format!("cannot read {}", task.data_file_path))
            .with_source(why)
    })?;
    let root = metadata.file_metadata().schema_descr().root_schema().get_fields();
    let has_ids = root.iter().any(|field| field.get_basic_info().has_id());
    let has = |id: i32| root.iter().any(|field| field.get_basic_info().has_id() && field.get_basic_info().id() == id);
    // Without ids the crate goes by position or by a mapping of names: left to it.
    if has_ids {
        task.project_field_ids.retain(|id| !fields.contains(id) || has(*id));
    }
    Ok(task)
}
