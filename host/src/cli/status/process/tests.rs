use super::*;

#[test]
fn an_answer_is_read_and_anything_else_is_said() {
    let body = r#"{"pipelines":[{"pipeline":"traces","commits":4,"conflicts":1,"retries":2,"rejected":{}}],
        "said":[{"at_ms":1,"level":"warn","message":"cannot load"}]}"#;
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{body}");
    let said = parse(&answer, "traces", "here").unwrap();
    assert_eq!((said.commits, said.fences, said.conflicts, said.retries, said.said.len()), (4, 0, 1, 2, 1));
    let wrong = |answer: &str, pipeline: &str| parse(answer, pipeline, "here").unwrap_err();
    assert_eq!(wrong(&answer, "logs"), "the process at here runs other pipelines, and not logs");
    assert_eq!(
        wrong("HTTP/1.1 404 Not Found\r\n\r\n", "traces"),
        "what answers at here is no Weir of this version: \"HTTP/1.1 404 Not Found\" to /status"
    );
    assert!(wrong("220 mail.example ESMTP\r\n", "traces").ends_with("it speaks no HTTP"));
    assert_eq!(reachable("0.0.0.0:9464".parse().unwrap()), "127.0.0.1:9464".parse().unwrap());
}
