//! A broker that wants TLS and a password has both, and what is wrong with them is said.

use weir_tests::{Kafka, Oracle, Spans};

use crate::pipeline::{Pipeline, START_NANOS, refused, said};

/// The pipeline's file with properties for librdkafka.
fn run_with(pipeline: &Pipeline, properties: &str) -> std::process::Output {
    let text = std::fs::read_to_string(pipeline.file()).expect("the file");
    let section = "[source.kafka.properties]\n";
    assert!(text.contains(section));
    let file = pipeline.folder.join("secured.toml");
    std::fs::write(&file, text.replace(section, &format!("{section}{properties}"))).expect("the file is written");
    weir_tests::Weir::output(&["run", "--until-end", &file.display().to_string()])
}

#[test]
fn a_broker_is_read_over_tls_with_a_password_and_what_is_wrong_with_either_is_named() {
    let kafka = Kafka::start_secured();
    kafka.create_topic("secured", 1);
    let mut made = Spans::new(1, START_NANOS, 1);
    kafka.produce("secured", 0, &made.requests(5, 100));
    let mut pipeline = Pipeline::new("secured", 1);
    let (address, certificate) = kafka.secured();
    pipeline.brokers = address;
    let password = pipeline.folder.join("password");
    std::fs::write(&password, Kafka::PASSWORD).expect("the password is written");
    let properties = |certificate: &str, password: &str| {
        format!(
            "\"security.protocol\" = \"SASL_SSL\"\n\"sasl.mechanism\" = \"PLAIN\"\n\"sasl.username\" = \"{}\"\n\
             \"sasl.password\" = \"{password}\"\n{certificate}",
            Kafka::USER
        )
    };
    let trusted = format!("\"ssl.ca.location\" = \"{}\"\n", certificate.display());
    let right = format!("${{file:{}}}", password.display());
    let output = run_with(&pipeline, &properties(&trusted, &right));
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(Oracle::shared().span_ids(&pipeline.traces()), made.made());
    let output = run_with(&pipeline, &properties(&trusted, "another-password"));
    refused(&output, 1, &["Authentication failed"]);
    assert!(!said(&output).contains("another-password"), "a secret is shown");
    refused(&run_with(&pipeline, &properties("", &right)), 1, &["certificate verify failed"]);
}
