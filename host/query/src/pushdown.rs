//! Filters that Iceberg can use: to leave out manifests, files and row groups before they are read.
//!
//! Each predicate here holds for at least the rows that its filter holds for, and DataFusion filters again. What has
//! no counterpart is left out of an AND, and makes an OR as a whole unusable; a NOT is never built, because the
//! negation of "at least" is "at most".

use std::collections::HashMap;
use std::ops::RangeInclusive;

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{InList, Like};
use datafusion::logical_expr::{Between, BinaryExpr, Cast, Expr, Operator, TryCast};
use iceberg::expr::{Predicate, Reference};
use iceberg::spec::{Datum, PrimitiveType};

/// Microseconds of a day.
const DAY_MICROS: i64 = 86_400_000_000;
/// The years 1 to 9999: beyond them the crate's conversions to a calendar may panic.
const CALENDAR_MICROS: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// The columns that a snapshot has files for, by the name that a query uses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns {
    columns: HashMap<String, (String, PrimitiveType)>,
}

impl Columns {
    /// Adds a column: the query's name, the snapshot's name, its type there.
    pub(crate) fn insert(&mut self, name: &str, in_snapshot: &str, primitive: PrimitiveType) {
        self.columns.insert(name.to_owned(), (in_snapshot.to_owned(), primitive));
    }

    /// The conjunction of what can be used of some filters; `None` for nothing.
    pub(crate) fn predicate(&self, filters: &[Expr]) -> Option<Predicate> {
        filters.iter().filter_map(|filter| self.convert(filter)).reduce(Predicate::and)
    }

    /// What can be used of some filters, for a person.
    pub(crate) fn shown(&self, filters: &[Expr]) -> Option<String> {
        let usable =
            filters.iter().filter(|filter| self.is_usable(filter)).map(|filter| filter.human_display().to_string());
        usable.reduce(|all, next| format!("{all} AND {next}"))
    }

    /// Whether anything of a filter can be used.
    pub(crate) fn is_usable(&self, filter: &Expr) -> bool {
        self.convert(filter).is_some()
    }

    fn convert(&self, filter: &Expr) -> Option<Predicate> {
        match filter {
            Expr::BinaryExpr(binary) => self.binary(binary),
            Expr::IsNull(inner) => self.column(inner).map(|column| column.reference().is_null()),
            Expr::IsNotNull(inner) => self.column(inner).map(|column| column.reference().is_not_null()),
            Expr::InList(list) => self.in_list(list),
            Expr::Between(Between { expr, negated: false, low, high }) => {
                let low = self.compare(expr, Operator::GtEq, low);
                let high = self.compare(expr, Operator::LtEq, high);
                low.into_iter().chain(high).reduce(Predicate::and)
            }
            Expr::Like(like) => self.like(like),
            Expr::Not(inner) => self.boolean(inner, false),
            Expr::Column(_) => self.boolean(filter, true),
            _ => None,
        }
    }

    fn binary(&self, BinaryExpr { left, op, right }: &BinaryExpr) -> Option<Predicate> {
        match op {
            Operator::And => {
                let sides = [self.convert(left), self.convert(right)];
                sides.into_iter().flatten().reduce(Predicate::and)
            }
            Operator::Or => Some(self.convert(left)?.or(self.convert(right)?)),
            _ => match self.compare(left, *op, right) {
                Some(predicate) => Some(predicate),
                None => self.compare(right, op.swap()?, left),
            },
        }
    }

    fn compare(&self, left: &Expr, op: Operator, right: &Expr) -> Option<Predicate> {
        let column = self.column(left)?;
        let Expr::Literal(value, _) = right else { return None };
        if column.is_date_of_time {
            return compare_days(&column, op, value);
        }
        let datum = column.datum(value, op)?;
        let reference = column.reference();
        match op {
            Operator::Eq => Some(reference.equal_to(datum)),
            Operator::NotEq if !column.is_float() => Some(reference.not_equal_to(datum)),
            Operator::Lt => Some(reference.less_than(datum)),
            Operator::LtEq => Some(reference.less_than_or_equal_to(datum)),
            // A NaN is greater than all to DataFusion, and outside a file's bounds to Iceberg.
            Operator::Gt if !column.is_float() => Some(reference.greater_than(datum)),
            Operator::GtEq if !column.is_float() => Some(reference.greater_than_or_equal_to(datum)),
            _ => None,
        }
    }

    fn in_list(&self, InList { expr, list, negated }: &InList) -> Option<Predicate> {
        /// A longer list costs more to evaluate on each file than it saves.
        const VALUES_MAX: usize = 200;
        let column = self.column(expr)?;
        if column.is_date_of_time || column.is_float() || list.len() > VALUES_MAX {
            return None;
        }
        let mut datums = Vec::with_capacity(list.len());
        for value in list {
            let Expr::Literal(value, _) = value else { return None };
            datums.push(column.datum(value, Operator::Eq)?);
        }
        let reference = column.reference();
        Some(if *negated { reference.is_not_in(datums) } else { reference.is_in(datums) })
    }

    /// `LIKE 'prefix%'`, of which the part before the first wildcard is used.
    fn like(&self, like: &Like) -> Option<Predicate> {
        let column = self.column(&like.expr)?;
        if like.negated || like.case_insensitive || like.escape_char.is_some() {
            return None;
        }
        let Expr::Literal(pattern, _) = like.pattern.as_ref() else { return None };
        let pattern = pattern.try_as_str()??;
        let prefix = pattern.split(['%', '_', '\\']).next()?;
        if prefix.is_empty() || !matches!(column.primitive, PrimitiveType::String) {
            return None;
        }
        Some(column.reference().starts_with(Datum::string(prefix)))
    }

    fn boolean(&self, expr: &Expr, value: bool) -> Option<Predicate> {
        let column = self.column(expr)?;
        matches!(column.primitive, PrimitiveType::Boolean).then(|| column.reference().equal_to(Datum::bool(value)))
    }

    /// A column, perhaps cast in a way that keeps its order and its values apart.
    fn column(&self, expr: &Expr) -> Option<Column<'_>> {
        match expr {
            Expr::Column(column) => {
                let (name, primitive) = self.columns.get(column.name())?;
                Some(Column { name, primitive, is_date_of_time: false })
            }
            Expr::Cast(Cast { expr, data_type }) | Expr::TryCast(TryCast { expr, data_type }) => {
                let column = self.column(expr).filter(|column| !column.is_date_of_time)?;
                column.cast(data_type)
            }
            _ => None,
        }
    }
}

/// A column of the snapshot, as one side of a comparison.
struct Column<'a> {
    name: &'a str,
    primitive: &'a PrimitiveType,
    /// Whether the comparison is of the UTC day of a timestamp.
    is_date_of_time: bool,
}

impl<'a> Column<'a> {
    fn reference(&self) -> Reference {
        Reference::new(self.name)
    }

    fn is_float(&self) -> bool {
        matches!(self.primitive, PrimitiveType::Float | PrimitiveType::Double)
    }

    fn is_time(&self) -> bool {
        matches!(self.primitive, PrimitiveType::Timestamp | PrimitiveType::Timestamptz)
    }

    fn cast(self, data_type: &DataType) -> Option<Column<'a>> {
        use PrimitiveType::{Int, Long, String};
        match (self.primitive, data_type) {
            (_, DataType::Timestamp(unit, zone)) if self.is_time() => {
                // A coarser unit joins values; another zone moves those that have none.
                let is_exact = matches!(unit, TimeUnit::Microsecond | TimeUnit::Nanosecond);
                (is_exact && is_utc(zone.as_deref())).then_some(self)
            }
            (_, DataType::Date32) if self.is_time() => Some(Column { is_date_of_time: true, ..self }),
            (Int, DataType::Int64) | (Int, DataType::Int32) | (Long, DataType::Int64) => Some(self),
            (String, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) => Some(self),
            _ => None,
        }
    }

    /// A literal as a value of the column's type, where it is exactly one; for times, rounded so that `op` holds for
    /// at least the same rows.
    fn datum(&self, value: &ScalarValue, op: Operator) -> Option<Datum> {
        match self.primitive {
            PrimitiveType::Boolean => match value {
                ScalarValue::Boolean(Some(value)) => Some(Datum::bool(*value)),
                _ => None,
            },
            PrimitiveType::Int => integer(value).and_then(|value| i32::try_from(value).ok()).map(Datum::int),
            PrimitiveType::Long => integer(value).map(Datum::long),
            PrimitiveType::Double => match value {
                ScalarValue::Float64(Some(value)) if !value.is_nan() => Some(Datum::double(*value)),
                _ => None,
            },
            PrimitiveType::String => value.try_as_str().flatten().map(Datum::string),
            PrimitiveType::Date => match value {
                ScalarValue::Date32(Some(days)) => {
                    let is_of_calendar = CALENDAR_MICROS.contains(&i64::from(*days).checked_mul(DAY_MICROS)?);
                    is_of_calendar.then(|| Datum::date(*days))
                }
                _ => None,
            },
            PrimitiveType::Timestamp => micros(value, op).map(Datum::timestamp_micros),
            PrimitiveType::Timestamptz => micros(value, op).map(Datum::timestamptz_micros),
            _ => None,
        }
    }

    fn time(&self, micros: i64) -> Datum {
        match self.primitive {
            PrimitiveType::Timestamp => Datum::timestamp_micros(micros),
            _ => Datum::timestamptz_micros(micros),
        }
    }
}

/// A comparison of a timestamp's day, as one of the timestamp.
fn compare_days(column: &Column<'_>, op: Operator, value: &ScalarValue) -> Option<Predicate> {
    let ScalarValue::Date32(Some(day)) = value else { return None };
    let begin = i64::from(*day).checked_mul(DAY_MICROS)?;
    let end = begin
        .checked_add(DAY_MICROS)
        .filter(|end| CALENDAR_MICROS.contains(end) && CALENDAR_MICROS.contains(&begin))?;
    let (begin, end) = (column.time(begin), column.time(end));
    let reference = || column.reference();
    match op {
        Operator::Eq => Some(reference().greater_than_or_equal_to(begin).and(reference().less_than(end))),
        Operator::Lt => Some(reference().less_than(begin)),
        Operator::LtEq => Some(reference().less_than(end)),
        Operator::Gt => Some(reference().greater_than_or_equal_to(end)),
        Operator::GtEq => Some(reference().greater_than_or_equal_to(begin)),
        _ => None,
    }
}

fn integer(value: &ScalarValue) -> Option<i64> {
    match value {
        ScalarValue::Int8(value) => value.map(i64::from),
        ScalarValue::Int16(value) => value.map(i64::from),
        ScalarValue::Int32(value) => value.map(i64::from),
        ScalarValue::Int64(value) => *value,
        ScalarValue::UInt8(value) => value.map(i64::from),
        ScalarValue::UInt16(value) => value.map(i64::from),
        ScalarValue::UInt32(value) => value.map(i64::from),
        ScalarValue::UInt64(value) => value.and_then(|value| i64::try_from(value).ok()),
        _ => None,
    }
}

/// A time in microseconds. Between two of them, `<` takes the later and `>=` the one after the earlier; an equality
/// has none.
fn micros(value: &ScalarValue, op: Operator) -> Option<i64> {
    let (value, per_micro, zone) = match value {
        ScalarValue::TimestampSecond(Some(value), zone) => (value.checked_mul(1_000_000)?, 1, zone),
        ScalarValue::TimestampMillisecond(Some(value), zone) => (value.checked_mul(1_000)?, 1, zone),
        ScalarValue::TimestampMicrosecond(Some(value), zone) => (*value, 1, zone),
        ScalarValue::TimestampNanosecond(Some(value), zone) => (*value, 1_000, zone),
        _ => return None,
    };
    if !is_utc(zone.as_deref()) {
        return None;
    }
    let (floor, is_exact) = (value.div_euclid(per_micro), value.rem_euclid(per_micro) == 0);
    let rounded = match op {
        _ if is_exact => Some(floor),
        Operator::Lt | Operator::GtEq => floor.checked_add(1),
        Operator::LtEq | Operator::Gt => Some(floor),
        _ => None,
    };
    rounded.filter(|micros| CALENDAR_MICROS.contains(micros))
}

fn is_utc(zone: Option<&str>) -> bool {
    matches!(zone, None | Some("UTC" | "utc" | "Z" | "+00:00" | "+00" | "+0000" | "Etc/UTC"))
}

#[cfg(test)]
mod tests;
