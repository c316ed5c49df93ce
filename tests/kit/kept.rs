//! Plugins in languages whose components take long to make and longer to compile: each is built once for what it is made
//! of, and kept in the kit's cache. The same component has the same digest, so Weir's own cache has its code too.

use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::install::component;
use crate::process::command;
use crate::weir::Weir;

/// The source of this repository that the components of each language are made with.
const MADE_WITH: [(&str, [&str; 4]); 2] = [
    ("javascript", ["guest-sdk/javascript", "host/src/cli/plugin/build/javascript.rs", STUBS, CONTRACT]),
    ("python", ["guest-sdk/python", "host/src/cli/plugin/build/python.rs", STUBS, CONTRACT]),
];
const STUBS: &str = "host/src/cli/plugin/stubs.rs";
const CONTRACT: &str = "wit/weir.wit";

/// The path with the tools of scripting languages on it, after what the system has.
pub fn script_tools() -> OsString {
    let system = std::env::var_os("PATH").unwrap_or_default();
    let tools = MADE_WITH.map(|(language, _)| component(language));
    std::env::join_paths(std::env::split_paths(&system).chain(tools)).expect("a path")
}

/// One at a time: each keeps a core busy.
static MAKING: Mutex<()> = Mutex::new(());

/// The component of a plugin's folder, as `weir plugin build` makes it. Nothing is written to the folder.
///
/// # Panics
/// When it does not build; the message is that of `weir plugin build`.
pub fn kept_plugin(folder: &Path) -> PathBuf {
    let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut hasher = DefaultHasher::new();
    hash(folder, &mut hasher);
    let (language, parts) = MADE_WITH[usize::from(folder.join("plugin.py").is_file())];
    parts.iter().for_each(|part| hash(&root.join(part), &mut hasher));
    component(language).hash(&mut hasher);
    let kept = cache().join("guests").join(format!("{name}-{:016x}", hasher.finish()));
    let made = kept.join(format!("{name}.wasm"));
    let _one = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if !made.is_file() {
        let making = kept.with_extension(std::process::id().to_string());
        let copied = making.join(&name);
        copy(folder, &copied);
        let mut weir = command(Weir::binary());
        let built =
            weir.args(["plugin", "build"]).arg(&copied).env("PATH", script_tools()).output().expect("weir runs");
        assert!(built.status.success(), "{name} does not build: {}", String::from_utf8_lossy(&built.stderr));
        fs::create_dir_all(&kept).expect("a folder");
        // Whoever else makes it at the same time makes one that is as good.
        fs::rename(copied.join(format!("{name}.wasm")), &made).expect("a component");
        fs::remove_dir_all(&making).expect("a folder");
    }
    made
}

fn cache() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("WEIR_CACHE").unwrap_or_else(|| set("HOME").expect("a home").join(".cache/weir"))
}

/// The names and bytes of a folder's files, or of one file. What is hidden is no source.
fn hash(path: &Path, hasher: &mut DefaultHasher) {
    path.file_name().hash(hasher);
    match path.is_dir() {
        false => fs::read(path).expect("a file").hash(hasher),
        true => entries(path).iter().for_each(|entry| hash(entry, hasher)),
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let is_source = |path: &PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        !name.starts_with('.') && name != "__pycache__" && !name.ends_with(".wasm")
    };
    let mut entries: Vec<PathBuf> = entries.filter(is_source).collect();
    entries.sort();
    entries
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in entries(from) {
        let to = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() {
            copy(&entry, &to);
        } else {
            fs::copy(&entry, to).expect("a copy");
        }
    }
}
