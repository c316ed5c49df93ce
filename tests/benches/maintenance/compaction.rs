//! Weir's compaction and Spark's `rewrite_data_files`, in turn, over the same files with the same target.

use std::process::Command;

use serde_json::Value;

use crate::{Cost, TABLE, TARGET_BYTES, World, measured, median};

/// Who compacts, and how.
#[derive(Clone, Copy)]
struct Variant {
    is_spark: bool,
    strategy: &'static str,
}

const VARIANTS: [Variant; 4] = [
    Variant { is_spark: false, strategy: "binpack" },
    Variant { is_spark: true, strategy: "binpack" },
    Variant { is_spark: false, strategy: "sort" },
    Variant { is_spark: true, strategy: "sort" },
];

/// What a compaction cost and did.
struct Done {
    cost: Cost,
    files_before: u64,
    files_after: u64,
    bytes_before: u64,
}

pub(crate) fn measure(world: &World, rounds: usize) {
    let variants = VARIANTS.iter().filter(|variant| world.with_spark || !variant.is_spark);
    let mut all: Vec<(&Variant, Vec<Done>)> = variants.map(|variant| (variant, Vec::new())).collect();
    let mut starts = Vec::new();
    for round in 0..rounds {
        if world.with_spark {
            world.restore();
            starts.push(by_spark(world, "binpack", true).0);
        }
        for (variant, done) in &mut all {
            world.restore();
            done.push(if variant.is_spark { spark(world, variant.strategy) } else { weir(world, variant.strategy) });
            if round == 0 {
                world.assert_whole(&world.lake());
            }
        }
    }
    println!("### Small files into few\n\n{} spans; {rounds} rounds, medians\n", world.rows);
    println!(
        "| by | strategy | files before | after | MB in | CPU s | without the start | MB/s per core | wall s | \
         without the start | peak MB |\n|---|---|---|---|---|---|---|---|---|---|---|"
    );
    let start = |of: fn(&Cost) -> f64| if starts.is_empty() { 0.0 } else { median(starts.iter().map(of)) };
    if world.with_spark {
        let (cpu, wall, peak) = (start(|c| c.cpu_s), start(|c| c.wall_s), start(|c| c.peak_mb));
        println!("| Spark | none: finds nothing to do | | | | {cpu:.1} | | | {wall:.1} | | {peak:.0} |");
    }
    for (Variant { is_spark, strategy }, done) in &all {
        let first = &done[0];
        let mb = first.bytes_before as f64 / 1e6;
        let (cpu, wall) = (median(done.iter().map(|d| d.cost.cpu_s)), median(done.iter().map(|d| d.cost.wall_s)));
        let (own_cpu, own_wall) =
            if *is_spark { (cpu - start(|c| c.cpu_s), wall - start(|c| c.wall_s)) } else { (cpu, wall) };
        println!(
            "| {} | {strategy} | {} | {} | {mb:.1} | {cpu:.1} | {own_cpu:.1} | {:.0} | {wall:.1} | {own_wall:.1} | {:.0} |",
            if *is_spark { "Spark" } else { "Weir" },
            first.files_before,
            first.files_after,
            mb / own_cpu,
            median(done.iter().map(|d| d.cost.peak_mb))
        );
    }
    println!();
}

/// Compacts by `weir table compact`, or by the program that `COMPACT` names.
pub(crate) fn weir_compacts(world: &World, strategy: &str) -> (Cost, Value) {
    if let Some(program) = std::env::var_os("COMPACT") {
        let mut command = Command::new(program);
        command.arg(world.lake()).args([TABLE, strategy]).arg(TARGET_BYTES.to_string());
        return measured(&command);
    }
    let mut command = Command::new(&world.weir);
    command.args(["table", "compact", "--output", "json", "--strategy", strategy, "--min-input-files", "2"]);
    command.arg(world.folder.join("fill.toml")).arg(TABLE);
    measured(&command)
}

fn weir(world: &World, strategy: &str) -> Done {
    let (cost, said) = weir_compacts(world, strategy);
    done(cost, &said, ["files_before", "files_after", "bytes_before"])
}

fn spark(world: &World, strategy: &str) -> Done {
    let (cost, said) = by_spark(world, strategy, false);
    done(cost, &said, ["rewritten_data_files_count", "added_data_files_count", "rewritten_bytes_count"])
}

fn by_spark(world: &World, strategy: &str, for_nothing: bool) -> (Cost, Value) {
    let (lake, target) = (world.lake(), TARGET_BYTES.to_string());
    // More files than there are, and less than one target: nothing is worth it.
    let least = if for_nothing { "1000000" } else { "2" };
    let arguments = [
        ("--warehouse", lake.to_str().expect("a plain path")),
        ("--table", TABLE),
        ("--strategy", strategy),
        ("--target", &target),
        ("--least", least),
    ];
    world.spark("maintenance/rewrite.py", &arguments)
}

fn done(cost: Cost, said: &Value, [before, after, bytes]: [&str; 3]) -> Done {
    let figure = |key: &str| said[key].as_u64().unwrap_or_else(|| panic!("no {key} in {said}"));
    Done { cost, files_before: figure(before), files_after: figure(after), bytes_before: figure(bytes) }
}
