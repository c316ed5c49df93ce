use super::*;

fn broken(chain: &[(&str, World)]) -> (usize, String) {
    check(chain).unwrap_err()
}

const OTLP: (&str, World) = ("redact", World::OtlpToOtlp);
const MAKER: (&str, World) = ("flatten", World::OtlpToArrow);
const ROWS: (&str, World) = ("keep", World::ArrowToArrow);

#[test]
fn a_chain_has_one_plugin_that_makes_rows_and_any_number_around_it() {
    for chain in [&[MAKER][..], &[OTLP, MAKER], &[MAKER, ROWS], &[OTLP, OTLP, OTLP, MAKER, ROWS, ROWS]] {
        assert_eq!(check(chain), Ok(()));
    }
}

#[test]
fn another_order_is_refused_at_the_plugin_where_it_breaks() {
    let (at, why) = broken(&[MAKER, OTLP]);
    assert_eq!((at, why.as_str()), (1, "redact (otlp-to-otlp) works on OTLP, and flatten has made rows of it before"));
    let (at, why) = broken(&[OTLP, MAKER, ("other", World::OtlpToArrow)]);
    assert_eq!((at, why.as_str()), (2, "other (otlp-to-arrow) makes rows of OTLP, and flatten has done so before"));
    let (at, why) = broken(&[ROWS, MAKER]);
    assert_eq!((at, why.as_str()), (0, "keep (arrow-to-arrow) works on rows, and nothing before it makes any"));
    assert_eq!(broken(&[OTLP, ROWS]).0, 1, "the middle is missing");
    let (at, why) = broken(&[OTLP, OTLP]);
    assert_eq!((at, why.as_str()), (1, "nothing makes rows of the OTLP: the chain ends with redact (otlp-to-otlp)"));
}
