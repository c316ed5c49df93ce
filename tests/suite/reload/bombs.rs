//! A component that would keep a compiler busy is given up, and whoever runs beside it does not notice.

use weir_tests::{Oracle, Weir};

use super::{Reloaded, under_load, version};
use crate::pipeline::{LIMIT, refused, said};

/// A section of a component or a module.
fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &number(content.len()), content].concat()
}

/// As WebAssembly writes numbers, LEB128.
fn number(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A component of so many megabytes of code: functions that square and add, over and over.
fn bomb(megabytes: usize) -> Vec<u8> {
    /// x = x * x + 7, in a function of one parameter.
    const STEP: [u8; 10] = [0x20, 0, 0x20, 0, 0x6c, 0x41, 7, 0x6a, 0x21, 0];
    let body = [&[0][..], &STEP.repeat(5_000), &[0x20, 0, 0x0b]].concat();
    let body = [number(body.len()), body].concat();
    let functions = (megabytes << 20) / body.len();
    let types = section(1, &[1, 0x60, 1, 0x7f, 1, 0x7f]);
    let declared = section(3, &[number(functions), vec![0; functions]].concat());
    let code = section(10, &[number(functions), body.repeat(functions)].concat());
    let module = [b"\0asm\x01\0\0\0".to_vec(), types, declared, code].concat();
    [b"\0asm\x0d\0\x01\0".to_vec(), section(1, &module)].concat()
}

#[test]
fn a_component_that_takes_too_long_to_compile_is_given_up_and_rows_flow_on() {
    let reloaded = Reloaded::new("bombs", 1, "canary = 1");
    let folder = reloaded.pipeline.folder.path().to_path_buf();
    // These are compiled before there is a bound that a slow machine might meet with them.
    let next = folder.join("next.wasm");
    std::fs::write(&next, version('a', 1)).expect("the file is written");
    for good in [&reloaded.file, &next] {
        let shown = Weir::output(&["plugin", "inspect", &good.display().to_string()]);
        assert!(shown.status.success(), "{}", said(&shown));
    }
    let limited = || {
        let mut weir = weir_tests::process::command(Weir::binary());
        weir.env("WEIR_COMPILE_CPU_MS", "500");
        weir
    };
    let mut weir = limited();
    weir.args(["run", &reloaded.pipeline.file()]);
    let mut weir = Weir::start_command(weir);
    let bomb = bomb(24);
    let told = "takes more than 500ms of CPU time to compile";
    let (made, ()) = under_load("bombs", reloaded.port, 8, || {
        weir.wait(LIMIT, || reloaded.count() > 0);
        let live = reloaded.status()["plugin"]["digests"].clone();
        let answer = reloaded.swap(&bomb);
        assert!(answer.status == 422 && answer.body.contains(told), "{answer:?}\n{}", weir.log());
        reloaded.replace(&bomb);
        weir.wait(LIMIT, || {
            let last = reloaded.status()["plugin"]["last"].clone();
            last["reason"]
                .as_str()
                .is_some_and(|why| why.contains("plugin versioned does not compile") && why.contains(told))
        });
        assert_eq!(reloaded.status()["plugin"]["digests"], live);
        reloaded.replace(&version('a', 1));
        weir.wait(LIMIT, || reloaded.versions().contains_key(&1));
    });
    let wanted = made.count;
    weir.wait(LIMIT, || reloaded.count() >= wanted);
    assert_eq!(weir.stop().code(), Some(0), "{}", weir.log());
    assert_eq!(Oracle::shared().span_ids(&reloaded.pipeline.traces()), made);
    // The commands that only look at a plugin bear it as well.
    let file = folder.join("bomb.wasm");
    std::fs::write(&file, &bomb).expect("the file is written");
    let mut inspect = limited();
    let shown = inspect.args(["plugin", "inspect", &file.display().to_string()]).output().expect("weir runs");
    refused(&shown, 2, &["plugin bomb does not compile", told]);
}
