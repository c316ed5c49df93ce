#![allow(clippy::unwrap_used)]

use super::*;

fn parse(text: &str) -> Result<String, Flaw> {
    Location::parse(text, Path::new("/etc/weir")).map(|location| location.as_str().to_owned())
}

#[test]
fn a_path_becomes_a_file_uri_against_the_files_folder() {
    assert_eq!(parse("./lake").unwrap(), "file:///etc/weir/lake");
    assert_eq!(parse("../lake/").unwrap(), "file:///etc/lake");
    assert_eq!(parse("/lake").unwrap(), "file:///lake");
    assert_eq!(parse("file:/lake").unwrap(), "file:///lake");
    assert_eq!(parse("file:///lake/").unwrap(), "file:///lake");
}

#[test]
fn a_bucket_keeps_the_scheme_it_was_written_with() {
    assert_eq!(parse("s3a://telemetry-lake/warehouse/").unwrap(), "s3a://telemetry-lake/warehouse");
    assert_eq!(parse("s3://telemetry-lake").unwrap(), "s3://telemetry-lake");
}

#[test]
fn what_weir_cannot_write_to_is_refused() {
    for text in ["", " ", "gs://b/p", "hdfs://n/p", "s3:///p", "s3://", "s3:b/p", "file://", "file://lake"] {
        assert!(parse(text).is_err(), "{text}");
    }
}
