use super::*;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("weir-watch-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn pipeline(folder: &Path, transform: &str, interval: &str) -> Pipeline {
    let text = format!(
        "name = \"traces\"\n[source.kafka]\nbrokers = [\"k:9092\"]\ntopics = [\"t\"]\nsignal = \"traces\"\n\
         encoding = \"otlp_json\"\n[[transform]]\n{transform}\n[sink.iceberg]\nwarehouse = \"./lake\"\n\
         commit_interval = \"{interval}\"\n[sink.iceberg.tables.spans]\nname = \"telemetry.traces\"\n"
    );
    let file = folder.join("p.toml");
    std::fs::write(&file, &text).unwrap();
    config::check(&file, &text, &Surroundings::process()).unwrap()
}

/// What two looks find: the second believes what the first has seen.
fn looks(watcher: &mut Watcher) -> Option<Wanted> {
    assert!(watcher.look().unwrap().is_none(), "believed at first sight");
    watcher.look().unwrap()
}

#[test]
fn a_file_is_believed_when_it_has_stood_still_for_a_look_and_only_once() {
    let folder = folder("plugin");
    let plugin = folder.join("p.wasm");
    std::fs::write(&plugin, "one").unwrap();
    let mut watcher = Watcher::new(&pipeline(&folder, "plugin = \"./p.wasm\"", "1s"), &[]);
    assert!(looks(&mut watcher).is_none());
    for text in ["half", "half of it"] {
        std::fs::write(&plugin, text).unwrap();
        assert!(watcher.look().unwrap().is_none(), "it is being written");
    }
    assert!(matches!(watcher.look().unwrap(), Some(Wanted::Configured)));
    assert!(looks(&mut watcher).is_none());
    // Gone is no news, and back is.
    std::fs::remove_file(&plugin).unwrap();
    assert!(looks(&mut watcher).is_none());
    std::fs::write(&plugin, "another").unwrap();
    assert!(matches!(looks(&mut watcher), Some(Wanted::Configured)));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn of_the_pipelines_file_a_change_of_the_transforms_alone_is_ordered() {
    let folder = folder("pipeline");
    let before = pipeline(&folder, "plugin = \"flatten-spans\"", "1s");
    let mut watcher = Watcher::new(&before, std::slice::from_ref(&folder));
    pipeline(&folder, "plugin = \"flatten-spans\"", "10s");
    assert!(looks(&mut watcher).is_none());
    pipeline(&folder, "plugin = \"flatten-spans\"\nconfig = { columns = [\"links\"] }", "10s");
    let Some(Wanted::Transforms(transforms)) = looks(&mut watcher) else { panic!("nothing is ordered") };
    assert_eq!(transforms[0].settings[0].values, ["links"]);
    std::fs::write(folder.join("p.toml"), "name = ").unwrap();
    assert!(watcher.look().unwrap().is_none());
    assert!(watcher.look().unwrap_err().contains("error"));
    assert!(watcher.look().unwrap().is_none(), "said once");
    // A plugin that appears on the path takes the shipped one's place.
    std::fs::write(folder.join("flatten-spans.wasm"), "a component").unwrap();
    let found = watcher.look().unwrap().or(watcher.look().unwrap());
    assert!(matches!(found, Some(Wanted::Configured)));
    std::fs::remove_dir_all(folder).unwrap();
}
