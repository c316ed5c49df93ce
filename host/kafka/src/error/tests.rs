use rdkafka::types::RDKafkaErrorCode as Code;
use weir_pipeline::batch::TopicPartition;
use weir_pipeline::error::{Error, Kind};

use super::*;

#[test]
fn wrong_credentials_stop_the_pipeline_with_the_brokers_words() {
    let error = of_client(Code::Authentication, false, "SASL PLAIN: Authentication failed.").unwrap();
    assert_eq!(error.to_string(), "the brokers refuse this client: SASL PLAIN: Authentication failed");
    assert_eq!(Error::from(error).kind, Kind::Fatal);
}

#[test]
fn an_unreachable_cluster_is_tried_again() {
    assert_eq!(of_client(Code::AllBrokersDown, false, "1/1 brokers are down"), None);
    let within = Duration::from_secs(10);
    let error = KafkaError::NoAnswer { brokers: "a:1, b:2".into(), within, last: Some("connection refused".into()) };
    assert_eq!(error.to_string(), "no broker of [a:1, b:2] answers within 10s: connection refused");
    assert_eq!(Error::from(error).kind, Kind::Retry);
}

#[test]
fn a_client_that_has_given_up_stops_the_pipeline_whatever_the_code() {
    let error = of_client(Code::BrokerTransportFailure, true, "Fenced").unwrap();
    assert_eq!(Error::from(error).kind, Kind::Fatal);
}

#[test]
fn records_that_would_be_skipped_are_never_taken_for_a_hole() {
    for code in [Code::BadMessage, Code::BadCompression, Code::NotImplemented, Code::MessageSizeTooLarge] {
        assert!(skips_records(code), "{code:?}");
    }
    assert!(!skips_records(Code::BrokerTransportFailure));
}

#[test]
fn retention_names_partition_and_both_offsets() {
    let error = KafkaError::RanPast { partition: TopicPartition::new("spans", 3), wanted: 7, oldest: 40 };
    assert_eq!(error.to_string(), "retention ran past spans/3: offset 7 is wanted, the oldest record left is 40");
    assert_eq!(Error::from(error).kind, Kind::Fatal);
}

#[test]
fn messages_of_librdkafka_are_made_to_fit_the_others() {
    assert_eq!(tidy("Broker transport failure.\n"), "broker transport failure");
    assert_eq!(tidy("SASL is off"), "SASL is off");
    assert_eq!(tidy("Connect failed: refused (after 0ms in state CONNECT, 1 identical)"), "connect failed: refused");
    assert_eq!(tidy(""), "");
}
