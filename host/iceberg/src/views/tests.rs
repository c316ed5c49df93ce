use super::*;
use crate::fixture::ident;
use crate::fixture::ledger::{Ledger, PIPELINE};

#[tokio::test]
async fn what_is_shown_is_what_the_commits_did() {
    let ledger = Ledger::filled().await;
    ledger.foreign(&[ledger.file("theirs.parquet", 4).await]).await;
    let catalog = &ledger.lake.catalog;
    let shown = show(catalog, &ident()).await.unwrap();
    assert_eq!((&shown["rows"], &shown["data_files"], &shown["snapshots"]), (&13.into(), &3.into(), &4.into()));
    assert_eq!((&shown["pipelines"], &shown["format_version"]), (&json!([PIPELINE]), &2.into()));
    assert_eq!(
        shown["columns"][1],
        json!({"id": 2, "name": "service", "type": "string", "required": false, "doc": null})
    );
    let snapshots = snapshots(catalog, &ident()).await.unwrap();
    let rows: Vec<_> = snapshots.iter().map(|s| (s["rows_added"].as_u64(), s["rows"].as_u64())).collect();
    assert_eq!(rows, [(None, Some(0)), (Some(6), Some(6)), (Some(3), Some(9)), (Some(4), Some(13))]);
    assert_eq!((&snapshots[2]["pipeline"], &snapshots[3]["engine"]), (&PIPELINE.into(), &"some engine".into()));
    let history = history(catalog, &ident()).await.unwrap();
    assert_eq!(
        (history.len(), &history[3]["snapshot"], &history[3]["parent"]),
        (4, &shown["snapshot"], &snapshots[2]["snapshot"])
    );
    assert!(history.iter().all(|log| log["is_ancestor"] == true));
    let files = files(catalog, &ident()).await.unwrap();
    let mut sizes: Vec<_> =
        files.iter().map(|f| (f["rows"].as_u64().unwrap(), f["sequence"].as_i64().unwrap())).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [(3, 3), (4, 4), (6, 2)]);
    assert!(files.iter().all(|f| f["content"] == "data" && f["partition"] == ""));
}
