use super::super::points::Number;
use super::*;
use opentelemetry_proto::tonic::metrics::v1::MetricsData;

crate::otlp::oracle::agrees_with_prost!(MetricsData);

#[test]
fn of_several_kinds_of_data_the_last_wins_and_two_of_one_kind_are_merged() {
    // Data points with nothing but flags.
    let data = |number: u8, flags: u8| wrap(number, &wrap(1, &[0x40, flags]));
    let sum_last = [data(5, 1), data(7, 2)].concat();
    assert!(matches!(Metric::read(&sum_last).unwrap().data, Data::Sum { .. }));
    let twice = [data(5, 1), data(7, 2), data(5, 3), data(5, 4)].concat();
    assert_eq!(Metric::read(&twice).unwrap_err().fault, Fault::Split);
    let value = wrap(1, &wrap(2, &wrap(2, &twice)));
    assert_eq!(read_merged(&value).unwrap().normal(), MetricsData::decode(&value[..]).unwrap().normal());
}

#[test]
fn of_two_values_of_one_point_the_last_wins() {
    let int = [0x31, 7, 0, 0, 0, 0, 0, 0, 0];
    let double = [&[0x21][..], &1.5f64.to_le_bytes()].concat();
    let read = |point: &[u8]| NumberPoint::read(point).unwrap().value;
    assert_eq!(read(&[&int[..], &double].concat()), Some(Number::Double(1.5)));
    assert_eq!(read(&[&double[..], &int].concat()), Some(Number::Int(7)));
    assert_eq!(read(&[]), None);
}

#[test]
fn a_field_that_only_another_kind_has_is_unknown() {
    // A gauge has no temporality: prost skips it, whatever its type.
    let metric = wrap(5, &[0x12, 1, 9]);
    assert!(matches!(Metric::read(&metric).unwrap().data, Data::Gauge(_)));
    // A sum has one, of another type than this.
    let metric = wrap(7, &[0x12, 1, 9]);
    assert_eq!(Metric::read(&metric).unwrap_err().fault, Fault::Mismatch);
}
