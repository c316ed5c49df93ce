use std::collections::BTreeSet;

use super::*;
use crate::fixture::ident;
use crate::fixture::ledger::{Ledger, PIPELINE};
use crate::reach::Reach;
use crate::verify::{Role, verify};

/// The live files of the head, with their snapshots.
async fn live(ledger: &Ledger) -> BTreeSet<(String, i64)> {
    let metadata = ledger.load().await.metadata;
    let reach = Reach::read(&ledger.lake.store, &metadata, Reach::default()).await.unwrap();
    let items = reach.of(metadata.current_snapshot_id().unwrap()).flat_map(|(_, content)| &content.items);
    items.filter(|item| item.is_alive()).map(|item| (item.location.clone(), item.snapshot_id)).collect()
}

#[tokio::test]
async fn manifests_become_one_the_files_stay_and_the_pipeline_is_still_proven() {
    let mut ledger = Ledger::filled().await;
    ledger.epoch(&[(0, 20, 30, 5)]).await;
    let (catalog, before) = (ledger.lake.catalog.clone(), live(&ledger).await);
    assert_eq!(plan(&catalog, &ident()).await.unwrap(), Counts { before: 3, after: 1 });
    assert_eq!(rewrite(&catalog, &ident()).await.unwrap(), Counts { before: 3, after: 1 });
    assert_eq!(live(&ledger).await, before);
    let head = ledger.load().await.metadata.current_snapshot_id();
    assert_eq!(rewrite(&catalog, &ident()).await.unwrap(), Counts { before: 1, after: 1 });
    assert_eq!(ledger.load().await.metadata.current_snapshot_id(), head, "where there is nothing to do, none is made");
    ledger.epoch(&[(0, 30, 40, 1)]).await;
    let seen = verify(&catalog, &ident(), Some(PIPELINE), Role::Primary).await;
    assert!(seen.is_ok(), "{seen:?}");
}
