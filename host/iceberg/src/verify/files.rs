//! Whether everything that the metadata names is there, with the size that was recorded.

use std::collections::HashMap;
use std::fmt;

use futures::{StreamExt, TryStreamExt};
use iceberg::spec::TableMetadata;

use super::{Contradiction, VerifyError};
use crate::reach::{Item, Reach};
use crate::store::{Place, Store};

/// Files looked at one by one at the same time, where listing their folder has not shown them.
const LOOKS: usize = 32;

/// What is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Presence {
    /// Data and delete files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Manifests.
    pub manifests: usize,
    /// Manifest lists, one a snapshot.
    pub lists: usize,
}

/// Looks for every file that any snapshot in the metadata holds.
///
/// # Errors
/// [`VerifyError::Refuted`] with the first that is absent or of another size; what the store says.
pub async fn check(store: &Store, metadata: &TableMetadata, reach: &Reach) -> Result<Presence, VerifyError> {
    let mut wanted: HashMap<Place, (&Item, &str)> = HashMap::new();
    for (manifest, content) in &reach.manifests {
        for item in content.items.iter().filter(|item| item.is_alive()) {
            wanted.entry(Place::of(&item.location)?).or_insert((item, manifest));
        }
    }
    let presence = Presence {
        files: wanted.len(),
        bytes: wanted.values().map(|(item, _)| item.bytes).sum(),
        manifests: reach.manifests.len(),
        lists: reach.lists.len(),
    };
    // One listing answers for a thousand files; only what it does not show as it should be is looked at by itself.
    let folder = format!("{}/data", metadata.location().trim_end_matches('/'));
    for found in store.walk(&folder).await? {
        let place = Place::of(&format!("{folder}/{}", found.name))?;
        if wanted.get(&place).is_some_and(|(item, _)| item.bytes == found.bytes) {
            wanted.remove(&place);
        }
    }
    let mut left: Vec<(&Item, &str)> = wanted.into_values().collect();
    left.sort_by(|(a, _), (b, _)| a.location.cmp(&b.location));
    let looks: Vec<_> = left.into_iter().map(|(item, manifest)| look(store, item, manifest)).collect();
    futures::stream::iter(looks).buffered(LOOKS).try_collect::<()>().await?;
    Ok(presence)
}

async fn look(store: &Store, item: &Item, manifest: &str) -> Result<(), VerifyError> {
    match store.size(&item.location).await? {
        Some(bytes) if bytes == item.bytes => Ok(()),
        Some(bytes) => Err(Contradiction::new(
            "size",
            format!("{} has {bytes} bytes, and {} were recorded", item.location, item.bytes),
            manifest,
            "the file was changed or cut after it was committed: its rows may not be readable",
        )
        .into()),
        None => Err(missing(&item.location, manifest, format!("its {} rows cannot be read", item.rows)).into()),
    }
}

/// A file that is named and is not there.
pub(super) fn missing(location: &str, named_by: &str, meaning: impl fmt::Display) -> Contradiction {
    Contradiction::new("missing", format!("there is no file {location}"), named_by, meaning)
}
