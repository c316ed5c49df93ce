use iceberg::spec::{MAIN_BRANCH, ManifestListWriter, ManifestWriterBuilder, Summary};
use serde_json::json;

use super::*;
use crate::fixture::ident;
use crate::fixture::ledger::{Commit, Ledger, PIPELINE, key};

async fn looked(ledger: &Ledger, role: Role) -> Result<Certificate, VerifyError> {
    verify(&ledger.lake.catalog, &ident(), Some(PIPELINE), role).await
}

async fn proven(ledger: &Ledger) -> Certificate {
    looked(ledger, Role::Primary).await.unwrap()
}

async fn refuted(ledger: &Ledger) -> String {
    match looked(ledger, Role::Primary).await {
        Err(VerifyError::Refuted(contradiction)) => ledger.plain(&contradiction.to_string()).await,
        other => panic!("not refuted: {other:?}"),
    }
}

#[tokio::test]
async fn a_table_as_weir_writes_it_is_proven_and_the_certificate_says_what_was_seen() {
    let mut ledger = Ledger::filled().await;
    ledger.entry(0).holder = "other.1".to_string();
    ledger.commit(Commit::default()).await;
    ledger.epoch(&[(0, 20, 20, 0), (1, 105, 107, 1)]).await;
    let seen = proven(&ledger).await;
    let chain = &seen.chains[0];
    assert_eq!((chain.commits, chain.ranges, seen.snapshots), (5, 5, 5));
    assert_eq!(chain.since, [(key(0), 0), (key(1), 100)].into());
    assert_eq!((chain.offsets[&key(0)].next, chain.offsets[&key(1)].next), (20, 107));
    assert_eq!((seen.rows.committed, seen.rows.live), (10, 10));
    assert_eq!(seen.presence, Presence { files: 3, bytes: 100, manifests: 3, lists: 5 });
    assert_eq!(seen.uncovered, [""; 0]);
    assert!(chain.allowed.is_empty() && seen.rows.foreign.is_empty());
}

#[tokio::test]
async fn a_table_that_nobody_has_written_is_proven_empty() {
    let lake = crate::fixture::hadoop().await;
    lake.create(&[]).await;
    let seen = verify(&lake.catalog, &ident(), Some(PIPELINE), Role::Primary).await.unwrap();
    assert_eq!((seen.head, seen.rows.live, seen.chains[0].commits), (None, 0, 0));
}

#[tokio::test]
async fn a_gap_between_ranges_is_refuted() {
    let mut ledger = Ledger::filled().await;
    ledger.epoch(&[(0, 25, 30, 1)]).await;
    assert_eq!(
        refuted(&ledger).await,
        "found: the range of orders/0 is [25, 30), the table stood at 20\n\
         where: snapshot S4 (sequence number 4, commit c4)\n\
         means: records [20, 25) were passed over: their rows are not in the table"
    );
}

#[tokio::test]
async fn an_overlap_of_ranges_is_refuted() {
    let mut ledger = Ledger::filled().await;
    ledger.epoch(&[(0, 15, 30, 1)]).await;
    assert_eq!(
        refuted(&ledger).await,
        "found: the range of orders/0 is [15, 30), the table stood at 20\n\
         where: snapshot S4 (sequence number 4, commit c4)\n\
         means: records [15, 20) were written twice"
    );
}

#[tokio::test]
async fn an_entry_that_moves_without_a_range_is_refuted() {
    let mut ledger = Ledger::filled().await;
    ledger.entry(1).next = 200;
    ledger.epoch(&[(0, 20, 30, 1)]).await;
    assert_eq!(
        refuted(&ledger).await,
        "found: orders/1 stood at 105 with 2 rows since 100, held by \"h.1\" and stands at 200 with 2 rows since 100, \
         held by \"h.1\"\n\
         where: snapshot S4 (sequence number 4, commit c4)\n\
         means: no range says which records moved it"
    );
}

#[tokio::test]
async fn an_entry_that_vanishes_shrinks_or_appears_with_rows_is_refuted() {
    let mut ledger = Ledger::filled().await;
    let lost = ledger.offsets.remove(&key(1)).unwrap();
    ledger.epoch(&[(0, 20, 30, 1)]).await;
    assert!(refuted(&ledger).await.starts_with("found: V no longer has orders/1\nwhere: snapshot S4 "));

    let mut ledger = Ledger::filled().await;
    ledger.offsets.insert(key(2), lost);
    ledger.commit(Commit::default()).await;
    assert_eq!(
        refuted(&ledger).await,
        "found: orders/2 appears in V at 105 with 2 rows since 100, held by \"h.1\"\n\
         where: snapshot S4 (sequence number 4, commit c4)\n\
         means: an entry begins with no rows: what put them there is not in the history"
    );

    let mut ledger = Ledger::filled().await;
    ledger.entry(1).rows = 1;
    ledger.epoch(&[(0, 20, 30, 1)]).await;
    assert!(refuted(&ledger).await.starts_with("found: V counts 1 rows of orders/1, and 2 before\n"));

    let mut ledger = Ledger::filled().await;
    let ranges = json!([{"topic": "orders", "partition": 7, "from": 0, "to": 9}]);
    ledger.commit(Commit { said_ranges: Some(ranges), ..Commit::default() }).await;
    assert!(refuted(&ledger).await.starts_with("found: a range of orders/7, of which V says nothing\n"));
}

#[tokio::test]
async fn records_given_up_by_leave_are_no_contradiction_and_stand_in_the_certificate() {
    let mut ledger = Ledger::filled().await;
    ledger.entry(0).next = 50;
    ledger.commit(Commit::default()).await;
    ledger.epoch(&[(0, 50, 60, 1)]).await;
    let allowed = proven(&ledger).await.chains[0].allowed.join("\n");
    assert_eq!(
        ledger.plain(&allowed).await,
        "records [20, 50) of orders/0 were given up (snapshot S4 (sequence number 4, commit c4))"
    );
}

#[tokio::test]
async fn a_topic_begun_anew_by_leave_is_no_contradiction_and_stands_in_the_certificate() {
    let mut ledger = Ledger::filled().await;
    let entry = ledger.entry(0);
    (entry.topic_id, entry.next, entry.first) = (Some("another".to_string()), 0, 0);
    ledger.commit(Commit::default()).await;
    ledger.epoch(&[(0, 0, 5, 1)]).await;
    let allowed = proven(&ledger).await.chains[0].allowed.join("\n");
    assert_eq!(
        ledger.plain(&allowed).await,
        "orders/0 was made again after offset 20, and begun anew (snapshot S4 (sequence number 4, commit c4))"
    );
}

#[tokio::test]
async fn a_secondary_may_skip_ranges_without_rows_and_drops_what_it_has() {
    let mut ledger = Ledger::begin().await;
    ledger.epoch(&[(0, 0, 10, 4)]).await;
    // Epochs [10, 30) had no rows for it; [30, 40) was taken, and the primary then failed and took [10, 45) again.
    ledger.epoch(&[(0, 30, 40, 1)]).await;
    ledger.epoch(&[(0, 10, 45, 1)]).await;
    ledger.epoch(&[(0, 20, 30, 0)]).await;
    let seen = looked(&ledger, Role::Secondary).await.unwrap();
    assert_eq!((seen.chains[0].offsets[&key(0)].next, seen.rows.live), (45, 6));
    ledger.entry(0).next = 90;
    ledger.epoch(&[(0, 45, 60, 1)]).await;
    assert!(matches!(looked(&ledger, Role::Secondary).await, Err(VerifyError::Refuted(_))));
}

#[tokio::test]
async fn a_property_edited_by_hand_is_refuted() {
    let ledger = Ledger::filled().await;
    ledger
        .tamper(|json| {
            let value = json["properties"]["weir.traces.offsets"].as_str().unwrap().replace("[0,20,", "[0,10,");
            json["properties"]["weir.traces.offsets"] = value.into();
        })
        .await;
    assert_eq!(
        refuted(&ledger).await,
        "found: V says of orders/0 at 10 with 7 rows since 0, held by \"h.1\", but its own commit wrote at 20 with 7 rows \
         since 0, held by \"h.1\"\n\
         where: table property weir.traces.offsets, snapshot S3\n\
         means: the property was edited: the next run would begin elsewhere than the table ends"
    );
}

#[tokio::test]
async fn a_property_that_is_gone_is_refuted() {
    let ledger = Ledger::filled().await;
    ledger.tamper(|json| drop(json["properties"].as_object_mut().unwrap().remove("weir.traces.offsets"))).await;
    assert_eq!(
        refuted(&ledger).await,
        "found: the table property weir.traces.offsets is gone, but snapshots of the pipeline traces are there\n\
         where: table property weir.traces.offsets\n\
         means: nobody knows which records are in the table"
    );
}

#[tokio::test]
async fn a_summary_that_is_cut_is_refuted() {
    let mut ledger = Ledger::filled().await;
    let commit = Commit { ranges: vec![(0, 20, 30, 1)], said_ranges: Some(json!("all of it")), ..Commit::default() };
    ledger.commit(commit).await;
    let said = refuted(&ledger).await;
    assert!(
        said.starts_with("found: weir.ranges cannot be read: ") && said.ends_with("the snapshot's summary was edited"),
        "{said}"
    );
}

#[tokio::test]
async fn a_file_added_twice_is_refuted() {
    let mut ledger = Ledger::filled().await;
    let file = ledger.file("again.parquet", 2).await;
    ledger.commit(Commit { ranges: vec![(0, 20, 30, 2)], files: Some(vec![file.clone()]), ..Commit::default() }).await;
    ledger.commit(Commit { ranges: vec![(0, 30, 40, 2)], files: Some(vec![file]), ..Commit::default() }).await;
    assert_eq!(
        refuted(&ledger).await,
        "found: the data file LAKE/telemetry/spans/data/again.parquet is referenced twice\n\
         where: MANIFEST and MANIFEST, snapshot S5 (sequence number 5, T5)\n\
         means: its rows are in the table twice"
    );
}

#[tokio::test]
async fn a_file_added_again_after_it_was_rewritten_is_refuted() {
    let mut ledger = Ledger::filled().await;
    let file = ledger.file("again.parquet", 2).await;
    ledger.commit(Commit { ranges: vec![(0, 20, 30, 2)], files: Some(vec![file.clone()]), ..Commit::default() }).await;
    rewrite(&ledger, 11).await;
    ledger.commit(Commit { ranges: vec![(0, 30, 40, 2)], files: Some(vec![file]), ..Commit::default() }).await;
    assert_eq!(
        refuted(&ledger).await,
        "found: the data file LAKE/telemetry/spans/data/again.parquet was added twice\n\
         where: snapshot S4 (sequence number 4, T4) and snapshot S6 (sequence number 6, T6)\n\
         means: its rows are in the table twice"
    );
}

#[tokio::test]
async fn a_manifest_that_was_written_over_is_refuted() {
    let ledger = Ledger::filled().await;
    let base = ledger.load().await;
    let reach = Reach::read(&ledger.lake.store, &base.metadata, Reach::default()).await.unwrap();
    let longer = reach.manifests.keys().next().unwrap();
    let mut bytes = ledger.lake.store.read(longer).await.unwrap().to_vec();
    let length = bytes.len();
    // Avro's blocks end with a marker; an empty block behind them is still a right file.
    bytes.extend([0, 0]);
    bytes.extend_from_within(length - 16..length);
    ledger.lake.store.write(longer, bytes.into()).await.unwrap();
    let said = refuted(&ledger).await;
    assert!(said.contains(&format!("the manifest has {} bytes, its list says {length}", length + 18)), "{said}");
}

#[tokio::test]
async fn rows_that_the_files_of_a_commit_do_not_hold_are_refuted() {
    let mut ledger = Ledger::filled().await;
    let file = ledger.file("short.parquet", 2).await;
    ledger.commit(Commit { ranges: vec![(0, 20, 30, 3)], files: Some(vec![file]), ..Commit::default() }).await;
    assert_eq!(
        refuted(&ledger).await,
        "found: the commit recorded 3 rows, the 1 files that it added hold 2\n\
         where: snapshot S4 (sequence number 4, T4)\n\
         means: rows are lost or doubled"
    );
}

#[tokio::test]
async fn rows_that_v_does_not_count_are_refuted() {
    let mut ledger = Ledger::filled().await;
    let file = ledger.file("more.parquet", 5).await;
    let commit =
        Commit { ranges: vec![(0, 20, 30, 3)], said_rows: Some(5), files: Some(vec![file]), ..Commit::default() };
    ledger.commit(commit).await;
    assert_eq!(
        refuted(&ledger).await,
        "found: the commit recorded 5 rows, its entries of V grew by 3\n\
         where: snapshot S4 (sequence number 4, commit c4)\n\
         means: what the pipeline counts is not what it wrote"
    );
}

#[tokio::test]
async fn a_file_that_is_gone_or_cut_is_refuted() {
    let ledger = Ledger::filled().await;
    let path = ledger.lake.folder.path().join("telemetry/spans/data/2.parquet");
    std::fs::write(&path, "short").unwrap();
    assert_eq!(
        refuted(&ledger).await,
        "found: LAKE/telemetry/spans/data/2.parquet has 5 bytes, and 60 were recorded\n\
         where: MANIFEST\n\
         means: the file was changed or cut after it was committed: its rows may not be readable"
    );
    std::fs::remove_file(&path).unwrap();
    assert_eq!(
        refuted(&ledger).await,
        "found: there is no file LAKE/telemetry/spans/data/2.parquet\nwhere: MANIFEST\n\
         means: its 6 rows cannot be read"
    );
}

#[tokio::test]
async fn a_manifest_list_that_is_gone_is_refuted() {
    let ledger = Ledger::filled().await;
    let head = ledger.load().await;
    ledger.lake.store.delete(head.metadata.current_snapshot().unwrap().manifest_list()).await.unwrap();
    assert_eq!(
        refuted(&ledger).await,
        "found: there is no file MANIFEST\nwhere: snapshot S3\n\
         means: the snapshots that list it cannot be read"
    );
}

#[tokio::test]
async fn what_has_expired_is_not_claimed() {
    let ledger = Ledger::filled().await;
    ledger.expire(1).await;
    let seen = proven(&ledger).await;
    assert_eq!((seen.chains[0].commits, seen.rows.live, seen.rows.is_broken_off), (1, 9, true));
    assert_eq!(seen.chains[0].since[&key(0)], 10);
    let said = ledger.plain(&seen.uncovered.join("\n")).await;
    assert_eq!(said, "what was before snapshot S3 (sequence number 3, T3): the snapshots have expired");
}

#[tokio::test]
async fn offsets_whose_commits_have_all_expired_are_taken_and_said() {
    let mut ledger = Ledger::filled().await;
    ledger.foreign(&[]).await;
    ledger.expire(1).await;
    let said = ledger.plain(&proven(&ledger).await.uncovered.join("\n")).await;
    assert!(said.contains("its offsets stand in the property alone"), "{said}");
    // A pipeline that goes on from there is followed from its first commit on.
    ledger.epoch(&[(0, 20, 30, 1)]).await;
    assert_eq!(proven(&ledger).await.chains[0].commits, 1);
}

#[tokio::test]
async fn changes_of_others_are_told_apart_and_not_claimed() {
    let mut ledger = Ledger::filled().await;
    let file = ledger.file("foreign.parquet", 8).await;
    ledger.foreign(&[]).await;
    ledger.foreign(&[file]).await;
    ledger.epoch(&[(0, 20, 30, 1)]).await;
    let seen = proven(&ledger).await;
    assert_eq!((seen.rows.committed, seen.rows.live, seen.rows.foreign.len()), (10, 18, 2));
    assert_eq!(
        ledger.plain(&seen.uncovered.join("\n")).await,
        "what some engine did in snapshot S5 (sequence number 5, T5): append, +8 rows"
    );
}

#[tokio::test]
async fn several_pipelines_of_one_table_are_followed_each_for_itself() {
    let mut ledger = Ledger::filled().await;
    let first = ledger.offsets.clone();
    for (partition, next) in [(0, 0), (1, 0)] {
        let entry = ledger.entry(partition);
        (entry.next, entry.first, entry.rows) = (next, next, 0);
    }
    ledger.commit(Commit { pipeline: Some("other"), ..Commit::default() }).await;
    ledger.commit(Commit { pipeline: Some("other"), ranges: vec![(0, 0, 9, 5)], ..Commit::default() }).await;
    ledger.offsets = first;
    ledger.epoch(&[(0, 20, 30, 1)]).await;
    let seen = proven(&ledger).await;
    let chains: Vec<_> = seen.chains.iter().map(|chain| (chain.pipeline.as_str(), chain.commits)).collect();
    assert_eq!(chains, [("other", 2), ("traces", 4)]);
    assert_eq!((seen.rows.committed, seen.rows.live), (15, 15));
}

/// The id of the snapshot of [`rewrite`]: as long as others, so that no other's digits hold it.
const REWRITE: i64 = 1_000_000_000_000_000_099;

/// A rewrite of everything into one file, as a compaction makes it.
async fn rewrite(ledger: &Ledger, rows: u64) {
    let (base, io) = (ledger.load().await, ledger.lake.store.file_io());
    let metadata = &base.metadata;
    let folder = metadata::folder(metadata);
    let file = ledger.file("rewritten.parquet", rows).await;
    let output = io.new_output(format!("{folder}/rewritten-m0.avro")).unwrap();
    let spec = metadata.default_partition_spec().as_ref().clone();
    let builder = ManifestWriterBuilder::new(output, Some(REWRITE), metadata.current_schema().clone(), spec);
    let mut writer = builder.build_v2_data();
    writer.add_file(file, 4).unwrap();
    let manifest = writer.write_manifest_file().await.unwrap();
    let list = format!("{folder}/snap-99.avro");
    let output = io.new_output(&list).unwrap().writer().await.unwrap();
    let parent = metadata.current_snapshot_id();
    let mut writer = ManifestListWriter::v2(output, REWRITE, parent, metadata.next_sequence_number());
    writer.add_manifests([manifest].into_iter()).unwrap();
    writer.close().await.unwrap();
    let summary = Summary { operation: iceberg::spec::Operation::Replace, additional_properties: Default::default() };
    let snapshot = Snapshot::builder()
        .with_snapshot_id(REWRITE)
        .with_parent_snapshot_id(parent)
        .with_sequence_number(metadata.next_sequence_number())
        .with_timestamp_ms(metadata.last_updated_ms() + 1)
        .with_manifest_list(list)
        .with_summary(summary)
        .with_schema_id(0)
        .build();
    let builder = TableMetadata::clone(metadata).into_builder(None);
    let changes = builder.set_branch_snapshot(snapshot, MAIN_BRANCH).unwrap().build().unwrap().changes;
    ledger.lake.catalog.replace(&ident(), &base, Vec::new(), changes).await.unwrap();
}

#[tokio::test]
async fn a_compaction_by_anyone_keeps_the_proof_where_it_keeps_the_rows() {
    let mut ledger = Ledger::filled().await;
    rewrite(&ledger, 9).await;
    ledger.epoch(&[(0, 20, 30, 1)]).await;
    let seen = proven(&ledger).await;
    assert_eq!((seen.rows.live, seen.rows.committed, seen.uncovered.len()), (10, 10, 0));
    assert_eq!(seen.rows.foreign[0].operation, "replace");

    let ledger = Ledger::filled().await;
    rewrite(&ledger, 7).await;
    assert_eq!(
        refuted(&ledger).await,
        "found: a rewrite by somebody else found 9 rows and left 7\n\
         where: snapshot S4 (sequence number 4, T4)\n\
         means: rows were lost or doubled, and not by Weir"
    );
}

#[tokio::test]
async fn a_rollback_is_refuted_until_somebody_says_that_it_is_meant() {
    let ledger = Ledger::filled().await;
    let head = ledger.load().await;
    let parent = head.metadata.current_snapshot().unwrap().parent_snapshot_id().unwrap();
    ledger
        .tamper(|json| {
            json["current-snapshot-id"] = parent.into();
            json["refs"]["main"]["snapshot-id"] = parent.into();
        })
        .await;
    let said = refuted(&ledger).await;
    assert!(said.contains("the table was rolled back, or the property was edited"), "{said}");
}
