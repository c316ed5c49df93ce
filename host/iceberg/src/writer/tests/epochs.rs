//! Epochs: beside each other, dropped, failed.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_without_rows_gives_no_files() {
    let batch = spans(0, 10, |_| "a".to_string());
    let lake = Lake::new(&batch, &Wanted::default());
    assert!(lake.writer.close(Epoch(1)).await.unwrap().is_none());
    lake.writer.write(Epoch(2), batch.slice(0, 0)).await.unwrap();
    assert!(lake.writer.close(Epoch(2)).await.unwrap().is_none());
    assert_eq!(lake.on_disk().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tasks_and_epochs_share_a_small_buffer_and_no_row_is_lost() {
    let wanted =
        Wanted { partition: vec![("service", Transform::Identity)], bytes_max: Some(1 << 20), ..Wanted::default() };
    let batch = |n: i64| spans(n * 1000, 1000, |i| format!("service {}", i % 5));
    let lake = Lake::new(&batch(0), &wanted);
    let writes = (0..64).map(|n| {
        let writer = Arc::clone(&lake.writer);
        tokio::spawn(async move { writer.write(Epoch((n % 2) as u64), batch(n)).await })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap().unwrap();
    }
    for epoch in 0..2 {
        let written = lake.writer.close(Epoch(epoch)).await.unwrap().unwrap();
        let expected: Vec<_> = (0..64).filter(|n| *n as u64 % 2 == epoch).map(batch).collect();
        assert_eq!(rows_of(&written.files.iter().map(read).collect::<Vec<_>>()), rows_of(&expected));
    }
    assert_eq!(lake.writer.buffered_bytes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_larger_than_the_buffer_passes_alone() {
    let batch = spans(0, 50_000, |i| format!("service {}", i % 3));
    let lake = Lake::new(&batch, &Wanted { bytes_max: Some(1000), ..Wanted::default() });
    let files = lake.write(&[batch.clone(), batch.clone()]).await;
    assert_eq!(files.iter().map(DataFile::record_count).sum::<u64>(), 100_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_epoch_leaves_nothing_and_its_late_rows_vanish() {
    let wanted =
        Wanted { partition: vec![("service", Transform::Identity)], bytes_max: Some(200_000), ..Wanted::default() };
    let batch = |n: i64| spans(n * 1000, 1000, |i| format!("service {}", i % 5));
    let lake = Lake::new(&batch(0), &wanted);
    for n in 0..20 {
        lake.writer.write(Epoch(1), batch(n)).await.unwrap();
    }
    assert!(!lake.on_disk().is_empty(), "some rows are in files by now");
    lake.writer.discard(Epoch(1)).await;
    assert_eq!((lake.on_disk().len(), lake.writer.buffered_bytes()), (0, 0));
    lake.writer.write(Epoch(1), batch(0)).await.unwrap();
    assert!(lake.writer.close(Epoch(1)).await.unwrap().is_none());
    lake.writer.write(Epoch(2), batch(0)).await.unwrap();
    assert_eq!(lake.writer.close(Epoch(2)).await.unwrap().unwrap().rows(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_closed_epoch_outlive_its_discard() {
    let batch = spans(0, 10, |_| "a".to_string());
    let lake = Lake::new(&batch, &Wanted::default());
    lake.write(&[batch]).await;
    lake.writer.discard(Epoch(1)).await;
    assert_eq!(lake.on_disk().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_says_no_is_named_and_the_epoch_takes_nothing_more() {
    let batch = spans(0, 1000, |_| "a".to_string());
    let lake = Lake::new(&batch, &Wanted::default());
    // A file stands where the folder of data files has to be.
    let data = lake.folder.path().join("table/data");
    std::fs::create_dir_all(data.parent().unwrap()).unwrap();
    std::fs::write(&data, "in the way").unwrap();
    lake.writer.write(Epoch(1), batch.clone()).await.unwrap();
    let error = lake.writer.close(Epoch(1)).await.unwrap_err();
    assert_eq!(error.kind, Kind::Retry);
    assert!(error.message.contains(data.to_str().unwrap()), "{error}");
    assert_eq!(lake.writer.write(Epoch(1), batch.clone()).await.unwrap_err().message, error.message);
    assert_eq!(lake.writer.buffered_bytes(), 0);
    lake.writer.discard(Epoch(1)).await;

    std::fs::remove_file(&data).unwrap();
    lake.writer.write(Epoch(2), batch).await.unwrap();
    assert_eq!(lake.writer.close(Epoch(2)).await.unwrap().unwrap().rows(), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_vanishes_while_it_grows_fails_its_epoch() {
    let wanted = Wanted { bytes_max: Some(200_000), ..Wanted::default() };
    let batch = |n: i64| spans(n * 1000, 1000, |_| "a".to_string());
    let lake = Lake::new(&batch(0), &wanted);
    for n in 0..8 {
        lake.writer.write(Epoch(1), batch(n)).await.unwrap();
    }
    let file = lake.on_disk().into_iter().next().unwrap();
    std::fs::remove_file(&file).unwrap();
    let error = lake.writer.close(Epoch(1)).await.unwrap_err();
    assert!(error.message.contains(&file), "{error}");
    lake.writer.discard(Epoch(1)).await;
    assert_eq!(lake.on_disk().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_is_given_up_takes_no_other_rows_with_it() {
    let wanted = Wanted { bytes_max: Some(300_000), ..Wanted::default() };
    let batch = |n: i64| spans(n * 1000, 1000, |_| "a".to_string());
    let lake = Lake::new(&batch(0), &wanted);
    let mut kept = 0;
    for n in 0..40 {
        // Given up at its first wait, which is while room is made.
        let write = lake.writer.write(Epoch(1), batch(n));
        kept += u64::from(futures::FutureExt::now_or_never(write).is_some());
    }
    assert!(kept < 40, "some were given up");
    assert_eq!(lake.writer.close(Epoch(1)).await.unwrap().unwrap().rows(), kept * 1000);
    assert_eq!(lake.writer.buffered_bytes(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_target_counts_from_the_next_epoch_on() {
    let batch = spans(0, 100, |i| format!("service {}", i % 2));
    let lake = Lake::new(&batch, &Wanted::default());
    lake.writer.write(Epoch(1), batch.clone()).await.unwrap();
    let partitioned = Wanted { partition: vec![("service", Transform::Identity)], ..Wanted::default() };
    lake.writer.retarget(&[target(lake.target.metadata.location(), &batch, &partitioned)]);
    lake.writer.write(Epoch(1), batch.clone()).await.unwrap();
    lake.writer.write(Epoch(2), batch).await.unwrap();
    assert_eq!(lake.writer.close(Epoch(1)).await.unwrap().unwrap().count(), 1);
    assert_eq!(lake.writer.close(Epoch(2)).await.unwrap().unwrap().count(), 2);
}
