use serde_json::json;
use weir_pipeline::checkpoint;

use super::*;
use crate::fixture::ident;
use crate::fixture::ledger::{Ledger, PIPELINE};
use crate::verify::{Role, verify};

const FAR: i64 = i64::MAX / 2;

fn keep(count: usize) -> Retention {
    Retention { age: Some(Duration::ZERO), keep: Some(count) }
}

async fn files(ledger: &Ledger) -> BTreeSet<String> {
    let table = format!("{}/telemetry/spans", ledger.lake.store.warehouse());
    let all = ledger.lake.store.walk(&table).await.unwrap().into_iter().map(|f| f.name);
    all.filter(|name| !name.contains("metadata.json") && !name.contains("version-hint")).collect()
}

/// Every file that the table reaches is there, and no other of its kind.
async fn assert_whole(ledger: &Ledger) {
    let loaded = ledger.load().await;
    let reach = Reach::read(&ledger.lake.store, &loaded.metadata, Reach::default()).await.unwrap();
    let named: BTreeSet<String> = reach.names().into_iter().map(str::to_string).collect();
    let there: BTreeSet<String> = files(ledger).await.iter().map(|name| name_of(name).to_string()).collect();
    assert_eq!(there, named);
}

/// The ids of the snapshots, the oldest first.
async fn ids(ledger: &Ledger) -> Vec<i64> {
    let loaded = ledger.load().await;
    let mut all: Vec<_> = loaded.metadata.snapshots().map(|s| (s.sequence_number(), s.snapshot_id())).collect();
    all.sort_unstable();
    all.into_iter().map(|(_, id)| id).collect()
}

#[tokio::test]
async fn only_the_head_stays_every_file_of_it_is_there_and_the_offsets_survive() {
    let mut ledger = Ledger::filled().await;
    ledger.epoch(&[(0, 20, 30, 5)]).await;
    let before = ids(&ledger).await;
    let catalog = &ledger.lake.catalog;
    let planned = plan(catalog, &ident(), keep(1), FAR).await.unwrap();
    assert_eq!((ids(&ledger).await, planned.snapshots.len()), (before.clone(), 3), "a plan changes nothing");
    let done = expire(catalog, &ident(), keep(1), FAR).await.unwrap();
    assert_eq!(done.snapshots.iter().map(|s| s.0).collect::<Vec<_>>(), before[..3]);
    assert_eq!((done.kept, done.data_files, &done.left), (2, 0, &Vec::new()));
    assert!(done.manifests >= 3, "{done:?}");
    assert_whole(&ledger).await;
    let loaded = ledger.load().await;
    let view = crate::metadata::view(&loaded.metadata, PIPELINE);
    assert_eq!(checkpoint::offsets_at(&view, PIPELINE).unwrap().offsets, ledger.offsets);
    // The pipeline goes on, and what is left of its history is still proven.
    ledger.epoch(&[(0, 30, 40, 1)]).await;
    expire(&ledger.lake.catalog, &ident(), keep(1), FAR).await.unwrap();
    let seen = verify(&ledger.lake.catalog, &ident(), Some(PIPELINE), Role::Primary).await;
    assert!(seen.is_ok(), "{seen:?}");
}

#[tokio::test]
async fn nothing_young_goes_and_nothing_that_a_tag_or_branch_holds() {
    let mut ledger = Ledger::filled().await;
    ledger.epoch(&[(0, 20, 30, 5)]).await;
    let all = ids(&ledger).await;
    let young = Retention { age: Some(Duration::from_secs(3600)), keep: Some(1) };
    let now_ms = ledger.load().await.metadata.last_updated_ms();
    assert_eq!(expire(&ledger.lake.catalog, &ident(), young, now_ms).await.unwrap().snapshots, []);
    assert_eq!(ids(&ledger).await, all, "where nothing goes, nothing is committed");
    ledger
        .tamper(|json| {
            json["refs"]["release"] = json!({"snapshot-id": all[1], "type": "tag"});
            json["refs"]["old"] = json!({"snapshot-id": all[2], "type": "branch", "min-snapshots-to-keep": 1});
        })
        .await;
    let done = expire(&ledger.lake.catalog, &ident(), Retention { age: Some(Duration::ZERO), keep: None }, FAR).await;
    assert_eq!(done.unwrap().snapshots.iter().map(|s| s.0).collect::<Vec<_>>(), [all[0]]);
    assert_eq!(ids(&ledger).await[..3], all[1..]);
    assert_whole(&ledger).await;
}

#[tokio::test]
async fn the_tables_own_properties_count_where_the_operator_says_nothing() {
    let mut ledger = Ledger::filled().await;
    ledger.epoch(&[(0, 20, 30, 5)]).await;
    let all = ids(&ledger).await;
    ledger
        .tamper(|json| {
            json["properties"]["history.expire.max-snapshot-age-ms"] = "1".into();
            json["properties"]["history.expire.min-snapshots-to-keep"] = "3".into();
        })
        .await;
    let done = expire(&ledger.lake.catalog, &ident(), Retention::default(), FAR).await.unwrap();
    assert_eq!(done.snapshots.iter().map(|s| s.0).collect::<Vec<_>>(), [all[0]]);
    ledger.tamper(|json| json["properties"]["history.expire.min-snapshots-to-keep"] = "three".into()).await;
    let said = expire(&ledger.lake.catalog, &ident(), Retention::default(), FAR).await.unwrap_err().to_string();
    assert!(said.contains("history.expire.min-snapshots-to-keep") && said.contains("three"), "{said}");
}

#[tokio::test]
async fn what_cannot_be_read_stops_it_before_anything_changes() {
    let ledger = Ledger::filled().await;
    let all = ids(&ledger).await;
    let list = ledger.load().await.metadata.snapshot_by_id(all[0]).unwrap().manifest_list().to_string();
    ledger.lake.store.delete(&list).await.unwrap();
    let said = expire(&ledger.lake.catalog, &ident(), keep(1), FAR).await.unwrap_err().to_string();
    assert!(said.contains("which is not there") && said.contains("nothing expires"), "{said}");
    assert_eq!(ids(&ledger).await, all);
}

#[tokio::test]
async fn nothing_is_deleted_where_the_table_says_that_others_need_its_files() {
    let ledger = Ledger::filled().await;
    let all = ids(&ledger).await;
    ledger.tamper(|json| json["properties"]["gc.enabled"] = "false".into()).await;
    let one = Retention { age: Some(Duration::ZERO), keep: Some(1) };
    let told = [
        expire(&ledger.lake.catalog, &ident(), one, FAR).await.unwrap_err().to_string(),
        plan(&ledger.lake.catalog, &ident(), one, FAR).await.unwrap_err().to_string(),
        crate::orphans::remove(&ledger.lake.catalog, &ident(), Duration::ZERO).await.unwrap_err().to_string(),
    ];
    assert!(told.iter().all(|why| why.contains("gc.enabled = false")), "{told:?}");
    assert_eq!(ids(&ledger).await, all, "and nothing is committed for it");
    // They are still shown.
    crate::orphans::find(&ledger.lake.catalog, &ident(), Duration::ZERO).await.unwrap();
    assert_whole(&ledger).await;
}
