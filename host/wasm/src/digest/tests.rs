use super::*;

fn setting(key: &str, values: &[&str]) -> Setting {
    Setting { key: key.to_string(), values: values.iter().map(ToString::to_string).collect() }
}

#[test]
fn other_settings_have_another_digest_and_another_order_of_keys_has_not() {
    let (a, b) = (setting("a", &["1", "2"]), setting("b", &[]));
    let all = [
        vec![],
        vec![a.clone()],
        vec![setting("a", &["12"])],
        vec![setting("a", &["1"]), setting("2", &[])],
        vec![a.clone(), b.clone()],
        vec![setting("a1", &["2"])],
    ];
    let mut digests: Vec<String> = all.iter().map(|settings| of_settings(settings)).collect();
    assert_eq!(of_settings(&[b, a]), digests[4]);
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), all.len());
}
