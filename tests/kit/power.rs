//! The plug is pulled: a folder as a power cut may leave it, after any step of the programs that wrote to it.
//!
//! A preloaded library writes down each step (`preload/power.c`). What a cut leaves is the least that a file system
//! promises: of a file what it held when it was last synced, of a folder the names that were in it when it was last synced.
//! And, since a system may write by itself what nobody asked for, the name that the last step before the cut changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::preload;
use crate::scratch::Scratch;

/// Watches programs write to a folder.
#[derive(Debug)]
pub struct Power {
    below: PathBuf,
    notes: Scratch,
}

/// What of the promises is not kept, to prove that the loss of it shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Disk {
    /// What was synced is there.
    Honest,
    /// Data files that were synced are empty all the same.
    ForgetsData,
}

/// A step, as the library wrote it down.
#[derive(Clone, Debug)]
enum Step {
    Made(Inode, PathBuf),
    Linked(Inode, PathBuf),
    Folder(PathBuf),
    Removed(PathBuf),
    Moved(PathBuf, PathBuf),
    Synced(Inode, PathBuf, PathBuf),
    Kept(PathBuf),
}

/// The number comes again after its file is gone.
type Inode = u64;

/// What a name stands for. Folders have no contents of their own: their names are those of what is below them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Node {
    /// Counted as they are made.
    File(usize),
    Folder,
}

/// A file system between two steps.
#[derive(Default)]
struct Files {
    /// As programs see them.
    names: BTreeMap<PathBuf, Node>,
    /// As a cut leaves them.
    durable: BTreeMap<PathBuf, Node>,
    /// Of files that were synced: where what they held then is.
    contents: BTreeMap<usize, PathBuf>,
    numbered: BTreeMap<Inode, usize>,
    made: usize,
}

impl Files {
    /// Does a step; gives the names that it changed, which a system may write by itself.
    fn step(&mut self, step: &Step) -> Vec<PathBuf> {
        match step {
            Step::Made(inode, path) => {
                // One that was there already is opened.
                let number = self.numbered.get(inode).copied();
                if number.is_none_or(|number| self.names.get(path) != Some(&Node::File(number))) {
                    self.made += 1;
                    self.numbered.insert(*inode, self.made);
                    self.names.insert(path.clone(), Node::File(self.made));
                }
                vec![path.clone()]
            }
            Step::Linked(inode, path) => {
                self.names.insert(path.clone(), Node::File(self.numbered[inode]));
                vec![path.clone()]
            }
            Step::Folder(path) => {
                self.names.insert(path.clone(), Node::Folder);
                vec![path.clone()]
            }
            Step::Removed(path) => {
                self.names.remove(path);
                vec![path.clone()]
            }
            Step::Moved(old, new) => {
                let node = self.names.remove(old).unwrap_or_else(|| panic!("{} was never made", old.display()));
                self.names.insert(new.clone(), node);
                vec![old.clone(), new.clone()]
            }
            Step::Synced(inode, _, copy) => {
                self.contents.insert(self.numbered[inode], copy.clone());
                Vec::new()
            }
            Step::Kept(folder) => {
                let of_folder: Vec<_> = self
                    .names
                    .keys()
                    .chain(self.durable.keys())
                    .filter(|p| p.parent() == Some(folder))
                    .cloned()
                    .collect();
                self.keep(&of_folder);
                Vec::new()
            }
        }
    }

    /// Makes these names durable, or that they are gone.
    fn keep(&mut self, paths: &[PathBuf]) {
        for path in paths {
            match self.names.get(path) {
                Some(node) => _ = self.durable.insert(path.clone(), *node),
                None => _ = self.durable.remove(path),
            }
        }
    }

    /// Makes a folder what a cut leaves.
    fn lay_out(&self, below: &Path, disk: Disk) {
        std::fs::remove_dir_all(below).expect("the folder goes");
        std::fs::create_dir(below).expect("the folder comes");
        // A folder comes before what is in it; without it nothing of that is there.
        for (path, node) in self.durable.iter().filter(|(path, _)| path.parent().is_some_and(Path::is_dir)) {
            let Node::File(number) = node else {
                std::fs::create_dir(path).expect("a folder");
                continue;
            };
            let is_forgotten = disk == Disk::ForgetsData && path.extension().is_some_and(|e| e == "parquet");
            match self.contents.get(number).filter(|_| !is_forgotten) {
                Some(copy) => _ = std::fs::copy(copy, path).expect("a file"),
                None => std::fs::write(path, "").expect("a file"),
            }
        }
    }
}

impl Power {
    /// Watches a folder, which is empty or holds what is durable.
    pub fn watch(below: &Path) -> Self {
        Self { below: below.to_path_buf(), notes: Scratch::new("power") }
    }

    /// Has a command's process watched.
    pub fn see(&self, command: &mut Command) {
        preload::load(command, "power");
        command.env("POWER_BELOW", &self.below).env("POWER_NOTES", self.notes.path());
    }

    /// After which steps a file of such a name was there anew: made, moved there, or synced.
    pub fn cuts_at(&self, is_such: impl Fn(&Path) -> bool) -> Vec<usize> {
        let comes = |step: &Step| match step {
            Step::Made(_, path) | Step::Linked(_, path) | Step::Moved(_, path) | Step::Synced(_, path, _) => {
                is_such(path)
            }
            Step::Folder(_) | Step::Removed(_) | Step::Kept(_) => false,
        };
        self.steps().iter().enumerate().filter(|(_, step)| comes(step)).map(|(at, _)| at + 1).collect()
    }

    /// How many steps were seen.
    pub fn steps_seen(&self) -> usize {
        self.steps().len()
    }

    /// Makes the folder what a cut after `steps` steps may leave.
    ///
    /// # Panics
    /// When the folder cannot be written, or the notes make no sense.
    pub fn cut(&self, steps: usize, disk: Disk) {
        let mut files = Files::default();
        let mut changed = Vec::new();
        for step in &self.steps()[..steps] {
            changed = files.step(step);
        }
        files.keep(&changed);
        files.lay_out(&self.below, disk);
    }

    fn steps(&self) -> Vec<Step> {
        let text = std::fs::read_to_string(self.notes.join("operations")).unwrap_or_default();
        text.lines().map(|line| self.step(line)).collect()
    }

    fn step(&self, line: &str) -> Step {
        let fields: Vec<&str> = line.split('\t').collect();
        let inode = |text: &str| text.parse().unwrap_or_else(|e| panic!("{line:?}: {e}"));
        match fields[..] {
            ["made", number, path] => Step::Made(inode(number), path.into()),
            ["linked", number, path] => Step::Linked(inode(number), path.into()),
            ["folder", _, path] => Step::Folder(path.into()),
            ["removed", path] => Step::Removed(path.into()),
            ["moved", old, new] => Step::Moved(old.into(), new.into()),
            ["synced", number, path, copy] => Step::Synced(inode(number), path.into(), self.notes.join(copy)),
            ["kept", path] => Step::Kept(path.into()),
            _ => panic!("no step: {line:?}"),
        }
    }
}
