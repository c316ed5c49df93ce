//! A plugin that is pinned to its content is replaced by that content alone, whoever brings another.

use std::path::Path;

use weir_tests::{Oracle, Weir};

use super::{Reloaded, under_load, version};
use crate::pipeline::{LIMIT, refused, said};

/// A component's sha256, by somebody else's code.
fn sha256(component: &[u8], folder: &Path) -> String {
    let file = folder.join("hashed");
    std::fs::write(&file, component).expect("the file is written");
    let told = std::process::Command::new("sha256sum").arg(&file).output().expect("coreutils").stdout;
    String::from_utf8_lossy(&told[..64]).into_owned()
}

/// The transform with a pin, written into the pipeline's file.
fn pin(reloaded: &mut Reloaded, sha256: &str) {
    reloaded.pipeline.plugin = format!("plugin = \"{}\"\nsha256 = \"{sha256}\"\ncanary = 1", reloaded.file.display());
    reloaded.pipeline.file();
}

#[test]
fn a_pinned_plugin_is_replaced_by_no_other_content_until_the_file_says_so() {
    let mut reloaded = Reloaded::new("pins", 1, "");
    let folder = reloaded.pipeline.folder.path().to_path_buf();
    let hash = |number| sha256(&version('a', number), &folder);
    let (first, second, third) = (hash(0), hash(1), hash(2));
    pin(&mut reloaded, &first);
    let mut weir = reloaded.pipeline.start();
    let (made, ()) = under_load("pins", reloaded.port, 6, || {
        weir.wait(LIMIT, || reloaded.count() > 0);
        let last = || reloaded.status()["plugin"]["last"].clone();
        let live = reloaded.status()["plugin"]["digests"].clone();
        // By hand.
        let answer = reloaded.swap(&version('a', 1));
        assert_eq!(answer.status, 422, "{answer:?}");
        for word in ["is pinned to sha256", &first, &second, "the component that was sent"] {
            assert!(answer.body.contains(word), "no {word:?} in {}", answer.body);
        }
        // By its file.
        reloaded.replace(&version('a', 1));
        let file = reloaded.file.display().to_string();
        let is_told = || {
            let reason = last()["reason"].as_str().unwrap_or_default().to_owned();
            [&file, &first, &second].iter().all(|word| reason.contains(word.as_str()))
        };
        weir.wait(LIMIT, || last()["result"] == "refused" && is_told());
        assert_eq!(reloaded.status()["plugin"]["digests"], live, "{}", weir.log());
        // The pin follows, and the file's content is what it says.
        pin(&mut reloaded, &second);
        weir.wait(LIMIT, || reloaded.versions().contains_key(&1));
        // The pin first, and then the content: by hand what the file now says is right already.
        pin(&mut reloaded, &third);
        weir.wait(LIMIT, || {
            reloaded.status()["plugin"]["last"]["reason"].as_str().is_some_and(|reason| reason.contains(&third))
        });
        assert_eq!(reloaded.swap(&version('a', 0)).status, 422);
        let answer = reloaded.swap(&version('a', 2));
        assert!(answer.status == 200 && answer.body.contains("\"swapped\""), "{answer:?}");
    });
    let wanted = made.count;
    weir.wait(LIMIT, || reloaded.count() >= wanted);
    assert_eq!(weir.stop().code(), Some(0), "{}", weir.log());
    assert_eq!(Oracle::shared().span_ids(&reloaded.pipeline.traces()), made);
    assert!(reloaded.versions().keys().copied().eq([0, 1, 2]));
    // At the start, and where the file is only checked.
    let told = ["is pinned to sha256", third.as_str(), second.as_str(), "versioned.wasm"];
    refused(&reloaded.pipeline.run(&[]), 2, &told);
    refused(&Weir::output(&["check", &reloaded.pipeline.file()]), 2, &told);
}

/// The pipeline's file, with a line at its top.
fn required(reloaded: &Reloaded) -> String {
    let file = reloaded.pipeline.file();
    let text = std::fs::read_to_string(&file).expect("the file");
    std::fs::write(&file, format!("require_pinned = true\n{text}")).expect("the file is written");
    file
}

#[test]
fn where_pins_are_required_every_plugin_without_one_is_named_and_none_is_swapped_in() {
    let mut reloaded = Reloaded::new("pins-required", 1, "");
    let folder = reloaded.pipeline.folder.path().to_path_buf();
    std::fs::write(folder.join("shadow.wasm"), version('a', 5)).expect("the file is written");
    let plugin = format!("plugin = \"{}\"\n", reloaded.file.display());
    reloaded.pipeline.plugin = format!("{plugin}shadow = \"./shadow.wasm\"\ncanary = 1");
    let checked = Weir::output(&["check", &required(&reloaded)]);
    refused(&checked, 2, &["plugin versioned is not pinned", "plugin shadow is not pinned", "2 errors"]);
    refused(&checked, 2, &[":13:1", ":14:1", &sha256(&version('a', 0), &folder), &sha256(&version('a', 5), &folder)]);
    refused(&Weir::output(&["run", "--until-end", &required(&reloaded)]), 2, &["plugin versioned is not pinned"]);
    // As `weir plugin inspect` shows it, it goes into the file.
    let shown = said(&Weir::output(&["plugin", "inspect", &reloaded.file.display().to_string()]));
    let line = shown.lines().find_map(|line| line.strip_prefix("pin")).expect("a pin").trim().to_owned();
    assert_eq!(line, format!("sha256 = \"{}\"", sha256(&version('a', 0), &folder)));
    reloaded.pipeline.plugin = format!("{plugin}{line}\ncanary = 1");
    let file = required(&reloaded);
    assert!(Weir::output(&["check", &file]).status.success());
    let mut weir = Weir::start(&["run", &file]);
    let made = reloaded.pipeline.produce(1, 20, 20);
    weir.wait(LIMIT, || reloaded.count() == made.count);
    let answer = reloaded.swap(&version('a', 1));
    assert!(answer.status == 422 && answer.body.contains("is pinned to sha256"), "{answer:?}");
    // The running process goes on requiring them, whatever its file says now.
    reloaded.pipeline.plugin = format!("{plugin}canary = 1");
    reloaded.pipeline.file();
    weir.wait_log("takes effect at the next start", LIMIT);
    weir.wait(LIMIT, || {
        reloaded.status()["plugin"]["last"]["reason"].as_str().is_some_and(|reason| reason.contains("is not pinned"))
    });
    let answer = reloaded.swap(&version('a', 1));
    assert!(answer.status == 422 && answer.body.contains("is not pinned, and the pipeline requires it"), "{answer:?}");
    assert_eq!(weir.stop().code(), Some(0), "{}", weir.log());
    assert!(reloaded.versions().keys().copied().eq([0]));
}
