use super::*;

fn headers(pairs: &[(header::HeaderName, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
}

#[test]
fn a_plugin_is_taken_from_this_machine_and_no_web_page_and_from_others_where_the_file_says_so() {
    let wasm = headers(&[(header::CONTENT_TYPE, CONTENT_TYPE)]);
    let status = |from: &str, takes_remote, headers: &HeaderMap| {
        check(from.parse().unwrap(), takes_remote, headers).err().map(|(status, _)| status.as_u16())
    };
    for own in ["127.0.0.1:5", "127.9.9.9:5", "[::1]:5", "[::ffff:127.0.0.1]:5"] {
        assert_eq!(status(own, false, &wasm), None, "{own}");
    }
    for other in ["10.0.0.7:5", "[fe80::1]:5", "[::ffff:10.0.0.7]:5"] {
        assert_eq!(status(other, false, &wasm), Some(403), "{other}");
        assert_eq!(status(other, true, &wasm), None, "{other}");
    }
    let page = headers(&[(header::CONTENT_TYPE, CONTENT_TYPE), (header::ORIGIN, "https://evil.example")]);
    assert_eq!(status("127.0.0.1:5", true, &page), Some(403));
    assert_eq!(status("127.0.0.1:5", true, &headers(&[(header::CONTENT_TYPE, "text/plain")])), Some(415));
    assert_eq!(status("127.0.0.1:5", true, &headers(&[])), Some(415));
}
