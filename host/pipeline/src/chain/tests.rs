use super::is_named;

#[test]
fn a_chain_is_told_from_one_with_other_settings_and_known_from_before_there_were_any() {
    assert!(is_named("a+1,b+2", "a+1,b+2"));
    assert!(is_named("a,b+2", "a+1,b+2"));
    for theirs in ["a+2,b+2", "a+1", "a+1,b+2,c", "b,a", ""] {
        assert!(!is_named(theirs, "a+1,b+2"), "{theirs}");
    }
    assert!(!is_named("a+1", "a"));
}
