use weir_iceberg::orphans::Orphan;

use super::*;

#[test]
fn what_is_found_is_listed_with_what_would_be_done() {
    let ident = TableIdent::from_strs(["telemetry", "traces"]).unwrap();
    let orphan = Orphan { location: "s3://lake/t/data/a.parquet".into(), bytes: 12, modified_ms: 1_700_000_000_000 };
    let mut survey = Survey { orphans: vec![orphan], young: 2, named: 7, elsewhere: vec!["s3://other/data".into()] };
    assert_eq!(
        text(&ident, &survey, false),
        "\
telemetry.traces: 1 files with 12 bytes that nothing names; --delete deletes them
  2023-11-14T22:13:20.000Z 12 s3://lake/t/data/a.parquet
  2 more are too young to tell: --older-than
  not looked into: s3://other/data"
    );
    assert!(
        text(&ident, &survey, true)
            .starts_with("telemetry.traces: 1 files with 12 bytes that nothing names, deleted\n")
    );
    survey = Survey::default();
    assert_eq!(text(&ident, &survey, true), "telemetry.traces: 0 files with 0 bytes that nothing names");
}
