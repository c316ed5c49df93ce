//! Files of a remote warehouse, against a store of twenty lines that speaks as much S3 as it takes.

use std::collections::HashMap;
use std::sync::Mutex;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;

type Objects = Arc<Mutex<HashMap<String, Vec<u8>>>>;

async fn serve(stream: TcpStream, objects: Objects, fails: bool) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let mut words = line.split_whitespace().map(String::from);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let mut length = 0;
        loop {
            let mut header = String::new();
            stream.read_line(&mut header).await?;
            if header.trim().is_empty() {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        let (key, query) = target.split_once('?').unwrap_or((&target, ""));
        let (status, answer) = match (&*method, query) {
            _ if fails => ("403 Forbidden", String::new()),
            ("POST", "uploads") | ("POST", "uploads=") => {
                ("200 OK", "<R><Bucket>b</Bucket><Key>k</Key><UploadId>1</UploadId></R>".to_string())
            }
            ("POST", _) => ("200 OK", "<R><ETag>\"e\"</ETag></R>".to_string()),
            ("PUT", _) => {
                // Parts are sent in order here, two at a time: each goes to its own place.
                let part =
                    query.split('&').find_map(|q| q.strip_prefix("partNumber=")).and_then(|n| n.parse::<usize>().ok());
                let mut objects = objects.lock().unwrap();
                let object = objects.entry(key.to_string()).or_default();
                let start = part.map_or(0, |n| (n - 1) * (32 << 20));
                object.resize(object.len().max(start + body.len()), 0);
                object[start..start + body.len()].copy_from_slice(&body);
                ("200 OK", String::new())
            }
            _ => ("400 Bad Request", String::new()),
        };
        let head = format!("HTTP/1.1 {status}\r\nETag: \"e\"\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
        stream.get_mut().write_all(head.as_bytes()).await?;
    }
}

async fn store(fails: bool) -> (S3Options, Objects) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let objects = Objects::default();
    let served = Arc::clone(&objects);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, Arc::clone(&served), fails));
        }
    });
    let s3 = S3Options {
        endpoint: Some(endpoint),
        access_key: Some("key".to_string()),
        secret_key: Some("secret".to_string()),
        ..S3Options::default()
    };
    (s3, objects)
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_uploaded_under_the_tables_own_spelling_and_leave_the_disk() {
    let (s3, objects) = store(false).await;
    let batch = |n: i64| spans(n * 5000, 5000, |i| format!("service/{}", i % 3));
    let wanted =
        Wanted { partition: vec![("service", Transform::Identity)], bytes_max: Some(1 << 20), ..Wanted::default() };
    let lake = Lake::at(tempfile::tempdir().unwrap(), "s3a://lake/spans", s3, &batch(0), &wanted);
    let batches: Vec<_> = (0..10).map(batch).collect();
    let files = lake.write(&batches).await;
    assert_eq!(files.len(), 3);
    assert_eq!(lake.on_disk().len(), 0);
    let objects = objects.lock().unwrap();
    for file in &files {
        let key = file.file_path().strip_prefix("s3a://lake/").unwrap();
        assert!(key.starts_with("spans/data/p0_service=service%2F"), "{key}");
        // In the request's line a percent sign is itself encoded.
        let object = &objects[&format!("/lake/{}", key.replace('%', "%25").replace('=', "%3D"))];
        assert_eq!(object.len() as u64, file.file_size_in_bytes());
        assert!(object.starts_with(b"PAR1") && object.ends_with(b"PAR1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_is_uploaded_in_parts() {
    let (s3, objects) = store(false).await;
    // What does not compress: four letters a byte would.
    let noise = |first: u64| {
        let mut state = first.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut bytes = vec![0u8; 64_000];
        bytes.iter_mut().for_each(|b| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *b = state as u8;
        });
        bytes
    };
    let batch = |n: u64| {
        let column = arrow_array::BinaryArray::from_iter_values((0..100).map(|i| noise(n * 100 + i + 1)));
        RecordBatch::try_from_iter_with_nullable([("noise", Arc::new(column) as ArrayRef, true)]).unwrap()
    };
    let lake = Lake::at(tempfile::tempdir().unwrap(), "s3://lake/noise", s3, &batch(0), &Wanted::default());
    let batches: Vec<_> = (0..12).map(batch).collect();
    let files = lake.write(&batches).await;
    let size = files[0].file_size_in_bytes();
    assert!(files.len() == 1 && size > 70 << 20, "{size}");
    let objects = objects.lock().unwrap();
    let object = objects.values().next().unwrap();
    assert_eq!((objects.len(), object.len() as u64), (1, size));
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(object.clone())).unwrap();
    let read: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    assert_eq!(rows_of(&read), rows_of(&batches));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_refuses_is_named_and_nothing_is_left_here() {
    let (s3, _) = store(true).await;
    let batch = spans(0, 10, |_| "a".to_string());
    let lake = Lake::at(tempfile::tempdir().unwrap(), "s3://lake/spans", s3, &batch, &Wanted::default());
    lake.writer.write(Epoch(1), batch).await.unwrap();
    let error = lake.writer.close(Epoch(1)).await.unwrap_err();
    assert!(error.message.starts_with("cannot upload data file s3://lake/spans/data/"), "{error}");
    lake.writer.discard(Epoch(1)).await;
    assert_eq!(lake.on_disk().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_left_is_swept_and_what_lives_is_not() {
    let (s3, _) = store(false).await;
    let folder = tempfile::tempdir().unwrap();
    let dead = folder.path().join("spill/weir-upload-dead");
    let other = folder.path().join("spill/something-else");
    for kept in [&dead, &other] {
        std::fs::create_dir_all(kept).unwrap();
        std::fs::write(kept.join("file"), "left").unwrap();
    }
    let living = folder.path().join("spill/weir-upload-living");
    std::fs::create_dir_all(&living).unwrap();
    let _held = crate::store::local::Lock::try_take(&living).unwrap().unwrap();
    let batch = spans(0, 10, |_| "a".to_string());
    let lake = Lake::at(folder, "s3://lake/spans", s3, &batch, &Wanted::default());
    lake.write(&[batch]).await;
    assert!(!dead.exists() && other.join("file").exists() && living.exists());
}
