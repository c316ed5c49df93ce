//! One plugin of a chain is replaced by its name, by one in another language, while rows flow.

use std::path::Path;
use std::time::Instant;

use weir_tests::{Oracle, Weir, kept_plugin};

use super::{Reloaded, under_load};
use crate::pipeline::{LIMIT, refused, said};

#[test]
fn one_plugin_of_a_chain_gives_way_to_one_in_python_and_the_other_stays() {
    let python = kept_plugin(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/redact-attributes-python"));
    let python = python.display().to_string();
    // Compiled before: a swap waits for its outcome, but not as long as a busy machine may compile an interpreter.
    let inspected = Weir::output(&["plugin", "inspect", &python]);
    assert!(inspected.status.success(), "{}", said(&inspected));
    let mut reloaded = Reloaded::new("swap-by-name", 1, "");
    reloaded.pipeline.plugin = "plugin = \"redact-attributes\"\nconfig = { drop = [\"client.address\"] }\ncanary = 1\n\
                                [[transform]]\nplugin = \"flatten-spans\""
        .into();
    let file = reloaded.pipeline.file();
    let mut weir = reloaded.pipeline.start();
    let swap = |name: &str| Weir::output(&["plugin", "swap", &file, &python, "--plugin", name]);
    let digests = || reloaded.status()["plugin"]["digests"].as_str().unwrap_or_default().to_owned();
    let (made, (before, after)) = under_load("swap-by-name", reloaded.port, 9, || {
        weir.wait(LIMIT, || reloaded.count() > 0);
        let before = digests();
        refused(&swap("redact"), 1, &["has no plugin redact; it has redact-attributes, flatten-spans"]);
        // In the other's place it is no chain.
        refused(&swap("flatten-spans"), 1, &["refused", "the order is"]);
        let began = Instant::now();
        let output = swap("redact-attributes");
        println!("a plugin in Python took another one's place in {:.2?}", began.elapsed());
        assert!(output.status.success() && said(&output).contains("the plugin is live"), "{}", said(&output));
        let rows = reloaded.count();
        weir.wait(LIMIT, || reloaded.count() > rows && digests() != before);
        (before, digests())
    });
    let wanted = made.count;
    weir.wait(LIMIT, || reloaded.count() >= wanted);
    assert_eq!(weir.stop().code(), Some(0), "{}", weir.log());
    let of = |digests: &str| digests.split(',').map(str::to_owned).collect::<Vec<_>>();
    let (before, after) = (of(&before), of(&after));
    assert!(before[0] != after[0] && before[1] == after[1], "{before:?}, {after:?}");
    let oracle = Oracle::shared();
    assert_eq!(oracle.span_ids(&reloaded.pipeline.traces()), made);
    let found = oracle.python(
        Some(&reloaded.pipeline.traces()),
        "t = snapshot(at)\n\
         rows = t.scan(selected_fields=('attributes',)).to_arrow()['attributes'].to_pylist()\n\
         made = {s.summary.additional_properties.get('weir.plugins') for s in load(at).snapshots()}\n\
         result = [sum('client.address' in dict(r) for r in rows), len(made - {None})]",
    );
    assert_eq!(found, serde_json::json!([0, 2]));
}
