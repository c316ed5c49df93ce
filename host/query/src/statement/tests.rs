#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn a_script_falls_into_its_statements_at_semicolons_outside_text() {
    let script = "-- one; only\nSELECT ';' AS a;;\n /* two; */ SELECT \"x;y\" FROM t FOR VERSION AS OF 1 ; -- end";
    assert_eq!(
        split(script).unwrap(),
        ["-- one; only\nSELECT ';' AS a", "/* two; */ SELECT \"x;y\" FROM t FOR VERSION AS OF 1"]
    );
    assert_eq!(split(" ; -- nothing").unwrap(), Vec::<String>::new());
    assert!(split("SELECT 'open").is_err());
}

#[test]
fn a_clause_keeps_its_words_and_gives_its_table_a_name_of_its_own() {
    let Parsed::Query(statement, renamed) = parse(
        "SELECT * FROM a.Traces FOR TIMESTAMP AS OF TIMESTAMP '2026-01-30 00:00:00' x JOIN \"B\" FOR VERSION AS OF 7 ON true",
    )
    .unwrap() else {
        panic!()
    };
    assert_eq!(
        statement.to_string(),
        "SELECT * FROM \"as of 0\".\"a\".\"traces\" x JOIN \"as of 1\".\"public\".\"B\" ON true"
    );
    assert_eq!(renamed[0].parts, ["a", "traces"]);
    assert!(
        matches!(&renamed[0].as_of, Some(AsOf::Timestamp(time)) if time.to_string() == "TIMESTAMP '2026-01-30 00:00:00'")
    );
    assert!(matches!(&renamed[1].as_of, Some(AsOf::Version(id)) if id.to_string() == "7"));
}

#[test]
fn words_that_only_look_like_a_clause_are_left() {
    for sql in [
        "SELECT 'FOR VERSION AS OF 1' FROM t",
        "SELECT timestamp AS of FROM t",
        "SELECT \"FOR\" FROM t",
        "SELECT a AS version FROM t",
    ] {
        let Parsed::Query(statement, renamed) = parse(sql).unwrap() else { panic!() };
        assert_eq!(statement.to_string(), sql);
        assert!(renamed.is_empty());
    }
}

#[test]
fn no_text_makes_the_parser_panic() {
    let sql = "SELECT 'é' FROM a.b.c FOR TIMESTAMP AS OF TIMESTAMP '2026' - INTERVAL '1' DAY t, (VALUES (1)) FOR VERSION AS OF 'x';";
    for (cut, _) in sql.char_indices() {
        let _ = parse(&sql[..cut]);
        let _ = parse(&sql[cut..]);
        let _ = split(&sql[..cut]);
    }
    let deep = format!("SELECT {}1{}", "(".repeat(500), ")".repeat(500));
    assert!(parse(&deep).is_err());
}
