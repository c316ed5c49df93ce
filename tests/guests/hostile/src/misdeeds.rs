//! What ends a call, or tries to.

use std::hint::black_box;

use crate::weir::plugin::records::Batch;
use crate::weir::plugin::{counters, log};

/// Does what it is told; what is not known here is a lie, told later.
pub fn commit(misbehave: &str, batch: &Batch) -> Result<(), String> {
    match misbehave {
        "loop" => loop {
            black_box(0);
        },
        "recurse" => {
            black_box(recurse(0));
        }
        "eat memory" => {
            let mut eaten = Vec::new();
            loop {
                eaten.push(black_box(vec![1_u8; 1 << 20]));
            }
        }
        "work" => (0..30_000_000).for_each(|i| {
            black_box(i);
        }),
        "log a lot at once" => log::write(log::Level::Debug, &"x".repeat(8 << 20)),
        "leak memory" => std::mem::forget(black_box(vec![1_u8; 8 << 20])),
        "panic" => panic!("told to by record {}", batch.messages[0].offset),
        "error" => return Err("this batch is not to its liking".repeat(1000)),
        "flood log" => (0..100_000).for_each(|i| log::write(log::Level::Debug, &format!("line {i}"))),
        "flood counters" => (0..10_000).for_each(|i| counters::add(&format!("counter_{i}"), 1)),
        "count and panic" => {
            counters::add("counted", 1);
            panic!("after counting");
        }
        "count" => counters::add("counted", batch.messages.len() as u64),
        "out of bounds" => {
            // The address is beyond what the instance has.
            let beyond = black_box(0xF000_0000_usize) as *const u8;
            black_box(unsafe { beyond.read_volatile() });
        }
        _ => {}
    }
    Ok(())
}

#[inline(never)]
#[expect(unconditional_recursion, reason = "the stack is to overflow")]
fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 8]);
    frame[1] + recurse(depth + 1)
}
