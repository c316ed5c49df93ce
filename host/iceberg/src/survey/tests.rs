use iceberg::spec::Datum;

use super::overlap;

#[test]
fn ranges_that_hold_one_value_overlap_and_those_that_follow_each_other_do_not() {
    let ranges = |of: &[(i64, i64)]| of.iter().map(|(a, b)| (Datum::long(*a), Datum::long(*b))).collect::<Vec<_>>();
    for (of, wanted) in [
        (&[][..], 0),
        (&[(1, 5)], 1),
        (&[(1, 5), (6, 9), (10, 12)], 1),
        (&[(1, 5), (5, 9)], 2),
        (&[(1, 100), (2, 3), (4, 5), (5, 6), (101, 102)], 3),
        (&[(7, 7), (7, 7), (7, 7)], 3),
    ] {
        assert_eq!(overlap(ranges(of)), wanted, "{of:?}");
    }
}
