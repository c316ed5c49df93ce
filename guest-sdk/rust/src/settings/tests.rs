use super::*;

fn settings(given: &[(&str, &[&str])]) -> Settings {
    let own = |(key, values): &(&str, &[&str])| Setting {
        key: (*key).to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    Settings::new(given.iter().map(own).collect())
}

#[test]
fn a_setting_is_read_as_what_the_plugin_asks_for() {
    let mut given = settings(&[("names", &["a", "b"]), ("deep.limit", &["1_000"]), ("on", &["true"]), ("none", &[])]);
    assert_eq!(given.list("names"), Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(given.number("deep.limit", 5u32), Ok(1000));
    assert_eq!(given.flag("on", false), Ok(true));
    assert_eq!(given.list("none"), Some(vec![]));
    assert_eq!(given.text("absent"), Ok(None));
    assert_eq!(given.number("absent", 7u8), Ok(7));
    assert_eq!(given.refuse_the_rest(), Ok(()));
}

#[test]
fn a_setting_of_another_kind_is_refused_by_name() {
    let mut given = settings(&[("on", &["yes"]), ("limit", &["300"]), ("one", &["a", "b"])]);
    assert_eq!(given.flag("on", false), Err("setting `on` is true or false, not `yes`".to_owned()));
    assert_eq!(given.number("limit", 1u8), Err("setting `limit` is a number, not `300`".to_owned()));
    assert_eq!(given.text("one"), Err("setting `one` takes one value, not an array of 2".to_owned()));
}

#[test]
fn a_setting_that_nothing_asked_for_is_refused_with_what_was_meant() {
    let mut given = settings(&[("promot", &["a"])]);
    given.list("promote");
    given.list("columns");
    let refused = given.refuse_the_rest().unwrap_err();
    assert_eq!(refused, "unknown setting `promot`; did you mean `promote`? (there are: columns, promote)");
    let refused = settings(&[("x", &[])]).refuse_the_rest().unwrap_err();
    assert_eq!(refused, "unknown setting `x`; this plugin has none");
}

#[test]
fn a_setting_given_twice_is_refused() {
    let mut given = settings(&[("a", &["1"]), ("a", &["2"])]);
    given.list("a");
    assert_eq!(given.refuse_the_rest(), Err("setting `a` is given twice".to_owned()));
}
