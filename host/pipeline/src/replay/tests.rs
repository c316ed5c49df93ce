use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{Origin, REPLAYED, Replayed, replayed_after_rollback, replayed_at};
use crate::checkpoint::{COMMIT_ID, EntryKey, PIPELINE};
use crate::sink::{HeadView, SnapshotView};

fn origin(partition: i32, id: Option<&str>) -> Origin {
    let key = EntryKey { cluster_id: "c".into(), topic: "t".into(), partition };
    Origin { key, topic_id: id.map(str::to_string) }
}

fn of(offsets: &[i64]) -> Replayed {
    let mut replayed = Replayed { rows: offsets.len() as u64, ..Replayed::default() };
    offsets.iter().for_each(|offset| replayed.add(&origin(0, None), *offset));
    replayed
}

fn snapshot(id: i64, commit: &str, replayed: bool) -> SnapshotView {
    let mut summary = BTreeMap::from([(PIPELINE, "p"), (COMMIT_ID, commit)]);
    if replayed {
        summary.insert(REPLAYED, "{}");
    }
    let summary = summary.into_iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
    SnapshotView { id, sequence: id, parent: (id > 1).then_some(id - 1), summary }
}

fn view(replayed: Option<String>, ancestry: Vec<SnapshotView>) -> HeadView {
    let broken_off = ancestry.last().is_some_and(|s| s.parent.is_some());
    HeadView { replayed, ancestry, broken_off, ..HeadView::default() }
}

proptest! {
    #[test]
    fn it_holds_what_was_added_and_nothing_else(offsets in prop::collection::vec(0i64..40, 0..40)) {
        let (replayed, expected) = (of(&offsets), offsets.iter().copied().collect::<BTreeSet<i64>>());
        for offset in -1..42 {
            prop_assert_eq!(replayed.holds(&origin(0, None), offset), expected.contains(&offset));
            prop_assert!(!replayed.holds(&origin(1, None), offset));
            prop_assert!(!replayed.holds(&origin(0, Some("another topic id")), offset));
        }
    }

    #[test]
    fn what_two_hold_together_is_found_and_else_they_add_up(
        left in prop::collection::btree_set(0i64..40, 0..20),
        right in prop::collection::btree_set(0i64..40, 0..20),
    ) {
        let [a, b] = [&left, &right].map(|set| of(&set.iter().copied().collect::<Vec<_>>()));
        match a.common(&b) {
            Some((_, offset)) => prop_assert!(left.contains(&offset) && right.contains(&offset)),
            None => {
                prop_assert!(left.is_disjoint(&right));
                let mut both = a.clone();
                both.extend(&b);
                prop_assert_eq!(both, of(&left.union(&right).copied().collect::<Vec<_>>()));
            }
        }
    }
}

#[test]
fn what_is_written_is_read_again() {
    let mut replayed = of(&[1, 2, 3, 7]);
    replayed.add(&origin(5, Some("id")), i64::MAX - 1);
    let view = view(Some(replayed.value("a")), vec![snapshot(3, "b", false), snapshot(2, "a", true)]);
    assert_eq!(replayed_at(&view, "p"), Ok(replayed));
}

#[test]
fn the_property_counts_after_its_snapshot_expired() {
    let replayed = of(&[4]);
    let left = view(Some(replayed.value("a")), vec![snapshot(9, "b", false)]);
    assert_eq!(replayed_at(&left, "p"), Ok(replayed));
}

#[test]
fn a_property_that_does_not_fit_the_history_is_a_contradiction() {
    let (older, newer) = (of(&[4]).value("a"), of(&[4, 5]).value("b"));
    let whole = vec![snapshot(2, "a", true), snapshot(1, "x", false)];
    for (property, ancestry) in [
        (Some(newer), whole.clone()),
        (Some(older), vec![snapshot(1, "x", false)]),
        (Some("{".to_string()), whole.clone()),
        (None, whole),
    ] {
        let said = replayed_at(&view(property.clone(), ancestry), "p");
        assert!(said.as_ref().is_err_and(|c| c.0.contains("weir.p.replayed")), "{property:?}: {said:?}");
    }
    assert_eq!(replayed_at(&view(None, vec![snapshot(1, "x", false)]), "p"), Ok(Replayed::default()));
}

#[test]
fn after_an_accepted_rollback_the_newest_replay_that_is_left_counts() {
    let mut left = snapshot(1, "a", true);
    left.summary.insert(REPLAYED.to_string(), of(&[4]).value("a"));
    let rolled_back = view(Some(of(&[4, 5]).value("b")), vec![snapshot(2, "x", false), left]);
    assert_eq!(replayed_after_rollback(&rolled_back, "p"), Ok(of(&[4])));
    let further = view(Some(of(&[4, 5]).value("b")), vec![snapshot(1, "x", false)]);
    assert_eq!(replayed_after_rollback(&further, "p"), Ok(Replayed::default()));
    assert!(replayed_after_rollback(&view(None, vec![snapshot(1, "x", true)]), "p").is_err(), "{{}} is no summary");
}
