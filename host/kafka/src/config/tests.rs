use super::*;

fn config() -> KafkaConfig {
    KafkaConfig::new(vec!["localhost:9092".into()], vec!["spans".into()], "weir")
}

fn with(name: &str, value: &str) -> Result<ClientConfig, KafkaError> {
    let mut config = config();
    config.properties.insert(name.into(), value.into());
    config.client_config()
}

#[test]
fn what_the_promises_rest_on_cannot_be_set() {
    for (name, value) in FIXED {
        assert!(forbidden_property(name).is_some(), "{name}");
        assert!(matches!(with(name, value), Err(KafkaError::ForbiddenProperty { .. })), "{name}");
    }
    for name in
        ["group.id", "group.instance.id", "bootstrap.servers", "metadata.broker.list", "auto.commit.interval.ms"]
    {
        assert!(forbidden_property(name).is_some(), "{name}");
    }
}

#[test]
fn what_the_promises_rest_on_is_set() {
    let config = config().client_config().unwrap();
    for (name, value) in FIXED {
        assert_eq!(config.get(name), Some(*value));
    }
    config.create_native_config().unwrap();
}

#[test]
fn a_property_overrides_a_default() {
    assert_eq!(with("fetch.max.bytes", "4194304").unwrap().get("fetch.max.bytes"), Some("4194304"));
}

#[test]
fn an_unknown_property_is_named() {
    let error = with("fetch.max.byte", "1").unwrap_err();
    assert_eq!(error.to_string(), r#"property "fetch.max.byte": librdkafka knows no such property"#);
}

#[test]
fn a_bad_value_is_refused_without_being_shown_by_weir() {
    let error = with("socket.timeout.ms", "soon").unwrap_err();
    assert!(matches!(&error, KafkaError::InvalidProperty { name, .. } if name == "socket.timeout.ms"), "{error}");
    assert!(matches!(check_property("a\0b", "1"), Err(KafkaError::InvalidProperty { .. })));
}

#[test]
fn secrets_are_not_printed() {
    let mut config = config();
    config.properties.insert("sasl.password".into(), "hunter2".into());
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(format!("{config:?}").contains("sasl.password"));
}

#[test]
fn a_pattern_is_no_topic() {
    let mut config = config();
    for bad in ["^spans.*", "", "..", "a b", &"x".repeat(250)] {
        config.topics = vec![bad.to_owned()];
        assert!(matches!(config.client_config(), Err(KafkaError::Setting(_))), "{bad}");
    }
}

#[test]
fn a_revocation_ends_before_the_group_gives_up() {
    let mut config = config();
    config.properties.insert("max.poll.interval.ms".into(), "60000".into());
    config.revoke_timeout = Duration::from_secs(60);
    assert!(matches!(config.client_config(), Err(KafkaError::Setting(_))));
    config.revoke_timeout = Duration::from_secs(59);
    config.client_config().unwrap();
}
