//! Reads records from Kafka; the only user of rdkafka.
//!
//! [`KafkaSource`] implements the port [`weir_pipeline::source::Source`]. One thread owns the consumer (`poll`): it
//! serves the group's rebalances, turns records into batches (`assembly`) and never waits for the loop it feeds.
//! Offsets are the tables' business: nothing here commits, stores or resets one by itself.

mod assembly;
mod config;
mod error;
mod ffi;
mod observer;
mod orders;
mod poll;
mod slice;
mod source;

pub use config::{BatchLimits, KafkaConfig, check_property, forbidden_property};
pub use error::KafkaError;
pub use observer::KafkaObserver;
pub use slice::Since;
pub use source::KafkaSource;

/// The client, which is also the group's member. librdkafka's handles may be used from any thread.
pub(crate) type Client = rdkafka::consumer::BaseConsumer<poll::Leaving>;
