//! Compiled plugins are kept, and what is kept is not believed when it is damaged or not private.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use weir_wasm::{Engine, Plugin};

use crate::kit::{assert_works, guest, stage};

fn load(folder: &Path) {
    let engine = Engine::new(Some(folder.to_owned())).unwrap();
    let plugin = Plugin::from_bytes(&engine, "hostile", guest()).unwrap();
    assert_works(&mut stage(&plugin, ""));
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn compiled_code_is_kept_in_a_private_folder_and_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("a/b");
    load(&cache);
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    let [entry] = entries(&cache).try_into().unwrap();
    let written = fs::metadata(&entry).unwrap().modified().unwrap();
    load(&cache);
    assert_eq!(fs::metadata(&entry).unwrap().modified().unwrap(), written);
}

#[test]
fn a_damaged_entry_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("c");
    load(&cache);
    let [entry] = entries(&cache).try_into().unwrap();
    let good = fs::read(&entry).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    for damaged in [bad, good[..100].to_vec(), vec![]] {
        fs::write(&entry, damaged).unwrap();
        load(&cache);
        assert!(fs::read(&entry).unwrap() == good);
    }
}

#[test]
fn a_folder_that_others_can_enter_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("open");
    fs::create_dir(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o755)).unwrap();
    load(&cache);
    assert!(entries(&cache).is_empty());
}

#[test]
fn the_oldest_entries_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("full");
    load(&cache);
    let [ours] = entries(&cache).try_into().unwrap();
    for i in 0..40 {
        let old = fs::File::create(cache.join(format!("old{i}.cwasm"))).unwrap();
        old.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(i)).unwrap();
    }
    fs::remove_file(&ours).unwrap();
    load(&cache);
    let left = entries(&cache);
    assert_eq!(left.len(), 32);
    assert!(
        left.contains(&ours) && !left.contains(&cache.join("old0.cwasm")) && left.contains(&cache.join("old39.cwasm"))
    );
}
