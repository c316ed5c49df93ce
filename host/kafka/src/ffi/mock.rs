//! Settings of librdkafka's mock cluster that rdkafka does not wrap.

use rdkafka::ClientContext;
use rdkafka::client::Client;
use rdkafka_sys as sys;

/// Lets members join at once, where the cluster would wait three seconds for more, and gives it the controller that it
/// names, node 0: it starts its count at one.
pub(crate) fn prepare<C: ClientContext>(host: &Client<C>) {
    // SAFETY: the client is alive, and with it the cluster that it hosts, if it hosts one.
    unsafe {
        let cluster = sys::rd_kafka_handle_mock_cluster(host.native_ptr());
        assert!(!cluster.is_null(), "the client hosts no mock cluster");
        sys::rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0);
        sys::rd_kafka_mock_broker_add(cluster, 0);
    }
}
