use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::catalog::Catalog;
use crate::fixture::{Lake, creation, data_file, hadoop, ident, total_records};
use crate::snapshot::{self, Operation};

const KEEP_TWO: [(&str, &str); 2] =
    [("write.metadata.delete-after-commit.enabled", "true"), ("write.metadata.previous-versions-max", "2")];

fn metadata_folder(lake: &Lake) -> std::path::PathBuf {
    lake.folder.path().join("telemetry/spans/metadata")
}

fn versions(lake: &Lake) -> BTreeSet<u64> {
    let names = std::fs::read_dir(metadata_folder(lake)).unwrap();
    names.filter_map(|e| version_of(&e.unwrap().file_name().to_string_lossy())).collect()
}

fn hint_text(lake: &Lake) -> String {
    std::fs::read_to_string(metadata_folder(lake).join("version-hint.text")).unwrap()
}

fn set_hint(lake: &Lake, text: &str) {
    std::fs::write(metadata_folder(lake).join("version-hint.text"), text).unwrap();
}

fn version(loaded: &Loaded) -> u64 {
    match loaded.token {
        Token::Version(version) => version,
        _ => panic!("not of this catalog"),
    }
}

async fn load(lake: &Lake) -> Loaded {
    lake.catalog.load(&ident()).await.unwrap()
}

/// The first step of a swap alone, as a process that is killed after it leaves it.
async fn create_next_version(lake: &Lake, base: &Loaded, rows: u64) -> i64 {
    let staged = lake.stage(base, rows).await;
    let applied = metadata::apply(&base.metadata, &base.location, &staged.requirements, staged.updates).unwrap();
    let location = format!("{}/metadata/v{}.metadata.json", base.metadata.location(), version(base) + 1);
    let written = lake.store.create(&location, metadata::encode(&applied.metadata).unwrap()).await.unwrap();
    assert_eq!(written, Written::Done);
    staged.snapshot_id
}

#[tokio::test]
async fn a_table_is_a_folder_with_versions_and_a_hint() {
    let lake = hadoop().await;
    lake.catalog.prove().await.unwrap();
    assert!(matches!(lake.catalog.load(&ident()).await, Err(CatalogError::NotFound(_))));
    lake.create(&[]).await;
    let loaded = lake.append(10).await;
    assert_eq!(versions(&lake), [1, 2].into());
    assert_eq!(hint_text(&lake), "2");
    assert_eq!(load(&lake).await.metadata, loaded.metadata);
    assert_eq!(loaded.metadata.location(), format!("{}/telemetry/spans", lake.store.warehouse()));
    assert_eq!(lake.catalog.list(None).await.unwrap(), [ident()]);
    assert_eq!(lake.catalog.list(Some(&ident().namespace)).await.unwrap(), [ident()]);
    let again = lake.catalog.create(&ident(), creation(&[], &[], &[])).await;
    assert!(matches!(again, Err(CatalogError::Exists(_))));
    lake.catalog.prove_table(&ident()).await.unwrap();
    assert_eq!(versions(&lake), [1, 2].into(), "the proof changes nothing");
}

#[tokio::test]
async fn a_stale_writer_is_refused_and_not_put_on_the_new_head() {
    // The crate's own transaction reloads the table and appends all the same (T1).
    let lake = hadoop().await;
    lake.create(&[]).await;
    let stale = load(&lake).await;
    let staged = lake.stage(&stale, 5).await;
    lake.append(1).await;
    let late = lake.catalog.replace(&ident(), &stale, staged.requirements, staged.updates).await;
    assert!(matches!(late, Err(SwapError::Conflict(_))), "{late:?}");
    assert_eq!(total_records(&load(&lake).await.metadata), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixteen_racers_lose_no_commit_and_double_none() {
    let lake = Arc::new(hadoop().await);
    lake.create(&KEEP_TWO).await;
    race(&lake, 16, 5).await;
    let head = load(&lake).await;
    assert_eq!(total_records(&head.metadata), 80);
    assert_eq!(hint_text(&lake), version(&head).to_string());
    // What has left the log is deleted, but for what the hint had not passed when its turn came.
    assert!(versions(&lake).len() < 20, "{:?}", versions(&lake));
}

/// `racers` writers append one row `commits` times each, and try again where they are refused.
async fn race(lake: &Arc<Lake>, racers: usize, commits: usize) {
    let racing = (0..racers).map(|_| {
        let lake = Arc::clone(lake);
        tokio::spawn(async move {
            for _ in 0..commits {
                loop {
                    let base = load(&lake).await;
                    let staged = lake.stage(&base, 1).await;
                    match lake.catalog.replace(&ident(), &base, staged.requirements, staged.updates).await {
                        Ok(_) => break,
                        Err(SwapError::Conflict(_)) => {}
                        Err(e) => panic!("{e:?}"),
                    }
                }
            }
        })
    });
    for racer in racing.collect::<Vec<_>>() {
        racer.await.unwrap();
    }
}

#[tokio::test]
async fn of_sixteen_who_create_one_table_one_does() {
    let lake = Arc::new(hadoop().await);
    let racing = (0..16).map(|_| {
        let lake = Arc::clone(&lake);
        tokio::spawn(async move { lake.catalog.create(&ident(), creation(&[], &[], &[])).await.is_ok() })
    });
    let mut made = 0;
    for racer in racing.collect::<Vec<_>>() {
        made += usize::from(racer.await.unwrap());
    }
    assert_eq!(made, 1);
}

#[tokio::test]
async fn killed_after_the_version_was_made_the_commit_stands() {
    let lake = hadoop().await;
    let base = lake.create(&[]).await;
    let own = create_next_version(&lake, &base, 7).await;
    assert_eq!(hint_text(&lake), "1", "the hint lags");
    let head = load(&lake).await;
    assert_eq!(head.metadata.current_snapshot_id(), Some(own));
    // And whoever comes next moves the hint over both.
    lake.append(1).await;
    assert_eq!(hint_text(&lake), "3");
    assert_eq!(total_records(&load(&lake).await.metadata), 8);
}

#[tokio::test]
async fn killed_before_the_version_was_linked_nothing_stands() {
    let lake = hadoop().await;
    lake.create(&[]).await;
    let half = metadata_folder(&lake).join(".v2.metadata.json.0123.tmp");
    std::fs::write(&half, "{ \"format-vers").unwrap();
    assert_eq!(version(&load(&lake).await), 1);
    assert_eq!(version(&lake.append(1).await), 2);
}

#[tokio::test]
async fn killed_while_holding_the_lock_nobody_waits_for_the_dead() {
    let lake = hadoop().await;
    lake.create(&[]).await;
    let held = crate::store::local::Lock::try_take(&metadata_folder(&lake)).unwrap().unwrap();
    // A live holder costs a second, and the hint lags.
    let loaded = lake.append(1).await;
    assert_eq!((version(&loaded), hint_text(&lake).as_str()), (2, "1"));
    assert_eq!(version(&load(&lake).await), 2);
    drop(held);
    lake.append(1).await;
    assert_eq!(hint_text(&lake), "3");
}

#[tokio::test]
async fn old_versions_go_only_when_the_hint_is_above_them() {
    let lake = hadoop().await;
    lake.create(&KEEP_TWO).await;
    for _ in 0..5 {
        lake.append(1).await;
    }
    assert_eq!(versions(&lake), [4, 5, 6].into());
    let held = crate::store::local::Lock::try_take(&metadata_folder(&lake)).unwrap().unwrap();
    for _ in 0..3 {
        lake.append(1).await;
    }
    drop(held);
    // The hint stood at 6 all the while: 6 itself, and what is above, had to stay.
    assert_eq!(hint_text(&lake), "6");
    assert_eq!(versions(&lake), [6, 7, 8, 9].into());
    assert_eq!(version(&load(&lake).await), 9);
}

#[tokio::test]
async fn a_sleeper_that_wakes_after_its_version_was_deleted_is_refused() {
    let lake = hadoop().await;
    lake.create(&KEEP_TWO).await;
    let asleep = load(&lake).await;
    let staged = lake.stage(&asleep, 1000).await;
    for _ in 0..12 {
        lake.append(1).await;
    }
    assert!(!versions(&lake).contains(&2), "version 2 can be created again");
    let woken = lake.catalog.replace(&ident(), &asleep, staged.requirements, staged.updates).await;
    assert!(matches!(woken, Err(SwapError::Conflict(_))), "{woken:?}");
    assert!(!versions(&lake).contains(&2), "what it made is gone again");
    let head = load(&lake).await;
    assert_eq!((version(&head), total_records(&head.metadata)), (13, 12));
}

#[tokio::test]
async fn a_committer_that_sleeps_before_it_reads_the_hint_finds_its_commit_done() {
    let lake = hadoop().await;
    lake.create(&[]).await;
    let base = load(&lake).await;
    let own = create_next_version(&lake, &base, 7).await;
    lake.append(1).await;
    lake.append(1).await;
    let (hadoop, folder) = parts(&lake);
    let location = folder.version_location(&base.metadata, 2);
    let found = hadoop.woken_late(&ident(), &folder, &location, Some(own)).await.unwrap();
    assert_eq!(version(&found), 4);
    assert!(versions(&lake).contains(&2), "it is part of the history");
}

fn parts(lake: &Lake) -> (Hadoop, Folder) {
    let hadoop = Hadoop::new(lake.store.clone());
    let folder = hadoop.folder(&ident()).unwrap();
    (hadoop, folder)
}

/// Answers one read of the hint, which waits for it: a pipe stands in the hint's place, a new one for each read.
fn answer_hint(path: &std::path::Path, text: &str) {
    use std::io::Write;
    let mut pipe = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    make_pipe(path);
    pipe.write_all(text.as_bytes()).unwrap();
}

fn make_pipe(path: &std::path::Path) {
    std::fs::remove_file(path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_slept_between_hint_and_look_ahead_starts_over() {
    let lake = Arc::new(hadoop().await);
    lake.create(&KEEP_TWO).await;
    lake.append(1).await;
    let old = std::fs::read(metadata_folder(&lake).join("v2.metadata.json")).unwrap();
    for _ in 0..6 {
        lake.append(1).await;
    }
    // Version 2 is still there, version 3 is not: what the reader sees whose look ahead meets the deletions.
    std::fs::write(metadata_folder(&lake).join("v2.metadata.json"), old).unwrap();
    let hint = metadata_folder(&lake).join("version-hint.text");
    make_pipe(&hint);
    let reader = Arc::clone(&lake);
    let reading = tokio::spawn(async move { version(&load(&reader).await) });
    // A thread of its own: a reader that does not ask again must fail the test, not hang it.
    let answering = std::thread::spawn(move || {
        // Read before it slept; read again after: three commits and more have passed. Then it starts over.
        for text in ["2", "8", "8", "8"] {
            answer_hint(&hint, text);
        }
    });
    assert_eq!(reading.await.unwrap(), 8);
    answering.join().unwrap();
}

#[tokio::test]
async fn a_hint_that_leads_or_lies_is_said_and_one_that_is_gone_is_found_again() {
    let lake = hadoop().await;
    lake.create(&[]).await;
    lake.append(1).await;
    set_hint(&lake, "9");
    let e = lake.catalog.load(&ident()).await.unwrap_err();
    assert!(e.to_string().contains("version 9") && !e.is_passing(), "{e}");
    for broken in ["", "nine", "\n"] {
        set_hint(&lake, broken);
        assert_eq!(version(&load(&lake).await), 2, "{broken:?}");
    }
    std::fs::remove_file(metadata_folder(&lake).join("version-hint.text")).unwrap();
    assert_eq!(version(&load(&lake).await), 2);
    lake.append(1).await;
    assert_eq!(hint_text(&lake), "3");
    set_hint(&lake, "1\n");
    assert_eq!(version(&load(&lake).await), 3, "as Java writes it, and lagging");
}

#[tokio::test]
async fn a_stale_checksum_beside_the_hint_is_removed() {
    let lake = hadoop().await;
    lake.create(&[]).await;
    let crc = metadata_folder(&lake).join(".version-hint.text.crc");
    std::fs::write(&crc, "crc").unwrap();
    lake.append(1).await;
    assert!(!crc.exists(), "Hadoop's reader would refuse the hint");
}

#[tokio::test]
async fn a_compressed_version_of_java_is_read_and_succeeded() {
    let lake = hadoop().await;
    let loaded = lake.create(&[("write.metadata.compression-codec", "gzip")]).await;
    let plain = metadata_folder(&lake).join("v1.metadata.json");
    // The crate compresses only under names of its own.
    let packed = iceberg::MetadataLocation::new_with_metadata(lake.store.warehouse(), &loaded.metadata);
    loaded.metadata.write_to(&lake.store.file_io(), &packed).await.unwrap();
    let packed = lake.store.read(&packed.to_string()).await.unwrap();
    assert!(packed.starts_with(&[0x1f, 0x8b]));
    for name in ["v1.gz.metadata.json", "v1.metadata.json.gz"] {
        let _ = std::fs::remove_file(&plain);
        std::fs::write(metadata_folder(&lake).join(name), &packed).unwrap();
        assert!(load(&lake).await.location.ends_with(name));
        std::fs::remove_file(metadata_folder(&lake).join(name)).unwrap();
    }
    std::fs::write(metadata_folder(&lake).join("v1.gz.metadata.json"), &packed).unwrap();
    assert_eq!(version(&lake.append(3).await), 2);
}

#[tokio::test]
async fn a_moved_table_is_refused_and_another_spelling_is_not() {
    let lake = hadoop().await;
    lake.create(&[]).await;
    let path = metadata_folder(&lake).join("v1.metadata.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("file:///", "file:/")).unwrap();
    let loaded = load(&lake).await;
    assert!(loaded.metadata.location().starts_with("file:/") && !loaded.metadata.location().starts_with("file://"));
    let staged = lake.append(1).await;
    assert_eq!(staged.metadata.location(), loaded.metadata.location(), "the table's own spelling stays");
    assert_eq!(
        staged.metadata.metadata_log()[0].metadata_file,
        format!("{}/metadata/v1.metadata.json", loaded.metadata.location())
    );
    let text = text.replace("/telemetry/spans\"", "/telemetry/elsewhere\"");
    std::fs::write(metadata_folder(&lake).join("v2.metadata.json"), text).unwrap();
    let e = lake.catalog.load(&ident()).await.unwrap_err();
    assert!(e.to_string().contains("moved or copied"), "{e}");
}

#[tokio::test]
async fn a_clock_that_is_minutes_behind_still_commits() {
    // The crate refuses a snapshot more than a minute older than the table, and writes metadata that it then refuses.
    let lake = hadoop().await;
    lake.create(&[]).await;
    let base = load(&lake).await;
    let files = [data_file(1)];
    let ahead = base.metadata.last_updated_ms() + 10 * 60_000;
    for now_ms in [ahead, 0, ahead - 120_000] {
        let base = load(&lake).await;
        let operation = Operation { added: &files, now_ms, ..Operation::default() };
        let staged = snapshot::stage(&lake.store.file_io(), &base.metadata, operation).await.unwrap();
        let done = lake.catalog.replace(&ident(), &base, staged.requirements, staged.updates).await.unwrap();
        assert!(done.metadata.last_updated_ms() > base.metadata.last_updated_ms());
    }
    assert_eq!(load(&lake).await.metadata.last_updated_ms(), ahead + 2);
}

#[tokio::test]
async fn names_cannot_leave_the_warehouse() {
    let lake = hadoop().await;
    for (space, name) in [("..", "x"), ("a/b", "x"), ("a", ".."), ("a", ""), ("a", "b/c")] {
        let ident = TableIdent::new(NamespaceIdent::new(space.to_string()), name.to_string());
        let made = Catalog::create(&lake.catalog, &ident, creation(&[], &[], &[])).await;
        assert!(matches!(made, Err(CatalogError::Refused(_))), "{ident}");
    }
}
