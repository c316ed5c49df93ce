use std::time::SystemTime;

use super::*;
use crate::fixture::ident;
use crate::fixture::ledger::{Commit, Ledger, PIPELINE};
use crate::verify::{Role, verify};

const DAY: Duration = Duration::from_secs(86_400);
const THREE_DAYS: Duration = Duration::from_secs(3 * 86_400);

/// Puts a file into the table's folder, as old as that.
async fn put(ledger: &Ledger, name: &str, age: Duration) -> String {
    let location = format!("{}/telemetry/spans/{name}", ledger.lake.store.warehouse());
    ledger.lake.store.write(&location, "leftover".into()).await.unwrap();
    make_old(ledger, &location, age);
    location
}

fn make_old(ledger: &Ledger, location: &str, age: Duration) {
    let path = ledger.lake.store.local_path(location).unwrap();
    let file = std::fs::File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

/// Makes every file of the table as old as that.
async fn make_all_old(ledger: &Ledger, age: Duration) {
    let table = format!("{}/telemetry/spans", ledger.lake.store.warehouse());
    for file in ledger.lake.store.walk(&table).await.unwrap() {
        make_old(ledger, &format!("{table}/{}", file.name), age);
    }
}

fn names(survey: &Survey) -> Vec<&str> {
    survey.orphans.iter().map(|o| name_of(&o.location)).collect()
}

#[tokio::test]
async fn only_old_files_that_nothing_names_are_found_and_looking_changes_nothing() {
    let ledger = Ledger::filled().await;
    make_all_old(&ledger, 9 * DAY).await;
    put(&ledger, "data/day=1/old.parquet", 4 * DAY).await;
    put(&ledger, "data/day=1/young.parquet", 2 * DAY).await;
    put(&ledger, "metadata/old-m0.avro", 4 * DAY).await;
    put(&ledger, "elsewhere/old.parquet", 4 * DAY).await;
    let version = ledger.load().await.location;
    let survey = find(&ledger.lake.catalog, &ident(), THREE_DAYS).await.unwrap();
    assert_eq!((names(&survey), survey.young), (vec!["old.parquet", "old-m0.avro"], 1));
    assert_eq!((survey.orphans[0].bytes, survey.elsewhere.len()), (8, 0));
    assert_eq!(ledger.load().await.location, version);
    let all = find(&ledger.lake.catalog, &ident(), Duration::ZERO).await.unwrap();
    assert_eq!((all.orphans.len(), all.young), (3, 0), "{all:?}");
}

#[tokio::test]
async fn what_is_deleted_was_named_by_nothing_and_the_table_stays_whole() {
    let mut ledger = Ledger::filled().await;
    make_all_old(&ledger, 9 * DAY).await;
    let young = put(&ledger, "data/young.parquet", DAY).await;
    let old = put(&ledger, "data/old.parquet", 4 * DAY).await;
    let outside = put(&ledger, "elsewhere/old.parquet", 4 * DAY).await;
    let before = ledger.load().await;
    let survey = remove(&ledger.lake.catalog, &ident(), THREE_DAYS).await.unwrap();
    assert_eq!((names(&survey), survey.young), (vec!["old.parquet"], 1));
    let store = &ledger.lake.store;
    let there = (store.exists(&old).await, store.exists(&young).await, store.exists(&outside).await);
    assert!(matches!(there, (Ok(false), Ok(true), Ok(true))), "{there:?}");
    // The head has moved, and what the pipeline committed stands as it was.
    let after = ledger.load().await;
    assert_ne!(after.metadata.current_snapshot_id(), before.metadata.current_snapshot_id());
    assert_eq!(after.metadata.properties(), before.metadata.properties());
    ledger.epoch(&[(0, 20, 30, 1)]).await;
    let seen = verify(&ledger.lake.catalog, &ident(), Some(PIPELINE), Role::Primary).await.unwrap();
    assert_eq!((seen.rows.live, seen.uncovered.len()), (10, 0));
    assert_eq!(seen.rows.foreign[0].engine.as_deref(), Some("Weir"));
}

#[tokio::test]
async fn where_there_is_nothing_to_delete_nothing_is_committed() {
    let ledger = Ledger::filled().await;
    make_all_old(&ledger, 9 * DAY).await;
    put(&ledger, "data/young.parquet", DAY).await;
    let before = ledger.load().await.location;
    let survey = remove(&ledger.lake.catalog, &ident(), THREE_DAYS).await.unwrap();
    assert_eq!((names(&survey), survey.young), (vec![], 1));
    assert_eq!(ledger.load().await.location, before);
}

#[tokio::test]
async fn files_of_every_snapshot_in_the_metadata_stay_and_those_of_expired_ones_go() {
    let ledger = Ledger::filled().await;
    let lists: Vec<String> = ledger.load().await.metadata.snapshots().map(|s| s.manifest_list().to_string()).collect();
    ledger.expire(2).await;
    make_all_old(&ledger, 9 * DAY).await;
    let survey = find(&ledger.lake.catalog, &ident(), THREE_DAYS).await.unwrap();
    assert_eq!(survey.orphans.len(), 1, "{survey:?}");
    assert!(lists.contains(&survey.orphans[0].location) && survey.orphans[0].location.contains("snap-"));
}

#[tokio::test]
async fn spellings_of_a_location_do_not_make_an_orphan() {
    let mut ledger = Ledger::filled().await;
    let mut file = ledger.file("spelt.parquet", 1).await;
    let spelt = file.file_path().replace("file://", "file:");
    let mut builder = iceberg::spec::DataFileBuilder::default();
    builder.content(iceberg::spec::DataContentType::Data).file_path(spelt);
    builder.file_format(file.file_format()).partition(file.partition().clone());
    file = builder.record_count(1).file_size_in_bytes(10).build().unwrap();
    ledger.commit(Commit { ranges: vec![(0, 20, 30, 1)], files: Some(vec![file]), ..Commit::default() }).await;
    make_all_old(&ledger, 9 * DAY).await;
    assert_eq!(find(&ledger.lake.catalog, &ident(), THREE_DAYS).await.unwrap().orphans, []);
    assert!(verify(&ledger.lake.catalog, &ident(), None, Role::Primary).await.is_ok());
}

#[tokio::test]
async fn what_belongs_to_the_catalog_stays() {
    let ledger = Ledger::filled().await;
    put(&ledger, "metadata/.version-hint.text.crc", 9 * DAY).await;
    put(&ledger, "metadata/.gone.avro.crc", 9 * DAY).await;
    // A version that somebody is making right now, by a clock that is behind.
    put(&ledger, "metadata/v99.metadata.json", 9 * DAY).await;
    put(&ledger, "metadata/v0.metadata.json", 9 * DAY).await;
    let survey = find(&ledger.lake.catalog, &ident(), THREE_DAYS).await.unwrap();
    assert_eq!(names(&survey), [".gone.avro.crc", "v0.metadata.json"]);
}

#[tokio::test]
async fn nothing_is_deleted_where_it_is_not_known_what_the_table_names() {
    let ledger = Ledger::filled().await;
    let old = put(&ledger, "data/old.parquet", 4 * DAY).await;
    put(&ledger, "data/inner/metadata/v1.metadata.json", 4 * DAY).await;
    let refused = remove(&ledger.lake.catalog, &ident(), THREE_DAYS).await.unwrap_err().to_string();
    assert!(refused.contains("another table is inside this one"), "{refused}");
    ledger
        .lake
        .store
        .delete(&format!("{}/telemetry/spans/data/inner/metadata/v1.metadata.json", ledger.lake.store.warehouse()))
        .await
        .unwrap();
    let list = ledger.load().await.metadata.current_snapshot().unwrap().manifest_list().to_string();
    let manifests = ledger.lake.store.read(&list).await.unwrap();
    ledger.lake.store.write(&list, "cut".into()).await.unwrap();
    let refused = find(&ledger.lake.catalog, &ident(), THREE_DAYS).await.unwrap_err().to_string();
    assert!(refused.ends_with("nobody knows what the table names, and nothing is deleted"), "{refused}");
    ledger.lake.store.write(&list, manifests).await.unwrap();
    assert!(ledger.lake.store.exists(&old).await.unwrap());
    // A rollback between the two looks.
    let head = ledger.load().await;
    let parent = head.metadata.current_snapshot().unwrap().parent_snapshot_id().unwrap();
    ledger
        .tamper(|json| {
            json["current-snapshot-id"] = parent.into();
            json["refs"]["main"]["snapshot-id"] = parent.into();
        })
        .await;
    let refused = again(&ledger.lake.catalog, &ident(), &head).await.unwrap_err().to_string();
    assert!(refused.ends_with("while it was looked into: nothing is deleted"), "{refused}");
}
