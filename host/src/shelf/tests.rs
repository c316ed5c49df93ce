use super::*;
use crate::config::{self, Surroundings};

fn transforms(plugin: &str) -> Vec<Transform> {
    let text = format!(
        "name = \"traces\"\n[source.kafka]\nbrokers = [\"k:9092\"]\ntopics = [\"t\"]\nsignal = \"traces\"\n\
         encoding = \"otlp_json\"\n[[transform]]\nplugin = \"{plugin}\"\n[sink.iceberg]\nwarehouse = \"./lake\"\n\
         [sink.iceberg.tables.spans]\nname = \"telemetry.traces\"\n"
    );
    config::check(Path::new("/etc/p.toml"), &text, &Surroundings::process()).unwrap().transforms
}

#[test]
fn a_component_is_found_by_the_digest_that_a_table_names_although_its_file_has_changed() {
    let folder = std::env::temp_dir().join(format!("weir-shelf-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (file, shelf) = (folder.join("p.wasm"), Shelf::new(folder.join("plugins")));
    std::fs::write(&file, "one").unwrap();
    let transforms = transforms(file.to_str().unwrap());
    let digest = plugins::sha256(b"one");
    shelf.keep(&transforms, &[], std::slice::from_ref(&digest));
    std::fs::write(&file, "another").unwrap();
    // Under the digest of what it was, the new content is not kept.
    shelf.keep(&transforms, &[], &[plugins::sha256(b"two")]);
    let found = shelf.find(&transforms, &format!("{digest}+0123456789abcdef")).unwrap();
    // It goes in although the file pins what is there now.
    assert_eq!(found[0].pin.sha256(), Some(digest.as_str()));
    let PluginRef::Given(name, component) = &found[0].plugin else { panic!("{found:?}") };
    assert_eq!((name.as_str(), &component.0[..]), ("p", &b"one"[..]));
    for named in [plugins::sha256(b"two"), "../../p".to_string(), format!("{digest},{digest}"), String::new()] {
        assert!(shelf.find(&transforms, &named).is_none(), "{named}");
    }
    // What was damaged since is not here.
    std::fs::write(folder.join("plugins").join(format!("{digest}.wasm")), "onf").unwrap();
    assert!(shelf.find(&transforms, &digest).is_none());
    std::fs::remove_dir_all(folder).unwrap();
}
