use super::*;

/// All messages of the three signals, each once.
fn messages() -> Vec<&'static Message> {
    let mut found: Vec<&'static Message> = Signal::ALL.map(Signal::root).to_vec();
    let mut at = 0;
    while let Some(message) = found.get(at).copied() {
        for field in message.fields {
            if let Kind::Message(inner) = field.kind
                && !found.iter().any(|known| std::ptr::eq(*known, inner))
            {
                found.push(inner);
            }
        }
        at += 1;
    }
    found
}

#[test]
fn no_message_has_a_name_or_a_number_twice() {
    for message in messages() {
        for (at, field) in message.fields.iter().enumerate() {
            assert_eq!(message.by_name(field.name.as_bytes()), Some(at));
            assert!(std::ptr::eq(message.by_number(field.number).unwrap(), field), "{}", field.name);
        }
    }
}

#[test]
fn a_name_is_matched_with_its_quote_and_colon_only() {
    for field in messages().iter().flat_map(|message| message.fields) {
        let matches = |text: String| {
            let padded = format!("{text}                                ");
            field.matches(u128::from_le_bytes(*padded.as_bytes().first_chunk().unwrap()), padded.as_bytes())
        };
        let name = field.name;
        assert_eq!(matches(format!("{name}\":")), Some(name.len() + 2));
        for other in [format!("{name}\" "), format!("{name}x\":"), format!("x{name}\":"), name.to_uppercase() + "\":"] {
            assert_eq!(matches(other.clone()), None, "{other}");
        }
        let shorter = &name[..name.len() - 1];
        assert_eq!(matches(format!("{shorter}\":")), None);
        assert_eq!(matches(format!("{shorter}_\":")), None);
        let cut = format!("{name}\"               ");
        let head = u128::from_le_bytes(*cut.as_bytes().first_chunk().unwrap());
        assert_eq!(field.matches(head, &cut.as_bytes()[..name.len() + 1]), None, "a cut key is no match");
    }
}

#[test]
fn a_tag_is_the_varint_of_number_and_wire_type() {
    for field in messages().iter().flat_map(|message| message.fields) {
        let (first, second) = field.tag();
        let tag = u32::from(first & 0x7f) | u32::from(second.unwrap_or(0)) << 7;
        assert_eq!(tag >> 3, field.number);
        assert!(field.allows(tag & 7));
        assert_eq!(second.is_some(), first & 0x80 != 0);
    }
}
