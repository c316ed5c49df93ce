#![allow(clippy::unwrap_used)]

use datafusion::prelude::{cast, col, lit};

use super::*;

fn columns() -> Columns {
    let mut columns = Columns::default();
    columns.insert("t", "t", PrimitiveType::Timestamptz);
    columns.insert("n", "old_n", PrimitiveType::Int);
    columns.insert("d", "d", PrimitiveType::Double);
    columns.insert("s", "s", PrimitiveType::String);
    columns.insert("b", "b", PrimitiveType::Boolean);
    columns
}

fn pushed(filter: Expr) -> String {
    columns().predicate(&[filter]).map_or_else(|| "-".into(), |predicate| predicate.to_string())
}

fn nanos(value: i64) -> Expr {
    lit(ScalarValue::TimestampNanosecond(Some(value), Some("+00:00".into())))
}

#[test]
fn a_time_between_two_microseconds_is_rounded_so_that_no_row_is_lost() {
    let t = || cast(col("t"), DataType::Timestamp(TimeUnit::Nanosecond, Some("+00:00".into())));
    // Compared as values: the crate's own text of a negative time may panic.
    let predicate = |filter: Expr| columns().predicate(&[filter]);
    let same = |filter: Expr, other: Expr| {
        assert_eq!(predicate(filter.clone()), predicate(other));
        assert!(predicate(filter).is_some());
    };
    same(t().lt(nanos(1_500)), t().lt(nanos(2_000)));
    same(t().lt_eq(nanos(1_500)), t().lt_eq(nanos(1_000)));
    same(t().gt(nanos(1_500)), t().gt(nanos(1_000)));
    same(t().gt_eq(nanos(1_500)), t().gt_eq(nanos(2_000)));
    same(t().lt(nanos(-1_000_500)), t().lt(nanos(-1_000_000)));
    assert_eq!(pushed(t().eq(nanos(1_500))), "-");
    assert_ne!(pushed(t().eq(nanos(1_000))), "-");
}

#[test]
fn what_may_hold_for_more_rows_than_it_says_is_not_pushed() {
    assert_eq!(pushed(col("d").gt(lit(1.0))), "-", "a NaN is greater, and outside the bounds");
    assert_eq!(pushed(col("d").eq(lit(f64::NAN))), "-");
    assert_eq!(pushed(col("d").not_eq(lit(1.0))), "-");
    assert_ne!(pushed(col("d").lt(lit(1.0))), "-");
    assert_eq!(pushed(Expr::Not(Box::new(col("n").eq(lit(1))))), "-");
    assert_eq!(pushed(cast(col("t"), DataType::Timestamp(TimeUnit::Second, None)).eq(nanos(0))), "-");
    let berlin = DataType::Timestamp(TimeUnit::Nanosecond, Some("Europe/Berlin".into()));
    assert_eq!(pushed(cast(col("t"), berlin).eq(nanos(0))), "-");
    assert_eq!(pushed(col("n").eq(lit(1)).or(col("x").eq(lit(1)))), "-");
}

#[test]
fn a_conjunction_keeps_what_it_can_and_names_are_the_snapshots() {
    assert_eq!(pushed(col("n").eq(lit(1)).and(col("x").eq(lit(1)))), "old_n = 1");
    assert_eq!(pushed(lit(5i64).gt(col("n"))), "old_n < 5");
    assert_eq!(pushed(col("n").eq(lit(i64::MAX))), "-");
    assert_eq!(pushed(col("b")), "b = true");
    assert_eq!(pushed(Expr::Not(Box::new(col("b")))), "b = false");
    assert_eq!(pushed(col("s").like(lit("ab_c%"))), "s STARTS WITH \"ab\"");
    assert_eq!(pushed(col("s").not_like(lit("ab%"))), "-");
    assert_eq!(pushed(col("n").is_null()), "old_n IS NULL");
}

#[test]
fn a_time_beyond_the_calendar_is_not_pushed() {
    let micros = |value: i64| lit(ScalarValue::TimestampMicrosecond(Some(value), Some("+00:00".into())));
    assert_eq!(pushed(col("t").lt(micros(i64::MAX))), "-");
    assert_eq!(pushed(col("t").gt(micros(i64::MIN))), "-");
    assert_eq!(pushed(cast(col("t"), DataType::Date32).lt(lit(ScalarValue::Date32(Some(i32::MAX))))), "-");
    assert_ne!(pushed(cast(col("t"), DataType::Date32).lt(lit(ScalarValue::Date32(Some(20_000))))), "-");
}
