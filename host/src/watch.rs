//! The files that a pipeline is made of: its own, and those of its plugins.
//!
//! They are looked at once a second. What changed is believed when two looks find the same: until then somebody may be
//! writing it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::config::{self, Pipeline, PluginRef, Surroundings};
use crate::plugins;
use crate::reload::{Desk, Wanted};

#[cfg(test)]
mod tests;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Look {
    modified: Option<SystemTime>,
    size: u64,
    /// A file that was put in another's place has its own.
    inode: u64,
}

impl Look {
    fn at(file: &Path) -> Option<Self> {
        let found = std::fs::metadata(file).ok().filter(std::fs::Metadata::is_file)?;
        Some(Self { modified: found.modified().ok(), size: found.len(), inode: found.ino() })
    }
}

/// A file and how it was last seen.
#[derive(Clone, Debug)]
struct Watched {
    file: PathBuf,
    believed: Option<Look>,
    before: Option<Look>,
}

impl Watched {
    fn new(file: PathBuf) -> Self {
        let look = Look::at(&file);
        Self { file, believed: look, before: look }
    }

    /// Looks, and says whether there is something new to believe. A file that is gone is waited for.
    fn has_changed(&mut self) -> bool {
        let now = Look::at(&self.file);
        let is_stable = now == self.before;
        self.before = now;
        if now.is_none() || !is_stable || now == self.believed {
            return false;
        }
        self.believed = now;
        true
    }
}

/// Looks after one pipeline's files.
#[derive(Clone, Debug)]
pub struct Watcher {
    /// As its file says, and was last believed.
    pipeline: Pipeline,
    plugin_path: Vec<PathBuf>,
    own: Watched,
    plugins: Vec<Watched>,
}

impl Watcher {
    /// Takes the files as they are now for what is loaded.
    pub fn new(pipeline: &Pipeline, plugin_path: &[PathBuf]) -> Self {
        let mut watcher = Self {
            pipeline: pipeline.clone(),
            plugin_path: plugin_path.to_vec(),
            own: Watched::new(pipeline.origin.file().to_owned()),
            plugins: Vec::new(),
        };
        watcher.find_plugins(true);
        watcher
    }

    /// Orders what changes, until nobody takes orders.
    pub async fn watch(mut self, desk: Desk) {
        let mut looks = tokio::time::interval(INTERVAL);
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !desk.orders.is_closed() {
            looks.tick().await;
            match self.look() {
                // What comes of it is logged where it is carried out.
                Ok(Some(wanted)) => drop(desk.order(wanted).await),
                Ok(None) => {}
                Err(why) => {
                    tracing::warn!(
                        pipeline = self.pipeline.name,
                        why,
                        "the pipeline's file is wrong; it goes on as before"
                    );
                    desk.ledger.refused(why);
                }
            }
        }
    }

    /// What has changed since the last look.
    fn look(&mut self) -> Result<Option<Wanted>, String> {
        let mut wanted = None;
        if self.own.has_changed() {
            let refused_property = |name: &str| weir_kafka::forbidden_property(name).map(str::to_string);
            let around = Surroundings { refused_property: &refused_property, ..Surroundings::process() };
            let read = config::load(&self.own.file, &around).map_err(|report| report.to_string())?;
            wanted = self.differences(read);
        }
        self.find_plugins(wanted.is_some());
        let changed = self.plugins.iter_mut().fold(false, |any, plugin| plugin.has_changed() | any);
        Ok(wanted.or(changed.then_some(Wanted::Configured)))
    }

    /// Of a changed file the transforms take effect now.
    fn differences(&mut self, read: Pipeline) -> Option<Wanted> {
        let transforms = read.transforms.clone();
        let rest = |pipeline: &Pipeline| Pipeline { transforms: Vec::new(), ..pipeline.clone() };
        if rest(&read) != rest(&self.pipeline) {
            let (pipeline, file) = (self.pipeline.name.as_str(), self.own.file.display());
            tracing::warn!(pipeline, %file, "what changed beside [[transform]] takes effect at the next start");
        }
        let differ = transforms != self.pipeline.transforms;
        self.pipeline = read;
        differ.then_some(Wanted::Transforms(transforms))
    }

    /// The files of the plugins that are named now; one that was watched before stays as it was seen. One that appears
    /// by itself, on the plugin path, is news.
    fn find_plugins(&mut self, are_read: bool) {
        let named = |plugin: &PluginRef| plugins::file_of(plugin, &self.plugin_path);
        let transforms = self.pipeline.transforms.iter();
        let files: Vec<PathBuf> =
            transforms.flat_map(|t| [Some(&t.plugin), t.shadow.as_ref()]).flatten().filter_map(named).collect();
        self.plugins.retain(|watched| files.contains(&watched.file));
        for file in files {
            if self.plugins.iter().all(|watched| watched.file != file) {
                let found = Watched::new(file);
                self.plugins.push(if are_read { found } else { Watched { believed: None, ..found } });
            }
        }
    }
}
