use super::*;

fn capture() -> Capture {
    let bytes = |text: &'static str| Some(Bytes::from_static(text.as_bytes()));
    let record = |offset, value| Record {
        offset,
        timestamp_ms: Some(1_700_000_000_000),
        key: bytes("k\u{0}"),
        value,
        headers: vec![("trace".into(), bytes("1")), ("trace".into(), None)],
    };
    let place = TopicPartition::new("spans", 3);
    let bad = Some(Bytes::from_static(b"\xff\n{"));
    Capture {
        signal: Signal::Logs,
        encoding: Encoding::OtlpJson,
        records: vec![(place.clone(), record(7, bad)), (place, record(9, None))],
    }
}

fn read(text: &str) -> Result<Capture, String> {
    let file = std::env::temp_dir().join(format!("weir-capture-{}-{}.jsonl", std::process::id(), text.len()));
    std::fs::write(&file, text).unwrap();
    let read = Capture::read(&file);
    std::fs::remove_file(&file).unwrap();
    read.map_err(|e| e.split_once(".jsonl:").map_or(e.clone(), |(_, told)| told.to_owned()))
}

#[test]
fn what_was_captured_is_read_back_byte_for_byte() {
    let mut text = Vec::new();
    capture().write(&mut text).unwrap();
    assert!(Capture::is_one(&text));
    let text = String::from_utf8(text).unwrap();
    assert_eq!(read(&text).unwrap(), capture());
    // Cut by hand: the head and one record.
    let cut: Vec<&str> = text.lines().take(2).collect();
    assert_eq!(read(&cut.join("\n")).unwrap().records, capture().records[..1]);
}

#[test]
fn what_cannot_be_read_is_named_by_its_line() {
    let head = r#"{"weir_capture":1,"signal":"traces","encoding":"otlp_proto"}"#;
    let with = |line: &str| read(&format!("{head}\n\n{line}\n")).unwrap_err();
    assert!(with("{").starts_with("3: EOF while parsing"), "{}", with("{"));
    let odd = r#"{"topic":"t","partition":0,"offset":1,"timestamp_ms":null,"key":null,"value":"?"}"#;
    assert!(with(odd).starts_with("3: the value is no Base64: "), "{}", with(odd));
    assert!(read(r#"{"resourceSpans":[]}"#).unwrap_err().starts_with("1: no capture begins so: "));
    assert!(!Capture::is_one(br#"{"resourceSpans":[]}"#));
    let newer = head.replace("capture\":1", "capture\":2");
    assert_eq!(read(&newer).unwrap_err(), "1: version 2 of captures, this is 1");
    assert_eq!(read(&head.replace("otlp_proto", "avro")).unwrap_err(), "1: \"avro\" is no encoding");
}
