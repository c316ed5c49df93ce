//! The test kit: the real components that Weir's tests run against, each started, killed and asked from Rust.
//!
//! Every component is downloaded or built once by `tests/kit/install` into a cache, listens on 127.0.0.1 only and
//! ends with the test process, however that ends. The kit is for tests: what goes wrong panics and says what to do.

pub mod collector;
pub mod guest;
pub mod http;
mod install;
mod json_lines;
pub mod kafka;
pub mod kept;
pub mod nessie;
pub mod oracle;
pub mod postgres;
pub mod power;
pub mod preload;
pub mod process;
pub mod proxy;
pub mod rest;
pub mod s3;
pub mod scratch;
pub mod spans;
pub mod spark;
pub mod trino;
pub mod wait;
pub mod weir;

pub use collector::Collector;
pub use guest::guest;
pub use install::component;
pub use kafka::Kafka;
pub use kept::{kept_plugin, script_tools};
pub use nessie::Nessie;
pub use oracle::{Oracle, SpanIds, Table};
pub use postgres::Postgres;
pub use power::{Disk, Power};
pub use preload::{fill_disk, set_clock};
pub use proxy::{Network, Proxy};
pub use rest::Rest;
pub use s3::S3;
pub use scratch::Scratch;
pub use spans::Spans;
pub use spark::{Spark, SparkSession};
pub use trino::Trino;
pub use wait::until;
pub use weir::Weir;
