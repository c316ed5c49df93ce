//! Two settings of librdkafka's mock cluster that the crate rdkafka does not wrap.
//!
//! # Why this is sound
//! The cluster belongs to the client that hosts it and lives as long; both functions may be called from any thread
//! (`rdkafka_mock.h`), keep nothing, and take numbers only.
#![allow(unsafe_code)]

use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka_sys as sys;

/// The node that the cluster names as its controller. It starts its count at one, and questions that go to the
/// controller would wait for ever.
const CONTROLLER: i32 = 0;

/// Makes a cluster of the hosting client's that answers all questions and lets members join at once, where it would
/// wait three seconds for more.
pub(super) fn prepare<C: ClientContext>(host: &Client<C>) -> Result<(), KafkaError> {
    // SAFETY: the client is alive, and with it the cluster; a null pointer says that there is none.
    let added = unsafe {
        let cluster = sys::rd_kafka_handle_mock_cluster(host.native_ptr());
        if cluster.is_null() {
            return Err(KafkaError::MockCluster(Code::Fail));
        }
        sys::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
        Code::from(sys::rd_kafka_mock_broker_add(cluster, CONTROLLER))
    };
    if added == Code::NoError { Ok(()) } else { Err(KafkaError::MockCluster(added)) }
}
