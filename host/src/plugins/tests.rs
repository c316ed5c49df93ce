use super::*;
use crate::config::{self, Component, Pipeline, Surroundings};

fn pipeline(top: &str, transform: &str) -> Pipeline {
    let text = format!(
        "name = \"traces\"\n{top}\n[source.kafka]\nbrokers = [\"k:9092\"]\ntopics = [\"t\"]\nsignal = \"traces\"\n\
         encoding = \"otlp_json\"\n[[transform]]\n{transform}\n[sink.iceberg]\nwarehouse = \"./lake\"\n\
         [sink.iceberg.tables.spans]\nname = \"telemetry.traces\"\n"
    );
    config::check(Path::new("/etc/p.toml"), &text, &Surroundings::process()).unwrap()
}

/// What is said of the pipeline's only plugin, or of one in its place.
fn held(pipeline: &Pipeline, instead: Option<PluginRef>, path: &[PathBuf]) -> Result<(), FindError> {
    let transform = &pipeline.transforms[0];
    check_pin(instead.as_ref().unwrap_or(&transform.plugin), &transform.pin, pipeline.require_pinned, path)
}

#[test]
fn a_pin_holds_a_plugin_to_its_content_wherever_that_comes_from() {
    let folder = std::env::temp_dir().join(format!("weir-pins-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("p.wasm");
    std::fs::write(&file, "one").unwrap();
    let (one, another) = (sha256(b"one"), sha256(b"another"));
    let said = format!("plugin = \"{}\"\nsha256 = \"{}\"", file.display(), one.to_ascii_uppercase());
    let pinned = pipeline("", &said);
    held(&pinned, None, &[]).unwrap();
    let given = |text: &'static str| Some(PluginRef::Given("p".into(), Component(Bytes::from_static(text.as_bytes()))));
    held(&pinned, given("one"), &[]).unwrap();
    std::fs::write(&file, "another").unwrap();
    let told = |error: FindError| format!("{error}; {}", error.help().unwrap_or_default());
    let place = file.display();
    assert_eq!(
        told(held(&pinned, None, &[]).unwrap_err()),
        format!(
            "plugin p is pinned to sha256 {one}, and what {place} holds has {another}; if that content is what is \
             wanted, pin it: \"{another}\""
        )
    );
    let sent = told(held(&pinned, given("another"), &[]).unwrap_err());
    assert!(
        sent.contains(&one) && sent.contains(&format!("the component that was sent holds has {another}")),
        "{sent}"
    );
    // The binary's own are held to a pin too.
    let shipped = pipeline("", &format!("plugin = \"flatten-spans\"\nsha256 = \"{one}\""));
    assert!(matches!(held(&shipped, None, &[]), Err(FindError::Another { place: Place::Shipped, .. })));
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn where_pins_are_required_only_what_is_inside_the_binary_needs_none() {
    let folder = std::env::temp_dir().join(format!("weir-required-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let required = pipeline("require_pinned = true", "plugin = \"flatten-spans\"");
    held(&required, None, &[]).unwrap();
    let shipped = bytes(&PluginRef::Named("flatten-logs".into()), &[]).unwrap();
    held(&required, Some(PluginRef::Given("x".into(), Component(shipped))), &[]).unwrap();
    let other = PluginRef::Given("flatten-spans".into(), Component(Bytes::from_static(b"another")));
    assert!(matches!(held(&required, Some(other), &[]), Err(FindError::Unpinned { place: Place::Given, .. })));
    // A file that takes a shipped plugin's place by its name is a file.
    std::fs::write(folder.join("flatten-spans.wasm"), "another").unwrap();
    let found = held(&required, None, std::slice::from_ref(&folder)).unwrap_err();
    assert!(found.to_string().contains(&sha256(b"another")) && found.to_string().contains("is not pinned"), "{found}");
    held(&pipeline("", "plugin = \"flatten-spans\""), None, std::slice::from_ref(&folder)).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}
