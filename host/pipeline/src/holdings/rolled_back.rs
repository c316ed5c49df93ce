//! `--accept-rollback`, where it would leave a hole.
//!
//! Going on after a rollback means to begin where the primary stands. If the primary was rolled back, that makes its rows
//! again, and the other tables, which are ahead then, take nothing twice. If another table was rolled back and the primary
//! was not, or not as far, nothing makes that table's rows again.

use super::Holdings;
use crate::checkpoint::{self, EntryKey, Offsets, TakenBack};
use crate::clock::Clock;
use crate::error::Error;
use crate::sink::{HeadView, Table};

/// Records whose rows a rollback took from a table, and that the primary is beyond.
struct Hole {
    key: EntryKey,
    from: i64,
    to: i64,
}

impl<T: Table, C: Clock> Holdings<T, C> {
    /// Makes sure that what other tables lost by a rollback will be made again, before anything is written that hides it.
    ///
    /// # Errors
    /// Fatal: it will not, and the operator has not said that it need not.
    pub(super) async fn check_rolled_back(&self) -> Result<(), Error> {
        if !self.accept.rollback || self.accept.lost_records {
            return Ok(());
        }
        let primary = self.committer.load(&self.tables[0]).await?.view;
        let stands = self.committer.offsets_at(self.tables[0].name(), &primary)?.offsets;
        for table in &self.tables[1..] {
            let head = self.committer.load(table).await?;
            let Some(taken_back) = checkpoint::taken_back(&head.view, &self.committer.pipeline) else { continue };
            let holes = holes(&taken_back, &stands);
            if let Some(first) = holes.first() {
                return Err(self.hole(
                    table.name(),
                    first,
                    snapshot_before(&primary, &self.committer.pipeline, &holes),
                ));
            }
        }
        Ok(())
    }

    fn hole(&self, table: &str, Hole { key, from, to }: &Hole, snapshot: Option<i64>) -> Error {
        let primary = self.tables[0].name();
        let remedy = match snapshot {
            Some(id) => format!(
                "roll {primary} back as far, to snapshot {id}, and start with --accept-rollback: its rows are made again \
                 as well, and no table takes twice what it has"
            ),
            None => format!("no snapshot of {primary} is left that is old enough to roll it back to"),
        };
        Error::fatal(format!(
            "{table} was rolled back further than {primary}: it lacks the rows of {}/{} from offset {from} to {to}, and \
             going on from where {primary} stands would not make them again; {remedy}; --accept-lost-records goes on \
             without them",
            key.topic, key.partition
        ))
    }
}

fn holes(TakenBack { before, after }: &TakenBack, stands: &Offsets) -> Vec<Hole> {
    let hole = |(key, before): (&EntryKey, &checkpoint::Entry)| {
        let from = after.get(key).map_or(before.first, |after| after.next);
        let to = before.next.min(stands.get(key)?.next);
        (from < to).then(|| Hole { key: key.clone(), from, to })
    };
    before.iter().filter_map(hole).collect()
}

/// The newest snapshot at which the pipeline stood before all these.
fn snapshot_before(view: &HeadView, pipeline: &str, holes: &[Hole]) -> Option<i64> {
    let ours = view.ancestry.iter().filter(|s| s.summary.get(checkpoint::PIPELINE).is_some_and(|p| p == pipeline));
    ours.filter_map(|snapshot| Some((snapshot.id, checkpoint::offsets_in(snapshot).ok()?)))
        .find(|(_, offsets)| holes.iter().all(|h| offsets.get(&h.key).is_some_and(|entry| entry.next <= h.from)))
        .map(|(id, _)| id)
}
