//! Calls that loop, recurse, eat, flood and panic.

use std::time::Duration;

use weir_pipeline::transform::Effort;
use weir_wasm::{Limits, Setting, Signal};

use crate::kit::{assert_fails, assert_works, call, call_with, limits, plugin, stage};

#[test]
fn an_endless_loop_ends_at_its_deadline() {
    assert_fails("loop", "deadline", "more than 200ms of CPU time");
}

#[test]
fn a_deep_recursion_is_a_trap_that_names_the_function() {
    assert_fails("recurse", "trap", "misdeeds::recurse");
}

#[test]
fn a_memory_bomb_meets_its_limit_and_is_blamed_for_that() {
    assert_fails("eat memory", "memory", "its limit is 67108864 bytes");
}

#[test]
fn a_huge_output_is_refused_before_it_is_copied() {
    assert_fails("huge output", "output", "more than 4194304 bytes");
}

#[test]
fn a_panic_is_a_trap_with_its_message() {
    assert_fails("panic", "trap", "told to by record 7");
}

#[test]
fn an_access_out_of_bounds_is_a_trap() {
    assert_fails("out of bounds", "trap", "out of bounds memory access");
}

#[test]
fn an_error_is_the_plugins_own_and_its_text_is_bounded() {
    assert_fails("error", "failed", "not to its liking");
}

#[test]
fn a_flood_of_log_lines_is_cut_and_counted() {
    let plugin = plugin();
    let mut stage = stage(&plugin, "flood log");
    call(&mut stage, &["bad"]).unwrap();
    assert_works(&mut stage);
    assert_eq!(plugin.usage().log_lines_dropped, 100_000 - 100);
}

#[test]
fn a_line_of_log_that_is_too_long_to_cross_ends_the_call() {
    assert_fails("log a lot at once", "output", "more than 4194304 bytes");
}

#[test]
fn a_starved_thread_is_not_blamed() {
    let plugin = plugin();
    let work = |deadline| {
        let misbehave = Setting { key: "misbehave".to_owned(), values: vec!["work".to_owned()] };
        plugin.configure(Signal::Traces, vec![misbehave], Limits { deadline, ..limits() }).unwrap()
    };
    call(&mut work(Duration::from_secs(60)), &["x"]).unwrap();
    // Each thread works alone for a quarter of its deadline, and for twice its deadline among so many.
    let stage = work(plugin.usage().cpu * 4);
    let threads = 8 * std::thread::available_parallelism().unwrap().get();
    let start = std::sync::Barrier::new(threads);
    std::thread::scope(|scope| {
        for mut stage in std::iter::repeat_n(stage, threads) {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                call(&mut stage, &["x"]).unwrap();
            });
        }
    });
}

#[test]
fn a_flood_of_counters_keeps_64_names() {
    let plugin = plugin();
    let mut stage = stage(&plugin, "flood counters");
    call(&mut stage, &["bad"]).unwrap();
    assert_works(&mut stage);
    assert_eq!(plugin.usage().counters.len(), 64);
}

#[test]
fn what_a_failed_call_counted_does_not_count() {
    let plugin = plugin();
    let mut failing = stage(&plugin, "count and panic");
    call(&mut failing, &["bad"]).unwrap_err();
    let mut counting = stage(&plugin, "count");
    call(&mut counting, &["bad", "x", "y"]).unwrap();
    assert_eq!(plugin.usage().counters["counted"], 3);
}

#[test]
fn a_leak_recycles_the_instance_before_it_meets_the_limit() {
    let plugin = plugin();
    let mut stage = stage(&plugin, "leak memory");
    for _ in 0..40 {
        call(&mut stage, &["bad"]).unwrap();
    }
    let usage = plugin.usage();
    assert!(usage.failures.is_empty());
    assert!((5..20).contains(&usage.instances), "{} instances for 40 leaks of 8 MiB", usage.instances);
    assert!(usage.peak_memory_bytes <= limits().memory_bytes as u64);
}

#[test]
fn a_fresh_call_has_ten_times_the_limits_and_leaves_the_instance_at_hand_alone() {
    let plugin = plugin();
    let mut stage = stage(&plugin, "huge output of 8 MiB");
    let large = vec![b'x'; 3 << 20];
    assert_eq!(call_with(&mut stage, &[&large], Effort::Normal).unwrap_err().kind(), "output");
    assert_works(&mut stage);
    let output = call_with(&mut stage, &[&large], Effort::Fresh).unwrap();
    assert_eq!(output.tables[0].rows.num_rows(), 1);
    assert_works(&mut stage);
    assert_eq!(plugin.usage().instances, 3, "the first, the one after the failure, and the fresh one");
}

#[test]
fn clones_have_instances_of_their_own_and_one_usage() {
    let plugin = plugin();
    let mut stage = stage(&plugin, "panic");
    let mut clone = stage.clone();
    assert_works(&mut clone);
    call(&mut stage, &["bad"]).unwrap_err();
    assert_works(&mut clone);
    let usage = plugin.usage();
    assert_eq!((usage.instances, usage.calls, usage.rows_out), (2, 3, 6));
    assert_eq!(usage.bytes_in, 3 + 2 * ("one".len() + "reject".len() + "fünf".len()) as u64);
    assert!(usage.bytes_out > 0 && usage.cpu > Duration::ZERO && usage.peak_memory_bytes > 0);
}

#[test]
fn a_stage_works_in_any_thread() {
    let mut stage = stage(&plugin(), "panic");
    std::thread::spawn(move || assert_works(&mut stage)).join().unwrap();
}
