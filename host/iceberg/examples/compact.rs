//! Compacts one table of a folder, and nothing else: for a profiler, or where the rest of Weir is not built.
//!
//! `cargo run --release --workspace --example compact -- FOLDER NAMESPACE.TABLE binpack|sort [target bytes]`. The last
//! line is JSON, as `weir table compact --output json` has it.

#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

use weir_iceberg::TableIdent;
use weir_iceberg::catalog::{Catalog, CatalogConfig};
use weir_iceberg::compact::{Options, Pace, Strategy, compact};
use weir_iceberg::store::{S3Options, Store};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, table, strategy, rest @ ..] = &arguments[..] else {
        panic!("compact FOLDER NAMESPACE.TABLE binpack|sort [target bytes]")
    };
    let options = Options {
        strategy: if strategy == "sort" { Strategy::Sort } else { Strategy::Binpack },
        target_file_bytes: rest.first().map(|bytes| bytes.parse().unwrap()),
        input_files_min: 2,
        ..Options::default()
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let done = runtime.block_on(async {
        let store = Store::open(&format!("file://{folder}"), S3Options::default()).unwrap();
        let catalog = Catalog::open(CatalogConfig::Hadoop, store).await.unwrap();
        let ident = TableIdent::from_strs(table.split('.')).unwrap();
        compact(&catalog, &ident, &options, Pace::default()).await.unwrap()
    });
    assert!(done.failed.is_empty() && done.given_up.is_empty(), "{done:?}");
    println!(
        "{{\"files_before\": {}, \"bytes_before\": {}, \"files_after\": {}, \"bytes_after\": {}, \"rows\": {}, \
         \"cpu_seconds\": {}}}",
        done.files_before,
        done.bytes_before,
        done.files_after,
        done.bytes_after,
        done.rows,
        done.cpu.as_secs_f64()
    );
}
