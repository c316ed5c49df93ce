use std::collections::BTreeMap;

use super::*;

fn entry(next: i64) -> Entry {
    Entry { topic_id: Some("id".into()), next, first: 3, rows: 7, holder: "h.1".into(), chain: None }
}

fn offsets(next: i64) -> Offsets {
    let key = |topic: &str, partition| EntryKey { cluster_id: "c".into(), topic: topic.into(), partition };
    Offsets::from([
        (key("a", 0), entry(next)),
        (key("a", 1), Entry { topic_id: None, ..entry(next + 1) }),
        (key("b", 0), entry(next + 2)),
        (key("b", 1), Entry { chain: Some("digest".into()), ..entry(next + 3) }),
    ])
}

fn filled(commit: &str, snapshot: i64, sequence: i64, next: i64) -> String {
    property_value(commit, &offsets(next))
        .replace(SNAPSHOT_ID, &snapshot.to_string())
        .replace(SEQUENCE_NUMBER, &sequence.to_string())
}

/// A snapshot; of the pipeline `p` where a commit is given.
fn snapshot(id: i64, commit: Option<&str>) -> SnapshotView {
    let mut summary = BTreeMap::new();
    if let Some(commit) = commit {
        summary.insert(PIPELINE.into(), "p".into());
        summary.insert(COMMIT_ID.into(), commit.into());
        summary.insert(OFFSETS.into(), summary_value(&offsets(id * 10)));
    }
    SnapshotView { id, sequence: id, parent: (id > 1).then_some(id - 1), summary }
}

fn view(property: Option<String>, ancestry: Vec<SnapshotView>) -> HeadView {
    let named = ancestry.iter().any(|s| s.summary.contains_key(PIPELINE));
    let broken_off = ancestry.last().is_some_and(|s| s.parent.is_some());
    HeadView { offsets: property, ancestry, named, broken_off, ..HeadView::default() }
}

#[test]
fn what_was_written_is_read_back_whole() {
    let head = view(Some(filled("k", 1, 1, 10)), vec![snapshot(1, Some("k"))]);
    let read = offsets_at(&head, "p").unwrap();
    assert_eq!(read, Committed { commit_id: "k".into(), offsets: offsets(10) });
}

#[test]
fn a_table_that_the_pipeline_never_wrote_has_no_offsets() {
    for ancestry in [vec![], vec![snapshot(2, None), snapshot(1, None)]] {
        assert_eq!(offsets_at(&view(None, ancestry), "p").unwrap(), Committed::default());
    }
}

#[test]
fn commits_by_others_and_expiry_do_not_hide_the_offsets() {
    let property = filled("k", 2, 2, 20);
    let buried = view(Some(property.clone()), vec![snapshot(4, None), snapshot(3, None), snapshot(2, Some("k"))]);
    let expired = view(Some(property), vec![snapshot(4, None), snapshot(3, None)]);
    assert_eq!(offsets_at(&buried, "p").unwrap().offsets, offsets(20));
    assert_eq!(offsets_at(&expired, "p").unwrap().offsets, offsets(20));
}

#[test]
fn every_contradiction_is_refused() {
    let cases = [
        ("edited by hand", view(Some(filled("k", 2, 2, 19)), vec![snapshot(2, Some("k"))])),
        ("rolled back by one", view(Some(filled("k", 3, 3, 5)), vec![snapshot(2, Some("j")), snapshot(1, None)])),
        ("rolled back before all", view(Some(filled("k", 3, 3, 5)), vec![snapshot(1, None)])),
        ("rolled back, then expired", view(Some(filled("k", 3, 3, 5)), vec![snapshot(2, None)])),
        ("property removed", view(None, vec![snapshot(2, Some("k"))])),
        ("property older than a snapshot", view(Some(filled("j", 1, 1, 5)), vec![snapshot(2, Some("k"))])),
        ("property of another commit", view(Some(filled("j", 2, 2, 5)), vec![snapshot(2, Some("k"))])),
        ("property is no JSON", view(Some("{".into()), vec![snapshot(2, Some("k"))])),
        ("property without ids", view(Some(property_value("k", &offsets(5))), vec![snapshot(2, Some("k"))])),
        ("table without snapshots", view(Some(filled("k", 3, 3, 5)), vec![])),
    ];
    for (what, head) in cases {
        assert!(offsets_at(&head, "p").is_err(), "{what}");
    }
    let hidden = HeadView { named: true, ..view(None, vec![snapshot(1, None)]) };
    assert!(offsets_at(&hidden, "p").is_err(), "property removed and rolled back");
}

#[test]
fn after_an_accepted_rollback_the_newest_snapshot_that_is_left_says_where_to_begin() {
    let head = view(Some(filled("k", 3, 3, 5)), vec![snapshot(2, Some("j")), snapshot(1, Some("i"))]);
    let read = offsets_after_rollback(&head, "p").unwrap();
    assert_eq!(read, Committed { commit_id: "j".into(), offsets: offsets(20) });
    assert!(offsets_after_rollback(&view(None, vec![snapshot(1, None)]), "p").is_err());
}

#[test]
fn another_pipelines_topics_are_seen() {
    let mut head = view(None, vec![]);
    head.others.insert("q".into(), filled("k", 1, 1, 5));
    let found: Vec<_> = foreign_topics(&head).into_iter().map(|(name, k)| (name, k.topic.to_string())).collect();
    assert_eq!(
        found,
        [("q".into(), "a".into()), ("q".into(), "a".into()), ("q".into(), "b".into()), ("q".into(), "b".into())]
    );
}

#[test]
fn ids_that_an_older_weir_wrote_are_those_that_kafka_prints() {
    let old = filled("k", 1, 1, 10).replace("\"id\":\"id\"", "\"id\":\"3UKQ6A7JQf26+IYWOO/EjQ\"");
    let mut snapshot = snapshot(1, Some("k"));
    snapshot.summary.insert(OFFSETS.into(), old);
    let read = offsets_in(&snapshot).unwrap();
    let ids: Vec<_> = read.values().filter_map(|entry| entry.topic_id.as_deref()).collect();
    assert!(!ids.is_empty() && ids.iter().all(|id| *id == "3UKQ6A7JQf26-IYWOO_EjQ"), "{ids:?}");
}
